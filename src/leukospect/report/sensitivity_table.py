"""What a small misalignment would change: the rows of the report's table, and what it says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import isfinite

from leukospect.quantification.measurements import TimePoint
from leukospect.quantification.misalignment import MisalignmentEffect, largest
from leukospect.report.content import ReportContent, when


@dataclass(frozen=True, slots=True)
class SensitivityRow:
    """A region at one time, and the largest changes as texts; a dash for what was not moved."""

    region: str
    time: str
    uptake_map: str
    ratio_map: str
    uptake_regions: str
    ratio_regions: str


@dataclass(frozen=True, slots=True)
class SensitivityShown:
    """The part of the report on misalignment."""

    sentence: str
    rows: tuple[SensitivityRow, ...]


def sensitivity_shown(content: ReportContent, percent: Callable[[float], str]) -> SensitivityShown | None:
    """Lay out what misalignment would change; None where nothing was moved.

    Parameters
    ----------
    content : ReportContent
    percent : function
        Writes a relative change with its sign.
    """
    found = content.sensitivity
    if found is None:
        return None
    hours = {m.time_point: m.hours for m in content.measurements if m.modality == "spect"}
    groups: dict[tuple[str, TimePoint], list[MisalignmentEffect]] = {}
    for region in content.regions:
        for one in found.effects:
            if one.region == region.name and one.modality == "spect":
                groups.setdefault((one.region, one.time_point), []).append(one)
    if not groups:
        return None
    rows = []
    for (region_name, time_point), effects in groups.items():
        by_part = {part: [one for one in effects if one.moved == part] for part in ("attenuation map", "regions")}
        cells = [
            percent(largest(by_part[part], value))
            for part in ("attenuation map", "regions")
            for value in ("mean_change", "ratio_change")
        ]  # fmt: skip
        rows.append(SensitivityRow(region_name, when(time_point, hours.get(time_point, float("nan"))), *cells))
    return SensitivityShown(_sentence(content, percent), tuple(rows))


def _sentence(content: ReportContent, percent: Callable[[float], str]) -> str:
    found = content.sensitivity
    assert found is not None
    lesions = {region.name for region in content.regions if region.role == "lesion"}
    of_lesions = [one for one in found.effects if one.region in lesions and one.modality == "spect"]
    parts = []
    for moved, words in (("attenuation map", "the attenuation map"), ("regions", "the regions")):
        change = largest((one for one in of_lesions if one.moved == moved), "ratio_change")
        if isfinite(change):
            parts.append(f"{words} moved, a lesion's ratio changes by at most {percent(change)}")
    moved_by = f"Misaligned by a pixel ({found.shift_mm:.1f} mm) or {found.turn_deg:g} degrees"
    return f"{moved_by}, with " + "; with ".join(parts) + "." if parts else f"{moved_by}:"
