"""What inspection tells of views that do not fit each other, and of the detectors' uniformity."""

from __future__ import annotations

from typing import Any

from leukospect.consistency import ViewFinding, find_motion, find_non_uniformity
from leukospect.data import Projections

Facts = dict[str, object]


def consistency_facts(acquisition: Projections) -> Facts:
    """Tell what does not fit between the views, and whether the camera says that it corrected non-uniformity."""
    odd_views = find_motion(acquisition)
    corrections = acquisition.header.corrections
    return {
        "motion": [_odd_views(finding) for finding in odd_views if finding.unit == "mm"],
        "count_changes": [_odd_views(finding) for finding in odd_views if finding.unit == "%"],
        "non_uniformity": [
            {
                "head": finding.head,
                "row": finding.row,
                "column": finding.column,
                "rows": finding.rows,
                "columns": finding.columns,
                "deviation_percent": _tenths(finding.deviation_percent),
                "uncertainty_percent": _tenths(finding.uncertainty_percent),
                "sentence": finding.sentence(),
            }
            for finding in find_non_uniformity(acquisition)
        ],
        "uniformity_corrected": "UNIF" in corrections if corrections else None,
    }


def _odd_views(finding: ViewFinding) -> Facts:
    unit = "mm" if finding.unit == "mm" else "percent"
    return {
        "kind": finding.kind,
        "heads": list(finding.heads),
        "first_view": finding.first_view,
        "last_view": finding.last_view,
        f"size_{unit}": _tenths(finding.size),
        f"uncertainty_{unit}": _tenths(finding.uncertainty),
        "sentence": finding.sentence(),
    }


def consistency_lines(facts: Facts) -> list[tuple[str, str]]:
    """Give the table's lines: every finding, or that there is none."""
    found = [*_items(facts["motion"]), *_items(facts["count_changes"]), *_items(facts["non_uniformity"])]
    lines = [("consistency", str(finding["sentence"])) for finding in found]
    if not found:
        lines.append(("consistency", "no sudden motion, lost view or sharp detector defect seen"))
    if facts["uniformity_corrected"] is False:
        lines.append(("uniformity", "UNIF is not among the corrections recorded"))
    return lines


def _items(value: object) -> list[Any]:
    return list(value) if isinstance(value, list) else []


def _tenths(value: float) -> float:
    return round(float(value), 1) + 0.0
