"""Rules: lesions built to grow, to stay and to fall are flagged as built."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from leukospect.errors import ProtocolError
from leukospect.interpretation.flag import StudyFlag
from leukospect.interpretation.rule import Rule
from leukospect.interpretation.rules import apply_rule, load_rule, rule_names
from leukospect.quantification.comparison import all_changes, all_ratios
from leukospect.quantification.intervals import unknown
from leukospect.quantification.measurements import Change, Measurement, Ratio, Region, TimePoint
from tests.quantification.making import planar_measurement, region

Counts = dict[TimePoint, float]
REFERENCE: Counts = {"early": 10_000, "delayed": 10_000, "late": 10_000}
REGIONS = (region("plate", reference="marrow"), region("marrow", "reference", label=2))


def judged(
    lesion: Counts, reference: Counts = REFERENCE, sizes: tuple[float, float] = (4.0, 4.0), rule: Rule | None = None
) -> StudyFlag:
    return apply_rule(rule or load_rule("visual-increase"), *compared(lesion, reference, sizes), REGIONS)


def compared(
    lesion: Counts, reference: Counts = REFERENCE, sizes: tuple[float, float] = (4.0, 4.0)
) -> tuple[tuple[Change, ...], tuple[Ratio, ...]]:
    measurements: list[Measurement] = [planar_measurement("marrow", time, reference[time]) for time in lesion]
    measurements += [
        planar_measurement("plate", time, counts, size=sizes[time == "late"]) for time, counts in lesion.items()
    ]
    ratios = all_ratios(measurements, REGIONS)
    return all_changes(ratios, measurements), ratios


@pytest.mark.parametrize(
    ("delayed", "late", "expected"),
    [
        (20_000, 30_000, "positive"),
        (20_000, 22_400, "equivocal"),  # grown by 12 %, but the interval reaches into the band
        (20_000, 20_200, "equivocal"),
        (20_000, 17_700, "equivocal"),
        (30_000, 20_000, "negative"),
    ],
)
def test_a_lesion_is_flagged_as_it_was_built(delayed: float, late: float, expected: str) -> None:
    flag = judged({"delayed": delayed, "late": late})
    assert flag.flag == expected
    (lesion,) = flag.lesions
    assert (lesion.from_time, lesion.to_time, lesion.modality) == ("delayed", "late", "planar anterior")
    assert 0 <= lesion.probability <= 1
    assert flag.rule == "visual-increase"


def test_the_interval_decides_not_the_value() -> None:
    assert judged({"delayed": 20_000, "late": 30_000}).flag == "positive"
    few = judged({"delayed": 20, "late": 30}, {"early": 10, "delayed": 10, "late": 10})
    assert few.flag == "equivocal"
    assert 0.3 < few.lesions[0].probability < 0.95


def test_no_uptake_above_the_reference_is_negative_even_where_the_ratio_grew() -> None:
    flag = judged({"delayed": 5_000, "late": 9_000})
    assert flag.flag == "negative"
    assert "No uptake" in flag.lesions[0].reason


def test_few_counts_do_not_prove_that_there_is_no_uptake() -> None:
    few: Counts = {"early": 10, "delayed": 10, "late": 10}
    assert judged({"delayed": 10, "late": 10}, few).flag == "equivocal"


def test_a_growing_size_raises_a_doubt_but_no_flag() -> None:
    fallen: Counts = {"delayed": 30_000, "late": 20_000}
    stable: Counts = {"delayed": 20_000, "late": 20_000}
    with_size = replace(load_rule("visual-increase"), uses_size=True)
    assert judged(fallen, sizes=(4.0, 6.0), rule=with_size).flag == "equivocal"
    assert judged(stable, sizes=(4.0, 8.0), rule=with_size).flag == "equivocal"


def test_size_is_not_judged_while_noise_alone_makes_it_grow() -> None:
    assert judged({"delayed": 30_000, "late": 20_000}, sizes=(4.0, 6.0)).flag == "negative"


def test_the_early_time_is_a_recorded_fallback() -> None:
    flag = judged({"early": 20_000, "late": 30_000})
    assert flag.flag == "positive"
    assert flag.lesions[0].from_time == "early"
    assert any("early" in warning and "published figures" in warning for warning in flag.warnings)
    both = judged({"early": 20_000, "delayed": 30_000, "late": 30_000})
    assert both.lesions[0].from_time == "delayed"
    assert both.warnings == ()


def test_the_rule_s_times_come_before_its_preferred_modality() -> None:
    changes, ratios = compared({"early": 20_000, "delayed": 20_000, "late": 30_000})
    spect = [replace(c, modality="spect") for c in changes if c.from_time == "early"]
    (lesion,) = apply_rule(load_rule("visual-increase"), [*changes, *spect], ratios, REGIONS).lesions
    assert (lesion.from_time, lesion.modality) == ("delayed", "planar anterior")
    spect = [replace(c, modality="spect") for c in changes]
    (lesion,) = apply_rule(load_rule("visual-increase"), [*changes, *spect], ratios, REGIONS).lesions
    assert (lesion.from_time, lesion.modality) == ("delayed", "spect")


def test_a_lesion_without_the_late_time_is_not_assessable() -> None:
    flag = judged({"early": 20_000, "delayed": 30_000})
    assert flag.flag == "not assessable"
    assert "late" in flag.lesions[0].reason
    assert math.isnan(flag.lesions[0].probability)
    assert "delayed" in judged({"late": 30_000}).lesions[0].reason


def test_a_lesion_without_reference_is_not_assessable() -> None:
    flag = apply_rule(load_rule("visual-increase"), (), (), (region("plate"),))
    assert flag.flag == "not assessable"
    assert "no reference" in flag.lesions[0].reason


def test_a_change_without_interval_is_equivocal() -> None:
    changes, ratios = compared({"delayed": 20_000, "late": 40_000})
    bare = [replace(c, change=unknown(c.change.value), samples=()) for c in changes]
    flag = apply_rule(load_rule("visual-increase"), bare, ratios, REGIONS)
    assert flag.flag == "equivocal"
    assert "uncertainty is not known" in flag.lesions[0].reason
    assert math.isnan(flag.lesions[0].probability)


def test_a_disagreement_with_the_lesion_s_own_change_is_told() -> None:
    flag = judged({"delayed": 20_000, "late": 15_000}, {"delayed": 10_000, "late": 5_000})
    assert flag.flag == "positive"
    assert any("opposite directions" in warning for warning in flag.warnings)


@pytest.mark.parametrize(
    ("others", "expected"),
    [
        (("positive", "negative"), "positive"),
        (("negative", "negative"), "negative"),
        (("negative", "equivocal"), "equivocal"),
        (("negative", "not assessable"), "not assessable"),
        (("positive", "not assessable"), "positive"),
    ],
)
def test_a_study_is_positive_if_any_lesion_is(others: tuple[str, str], expected: str) -> None:
    late = {"positive": 30_000, "negative": 10_000, "equivocal": 20_000}
    changes: list[Change] = []
    ratios: list[Ratio] = []
    regions: list[Region] = []
    for number, wanted in enumerate(others):
        name = f"lesion {number}"
        regions.append(region(name, reference="marrow", label=number + 1))
        if wanted in late:
            these, those = compared({"delayed": 20_000, "late": late[wanted]})
            changes += [replace(c, lesion=name) for c in these]
            ratios += [replace(r, lesion=name) for r in those]
    assert apply_rule(load_rule("visual-increase"), changes, ratios, regions).flag == expected


def test_no_lesion_at_all_is_not_a_negative_study() -> None:
    flag = apply_rule(load_rule("visual-increase"), (), (), (region("marrow", "reference"),))
    assert flag.flag == "not assessable"
    assert flag.lesions == ()
    assert "nothing to judge" in flag.warnings[0]


def test_every_shipped_rule_loads_and_names_its_source() -> None:
    assert "visual-increase" in rule_names()
    for name in rule_names():
        rule = load_rule(name)
        assert rule.name == name
        assert rule.source
    evidence = load_rule("visual-increase").evidence
    assert "Erba" in evidence
    assert "\n" not in evidence


def test_wrong_rules_are_refused() -> None:
    good: dict[str, object] = {
        "name": "x",
        "title": "x",
        "from_time": "delayed",
        "to_time": "late",
        "modalities": ["spect"],
        "threshold": 0.1,
        "source": "somebody",
        "evidence": "",
    }
    assert Rule.from_table(good).threshold == 0.1
    for change, message in (
        ({"treshold": 0.2}, "unknown key 'treshold'"),
        ({"to_time": "delayed"}, "two different times"),
        ({"modalities": ["mri"]}, "needs modalities"),
        ({"threshold": "10 %"}, "threshold must be a number"),
        ({"threshold": 10}, "to below 1"),
        ({"source": " "}, "names no source"),
        ({"uses_size": 1}, "true or false"),
    ):
        with pytest.raises(ProtocolError, match=message):
            Rule.from_table({**good, **change})
    del good["source"]
    with pytest.raises(ProtocolError, match="lacks the key 'source'"):
        Rule.from_table(good)
    with pytest.raises(ProtocolError, match="no rule 'gut-feeling'"):
        load_rule("gut-feeling")


@pytest.mark.parametrize(("name", "threshold"), [("ratio-increase-10", 0.1), ("ratio-increase-20", 0.2),
                                                 ("ratio-increase-30", 0.3)])  # fmt: skip
class TestCutOffs:
    """Published cut-offs: above is positive, at or below negative, and an interval astride leaves it open."""

    def test_each_side_of_the_cut_off(self, name: str, threshold: float) -> None:
        rule = load_rule(name)
        above, below = (1e6 * (1.0 + threshold + by) for by in (0.05, -0.05))
        reference: Counts = {"delayed": 1e6, "late": 1e6}
        assert judged({"delayed": 1e6, "late": above}, reference, rule=rule).flag == "positive"
        assert judged({"delayed": 1e6, "late": below}, reference, rule=rule).flag == "negative"
        astride = judged({"delayed": 400, "late": 400 * (1.0 + threshold)}, reference, rule=rule)
        assert astride.flag == "equivocal"
        assert 0.2 < astride.lesions[0].probability < 0.8

    def test_growth_alone_counts_and_not_whether_the_ratio_exceeds_one(self, name: str, threshold: float) -> None:
        reference: Counts = {"delayed": 1e6, "late": 1e6}
        faint = judged({"delayed": 2e5, "late": 2e5 * (1.1 + threshold)}, reference, rule=load_rule(name))
        assert faint.flag == "positive"

    def test_its_figures_are_published(self, name: str, threshold: float) -> None:
        rule = load_rule(name)
        assert rule.threshold == pytest.approx(threshold)
        # 18 infected of 66: what the printed percentages must be multiples of.
        for figure, of in ((rule.sensitivity, 18), (rule.specificity, 48), (rule.accuracy, 66)):
            assert figure is not None
            patients = figure / 100 * of
            assert patients == pytest.approx(round(patients), abs=0.05)


def test_a_cut_off_that_also_asks_for_size_is_refused() -> None:
    with pytest.raises(ProtocolError, match="cut-off"):
        replace(load_rule("ratio-increase-20"), uses_size=True)


@pytest.mark.parametrize(
    ("delayed", "late", "flag", "finding"),
    [
        (2.4, 3.0, "positive", "osteomyelitis"),
        (3.0, 2.6, "positive", "soft tissue infection"),
        (1.8, 1.5, "negative", "no infection"),
        (1.2, 1.6, "equivocal", ""),
    ],
)
def test_the_diabetic_foot_s_table(delayed: float, late: float, flag: str, finding: str) -> None:
    reference: Counts = {"delayed": 1e6, "late": 1e6}
    found = judged({"delayed": 1e6 * delayed, "late": 1e6 * late}, reference, rule=load_rule("diabetic-foot"))
    (lesion,) = found.lesions
    assert (found.flag, lesion.finding) == (flag, finding)
    assert lesion.probability == pytest.approx(float(late > 2.0), abs=0.01)


def test_a_foot_s_ratio_astride_of_two_is_open_and_so_may_be_its_course() -> None:
    rule = load_rule("diabetic-foot")
    astride = judged({"delayed": 700, "late": 1010}, {"delayed": 500, "late": 500}, rule=rule)
    assert astride.flag == "equivocal"
    assert 0.4 < astride.lesions[0].probability < 0.7
    course = judged({"delayed": 3010, "late": 3000}, {"delayed": 1000, "late": 1000}, rule=rule)
    assert course.flag == "positive"
    assert course.lesions[0].finding == "of bone or of soft tissue is open"


def test_a_change_that_misalignment_may_have_made_is_not_positive() -> None:
    changes, ratios = compared({"delayed": 20_000, "late": 25_000})
    [change] = [one for one in changes if one.from_time == "delayed"]
    assert change.change.low > 0.1
    sure = apply_rule(load_rule("visual-increase"), [change], ratios, REGIONS)
    assert sure.flag == "positive"
    total = replace(change.change, low=change.change.low - 0.2, high=change.change.high + 0.2)
    moved = apply_rule(load_rule("visual-increase"), [replace(change, change_total=total)], ratios, REGIONS)
    assert moved.flag == "equivocal"
    assert f"{total.low:+.0%}" in moved.lesions[0].reason


def test_no_uptake_above_the_reference_is_judged_with_misalignment_as_well() -> None:
    changes, ratios = compared({"delayed": 9_000, "late": 9_000})
    assert apply_rule(load_rule("visual-increase"), changes, ratios, REGIONS).flag == "negative"
    wider = [replace(one, ratio_total=replace(one.ratio, high=1.6)) for one in ratios]
    assert apply_rule(load_rule("visual-increase"), changes, wider, REGIONS).flag == "equivocal"


def test_growth_from_none_seen_is_told_without_a_made_up_number() -> None:
    changes, ratios = compared({"delayed": 0, "late": 300}, {"delayed": 300, "late": 300})
    flag = apply_rule(load_rule("visual-increase"), changes, ratios, REGIONS)
    assert flag.flag == "positive"
    assert "from none seen" in flag.lesions[0].reason
    assert "inf" not in flag.lesions[0].reason


@pytest.mark.parametrize(
    ("late", "flag", "finding"),
    [(3.0, "positive", "of bone or of soft tissue is open"), (1.5, "equivocal", ""), (2.0, "equivocal", "")],
)
def test_the_late_time_alone_tells_a_foot_s_infection_but_not_its_tissue(late: float, flag: str, finding: str) -> None:
    found = judged({"late": 1e6 * late}, {"late": 1e6}, rule=load_rule("diabetic-foot"))
    (lesion,) = found.lesions
    assert (found.flag, lesion.finding, lesion.from_time) == (flag, finding, "")
    assert "its course is not known" in lesion.reason
    assert lesion.probability == pytest.approx({3.0: 1.0, 1.5: 0.0, 2.0: 0.5}[late], abs=0.05)


def test_the_late_time_alone_tells_that_there_is_no_uptake() -> None:
    assert judged({"late": 9_000}).flag == "negative"
    assert judged({"late": 10_900}).flag == "not assessable"
    assert judged({"late": 20_000}).flag == "not assessable"
