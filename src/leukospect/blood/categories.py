"""Groups of patients, such as the sexes, counted among positive and negative scans."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from scipy.special import gammaln

from leukospect.blood.effect_sizes import Estimate, odds_ratio
from leukospect.blood.other_columns import Category
from leukospect.interpretation.flag import FlagValue

_FEWEST_EXPECTED = 5.0
_MOST_TABLES = 300_000


@dataclass(frozen=True, slots=True)
class CategoryTest:
    """A table of levels by flag, and its test.

    Parameters
    ----------
    category : Category
    counts : tuple of (positive, negative) for each level
    others : tuple of int
        Equivocal or not assessable scans in each level, which are not tested.
    chosen, reason : str
        ``chi-square`` (without correction for continuity) or ``Fisher's exact``; empty where nothing was tested.
    chi_square_p, fisher_p : float
        NaN where it cannot be, or takes too many tables.
    p, p_holm : float
    odds_ratio : Estimate or None
        Of a 2 x 2 table: the odds of a positive scan in the first level over those in the second.
    cramers_v : float
    """

    category: Category
    counts: tuple[tuple[int, int], ...]
    others: tuple[int, ...]
    chosen: str
    reason: str
    chi_square_p: float = math.nan
    fisher_p: float = math.nan
    p: float = math.nan
    p_holm: float = math.nan
    odds_ratio: Estimate | None = None
    cramers_v: float = math.nan


def compare_category(category: Category, flags: Sequence[FlagValue]) -> CategoryTest:
    """Count a category among positive and negative scans and test whether they differ."""
    cells = list(zip(category.values, flags, strict=True))
    counts = tuple((cells.count((level, "positive")), cells.count((level, "negative"))) for level in category.levels)
    others = tuple(
        cells.count((level, "equivocal")) + cells.count((level, "not assessable")) for level in category.levels
    )
    filled = np.array([row for row in counts if sum(row)], dtype=np.int64).reshape(-1, 2)
    if len(filled) < 2 or not filled.sum(axis=0).all():
        return CategoryTest(
            category, counts, others, "", "not tested: it takes two levels, and positive and negative scans"
        )
    chi = stats.chi2_contingency(filled, correction=False)
    expected = np.asarray(chi.expected_freq)
    exact = fisher_p(filled)
    few = bool((expected < _FEWEST_EXPECTED).any())
    chosen, p = ("Fisher's exact", exact) if few and not math.isnan(exact) else ("chi-square", float(chi.pvalue))
    reason = f"the smallest expected count is {expected.min():.1f}" + (", below 5" if few else "")
    return CategoryTest(
        category,
        counts,
        others,
        chosen,
        reason,
        chi_square_p=float(chi.pvalue),
        fisher_p=exact,
        p=p,
        odds_ratio=odds_ratio(_square(filled)) if len(filled) == 2 else None,
        cramers_v=math.sqrt(float(chi.statistic) / int(filled.sum())),
    )


def _square(filled: NDArray[np.int64]) -> tuple[tuple[int, int], tuple[int, int]]:
    (a, b), (c, d) = filled.tolist()
    return (a, b), (c, d)


def fisher_p(counts: NDArray[np.int64]) -> float:
    """Give Fisher's exact p (Freeman and Halton 1951) of a table with two columns; NaN where it takes too many tables.

    Parameters
    ----------
    counts : (levels, 2) array
        The p is the probability, margins given, of all tables no more probable than this one.
    """
    if len(counts) == 2:
        return float(stats.fisher_exact(counts).pvalue)
    sums = counts.sum(axis=1)
    if float(np.prod(sums + 1.0)) > _MOST_TABLES:
        return math.nan
    logs, totals = np.zeros(1), np.zeros(1, np.int64)
    for size in sums:
        first = np.arange(size + 1)
        ways = gammaln(size + 1) - gammaln(first + 1) - gammaln(size - first + 1)
        logs, totals = (logs[:, None] + ways).ravel(), (totals[:, None] + first).ravel()
    own = float(
        sum(gammaln(s + 1) - gammaln(a + 1) - gammaln(s - a + 1) for s, a in zip(sums, counts[:, 0], strict=True))
    )
    possible = logs[totals == counts[:, 0].sum()]
    shares = np.exp(possible - possible.max())
    return min(1.0, float(shares[possible <= own + 1e-7].sum() / shares.sum()))
