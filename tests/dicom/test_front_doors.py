"""A study is the same by whichever door it comes in: a folder, a zip archive, a DICOMDIR."""

from __future__ import annotations

import hashlib
import json
import os
import zipfile
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.dataset import FileDataset

from leukospect.dicom.read import archive as archives
from leukospect.dicom.read.ct import read_ct
from leukospect.dicom.read.study import read_projections, read_study
from leukospect.errors import InputError
from leukospect.single_volume import read_volume
from leukospect.whole_files import whole_folder
from tests.command_line import leukospect, volume
from tests.dicom.acquisitions import Tomo, ct_slices, save
from tests.dicom.broken import dicomdir, put, written, zipped

_RECON = ("--iterations", "1", "--subsets", "1", "--no-resolution", "--scatter", "none")


def ct(slices: int = 5) -> list[FileDataset]:
    array = np.arange(slices * 6 * 7, dtype=np.int16).reshape(slices, 6, 7) - 500
    return ct_slices(array, np.array([[-10.0, -20.0, 3.0 * k - 40.0] for k in range(slices)]))


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """A study with a SPECT, a CT and junk, in folders of their own."""
    folder = tmp_path / "study"
    save(folder / "spect", Tomo().dataset())
    save(folder / "ct", *ct())
    (folder / "notes.txt").write_text("no image")
    return folder


def zip_folder(folder: Path, method: int = zipfile.ZIP_DEFLATED) -> Path:
    target = folder.with_suffix(".zip")
    with zipfile.ZipFile(target, "w", method) as archive:
        for path in sorted(folder.rglob("*")):
            archive.write(path, path.relative_to(folder))
    return target


def directory_of(folder: Path, *more: list[str], upper: bool = False) -> Path:
    """A DICOMDIR of all files below a folder, and of what else is asked for."""
    names = [list(path.relative_to(folder).parts) for path in sorted(folder.rglob("*.dcm"))]
    ids = [[part.upper() for part in parts] if upper else parts for parts in names]
    return put(folder, dicomdir(*ids, *more), "DICOMDIR")


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_zip_is_the_study_in_it(study: Path, method: int) -> None:
    packed, plain = read_study(zip_folder(study, method)), read_study(study)
    np.testing.assert_array_equal(packed.projections[0].counts, plain.projections[0].counts)
    np.testing.assert_array_equal(packed.ct[0].image.array, plain.ct[0].image.array)
    assert packed.ct[0].image.geometry.same_grid(plain.ct[0].image.geometry)
    assert packed.problems == plain.problems
    assert any("1 of 7 files not used (not DICOM)" in problem for problem in packed.problems)


def test_a_zip_is_told_by_its_content(study: Path) -> None:
    renamed = zip_folder(study).rename(study.with_name("study.img"))
    assert len(read_study(renamed).acquisitions) == 2
    misnamed = put(study.with_name("other"), written(Tomo().dataset()), "one.zip")
    assert len(read_study(misnamed).projections) == 1


