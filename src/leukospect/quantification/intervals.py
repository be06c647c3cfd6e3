"""95 % intervals: of counts, of ratios of counts, from resampled reconstructions, and of a quotient of two values."""

from __future__ import annotations

import math
from math import nan

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from leukospect.quantification.measurements import Interval

_Z = 1.959963984540054
# Below this many counts the normal approximation of a log ratio is not used.
_FEW_COUNTS = 100.0


def unknown(value: float) -> Interval:
    """Return a value whose uncertainty is not known."""
    return Interval(value, nan, nan, nan)


def scaled(interval: Interval, factor: float) -> Interval:
    """Multiply a value and its uncertainty by a positive number."""
    return Interval(
        interval.value * factor, interval.low * factor, interval.high * factor, interval.standard_deviation * factor
    )


def counts_interval(counts: float) -> Interval:
    """Give the exact interval of a Poisson mean after `counts` were seen (Garwood, Biometrika 1936;28:437).

    The standard deviation is the square root of the counts; for none at all it is 1, the deviation of the smallest
    number that could have been seen, so that a value and its deviation always tell the counts (`counts_of`).
    """
    low = float(stats.chi2.ppf(0.025, 2 * counts)) / 2 if counts > 0 else 0.0
    high = float(stats.chi2.ppf(0.975, 2 * counts + 2)) / 2
    return Interval(counts, low, high, math.sqrt(counts) if counts > 0 else 1.0)


def counts_of(rate: Interval) -> tuple[float, float]:
    """Tell the counts behind a rate that came from `counts_interval`, and the rate that one count stands for."""
    if rate.value <= 0:
        return 0.0, rate.standard_deviation
    return (rate.value / rate.standard_deviation) ** 2, rate.standard_deviation**2 / rate.value


def counts_ratio(numerator: Interval, denominator: Interval) -> Interval:
    """Give the ratio of two independent counting rates with its interval.

    From 100 counts each: log-normal, variance ``1/n + 1/m``. Below: exact, from the Clopper-Pearson interval of the
    part that n is of n + m, which given their sum is binomial (Przyborowski and Wilenski, Biometrika 1940;31:313).

    Parameters
    ----------
    numerator, denominator : Interval
        Rates whose standard deviation is that of their counts.

    Returns
    -------
    Interval
        High is infinite where the denominator has no counts; all NaN where neither has.
    """
    n, per_n = counts_of(numerator)
    m, per_m = counts_of(denominator)
    scale = per_n / per_m
    if n + m == 0:
        return unknown(nan)
    ratio = n / m * scale if m > 0 else math.inf
    if min(n, m) >= _FEW_COUNTS:
        spread = math.sqrt(1 / n + 1 / m)
        return Interval(ratio, ratio * math.exp(-_Z * spread), ratio * math.exp(_Z * spread), ratio * spread)
    low = float(stats.beta.ppf(0.025, n, m + 1)) if n > 0 else 0.0
    high = float(stats.beta.ppf(0.975, n + 1, m)) if m > 0 else 1.0
    low = low / (1 - low) * scale
    high = high / (1 - high) * scale if high < 1 else math.inf
    return Interval(ratio, low, high, (high - low) / (2 * _Z))


def resampled_interval(value: float, samples: ArrayLike) -> Interval:
    """Give a positive value the spread that the logarithms of its resampled values have.

    Resampling the measured counts repeats the noise of the measurement, so the samples' spread is that of the value
    around the truth; with few samples the spread itself is uncertain, hence Student's t with one degree of freedom
    less than there are samples.

    Parameters
    ----------
    value : float
        As measured.
    samples : (replicates,) array
        The same quantity from each resampled reconstruction.

    Returns
    -------
    Interval
        The interval is NaN with fewer than two samples or where any of them or the value is not positive and finite.
    """
    array = np.asarray(samples, dtype=np.float64)
    if array.size < 2 or not (math.isfinite(value) and value > 0):
        return unknown(value)
    if not (np.all(np.isfinite(array)) and np.all(array > 0)):
        return unknown(value)
    spread = float(np.log(array).std(ddof=1))
    reach = float(stats.t.ppf(0.975, array.size - 1)) * spread
    return Interval(value, value * math.exp(-reach), value * math.exp(reach), value * spread)


def quotient(numerator: Interval, denominator: Interval) -> Interval:
    """Divide two independent positive values, keeping the asymmetry of their intervals.

    The interval is put together in the logarithm from the distances of each value to its own limits (method of
    variance estimates recovery: Zou and Donner, Stat Med 2008;27:1693).

    Returns
    -------
    Interval
        All NaN where the quotient is not defined; its interval NaN where one of the two is not known or reaches 0.
    """
    if not (_positive(numerator.value) and _positive(denominator.value)):
        return unknown(nan)
    value = numerator.value / denominator.value
    limits = (numerator.low, numerator.high, denominator.low, denominator.high)
    if not all(_positive(limit) for limit in limits):
        return unknown(value)
    down = math.hypot(math.log(numerator.value / numerator.low), math.log(denominator.high / denominator.value))
    up = math.hypot(math.log(numerator.high / numerator.value), math.log(denominator.value / denominator.low))
    spread = math.hypot(
        numerator.standard_deviation / numerator.value, denominator.standard_deviation / denominator.value
    )
    return Interval(value, value * math.exp(-down), value * math.exp(up), value * spread)


def draws(interval: Interval, number: int, seed: int) -> NDArray[np.float64]:
    """Draw from a log-normal with the interval's value as its median, and its limits 2.5 % out on either side.

    Returns
    -------
    (number,) array
        The same for the same seed; empty where the interval is not known.
    """
    if not (_positive(interval.value) and _positive(interval.low) and _positive(interval.high)):
        return np.empty(0)
    normal = np.random.default_rng(seed).standard_normal(number)
    down, up = math.log(interval.value / interval.low) / _Z, math.log(interval.high / interval.value) / _Z
    return np.asarray(interval.value * np.exp(np.where(normal < 0, normal * down, normal * up)))


def _positive(value: float) -> bool:
    return math.isfinite(value) and value > 0
