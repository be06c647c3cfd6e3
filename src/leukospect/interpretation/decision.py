"""From changes and ratios to a flag of each lesion and of the study."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from leukospect.interpretation.flag import FlagValue, LesionFlag, StudyFlag
from leukospect.interpretation.marrow import judge_by_marrow
from leukospect.interpretation.rule import Rule
from leukospect.quantification.intervals import draws
from leukospect.quantification.measurements import Change, Interval, Ratio, Region

_DRAWS, _SEED = 10_000, 20110701
# The study's flag is the first of these that any lesion has: nothing is negative while a lesion is not assessed.
_PRECEDENCE: tuple[FlagValue, ...] = ("positive", "equivocal", "not assessable", "negative")


def apply_rule(
    rule: Rule,
    changes: Sequence[Change],
    ratios: Sequence[Ratio],
    regions: Sequence[Region],
    marrow: Sequence[Ratio] = (),
) -> StudyFlag:
    """Flag every lesion and the study by a rule.

    Intervals are the total ones: counting statistics and what misalignment is expected to leave, as far as known.
    Of each lesion one change is judged: that between the rule's own two times in the first of its modalities that has
    it, else that from the fallback time. Then, in this order:

    1. No uptake: the ratio's whole interval at the later time lies at or below 1 + `no_uptake_margin`. Negative,
       since what does not take up more than its reference cannot be an infection that grows.
    2. The change's whole interval lies above the threshold: positive.
    3. It lies below minus the threshold: negative. Where the rule uses size and the size grew beyond the threshold,
       equivocal instead: a size without an interval may raise a doubt, but makes no lesion positive.
    4. Else, or where the interval is not known: equivocal.

    A rule that is a cut-off asks for the change alone: its whole interval above the threshold is positive, at or below
    it negative, and astride of it, or not known, equivocal.

    A rule with `ratio_above` asks whether the ratio at the later time exceeds that, and whether it rose: above and
    rising is infection of bone, above and not rising infection of soft tissue, both positive; not above and not rising
    is negative, not above and rising equivocal. Above with a course that is open is positive, of open kind; a ratio
    whose interval lies astride is equivocal.

    A rule with `marrow` compares leukocytes with a colloid: see `judge_by_marrow`.

    A study is positive if any lesion is, else equivocal if any is, else not assessable if any lesion is or there is
    none, else negative.

    Parameters
    ----------
    rule : Rule
    changes : sequence of Change
    ratios : sequence of Ratio
    regions : sequence of Region
        References are passed over.
    marrow : sequence of Ratio
        Of the colloid; empty without a marrow scan.
    """
    lesions = tuple(
        judge_by_marrow(rule, region, ratios, marrow) if rule.marrow else _judge_lesion(rule, region, changes, ratios)
        for region in regions
        if region.role == "lesion"
    )
    found = {lesion.flag for lesion in lesions}
    study: FlagValue = next((value for value in _PRECEDENCE if value in found), "not assessable")
    return StudyFlag(study, lesions, rule.name, _study_warnings(rule, lesions, changes))


def _judge_lesion(rule: Rule, region: Region, changes: Sequence[Change], ratios: Sequence[Ratio]) -> LesionFlag:
    change = _choose(rule, region.name, changes)
    if change is None:
        alone = _by_late_ratio(rule, region.name, ratios)
        if alone is not None:
            return alone
        return LesionFlag(region.name, "not assessable", "", "", "", math.nan, _why_not(rule, region, ratios))
    later = next(
        (
            r.total
            for r in ratios
            if (r.lesion, r.modality, r.time_point) == (region.name, change.modality, change.to_time)
        ),
        None,
    )
    finding, probability = "", probability_above(change, rule.threshold)
    if rule.ratio_above is None:
        flag, reason = _judge(rule, change, later)
    else:
        flag, finding, reason = _by_ratio(rule, rule.ratio_above, change, later)
        probability = _probability_of_ratio(later, rule.ratio_above)
    return LesionFlag(
        region.name,
        flag,
        change.modality,
        change.from_time,
        change.to_time,
        probability,
        reason + _from_fallback(rule, change),
        finding=finding,
    )


def _by_late_ratio(rule: Rule, lesion: str, ratios: Sequence[Ratio]) -> LesionFlag | None:
    """Say what a rule still can where only the later time was measured; None where it needs the course."""
    at_end = {r.modality: r for r in ratios if r.lesion == lesion and r.time_point == rule.to_time}
    measured = next((at_end[m] for m in rule.modalities if m in at_end and not math.isnan(at_end[m].total.low)), None)
    if measured is None or rule.cut_off:
        return None
    later = measured.total
    seen = f"The ratio is {later.value:.2f} ({later.low:.2f} to {later.high:.2f}) at the {rule.to_time} time"
    flag: FlagValue
    if rule.ratio_above is None:
        if later.high > 1 + rule.no_uptake_margin:
            return None
        flag, finding, probability = "negative", "", math.nan
        why = f"{seen}: no uptake above the reference."
    else:
        probability = _probability_of_ratio(later, rule.ratio_above)
        level = f"{rule.ratio_above:g}"
        if later.low > rule.ratio_above:
            flag, finding = "positive", "of bone or of soft tissue is open"
            why = f"{seen}. Above {level} and so is infection; its course is not known: {finding}."
        else:
            flag, finding = "equivocal", ""
            why = f"{seen}, and its course is not known. With the cut-off at {level} this leaves it open."
    return LesionFlag(lesion, flag, measured.modality, "", rule.to_time, probability, why, finding=finding)


def _choose(rule: Rule, lesion: str, changes: Sequence[Change]) -> Change | None:
    """Return the change the rule judges; the rule's own times come before its preferred modality."""
    defined = {
        (c.from_time, c.modality): c
        for c in changes
        if c.lesion == lesion and c.to_time == rule.to_time and not math.isnan(c.total.value)
    }
    times = (rule.from_time, rule.fallback_from_time)
    candidates = [defined[t, m] for t in times if t is not None for m in rule.modalities if (t, m) in defined]
    return candidates[0] if candidates else None


