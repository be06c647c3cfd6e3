"""What a view measures: counts kept, the width of a spot, exponential attenuation, decay and duration, and places."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from leukospect.data import Geometry, Image
from leukospect.errors import GeometryError, InputError, MissingInformationError
from leukospect.physics.decay import decay_factor
from leukospect.projector import (
    counts_of_views,
    image_of_runs,
    reconstruction_geometry,
    response_increments,
    runs_of_image,
    spect_projector,
    support_of,
    system_model,
    view_factors,
    views_of_counts,
)
from leukospect.support import Support
from leukospect.view_plan import plan_views
from tests.reference_projector import lehr_sigma_mm
from tests.smooth_object import LEHR, TC_HALF_LIFE_S, TC_KEV, projector_of, sigma_mm, smooth_activity
from tests.spot_acquisition import acquisition
from tests.whole_projector import project, whole_projector

Float64 = NDArray[np.float64]
FWHM_PER_SIGMA = float(np.sqrt(8 * np.log(2)))


# --- conservation ---


def test_counts_are_conserved_in_every_view() -> None:
    angles = np.arange(0.0, 360.0, 11.3)
    for response in (False, True):
        empty = acquisition(angles, (40, 40), (5.9, 4.4), radii_mm=np.full(angles.size, 105.0))
        activity = smooth_activity(empty)
        projector = projector_of(empty, None, response)
        views = projector.forward(runs_of_image(activity, projector.support))
        totals = views.sum(axis=(1, 2), dtype=np.float64)
        np.testing.assert_allclose(totals, activity.array.sum(dtype=np.float64), rtol=1e-3)


def test_counts_of_a_view_are_duration_times_decay_times_volume() -> None:
    angles = np.array([40.0, 220.0, 300.0])
    empty = acquisition(
        angles, (40, 40), (5.9, 4.4), start_s=np.array([0.0, TC_HALF_LIFE_S, 0.0]),
        duration_s=np.array([10.0, 10.0, 25.0]),
    )  # fmt: skip
    activity = smooth_activity(empty)
    projector = projector_of(empty, None, False)
    model = system_model(projector, empty, TC_HALF_LIFE_S)
    totals = model.forward(runs_of_image(activity, projector.support)).sum((1, 2))
    rate = activity.array.sum(dtype=np.float64) * 5.9 * 4.4 * 4.4 / 1000
    np.testing.assert_allclose(totals, rate * np.array([10.0, 5.0, 25.0]), rtol=2e-3)


# --- response ---


def _spot(distance_mm: float, angle_deg: float = 180.0, pixel_mm: tuple[float, float] = (2.1, 1.7)) -> Float64:
    """Project one voxel that lies `distance_mm` before the collimator, on a grid of (61, 61) in plane, 47 slices."""
    n, slices, depth_px = 61, 47, 9
    t = np.deg2rad(angle_deg)
    j, i = round((n - 1) / 2 + depth_px * np.cos(t)), round((n - 1) / 2 + depth_px * np.sin(t))
    towards = (j - (n - 1) / 2) * np.cos(t) + (i - (n - 1) / 2) * np.sin(t)
    radius = distance_mm + towards * pixel_mm[1]
    projector = whole_projector(
        (n, n, slices), np.array([angle_deg]), pixel_mm=pixel_mm, radii_mm=np.array([radius]), sigma_mm=sigma_mm
    )
    image = np.zeros((n, n, slices), np.float32)
    image[j, i, slices // 2] = 1.0
    return np.asarray(project(projector, image)[0], dtype=np.float64)


def _variances_mm2(spot: Float64, pixel_mm: tuple[float, float]) -> tuple[float, float]:
    """Second moments across (columns) and along the axis (slices)."""
    found = []
    for axis, step in ((0, pixel_mm[1]), (1, pixel_mm[0])):
        profile = spot.sum(axis=1 - axis)
        places = np.arange(profile.size) * step
        mean = np.average(places, weights=profile)
        found.append(float(np.average((places - mean) ** 2, weights=profile)))
    return found[0], found[1]


def _half_maximum_width_mm(profile: Float64, step_mm: float) -> float:
    top, half = int(profile.argmax()), profile.max() / 2
    left = np.flatnonzero(profile[:top] < half)[-1]
    right = top + np.flatnonzero(profile[top:] < half)[0]
    lower = left + (half - profile[left]) / (profile[left + 1] - profile[left])
    upper = right - (half - profile[right]) / (profile[right - 1] - profile[right])
    return float(upper - lower) * step_mm


@pytest.mark.parametrize("distance_mm", [25.0, 100.0, 160.0])
def test_a_points_spot_is_as_wide_as_the_collimator_makes_it(distance_mm: float) -> None:
    pixel = (2.1, 1.7)
    spot = _spot(distance_mm, pixel_mm=pixel)
    effective = 24.05 - 2 / 2.69
    fwhm = float(np.hypot(1.11 * (effective + distance_mm) / effective, 3.8))
    # The extents of the voxel and of the detector's pixel go in too.
    across, along = _variances_mm2(spot, pixel)
    assert np.sqrt(across - pixel[1] ** 2 / 6) * FWHM_PER_SIGMA == pytest.approx(fwhm, rel=2e-3)
    assert np.sqrt(along - pixel[0] ** 2 / 6) * FWHM_PER_SIGMA == pytest.approx(fwhm, rel=2e-3)
    # Its shape is a Gaussian's, not only its variance.
    wider = np.hypot(fwhm, FWHM_PER_SIGMA * pixel[1] / np.sqrt(6))
    assert _half_maximum_width_mm(spot.sum(axis=1), pixel[1]) == pytest.approx(wider, rel=0.02)
    assert spot.sum() == pytest.approx(1.0, abs=1e-3)


def test_a_spot_is_as_wide_at_any_angle() -> None:
    """The rotation's interpolation stands for the extents of voxel and pixel; depth spreads over two planes."""
    pixel = (2.1, 1.7)
    for angle in (0.0, 22.0, 68.0, 90.0, 301.0):
        across, along = _variances_mm2(_spot(100.0, angle, pixel), pixel)
        expected = lehr_sigma_mm(100.0) ** 2
        # One voxel's own fractions are not the mean over places, which is what is made up for.
        assert across == pytest.approx(expected + pixel[1] ** 2 / 6, abs=0.15 * pixel[1] ** 2)
        assert along == pytest.approx(expected + pixel[0] ** 2 / 6, rel=0.01)


