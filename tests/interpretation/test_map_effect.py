"""Another attenuation map: its changes are those that were made, and a flag that hangs on it is marked."""

from __future__ import annotations

import math

import numpy as np
import pytest

from leukospect.interpretation.flag import FlagValue, LesionFlag, OtherMap, StudyFlag
from leukospect.interpretation.map_effect import AttenuationEffect, effect_of_maps, mark_dependence
from leukospect.interpretation.rules import apply_rule, load_rule
from leukospect.quantification.comparison import all_changes, all_ratios
from leukospect.quantification.intervals import resampled_interval
from leukospect.quantification.measurements import Measurement, TimePoint
from leukospect.quantification.spect import SpectSamples
from tests.quantification.making import HOURS, planar_measurement, region

REGIONS = (
    region("screw", reference="muscle"),
    region("nail", reference="muscle", label=2),
    region("muscle", "reference", label=3),
)
NAMES = [one.name for one in REGIONS]
Uptake = dict[TimePoint, tuple[float, float, float]]
REDUCED: Uptake = {"delayed": (4.0, 6.0, 2.0), "late": (6.0, 6.0, 2.0)}
RULE = load_rule("visual-increase")


def drawn(uptake: Uptake) -> dict[TimePoint, SpectSamples]:
    """Resampled means: 2 % of spread, independent by region."""
    rng = np.random.default_rng(3)
    return {
        t: SpectSamples(tuple(NAMES), np.array(v) * np.exp(0.02 * rng.normal(size=(8, 3)))) for t, v in uptake.items()
    }


def measured(uptake: Uptake, samples: dict[TimePoint, SpectSamples]) -> list[Measurement]:
    return [
        Measurement(
            name, time, HOURS[time], "spect", "counts/s/mL", resampled_interval(value, samples[time].of(name)),
            value, None, value, 5.0, "mL",
        )
        for time, values in uptake.items()
        for name, value in zip(NAMES, values, strict=True)
    ]  # fmt: skip


def effect(scanned: Uptake, none: Uptake | None = None) -> tuple[StudyFlag, AttenuationEffect]:
    samples = drawn(REDUCED)
    corrected = measured(REDUCED, samples)
    others: dict[OtherMap, list[Measurement]] = {"as scanned": measured(scanned, samples)}
    if none is not None:
        others["none"] = measured(none, samples)
    ratios = all_ratios(corrected, REGIONS, samples)
    flag = apply_rule(RULE, all_changes(ratios, corrected), ratios, REGIONS)
    found = effect_of_maps(corrected, others, REGIONS, samples, RULE)
    return mark_dependence(flag, found.flags), found


def test_changes_are_relative_to_the_corrected_map() -> None:
    scanned: Uptake = {"delayed": (4.0, 6.0, 2.0), "late": (4.8, 6.0, 2.5)}
    _, found = effect(scanned)
    rows = {(one.region, one.time_point): one for one in found.uptake}
    late = rows["screw", "late"]
    assert late.attenuation_map == "as scanned"
    assert late.mean_change == pytest.approx(-0.2)
    assert late.ratio_change == pytest.approx(0.8 / 1.25 - 1)
    assert rows["nail", "late"].ratio_change == pytest.approx(1 / 1.25 - 1)
    assert rows["muscle", "late"].mean_change == pytest.approx(0.25)
    assert math.isnan(rows["muscle", "late"].ratio)
    assert rows["screw", "delayed"].mean_change == rows["screw", "delayed"].ratio_change == 0.0
    assert len(found.uptake) == 6


def test_intervals_are_as_wide_relative_to_their_value_as_with_the_corrected_map() -> None:
    tripled: Uptake = {time: (values[0] * 3, values[1], values[2]) for time, values in REDUCED.items()}
    samples = drawn(REDUCED)
    ratios = [all_ratios(measured(uptake, samples), REGIONS, samples) for uptake in (REDUCED, tripled)]
    for before, after in zip(*ratios, strict=True):
        factor = 3.0 if before.lesion == "screw" else 1.0
        for limit in ("value", "low", "high", "standard_deviation"):
            assert getattr(after.ratio, limit) == pytest.approx(factor * getattr(before.ratio, limit))


def test_a_flag_that_another_map_turns_is_marked_and_stays() -> None:
    fallen: Uptake = {"delayed": (4.0, 6.0, 2.0), "late": (3.0, 6.0, 2.0)}
    flag, _ = effect(fallen, REDUCED)
    screw, nail = flag.lesions
    assert (screw.flag, flag.flag) == ("positive", "positive")
    assert {one.attenuation_map: one.flag for one in screw.with_other_maps} == {
        "as scanned": "negative", "none": "positive",
    }  # fmt: skip
    assert screw.dependence == (
        "Depends on the attenuation map: positive with the metal-reduced CT, negative with the CT as scanned."
    )
    assert nail.flag == "equivocal"
    assert nail.dependence == ""
    assert flag.dependence.endswith("equivocal with the CT as scanned.")
    [warning] = flag.warnings
    assert warning == (
        "A flag depends on the attenuation map: 'screw' is positive with the metal-reduced CT, negative with the CT as "
        "scanned. The study is positive with the metal-reduced CT, equivocal with the CT as scanned."
    )


def test_flags_that_no_map_turns_are_not_marked() -> None:
    little: Uptake = {"delayed": (3.9, 5.9, 2.0), "late": (5.9, 5.9, 2.0)}
    flag, _ = effect(little, REDUCED)
    assert flag.flag == "positive"
    assert flag.warnings == ()
    assert flag.dependence == ""
    assert all(lesion.dependence == "" and len(lesion.with_other_maps) == 2 for lesion in flag.lesions)


def test_several_flags_are_told_in_one_warning() -> None:
    def study(*flags: FlagValue) -> StudyFlag:
        lesions = tuple(LesionFlag(n, f, "spect", "delayed", "late", 0.5, "") for n, f in zip("ab", flags, strict=True))
        return StudyFlag("positive", lesions, "a-rule", ("Before.",))

    marked = mark_dependence(study("positive", "negative"), {"none": study("equivocal", "positive")})
    assert marked.warnings == (
        "Before.",
        "A flag depends on the attenuation map: 'a' is positive with the metal-reduced CT, equivocal without "
        "attenuation correction; 'b' is negative with the metal-reduced CT, positive without attenuation correction.",
    )


def test_a_flag_from_planar_views_depends_on_no_map() -> None:
    samples = drawn(REDUCED)
    spect = [m for m in measured(REDUCED, samples) if m.time_point == "late"]
    counts: Uptake = {"delayed": (20_000, 9_000, 10_000), "late": (30_000, 9_000, 10_000)}
    planar = [
        planar_measurement(name, time, value)
        for time, values in counts.items()
        for name, value in zip(NAMES, values, strict=True)
    ]
    fallen = [m for m in measured({"late": (2.0, 2.0, 2.0)}, samples) if m.time_point == "late"]
    found = effect_of_maps([*spect, *planar], {"as scanned": fallen}, REGIONS, samples, RULE)
    assert [x.flag for x in found.flags["as scanned"].lesions] == ["positive", "negative"]
    assert {one.region for one in found.uptake} == set(NAMES)
    assert found.changes["as scanned"] == ()