def _judge(rule: Rule, change: Change, later: Interval | None) -> tuple[FlagValue, str]:
    times = f"from {change.from_time} to {change.to_time}"
    if not rule.cut_off and later is not None and later.high <= 1 + rule.no_uptake_margin:
        return "negative", (
            f"No uptake above the reference at the {change.to_time} time: ratio {later.value:.2f} "
            f"({later.low:.2f} to {later.high:.2f})."
        )
    if math.isnan(change.total.low) or math.isnan(change.total.high):
        return (
            "equivocal",
            f"The ratio changed by {change.total.value:+.0%} {times}, but its uncertainty is not known.",
        )
    return _by_cut_off(rule, change, times) if rule.cut_off else _by_band(rule, change, times)


def _by_cut_off(rule: Rule, change: Change, times: str) -> tuple[FlagValue, str]:
    measured, cut_off = _in_words(change, times), f"{rule.threshold:.0%}"
    if change.total.low > rule.threshold:
        return "positive", f"The ratio grew {measured}, more than {cut_off} with its whole interval."
    if change.total.high <= rule.threshold:
        return "negative", f"The ratio changed {measured}, not more than {cut_off} with its whole interval."
    return "equivocal", f"The ratio changed {measured}, and the interval lies astride of the cut-off of {cut_off}."


def _by_band(rule: Rule, change: Change, times: str) -> tuple[FlagValue, str]:
    measured, band = _in_words(change, times), f"{rule.threshold:.0%}"
    if change.total.low > rule.threshold:
        return "positive", f"The ratio grew {measured}, more than {band} with its whole interval."
    if change.total.high < -rule.threshold:
        if rule.uses_size and change.size_change > rule.threshold:
            return "equivocal", f"The ratio fell {measured}, but the size grew by {change.size_change:+.0%}."
        return "negative", f"The ratio fell {measured}, more than {band} with its whole interval."
    return "equivocal", f"The ratio changed {measured}, which is not beyond {band} either way with its whole interval."


