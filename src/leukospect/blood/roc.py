"""How well a marker tells positive from negative scans: the ROC curve, its area and a cut-off."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq
from scipy.stats import binomtest, rankdata

from leukospect.blood.effect_sizes import Z_95, Estimate
from leukospect.blood.indices import Float64

_DELONG_FROM = 10


@dataclass(frozen=True, slots=True)
class CutOff:
    """The cut-off with the largest Youden index, and what it does in the patients it was chosen in.

    Parameters
    ----------
    value : float
        Midway between two patients' values.
    positive_above : bool
        Values above it speak for a positive scan; else those below.
    youden : float
        Sensitivity + specificity - 1.
    sensitivity, specificity : Estimate
        With Wilson's intervals.
    """

    value: float
    positive_above: bool
    youden: float
    sensitivity: Estimate
    specificity: Estimate


@dataclass(frozen=True, slots=True, eq=False)
class Roc:
    """A marker's ROC curve.

    Parameters
    ----------
    area : Estimate
        Probability that a positive scan's value is higher than a negative one's, ties counted half; below 0.5 where
        it is rather lower.
    interval_method : str
    standard_error : float
        DeLong's.
    cut_off : CutOff or None
        None where all values are the same.
    false_positive, true_positive : (points,) arrays
        The curve for values above a falling threshold.
    """

    area: Estimate
    interval_method: str
    standard_error: float
    cut_off: CutOff | None
    false_positive: Float64
    true_positive: Float64


def roc_of(positive: Float64, negative: Float64) -> Roc:
    """Give the ROC curve of a marker.

    Parameters
    ----------
    positive, negative : (patients,) arrays
        Values of the patients with a positive and a negative scan, one or more each.
    """
    m, n = len(positive), len(negative)
    ranks = rankdata(np.concatenate([positive, negative]))
    # of each patient, the share of the other group that lies below it (DeLong 1988, by ranks: Sun and Xu 2014)
    above = (ranks[:m] - rankdata(positive)) / n
    below = 1 - (ranks[m:] - rankdata(negative)) / m
    area = float(above.mean())
    error = math.sqrt(above.var(ddof=1) / m + below.var(ddof=1) / n) if min(m, n) > 1 else math.nan
    if min(m, n) >= _DELONG_FROM and 0 < area < 1 and error > 0:
        method, (low, high) = "DeLong, on the logit scale", _logit_interval(area, error)
    else:
        method, (low, high) = "Newcombe's score interval", score_interval(area, m, n)
    thresholds = np.unique(np.concatenate([positive, negative]))[::-1]
    true = np.concatenate([[0.0], _share_from(positive, thresholds)])
    false = np.concatenate([[0.0], _share_from(negative, thresholds)])
    cut_off = _cut_off(thresholds, true, false, m, n)
    return Roc(Estimate(area, low, high), method, error, cut_off, false, true)


def score_interval(area: float, positive: int, negative: int) -> tuple[float, float]:
    """Give the 95 % score interval of an area under the curve for small groups (Newcombe 2006, method 5).

    It inverts Hanley and McNeil's variance, so it has a width even where the groups are wholly apart.

    Parameters
    ----------
    area : float
    positive, negative : int
        Sizes of the groups.
    """
    extra = (positive + negative) / 2 - 1

    def beyond(truth: float) -> float:
        spread = truth * (1 - truth) / (positive * negative)
        spread *= 1 + extra * ((1 - truth) / (2 - truth) + truth / (1 + truth))
        return (truth - area) ** 2 - Z_95**2 * spread

    inside = min(max(area, 1e-9), 1 - 1e-9)  # at 0 and 1 themselves a second, trivial root lies
    low = 0.0 if area <= 0 else float(brentq(beyond, 0.0, inside, xtol=1e-12))
    high = 1.0 if area >= 1 else float(brentq(beyond, inside, 1.0, xtol=1e-12))
    return low, high


def _logit_interval(area: float, error: float) -> tuple[float, float]:
    centre, half = math.log(area / (1 - area)), Z_95 * error / (area * (1 - area))
    return _expit(centre - half), _expit(centre + half)


def _expit(logit: float) -> float:
    return 1 / (1 + math.exp(-logit)) if logit > -700 else 0.0


def _share_from(values: Float64, thresholds: Float64) -> Float64:
    """Give the share of values at each threshold or above."""
    return 1 - np.searchsorted(np.sort(values), thresholds, side="left") / len(values)


def _cut_off(thresholds: Float64, true: Float64, false: Float64, m: int, n: int) -> CutOff | None:
    """Choose among the places between two neighbouring values; of equal ones the most specific, then the highest."""
    if len(thresholds) < 2:
        return None
    inner_true, inner_false = true[1:-1], false[1:-1]
    # Whole numbers, since equal indices must not be told apart by their last bits.
    gain = np.rint(inner_true * m).astype(np.int64) * n - np.rint(inner_false * n).astype(np.int64) * m
    above = bool(gain.max() >= -gain.min())
    score = gain if above else -gain
    best = np.flatnonzero(score == score.max())
    chosen = int(best[0] if above else best[-1])
    hits = round(float(inner_true[chosen]) * m)
    alarms = round(float(inner_false[chosen]) * n)
    if not above:
        hits, alarms = m - hits, n - alarms
    return CutOff(
        value=float(thresholds[chosen] + thresholds[chosen + 1]) / 2,
        positive_above=above,
        youden=float(score[chosen]) / (m * n),
        sensitivity=wilson(hits, m),
        specificity=wilson(n - alarms, n),
    )


def wilson(successes: int, trials: int) -> Estimate:
    """Give a share with Wilson's 95 % interval."""
    interval = binomtest(successes, trials).proportion_ci(method="wilson")
    return Estimate(successes / trials, float(interval.low), float(interval.high))
