"""The report's and results.json's places of lesions, and what is physiological, listed apart."""

from __future__ import annotations

import math
from dataclasses import asdict, replace

from leukospect.files.results import results_document
from leukospect.interpretation.rules import load_rule
from leukospect.quantification.location_words import level_in_words, location_in_words
from leukospect.quantification.measurements import Location, Region
from leukospect.report.html import render
from tests.report.test_html import content

LESION = "right plate"
BARE = Location(
    region=LESION,
    tissue="implant",
    or_beside=("bone",),
    shares={"implant": 0.8, "bone": 0.2, "soft tissue": 0.0, "skin": 0.0},
    side="right",
    hottest_mm=(-17.0, -8.0, 9.0),
    hottest_to_metal_mm=3.4,
    edge_to_metal_mm=0.0,
    hottest_to_bone_mm=5.1,
    edge_to_bone_mm=0.0,
    hottest_to_skin_mm=28.0,
    edge_to_skin_mm=15.0,
    level="12 mm above the lower end of the metal",
    elongated=False,
    length_mm=25.0,
    width_mm=20.0,
    direction=(0.0, 0.0, 1.0),
    reaches_skin=False,
    registration_error_mm=math.nan,
    resolution_mm=12.0,
    uncertainty_mm=6.0,
    sentence="",
)
PLACE = replace(BARE, sentence=location_in_words(BARE))
BLADDER = Region(
    3, "bladder 1 (midline)", "physiological", "", 60.0, (0.0, 0.0, 0.0), "midline", "focus of the late image",
    likely="bladder", remark="On the midline of the pelvis.",
)  # fmt: skip


def test_a_place_is_told_in_words_with_what_cannot_be_told_apart() -> None:
    assert PLACE.sentence == (
        "At the implant, right (or bone beside it: SPECT tells places apart by about 6 mm); hottest 3 mm from metal, "
        "5 mm from bone, 28 mm under the skin; 12 mm above the lower end of the metal."
    )


def test_levels_are_told_from_the_nearer_end_that_is_seen() -> None:
    assert level_in_words((12.0, 80.0), "metal") == "12 mm above the lower end of the metal"
    assert level_in_words((120.0, 8.0), "metal") == "8 mm below the upper end of the metal"
    assert level_in_words((-6.0, 90.0), "bone") == "6 mm below the lower end of the bone"
    assert level_in_words((90.0, -6.0), "bone") == "6 mm above the upper end of the bone"
    assert level_in_words((math.nan, 80.0), "metal") == "80 mm below the upper end of the metal"
    assert level_in_words((math.nan, math.nan), "metal") == ""


def test_the_report_tells_where_lesions_lie_and_lists_what_is_physiological_apart() -> None:
    made = content()
    page = render(replace(made, regions=(*made.regions, BLADDER), locations=(PLACE,)))
    assert PLACE.sentence in page
    assert "implant or bone" in page
    assert "Physiological uptake, not judged" in page
    assert "On the midline of the pelvis." in page
    bare = render(made)
    assert "Where the lesions lie" not in bare
    assert "Physiological" not in bare


def test_a_remark_is_shown_though_there_is_no_ct() -> None:
    made = content()
    regions = (replace(made.regions[0], remark="Uptake like it lies opposite."), made.regions[1])
    assert "Uptake like it lies opposite." in render(replace(made, regions=regions))


def test_results_hold_the_place_of_each_lesion_and_what_is_physiological() -> None:
    made = content()
    assert made.flag is not None
    document = results_document(
        regions=(*made.regions, BLADDER),
        measurements=(),
        ratios=(),
        changes=(),
        rule=load_rule("visual-increase"),
        flag=made.flag,
        locations=(PLACE,),
    )
    lesions, physiological = document["lesions"], document["physiological"]
    assert isinstance(lesions, list)
    assert isinstance(physiological, list)
    assert [(lesion["name"], lesion["flag"]) for lesion in lesions] == [(LESION, "positive")]
    wanted = {**asdict(PLACE), "registration_error_mm": None}
    assert lesions[0]["location"] == {key: list(v) if isinstance(v, tuple) else v for key, v in wanted.items()}
    assert [(one["name"], one["likely"]) for one in physiological] == [("bladder 1 (midline)", "bladder")]
