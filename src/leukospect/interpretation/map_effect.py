"""What another attenuation map, or none, makes of uptake, ratios and flags: the CT's metal must not decide in silence.

Uptake is measured in the same regions of the same counts; only the map differs. The noise is that of the counts, so
each ratio has the relative interval that resampling gave with the corrected map, and the rule is applied as it stands.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import isfinite, nan

from leukospect.interpretation.decision import apply_rule
from leukospect.interpretation.flag import FlagValue, FlagWithMap, OtherMap, StudyFlag
from leukospect.interpretation.rule import Rule
from leukospect.quantification.comparison import Deviations, all_changes, all_ratios
from leukospect.quantification.measurements import Change, Measurement, Ratio, Region, TimePoint
from leukospect.quantification.spect import SpectSamples

WITH_MAP: Mapping[OtherMap, str] = {"as scanned": "with the CT as scanned", "none": "without attenuation correction"}
WITH_CORRECTED = "with the metal-reduced CT"


@dataclass(frozen=True, slots=True)
class MapEffect:
    """One region's uptake at one time with another attenuation map, and how it differs from the corrected map's.

    Parameters
    ----------
    region, time_point, hours, unit
        As in `Measurement`.
    attenuation_map : OtherMap
    mean : float
        Mean uptake, decay-corrected as that with the corrected map.
    mean_change : float
        `mean` over that with the corrected map, minus 1: 0.1 is a tenth more. NaN where that is zero.
    ratio, ratio_change : float
        The same of the ratio to the reference; NaN for a region that has none.
    """

    region: str
    time_point: TimePoint
    hours: float
    unit: str
    attenuation_map: OtherMap
    mean: float
    mean_change: float
    ratio: float
    ratio_change: float


@dataclass(frozen=True, slots=True)
class AttenuationEffect:
    """What was found with each other attenuation map.

    Parameters
    ----------
    uptake : tuple of MapEffect
        Every region, time and map.
    changes : mapping of OtherMap to tuple of Change
        Between two times in SPECT, with the corrected map's relative intervals.
    flags : mapping of OtherMap to StudyFlag
    """

    uptake: tuple[MapEffect, ...]
    changes: Mapping[OtherMap, tuple[Change, ...]]
    flags: Mapping[OtherMap, StudyFlag]


def effect_of_maps(
    measurements: Sequence[Measurement],
    others: Mapping[OtherMap, Sequence[Measurement]],
    regions: Sequence[Region],
    samples: Mapping[TimePoint, SpectSamples],
    rule: Rule,
    *,
    only_ratios: Sequence[str] = (),
    marrow: Sequence[Ratio] = (),
    deviations: Deviations | None = None,
) -> AttenuationEffect:
    """Compare uptake and ratios, and apply the rule to what each map gives.

    Parameters
    ----------
    measurements : sequence of Measurement
        With the corrected map; those that are no SPECT hold with every map.
    others : mapping of OtherMap to sequence of Measurement
        The same regions and times in SPECT with another map.
    regions : sequence of Region
    samples : mapping
        Resampled means with the corrected map; their spread, relative to the mean, is taken for every map.
    rule : Rule
    only_ratios : sequence of str
        As in `all_changes`.
    marrow : sequence of Ratio
        Of a marrow scan, whose own map stays as it is.
    deviations : mapping or None
        As in `all_ratios`; they hold with every map.
    """
    corrected = all_ratios(measurements, regions, samples, deviations)
    unlike = [m for m in measurements if m.modality != "spect"]
    uptake: tuple[MapEffect, ...] = ()
    changes: dict[OtherMap, tuple[Change, ...]] = {}
    flags: dict[OtherMap, StudyFlag] = {}
    for name, measured in others.items():
        everything = [*measured, *unlike]
        ratios = all_ratios(everything, regions, samples, deviations)
        found = all_changes(ratios, everything, only_ratios=only_ratios)
        uptake += _compared(name, measurements, measured, corrected, ratios)
        changes[name] = tuple(change for change in found if change.modality == "spect")
        flags[name] = apply_rule(rule, found, ratios, regions, marrow)
    return AttenuationEffect(uptake, changes, flags)


def _compared(
    name: OtherMap,
    corrected: Sequence[Measurement],
    measured: Sequence[Measurement],
    corrected_ratios: Sequence[Ratio],
    ratios: Sequence[Ratio],
) -> tuple[MapEffect, ...]:
    before = {(m.region, m.time_point): m.mean.value for m in corrected if m.modality == "spect"}
    ratio_before, ratio = (
        {(r.lesion, r.time_point): r.ratio.value for r in each if r.modality == "spect"}
        for each in (corrected_ratios, ratios)
    )
    rows = []
    for m in measured:
        key = m.region, m.time_point
        own = ratio.get(key, nan)
        changes = _relative(m.mean.value, before[key]), _relative(own, ratio_before.get(key, nan))
        rows.append(MapEffect(*key, m.hours, m.unit, name, m.mean.value, changes[0], own, changes[1]))
    return tuple(rows)


def _relative(value: float, to: float) -> float:
    return value / to - 1.0 if isfinite(value) and isfinite(to) and to > 0 else nan


def mark_dependence(flag: StudyFlag, others: Mapping[OtherMap, StudyFlag]) -> StudyFlag:
    """Mark every flag that is another one with another map; no flag changes.

    Parameters
    ----------
    flag : StudyFlag
        With the corrected map: the answer.
    others : mapping of OtherMap to StudyFlag
        Of the same regions.

    Returns
    -------
    StudyFlag
        With `with_other_maps` and `dependence` filled in, and one more warning where any flag depends on the map.
    """
    lesions = []
    for number, lesion in enumerate(flag.lesions):
        with_maps = tuple(
            FlagWithMap(name, each.flag, each.probability, each.reason)
            for name, each in ((name, other.lesions[number]) for name, other in others.items())
        )
        told = _dependence(lesion.flag, with_maps)
        lesions.append(replace(lesion, with_other_maps=with_maps, dependence=told))
    of_study = tuple(FlagWithMap(name, other.flag) for name, other in others.items())
    told = _dependence(flag.flag, of_study)
    dependent = [
        (lesion.lesion, _in_words(lesion.flag, lesion.with_other_maps)) for lesion in lesions if lesion.dependence
    ]
    warnings = flag.warnings
    if dependent:
        which = "; ".join(f"'{name}' is {words}" for name, words in dependent)
        study = f" The study is {_in_words(flag.flag, of_study)}." if told else ""
        warnings += (f"A flag depends on the attenuation map: {which}.{study}",)
    return replace(flag, lesions=tuple(lesions), warnings=warnings, with_other_maps=of_study, dependence=told)


def _dependence(flag: FlagValue, with_maps: Sequence[FlagWithMap]) -> str:
    words = _in_words(flag, with_maps)
    return f"Depends on the attenuation map: {words}." if words else ""


def _in_words(flag: FlagValue, with_maps: Sequence[FlagWithMap]) -> str:
    """Say with which maps the flag is another; nothing where it is the same with all."""
    unlike = [f"{one.flag} {WITH_MAP[one.attenuation_map]}" for one in with_maps if one.flag != flag]
    return ", ".join([f"{flag} {WITH_CORRECTED}", *unlike]) if unlike else ""
