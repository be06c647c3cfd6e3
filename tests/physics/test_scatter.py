"""Scatter from its windows: exact where the spectrum is what the method assumes, and refused where it cannot be."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from leukospect.data import EnergyWindow, Projections
from leukospect.errors import InputError
from leukospect.physics.scatter import dual_energy_window, estimate_scatter, smoothed, triple_energy_window
from leukospect.physics.windows import Photopeak
from tests.spot_acquisition import acquisition

LOWER, PEAK, UPPER = (EnergyWindow((limits,)) for limits in ((122.5, 129.5), (129.5, 151.5), (151.5, 154.5)))
BOTH, ONLY_LOWER, NEITHER = Photopeak(140.5, 1, 0, 2), Photopeak(140.5, 1, 0, None), Photopeak(140.5, 1, None, None)
SIZE, PIXEL_MM = (15, 22), (6.0, 4.0)


def _linear(window: EnergyWindow, at_peak: float, slope: float) -> float:
    """Counts of a scatter spectrum that is a straight line through the photopeak's centre."""
    ((lower, upper),) = window.ranges_kev
    return (upper - lower) * (at_peak + slope * ((lower + upper) / 2 - 140.5))


def _row(value: float) -> NDArray[np.float32]:
    return np.full(4, value, np.float32)


def test_the_formula_of_the_triple_energy_window() -> None:
    found = triple_energy_window(_row(700.0), _row(60.0), (LOWER, UPPER), PEAK.width_kev)
    np.testing.assert_allclose(found, (700 / 7 + 60 / 3) * 22 / 2, rtol=1e-6)


def test_an_absent_upper_window_counts_as_empty() -> None:
    found = triple_energy_window(_row(700.0), None, (LOWER, None), PEAK.width_kev)
    np.testing.assert_allclose(found, triple_energy_window(_row(700.0), _row(0.0), (LOWER, UPPER), 22.0))
    np.testing.assert_allclose(found, 700 / 7 * 22 / 2, rtol=1e-6)


@pytest.mark.parametrize("slope", [0.0, -1.7, 0.6])
def test_a_trapezoid_is_exact_for_a_linear_spectrum(slope: float) -> None:
    """Windows centred equally far from the photopeak's centre see a line's mean height together."""
    below, above = EnergyWindow(((124.5, 128.5),)), EnergyWindow(((150.5, 158.5),))
    counts = _row(_linear(below, 50, slope)), _row(_linear(above, 50, slope))
    found = triple_energy_window(*counts, (below, above), PEAK.width_kev)
    np.testing.assert_allclose(found, _linear(PEAK, 50, slope), rtol=1e-6)


def test_the_dual_energy_window_scales_the_lower_one() -> None:
    np.testing.assert_allclose(dual_energy_window(_row(200.0), 0.47), 94.0, rtol=1e-6)


def _acquisition(counts: NDArray[np.floating]) -> Projections:
    return acquisition(np.array([0.0, 90.0]), SIZE, PIXEL_MM, counts=counts, windows=(LOWER, PEAK, UPPER))


def _flat() -> Projections:
    counts = np.empty((3, 2, *SIZE))
    counts[0], counts[1], counts[2] = 700.0, 5000.0, 60.0
    counts[:, 1] *= 2
    return _acquisition(counts)


@pytest.mark.parametrize(
    ("photopeak", "method", "taken", "scatter"),
    [
        (BOTH, "auto", "tew", (700 / 7 + 60 / 3) * 11),
        (BOTH, "tew", "tew", (700 / 7 + 60 / 3) * 11),
        (BOTH, "dew", "dew", 0.47 * 700),
        (ONLY_LOWER, "auto", "dew", 0.47 * 700),
        (ONLY_LOWER, "dew", "dew", 0.47 * 700),
    ],
)
def test_flat_windows_give_flat_scatter_view_by_view(
    photopeak: Photopeak, method: str, taken: str, scatter: float
) -> None:
    estimate, method_taken = estimate_scatter(_flat(), photopeak, method)
    assert method_taken == taken
    assert estimate is not None
    assert estimate.shape == (2, *SIZE)
    np.testing.assert_allclose(estimate[0], scatter, rtol=1e-4)  # edges too
    np.testing.assert_allclose(estimate[1], 2 * scatter, rtol=1e-4)


@pytest.mark.parametrize(("photopeak", "method"), [(NEITHER, "auto"), (BOTH, "none")])
def test_without_windows_there_is_no_estimate(photopeak: Photopeak, method: str) -> None:
    assert estimate_scatter(_flat(), photopeak, method) == (None, "none")


@pytest.mark.parametrize(
    ("photopeak", "method", "said"),
    [
        (NEITHER, "dew", "a scatter window below the photopeak"),
        (NEITHER, "tew", "below and above"),
        (ONLY_LOWER, "tew", "below and above"),
        (BOTH, "monte-carlo", "'monte-carlo' is not known"),
    ],
)
def test_a_method_that_cannot_be_is_refused(photopeak: Photopeak, method: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        estimate_scatter(_flat(), photopeak, method)


def test_the_factor_of_the_dual_window_is_the_protocols() -> None:
    estimate, _ = estimate_scatter(_flat(), ONLY_LOWER, "dew", k=0.18)
    assert estimate is not None
    np.testing.assert_allclose(estimate[0], 126.0, rtol=1e-4)


def test_smoothing_keeps_the_counts_and_stays_in_its_view() -> None:
    counts = np.zeros((3, 2, *SIZE))
    counts[0, 1, 7, 10] = 700.0
    given = _acquisition(counts)
    estimate, _ = estimate_scatter(given, ONLY_LOWER, "dew", k=1.0, smoothing_fwhm_mm=16.0)
    assert estimate is not None
    np.testing.assert_array_equal(estimate[0], 0.0)
    spot = estimate[1].astype(np.float64)
    assert spot.sum() == pytest.approx(700.0, rel=1e-5)
    assert spot.min() >= 0.0
    assert spot.argmax() == 7 * SIZE[1] + 10
    assert given.counts[0, 1, 7, 10] == 700.0


def test_smoothing_takes_away_noise_and_keeps_the_shape_of_scatter() -> None:
    """A Gaussian hump of 15 cm FWHM, as scatter is wide: a Gaussian of 45 mm alone would take 8 % off its top."""
    pixel, fwhm = (5.0, 4.0), 45.0
    rows, columns = (np.arange(60) - 29.5) * pixel[0], (np.arange(80) - 39.5) * pixel[1]
    square = rows[:, None] ** 2 + columns[None] ** 2
    hump = 9.0 * np.exp(-4 * np.log(2) * square / 150.0**2)
    kept = smoothed(hump[None].astype(np.float32), pixel, fwhm)[0]
    inside = hump > 2.0
    assert np.abs(kept - hump)[inside].max() < 0.015 * hump.max()
    noisy = np.random.default_rng(1).poisson(hump)[None].astype(np.float32)
    error = smoothed(noisy, pixel, fwhm)[0] - hump
    # Independent counts would leave 1 / sqrt(pixels under the kernel), some 0.1, of their noise.
    assert error[inside].std() < 0.12 * (noisy[0] - hump)[inside].std()
    np.testing.assert_array_equal(smoothed(noisy, pixel, 0.0), noisy)
