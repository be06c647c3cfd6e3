"""Leukocytes against a marrow colloid in one place: what takes up both is marrow, what takes up cells alone is not."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from leukospect.interpretation.flag import FlagValue, LesionFlag
from leukospect.interpretation.rule import Rule
from leukospect.quantification.intervals import draws, quotient
from leukospect.quantification.measurements import Interval, Ratio, Region, TimePoint

_DRAWS, _SEED = 10_000, 20040607


@dataclass(frozen=True, slots=True)
class Discordance:
    """Leukocytes and colloid of a lesion over one reference, in one modality, and the one over the other.

    `time_point` is the leukocytes'.
    """

    lesion: str
    reference: str
    modality: str
    time_point: TimePoint
    leukocytes: Interval
    colloid: Interval
    leukocytes_over_colloid: Interval


def discordances(ratios: Sequence[Ratio], marrow: Sequence[Ratio]) -> tuple[Discordance, ...]:
    """Compare every ratio of the leukocytes with that of the colloid in the same lesion and modality."""
    colloid = {(r.lesion, r.modality): r.total for r in marrow}
    return tuple(
        Discordance(r.lesion, r.reference, r.modality, r.time_point, r.total, other, discordance(r.total, other))
        for r in ratios
        for other in [colloid.get((r.lesion, r.modality))]
        if other is not None
    )


def judge_by_marrow(rule: Rule, region: Region, ratios: Sequence[Ratio], marrow: Sequence[Ratio]) -> LesionFlag:
    """Flag one lesion by its leukocytes and its colloid, each over the same reference.

    Their quotient is judged in the first of the rule's modalities that has both, at the rule's later time, else at its
    earlier one. In this order:

    1. No uptake: the leukocytes' whole interval lies at or below 1 + `no_uptake_margin`. Negative.
    2. The whole interval of the quotient lies above 1 + `threshold`: leukocytes without corresponding colloid,
       incongruent. Positive, where the leukocytes' whole interval lies above 1 + `no_uptake_margin` as well.
    3. It lies at or below 1 + `threshold`: congruent. Negative.
    4. Else, or where an interval is not known: equivocal.

    Parameters
    ----------
    rule : Rule
        One with `marrow`.
    region : Region
    ratios, marrow : sequence of Ratio
        Of the leukocytes, and of the colloid.
    """
    pair = _pair(rule, region.name, ratios, marrow)
    if pair is None:
        return LesionFlag(region.name, "not assessable", "", "", "", math.nan, _why_not(rule, region, ratios, marrow))
    cells, colloid = pair
    over = discordance(cells.total, colloid.total)
    flag, finding, why = _judge(rule, cells.total, over)
    seen = (
        f"Over {region.reference} the leukocytes ({cells.time_point}) are {_in_words(cells.total)}, the colloid "
        f"{_in_words(colloid.total)}; the one over the other {_in_words(over)}"
    )
    return LesionFlag(
        region.name,
        flag,
        cells.modality,
        "",
        cells.time_point,
        _probability(over, 1.0 + rule.threshold),
        f"{seen}. {why}",
        finding=finding,
    )


def discordance(cells: Interval, colloid: Interval) -> Interval:
    """Divide the leukocytes' ratio by the colloid's; a bound from below where hardly any colloid was counted."""
    if colloid.value == 0 and 0 < colloid.high < math.inf and cells.low > 0:
        return Interval(math.inf, cells.low / colloid.high, math.inf, math.nan)
    return quotient(cells, colloid)


def _pair(rule: Rule, lesion: str, ratios: Sequence[Ratio], marrow: Sequence[Ratio]) -> tuple[Ratio, Ratio] | None:
    """Find leukocytes and colloid in one modality; of several colloid scans the last is taken."""
    cells = {(r.time_point, r.modality): r for r in ratios if r.lesion == lesion and not math.isnan(r.ratio.value)}
    colloid = {r.modality: r for r in marrow if r.lesion == lesion and not math.isnan(r.ratio.value)}
    for time in (rule.to_time, rule.from_time):
        for modality in rule.modalities:
            if (time, modality) in cells and modality in colloid:
                return cells[time, modality], colloid[modality]
    return None


def _judge(rule: Rule, cells: Interval, over: Interval) -> tuple[FlagValue, str, str]:
    """Give the flag, what the rule calls it, and why."""
    level = 1.0 + rule.threshold
    if cells.high <= 1.0 + rule.no_uptake_margin:
        return "negative", "no uptake", "There is no uptake of leukocytes above the reference."
    if math.isnan(over.low) or math.isnan(over.high):
        return "equivocal", "", "Their uncertainty is not known."
    if over.high <= level:
        return "negative", "congruent", f"Not above {level:g} with the whole interval: congruent, as marrow is."
    if over.low > level and cells.low > 1.0 + rule.no_uptake_margin:
        return "positive", "incongruent", f"Above {level:g} with the whole interval: leukocytes where marrow is not."
    return "equivocal", "", f"With the level at {level:g} the intervals leave it open."


def _probability(over: Interval, level: float) -> float:
    samples = draws(over, _DRAWS, _SEED)
    return float(np.mean(samples > level)) if samples.size else math.nan


def _in_words(interval: Interval) -> str:
    value = "beyond counting" if math.isinf(interval.value) else f"{interval.value:.2f}"
    return f"{value} ({interval.low:.2f} to {interval.high:.2f})"


def _why_not(rule: Rule, region: Region, ratios: Sequence[Ratio], marrow: Sequence[Ratio]) -> str:
    if not region.reference:
        return "It has no reference region to be compared with."
    if not marrow:
        return "There is no marrow scan to compare it with."
    if not any(r.lesion == region.name for r in marrow):
        return "It was not measured in the marrow scan."
    if not any(r.lesion == region.name and r.time_point in (rule.from_time, rule.to_time) for r in ratios):
        return f"Its leukocytes were not measured at the {rule.to_time} time."
    return "Leukocytes and colloid were not measured in images of one kind."
