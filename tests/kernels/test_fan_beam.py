"""A fan of rays: chords in closed form, the adjoint, reconstruction in value and place, whatever the isocentre."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from numpy.typing import NDArray

from leukospect.errors import GeometryError
from leukospect.kernels.ct_beam import FanBeam, ParallelBeam, adjoint, filtered_backprojection, forward, shadow

NON_SQUARE = FanBeam((37, 52), (1.3, 0.8), 41, 71, 0.012, 75.0, (4.0, -3.0))
Ellipse = tuple[tuple[float, float], tuple[float, float]]
LARGE, SMALL = ((-6.0, 4.0), (38.0, 30.0)), ((10.0, -7.0), (6.0, 4.0))


def _drawn(beam: FanBeam, ellipse: Ellipse, finer: int = 7) -> NDArray[np.float32]:
    """Draw an ellipse at (x, y) mm from the slice's centre, its edge pixels by their covered part."""
    (rows, columns), (centre, radii) = beam.shape, ellipse
    y = ((np.arange(rows * finer) + 0.5) / finer - rows / 2) * beam.pixel_mm[0]
    x = ((np.arange(columns * finer) + 0.5) / finer - columns / 2) * beam.pixel_mm[1]
    inside = ((x[None] - centre[0]) / radii[0]) ** 2 + ((y[:, None] - centre[1]) / radii[1]) ** 2 <= 1.0
    drawn: NDArray[np.float32] = inside.reshape(rows, finer, columns, finer).mean(axis=(1, 3)).astype(np.float32)
    return drawn


def _chords(beam: FanBeam, ellipse: Ellipse) -> NDArray[np.float64]:
    """Length of every ray inside the ellipse, mm, from the source's place and the ray's direction."""
    centre, radii = ellipse
    view = (np.arange(beam.views) * 2 * np.pi / beam.views)[:, None]
    fan = ((np.arange(beam.bins) - (beam.bins - 1) / 2) * beam.bin_rad)[None]
    source_x = beam.isocentre_mm[0] - beam.source_to_isocentre_mm * np.sin(view)
    source_y = beam.isocentre_mm[1] + beam.source_to_isocentre_mm * np.cos(view)
    # Along the ray, in units of the radii: |from + way length|^2 = 1.
    way_x, way_y = np.sin(view + fan) / radii[0], -np.cos(view + fan) / radii[1]
    from_x, from_y = (source_x - centre[0]) / radii[0], (source_y - centre[1]) / radii[1]
    square, product = way_x**2 + way_y**2, way_x * from_x + way_y * from_y
    return 2.0 * np.sqrt(np.maximum(product**2 - square * (from_x**2 + from_y**2 - 1.0), 0.0)) / square


def test_the_adjoint_is_the_transpose() -> None:
    rng = np.random.default_rng(3)
    x = rng.standard_normal(NON_SQUARE.shape).astype(np.float32)
    y = rng.standard_normal((41, 71)).astype(np.float32)
    ax, aty = forward(NON_SQUARE, x).astype(float), adjoint(NON_SQUARE, y).astype(float)
    assert abs(np.vdot(ax, y) - np.vdot(x, aty)) <= 1e-6 * np.linalg.norm(ax) * np.linalg.norm(y)


def test_chords_of_an_off_centre_ellipse_have_their_analytic_length() -> None:
    beam = FanBeam.covering((96, 128), (1.0, 0.8), 60, 150.0, (5.0, -8.0))
    ellipse = ((14.0, -9.0), (22.0, 13.0))
    expected = _chords(beam, ellipse)
    error = forward(beam, _drawn(beam, ellipse)) - expected
    well_inside = _chords(beam, (ellipse[0], (20.5, 11.5))) > 0
    assert np.abs(error[well_inside]).max() < 0.8
    assert abs(error[well_inside].mean()) < 0.002 * expected[well_inside].mean()
    assert np.sqrt(np.mean(error**2)) < 0.01 * expected.max()


def test_a_ray_of_a_fan_is_the_parallel_ray_of_the_same_line() -> None:
    rng = np.random.default_rng(11)
    image = rng.random((30, 41)).astype(np.float32)
    fan = FanBeam((30, 41), (1.1, 0.9), 36, 73, np.deg2rad(1.0), 90.0)
    integrals = forward(fan, image)
    for view, b in ((0, 36), (3, 20), (17, 50), (30, 44)):
        angle, g = view * np.deg2rad(10.0), np.deg2rad(b - 36.0)
        # A detector one of whose bins lies on the line.
        offset = 90.0 * np.sin(g)
        bins = 3 if abs(offset) < 1e-9 else 2
        parallel = ParallelBeam(
            (30, 41), (1.1, 0.9), np.array([angle + g]), bins, 2 * abs(offset) if bins == 2 else 1.0
        )
        at = 1 if bins == 3 or offset > 0 else 0
        assert integrals[view, b] == pytest.approx(forward(parallel, image)[0, at], abs=1e-3)


