"""`leukospect labs` as a user calls it."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from tests.command_line import leukospect

HEADER = "patient,flag,WBC (/uL),neutrophils (G/L),lymphocytes (G/L),platelets (G/L),CRP,sex,name\n"
FILES = {"categories.csv", "groups.csv", "indices.csv", "labs.json", "provenance.json", "report.html"}


@pytest.fixture
def cohort(tmp_path: Path) -> Path:
    rng = np.random.default_rng(4)
    rows = []
    for number in range(30):
        flag = "positive" if number < 12 else "negative" if number < 27 else "equivocal"
        lymphocytes, neutrophils = rng.uniform(1, 2.5), rng.uniform(3, 6) + 2 * (flag == "positive")
        rows.append(
            f"Secret-{number},{flag},{1000 * (lymphocytes + neutrophils + 0.8):.0f},{neutrophils:.2f},"
            f"{lymphocytes:.2f},{rng.uniform(150, 350):.0f},{rng.uniform(1, 90):.1f},{'fm'[number % 2]},"
            f"Jane Doe {number}"
        )
    (tmp_path / "cohort.csv").write_text(HEADER + "\n".join(rows) + "\n")
    return tmp_path / "cohort.csv"


def test_a_cohort_gives_indices_groups_and_a_page(cohort: Path, tmp_path: Path) -> None:
    said = leukospect("labs", cohort, "-o", tmp_path / "out")
    assert said.code == 0, said.stderr
    assert {path.name for path in (tmp_path / "out").iterdir()} == FILES
    document = json.loads((tmp_path / "out" / "labs.json").read_text())
    assert document["schema_version"] == "1.0"
    assert document["group_sizes"] == {"positive": 12, "negative": 15, "equivocal": 3}
    with (tmp_path / "out" / "indices.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    with cohort.open() as stream:
        counts = list(csv.DictReader(stream))
    n, lymphocytes, p = (float(counts[3][f"{name} (G/L)"]) for name in ("neutrophils", "lymphocytes", "platelets"))
    assert (rows[3]["patient"], rows[3]["flag"], rows[3]["row"]) == ("Secret-3", "positive", "5")
    assert float(rows[3]["SII (10^9/L)"]) == pytest.approx(p * n / lymphocytes, rel=1e-5)
    nlr = next(marker for marker in document["markers"] if marker["name"] == "NLR")
    assert nlr["p"] <= nlr["p_holm"] <= 1
    assert nlr["groups"]["equivocal"]["n"] == 3
    assert document["patients"][3]["values"]["SII"] == pytest.approx(p * n / lymphocytes)
    assert "3 equivocal" in said.stderr


def test_no_text_but_the_table_of_indices_names_a_patient(cohort: Path, tmp_path: Path) -> None:
    said = leukospect("labs", cohort, "-o", tmp_path / "out")
    texts = {path.name: path.read_text() for path in (tmp_path / "out").iterdir()} | {"said": said.stdout + said.stderr}
    assert [name for name, text in texts.items() if "Secret" in text] == ["indices.csv"]
    assert not [name for name, text in texts.items() if "Jane" in text]
    page = texts["report.html"]
    assert "Research tool, not a diagnosis" in page
    assert "http" not in page.replace("http-equiv", "")
    assert page.count("data:image/png;base64,") == 3


def test_the_same_table_gives_the_same_bytes(cohort: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        assert leukospect("labs", cohort, "-o", tmp_path / name, "--quiet").code == 0
    for name in FILES:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes(), name


def test_the_convention_stands_in_every_output(cohort: Path, tmp_path: Path) -> None:
    said = leukospect("labs", cohort, "-o", tmp_path / "out", "--neutrophils-are-wbc")
    assert said.code == 0
    assert "WBC stands in the neutrophils' place" in said.stdout
    for name in ("labs.json", "report.html", "provenance.json"):
        assert "doi:10.47582/jompac.1307746" in (tmp_path / "out" / name).read_text(), name
    for name in ("indices.csv", "groups.csv"):
        with (tmp_path / "out" / name).open() as stream:
            assert {row["neutrophils_taken_from"] for row in csv.DictReader(stream)} == {"WBC"}


def test_the_papers_cases_are_refused_without_it(tmp_path: Path) -> None:
    table = tmp_path / "cases.csv"
    table.write_text("patient,WBC,neutrophils,lymphocytes,platelets\none,5.66,5.66,1.79,172\ntwo,9.31,9.31,0.96,171\n")
    said = leukospect("labs", table, "-o", tmp_path / "out")
    assert said.code == 3
    assert "Row 2" in said.stderr
    assert not (tmp_path / "out").exists()
    assert leukospect("labs", table, "-o", tmp_path / "out", "--neutrophils-are-wbc").code == 0
    with (tmp_path / "out" / "indices.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert [round(float(row["SII (10^9/L)"])) for row in rows] == [544, 1658]
    assert (round(float(rows[1]["NLR"]), 2), round(float(rows[1]["PLR"]))) == (9.70, 178)


def run_folder(folder: Path, flag: str) -> None:
    folder.mkdir(parents=True)
    (folder / "results.json").write_text(json.dumps({"schema_version": "1.1", "flag": {"value": flag}}))


def test_flags_are_read_from_the_runs_that_the_table_names(tmp_path: Path) -> None:
    run_folder(tmp_path / "runs" / "a", "positive")
    run_folder(tmp_path / "runs" / "b", "not assessable")
    table = tmp_path / "table.csv"
    table.write_text("results,flag,n,l,p\nruns/a,,4,2,200\nruns/b/results.json,,5,2,210\n,negative,5,2,220\n")
    assert leukospect("labs", table, "-o", tmp_path / "out").code == 0
    with (tmp_path / "out" / "indices.csv").open() as stream:
        assert [row["flag"] for row in csv.DictReader(stream)] == ["positive", "not assessable", "negative"]
    provenance = json.loads((tmp_path / "out" / "provenance.json").read_text())
    assert len(provenance["inputs_sha256"]) == 3


@pytest.mark.parametrize(
    "cell", ["runs/a,negative", "elsewhere,positive", "broken,positive", "positive,", "\x01,negative"]
)
def test_results_that_cannot_be_used_are_refused(cell: str, tmp_path: Path) -> None:
    run_folder(tmp_path / "runs" / "a", "positive")
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "results.json").write_text("[1]")
    (tmp_path / "table.csv").write_text(f"results,flag,n,l,p\n{cell},4,2,200\n")
    said = leukospect("labs", tmp_path / "table.csv", "-o", tmp_path / "out")
    assert said.code == 3
    assert "Row 2" in said.stderr or "not a text file" in said.stderr


@pytest.mark.parametrize("flags", [["positive"], ["positive"] * 5, ["positive", "negative"], ["equivocal"] * 4])
def test_few_patients_are_described_and_not_tested(flags: list[str], tmp_path: Path) -> None:
    rows = "".join(f"{flag},{4 + i},2,{200 + i}\n" for i, flag in enumerate(flags))
    (tmp_path / "table.csv").write_text("flag,n,l,p\n" + rows)
    said = leukospect("labs", tmp_path / "table.csv", "-o", tmp_path / "out")
    assert said.code == 0, said.stderr
    assert "Nothing could be tested" in said.stderr
    assert json.loads((tmp_path / "out" / "labs.json").read_text())["tests"] == 0


def test_summary_statistics(tmp_path: Path) -> None:
    table = tmp_path / "summary.csv"
    table.write_text(
        "marker,mean_positive,sd_positive,n_positive,mean_negative,sd_negative,n_negative\n"
        "SII,1526,787,16,1025,370,20\nWBC,8.43,2.69,16,7.31,2.07,20\n"
    )
    said = leukospect("labs", table, "--summary", "-o", tmp_path / "out")
    assert said.code == 0, said.stderr
    assert "SII: Student's t p = 0.0164" in said.stdout
    with (tmp_path / "out" / "groups.csv").open() as stream:
        p = {row["marker"]: float(row["student_p"]) for row in csv.DictReader(stream)}
    assert 0.016 < p["SII"] < 0.018
    assert 0.16 < p["WBC"] < 0.18
    assert leukospect("labs", table, "--summary", "--neutrophils-are-wbc", "-o", tmp_path / "other").code == 3


def test_the_groups_of_a_cohort_are_a_table_of_summary_statistics(cohort: Path, tmp_path: Path) -> None:
    assert leukospect("labs", cohort, "-o", tmp_path / "out").code == 0
    assert leukospect("labs", tmp_path / "out" / "groups.csv", "--summary", "-o", tmp_path / "again").code == 0
    first, again = (
        {
            m["name" if "name" in m else "marker"]: m
            for m in json.loads((tmp_path / name / "labs.json").read_text())["markers"]
        }
        for name in ("out", "again")
    )
    for marker, found in first.items():
        assert again[marker]["student_p"]["value"] == pytest.approx(found["all_tests"]["student_p"], rel=1e-3)


@pytest.mark.parametrize("content", [b"", bytes(range(256)), HEADER.encode(), b"\xff\xfe\x00\xd8", b"a,b\n" * 3])
def test_what_is_no_table_leaves_nothing_behind(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_bytes(content)
    said = leukospect("labs", tmp_path / "table.csv", "-o", tmp_path / "out")
    assert said.code == 3
    assert said.stderr.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["table.csv"]


def test_wrong_usage() -> None:
    assert leukospect("labs", "table.csv").code == 2
    assert leukospect("labs", "nothing.csv", "-o", "out").code == 3
