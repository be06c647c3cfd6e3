"""95 % intervals: of counts, of ratios of counts, from resampled reconstructions, and of quotients and products."""

from __future__ import annotations

import math
from collections.abc import Callable
from math import inf, nan

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import optimize, special, stats

from leukospect.quantification.measurements import Interval

_Z = 1.959963984540054
# Below this many counts the normal approximation of a log ratio is not used.
_FEW_COUNTS = 100.0
# Where none were seen: three counts, -ln 0.05, are the limit then, and half a count stands for the middle.
_LIMIT_OVER_MIDDLE = 6.0


def unknown(value: float) -> Interval:
    """Return a value whose uncertainty is not known."""
    return Interval(value, nan, nan, nan)


def scaled(interval: Interval, factor: float) -> Interval:
    """Multiply a value and its uncertainty by a positive number."""
    return Interval(
        interval.value * factor, interval.low * factor, interval.high * factor, interval.standard_deviation * factor
    )


def counts_interval(counts: float) -> Interval:
    """Give the interval of a Poisson mean after `counts` were seen: mid-P (Cohen and Yang, Stat Med 1994;13:2189).

    Half of the probability of just what was seen counts as beyond it. The exact interval (Garwood 1936) counts all of
    it, and so covers the truth too often, the more the fewer counts there are: in 97 to 99 % for a few.
    The standard deviation is the square root of the counts; for none at all it is 1, the deviation of the smallest
    number that could have been seen, so that a value and its deviation always tell the counts (`counts_of`).
    """

    def at_least(mean: float) -> float:
        """Give P(more than the counts) + P(as many) / 2 for a mean."""
        more = float(special.gammainc(counts + 1, mean))
        return (more + (float(special.gammainc(counts, mean)) if counts > 0 else 1.0)) / 2

    reach = 5.0 * math.sqrt(counts + 4.0)
    low = _solved(at_least, 0.025, max(counts - reach, 0.0), counts) if counts > 0 else 0.0
    high = _solved(at_least, 0.975, counts, counts + reach)
    return Interval(counts, low, high, math.sqrt(counts) if counts > 0 else 1.0)


def _solved(of: Callable[[float], float], level: float, least: float, most: float) -> float:
    return float(optimize.brentq(lambda x: of(x) - level, least, most, xtol=1e-12, rtol=1e-12))


def counts_of(rate: Interval) -> tuple[float, float]:
    """Tell the counts behind a rate that came from `counts_interval`, and the rate that one count stands for."""
    if rate.value <= 0:
        return 0.0, rate.standard_deviation
    return (rate.value / rate.standard_deviation) ** 2, rate.standard_deviation**2 / rate.value