def test_reading_a_zip_writes_nothing(study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    packed = zip_folder(study)
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    before = sorted(tmp_path.rglob("*"))
    read_study(packed)
    assert sorted(tmp_path.rglob("*")) == before


def test_names_in_a_zip_lead_nowhere(tmp_path: Path) -> None:
    """Members that would climb out of a folder are read like any other, and nothing appears outside."""
    content = written(Tomo().dataset())
    packed = put(tmp_path / "in", zipped({"../../evil.dcm": content, "/etc/evil.dcm": b"x", "C:\\evil": b"y"}), "s.zip")
    found = read_study(packed)
    assert len(found.projections) == 1
    assert [path.name for path in tmp_path.rglob("*")] == ["in", "s.zip"]
    source = found.projections[0].header.sources[0]
    assert source.is_relative_to(packed)
    assert "evil" not in str(source)


def test_results_of_earlier_runs_in_a_zip_are_not_read_again(study: Path) -> None:
    with whole_folder(study / "out", command="mar") as folder:
        save(folder / "dicom", *ct(7))
        (folder / "provenance.json").write_text("{}")
    found = read_study(zip_folder(study))
    assert [one.image.array.shape[0] for one in found.ct] == [5]
    assert any("7 files of earlier results" in problem for problem in found.problems)


def test_slices_that_lost_their_series_stay_in_their_folders(tmp_path: Path) -> None:
    for number, slices in enumerate((ct(4), ct(6))):
        for one in slices:
            del one.SeriesInstanceUID
        save(tmp_path / "study" / str(number), *slices)
    found = read_study(zip_folder(tmp_path / "study"))
    assert sorted(one.image.array.shape[0] for one in found.ct) == [4, 6]


def test_a_zip_that_changed_is_listed_anew(study: Path) -> None:
    packed = zip_folder(study)
    assert len(read_study(packed).acquisitions) == 2
    save(study / "late", Tomo(elements={"AcquisitionDate": "20240111"}).dataset())
    assert len(read_study(zip_folder(study)).acquisitions) == 3


def test_a_reconstruction_from_a_zip_is_that_of_its_folder_and_names_the_zip_as_input(
    study: Path, tmp_path: Path
) -> None:
    packed = zip_folder(study)
    for path, name in ((study / "spect", "plain"), (packed, "packed")):
        said = leukospect("recon", path, "-o", tmp_path / name, *_RECON)
        assert said.code == 0, said.stderr
    plain, from_zip = (volume(tmp_path / name / "recon.nii.gz") for name in ("plain", "packed"))
    np.testing.assert_array_equal(from_zip.array, plain.array)
    np.testing.assert_array_equal(from_zip.affine, plain.affine)
    inputs = json.loads((tmp_path / "packed" / "provenance.json").read_text())["inputs_sha256"]
    assert list(inputs.values()) == [hashlib.sha256(packed.read_bytes()).hexdigest()]
    written_plain, written_packed = (
        pydicom.dcmread(tmp_path / name / "dicom" / "recon.dcm") for name in ("plain", "packed")
    )
    assert written_packed.PatientID == "N1"
    assert written_packed.SeriesInstanceUID == written_plain.SeriesInstanceUID


def test_a_ct_and_a_spect_of_one_zip(study: Path, tmp_path: Path) -> None:
    packed = zip_folder(study)
    assert read_ct(packed).image.array.shape == (5, 6, 7)
    assert read_volume(packed).array.shape == (5, 6, 7)
    said = leukospect("recon", packed, "--ct", packed, "-o", tmp_path / "out", *_RECON)
    assert said.code == 0, said.stderr
    inputs = json.loads((tmp_path / "out" / "provenance.json").read_text())["inputs_sha256"]
    assert len(inputs) == 1


def test_the_output_may_not_replace_a_zip(study: Path) -> None:
    packed = zip_folder(study)
    said = leukospect("recon", packed, "-o", packed.parent, *_RECON)
    assert said.code == 3
    assert packed.is_file()


def test_a_zip_archive_of_too_many_files_is_refused_before_it_is_listed(
    study: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archives, "_MOST_FILES", 5)
    with pytest.raises(InputError, match=r"lists \d+ files; more than 5"):
        read_study(zip_folder(study))


def test_overlapping_files_in_a_zip_are_refused(tmp_path: Path) -> None:
    packed = bytearray(zipped({name: written(Tomo().dataset()) for name in ("a", "b", "c")}))
    first = packed.index(b"PK\1\2")
    for name in (b"b", b"c"):  # all of them point at the first one
        place = packed.index(b"PK\1\2", first + 1)
        packed[place + 42 : place + 46] = packed[first + 42 : first + 46]
        first = place
        assert bytes(packed[place + 46 : place + 47]) == name
    path = put(tmp_path, bytes(packed), "s.zip")
    begin = packed.index(b"PK\3\4", 4)
    end = packed.index(b"PK\1\2")
    small = bytes(packed[:begin]) + bytes(packed[end:])
    place = small.rindex(b"PK\5\6") + 16
    path.write_bytes(small[:place] + begin.to_bytes(4, "little") + small[place + 4 :])
    with pytest.raises(InputError, match="overlap"):
        read_study(path)


def test_a_dicomdir_is_the_files_that_it_names(study: Path) -> None:
    plain = read_study(study)
    found = read_study(directory_of(study))
    np.testing.assert_array_equal(found.projections[0].counts, plain.projections[0].counts)
    np.testing.assert_array_equal(found.ct[0].image.array, plain.ct[0].image.array)
    assert found.problems == ()


@pytest.mark.parametrize("undefined", [False, True])
def test_records_are_read_whatever_their_lengths(undefined: bool, study: Path) -> None:
    name = next((study / "spect").iterdir()).name
    path = put(study, dicomdir(["spect", name], undefined=undefined), "DICOMDIR")
    assert len(read_study(path).acquisitions) == 1
    assert len(read_projections(path).energy_windows) == 1


def test_a_dicomdir_names_files_in_upper_case(study: Path) -> None:
    assert len(read_study(directory_of(study, upper=True)).acquisitions) == 2


def test_versions_of_iso_9660_are_no_part_of_a_name(study: Path) -> None:
    file = next((study / "spect").iterdir())
    file.rename(file.with_name("im1.;1"))
    assert len(read_study(put(study, dicomdir(["SPECT", "IM1"]), "DICOMDIR")).acquisitions) == 1


def test_a_dicomdir_in_a_folder_is_no_acquisition(study: Path) -> None:
    directory_of(study)
    found = read_study(study)
    assert len(found.acquisitions) == 2
    assert any("DICOM directory" in problem for problem in found.problems)


def test_files_that_a_dicomdir_names_and_are_gone_are_counted(study: Path) -> None:
    found = read_study(directory_of(study, ["ct", "gone"], ["ct", "gone"], ["away", "x", "y"]))
    assert found.problems == ("2 of 8 files not used (missing, though the DICOM directory names them): files 7, 8.",)


def test_a_dicomdir_under_another_name_is_told_by_its_class(study: Path) -> None:
    path = directory_of(study)
    assert len(read_study(path.rename(study / "index.dcm")).acquisitions) == 2


@pytest.mark.parametrize(
    "parts",
    [["..", "outside", "one.dcm"], ["", "etc", "passwd"], ["spect", "..", "..", "outside", "one.dcm"],
     ["C:", "one.dcm"], ["../outside/one.dcm"], [".", "spect"], ["/etc/passwd"]],
)  # fmt: skip
def test_nothing_outside_the_folder_of_a_dicomdir_is_opened(parts: list[str], study: Path) -> None:
    put(study.with_name("outside"), written(Tomo().dataset()), "one.dcm")
    found = read_study(directory_of(study, parts))
    assert len(found.acquisitions) == 2
    assert found.problems == (
        "1 of 7 files not used (outside the DICOM directory's folder, so they are not opened): file 7.",
    )


@pytest.mark.parametrize("of_a_folder", [False, True])
def test_links_that_lead_out_of_the_folder_of_a_dicomdir_are_not_followed(of_a_folder: bool, study: Path) -> None:
    outside = put(study.with_name("outside"), written(Tomo().dataset()), "one.dcm")
    (study / "link").symlink_to(outside.parent if of_a_folder else outside)
    found = read_study(directory_of(study, ["link", "one.dcm"] if of_a_folder else ["link"]))
    assert len(found.acquisitions) == 2
    assert "outside" in found.problems[0]


def test_links_within_the_folder_of_a_dicomdir_are(study: Path) -> None:
    (study / "link").symlink_to(next((study / "spect").iterdir()))
    (study / "circle").symlink_to("circle")
    path = put(study, dicomdir(["LINK"], ["CIRCLE"], ["DICOMDIR"]), "DICOMDIR")
    found = read_study(path)
    assert len(found.acquisitions) == 1
    assert "missing" in found.problems[0]


def test_a_batch_takes_zip_archives_as_studies(study: Path, tmp_path: Path) -> None:
    """The studies here are too small to be run; that both are tried under their own names is what is looked at."""
    archive = tmp_path / "archive"
    archive.mkdir()
    os.rename(zip_folder(study), archive / "packed.zip")  # noqa: PTH104
    save(archive / "plain", *ct())
    said = leukospect("batch", archive, "-o", tmp_path / "out")
    assert said.code == 4
    assert "plain: failed" in said.stdout
    assert "packed:" in said.stdout
    assert "beside the studies" not in said.stderr
    save(archive / "packed", *ct())
    assert leukospect("batch", archive, "-o", tmp_path / "again").code == 3


def test_a_run_finds_in_a_zip_what_it_finds_in_its_folder(study: Path, tmp_path: Path) -> None:
    """Its collimator is of no known maker, which is found once it was read."""
    said = [leukospect("run", path, "-o", tmp_path / "out") for path in (study, zip_folder(study), directory_of(study))]
    assert {one.code for one in said} == {3}
    assert len({one.stderr for one in said}) == 1
