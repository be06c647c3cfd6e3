"""Whole studies: repeatable, timed, decaying, true to their phantom, the patient's right on the viewer's left."""

from __future__ import annotations

from datetime import datetime

import numpy as np
import pytest

from leukospect.data import Geometry, PlanarImages, Projections
from leukospect.errors import InputError
from leukospect.phantoms import (
    Phantom,
    SimulatedStudy,
    attenuation_map,
    phantom_from_toml,
    read_phantom,
    simulate_study,
)
from tests.phantoms.made_phantom import HEAD, WINDOWS, ball, make, spect_text

PLANAR = """
[[acquisition]]
kind = "PLANAR"
time_point = "late"
hours = 24.0
matrix = [50, 60]
pixel_mm = [4.0, 3.5]
seconds = 600
radius_mm = 150
axis_mm = [5.0, 6.0]
"""


@pytest.fixture(scope="module")
def nail() -> SimulatedStudy:
    return simulate_study(read_phantom("femoral-nail-small"), seed=4)


def test_the_study_holds_every_scan_in_time_order(nail: SimulatedStudy) -> None:
    kinds = [acquisition.header.kind for acquisition in nail.study.acquisitions]
    assert kinds == ["STATIC", "STATIC", "TOMO", "CT", "STATIC", "TOMO", "CT"]
    starts = [acquisition.header.start for acquisition in nail.study.acquisitions]
    assert all(isinstance(start, datetime) for start in starts)
    assert starts == sorted(starts, key=lambda start: start or datetime.max)
    assert [p.header.hours_after_injection for p in nail.study.projections] == [4.0, 24.0]
    for projections, ct in zip(nail.study.projections, nail.study.ct, strict=True):
        assert projections.header.frame_of_reference_uid == ct.header.frame_of_reference_uid
        assert ct.image.geometry.frame_of_reference_uid == ct.header.frame_of_reference_uid
    delayed, late = nail.study.projections
    assert delayed.header.frame_of_reference_uid != late.header.frame_of_reference_uid
    assert len({a.header.series_uid for a in nail.study.acquisitions}) == len(kinds)


def test_the_patient_s_right_is_on_the_viewer_s_left_in_front(nail: SimulatedStudy) -> None:
    late = nail.study.planar[-1]
    anterior, posterior = nail.expected[nail.study.acquisitions.index(late)][0]  # type: ignore[index]
    # The second screw at z = -6 mm, x near -136 mm: row (z0 - z) / 4.8, column x / 4.8 from the middle.
    row = round(63.5 + 6.0 / 4.8)
    right, left = round(63.5 - 136 / 4.8), round(63.5 + 136 / 4.8)
    window = np.s_[row - 2 : row + 3]
    assert anterior[window, right - 2 : right + 3].sum() > 1.5 * anterior[window, left - 2 : left + 3].sum()
    assert posterior[window, left - 2 : left + 3].sum() > 1.5 * posterior[window, right - 2 : right + 3].sum()


def test_scatter_is_a_quarter_and_the_triple_energy_window_is_near_it(nail: SimulatedStudy) -> None:
    for acquisition, mean, primary in zip(nail.study.acquisitions, nail.expected, nail.expected_primary, strict=True):
        if not isinstance(acquisition, Projections):
            continue
        assert mean is not None
        assert primary is not None
        scatter = float(mean[0].sum() - primary[0].sum())
        assert 0.2 < scatter / mean[0].sum() < 0.35
        widths = [window.width_kev for window in acquisition.energy_windows]
        estimate = float(mean[1].sum() / widths[1] + mean[2].sum() / widths[2]) * widths[0] / 2.0
        assert 0.02 < abs(estimate / scatter - 1.0) < 0.2


def test_counts_are_a_poisson_sample_of_the_expected_ones(nail: SimulatedStudy) -> None:
    for acquisition, mean in zip(nail.study.acquisitions, nail.expected, strict=True):
        if isinstance(acquisition, Projections | PlanarImages):
            assert mean is not None
            enough = mean > 0.5
            deviation = (acquisition.counts[enough] - mean[enough]) / np.sqrt(mean[enough])
            assert abs(float(deviation.mean())) < 5.0 / np.sqrt(deviation.size)
            assert float(deviation.std()) == pytest.approx(1.0, abs=0.03)


