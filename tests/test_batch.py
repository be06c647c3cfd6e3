"""A folder of studies: each done or its failure told, finished ones left alone the next time."""

from __future__ import annotations

import csv
import hashlib
import json
import shutil
from pathlib import Path

import pytest
from pydicom import dcmread

from tests.command_line import Said, leukospect

FAST = [
    "--set", "uncertainty.replicates=0", "--set", "registration.enabled=false", "--set", "reconstruction.iterations=1",
    "--set", "registration.sensitivity=false",
    "--threads", "1",
]  # fmt: skip
GOOD, BROKEN = ("a", "b", "d"), "c"


@pytest.fixture(scope="module")
def archive(small_spect: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make an archive of three studies of one SPECT, without CT, and one whose angular view vector is missing."""
    folder = tmp_path_factory.mktemp("archive")
    for name in GOOD:
        (folder / name).mkdir()
        shutil.copy(small_spect, folder / name / "scan.dcm")
    (folder / BROKEN).mkdir()
    dataset = dcmread(small_spect)
    del dataset.AngularViewVector
    dataset.save_as(folder / BROKEN / "scan.dcm")
    return folder


@pytest.fixture(scope="module")
def first(archive: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Said]:
    output = tmp_path_factory.mktemp("batch") / "out"
    return output, leukospect("batch", archive, "-o", output, *FAST)


def _times(folder: Path) -> dict[str, int]:
    return {str(path): path.stat().st_mtime_ns for path in folder.rglob("*")}


def _recons(folder: Path) -> dict[str, str]:
    return {path.parent.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.glob("*/recon.nii.gz")}


def test_three_are_done_and_one_has_a_reason(first: tuple[Path, Said]) -> None:
    output, said = first
    assert said.code == 4
    studies = {row["study"]: row for row in json.loads((output / "batch.json").read_text())["studies"]}
    assert sorted(studies) == sorted([*GOOD, BROKEN])
    assert [name for name, row in studies.items() if row["status"] == "done"] == list(GOOD)
    assert studies[BROKEN]["status"] == "failed"
    assert "Angular View Vector" in studies[BROKEN]["reason"]
    assert said.stderr == "1 of 4 studies failed; batch.json holds the reasons.\n"
    for name in GOOD:
        assert (output / name / "results.json").is_file()
    assert {path.name for path in output.iterdir()} == {*GOOD, "batch.json", "cohort.csv"}


def test_every_lesion_of_every_study_has_a_row(first: tuple[Path, Said]) -> None:
    output, _ = first
    with (output / "cohort.csv").open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert {row["study"] for row in rows} == {*GOOD, BROKEN}
    assert [(row["status"], row["lesion"]) for row in rows if row["study"] == BROKEN] == [("failed", "")]
    found = json.loads((output / "a" / "results.json").read_text())
    own = [row for row in rows if row["study"] == "a"]
    assert [row["lesion"] for row in own] == [one["lesion"] for one in found["flag"]["lesions"]]
    assert own
    for row in own:
        (ratio,) = [one for one in found["ratios"] if one["lesion"] == row["lesion"]]
        assert float(row[f"ratio_{ratio['time_point']}"]) == pytest.approx(ratio["ratio"]["value"], rel=1e-5)
        assert row["nuclide"] == "Tc-99m"
        assert float(row["activity_mbq"]) > 0


def test_the_next_time_nothing_is_done_again(archive: Path, first: tuple[Path, Said]) -> None:
    output, _ = first
    before = _times(output)
    said = leukospect("batch", archive, "-o", output, *FAST)
    assert said.code == 4
    assert said.stdout.count("(as before)") == 4
    assert _times(output) == before


def test_what_changed_is_done_again(small_spect: Path, tmp_path: Path) -> None:
    (tmp_path / "archive" / "one").mkdir(parents=True)
    scan = tmp_path / "archive" / "one" / "scan.dcm"
    scan.write_text("not an image")
    assert leukospect("batch", tmp_path / "archive", "-o", tmp_path / "out", *FAST).code == 4
    shutil.copy(small_spect, scan)
    said = leukospect("batch", tmp_path / "archive", "-o", tmp_path / "out", *FAST)
    assert (said.code, "as before" in said.stdout) == (0, False)
    other = leukospect("batch", tmp_path / "archive", "-o", tmp_path / "out", *FAST, "--set",
                       "reconstruction.scatter=none")  # fmt: skip
    assert (other.code, "as before" in other.stdout) == (0, False)


def test_workers_give_the_same(archive: Path, first: tuple[Path, Said], tmp_path: Path) -> None:
    pytest.importorskip("distributed")
    said = leukospect("batch", archive, "-o", tmp_path / "out", "--workers", 2, *FAST)
    assert said.code == 4
    assert _recons(tmp_path / "out") == _recons(first[0])
    mine, theirs = (json.loads((folder / "batch.json").read_text()) for folder in (tmp_path / "out", first[0]))
    assert mine == theirs


def test_an_archive_that_cannot_be_is_refused(archive: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for wrong in (tmp_path / "empty", tmp_path / "missing"):
        said = leukospect("batch", wrong, "-o", tmp_path / "out", *FAST)
        assert (said.code, said.stderr.count("\n")) == (3, 1)
        assert not (tmp_path / "out").exists()
    assert leukospect("batch", archive, "-o", archive, *FAST).code == 3
    for inside in ("a", "new", "a/new"):
        assert leukospect("batch", archive, "-o", archive / inside, *FAST).code == 3
    assert {path.name for path in archive.iterdir()} == {*GOOD, BROKEN}


def test_results_that_were_lost_are_made_again(small_spect: Path, tmp_path: Path) -> None:
    (tmp_path / "archive" / "one").mkdir(parents=True)
    shutil.copy(small_spect, tmp_path / "archive" / "one" / "scan.dcm")
    shutil.copy(small_spect, tmp_path / "archive" / "loose.dcm")
    out = tmp_path / "out"
    first = leukospect("batch", tmp_path / "archive", "-o", out, *FAST)
    assert first.code == 0
    assert "1 files lie in the archive" in first.stderr
    (out / "one" / "report.html").unlink()
    assert leukospect("batch", tmp_path / "archive", "-o", out, *FAST).code == 0
    assert (out / "one" / "report.html").is_file()
