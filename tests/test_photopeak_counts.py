"""Which counts are reconstructed: windows of several photopeaks, of two nuclides, and scatter corrected once."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from leukospect.data import EnergyWindow, Projections, Radiopharmaceutical
from leukospect.errors import AssumptionWarning
from leukospect.photopeaks import photopeak_counts
from leukospect.projector import counts_of_views
from tests.spot_acquisition import acquisition, orbit

pytestmark = pytest.mark.filterwarnings("ignore::leukospect.errors.AssumptionWarning")
ANGLES = orbit(0.0, "CC", 8)
SIZE = (6, 9)


def window(*ranges: tuple[float, float]) -> EnergyWindow:
    return EnergyWindow(ranges)


def filled(windows: tuple[EnergyWindow, ...], levels: tuple[float, ...], nuclide: str) -> Projections:
    """Each window flat at its own level, so that smoothing changes nothing."""
    counts = np.ones((len(windows), ANGLES.size, *SIZE)) * np.array(levels)[:, None, None, None]
    made = acquisition(ANGLES, SIZE, (5.0, 4.0), counts=counts, windows=windows)
    return replace(made, header=replace(made.header, radiopharmaceutical=Radiopharmaceutical(nuclide)))


def test_peaks_in_one_window_count_once_and_scatter_by_the_width_of_each_range() -> None:
    windows = (window((154.0, 188.0), (221.0, 270.0)), window((140.0, 154.0)), window((188.0, 198.0)),
               window((205.0, 221.0)), window((270.0, 280.0)))  # fmt: skip
    with pytest.warns(AssumptionWarning, match="171 and 245 keV are counted in one window.*62 % and 38 %"):
        peak = photopeak_counts(filled(windows, (1000.0, 28.0, 10.0, 32.0, 5.0), "In-111"))
    np.testing.assert_allclose(counts_of_views(peak.counts), 1000.0)
    assert peak.scatter is not None
    expected = (28 / 14 + 10 / 10) * 34 / 2 + (32 / 16 + 5 / 10) * 49 / 2
    np.testing.assert_allclose(counts_of_views(peak.scatter), expected, rtol=1e-5)
    assert [(each.energy_kev, each.window) for each in peak.peaks] == [(171.28, 0), (245.35, 0)]


def test_peaks_in_windows_of_their_own_are_kept_apart_in_the_order_of_energy() -> None:
    windows = (window((221.0, 270.0)), window((205.0, 221.0)), window((154.0, 188.0)))
    made = filled(windows, (500.0, 32.0, 300.0), "In-111")
    with pytest.warns(AssumptionWarning, match="1 of 2 photopeaks only"):
        peak = photopeak_counts(made)
    low, high = np.split(counts_of_views(peak.counts), 2)
    np.testing.assert_allclose(low, 300.0)
    np.testing.assert_allclose(high, 500.0)
    assert peak.scatter is not None
    low, high = np.split(counts_of_views(peak.scatter), 2)
    np.testing.assert_allclose(low, 0.0)
    np.testing.assert_allclose(high, 0.47 * 32, rtol=1e-5)
    assert [each.window for each in peak.peaks] == [0, 1]
    assert peak.windows == 2


def test_shares_are_yield_times_what_the_crystal_takes() -> None:
    windows = (window((154.0, 188.0)), window((221.0, 270.0)))
    low, high = photopeak_counts(filled(windows, (300.0, 500.0), "In-111")).peaks
    assert low.share + high.share == pytest.approx(1.0)
    assert low.share / high.share == pytest.approx(90.7 * 0.723 / (94.1 * 0.420))


def test_one_photopeak_has_all_the_counts() -> None:
    peak = photopeak_counts(filled((window((126.0, 154.0)),), (300.0,), "Tc-99m"))
    assert [(each.share, each.window) for each in peak.peaks] == [(1.0, 0)]
    assert peak.counts.shape[0] == ANGLES.size


def test_the_peak_of_another_nuclide_is_no_scatter_window() -> None:
    windows = (window((154.0, 188.0)), window((221.0, 270.0)), window((126.0, 154.0)))
    alone = filled(windows, (300.0, 500.0, 40.0), "In-111")
    with pytest.warns(AssumptionWarning):
        assert photopeak_counts(alone).scatter is not None
    both = replace(
        alone, header=replace(alone.header, other_radiopharmaceuticals=(Radiopharmaceutical("Tc-99m", "colloid"),))
    )
    with pytest.warns(AssumptionWarning, match="counted together"):
        scatter = photopeak_counts(both).scatter
    # What little there is at 140 keV is what In-111 scatters there, so no Tc-99m is left to reach into its windows.
    assert scatter is not None
    assert not np.any(scatter)


def test_scatter_that_the_camera_corrected_is_not_corrected_again() -> None:
    windows = (window((126.0, 154.0)), window((119.0, 126.0)))
    made = filled(windows, (300.0, 40.0), "Tc-99m")
    assert photopeak_counts(made).scatter is not None
    done = replace(made, header=replace(made.header, corrections=("UNIF", "SCAT")))
    with pytest.warns(AssumptionWarning, match="not corrected again"):
        assert photopeak_counts(done).scatter is None
    assert photopeak_counts(done, scatter="dew").scatter is not None


def test_scatter_windows_of_one_peak_only_are_said() -> None:
    windows = (window((154.0, 188.0)), window((221.0, 270.0)), window((205.0, 221.0)))
    with pytest.warns(AssumptionWarning, match="1 of 2 photopeaks only"):
        peak = photopeak_counts(filled(windows, (300.0, 500.0, 32.0), "In-111"))
    assert peak.scatter is not None
