"""labs.json and the tables beside it: blood indices of each patient, and statistics of the groups."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from leukospect import __version__
from leukospect.blood.categories import CategoryTest
from leukospect.blood.cohort import METHODS, Cohort
from leukospect.blood.effect_sizes import Estimate
from leukospect.blood.group_comparison import GROUPS, Comparison
from leukospect.blood.roc import Roc
from leukospect.blood.summary_statistics import SUMMARY_METHODS, SummaryTest
from leukospect.files.delimited import csv_text
from leukospect.files.results import DISCLAIMER

SCHEMA_VERSION = "1.0"
_CONVENTIONS = {True: "total leukocytes (WBC) in the neutrophils' place", False: "neutrophils"}


def neutrophils_told(neutrophils_are_wbc: bool) -> str:
    """Say what stands in the neutrophils' place of NLR and SII."""
    return _CONVENTIONS[neutrophils_are_wbc]


def cohort_document(cohort: Cohort, warnings: Sequence[str]) -> dict[str, Any]:
    """Put a cohort's results together; patients are told by their row, since a label can be a name."""
    patients = cohort.patients
    rows = [
        {
            "row": number,
            "flag": None if patients.flags is None else patients.flags[index],
            "values": {marker.name: float(marker.values[index]) for marker in patients.markers},
        }
        for index, number in enumerate(patients.row_numbers)
    ]
    return _document(
        {
            "mode": "patients",
            "neutrophils": neutrophils_told(patients.neutrophils_are_wbc),
            "methods": METHODS,
            "group_sizes": cohort.group_sizes,
            "tests": cohort.tests,
            "markers": [_comparison(one) for one in cohort.comparisons],
            "categories": [_category(one) for one in cohort.categories],
            "units": {marker.name: marker.unit for marker in patients.markers},
            "patients": rows,
        },
        warnings,
    )


def summary_document(tests: Sequence[SummaryTest], warnings: Sequence[str]) -> dict[str, Any]:
    """Put the tests from printed figures together."""
    return _document(
        {"mode": "summary statistics", "methods": SUMMARY_METHODS, "markers": [asdict(test) for test in tests]},
        warnings,
    )


def _document(contents: Mapping[str, Any], warnings: Sequence[str]) -> dict[str, Any]:
    document = {
        "schema_version": SCHEMA_VERSION,
        "software": {"name": "leukospect", "version": __version__},
        "disclaimer": DISCLAIMER,
        **contents,
        "warnings": list(warnings),
    }
    plain: dict[str, Any] = _without_nan(document)
    return plain


def write_json(document: Mapping[str, Any], path: Path) -> None:
    """Write a document of finite numbers."""
    text = json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False)
    path.write_text(text + "\n", encoding="utf-8")


