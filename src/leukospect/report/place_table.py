"""Where lesions lie, and what is physiological: the rows of the report's tables."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from leukospect.report.content import ReportContent


@dataclass(frozen=True, slots=True)
class PlaceRow:
    """A lesion, where it lies and what is remarked of it, as texts; dashes for distances that are not known."""

    lesion: str
    tissue: str
    to_metal_mm: str
    to_bone_mm: str
    to_skin_mm: str
    words: str
    remark: str


@dataclass(frozen=True, slots=True)
class PhysiologicalRow:
    """What is physiological: its name, what it is likely, its uptake at the last time, and why."""

    name: str
    likely: str
    volume_ml: str
    uptake: str
    reason: str


def place_rows(content: ReportContent, number: Callable[..., str]) -> tuple[PlaceRow, ...]:
    """Lay out where each lesion lies on the CT, and remarks; empty where there is neither.

    Parameters
    ----------
    content : ReportContent
    number : function
        Writes a number to so many significant digits; a dash for NaN.
    """
    places = {one.region: one for one in content.locations}
    rows = []
    for region in content.regions:
        place = places.get(region.name)
        if region.role != "lesion" or (place is None and not region.remark):
            continue
        if place is None:
            none = number(float("nan"))
            rows.append(PlaceRow(region.name, "not known", none, none, none, "", region.remark))
            continue
        tissue = " or ".join((place.tissue, *place.or_beside))
        metal, bone, skin = (
            number(each, 2) for each in (place.hottest_to_metal_mm, place.hottest_to_bone_mm, place.hottest_to_skin_mm)
        )
        rows.append(PlaceRow(region.name, tissue, metal, bone, skin, place.sentence, region.remark))
    return tuple(rows)


def physiological_rows(content: ReportContent, number: Callable[..., str]) -> tuple[PhysiologicalRow, ...]:
    """Lay out what was found and is not judged.

    Parameters
    ----------
    content, number
        As in `place_rows`.
    """
    last = {m.region: m for m in content.measurements if m.modality == "spect"}  # of several times the latest stays
    rows = []
    for region in content.regions:
        if region.role == "physiological":
            measured = last.get(region.name)
            uptake = "" if measured is None else f"{number(measured.mean.value)} {measured.unit}"
            rows.append(
                PhysiologicalRow(region.name, region.likely, f"{number(region.volume_ml)} mL", uptake, region.remark)
            )
    return tuple(rows)