def test_the_response_plan_adds_up_to_each_planes_variance() -> None:
    radii = np.array([80.0, 120.0])
    n, transverse, axial = 20, 4.0, 5.0
    whole = Support(np.ones((n, n), np.bool_))
    increments_px2 = response_increments(radii, n, transverse, axial, sigma_mm)
    plan = plan_views(np.array([20.0, 200.0]), np.zeros(2), increments_px2, whole, None)
    assert max(plan.across.max(), plan.along.max()) <= 0.25
    for taps, extent, pixel in ((plan.across, 1 / 6, transverse), (plan.along, 1 / 6, axial)):
        increments = 2.0 * taps.astype(np.float64) * plan.passes * pixel**2
        for view, radius in enumerate(radii):
            for plane in range(n):
                distance_mm = radius - (plane - (n - 1) / 2) * transverse
                passed = increments[view, plane + 1 :].sum() - extent * pixel**2
                assert passed == pytest.approx(lehr_sigma_mm(distance_mm) ** 2, rel=1e-5)


# --- attenuation ---


def _slab(angle_deg: float, depth: int) -> tuple[float, float]:
    """Transmission of a voxel `depth` planes from the centre to the detector in a slab of 8 rows: found, expected."""
    n, slices, pixel, mu = 24, 5, 4.4, 0.293
    empty = acquisition(np.array([angle_deg]), (slices, n), (6.0, pixel))
    array = np.zeros((slices, n, n), np.float32)
    array[:, 9:17] = mu
    image = np.zeros((n, n, slices), np.float32)
    t = np.deg2rad(angle_deg)
    j, i = round(12 + depth * np.cos(t)), round(12 + depth * np.sin(t))
    image[j, i, 2] = 1.0
    projector = projector_of(empty, Image(array, reconstruction_geometry(empty), "1/cm"), response=False)
    nearer = {0.0: range(j + 1, n), 180.0: range(j)}[angle_deg]
    planes = sum(9 <= row < 17 for row in nearer) + (0.5 if 9 <= j < 17 else 0.0)
    return float(project(projector, image).sum()), float(np.exp(-mu * planes * pixel / 10))