def _by_ratio(rule: Rule, level: float, change: Change, later: Interval | None) -> tuple[FlagValue, str, str]:
    """Give the flag, what the rule calls it, and why."""
    if later is None or math.isnan(later.low) or math.isnan(later.high):
        return "equivocal", "", f"The ratio at the {change.to_time} time is not known with its uncertainty."
    rose, held = change.total.low > rule.threshold, change.total.high <= rule.threshold
    course = "it rose" if rose else "it did not rise" if held else "whether it rose is open"
    seen = (
        f"The ratio is {later.value:.2f} ({later.low:.2f} to {later.high:.2f}) at the {change.to_time} time, and "
        f"{course}: {_in_words(change, f'from {change.from_time}')}"
    )
    if later.low > level:
        kind = "osteomyelitis" if rose else "soft tissue infection" if held else "of bone or of soft tissue is open"
        return "positive", kind, f"{seen}. Above {level:g} and so is infection; by its course: {kind}."
    if later.high <= level and held:
        return "negative", "no infection", f"{seen}. It is not above {level:g} and does not grow."
    return "equivocal", "", f"{seen}. With the cut-off at {level:g} this leaves it open."


def _probability_of_ratio(ratio: Interval | None, level: float) -> float:
    samples = np.empty(0) if ratio is None else draws(ratio, _DRAWS, _SEED)
    return float(np.mean(samples > level)) if samples.size else math.nan


def _in_words(change: Change, times: str) -> str:
    if math.isinf(change.total.value):
        return f"from none seen (by more than {change.total.low:+.0%}) {times}"
    return f"by {change.total.value:+.0%} ({change.total.low:+.0%} to {change.total.high:+.0%}) {times}"


def probability_above(change: Change, threshold: float) -> float:
    """Return P(change > threshold) from the change's samples; NaN without any."""
    if not change.samples:
        return math.nan
    return float(np.mean(np.asarray(change.samples) > threshold))


def _from_fallback(rule: Rule, change: Change) -> str:
    return "" if change.from_time == rule.from_time else f" At the rule's own {rule.from_time} time no ratio is known."


def _why_not(rule: Rule, region: Region, ratios: Sequence[Ratio]) -> str:
    if not region.reference:
        return "It has no reference region to be compared with."
    measured = {r.time_point for r in ratios if r.lesion == region.name and r.modality in rule.modalities}
    if rule.to_time not in measured:
        return f"It was not measured at the {rule.to_time} time."
    if not measured & {rule.from_time, rule.fallback_from_time}:
        return f"It was measured at the {rule.to_time} time only; a change needs the {rule.from_time} time as well."
    return "Its ratio is not defined at both times of one modality, as where no counts were seen."


def _study_warnings(rule: Rule, lesions: Sequence[LesionFlag], changes: Sequence[Change]) -> tuple[str, ...]:
    warnings = []
    if not lesions:
        warnings.append("No region of a lesion lies on an image that is measured, so the rule had nothing to judge.")
    fallback = [x.lesion for x in lesions if x.from_time and x.from_time != rule.from_time]
    if fallback:
        warnings.append(
            f"The change of {_names(fallback)} is from the {rule.fallback_from_time} time, not from the "
            f"{rule.from_time} time that rule '{rule.name}' stands on; published figures do not hold for it."
        )
    earlier = [x.lesion for x in lesions if rule.marrow and x.to_time and x.to_time != rule.to_time]
    if earlier:
        warnings.append(
            f"{_names(earlier)} was judged by the leukocytes of the {rule.from_time} time, not of the {rule.to_time} "
            f"time that rule '{rule.name}' stands on; published figures do not hold for it."
        )
    disagreeing = [
        x.lesion
        for x in lesions
        for c in changes
        if c.disagreement
        and (c.lesion, c.modality, c.from_time, c.to_time) == (x.lesion, x.modality, x.from_time, x.to_time)
    ]
    if disagreeing:
        warnings.append(
            f"The ratio and the lesion's own uptake of {_names(disagreeing)} change in opposite directions: the "
            "reference changed more than the lesion did."
        )
    return tuple(warnings)


def _names(lesions: Sequence[str]) -> str:
    return ", ".join(f"'{name}'" for name in lesions)
