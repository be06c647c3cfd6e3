"""What inspection tells of views that do not fit each other, and of the detectors' uniformity."""

from __future__ import annotations

from typing import Any

from leukospect.consistency import (
    ViewFinding,
    find_impossible_pixels,
    find_injection_site,
    find_motion,
    find_non_uniformity,
    find_saturation,
)
from leukospect.data import PlanarImages, Projections

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
        "impossible_pixels": [finding.sentence() for finding in find_impossible_pixels(acquisition)],
        "saturation": _saturation(acquisition),
        "uniformity_corrected": "UNIF" in corrections if corrections else None,
    }


def planar_consistency_facts(acquisition: PlanarImages) -> Facts:
    """Tell of saturated planar views, and of a spot in the first energy window that may be the injection site."""
    sites = {
        name: find_injection_site(acquisition.counts[0, view], acquisition.pixel_mm)
        for view, name in enumerate(acquisition.view_names)
        if name in ("anterior", "posterior")
    }
    return {
        "saturation": _saturation(acquisition),
        "injection_site": [site.sentence(name, "") for name, site in sites.items() if site is not None],
    }


def planar_consistency_lines(facts: Facts) -> list[tuple[str, str]]:
    """Give the table's lines: every finding, or that there is none."""
    found = [*_items(facts["saturation"]), *_items(facts["injection_site"])]
    return [("consistency", str(sentence)) for sentence in found or ["no saturated view or infiltrated injection seen"]]


def _saturation(acquisition: Projections | PlanarImages) -> list[str]:
    """Frames that were added up hold larger numbers than their type of pixel."""
    if acquisition.summed_frames != 1:
        return []
    return [finding.sentence() for finding in find_saturation(acquisition.counts)]


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
    lines += [
        ("consistency", str(text)) for text in [*_items(facts["impossible_pixels"]), *_items(facts["saturation"])]
    ]
    if not lines:
        lines.append(("consistency", "no sudden motion, lost view or sharp detector defect seen"))
    if facts["uniformity_corrected"] is False:
        lines.append(("uniformity", "UNIF is not among the corrections recorded"))
    return lines


def _items(value: object) -> list[Any]:
    return list(value) if isinstance(value, list) else []


def _tenths(value: float) -> float:
    return round(float(value), 1) + 0.0