def _without_nan(value: Any) -> Any:
    """Turn tuples into lists, and numbers that are not known into null."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): _without_nan(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(item) for item in value]
    return value


def _comparison(found: Comparison) -> dict[str, Any]:
    return {
        "name": found.marker.name,
        "unit": found.marker.unit,
        "groups": {group: asdict(described) for group, described in found.descriptions.items()},
        "test": found.chosen or None,
        "reason": found.reason,
        "p": found.p,
        "p_holm": found.p_holm,
        "all_tests": asdict(found.tests),
        "mean_difference": found.mean_difference,
        "hedges_g": _estimate(found.hedges_g),
        "rank_biserial": _estimate(found.rank_biserial),
        "roc": None if found.roc is None else _roc(found.roc),
    }


def _estimate(estimate: Estimate | None) -> dict[str, float] | None:
    return None if estimate is None else asdict(estimate)


def _roc(roc: Roc) -> dict[str, Any]:
    return {
        "area": asdict(roc.area),
        "interval_method": roc.interval_method,
        "standard_error_delong": roc.standard_error,
        "cut_off": None if roc.cut_off is None else asdict(roc.cut_off),
    }


def _category(found: CategoryTest) -> dict[str, Any]:
    table = {
        level: {"positive": counts[0], "negative": counts[1], "not compared": others}
        for level, counts, others in zip(found.category.levels, found.counts, found.others, strict=True)
    }
    return {
        "name": found.category.name,
        "levels": table,
        "test": found.chosen or None,
        "reason": found.reason,
        "p": found.p,
        "p_holm": found.p_holm,
        "chi_square_p": found.chi_square_p,
        "fisher_p": found.fisher_p,
        "odds_ratio": _estimate(found.odds_ratio),
        "cramers_v": found.cramers_v,
    }


def indices_csv(cohort: Cohort) -> str:
    """Write a row for each patient: row, label and flag, then every marker."""
    patients = cohort.patients
    convention = "WBC" if patients.neutrophils_are_wbc else "neutrophils"
    header = ["row", "patient", "flag", "neutrophils_taken_from", *(marker.title for marker in patients.markers)]
    flags = patients.flags or ("",) * len(patients.labels)
    rows = (
        [
            number,
            patients.labels[index],
            flags[index],
            convention,
            *(marker.values[index] for marker in patients.markers),
        ]
        for index, number in enumerate(patients.row_numbers)
    )
    return csv_text(header, rows)


def groups_csv(cohort: Cohort) -> str:
    """Write a row for each marker: every group, the tests, effect sizes and the ROC curve."""
    told = [group for group in GROUPS if cohort.group_sizes.get(group)]
    rows = [_group_row(found, told, cohort.patients.neutrophils_are_wbc) for found in cohort.comparisons]
    return csv_text(list(rows[0]) if rows else ["marker"], (list(row.values()) for row in rows))


def _group_row(found: Comparison, told: Sequence[str], neutrophils_are_wbc: bool) -> dict[str, Any]:
    row: dict[str, Any] = {"marker": found.marker.name, "unit": found.marker.unit}
    row["neutrophils_taken_from"] = "WBC" if neutrophils_are_wbc else "neutrophils"
    names = {
        "mean": "mean",
        "sd": "standard_deviation",
        "n": "n",
        "missing": "missing",
        "median": "median",
        "q1": "first_quartile",
        "q3": "third_quartile",
        "minimum": "minimum",
        "maximum": "maximum",
        "shapiro_p": "shapiro_p",
    }
    for group in told:
        described = next((d for name, d in found.descriptions.items() if name == group), None)
        suffix = group.replace(" ", "_")
        row |= {f"{short}_{suffix}": getattr(described, name, math.nan) for short, name in names.items()}
    row |= {"test": found.chosen, "p": found.p, "p_holm": found.p_holm, "why": found.reason}
    tests = found.tests
    row |= {"student_p": tests.student_p, "welch_p": tests.welch_p, "mann_whitney_p": tests.mann_whitney_p}
    row |= {"brown_forsythe_p": tests.brown_forsythe_p, "mean_difference": found.mean_difference}
    row |= _spread("hedges_g", found.hedges_g) | _spread("rank_biserial", found.rank_biserial)
    row |= _spread("auc", found.roc.area if found.roc else None)
    cut_off = found.roc.cut_off if found.roc else None
    row |= {"cut_off": cut_off.value if cut_off else math.nan}
    row |= {"positive_when": "" if not cut_off else "above" if cut_off.positive_above else "below"}
    row |= _spread("sensitivity", cut_off.sensitivity if cut_off else None) | _spread(
        "specificity", cut_off.specificity if cut_off else None
    )
    return row


def categories_csv(cohort: Cohort) -> str:
    """Write a row for each level of each category."""
    header = [
        "category",
        "level",
        "positive",
        "negative",
        "not_compared",
        "test",
        "p",
        "p_holm",
        "why",
        "odds_ratio",
        "odds_ratio_low",
        "odds_ratio_high",
        "cramers_v",
    ]
    rows = [
        [
            found.category.name,
            level,
            *counts,
            others,
            found.chosen,
            found.p,
            found.p_holm,
            found.reason,
            *_spread("", found.odds_ratio).values(),
            found.cramers_v,
        ]
        for found in cohort.categories
        for level, counts, others in zip(found.category.levels, found.counts, found.others, strict=True)
    ]
    return csv_text(header, rows)


def summary_csv(tests: Sequence[SummaryTest]) -> str:
    """Write a row for each marker of printed figures."""
    rows = []
    for test in tests:
        row: dict[str, Any] = {"marker": test.marker}
        for name, group in (("positive", test.positive), ("negative", test.negative)):
            row |= {f"mean_{name}": group.mean, f"sd_{name}": group.standard_deviation, f"n_{name}": group.n}
        row |= _spread("student_p", test.student_p) | {"student_p_holm": test.student_p_holm}
        row |= _spread("welch_p", test.welch_p) | {"welch_p_holm": test.welch_p_holm}
        row |= {"variances_p": test.variances_p, "sounder": test.sounder} | _spread("hedges_g", test.hedges_g)
        rows.append(row)
    return csv_text(list(rows[0]), (list(row.values()) for row in rows))


def _spread(name: str, estimate: Estimate | None) -> dict[str, float]:
    value, low, high = (math.nan,) * 3 if estimate is None else (estimate.value, estimate.low, estimate.high)
    return {name: value, f"{name}_low": low, f"{name}_high": high}
