"""Parallel rays through a slice: chord lengths, the adjoint, and reconstruction, on off-centre and non-square grids."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from skimage.transform import radon

from leukospect.errors import GeometryError
from leukospect.kernels.ct_beam import ParallelBeam, adjoint, bridge, filtered_backprojection, forward, shadow
from leukospect.kernels.parallel_beam import ramp_filtered

NON_SQUARE = ParallelBeam((37, 52), (1.3, 0.8), np.linspace(-0.4, 3.3, 41), 71, 0.9)


def _ellipse(
    beam: ParallelBeam, centre_mm: tuple[float, float], radii_mm: tuple[float, float], finer: int = 7
) -> NDArray[np.float32]:
    """Draw an ellipse at (x, y) mm from the slice's centre, its edge pixels by their covered part."""
    rows, columns = beam.shape
    y = ((np.arange(rows * finer) + 0.5) / finer - rows / 2) * beam.pixel_mm[0]
    x = ((np.arange(columns * finer) + 0.5) / finer - columns / 2) * beam.pixel_mm[1]
    inside = ((x[None] - centre_mm[0]) / radii_mm[0]) ** 2 + ((y[:, None] - centre_mm[1]) / radii_mm[1]) ** 2 <= 1.0
    drawn: NDArray[np.float32] = inside.reshape(rows, finer, columns, finer).mean(axis=(1, 3)).astype(np.float32)
    return drawn


def _chords(beam: ParallelBeam, centre_mm: tuple[float, float], radii_mm: tuple[float, float]) -> NDArray[np.float64]:
    """Length of every ray inside the ellipse, mm, in closed form."""
    s = (np.arange(beam.bins) - (beam.bins - 1) / 2) * beam.bin_mm
    c, n = np.cos(beam.angles_rad)[:, None], np.sin(beam.angles_rad)[:, None]
    offset = s[None] - (centre_mm[0] * c + centre_mm[1] * n)
    width2 = (radii_mm[0] * c) ** 2 + (radii_mm[1] * n) ** 2
    return 2.0 * radii_mm[0] * radii_mm[1] * np.sqrt(np.maximum(width2 - offset**2, 0.0)) / width2


def test_the_adjoint_is_the_transpose() -> None:
    rng = np.random.default_rng(3)
    x = rng.standard_normal(NON_SQUARE.shape).astype(np.float32)
    y = rng.standard_normal((41, 71)).astype(np.float32)
    ax, aty = forward(NON_SQUARE, x).astype(float), adjoint(NON_SQUARE, y).astype(float)
    assert abs(np.vdot(ax, y) - np.vdot(x, aty)) <= 1e-6 * np.linalg.norm(ax) * np.linalg.norm(y)


def test_chords_of_an_off_centre_ellipse_have_their_analytic_length() -> None:
    beam = ParallelBeam.covering((96, 128), (1.0, 0.8), 60)
    ellipse = ((14.0, -9.0), (22.0, 13.0))
    expected = _chords(beam, *ellipse)
    error = forward(beam, _ellipse(beam, *ellipse)) - expected
    # Rays that touch the edge depend on how its pixels are drawn.
    well_inside = _chords(beam, ellipse[0], (20.5, 11.5)) > 0
    assert np.abs(error[well_inside]).max() < 0.8
    assert abs(error[well_inside].mean()) < 0.002 * expected[well_inside].mean()
    assert np.sqrt(np.mean(error**2)) < 0.01 * expected.max()
    # What a view sees altogether is the area, whatever the angle.
    assert forward(beam, _ellipse(beam, *ellipse)).sum(axis=1) * beam.bin_mm == pytest.approx(
        np.pi * 22.0 * 13.0, rel=0.003
    )


def test_only_the_wanted_rays_are_computed() -> None:
    rng = np.random.default_rng(5)
    image = rng.random(NON_SQUARE.shape).astype(np.float32)
    wanted = rng.random((41, 71)) < 0.3
    np.testing.assert_array_equal(
        forward(NON_SQUARE, image, wanted), np.where(wanted, forward(NON_SQUARE, image), np.float32(0))
    )


def test_the_shadow_is_where_the_mask_is_seen() -> None:
    mask = np.zeros(NON_SQUARE.shape, dtype=bool)
    mask[5:7, 40] = mask[30, 3] = mask[36, 51] = True
    trace = shadow(NON_SQUARE, mask)
    np.testing.assert_array_equal(trace, forward(NON_SQUARE, mask.astype(np.float32)) > 0)
    # In closed form: the rays that pass between the neighbours of a pixel of the mask, in the lines they step through.
    rows, columns = (n.astype(float) for n in np.nonzero(mask))
    y, x = (rows - 18.0) * 1.3, (columns - 25.5) * 0.8
    c, n = np.cos(NON_SQUARE.angles_rad)[:, None, None], np.sin(NON_SQUARE.angles_rad)[:, None, None]
    away = np.abs(NON_SQUARE.offsets_mm[None, :, None] - x * c - y * n)
    hit = (away / np.maximum(np.abs(c) * 0.8, np.abs(n) * 1.3)).min(axis=2)
    np.testing.assert_array_equal(trace[np.abs(hit - 1) > 1e-6], (hit < 1)[np.abs(hit - 1) > 1e-6])
    assert 0 < trace.sum() < trace.size / 2


