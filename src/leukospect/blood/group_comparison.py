"""A marker in patients with a positive and with a negative scan: what it is in each, and whether that differs."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from scipy import stats

from leukospect.blood.effect_sizes import Estimate, hedges_g
from leukospect.blood.indices import Float64
from leukospect.blood.other_columns import Marker
from leukospect.blood.roc import Roc, roc_of
from leukospect.interpretation.flag import FlagValue

LEVEL = 0.05
FEWEST_TESTED = 3
_SHAPIRO_UP_TO = 5000
_EXACT_UP_TO = 50
_TIES_EXACT_UP_TO = 16  # together; at most 12870 ways
GROUPS: tuple[FlagValue, ...] = ("positive", "negative", "equivocal", "not assessable")


@dataclass(frozen=True, slots=True)
class Description:
    """A marker in one group; what cannot be told of so few is NaN.

    Parameters
    ----------
    n, missing : int
    mean, standard_deviation, median, first_quartile, third_quartile, minimum, maximum : float
    shapiro_w, shapiro_p : float
    normality : str
        ``not rejected``, ``rejected``, or why it was not tested.
    """

    n: int
    missing: int
    mean: float = math.nan
    standard_deviation: float = math.nan
    median: float = math.nan
    first_quartile: float = math.nan
    third_quartile: float = math.nan
    minimum: float = math.nan
    maximum: float = math.nan
    shapiro_w: float = math.nan
    shapiro_p: float = math.nan
    normality: str = "not tested: no value"

    @property
    def normal(self) -> bool:
        """Whether normality was tested and not rejected."""
        return self.normality == "not rejected"


@dataclass(frozen=True, slots=True)
class Tests:
    """Every two-group test of a marker, two-sided; NaN where it cannot be done."""

    student_t: float = math.nan
    student_p: float = math.nan
    welch_t: float = math.nan
    welch_freedom: float = math.nan
    welch_p: float = math.nan
    mann_whitney_u: float = math.nan
    mann_whitney_p: float = math.nan
    mann_whitney_exact: bool = False
    brown_forsythe_p: float = math.nan


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """A marker compared between positive and negative scans.

    Parameters
    ----------
    marker : Marker
    descriptions : mapping of group to Description
    tests : Tests
    chosen : str
        ``Student's t``, ``Welch's t``, ``Mann-Whitney U``; empty where nothing was tested.
    reason : str
        Why this test, or why none.
    p, p_holm : float
        Of the chosen test, as it is and adjusted for all tests of the table.
    mean_difference : float
        Positive minus negative.
    hedges_g : Estimate or None
    rank_biserial : Estimate or None
        2 AUC - 1.
    roc : Roc or None
    """

    marker: Marker
    descriptions: Mapping[FlagValue, Description]
    tests: Tests
    chosen: str
    reason: str
    p: float = math.nan
    p_holm: float = math.nan
    mean_difference: float = math.nan
    hedges_g: Estimate | None = None
    rank_biserial: Estimate | None = None
    roc: Roc | None = None


def describe(values: Float64) -> Description:
    """Describe a marker's values in one group; NaN are missing."""
    known = values[np.isfinite(values)]
    missing = len(values) - len(known)
    if not len(known):
        return Description(0, missing)
    q1, median, q3 = (float(q) for q in np.quantile(known, [0.25, 0.5, 0.75]))
    w, p, normality = _normality(known)
    deviation = float(known.std(ddof=1)) if len(known) > 1 else math.nan
    # The mean of equal values can differ from them in its last bit, and would then seem to vary.
    mean, deviation = (float(known[0]), deviation * 0) if np.ptp(known) == 0 else (float(known.mean()), deviation)
    lowest, highest = float(known.min()), float(known.max())
    return Description(len(known), missing, mean, deviation, median, q1, q3, lowest, highest, w, p, normality)


def _normality(known: Float64) -> tuple[float, float, str]:
    if len(known) < FEWEST_TESTED:
        return math.nan, math.nan, f"not tested: {len(known)} values"
    if np.ptp(known) == 0:
        return math.nan, math.nan, "not tested: all values are the same"
    if len(known) > _SHAPIRO_UP_TO:
        return math.nan, math.nan, f"not tested: more than {_SHAPIRO_UP_TO} values"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a range near rounding; p tells it
        w, p = (float(value) for value in stats.shapiro(known))
    return w, p, "rejected" if p < LEVEL else "not rejected"


