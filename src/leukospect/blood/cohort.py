"""A cohort: its patients, and every comparison of those with a positive and a negative scan."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace

from leukospect.blood.categories import CategoryTest, compare_category
from leukospect.blood.group_comparison import GROUPS, Comparison, compare, holm
from leukospect.blood.patients import Patients
from leukospect.errors import AssumptionWarning
from leukospect.interpretation.flag import FlagValue

METHODS = (
    "Positive against negative scans; all tests are two-sided. Numbers: Student's t where Shapiro-Wilk rejects "
    "normality (p < 0.05) in neither group, Welch's t where then the Brown-Forsythe test rejects equal variances "
    "(p < 0.05), else Mann-Whitney's U (exact up to 50 a group without ties and 16 in all with ties, else the "
    "normal approximation).",
    "Counts: chi-square without correction for continuity, Fisher's exact test where an expected count is below 5.",
    "p (Holm) is adjusted for all tests of the table; the indices share their counts, so the tests are not "
    "independent.",
    "Hedges' g with the noncentral t interval; rank-biserial correlation 2 AUC - 1; area under the ROC curve with "
    "DeLong's interval on the logit scale, of groups below 10 or wholly apart with Newcombe's score interval; "
    "sensitivity and specificity with Wilson's. All intervals are 95 %.",
    "The cut-off is the one with the largest Youden index in these same patients, so its sensitivity and "
    "specificity are better than others will find them.",
)


@dataclass(frozen=True, slots=True, eq=False)
class Cohort:
    """Patients and what tells their groups apart.

    Parameters
    ----------
    patients : Patients
    group_sizes : mapping of flag to number of patients
    comparisons : tuple of Comparison
        One a marker; empty without flags.
    categories : tuple of CategoryTest
    """

    patients: Patients
    group_sizes: Mapping[FlagValue, int]
    comparisons: tuple[Comparison, ...]
    categories: tuple[CategoryTest, ...]

    @property
    def tests(self) -> int:
        """Number of tests that p values are adjusted for."""
        return sum(bool(c.chosen) for c in self.comparisons) + sum(bool(c.chosen) for c in self.categories)


def cohort_of(patients: Patients) -> Cohort:
    """Compare every marker and category of the patients between positive and negative scans."""
    flags = patients.flags
    if flags is None:
        return Cohort(patients, {}, (), ())
    sizes = {group: flags.count(group) for group in GROUPS if group in flags}
    apart = [f"{sizes[group]} {group}" for group in GROUPS[2:] if group in sizes]
    if apart:
        warnings.warn(
            f"Scans that are neither positive nor negative ({', '.join(apart)}) are listed apart and left out of every "
            "test.",
            AssumptionWarning,
            stacklevel=2,
        )
    comparisons = [compare(marker, flags) for marker in patients.markers]
    categories = [compare_category(category, flags) for category in patients.categories]
    adjusted = holm([found.p for found in comparisons] + [found.p for found in categories])
    if not any(found.chosen for found in comparisons):
        counted = ", ".join(f"{number} {group}" for group, number in sizes.items())
        warnings.warn(f"Nothing could be tested: of the scans, {counted}.", AssumptionWarning, stacklevel=2)
    split = len(comparisons)
    return Cohort(
        patients,
        sizes,
        tuple(replace(found, p_holm=p) for found, p in zip(comparisons, adjusted[:split], strict=True)),
        tuple(replace(found, p_holm=p) for found, p in zip(categories, adjusted[split:], strict=True)),
    )