def test_a_bridge_is_straight_between_its_neighbours() -> None:
    sinogram = np.array([[2, 9, 9, 9, 6, 1], [9, 9, 4, 5, 8, 9]], dtype=np.float32)
    trace = np.array([[0, 1, 1, 1, 0, 0], [1, 1, 0, 0, 1, 1]], dtype=bool)
    np.testing.assert_allclose(bridge(sinogram, trace), [[2, 3, 4, 5, 6, 1], [4, 4, 4, 5, 5, 5]])
    assert sinogram[0, 1] == 9


def test_the_ramp_takes_the_mean_out_and_weighs_frequencies_by_their_size() -> None:
    beam = ParallelBeam((64, 64), (1.0, 1.0), np.zeros(1), 512, 0.5)
    s = (np.arange(512) - 255.5) * 0.5
    cycles_per_mm = 0.1
    wave = (np.cos(2 * np.pi * cycles_per_mm * s) * np.exp(-((s / 40.0) ** 2))).astype(np.float32)
    filtered = ramp_filtered(beam, wave[None])[0]
    middle = np.abs(s) < 20
    ratio = np.vdot(filtered[middle], wave[middle]) / np.vdot(wave[middle], wave[middle])
    assert ratio == pytest.approx(cycles_per_mm, rel=0.01)


def test_analytic_line_integrals_come_back_at_their_place_and_value() -> None:
    beam = ParallelBeam.covering((90, 128), (1.1, 0.8), 200)
    large, small = ((-6.0, 4.0), (38.0, 30.0)), ((10.0, -7.0), (6.0, 4.0))
    sinogram = (_chords(beam, *large) + 2.0 * _chords(beam, *small)).astype(np.float32)
    image = filtered_backprojection(beam, sinogram)
    truth = _ellipse(beam, *large) + 2.0 * _ellipse(beam, *small)
    interior = _ellipse(beam, large[0], (34.0, 26.0)) == 1
    flat = interior & (_ellipse(beam, small[0], (10.0, 8.0)) == 0)
    assert np.abs(image[flat] - 1.0).max() < 0.1
    assert np.std(image[flat]) < 0.03
    assert image[interior].mean() == pytest.approx(truth[interior].mean(), rel=0.003)
    excess = np.where(interior, image - 1.0, 0.0) * (image > 2.0)
    rows, columns = np.indices(beam.shape)
    y = (np.average(rows, weights=excess) - (90 - 1) / 2) * 1.1
    x = (np.average(columns, weights=excess) - (128 - 1) / 2) * 0.8
    assert (x, y) == (pytest.approx(10.0, abs=0.2), pytest.approx(-7.0, abs=0.2))


def test_a_part_of_a_slice_is_reconstructed_as_in_the_whole() -> None:
    rng = np.random.default_rng(8)
    beam = ParallelBeam((40, 30), (1.0, 1.5), np.arange(25) * np.pi / 25, 31, 1.2)
    sinogram = rng.random((25, 31)).astype(np.float32)
    within = np.zeros((40, 30), dtype=bool)
    within[5:20, 11:29] = True
    within[12, 15] = False
    whole, part = filtered_backprojection(beam, sinogram), filtered_backprojection(beam, sinogram, within)
    np.testing.assert_allclose(part, np.where(within, whole, 0.0), rtol=0, atol=1e-5)


def test_arrays_that_do_not_fit_are_refused() -> None:
    with pytest.raises(GeometryError, match=r"slice of shape \(52, 37\)"):
        forward(NON_SQUARE, np.zeros((52, 37), dtype=np.float32))
    with pytest.raises(GeometryError, match="positive sizes"):
        ParallelBeam((4, 4), (0.0, 1.0), np.zeros(1), 8, 1.0)


def test_line_integrals_agree_with_another_projector() -> None:
    """scikit-image turns the slice instead of the rays, so its angles run the other way."""
    angles = np.arange(24, dtype=np.float64) * (np.pi / 24)
    beam = ParallelBeam((101, 101), (1.0, 1.0), angles, 101, 1.0)
    image = _ellipse(beam, (14.0, -9.0), (22.0, 13.0)) + np.float32(2.0) * _ellipse(beam, (-20.0, 15.0), (9.0, 6.0))
    theirs, ours = radon(image, -np.degrees(angles), circle=True).T, forward(beam, image)
    assert np.sqrt(np.mean((theirs - ours) ** 2)) < 0.002 * ours.max()
    assert np.abs(theirs - ours).max() < 0.02 * ours.max()