@pytest.mark.parametrize("angle_deg", [0.0, 180.0])
@pytest.mark.parametrize("depth", [-6, -3, 0, 2, 6])
def test_a_slab_attenuates_exponentially_with_half_the_own_voxel(angle_deg: float, depth: int) -> None:
    found, expected = _slab(angle_deg, depth)
    assert found == pytest.approx(expected, rel=2e-5)


def test_a_cylinder_attenuates_by_the_chord_to_its_surface() -> None:
    n, slices, pixel, mu, radius = 48, 5, 4.0, 0.1536, 70.0
    angles = np.array([0.0, 30.0, 45.0, 111.0, 200.0, 287.0])
    empty = acquisition(angles, (slices, n), (6.0, pixel))
    fine = (np.arange(n * 8) + 0.5) / 8 * pixel - n * pixel / 2
    covered = (np.hypot(fine[:, None] - 6.0, fine[None] + 10.0) <= radius).reshape(n, 8, n, 8).mean(axis=(1, 3))
    array = np.repeat((mu * covered[None]).astype(np.float32), slices, axis=0)
    projector = projector_of(empty, Image(array, reconstruction_geometry(empty), "1/cm"), response=False)
    image = np.zeros((n, n, slices), np.float32)
    image[29, 15, 2] = 1.0  # y = 22 mm, x = -34 mm
    bare = project(projector_of(empty, None, response=False), image).sum(axis=(1, 2))
    seen = project(projector, image).sum(axis=(1, 2)) / bare
    for angle, transmission in zip(np.deg2rad(angles), seen, strict=True):
        towards = np.array([np.sin(angle), np.cos(angle)])
        place = np.array([-34.0, 22.0]) - np.array([-10.0, 6.0])
        ahead = float(place @ towards)
        chord = -ahead + np.sqrt(ahead**2 + radius**2 - float(place @ place))
        assert transmission == pytest.approx(np.exp(-mu * chord / 10), rel=0.02)


# --- units, order, geometry ---


def test_decay_and_duration_of_the_views() -> None:
    start, duration = np.array([0.0, 600.0, 3600.0]), np.array([20.0, 1200.0, 40.0])
    decaying = acquisition(np.zeros(3), (4, 5), (5.0, 4.0), start_s=start, duration_s=duration)
    rate = np.log(2) / TC_HALF_LIFE_S
    integral = (np.exp(-rate * start) - np.exp(-rate * (start + duration))) / rate
    np.testing.assert_allclose(view_factors(decaying, TC_HALF_LIFE_S), integral, rtol=1e-9)
    assert view_factors(decaying, TC_HALF_LIFE_S)[1] < 0.985 * decay_factor(TC_HALF_LIFE_S, 600.0) * 1200
    np.testing.assert_array_equal(view_factors(decaying, None), duration)
    done = acquisition(
        np.zeros(3), (4, 5), (5.0, 4.0), start_s=start, duration_s=duration, corrections=("UNIF", "DECY")
    )
    np.testing.assert_array_equal(view_factors(done, TC_HALF_LIFE_S), duration)


