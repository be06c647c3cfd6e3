"""Filtered backprojection: analytic objects, known places, arcs of any kind, windows, and Chang's correction."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from leukospect.data import Image
from leukospect.errors import GeometryError, InputError
from leukospect.filtered_backprojection import (
    Window,
    angular_shares,
    chang_factors,
    filter_views,
    filtered_backprojection,
)
from leukospect.projector import reconstruction_geometry, spect_projector
from tests.spot_acquisition import acquisition, orbit

Array = NDArray[np.float32]
Values = NDArray[np.float64]
COLUMNS, SLICES, PIXEL_MM = 48, 7, (6.0, 4.0)
RAMP = Window("ramp")


def _places() -> Values:
    return np.asarray((np.arange(COLUMNS) - (COLUMNS - 1) / 2) * PIXEL_MM[1], np.float64)


def _ellipse_views(
    angles_deg: Values, centre_mm: tuple[float, float], radii_mm: tuple[float, float], offsets_px: Values | None = None
) -> Array:
    """Line sums, in steps of a pixel, of an ellipse of activity 1 in all slices, each pixel the mean of seven rays."""
    rays = (np.arange(COLUMNS * 7) - (COLUMNS * 7 - 1) / 2) * PIXEL_MM[1] / 7
    views = np.empty((angles_deg.size, COLUMNS))
    for v, t in enumerate(np.deg2rad(angles_deg)):
        shift = 0.0 if offsets_px is None else offsets_px[v] * PIXEL_MM[1]
        across = rays - shift - (-centre_mm[0] * np.cos(t) + centre_mm[1] * np.sin(t))
        width2 = (radii_mm[0] * np.cos(t)) ** 2 + (radii_mm[1] * np.sin(t)) ** 2
        chord = 2 * radii_mm[0] * radii_mm[1] * np.sqrt(np.maximum(width2 - across**2, 0)) / width2
        views[v] = chord.reshape(COLUMNS, 7).mean(axis=1) / PIXEL_MM[1]
    return np.repeat(views[:, :, None], SLICES, axis=2).astype(np.float32)


def _inside(centre_mm: tuple[float, float], radii_mm: tuple[float, float], margin_mm: float) -> NDArray[np.bool_]:
    y, x = np.meshgrid(_places(), _places(), indexing="ij")
    scaled = ((x - centre_mm[0]) / (radii_mm[0] - margin_mm)) ** 2 + (
        (y - centre_mm[1]) / (radii_mm[1] - margin_mm)
    ) ** 2
    return np.asarray(scaled <= 1)


ELLIPSE = ((12.0, -9.0), (60.0, 42.0))


@pytest.mark.parametrize("window", [RAMP, Window("hann", 0.9), Window()], ids=["ramp", "hann", "butterworth"])
@pytest.mark.parametrize("arc_deg", [180.0, 360.0])
def test_an_ellipse_has_its_activity(arc_deg: float, window: Window) -> None:
    angles = orbit(35.0, "CC", 60 if arc_deg < 200 else 120, arc_deg)
    image = filtered_backprojection(_ellipse_views(angles, *ELLIPSE), angles, PIXEL_MM, window=window)
    middle = image[_inside(*ELLIPSE, 16.0)]
    assert middle.mean() == pytest.approx(1.0, abs=0.006)
    assert middle.std() < 0.02
    y, x = np.meshgrid(_places(), _places(), indexing="ij")
    outside = ~_inside(*ELLIPSE, -16.0) & (np.hypot(x, y) < 85)
    assert abs(float(image[outside].mean())) < 0.01
    # Axial symmetry is kept up to both ends.
    np.testing.assert_allclose(image, np.repeat(image[:, :, :1], SLICES, axis=2), atol=1e-4)


def _point_views(angles_deg: Values, place_mm: tuple[float, float, int], offsets_px: Values | None = None) -> Array:
    """A point of total 1 at (x, y) mm in one slice, as a Gaussian of 5 mm across and along."""
    views = np.empty((angles_deg.size, COLUMNS, SLICES), np.float32)
    along = np.exp(-(((np.arange(SLICES) - place_mm[2]) * PIXEL_MM[0]) ** 2) / 50)
    for v, t in enumerate(np.deg2rad(angles_deg)):
        shift = 0.0 if offsets_px is None else offsets_px[v] * PIXEL_MM[1]
        at = -place_mm[0] * np.cos(t) + place_mm[1] * np.sin(t) + shift
        views[v] = np.outer(np.exp(-((_places() - at) ** 2) / 50), along / along.sum())
    views /= np.exp(-(_places() ** 2) / 50).sum(dtype=np.float32)
    return views


def _found_mm(image: Array) -> tuple[float, float, float]:
    peak = np.where(image > 0.3 * image.max(), image, 0)
    y, x = np.meshgrid(_places(), _places(), indexing="ij")
    total = peak.sum()
    slices = float((peak * np.arange(SLICES)).sum() / total)
    return float((peak * x[:, :, None]).sum() / total), float((peak * y[:, :, None]).sum() / total), slices


ORBITS = {
    "CC from the back": orbit(0.0, "CC", 60),
    "CW from 77": orbit(77.0, "CW", 64),
    "CC half turn from 200": orbit(200.0, "CC", 40, 180.0),
    "CW half turn from 45": orbit(45.0, "CW", 41, 180.0),
    "odd number": orbit(10.0, "CC", 45),
    "two heads at right angles": np.concatenate([orbit(30.0, "CC", 30, 90.0), orbit(120.0, "CC", 30, 90.0)]),
    "203 degrees": np.arange(0.0, 203.0, 2.9),
    "270 degrees": 20.0 + np.arange(0.0, 270.0, 4.5),
    "some views lost": np.delete(orbit(5.0, "CC", 90), [7, 30, 31, 52]),
    "denser on one side": np.concatenate([np.arange(0.0, 90.0, 2.0), np.arange(90.0, 180.0, 5.0)]),
}


@pytest.mark.parametrize("name", ORBITS)
def test_a_point_is_found_where_it_is_and_an_ellipse_keeps_its_activity(name: str) -> None:
    angles = ORBITS[name]
    image = filtered_backprojection(_point_views(angles, (31.0, -18.0, 5)), angles, PIXEL_MM)
    x, y, k = _found_mm(image)
    assert (x, y) == pytest.approx((31.0, -18.0), abs=0.5)
    assert k == pytest.approx(5.0, abs=0.25)
    whole = filtered_backprojection(_ellipse_views(angles, *ELLIPSE), angles, PIXEL_MM)
    assert whole[_inside(*ELLIPSE, 16.0)].mean() == pytest.approx(1.0, abs=0.012)


def test_the_offset_of_the_centre_of_rotation_is_taken_back() -> None:
    angles = orbit(20.0, "CC", 60)
    offsets = np.linspace(-1.5, 2.5, 60)
    views = _point_views(angles, (-22.0, 14.0, 3), offsets)
    image = filtered_backprojection(views, angles, PIXEL_MM, offsets_px=offsets)
    assert _found_mm(image)[:2] == pytest.approx((-22.0, 14.0), abs=0.4)


def test_the_geometry_is_the_projectors() -> None:
    """What the system model projects comes back to the same voxels."""
    angles = orbit(123.0, "CW", 90)
    empty = acquisition(angles, (SLICES, COLUMNS), PIXEL_MM)
    projector = spect_projector(empty, None, None, 0.0, threads=1)
    truth = np.zeros((COLUMNS, COLUMNS, SLICES), np.float32)
    truth[14:24, 27:33, 1:3] = 1.0
    image = filtered_backprojection(projector.forward(projector.support.runs(truth)), angles, PIXEL_MM, window=RAMP)
    overlap = float(np.sum(image * truth)) / np.sqrt(float(np.sum(image**2)) * float(np.sum(truth**2)))
    assert overlap > 0.93
    for axis in range(3):
        turned = np.flip(image, axis)
        assert float(np.sum(turned * truth)) < 0.1 * float(np.sum(image * truth))


def test_shares_are_half_a_turn_and_follow_the_spacing() -> None:
    for angles in ORBITS.values():
        assert angular_shares(angles).sum() == pytest.approx(np.pi)
    np.testing.assert_allclose(angular_shares(orbit(7.0, "CW", 60)), np.pi / 60, rtol=1e-6)
    np.testing.assert_allclose(angular_shares(np.array([0.0, 60.0, 120.0, 180.0])), np.deg2rad([30, 60, 60, 30]))
    twice = angular_shares(np.array([0.0, 45.0, 45.0, 90.0, 135.0, 315.00001]))
    np.testing.assert_allclose(twice, np.deg2rad([45, 22.5, 22.5, 45, 22.5, 22.5]), rtol=1e-5)


@pytest.mark.parametrize(
    "angles",
    [orbit(0.0, "CC", 40, 120.0), orbit(0.0, "CC", 1), orbit(40.0, "CW", 2, 180.0), orbit(0.0, "CC", 30, 150.0)],
)
def test_less_than_half_a_turn_is_refused(angles: Values) -> None:
    with pytest.raises(GeometryError, match="views over at least 180 degrees"):
        angular_shares(angles)


def test_views_and_angles_must_fit() -> None:
    with pytest.raises(GeometryError, match="with 5 angles"):
        filtered_backprojection(np.zeros((6, 4, 3), np.float32), np.arange(5.0), PIXEL_MM)


def test_windows_have_their_published_form() -> None:
    frequency = np.array([0.0, 0.0225, 0.045, 0.09])
    butterworth = Window("butterworth", 0.45, 5.0).response(frequency)
    np.testing.assert_allclose(butterworth, [1, 1 / np.sqrt(1 + 2**-10), 1 / np.sqrt(2), 1 / np.sqrt(1 + 2**10)])
    np.testing.assert_allclose(Window("hann", 0.45).response(frequency), [1.0, 0.5, 0.0, 0.0], atol=1e-12)
    np.testing.assert_array_equal(RAMP.response(frequency), 1.0)
    with pytest.raises(InputError, match="positive cut-off"):
        Window("hann", 0.0)


def test_resolution_is_the_same_along_the_axis_as_across_it() -> None:
    angles, slices, pixel = orbit(0.0, "CC", 90), 41, (5.0, 4.0)
    views = np.zeros((90, COLUMNS, slices), np.float32)
    across, along = _places(), (np.arange(slices) - 20) * pixel[0]
    views[:] = np.exp(-(across[:, None] ** 2) / 32 - along[None] ** 2 / 32)
    image = filtered_backprojection(views, angles, pixel, window=Window("butterworth", 0.3, 5.0)).astype(np.float64)
    middle = image[COLUMNS // 2 - 1 : COLUMNS // 2 + 1]
    by_column = middle[:, :, 20].mean(axis=0)
    by_slice = middle[:, COLUMNS // 2 - 1 : COLUMNS // 2 + 1].mean(axis=(0, 1))
    assert _fwhm(by_column, pixel[1]) == pytest.approx(_fwhm(by_slice, pixel[0]), rel=0.03)
    assert _fwhm(by_column, pixel[1]) > 1.3 * 4 * np.sqrt(8 * np.log(2))


def _fwhm(profile: Values, step: float) -> float:
    fine = np.interp(np.arange(0, profile.size - 1, 0.01), np.arange(profile.size), profile)
    return float(np.count_nonzero(fine > fine.max() / 2)) * 0.01 * step


def test_the_filter_is_linear_and_keeps_the_views() -> None:
    views = np.random.default_rng(3).normal(size=(4, 20, 6)).astype(np.float32)
    before = views.copy()
    once, thrice = (filter_views(factor * views, PIXEL_MM, Window()) for factor in (1, 3))
    np.testing.assert_allclose(thrice, 3 * once, rtol=1e-3, atol=1e-4)
    np.testing.assert_array_equal(views, before)


def test_the_same_bits_for_any_number_of_threads() -> None:
    angles = orbit(3.0, "CC", 24)
    views = np.random.default_rng(5).random((24, COLUMNS, SLICES), np.float32)
    one = filtered_backprojection(views, angles, PIXEL_MM, threads=1)
    for threads in (2, 5):
        np.testing.assert_array_equal(filtered_backprojection(views, angles, PIXEL_MM, threads=threads), one)


def test_changs_factor_in_the_middle_of_a_cylinder_is_that_of_its_radius() -> None:
    angles = orbit(15.0, "CC", 60)
    empty = acquisition(angles, (SLICES, COLUMNS), PIXEL_MM)
    y, x = np.meshgrid(_places(), _places(), indexing="ij")
    radius = 60.0
    body = np.clip((radius - np.hypot(x, y)) / PIXEL_MM[1] + 0.5, 0, 1)
    geometry = reconstruction_geometry(empty)
    mu = Image(np.repeat((0.12 * body[None]).astype(np.float32), SLICES, axis=0), geometry, "1/cm")
    attenuated = spect_projector(empty, mu, None, 0.0, threads=1)
    plain = spect_projector(empty, None, None, 0.0, threads=1)
    factors = chang_factors(attenuated, plain, angular_shares(angles))
    assert factors.min() >= 1 - 1e-5
    factors = plain.support.volume(factors)
    middle = factors[COLUMNS // 2 - 1 : COLUMNS // 2 + 1, COLUMNS // 2 - 1 : COLUMNS // 2 + 1, 3]
    assert float(middle.mean()) == pytest.approx(np.exp(0.012 * radius), rel=0.01)
    # Half way out: the mean over angles of exp(-mu l), by the law of cosines.
    t, r = np.linspace(0, 2 * np.pi, 2000, endpoint=False), 30.0
    path = -r * np.cos(t) + np.sqrt(radius**2 - (r * np.sin(t)) ** 2)
    ring = np.abs(np.hypot(x, y) - r) < 1.5
    assert float(factors[ring, 3].mean()) == pytest.approx(1 / np.exp(-0.012 * path).mean(), rel=0.01)


def test_chang_lifts_an_attenuated_cylinder_near_its_activity() -> None:
    angles = orbit(0.0, "CC", 90)
    empty = acquisition(angles, (3, COLUMNS), PIXEL_MM)
    y, x = np.meshgrid(_places(), _places(), indexing="ij")
    body = np.clip((64.0 - np.hypot(x, y)) / PIXEL_MM[1] + 0.5, 0, 1).astype(np.float32)
    mu = Image(np.repeat(0.15 * body[None], 3, axis=0), reconstruction_geometry(empty), "1/cm")
    attenuated = spect_projector(empty, mu, None, 0.0, threads=1)
    plain = spect_projector(empty, None, None, 0.0, threads=1)
    truth = np.repeat(body[:, :, None], 3, axis=2)
    image = filtered_backprojection(attenuated.forward(plain.support.runs(truth)), angles, PIXEL_MM)
    factors = chang_factors(attenuated, plain, angular_shares(angles))
    corrected = image * plain.support.volume(factors)
    inside = np.hypot(x, y) < 50
    assert image[inside].mean() < 0.5
    assert corrected[inside].mean() == pytest.approx(1.0, abs=0.15)
