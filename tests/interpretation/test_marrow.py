"""The marrow rule: leukocytes without colloid are positive, with it negative, and the intervals decide."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from leukospect.errors import ProtocolError
from leukospect.files.results import results_document
from leukospect.interpretation.flag import StudyFlag
from leukospect.interpretation.marrow import discordance, discordances
from leukospect.interpretation.rules import apply_rule, load_rule
from leukospect.quantification.comparison import all_ratios
from leukospect.quantification.intervals import unknown
from leukospect.quantification.measurements import Interval, Ratio, TimePoint
from tests.quantification.making import planar_measurement, region

REGIONS = (region("stem", reference="muscle"), region("muscle", "reference", label=2))
RULE = load_rule("marrow-discordance")


def ratios(lesion: float, reference: float = 10_000, time: TimePoint = "late") -> tuple[Ratio, ...]:
    measured = [planar_measurement("stem", time, lesion), planar_measurement("muscle", time, reference)]
    return all_ratios(measured, REGIONS)


def judged(cells: tuple[Ratio, ...], colloid: tuple[Ratio, ...]) -> StudyFlag:
    return apply_rule(RULE, (), cells, REGIONS, colloid)


@pytest.mark.parametrize(
    ("cells", "colloid", "flag", "finding"),
    [
        (40_000, 10_000, "positive", "incongruent"),
        (40_000, 200_000, "negative", "congruent"),
        (40_000, 40_000, "negative", "congruent"),
        (10_500, 1_000, "negative", "no uptake"),  # no colloid, but no leukocytes above the reference either
        (44_000, 40_000, "equivocal", ""),  # a tenth more, and the interval lies on both sides of that
    ],
)
def test_a_lesion_is_flagged_as_it_was_built(cells: float, colloid: float, flag: str, finding: str) -> None:
    found = judged(ratios(cells), ratios(colloid, time="early"))
    assert found.flag == flag
    [lesion] = found.lesions
    assert lesion.finding == finding
    assert (lesion.modality, lesion.from_time, lesion.to_time) == ("planar anterior", "", "late")


def test_few_counts_leave_it_open() -> None:
    found = judged(ratios(30, 12), ratios(10, 10, "early"))
    assert found.flag == "equivocal"
    assert 0.5 < found.lesions[0].probability < 0.999


def test_colloid_that_was_not_counted_at_all_is_a_bound() -> None:
    [cells], [none] = ratios(40_000), ratios(0.0, time="early")
    over = discordance(cells.ratio, none.ratio)
    assert over.low == pytest.approx(cells.ratio.low / none.ratio.high)
    assert math.isinf(over.value)
    assert judged((cells,), (none,)).flag == "positive"


def test_without_a_marrow_scan_nothing_is_assessed() -> None:
    found = judged(ratios(40_000), ())
    assert found.flag == "not assessable"
    assert "no marrow scan" in found.lesions[0].reason
    elsewhere = replace(ratios(10_000, time="early")[0], lesion="cup")
    assert "not measured in the marrow scan" in judged(ratios(40_000), (elsewhere,)).lesions[0].reason


def test_images_of_two_kinds_are_not_compared() -> None:
    spect = replace(ratios(10_000, time="early")[0], modality="spect")
    assert "one kind" in judged(ratios(40_000), (spect,)).lesions[0].reason


def test_an_unknown_uncertainty_is_equivocal() -> None:
    bare = replace(ratios(40_000)[0], ratio=unknown(4.0))
    assert judged((bare,), ratios(10_000, time="early")).flag == "equivocal"


def test_the_delayed_time_stands_in_without_the_published_figures() -> None:
    colloid = ratios(10_000, time="early")
    late, delayed = ratios(40_000), ratios(40_000, time="delayed")
    both = judged((*delayed, *late), colloid)
    assert both.lesions[0].to_time == "late"
    assert both.warnings == ()
    alone = judged(delayed, colloid)
    assert alone.flag == "positive"
    assert any("published figures" in text for text in alone.warnings)
    for flag, known in ((both, True), (alone, False)):
        document = results_document(regions=REGIONS, measurements=(), ratios=(), changes=(), rule=RULE, flag=flag)
        rule = document["rule"]
        assert isinstance(rule, dict)
        assert (rule["published_per_cent"] is not None) is known


def test_every_modality_and_time_is_compared() -> None:
    cells = (*ratios(40_000, time="delayed"), *ratios(60_000))
    found = discordances(cells, ratios(20_000, time="early"))
    assert [one.time_point for one in found] == ["delayed", "late"]
    values = [one.leukocytes_over_colloid for one in found]
    assert [value.value for value in values] == pytest.approx([2.0, 3.0])
    assert all(isinstance(value, Interval) and value.low < value.value < value.high for value in values)


def test_a_marrow_rule_is_no_rule_of_a_change() -> None:
    with pytest.raises(ProtocolError, match="compares with marrow"):
        replace(RULE, ratio_above=2.0, no_uptake_margin=0.0)