def test_orders_of_axes_go_there_and_back() -> None:
    counts = np.random.default_rng(3).uniform(0, 9, (3, 4, 5)).astype(np.float32)
    views = views_of_counts(counts)
    assert views.shape == (3, 5, 4)
    assert views[1, 2, 0] == counts[1, 3, 2]  # the lowest slice is the last row
    np.testing.assert_array_equal(counts_of_views(views), counts)
    geometry = Geometry.axial((4, 5, 6), (6.0, 4.0, 4.0), (1.0, 2.0, 3.0))
    volume = np.random.default_rng(4).uniform(0, 9, (5, 6, 4)).astype(np.float32)
    mask = np.random.default_rng(5).uniform(size=(5, 6)) > 0.4
    mask[1, 2] = True
    support = Support(mask)
    runs = support.runs(volume)
    image = image_of_runs(runs, support, geometry, "counts/s/mL")
    assert image.array[3, 1, 2] == volume[1, 2, 3]
    assert not np.asarray(image.array)[:, ~mask].any()
    np.testing.assert_array_equal(runs_of_image(image, support), runs)


def test_the_grid_of_the_reconstruction_lies_around_the_axis_with_row_0_at_the_head() -> None:
    empty = acquisition(np.zeros(2), (7, 10), (6.0, 4.0), axis_mm=(13.0, -52.0), first_row_z_mm=111.0)
    geometry = reconstruction_geometry(empty)
    assert geometry.shape == (7, 10, 10)
    assert geometry.spacing_mm == pytest.approx((6.0, 4.0, 4.0))
    np.testing.assert_allclose(geometry.to_lps([6, 4.5, 4.5]), [13.0, -52.0, 111.0])
    np.testing.assert_allclose(geometry.to_lps([0, 0, 9]), [13.0 + 18.0, -52.0 - 18.0, 75.0])
    assert geometry.frame_of_reference_uid == "1.2.3"


def test_the_support_ends_at_the_field_of_view_and_at_the_detector() -> None:
    free = support_of(np.array([90.0]), None, 21, 4.0)
    assert free[10, 10]
    assert not free[0, 0]
    assert free[10, 1]
    assert free[10, 19]
    # A detector at the patient's left 20 mm from the axis: nothing lies beyond it.
    limited = support_of(np.array([90.0]), np.array([20.0]), 21, 4.0)
    assert limited[10, 10 + 6]
    assert not limited[10, 10 + 7]
    assert limited[10, 1]


def test_what_cannot_be_projected_is_refused() -> None:
    empty = acquisition(np.array([0.0, 90.0]), (5, 8), (6.0, 4.0))
    with pytest.raises(MissingInformationError, match="radius"):
        spect_projector(empty, None, LEHR, TC_KEV)
    geometry = reconstruction_geometry(empty)
    shifted = Geometry.axial(geometry.shape, geometry.spacing_mm, (0.0, 0.0, 0.0))
    with pytest.raises(GeometryError, match="grid"):
        spect_projector(empty, Image(np.zeros(shifted.shape, np.float32), shifted), None, TC_KEV)
    for bad in (-0.1, np.nan):
        array = np.zeros(geometry.shape, np.float32)
        array[1, 2, 3] = bad
        with pytest.raises(InputError, match="attenuation map"):
            spect_projector(empty, Image(array, geometry), None, TC_KEV)
    with pytest.raises(GeometryError, match="as deep as wide"):
        whole_projector((4, 5, 3), np.zeros(1))


@pytest.mark.parametrize("angle", [0.0, 90.0, 180.0, 270.0])
def test_attenuation_on_the_first_and_last_row_and_column_counts(angle: float) -> None:
    n = 16
    empty = acquisition(np.array([angle]), (3, n), (5.0, 4.0))
    geometry = reconstruction_geometry(empty)
    projector = projector_of(empty, Image(np.full(geometry.shape, 0.15, np.float32), geometry), response=False)
    image = np.zeros((n, n, 3), np.float32)
    image[7:9, 7:9, 1] = 1
    expected = np.exp(-0.06 * np.array([7.5, 8.5])).sum() * 2
    assert project(projector, image).sum() == pytest.approx(expected, rel=1e-4)
