"""The lesion benchmark: its lesions are what they are said to be, and its verdicts follow its cases."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from leukospect.benchmark.lesions_bodies import (
    DELAYED_HOURS,
    LATE_HOURS,
    NOT_NORMAL,
    Lesion,
    compartment_at,
    normal_body,
    painted,
    with_lesions,
)
from leukospect.benchmark.lesions_figures import drawn
from leukospect.benchmark.lesions_report import as_text, table_of, tissues_of, write_files
from leukospect.benchmark.lesions_results import (
    QUICK,
    FocusCase,
    LesionCase,
    LesionSettings,
    LesionsFound,
    Picture,
    StudyCase,
    judged_lesions,
    roc_of_flagging,
)
from leukospect.benchmark.lesions_study import lesion_at, studied
from leukospect.benchmark.registration_cases import BODIES
from leukospect.cli import main
from leukospect.data import Geometry
from leukospect.phantoms import Phantom, concentration_map

COARSE = LesionSettings(matrix=(32, 48), pixel_mm=9.6)
CASE = LesionCase(
    0, 1000, "hip-prosthesis", "lesion 1", "bone", 25.0, 4.0, "growing", 0.5, -60.0, 0.0, 90.0, True, "lesion",
    "lesion 1 (right)", 3.0, 2.5, 3.6, 4.0, 0.4, 0.2, 0.7, "positive", 0.99,
)  # fmt: skip
FOCUS = FocusCase(0, 1000, "hip-prosthesis", "lesion 1 (right)", "lesion", "lesion 1", "lesion 1", -60, 0, 90, 9, "")
STUDY = StudyCase(0, 1000, "hip-prosthesis", 1, 1, 1.8e6, 3.3e5, "positive")


def _found(*cases: LesionCase, foci: tuple[FocusCase, ...] = (FOCUS,), studies: int = 1) -> LesionsFound:
    mask = np.zeros((12, 16), np.bool_)
    mask[4:7, 5:9] = True
    picture = Picture(
        "study 0", np.eye(12, 16, dtype=np.float32), (-80.0, 80.0, 0.0, 120.0), cases, (("lesion", mask),)
    )
    rows = tuple(replace(STUDY, study=number) for number in range(studies))
    return LesionsFound(LesionSettings(), cases, foci, rows, (picture,))


def _mean_in_shell(phantom: Phantom, hours: float, lesion: Lesion, low: float, high: float) -> float:
    """Mean concentration between two distances from a lesion's centre, on a fine grid of its own."""
    n, step = 41, 2.0 * high / 40
    first = np.array(lesion.centre_mm) - 20 * step
    grid = Geometry.axial((n, n, n), (step, step, step), (float(first[0]), float(first[1]), float(first[2])))
    values = np.asarray(concentration_map(phantom, hours, grid, 2).array)
    away = np.sqrt(np.sum((grid.to_lps(np.moveaxis(np.indices(grid.shape), 0, -1)) - lesion.centre_mm) ** 2, axis=-1))
    return float(values[(away >= low) & (away <= high) & (values > 0)].mean())


@pytest.mark.parametrize("body", BODIES)
def test_each_seed_draws_a_normal_body_of_its_own(body: str) -> None:
    one, same, other = (normal_body(body, seed, COARSE) for seed in (1000, 1000, 1001))
    assert one == same
    assert one.shape != other.shape
    assert not set(one.compartment) & set(NOT_NORMAL)
    assert {shape.compartment for shape in one.shape} - {None, "none"} <= set(one.compartment)
    assert [scan.hours for scan in one.acquisition] == [DELAYED_HOURS, LATE_HOURS]
    assert len({scan.frame_of_reference for scan in one.acquisition}) == 1


@pytest.mark.parametrize("body", BODIES)
def test_a_lesion_has_the_contrast_and_the_course_it_is_said_to_have(body: str) -> None:
    phantom = normal_body(body, 1003, COARSE)
    hot, lesions = with_lesions(phantom, 1003, 4, COARSE)
    assert len(lesions) >= 3
    for lesion in lesions:
        radius = lesion.diameter_mm / 2.0
        around = _mean_in_shell(phantom, LATE_HOURS, lesion, radius, radius + 10.0)
        assert lesion.late_kbq_per_ml / around == pytest.approx(lesion.contrast, rel=0.25)
        within = {hours: _mean_in_shell(hot, hours, lesion, 0.0, 0.8 * radius) for hours in (DELAYED_HOURS, LATE_HOURS)}
        assert within[LATE_HOURS] == pytest.approx(lesion.late_kbq_per_ml, rel=0.3)
        opposite = replace(lesion, centre_mm=(-lesion.centre_mm[0], *lesion.centre_mm[1:]))
        mirror = [_mean_in_shell(phantom, hours, opposite, 0.0, radius) for hours in (DELAYED_HOURS, LATE_HOURS)]
        grown = lesion.late_kbq_per_ml / lesion.delayed_kbq_per_ml * mirror[0] / mirror[1] - 1.0
        assert grown == pytest.approx(lesion.change, abs=0.2)
        low, high = {"growing": (0.25, 1.5), "stable": (-0.08, 0.08), "falling": (-0.6, -0.25)}[lesion.course]
        assert low <= lesion.change <= high
    for one in lesions:
        for other in lesions:
            apart = float(np.linalg.norm(np.subtract(one.centre_mm, other.centre_mm)))
            assert one is other or apart > (one.diameter_mm + other.diameter_mm) / 2.0


