"""How far apart two groups are, with 95 % intervals."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from scipy.optimize import brentq
from scipy.special import gammaln, ndtri
from scipy.stats import nct

Z_95 = float(ndtri(0.975))
_NONCENTRAL_UP_TO = 1000.0


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value with its 95 % interval."""

    value: float
    low: float
    high: float


def hedges_g(
    means: tuple[float, float], standard_deviations: tuple[float, float], sizes: tuple[int, int]
) -> Estimate | None:
    """Give Hedges' g, the difference of two means in pooled standard deviations without the bias of small groups.

    Parameters
    ----------
    means, standard_deviations, sizes : pairs
        Of the first group, which is positive where its mean is higher, and the second.

    Returns
    -------
    Estimate or None
        The interval inverts the noncentral t distribution (Hedges and Olkin 1985, Cumming and Finch 2001); of very
        large groups or effects it is the normal one. None where nothing varies.
    """
    first, second = sizes
    freedom = first + second - 2
    variances = [s**2 for s in standard_deviations]
    pooled = math.sqrt(((first - 1) * variances[0] + (second - 1) * variances[1]) / freedom)
    if not pooled > 0:
        return None
    per_t = math.sqrt(1 / first + 1 / second)
    t = (means[0] - means[1]) / pooled / per_t
    unbiased = (
        math.exp(gammaln(freedom / 2) - gammaln((freedom - 1) / 2)) / math.sqrt(freedom / 2) if freedom > 1 else 0.0
    )
    low, high = _noncentrality(t, freedom)
    return Estimate(unbiased * t * per_t, unbiased * low * per_t, unbiased * high * per_t)


def _noncentrality(t: float, freedom: int) -> tuple[float, float]:
    spread = math.sqrt(1 + t**2 / (2 * freedom))
    if freedom > _NONCENTRAL_UP_TO or abs(t) > 30:
        return t - Z_95 * spread, t + Z_95 * spread
    return _solved(lambda n: float(nct.cdf(t, freedom, n)) - 0.975, t, spread), _solved(
        lambda n: float(nct.cdf(t, freedom, n)) - 0.025, t, spread
    )


def _solved(distance: Callable[[float], float], near: float, step: float) -> float:
    """Find where a falling function is zero."""
    low = high = near
    while distance(low) < 0:
        low -= step
    while distance(high) > 0:
        high += step
    return float(brentq(distance, low, high, xtol=1e-10)) if low < high else low


def odds_ratio(table: tuple[tuple[int, int], tuple[int, int]]) -> Estimate:
    """Give the odds ratio of a 2 x 2 table with Woolf's interval; 0.5 is added to each cell where one is empty."""
    (a, b), (c, d) = [[float(cell) for cell in row] for row in table]
    if 0 in (a, b, c, d):
        a, b, c, d = (cell + 0.5 for cell in (a, b, c, d))
    log = math.log(a * d / (b * c))
    half = Z_95 * math.sqrt(1 / a + 1 / b + 1 / c + 1 / d)
    return Estimate(math.exp(log), math.exp(log - half), math.exp(log + half))