def counts_ratio(numerator: Interval, denominator: Interval) -> Interval:
    """Give the ratio of two independent counting rates with its interval.

    From 100 counts each: log-normal, variance ``1/n + 1/m``. Below: from the mid-P interval of the part that n is of
    n + m, which given their sum is binomial (Przyborowski and Wilenski, Biometrika 1940;31:313; mid-P: Lancaster, J Am
    Stat Assoc 1961;56:223). Over all counts that can be seen it covers the truth in 95.0 to 95.9 % for means of 5 to
    100; the exact interval of Clopper and Pearson would in 95.8 to 97.8 %.

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
    ratio = n / m * scale if m > 0 else inf
    if min(n, m) >= _FEW_COUNTS:
        spread = math.sqrt(1 / n + 1 / m)
        return Interval(ratio, ratio * math.exp(-_Z * spread), ratio * math.exp(_Z * spread), ratio * spread)
    low, high = _binomial_limits(n, m)
    low = low / (1 - low) * scale
    high = high / (1 - high) * scale if high < 1 else inf
    return Interval(ratio, low, high, (high - low) / (2 * _Z))


def _binomial_limits(n: float, m: float) -> tuple[float, float]:
    """Give the mid-P limits of a part of which n were seen, and m of the rest."""

    def at_least(part: float) -> float:
        more = float(special.betainc(n + 1, m, part)) if m > 0 else 0.0
        return (more + (float(special.betainc(n, m + 1, part)) if n > 0 else 1.0)) / 2

    low = _solved(at_least, 0.025, 0.0, 1.0) if n > 0 else 0.0
    return low, _solved(at_least, 0.975, 0.0, 1.0) if m > 0 else 1.0


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
    """Divide two independent values, keeping the asymmetry of their intervals.

    The interval is put together in the logarithm from the distances of each value to its own limits (method of
    variance estimates recovery: Zou and Donner, Stat Med 2008;27:1693). A value of zero with a limit above it, and an
    infinite one with a limit below, are none seen on one side: the quotient is zero or infinite then, and its interval
    has one limit.

    Returns
    -------
    Interval
        All NaN where the quotient is not defined; its interval NaN where that of one of the two is not known.
    """
    if math.isnan(numerator.value) or math.isnan(denominator.value) or min(numerator.value, denominator.value) < 0:
        return unknown(nan)
    if {numerator.value, denominator.value} <= {0.0, inf} and numerator.value == denominator.value:
        return unknown(nan)
    value = inf if denominator.value == 0 else numerator.value / denominator.value
    above, below = _reaches(numerator), _reaches(denominator)
    if above is None or below is None:
        return unknown(value if 0 < value < inf else nan)
    middle = above[0] - below[0]
    spread = math.hypot(
        numerator.standard_deviation / numerator.value if 0 < numerator.value < inf else inf,
        denominator.standard_deviation / denominator.value if 0 < denominator.value < inf else inf,
    )
    deviation = value * spread if 0 < value < inf else nan
    return _from_middle(value, middle, math.hypot(above[1], below[2]), math.hypot(above[2], below[1]), deviation)


def geometric_mean(one: Interval, other: Interval) -> Interval:
    """Give the geometric mean of two independent values, its interval put together as that of `quotient`."""
    if math.isnan(one.value) or math.isnan(other.value) or {one.value, other.value} == {0.0, inf}:
        return unknown(nan)
    value = math.sqrt(one.value) * math.sqrt(other.value)
    first, second = _reaches(one), _reaches(other)
    if first is None or second is None:
        return unknown(value)
    deviation = nan
    if 0 < value < inf:
        deviation = value / 2 * math.hypot(one.standard_deviation / one.value, other.standard_deviation / other.value)
    down, up = (math.hypot(first[n], second[n]) / 2 for n in (1, 2))
    return _from_middle(value, (first[0] + second[0]) / 2, down, up, deviation)


def difference(total: Interval, part: Interval) -> Interval:
    """Subtract an independent value, keeping the asymmetry of both intervals (Zou and Donner 2008, as `quotient`)."""
    value = total.value - part.value
    down = math.hypot(total.value - total.low, part.high - part.value)
    up = math.hypot(total.high - total.value, part.value - part.low)
    return Interval(value, value - down, value + up, math.hypot(total.standard_deviation, part.standard_deviation))


def widened(interval: Interval, log_deviation: float) -> Interval:
    """Add an independent error of a value's logarithm, such as that of alignment; an unknown one adds nothing."""
    found = _reaches(interval)
    if found is None or not log_deviation > 0:
        return interval
    middle, down, up = found
    spread = interval.standard_deviation
    if 0 < interval.value < inf:
        spread = math.hypot(spread, interval.value * log_deviation)
    more = _Z * log_deviation
    return _from_middle(interval.value, middle, math.hypot(down, more), math.hypot(up, more), spread)


def without_bias(interval: Interval, log_bias: float, log_deviation: float) -> Interval:
    """Take a bias off a value's logarithm, and add how uncertain the bias is; none leaves it all as it is."""
    if log_bias == 0:
        return interval
    return widened(scaled(interval, math.exp(-log_bias)), log_deviation)


def _reaches(interval: Interval) -> tuple[float, float, float] | None:
    """Give the logarithm of the middle, and how far the limits lie below and above it; None where that is not known."""
    value, low, high = interval.value, interval.low, interval.high
    if math.isnan(low) or math.isnan(high) or high <= 0 or low == inf or value < 0:
        return None
    if value == 0:
        value = high / _LIMIT_OVER_MIDDLE
    elif value == inf:
        value = low * _LIMIT_OVER_MIDDLE
    if not 0 < value < inf:
        return None
    middle = math.log(value)
    return middle, middle - math.log(low) if low > 0 else inf, math.log(high) - middle


def _from_middle(value: float, middle: float, down: float, up: float, deviation: float) -> Interval:
    """Make an interval of its logarithm's middle and reaches."""
    return Interval(value, math.exp(middle - down), math.exp(middle + up) if up < inf else inf, deviation)


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