def test_only_the_wanted_rays_are_computed_and_the_shadow_is_where_the_mask_is_seen() -> None:
    rng = np.random.default_rng(5)
    image = rng.random(NON_SQUARE.shape).astype(np.float32)
    wanted = rng.random((41, 71)) < 0.3
    np.testing.assert_array_equal(
        forward(NON_SQUARE, image, wanted), np.where(wanted, forward(NON_SQUARE, image), np.float32(0))
    )
    mask = np.zeros(NON_SQUARE.shape, dtype=bool)
    mask[5:7, 40] = mask[30, 3] = mask[36, 51] = True
    trace = shadow(NON_SQUARE, mask)
    np.testing.assert_array_equal(trace, forward(NON_SQUARE, mask.astype(np.float32)) > 0)
    assert 0 < trace.sum() < trace.size / 2
    assert not shadow(NON_SQUARE, np.zeros_like(mask)).any()


@pytest.mark.parametrize("isocentre_mm", [(0.0, 0.0), (9.0, -14.0)])
def test_analytic_line_integrals_come_back_at_their_place_and_value(isocentre_mm: tuple[float, float]) -> None:
    beam = FanBeam.covering((90, 128), (1.1, 0.8), 400, 160.0, isocentre_mm)
    image = filtered_backprojection(beam, (_chords(beam, LARGE) + 2.0 * _chords(beam, SMALL)).astype(np.float32))
    interior = _drawn(beam, (LARGE[0], (34.0, 26.0))) == 1
    flat = interior & (_drawn(beam, (SMALL[0], (10.0, 8.0))) == 0)
    assert image[flat].mean() == pytest.approx(1.0, abs=0.005)
    assert np.abs(image[flat] - 1.0).max() < 0.1  # rays sample the edges, which are sharper than a bin
    assert np.std(image[flat]) < 0.02
    outside = _drawn(beam, (LARGE[0], (41.0, 33.0))) == 0
    assert abs(image[outside].mean()) < 0.005
    excess = np.where(interior, image - 1.0, 0.0) * (image > 2.0)
    rows, columns = np.indices(beam.shape)
    y = (np.average(rows, weights=excess) - (90 - 1) / 2) * 1.1
    x = (np.average(columns, weights=excess) - (128 - 1) / 2) * 0.8
    assert (x, y) == (pytest.approx(10.0, abs=0.2), pytest.approx(-7.0, abs=0.2))
    assert (image - 1.0)[interior & ~flat].sum() * 1.1 * 0.8 == pytest.approx(2.0 * np.pi * 6.0 * 4.0, rel=0.03)


def test_a_part_of_a_slice_is_reconstructed_as_in_the_whole() -> None:
    rng = np.random.default_rng(8)
    sinogram = rng.random((41, 71)).astype(np.float32)
    within = np.zeros(NON_SQUARE.shape, dtype=bool)
    within[5:20, 11:29] = True
    within[12, 15] = False
    whole, part = filtered_backprojection(NON_SQUARE, sinogram), filtered_backprojection(NON_SQUARE, sinogram, within)
    np.testing.assert_allclose(part, np.where(within, whole, 0.0), rtol=0, atol=2e-5 * float(np.abs(whole).max()))
    assert not filtered_backprojection(NON_SQUARE, sinogram, np.zeros_like(within)).any()


def test_slices_side_by_side_come_out_as_one_after_another() -> None:
    rng = np.random.default_rng(9)
    within = np.ones(NON_SQUARE.shape, dtype=bool)
    slices = [rng.random(NON_SQUARE.shape).astype(np.float32) for _ in range(8)]

    def through(image: NDArray[np.float32]) -> NDArray[np.float32]:
        return filtered_backprojection(NON_SQUARE, forward(NON_SQUARE, image), within)

    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(through, slices))
    for image, result in zip(slices, together, strict=True):
        np.testing.assert_array_equal(result, through(image))


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(GeometryError, match=r"sinogram of shape \(71, 41\)"):
        filtered_backprojection(NON_SQUARE, np.zeros((71, 41), dtype=np.float32))
    with pytest.raises(GeometryError, match="positive sizes"):
        FanBeam((4, 4), (1.0, 1.0), 8, 8, 0.01, 0.0)
    with pytest.raises(GeometryError, match="through the slice"):
        FanBeam.covering((512, 512), (1.0, 1.0), 900, 595.0, (0.0, 400.0))
    with pytest.raises(GeometryError, match="isocentre"):
        FanBeam((4, 4), (1.0, 1.0), 8, 8, 0.01, 50.0, (float("nan"), 0.0))
