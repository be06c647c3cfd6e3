"""The simulated camera against what can be computed by hand: places, counts, attenuation, width, scatter."""

from __future__ import annotations

import numpy as np
import pytest

from leukospect.errors import ProtocolError
from leukospect.phantoms.acquisitions import SpectAcquisition
from leukospect.phantoms.gamma_camera import collimator_sigma_mm, detector_normal, scan_angles_deg, scan_radii_mm
from leukospect.phantoms.scene import scene_of
from tests.phantoms.made_phantom import ball, centroid, make, mean_rates, spect_text

POINT = (31.0, -44.0, 52.0)
AXIS = np.array([7.0, -11.0, 13.0])
RATE_PER_ML = 90.0
"""Counts/s of one head from 1 mL at 1000 kBq/mL."""


def ball_ml(radius_mm: float) -> float:
    return 4 / 3 * np.pi * radius_mm**3 / 1000


@pytest.mark.parametrize("direction", ["CC", "CW"])
@pytest.mark.parametrize(("heads", "start"), [(1, 0.0), (2, 95.0)])
def test_a_point_lands_where_the_geometry_says_in_every_view(heads: int, start: float, direction: str) -> None:
    phantom = make(ball(POINT, 4.0), spect_text(heads, start, direction), rays=4)
    counts = mean_rates(phantom).primary[0]
    sign = 1.0 if direction == "CC" else -1.0
    expected = start + sign * np.arange(4) * 360.0 / heads / 4
    angles = np.concatenate([expected, expected + 180.0]) if heads == 2 else expected
    assert counts.shape == (angles.size, 40, 56)
    for view, angle in zip(counts, np.deg2rad(angles), strict=True):
        offset = np.array(POINT) - AXIS
        row, column = centroid(view)
        assert (column - 27.5) * 4.5 == pytest.approx(-offset[0] * np.cos(angle) + offset[1] * np.sin(angle), abs=0.15)
        assert (row - 19.5) * 5.5 == pytest.approx(-offset[2], abs=0.15)


def test_without_attenuation_every_view_counts_the_activity() -> None:
    phantom = make(ball(POINT, 9.0) + ball((-25.0, 20.0, -14.0), 13.0), rays=4)
    rates = mean_rates(phantom)
    expected = RATE_PER_ML * (ball_ml(9) + ball_ml(13))
    np.testing.assert_allclose(rates.primary[0].sum(axis=(1, 2)), expected, rtol=1e-3)
    assert rates.once.max() == 0.0


def test_the_response_widens_with_the_distance_as_the_collimator_s_does() -> None:
    phantom = make(ball(POINT, 3.0), rays=4)
    scan = phantom.acquisition[0]
    assert isinstance(scan, SpectAcquisition)
    effective = 24.05 - 20.0 / 26.9
    for view, angle in zip(mean_rates(phantom).primary[0].astype(np.float64), scan_angles_deg(scan), strict=True):
        distance = 160.0 - (np.array(POINT) - AXIS) @ detector_normal(float(angle))
        fwhm = np.hypot(1.11 * (effective + distance) / effective, 3.8)
        variance = (fwhm / 2.3548) ** 2 + 9.0 / 5.0
        row, column = centroid(view)
        rows, columns = np.indices(view.shape)
        along_v = (((rows - row) * 5.5) ** 2 * view).sum() / view.sum() - 5.5**2 / 12
        along_u = (((columns - column) * 4.5) ** 2 * view).sum() / view.sum() - 4.5**2 / 12
        assert np.sqrt(along_u) == pytest.approx(np.sqrt(variance), rel=0.01)
        assert np.sqrt(along_v) == pytest.approx(np.sqrt(variance), rel=0.01)


def test_the_collimator_measures_7_mm_at_10_cm() -> None:
    camera = make(ball(POINT, 3.0)).camera
    assert 2.3548 * collimator_sigma_mm(camera, 140.511, np.array([100.0]))[0] == pytest.approx(7.0, abs=0.1)


def box(center: tuple[float, float, float], size: tuple[float, float, float], paint: str) -> str:
    return f'[[shape]]\nkind = "box"\ncenter_mm = {list(center)}\nsize_mm = {list(size)}\n{paint}\n'