def test_the_ct_shows_the_metal_on_both_sides_and_the_plate_on_the_right(nail: SimulatedStudy) -> None:
    ct = nail.study.ct[0]
    hot = np.argwhere(np.asarray(ct.image.array, dtype=np.int64) >= 3000)
    x = ct.image.geometry.to_lps(hot)[:, 0]
    assert ct.kvp == 110
    assert ct.image.array.min() == -1000
    assert np.count_nonzero(x < -50) > 1.3 * np.count_nonzero(x > 50) > 0


def test_the_same_seed_gives_the_same_study_and_another_one_another() -> None:
    phantom = make(ball((20.0, -30.0, 15.0), 25.0, "warm", "water"))
    first, again, other = (simulate_study(phantom, seed, threads=n) for seed, n in ((7, 1), (7, 3), (8, 2)))
    counts = [study.study.projections[0].counts for study in (first, again, other)]
    np.testing.assert_array_equal(counts[0], counts[1])
    assert np.any(counts[0] != counts[2])
    np.testing.assert_array_equal(first.expected[0], other.expected[0])
    headers = [study.study.projections[0].header for study in (first, again, other)]
    assert headers[0] == headers[1]
    assert headers[0].study_uid != headers[2].study_uid
    assert all(len(header.study_uid) <= 64 for header in headers)