def test_metal_inside_a_lesion_takes_nothing_up() -> None:
    phantom = normal_body("femoral-nail", 1000, COARSE)
    nail = next(shape for shape in phantom.shape if shape.material == "titanium_alloy" and shape.kind == "cylinder")
    start, end = np.array(nail.from_mm), np.array(nail.to_mm)
    x, y, z = (start + end) / 2.0
    lesion = Lesion("lesion 1", (x, y, z), 40.0, "metal", 5.0, "stable", 0.0, 10.0, 10.0)
    hot = painted(phantom, [lesion])
    beside = (x + 14.0, y, z)
    assert compartment_at(hot, (x, y, z)) == "none"
    assert compartment_at(hot, beside) == "lesion 1"


def test_a_focus_is_at_a_lesion_by_its_hottest_voxel_or_by_what_they_share() -> None:
    lesion = np.zeros((10, 10, 10), np.bool_)
    lesion[4:6, 4:6, 4:6] = True
    focus = np.zeros_like(lesion)
    focus[4:6, 4:6, 5:8] = True
    assert lesion_at(focus, {"lesion 1": lesion}, (4, 4, 5)) == "lesion 1"
    assert lesion_at(focus, {"lesion 1": lesion}, (4, 4, 7)) == "lesion 1"
    assert lesion_at(np.ones_like(lesion), {"lesion 1": lesion}, (0, 0, 0)) == ""  # an organ that swallowed it
    assert lesion_at(focus, {}, (4, 4, 5)) == ""


def test_verdicts_follow_the_cases() -> None:
    still = replace(CASE, course="stable", flag="equivocal", probability=0.2)
    good = judged_lesions(_found(CASE, still))
    assert [target.met for target in good[:3]] == [True, True, True]
    small = replace(CASE, diameter_mm=15.0, found=False)
    assert judged_lesions(_found(CASE, still, small))[0].met
    assert not judged_lesions(_found(CASE, still, replace(CASE, found=False)))[0].met
    false = replace(FOCUS, at="")
    assert not judged_lesions(_found(CASE, foci=(FOCUS, false, false)))[1].met
    assert judged_lesions(_found(CASE, foci=(FOCUS, false, false), studies=2))[1].met
    assert judged_lesions(_found(CASE, foci=(FOCUS, *[replace(false, role="physiological")] * 9)))[1].met
    assert not judged_lesions(_found(CASE, replace(still, flag="positive")))[2].met
    assert judged_lesions(_found(CASE))[2].met is None


def test_the_roc_curve_sets_growing_lesions_against_the_others() -> None:
    still = replace(CASE, course="falling", probability=0.2)
    apart = roc_of_flagging(_found(CASE, still, replace(still, probability=0.3), replace(CASE, probability=0.9)))
    assert apart is not None
    assert apart.area.value == 1.0
    unseen = replace(still, found=False, probability=1.0)
    assert roc_of_flagging(_found(CASE, still, unseen)).area.value == 1.0  # type: ignore[union-attr]
    assert roc_of_flagging(_found(CASE)) is None


def test_files_hold_every_case_and_the_page_its_figures(tmp_path: Path) -> None:
    found = _found(
        CASE, replace(CASE, course="stable", probability=0.3), replace(CASE, found=False, ratio=float("nan")),
        foci=(FOCUS, replace(FOCUS, at="", tissue="marrow")),
    )  # fmt: skip
    write_files(tmp_path, found, judged_lesions(found), drawn(found))
    document = json.loads((tmp_path / "lesions.json").read_text())
    assert document["lesions"][0]["contrast"] == 4.0
    assert document["lesions"][2]["ratio"] is None
    assert len((tmp_path / "lesions.csv").read_text().splitlines()) == 4
    assert len((tmp_path / "foci.csv").read_text().splitlines()) == 3
    assert (tmp_path / "lesions.html").read_text().count("data:image/png") == 4
    assert tissues_of(found) == [("marrow", "1", "0")]
    assert len(table_of(found)) == 7
    assert "area under the ROC curve" in as_text(found)


def test_a_quick_run_writes_the_same_for_any_number_of_threads(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["bench", "lesions", "--quick", "--threads", "2", "-o", str(tmp_path / "out")]) == 0
    assert "false foci a study" in capsys.readouterr().out
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert {"lesions.json", "lesions.csv", "lesions.html", "lesions-found.png", "provenance.json"} <= names
    document = json.loads((tmp_path / "out" / "lesions.json").read_text())
    assert [study["lesions"] for study in document["studies"]] == [QUICK.lesions, 0]
    again = studied(0, QUICK, threads=1)
    assert document["studies"][0]["late_counts"] == again.study.late_counts
    assert [focus["x_mm"] for focus in document["foci"] if focus["study"] == 0] == [one.x_mm for one in again.foci]
    assert [lesion["ratio"] for lesion in document["lesions"]] == [
        None if np.isnan(one.ratio) else one.ratio for one in again.lesions
    ]
