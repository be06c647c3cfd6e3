"""Two nuclides counted at once: what each leaves in the windows of the other, by physics and on a simulated camera."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import norm

from leukospect.data import EnergyWindow, Projections, Study
from leukospect.errors import AssumptionWarning
from leukospect.examination import marrow_of, with_tracers_apart
from leukospect.phantoms import Phantom, read_phantom, simulate_study
from leukospect.photopeaks import photopeak_counts
from leukospect.physics.cross_talk import counts_of_each, cross_talk_factors, cross_talk_of
from leukospect.physics.nuclides import nuclide
from leukospect.physics.windows import Photopeak, find_photopeaks
from tests.coarse_phantoms import write_coarse

RANGES = ((129.97, 151.05), (158.43, 184.13), (220.82, 269.89), (151.05, 158.43))
WINDOWS = tuple(EnergyWindow((limits,), "") for limits in RANGES)


def peaks(name: str, other: str, windows: tuple[EnergyWindow, ...] = WINDOWS[:3]) -> tuple[Photopeak, ...]:
    return find_photopeaks(windows, nuclide(name), (other,))


def test_a_lower_peak_reaches_up_by_the_energy_resolution_alone() -> None:
    [[own], [above], [far], [between]] = cross_talk_factors(WINDOWS, peaks("Tc-99m", "In-111"), nuclide("Tc-99m"))
    blur = norm(140.511, 0.095 * 140.511 / 2.3548)
    inside = blur.cdf(151.05) - blur.cdf(129.97)
    # Scattered photons have less energy and reach less far, but lie in the peak's own window too.
    assert own == 1.0
    assert 0.6 < above / ((blur.cdf(184.13) - blur.cdf(158.43)) / inside) < 1.0
    assert 0.6 < between / ((blur.cdf(158.43) - blur.cdf(151.05)) / inside) < 1.0
    assert far < 1e-9


def test_higher_peaks_scatter_down_and_a_wider_window_counts_more() -> None:
    factors = cross_talk_factors(WINDOWS, peaks("In-111", "Tc-99m"), nuclide("In-111"))
    np.testing.assert_array_equal(factors[1:3], np.eye(2))
    assert 0.1 < factors[0, 0] < 0.6
    wide = (EnergyWindow(((126.45, 154.55),), ""), *WINDOWS[1:3])
    assert cross_talk_factors(wide, peaks("In-111", "Tc-99m"), nuclide("In-111"))[0, 0] > factors[0, 0]


def test_a_mixture_is_told_apart() -> None:
    tables = [
        (cross_talk_factors(WINDOWS[:3], peaks(name, other), nuclide(name)), places)
        for name, other, places in (("In-111", "Tc-99m", [1, 2]), ("Tc-99m", "In-111", [0]))
    ]
    pure = [np.array([300.0, 200.0]), np.array([900.0])]
    mixed = sum(table @ own for (table, _), own in zip(tables, pure, strict=True))
    assert isinstance(mixed, np.ndarray)
    indium, technetium = counts_of_each(mixed[:, None].astype(np.float32), tables)
    np.testing.assert_allclose(indium[1:, 0], pure[0], rtol=1e-5)
    np.testing.assert_allclose(technetium[0], pure[1], rtol=1e-5)
    np.testing.assert_allclose(indium + technetium, mixed[:, None], rtol=1e-5)


@pytest.fixture(scope="module")
def dual(tmp_path_factory: pytest.TempPathFactory) -> Phantom:
    path = write_coarse("hip-prosthesis-dual-isotope", tmp_path_factory.mktemp("dual"), only=("SPECT",))
    phantom = read_phantom(path)
    few = tuple(scan.model_copy(update={"stops": 6}) for scan in phantom.acquisition)
    return phantom.model_copy(update={"acquisition": few})


def of_one(phantom: Phantom, tracer: str, hours: float) -> NDArray[np.float32]:
    scans = tuple(scan.model_copy(update={"tracer": tracer, "hours": hours}) for scan in phantom.acquisition)
    [expected] = simulate_study(phantom.model_copy(update={"acquisition": scans}), noise=False).expected
    assert expected is not None
    return expected


def test_the_simulated_cameras_cross_talk_is_removed_but_for_a_seventh(dual: Phantom) -> None:
    """Digital truth: the same scan with one of the two tracers."""
    [both] = simulate_study(dual, noise=False).study.projections
    indium, technetium = of_one(dual, "leukocytes", 24.0), of_one(dual, "colloid", 0.5)
    np.testing.assert_allclose(both.counts, indium + technetium, rtol=1e-4, atol=1e-4)
    windows = both.energy_windows
    under_tc = cross_talk_of(both, (nuclide("Tc-99m"), peaks("Tc-99m", "In-111", windows)), nuclide("In-111"))
    under_in = cross_talk_of(both, (nuclide("In-111"), peaks("In-111", "Tc-99m", windows)), nuclide("Tc-99m"))
    assert under_tc is not None
    assert under_in is not None
    assert under_tc.counts[0].sum() == pytest.approx(indium[0].sum(), rel=1 / 7)
    assert under_in.counts[1].sum() == pytest.approx(technetium[1].sum(), rel=1 / 7)


def test_what_is_reconstructed_of_the_colloid_leaves_the_leukocytes_out(dual: Phantom) -> None:
    [both] = simulate_study(dual, noise=False).study.projections
    indium = of_one(dual, "leukocytes", 24.0)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", AssumptionWarning)
        peak = photopeak_counts(_of_colloid(both))
    assert any("counted together with Tc-99m" in str(one.message) for one in caught)
    assert peak.nuclide == nuclide("Tc-99m")
    assert peak.scatter is not None
    assert peak.scatter.sum() == pytest.approx(indium[0].sum(), rel=1 / 7)
    assert "cross-talk of In-111" in peak.scatter_method


def _of_colloid(both: Projections) -> Projections:
    marrow = marrow_of(with_tracers_apart(Study((both,))), sum_frames=False)
    assert marrow is not None
    return marrow.projections[0]