def test_a_slab_attenuates_by_its_thickness_on_the_way_to_the_detector_only() -> None:
    slab = box((12.0, -60.0, 10.0), (150.0, 30.0, 150.0), 'material = "cortical_bone"')
    phantom = make(slab + ball((10.0, -11.0, 16.0), 6.0), spect_text(2, 180.0), rays=4)
    totals = mean_rates(phantom).primary[0].sum(axis=(1, 2)) / (RATE_PER_ML * ball_ml(6))
    # Bone without coherent scattering is 0.2819 1/cm.
    # View 0 looks from the front through 3 cm of it, view 4 is opposite and sees none of it.
    assert totals[0] == pytest.approx(np.exp(-0.2819 * 3.0), rel=2e-3)
    assert totals[4] == pytest.approx(1.0, rel=2e-3)


def test_a_uniform_slab_sees_itself_through_itself() -> None:
    slab = box((7.0, -11.0, 13.0), (90.0, 60.0, 80.0), 'material = "water"\ncompartment = "hot"')
    phantom = make(slab, spect_text(2, 180.0), rays=6)
    rates = mean_rates(phantom)
    volume_ml, mu, thickness = 90 * 60 * 80 / 1000, 0.1509, np.array([6.0, 9.0])
    share = (1 - np.exp(-mu * thickness)) / (mu * thickness)
    # Views 0 and 2 look along 60 and along 90 mm.
    np.testing.assert_allclose(rates.primary[0, [0, 2]].sum(axis=(1, 2)), RATE_PER_ML * volume_ml * share, rtol=5e-3)
    tau = mu * thickness
    once = (1 - np.exp(-tau) * (1 + tau)) / tau
    np.testing.assert_allclose(rates.once[0, [0, 2]].sum(axis=(1, 2)), RATE_PER_ML * volume_ml * once, rtol=0.03)


def test_a_cylinder_s_profile_follows_its_chords() -> None:
    shape = (
        '[[shape]]\nkind = "cylinder"\nfrom_mm = [7.0, -11.0, -400.0]\nto_mm = [7.0, -11.0, 400.0]\nradius_mm = 90.0\n'
        'material = "water"\ncompartment = "hot"\n'
    )
    view = mean_rates(make(shape, rays=2)).primary[0, 1, 20]
    columns = (np.arange(56) - 27.5) * 4.5
    inner = np.abs(columns) < 60.0
    chord_cm = 2 * np.sqrt(9.0**2 - (columns[inner] / 10) ** 2)
    expected = RATE_PER_ML * 0.45 * 0.55 * (1 - np.exp(-0.1509 * chord_cm)) / 0.1509
    np.testing.assert_allclose(view[inner], expected, rtol=0.01)


def test_two_times_at_once_are_the_two_times_apart() -> None:
    phantom = make(ball(POINT, 9.0, "warm", "water") + ball((-25.0, 20.0, -14.0), 13.0))
    both = mean_rates(phantom, (4.0, 24.0))
    np.testing.assert_allclose(both.primary[1], mean_rates(phantom, (24.0,)).primary[0], rtol=1e-5, atol=1e-9)


def test_the_number_of_threads_changes_no_bit() -> None:
    phantom = make(ball(POINT, 30.0, "warm", "water") + ball((-25.0, 20.0, -14.0), 13.0))
    one, two = mean_rates(phantom, threads=1), mean_rates(phantom, threads=3)
    np.testing.assert_array_equal(one.primary, two.primary)
    np.testing.assert_array_equal(one.twice, two.twice)


def test_a_detector_inside_the_body_is_refused() -> None:
    phantom = make(ball(POINT, 150.0, "warm", "water"))
    with pytest.raises(ProtocolError, match="radius_mm"):
        mean_rates(phantom)


def test_an_orbit_without_a_radius_follows_the_body() -> None:
    scans = spect_text(2, 0.0).replace("radius_mm = 160", "clearance_mm = 12")
    phantom = make(
        '[[shape]]\nkind = "ellipsoid"\ncenter_mm = [7.0, -1.0, 13.0]\nradii_mm = [100.0, 60.0, 90.0]\n'
        'material = "water"\n',
        scans,
    )
    scan = phantom.acquisition[0]
    assert isinstance(scan, SpectAcquisition)
    # Behind, right oblique ..., left: the ellipsoid lies 10 mm behind the axis.
    radii = scan_radii_mm(scene_of(phantom), scan)
    np.testing.assert_allclose(radii[[0, 2, 4, 6]], [82.0, 112.0, 62.0, 112.0])
