"""cohort.csv: a row a lesion and study, in columns that stay, which gives the flags back to `labs`."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest

from leukospect.errors import InputError
from leukospect.files.cohort_table import COLUMNS, cohort_csv, read_study_flags, rows_of_study
from tests import vendor_volumes as volumes
from tests.command_line import leukospect
from tests.files.test_results import document


def table(*studies: tuple[str, str, dict[str, Any] | None]) -> list[dict[str, str]]:
    rows = [row for study in studies for row in rows_of_study(*study)]
    return list(csv.DictReader(io.StringIO(cohort_csv(rows))))


def test_a_row_holds_what_the_study_measured() -> None:
    measured = document()
    measured["injection"] = {"nuclide": "Tc-99m", "activity_mbq": 370.5, "tracer": "leukocytes"}
    (row,) = table(("a", "done", measured))
    assert tuple(row) == COLUMNS
    assert (row["study"], row["status"], row["study_flag"], row["lesion"], row["flag"]) == (
        "a", "done", "positive", "plate", "positive")  # fmt: skip
    assert (row["modality"], row["reference"], row["rule"]) == ("planar anterior", "marrow", "visual-increase")
    assert (row["from_time"], row["to_time"]) == ("delayed", "late")
    assert (row["ratio_early"], row["hours_early"]) == ("", "")
    for time in ("delayed", "late"):
        ratio = next(one for one in measured["ratios"] if one["time_point"] == time)
        for column, key in (("ratio", "value"), ("ratio_low", "low"), ("ratio_high", "high")):
            assert float(row[f"{column}_{time}"]) == pytest.approx(ratio["ratio_total"][key], rel=1e-5)
        assert float(row[f"hours_{time}"]) == ratio["hours"]
    (change,) = measured["changes"]
    assert float(row["change"]) == pytest.approx(1.0)
    assert float(row["change_low"]) == pytest.approx(change["change_total"]["low"], rel=1e-5)
    assert float(row["own_change_high"]) == pytest.approx(change["own_change"]["high"], rel=1e-5)
    assert (row["probability"], row["threshold"], row["warnings"]) == ("1", "0.1", "1")
    assert (row["nuclide"], row["activity_mbq"]) == ("Tc-99m", "370.5")
    assert float(row["volume_ml"]) == measured["regions"][0]["volume_ml"]


def test_the_columns_come_in_an_order_that_others_rely_on() -> None:
    assert COLUMNS[:8] == ("study", "status", "study_flag", "rule", "lesion", "flag", "finding", "probability")
    assert COLUMNS[14:22] == ("hours_early", "ratio_early", "ratio_low_early", "ratio_high_early",
                              "mean_early", "mean_low_early", "mean_high_early", "size_early")  # fmt: skip
    assert COLUMNS[48:] == ("nuclide", "activity_mbq", "warnings", "tissue", "level", "metal_distance_mm", "tract")
    assert len(set(COLUMNS)) == len(COLUMNS) == 55


def test_studies_without_a_lesion_and_failed_ones_have_a_row() -> None:
    empty = document()
    empty["flag"] = {**empty["flag"], "value": "not assessable", "lesions": []}
    rows = table(("empty", "done", empty), ("broken", "failed", None))
    assert [(row["study"], row["status"], row["study_flag"], row["lesion"]) for row in rows] == [
        ("empty", "done", "not assessable", ""), ("broken", "failed", "", "")]  # fmt: skip


def test_the_limits_are_those_that_the_rule_rests_on_and_the_place_is_told() -> None:
    measured = document()
    measured["changes"][0]["change_total"] |= {"low": -0.25, "high": 3.5}
    measured["ratios"][1]["ratio_total"] |= {"low": 1.25}
    measured["lesions"][0]["location"] = {
        "tissue": "bone",
        "level": "shaft",
        "edge_to_metal_mm": 4.5,
        "elongated": True,
    }
    (row,) = table(("a", "done", measured))
    assert (row["change_low"], row["change_high"], row["ratio_low_late"]) == ("-0.25", "3.5", "1.25")
    assert (row["tissue"], row["level"], row["metal_distance_mm"], row["tract"]) == ("bone", "shaft", "4.5", "yes")


def test_a_lesion_that_could_not_be_assessed_shows_what_was_measured() -> None:
    measured = document()
    measured["flag"]["lesions"][0] |= {"flag": "not assessable", "modality": "", "from_time": "", "to_time": "",
                                       "probability": None}  # fmt: skip
    (row,) = table(("a", "done", measured))
    assert (row["modality"], row["probability"]) == ("planar anterior", "")
    assert float(row["ratio_late"]) == pytest.approx(4.0)


def written(folder: Path) -> Path:
    studies: list[dict[str, Any]] = []
    for number in range(12):
        one = document()
        one["flag"] = {**one["flag"], "value": "positive" if number % 2 else "negative"}
        studies.append(one)
    rows = [row for number, one in enumerate(studies) for row in rows_of_study(f"study-{number}", "done", one)]
    rows += rows_of_study("study-12", "failed", None)
    (folder / "cohort.csv").write_text(cohort_csv(rows))
    return folder / "cohort.csv"


def counts(folder: Path, *more: str, header: str = "study") -> Path:
    rows = [f"study-{k},{3 + k / 7:.2f},{1 + k % 3 / 4:.2f},{200 + 9 * k}" for k in reversed(range(12))]
    text = f"{header},neutrophils (G/L),lymphocytes (G/L),platelets (G/L)\n" + "\n".join((*rows, *more)) + "\n"
    (folder / "counts.csv").write_text(text)
    return folder / "counts.csv"


def test_labs_puts_the_flags_of_a_cohort_beside_the_counts(tmp_path: Path) -> None:
    said = leukospect("labs", counts(tmp_path), "--cohort", written(tmp_path), "-o", tmp_path / "out")
    assert said.code == 0, said.stderr
    found = json.loads((tmp_path / "out" / "labs.json").read_text())
    assert found["group_sizes"] == {"positive": 6, "negative": 6}
    flags = [patient["flag"] for patient in found["patients"]]
    assert flags == ["positive", "negative"] * 6
    assert "study-3" not in (tmp_path / "out" / "report.html").read_text()


@pytest.mark.parametrize(
    ("more", "header", "said"),
    [
        (("study-99,4,1,200",), "study", "Row 14 (the header is row 1) names a study that is not in 'cohort.csv'"),
        (("study-12,4,1,200",), "study", "Row 14 (the header is row 1) names a study that failed"),
        ((), "case", "needs a column study"),
    ],
)
def test_labs_refuses_what_cannot_be_joined(more: tuple[str, ...], header: str, said: str, tmp_path: Path) -> None:
    told = leukospect("labs", counts(tmp_path, *more, header=header), "--cohort", written(tmp_path), "-o",
                      tmp_path / "out")  # fmt: skip
    assert (told.code, told.stderr.count("\n")) == (3, 1)
    assert said in told.stderr
    assert not (tmp_path / "out").exists()


def test_a_table_that_is_no_cohort_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no columns study and study_flag"):
        read_study_flags(counts(tmp_path))
    path = written(tmp_path)
    path.write_text(path.read_text().replace("study-1,done,positive", "study-0,done,positive"))
    with pytest.raises(InputError, match="another flag in another row"):
        read_study_flags(path)


STILL = ("--set", "registration.enabled=false", "--set", "registration.sensitivity=false", "--set",
         "metal.enabled=false", "--threads", "1")  # fmt: skip


def test_a_batch_writes_the_table_and_leaves_it_alone_where_nothing_changes(tmp_path: Path) -> None:
    volumes.make_study(tmp_path / "archive" / "one", "recon tomo")
    (tmp_path / "archive" / "two").mkdir()
    (tmp_path / "archive" / "two" / "scan.dcm").write_text("not an image")
    said = leukospect("batch", tmp_path / "archive", "-o", tmp_path / "out", *STILL)
    assert said.code == 4, said.stderr
    path = tmp_path / "out" / "cohort.csv"
    with path.open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    found = json.loads((tmp_path / "out" / "one" / "results.json").read_text())
    lesions = [one["lesion"] for one in found["flag"]["lesions"]]
    assert [(row["study"], row["lesion"]) for row in rows] == [*(("one", lesion) for lesion in lesions), ("two", "")]
    assert lesions
    for ratio in found["ratios"]:
        (row,) = [row for row in rows if row["lesion"] == ratio["lesion"]]
        assert float(row[f"ratio_{ratio['time_point']}"]) == pytest.approx(ratio["ratio"]["value"], rel=1e-5)
    assert {row["nuclide"] for row in rows} == {"Tc-99m", ""}
    before = path.stat().st_mtime_ns
    again = leukospect("batch", tmp_path / "archive", "-o", tmp_path / "out", *STILL)
    assert (again.code, again.stdout.count("(as before)")) == (4, 2)
    assert path.stat().st_mtime_ns == before
