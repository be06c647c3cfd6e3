"""Which counts are reconstructed: windows of several photopeaks, of two nuclides, and scatter corrected once."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from leukospect.data import EnergyWindow, Projections, Radiopharmaceutical
from leukospect.errors import AssumptionWarning
from leukospect.projector import counts_of_views
from leukospect.spect_study import photopeak_counts
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
    with pytest.warns(AssumptionWarning, match="2 photopeaks"):
        peak = photopeak_counts(filled(windows, (1000.0, 28.0, 10.0, 32.0, 5.0), "In-111"))
    np.testing.assert_allclose(counts_of_views(peak.counts), 1000.0)
    assert peak.scatter is not None
    expected = (28 / 14 + 10 / 10) * 34 / 2 + (32 / 16 + 5 / 10) * 49 / 2
    np.testing.assert_allclose(counts_of_views(peak.scatter), expected, rtol=1e-5)
    assert peak.energy_kev == pytest.approx((171.28 * 90.7 + 245.35 * 94.1) / (90.7 + 94.1))


def test_peaks_in_windows_of_their_own_are_added() -> None:
    windows = (window((154.0, 188.0)), window((221.0, 270.0)))
    with pytest.warns(AssumptionWarning):
        peak = photopeak_counts(filled(windows, (300.0, 500.0), "In-111"))
    np.testing.assert_allclose(counts_of_views(peak.counts), 800.0)


def test_the_peak_of_another_nuclide_is_no_scatter_window() -> None:
    windows = (window((154.0, 188.0)), window((221.0, 270.0)), window((126.0, 154.0)))
    alone = filled(windows, (300.0, 500.0, 40.0), "In-111")
    with pytest.warns(AssumptionWarning):
        assert photopeak_counts(alone).scatter is not None
    both = replace(
        alone, header=replace(alone.header, other_radiopharmaceuticals=(Radiopharmaceutical("Tc-99m", "colloid"),))
    )
    with pytest.warns(AssumptionWarning, match="Another nuclide"):
        assert photopeak_counts(both).scatter is None


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