def test_decay_goes_on_between_the_times_and_during_each_view() -> None:
    scan = spect_text(1, 0.0, hours=0.0).replace("seconds = 30", "seconds = 3600\nstep_seconds = 120")
    later = scan.replace("hours = 0.0", "hours = 6.0072")
    study = simulate_study(make(ball((7.0, -11.0, 13.0), 12.0), scan + later, rays=4), noise=False).study
    first, second = study.projections
    np.testing.assert_allclose(second.counts[0], 0.5 * first.counts[0], rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(first.view_start_s, np.arange(4) * 3720.0)
    rate = np.log(2) / (6.0072 * 3600.0)
    start = 90.0 * 4 / 3 * np.pi * 1.2**3
    expected = start * np.exp(-rate * first.view_start_s) * -np.expm1(-rate * 3600.0) / rate
    np.testing.assert_allclose(first.counts[0].sum(axis=(1, 2)), expected, rtol=2e-3)


def test_the_truth_is_in_the_units_of_the_reconstruction() -> None:
    study = simulate_study(make(ball((20.0, -30.0, 15.0), 14.0), spect_text(hours=6.0072)), noise=False)
    grid = Geometry.axial((15, 16, 17), (3.5, 3.0, 2.5), (0.0, -52.0, -9.0), "1.2.3")
    truth = study.truth("delayed", grid)
    assert truth.unit == "counts/s/mL"
    assert truth.geometry.frame_of_reference_uid == "1.2.3"
    assert truth.array.max() == pytest.approx(45.0)
    assert truth.array.sum() * grid.voxel_volume_ml == pytest.approx(45.0 * 4 / 3 * np.pi * 1.4**3, rel=0.005)
    k, j, i = np.unravel_index(np.argmax(truth.array), truth.array.shape)
    assert np.linalg.norm(grid.to_lps((k, j, i)) - (20.0, -30.0, 15.0)) < 14.0
    with pytest.raises(InputError, match="late"):
        study.truth("late", grid)


def test_the_true_attenuation_is_the_materials_own() -> None:
    phantom = make(ball((20.0, -30.0, 15.0), 14.0, "warm", "cortical_bone"))
    grid = Geometry.axial((1, 1, 3), (1.0, 1.0, 20.0), (20.0, -30.0, 15.0))
    found = np.asarray(attenuation_map(phantom, 140.511, grid).array, dtype=np.float64)
    np.testing.assert_allclose(found.ravel()[[0, 2]], [0.2932, 0.0], atol=2e-4)


def test_a_photopeak_is_attenuated_by_all_but_coherent_scattering() -> None:
    phantom = make(ball((20.0, -30.0, 15.0), 14.0, "warm", "water"))
    grid = Geometry.axial((1, 1, 1), (1.0, 1.0, 1.0), (20.0, -30.0, 15.0))
    broad = attenuation_map(phantom, 140.511, grid, coherent_counted=True).array
    assert float(broad.ravel()[0]) == pytest.approx(0.1537 - 0.00277, abs=1e-4)


INDIUM = """
[[acquisition.window]]
name = "171"
lower_kev = 154.15
upper_kev = 188.41
[[acquisition.window]]
name = "245"
lower_kev = 220.82
upper_kev = 269.89
"""


def indium(shapes: str, efficiency: str = "") -> Phantom:
    """Scan shapes filled with In-111 through two windows, from one side."""
    text = HEAD.format(finest_mm=2.4, rays=2).replace("Tc-99m", "In-111") + shapes
    text = text.replace("sensitivity_cps_per_mbq = 90", f"sensitivity_cps_per_mbq = 90{efficiency}")
    return phantom_from_toml(text + spect_text(1, 0.0).replace(WINDOWS, INDIUM), "made")


def test_each_photon_of_indium_has_its_share_by_yield_and_crystal() -> None:
    activity = 90.0 * 4 / 3 * np.pi * 1.2**3 * 30.0  # 1 MBq/mL, 90 cps/MBq, 30 s
    for efficiency, weights in (("", (90.7, 94.1)), ("\nline_efficiency = [0.72, 0.42]", (90.7 * 0.72, 94.1 * 0.42))):
        study = simulate_study(indium(ball((7.0, -11.0, 13.0), 12.0), efficiency), noise=False)
        low, high = study.study.projections[0].counts.sum(axis=(2, 3))[:, 0]
        assert low + high == pytest.approx(activity, rel=3e-3)
        assert low / high == pytest.approx(weights[0] / weights[1], rel=2e-3)


def test_each_photon_of_indium_is_attenuated_at_its_own_energy() -> None:
    body = ball((7.0, -11.0, 13.0), 110.0, "none", "water")
    study = simulate_study(indium(body + ball((7.0, -11.0, 13.0), 12.0)), noise=False)
    assert study.expected_primary[0] is not None
    low, high = study.expected_primary[0].sum(axis=(2, 3))[:, 0]
    # 11 cm of water, coherent scattering left out; the ball is nearly a point.
    ratio = 90.7 / 94.1 * np.exp(-11.0 * ((0.1442 - 0.00188) - (0.1277 - 0.00093)))
    assert low / high == pytest.approx(ratio, rel=5e-3)
    scattered = (study.study.projections[0].counts - study.expected_primary[0]).sum(axis=(2, 3))[:, 0]
    # What 245 keV scatters falls into the lower window as well.
    assert scattered[0] > 1.5 * scattered[1]


def test_planar_views_tell_where_their_first_pixel_is() -> None:
    phantom = make(ball((25.0, -20.0, 31.0), 5.0), PLANAR + WINDOWS, rays=2)
    planar = simulate_study(phantom, noise=False).study.planar[0]
    assert planar.view_names == ("anterior", "posterior")
    assert planar.first_pixel_mm is not None
    for view, (column_step, y) in enumerate(((3.5, 6.0 - 150.0), (-3.5, 6.0 + 150.0))):
        weights = planar.counts[0, view].astype(np.float64)
        rows, columns = np.indices(weights.shape)
        column, row = (columns * weights).sum() / weights.sum(), (rows * weights).sum() / weights.sum()
        corner = planar.first_pixel_mm[view]
        assert corner[0] + column * column_step == pytest.approx(25.0, abs=0.15)
        assert corner[1] == pytest.approx(y)
        assert corner[2] - row * 4.0 == pytest.approx(31.0, abs=0.15)


def test_progress_is_told_to_the_end() -> None:
    told: list[tuple[str, float]] = []
    simulate_study(make(ball((0.0, 0.0, 0.0), 5.0)), progress=lambda what, done: told.append((what, done)))
    assert told[-1] == ("SPECT (delayed)", 1.0)
    assert [done for _, done in told] == sorted(done for _, done in told)
