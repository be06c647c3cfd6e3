"""What other attenuation maps make of uptake, ratios and flags: the rows of the report's table, and what it says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import isfinite

from leukospect.interpretation.map_effect import MapEffect
from leukospect.quantification.measurements import TimePoint
from leukospect.report.content import ReportContent, when

_ORDER = ("early", "delayed", "late")


@dataclass(frozen=True, slots=True)
class EffectRow:
    """A region at one time: uptake and ratio with the corrected map, and how each differs with the others.

    Texts: values, and changes as a signed percentage; a dash for what is not known.
    """

    region: str
    time: str
    uptake: str
    uptake_as_scanned: str
    uptake_without: str
    ratio: str
    ratio_as_scanned: str
    ratio_without: str
    unit: str


@dataclass(frozen=True, slots=True)
class EffectShown:
    """The part of the report on the effect of the CT's metal."""

    sentence: str
    rows: tuple[EffectRow, ...]


def effect_shown(
    content: ReportContent, number: Callable[[float], str], percent: Callable[[float], str]
) -> EffectShown | None:
    """Lay out what was found with other maps; None where none was tried.

    Parameters
    ----------
    content : ReportContent
    number, percent : functions
        Write a value, and a relative change with its sign.
    """
    effect = content.effect
    if effect is None:
        return None
    cells: dict[tuple[str, TimePoint], dict[str, MapEffect]] = {}
    for one in effect.uptake:
        cells.setdefault((one.region, one.time_point), {})[one.attenuation_map] = one
    uptake = {(m.region, m.time_point): m for m in content.measurements if m.modality == "spect"}
    ratios = {(r.lesion, r.time_point): r.ratio.value for r in content.ratios if r.modality == "spect"}
    rows = []
    for key in sorted(cells, key=lambda key: (_place(content, key[0]), _ORDER.index(key[1]))):
        m, found = uptake[key], cells[key]
        mean = {name: percent(one.mean_change) for name, one in found.items()}
        ratio = {name: percent(one.ratio_change) for name, one in found.items()}
        rows.append(
            EffectRow(
                m.region,
                when(m.time_point, m.hours),
                number(m.mean.value),
                mean.get("as scanned", percent(float("nan"))),
                mean.get("none", percent(float("nan"))),
                number(ratios.get(key, float("nan"))),
                ratio.get("as scanned", percent(float("nan"))),
                ratio.get("none", percent(float("nan"))),
                m.unit,
            )
        )
    return EffectShown(_sentence(content, percent), tuple(rows))


def _place(content: ReportContent, region: str) -> int:
    return [one.name for one in content.regions].index(region)


def _sentence(content: ReportContent, percent: Callable[[float], str]) -> str:
    """Say plainly how much the metal's streaks matter here, and whether a flag hangs on them."""
    assert content.effect is not None
    scanned = [one for one in content.effect.uptake if one.attenuation_map == "as scanned"]
    parts = []
    for what, name in (("uptake", "mean_change"), ("ratio", "ratio_change")):
        known = [one for one in scanned if isfinite(getattr(one, name))]
        if known:
            most = max(known, key=lambda one: abs(getattr(one, name)))
            parts.append(f"{what} by at most {percent(getattr(most, name))} ({most.region}, {most.time_point})")
    text = "The attenuation map of the CT as scanned, in place of the metal-reduced one, changes " + " and ".join(parts)
    flags = [] if content.flag is None else [x for x in content.flag.lesions if x.dependence]
    if content.flag is None or not content.flag.lesions:
        return text + "."
    if not flags:
        return text + ". No flag depends on the attenuation map."
    names = ", ".join(x.lesion for x in flags)
    return text + f". The flag of {names} depends on the attenuation map, as the table of lesions tells."
