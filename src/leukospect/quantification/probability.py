"""How probable a change of a ratio is: what was measured, weighed with how much such ratios change at all."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from leukospect.quantification.measurements import Interval

_Z = 1.959963984540054
_STEPS = 4001
_WIDTHS = 8.0
_LEAST_SPREAD = 1e-9
_LIMIT_OF_NONE = -math.log(0.05)
"""Counts at the limit of the interval where none were seen."""


@dataclass(frozen=True, slots=True)
class ChangesExpected:
    """How ratios change between two times before anything is measured: log-normal.

    Parameters
    ----------
    median : float
        Of the change: 0.11 is 11 % more.
    log_deviation : float
        Standard deviation of the logarithm of 1 + change.
    source : str
    """

    median: float
    log_deviation: float
    source: str


EXPECTED = ChangesExpected(
    0.11,
    0.25,
    "PMC7763501, sensitivities and specificities at 10, 20 and 30 %: where as many have an infection as have none, 53, "
    "41 and 20 % of all change by more, as a log-normal about +11 % with deviation 0.18 does; widened to 0.25, since "
    "one cohort tells little of others",
)


def likely_changes(grown: Interval, number: int, expected: ChangesExpected = EXPECTED) -> NDArray[np.float64]:
    """Give changes in proportion to their probability after the measurement.

    Few counts measure large changes by chance far more often than there are any: taken by itself, such a measurement
    would be called certain and be wrong. So its likelihood (log-normal to either side, the limits of its interval
    2.5 % out) is multiplied by the distribution of the changes that are expected. Where the interval is narrow against
    that, as with hundreds of counts, it hardly matters.

    Parameters
    ----------
    grown : Interval
        1 + change; its value may be 0 or infinite with one limit known.
    number : int
    expected : ChangesExpected

    Returns
    -------
    (number,) array
        Quantiles of the change at evenly spaced probabilities, ascending; no random number is drawn. Empty where the
        interval is not known.
    """
    if math.isnan(grown.low) or math.isnan(grown.high) or math.isnan(grown.value) or grown.high <= 0:
        return np.empty(0)
    middle, spread = math.log1p(expected.median), expected.log_deviation
    measured = math.log(grown.value) if 0 < grown.value < math.inf else middle
    reach = _WIDTHS * spread
    values = np.linspace(min(middle, measured) - reach, max(middle, measured) + reach, _STEPS)
    log_weights = -0.5 * ((values - middle) / spread) ** 2 + _log_likelihood(grown, values)
    weights = np.exp(log_weights - log_weights.max())
    cumulative = np.cumsum(weights)
    at = (np.arange(number) + 0.5) / number
    return np.asarray(np.exp(np.interp(at, (cumulative - weights / 2) / cumulative[-1], values)) - 1.0)


def _log_likelihood(grown: Interval, values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give the logarithm of how likely the measurement is for each value of log(1 + change), up to a constant."""
    if grown.value == 0 or math.isinf(grown.value):  # none were seen at one time: Poisson, exp(-expected)
        limit, sign = (grown.high, 1.0) if grown.value == 0 else (grown.low, -1.0)
        return np.asarray(-_LIMIT_OF_NONE * np.exp(sign * (values - math.log(limit))))
    value = math.log(grown.value)
    down = (value - math.log(grown.low)) / _Z if grown.low > 0 else math.inf
    up = (math.log(grown.high) - value) / _Z if grown.high < math.inf else math.inf
    apart = values - value
    return np.asarray(-0.5 * (apart / np.maximum(np.where(apart < 0, down, up), _LEAST_SPREAD)) ** 2)