def compare(marker: Marker, flags: Sequence[FlagValue]) -> Comparison:
    """Compare a marker between the patients with a positive and with a negative scan.

    Student's t where Shapiro-Wilk rejects normality (p < 0.05) in neither group, Welch's t where then the
    Brown-Forsythe test rejects equal variances, and else Mann-Whitney's U.

    Parameters
    ----------
    marker : Marker
    flags : sequence of FlagValue
        Of each patient; other than positive and negative are described and not compared.
    """
    told = np.array(flags)
    groups = {group: marker.values[told == group] for group in GROUPS}
    descriptions = {group: describe(values) for group, values in groups.items() if len(values)}
    positive, negative = (groups[g][np.isfinite(groups[g])] for g in ("positive", "negative"))
    untestable = _untestable(positive, negative)
    if untestable:
        return Comparison(marker, descriptions, Tests(), "", untestable)
    tests = _tests(positive, negative)
    chosen, p, reason = _choice(tests, descriptions["positive"], descriptions["negative"])
    one, two = descriptions["positive"], descriptions["negative"]
    roc = roc_of(positive, negative)
    return Comparison(
        marker,
        descriptions,
        tests,
        chosen,
        reason,
        p,
        mean_difference=one.mean - two.mean,
        hedges_g=hedges_g((one.mean, two.mean), (one.standard_deviation, two.standard_deviation), (one.n, two.n)),
        rank_biserial=Estimate(2 * roc.area.value - 1, 2 * roc.area.low - 1, 2 * roc.area.high - 1),
        roc=roc,
    )


def _untestable(positive: Float64, negative: Float64) -> str:
    for name, values in (("positive", positive), ("negative", negative)):
        if len(values) < FEWEST_TESTED:
            return f"not tested: {len(values)} {name} (with a value), and a test needs {FEWEST_TESTED} in each group"
    if np.ptp(np.concatenate([positive, negative])) == 0:
        return "not tested: all values are the same"
    return ""


def _tests(positive: Float64, negative: Float64) -> Tests:
    method = _mann_whitney_method(positive, negative)
    u = stats.mannwhitneyu(positive, negative, method=method)
    exact = method != "asymptotic"
    found = Tests(mann_whitney_u=float(u.statistic), mann_whitney_p=min(float(u.pvalue), 1.0), mann_whitney_exact=exact)
    if np.ptp(positive) == 0 and np.ptp(negative) == 0:
        return found
    student = stats.ttest_ind(positive, negative)
    welch: Any = stats.ttest_ind(positive, negative, equal_var=False)
    return replace(
        found,
        student_t=float(student.statistic),
        student_p=float(student.pvalue),
        welch_t=float(welch.statistic),
        welch_freedom=float(welch.df),
        welch_p=float(welch.pvalue),
        brown_forsythe_p=_brown_forsythe(positive, negative),
    )


def _brown_forsythe(positive: Float64, negative: Float64) -> float:
    away = [np.abs(values - np.median(values)) for values in (positive, negative)]
    if all(np.ptp(distances) == 0 for distances in away):
        return math.nan
    return float(stats.levene(positive, negative, center="median").pvalue)


def _mann_whitney_method(
    positive: Float64, negative: Float64
) -> Literal["exact", "asymptotic"] | stats.PermutationMethod:
    """Choose exact p values where they can be had; with ties, all ways to share out a few patients are gone through."""
    together = np.concatenate([positive, negative])
    if len(np.unique(together)) == len(together):
        return "exact" if max(len(positive), len(negative)) <= _EXACT_UP_TO else "asymptotic"
    if len(together) <= _TIES_EXACT_UP_TO:
        return stats.PermutationMethod(n_resamples=10**5)
    return "asymptotic"


def _choice(tests: Tests, positive: Description, negative: Description) -> tuple[str, float, str]:
    whys = [
        f"normality {d.normality} in the {name} group" + (f" (Shapiro-Wilk p = {d.shapiro_p:.3g})" * (d.shapiro_w > 0))
        for name, d in (("positive", positive), ("negative", negative))
        if not d.normal
    ]
    if whys:
        return "Mann-Whitney U", tests.mann_whitney_p, "; ".join(whys) + _reach(positive.n, negative.n)
    reason = "Shapiro-Wilk rejects normality in neither group"
    if tests.brown_forsythe_p < LEVEL:
        more = f"; variances differ (Brown-Forsythe p = {tests.brown_forsythe_p:.3g})"
        return "Welch's t", tests.welch_p, reason + more
    more = f"; no difference of variances (Brown-Forsythe p = {tests.brown_forsythe_p:.3g})"
    return "Student's t", tests.student_p, reason + more


def _reach(first: int, second: int) -> str:
    """Say where so few patients could not have given a p below the level, whatever their values."""
    least = 2 / math.comb(first + second, first) if first + second < 100 else 0.0
    return f"; with so few patients no p below {least:.2g} is possible" if least >= LEVEL else ""


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjust p values for their number (Holm 1979); NaN are no tests and stay."""
    adjusted = [math.nan] * len(p_values)
    order = sorted((p, index) for index, p in enumerate(p_values) if not math.isnan(p))
    largest = 0.0
    for rank, (p, index) in enumerate(order):
        largest = max(largest, min(1.0, (len(order) - rank) * p))
        adjusted[index] = largest
    return adjusted
