"""The registration benchmark: its draws differ, its truth is exact, and its verdicts follow its cases."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from leukospect.benchmark.registration_cases import BODIES, drawn_phantom, errors_mm, misplaced, random_misalignment
from leukospect.benchmark.registration_figures import drawn
from leukospect.benchmark.registration_moved_results import (
    LimbCase,
    PlanarCase,
    judged_limbs,
    judged_planar,
    moved_table,
)
from leukospect.benchmark.registration_report import as_text, table_of, write_files
from leukospect.benchmark.registration_results import (
    Judgement,
    Overlay,
    RegistrationCase,
    RegistrationFound,
    RegistrationSettings,
    judged_registration,
)
from leukospect.data import Geometry, Image

CASE = RegistrationCase("random starts", "fused-spine", 1100, 5e5, 40.0, 1.5, 1.5, 1.6, 1.4, 1.4, True, 4.0, "found")
LIMB = LimbCase("steel", True, "left", 1100, 25.0, 0.4, 0.2, False, False, 3.0, "found")
PLANAR = PlanarCase("square", True, 1100, 2.4, 12.0, 1.2, 0.1, False, 0.5, "found")
JUDGED = (Judgement(1.0, 2.0), Judgement(6.0, 6.5), Judgement(15.0, 14.0))


def _found(*cases: RegistrationCase, judged: tuple[Judgement, ...] = JUDGED) -> RegistrationFound:
    plane = np.linspace(0.0, 1.0, 20 * 24, dtype=np.float32).reshape(20, 24)
    overlay = Overlay("fused-spine, 40 mm off", plane, (1000.0 * plane - 600.0,) * 3, (4.8, 4.8))
    return RegistrationFound(RegistrationSettings(), cases, judged, (overlay,), 4.8, 6.0)


@pytest.mark.parametrize("body", BODIES)
def test_each_seed_draws_a_body_of_its_own(body: str) -> None:
    one, same, other = (drawn_phantom(body, seed) for seed in (1000, 1000, 1001))
    assert one == same
    assert one.shape != other.shape
    assert one.compartment != other.compartment
    assert {scan.kind for scan in one.acquisition} == {"SPECT", "CT"}
    assert len({scan.time_point for scan in one.acquisition}) == 1


def test_a_misplaced_ct_has_every_place_of_the_body_where_the_matrix_takes_it() -> None:
    grid = Geometry.axial((5, 6, 7), (-3.0, 2.0, 2.5), (10.0, -20.0, 30.0))
    matrix = random_misalignment(np.random.default_rng(4), np.array([12.0, -14.0, 22.0]), 30.0, 15.0)
    moved = misplaced(Image(np.zeros(grid.shape, np.float32), grid, "HU"), matrix)
    place = grid.to_lps((1, 2, 3))
    np.testing.assert_allclose(moved.geometry.to_lps((1, 2, 3)), matrix[:3, :3] @ place + matrix[:3, 3], atol=1e-9)
    np.testing.assert_allclose(matrix[:3, :3] @ matrix[:3, :3].T, np.eye(3), atol=1e-12)
    assert np.linalg.det(matrix[:3, :3]) == pytest.approx(1.0)


def test_an_error_is_how_far_apart_two_transforms_put_points() -> None:
    shifted = np.eye(4)
    shifted[:3, 3] = (3.0, -4.0, 12.0)
    np.testing.assert_allclose(errors_mm(np.array([[0.0, 0.0, 0.0], [50.0, 9.0, -3.0]]), np.eye(4), shifted), 13.0)


def test_verdicts_follow_the_cases() -> None:
    kept = replace(CASE, group="nearly aligned", before_mm=0.0, after_mm=0.0, index_mm=2.0, accepted=False)
    assert {target.verdict for target in judged_registration(_found(CASE, kept))} == {"met", "told"}
    worse = judged_registration(_found(CASE, replace(kept, after_mm=1.2)))
    assert [t.asked.split()[0] for t in worse if t.verdict == "missed"] == ["never"]
    unflagged = judged_registration(_found(CASE, kept, judged=(*JUDGED, Judgement(11.0, 4.0))))
    assert [t.found for t in unflagged if t.verdict == "missed"] == ["50.0% of 2"]
    alarmed = judged_registration(_found(CASE, kept, judged=(*JUDGED, Judgement(0.5, 7.0))))
    assert ["below half" in t.asked for t in alarmed if t.verdict == "missed"] == [True]
    far = judged_registration(_found(*[CASE] * 9, replace(CASE, after_mm=30.0), kept))
    assert sum(t.verdict == "missed" for t in far) >= 3


def test_files_hold_every_case_and_the_page_its_figures(tmp_path: Path) -> None:
    found = _found(CASE, replace(CASE, group="few counts"))
    write_files(tmp_path, found, judged_registration(found), drawn(found))
    document = json.loads((tmp_path / "registration.json").read_text())
    assert document["cases"][0]["after_mm"] == 1.5
    assert len((tmp_path / "registration.csv").read_text().splitlines()) == 3
    assert "registration-moved.png" not in {path.name for path in tmp_path.iterdir()}
    page = (tmp_path / "registration.html").read_text()
    assert page.count("data:image/png") == 3
    assert "random starts" in page
    assert len(table_of(found)) == 3
    assert "met" in as_text(found)


def test_moved_limbs_and_views_are_judged_by_group() -> None:
    still = replace(LIMB, moved=False, before_mm=0.0, p95_mm=0.0, angle_deg=0.0, kept=True)
    assert [target.verdict for target in judged_limbs([LIMB, replace(LIMB, group="no metal"), still])] == ["met"] * 3
    for wrong in (replace(LIMB, p95_mm=0.7), replace(LIMB, angle_deg=0.4)):
        verdicts = [target.verdict for target in judged_limbs([replace(LIMB, group="no metal"), wrong])]
        assert verdicts == ["met", "missed"]
    assert [target.verdict for target in judged_limbs([replace(still, kept=False)])] == ["missed"]
    assert [t.verdict for t in judged_planar([PLANAR, replace(PLANAR, moved=False, kept=True)])] == ["met", "met"]
    # The larger side of a pixel is what counts.
    wide = replace(PLANAR, group="whole-body strip", pixel_mm=2.8, p95_mm=2.6)
    assert [target.verdict for target in judged_planar([replace(PLANAR, p95_mm=2.6), wide])] == ["missed", "met"]


def test_moved_cases_have_rows_of_their_own(tmp_path: Path) -> None:
    found = replace(_found(CASE), limbs=(LIMB,), planar=(PLANAR,))
    write_files(tmp_path, found, judged_registration(found), drawn(found))
    document = json.loads((tmp_path / "registration.json").read_text())
    assert document["limbs"][0]["angle_deg"] == 0.2
    assert document["planar"][0]["pixel_mm"] == 2.4
    with (tmp_path / "registration.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert [row["kind"] for row in rows] == ["SPECT to CT", "CT to CT", "planar to planar"]
    assert (rows[0]["after_mm"], rows[0]["p95_mm"], rows[1]["p95_mm"]) == ("1.5", "", "0.4")
    assert (tmp_path / "registration-moved.png").is_file()
    assert len(moved_table(found.limbs, found.planar)) == 3
