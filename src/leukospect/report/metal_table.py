"""What was done about the metal in each CT: the rows of the report's tables."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite

from leukospect.ct.metal_summary import MetalSummary
from leukospect.ct.slice_reduction import SliceMeasure
from leukospect.data import Geometry
from leukospect.report.content import ReportContent, when

_WORST = 3
_NONE = "–"


@dataclass(frozen=True, slots=True)
class MetalRow:
    """One CT: what was found and done, in words and counts of slices."""

    time: str
    found: str
    how: str
    with_metal: str
    wholly: int
    in_part: int
    left: int
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class WorstRow:
    """A slice with many streaks left: where it lies, how it was before and after, and how much of the change it got."""

    time: str
    place: str
    before: str
    after: str
    edges: str
    used: str


@dataclass(frozen=True, slots=True)
class MetalShown:
    """The part of the report on metal in the CT; `not_judged` counts slices of all CTs."""

    rows: tuple[MetalRow, ...]
    worst: tuple[WorstRow, ...]
    not_judged: int


def metal_shown(content: ReportContent) -> MetalShown | None:
    """Lay out what metal was found and how well it was reduced; None where no CT was looked through for metal."""
    rows: list[MetalRow] = []
    worst: list[WorstRow] = []
    not_judged = 0
    for one in content.spect:
        if one.metal_summary is None or one.ct is None:
            continue
        time = when(one.time_point, one.hours)
        rows.append(_row(time, one.metal_summary))
        worst += [_worst_row(time, measure, one.ct.geometry) for measure in one.metal_summary.worst(_WORST)]
        not_judged += one.metal_summary.not_judged
    return MetalShown(tuple(rows), tuple(worst), not_judged) if rows else None


def slice_z_mm(geometry: Geometry, k: int) -> float:
    """Give where the middle of a slice lies, LPS z, mm."""
    _, rows, columns = geometry.shape
    return float(geometry.to_lps((k, (rows - 1) / 2, (columns - 1) / 2))[2])


def _row(time: str, summary: MetalSummary) -> MetalRow:
    before, after = summary.streaks_hu
    return MetalRow(
        time,
        summary.found or _NONE,
        f"{summary.method}, {summary.rays} rays" if summary.rays else _NONE,
        f"{summary.with_metal} of {summary.slices}",
        summary.wholly,
        summary.in_part,
        summary.left,
        _hu(before),
        _hu(after),
    )


def _worst_row(time: str, measure: SliceMeasure, geometry: Geometry) -> WorstRow:
    assert measure.before is not None
    assert measure.after is not None
    used = {1.0: "wholly", 0.0: "not"}.get(measure.strength, f"{100 * measure.strength:.0f}\N{NO-BREAK SPACE}%")
    return WorstRow(
        time,
        f"{slice_z_mm(geometry, measure.slice_index):.0f}".replace("-", "−"),
        _hu(measure.before.streaks_hu),
        _hu(measure.after.streaks_hu),
        f"{measure.after.edge_agreement:.2f}".replace("-", "−"),
        used,
    )


def _hu(value: float) -> str:
    return f"{value:.0f}" if isfinite(value) else _NONE
