"""What the command line promises: exit codes, one sentence, and nothing left behind."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import nibabel as nib
import numpy as np
import pytest
from pydicom import dcmread

import leukospect.inspection_job
from leukospect import __version__
from leukospect.cli import main
from tests.command_line import leukospect as command
from tests.dicom.written import dciodvfy_errors

FAST = ("--iterations", 1, "--no-resolution", "--scatter", "none")


class Wrong:
    """Makers of wrong inputs in a folder of their own."""

    def __init__(self, folder: Path, spect: Path, ct: Path) -> None:
        self.folder, self.spect, self.ct = folder, spect, ct

    def empty(self) -> Path:
        (self.folder / "empty").mkdir()
        return self.folder / "empty"

    def text(self) -> Path:
        (self.folder / "note.dcm").write_text("not an image\n")
        return self.folder / "note.dcm"

    def ct_for_projections(self) -> Path:
        return self.ct

    def missing(self) -> Path:
        return self.folder / "missing"

    def vector_missing(self) -> Path:
        dataset = dcmread(self.spect)
        del dataset.AngularViewVector
        dataset.save_as(self.folder / "scan.dcm")
        return self.folder / "scan.dcm"

    def angles_not_frames(self) -> Path:
        dataset = dcmread(self.spect)
        dataset.RotationInformationSequence[0].NumberOfFramesInRotation -= 1
        dataset.save_as(self.folder / "scan.dcm")
        return self.folder / "scan.dcm"

    def pixels_cut_off(self) -> Path:
        dataset = dcmread(self.spect)
        dataset.PixelData = dataset.PixelData[: len(dataset.PixelData) // 2]
        dataset.save_as(self.folder / "scan.dcm")
        return self.folder / "scan.dcm"

    def interfile_cut_off(self) -> Path:
        keys = {
            "!imaging modality": "nucmed", "name of data file": "scan.s", "!type of data": "Tomographic",
            "imagedata byte order": "LITTLEENDIAN", "!number format": "float", "!number of bytes per pixel": 4,
            "!matrix size [1]": 5, "!matrix size [2]": 4, "!scaling factor (mm/pixel) [1]": 3.5,
            "!scaling factor (mm/pixel) [2]": 4.5, "!number of projections": 6, "!extent of rotation": 360,
            "!process status": "acquired", "!direction of rotation": "CW", "start angle": 180, "orbit": "circular",
            "radius": 150,
        }  # fmt: skip
        lines = ["!INTERFILE  :=", *(f"{key} := {value}" for key, value in keys.items()), "!END OF INTERFILE :="]
        (self.folder / "scan.hs").write_text("\n".join(lines) + "\n")
        (self.folder / "scan.s").write_bytes(np.ones(6 * 4 * 5 - 7, "<f4").tobytes())
        return self.folder / "scan.hs"


@pytest.fixture
def wrong(tmp_path: Path, small_spect: Path, small_ct: Path) -> Wrong:
    (tmp_path / "in").mkdir()
    return Wrong(tmp_path / "in", small_spect, small_ct)


@pytest.fixture
def refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Run a command that must be refused with one sentence and leave nothing; give the sentence."""

    def run(*arguments: object, output: Path | None = None) -> str:
        place = output or tmp_path / "deep" / "er" / "out"
        before = set(tmp_path.rglob("*"))
        code = main([str(argument) for argument in (*arguments, "-o", place)])
        printed = capsys.readouterr()
        assert code == 3, printed.err
        assert printed.out == ""
        assert printed.err.startswith("leukospect: ")
        assert printed.err.count("\n") == 1
        assert printed.err.rstrip().endswith(".")
        assert "Traceback" not in printed.err
        assert set(tmp_path.rglob("*")) == before
        return printed.err

    return run


WRONG_FOR_BOTH = ["empty", "text", "ct_for_projections", "missing", "vector_missing", "angles_not_frames",
                  "pixels_cut_off"]  # fmt: skip


@pytest.mark.parametrize("kind", [*WRONG_FOR_BOTH, "interfile_cut_off"])
def test_wrong_projections_are_refused(kind: str, wrong: Wrong, refused: Callable[..., str]) -> None:
    refused("recon", getattr(wrong, kind)(), *FAST)


@pytest.mark.parametrize("kind", WRONG_FOR_BOTH)
def test_a_wrong_study_is_refused(kind: str, wrong: Wrong, refused: Callable[..., str]) -> None:
    refused("run", getattr(wrong, kind)())


@pytest.mark.parametrize("kind", ["empty", "text", "missing"])
def test_a_folder_without_ct_is_refused(kind: str, wrong: Wrong, refused: Callable[..., str]) -> None:
    refused("recon", wrong.spect, "--ct", getattr(wrong, kind)(), *FAST)


def test_projections_given_as_ct_are_refused(small_spect: Path, refused: Callable[..., str]) -> None:
    assert "No CT" in refused("recon", small_spect, "--ct", small_spect, *FAST)


def test_a_ct_of_another_patient_is_refused(
    small_spect: Path, small_ct: Path, tmp_path: Path, refused: Callable[..., str]
) -> None:
    (tmp_path / "ct").mkdir()
    for number, path in enumerate(sorted(small_ct.iterdir())):
        dataset = dcmread(path)
        dataset.PatientID, dataset.PatientName = "4711", "Doe^Jane"
        dataset.save_as(tmp_path / "ct" / f"{number}.dcm")
    sentence = refused("recon", small_spect, "--ct", tmp_path / "ct", *FAST)
    assert "2 patients" in sentence
    assert "Doe" not in sentence


def test_a_ct_that_is_not_in_hu_is_refused(
    small_spect: Path, small_ct: Path, tmp_path: Path, refused: Callable[..., str]
) -> None:
    (tmp_path / "ct").mkdir()
    for number, path in enumerate(sorted(small_ct.iterdir())):
        dataset = dcmread(path)
        del dataset.RescaleSlope, dataset.RescaleIntercept
        dataset.save_as(tmp_path / "ct" / f"{number}.dcm")
    assert "Rescale Slope" in refused("recon", small_spect, "--ct", tmp_path / "ct", *FAST)


def test_projections_without_counts_are_refused(small_spect: Path, tmp_path: Path, refused: Callable[..., str]) -> None:
    dataset = dcmread(small_spect)
    dataset.PixelData = bytes(len(dataset.PixelData))
    dataset.save_as(tmp_path / "scan.dcm")
    assert "no counts" in refused("recon", tmp_path / "scan.dcm", *FAST)


def test_counts_of_unknown_duration_are_not_calibrated(
    small_spect: Path, tmp_path: Path, refused: Callable[..., str]
) -> None:
    dataset = dcmread(small_spect)
    for rotation in dataset.RotationInformationSequence:
        rotation.ActualFrameDuration = None
    dataset.save_as(tmp_path / "scan.dcm")
    assert "Bq/mL" in refused("recon", tmp_path / "scan.dcm", *FAST, "--calibration-cps-per-mbq", 80)
    said = command("recon", tmp_path / "scan.dcm", "-o", tmp_path / "out", *FAST)
    assert said.code == 0
    assert "counts per view" in said.stderr
    assert dcmread(tmp_path / "out" / "dicom" / "recon.dcm").Units == "PROPCNTS"
    assert dciodvfy_errors(tmp_path / "out" / "dicom" / "recon.dcm") == []


def test_a_wrong_option_is_named_as_it_was_written(small_spect: Path, refused: Callable[..., str]) -> None:
    assert "'--calibration-cps-per-mbq'" in refused("recon", small_spect, "--calibration-cps-per-mbq", -1)


@pytest.mark.parametrize("kind", ["nan", "inf", "HU", "negative", "elsewhere", "per millimetre"])
def test_an_impossible_attenuation_map_is_refused(
    kind: str, small_spect: Path, tmp_path: Path, refused: Callable[..., str]
) -> None:
    values = np.full((20, 20, 12), 0.15, np.float32)
    affine = np.diag([20.0, 20.0, 30.0, 1.0])
    affine[:3, 3] = [-200.0, -200.0, -165.0]
    if kind == "HU":
        values[:] = 1000.0
    elif kind == "per millimetre":
        values[:] = 0.015
    elif kind == "elsewhere":
        affine[2, 3] = 5000.0
    else:
        values[10, 10, 6] = {"nan": np.nan, "inf": np.inf, "negative": -1000.0}[kind]
    image = nib.Nifti1Image(values, affine)
    image.header.set_xyzt_units("mm")
    nib.save(image, tmp_path / "mu.nii.gz")
    refused("recon", small_spect, "--mu", tmp_path / "mu.nii.gz", *FAST)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--injection-time", "never"),
        ("--injection-time", "2031-01-05T08:00"),
        ("--injection-time", "2020-01-01T08:00+02:00"),
        ("--axis-mm", ("nan", "0")),
        ("--start-angle-deg", "nan"),
        ("--start-angle-deg", "inf"),
        ("--post-filter-fwhm-mm", "-3"),
        ("--calibration-cps-per-mbq", "0"),
        ("--dose-mbq", "-5"),
        ("--dose-mbq", "nan"),
        ("--collimator", "nonsense"),
        ("--nuclide", "Xx-1"),
        ("--nuclide", "In-111"),
        ("--subsets", "700"),
        ("--mar", ()),
        ("--register", ()),
    ],
)
def test_a_wrong_value_is_refused(
    option: str, value: str | tuple[str, ...], small_spect: Path, refused: Callable[..., str]
) -> None:
    refused("recon", small_spect, "--iterations", 1, option, *((value,) if isinstance(value, str) else value))


@pytest.mark.parametrize(
    "options",
    [
        ("--protocol", "nonsense"),
        ("--protocol", "in111-oxine-spect-ct"),
        ("--set", "a.b=1"),
        ("--set", "reconstruction.iterations=none"),
        ("--set", "rule=nonsense"),
        ("--set", "time_points.late_from_hours=30", "--set", "reconstruction.iterations=1"),
        ("--regions", "missing.toml"),
    ],
)
def test_a_wrong_protocol_or_region_file_is_refused(
    options: tuple[str, ...], small_phantom: Path, refused: Callable[..., str]
) -> None:
    refused("run", small_phantom / "study", "--set", "registration.enabled=false", *options)


def test_several_spect_without_injection_time_are_refused(
    small_phantom: Path, tmp_path: Path, refused: Callable[..., str]
) -> None:
    (tmp_path / "study").mkdir()
    for path in (small_phantom / "study").glob("*-spect.dcm"):
        dataset = dcmread(path)
        for item in dataset.RadiopharmaceuticalInformationSequence:
            for keyword in ("RadiopharmaceuticalStartDateTime", "RadiopharmaceuticalStartTime"):
                if keyword in item:
                    delattr(item, keyword)
        dataset.save_as(tmp_path / "study" / path.name)
    assert "injection time" in refused("run", tmp_path / "study", "--set", "reconstruction.iterations=1")


def test_an_output_folder_with_other_files_is_left_alone(
    small_spect: Path, tmp_path: Path, refused: Callable[..., str]
) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("mine")
    assert "other files" in refused("recon", small_spect, *FAST, output=tmp_path / "out")
    refused("recon", small_spect, *FAST, output=tmp_path / "out" / "thesis.txt")
    assert (tmp_path / "out" / "thesis.txt").read_text() == "mine"


def test_a_second_run_replaces_the_first_and_a_failed_one_does_not(
    small_spect: Path, tmp_path: Path, wrong: Wrong
) -> None:
    out = tmp_path / "out"
    assert command("recon", small_spect, "-o", out, *FAST).code == 0
    before = (out / "recon.nii.gz").read_bytes()
    assert command("recon", wrong.text(), "-o", out, *FAST).code == 3
    assert (out / "recon.nii.gz").read_bytes() == before
    assert command("recon", small_spect, "-o", out, "--iterations", 2, "--no-resolution").code == 0
    assert (out / "recon.nii.gz").read_bytes() != before
    assert not [path for path in tmp_path.rglob("*") if path.name.startswith((".partial", ".replaced"))]


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("nonsense",),
        ("recon", "scan.dcm"),
        ("recon", "scan.dcm", "-o", "out", "--iterations", "0"),
        ("recon", "scan.dcm", "-o", "out", "--iterations", "many"),
        ("recon", "scan.dcm", "-o", "out", "--direction", "left"),
        ("recon", "scan.dcm", "-o", "out", "--ct", "ct", "--mu", "mu.nii"),
        ("batch", "archive", "-o", "out", "--workers", "2", "--scheduler", "tcp://nowhere"),
        ("run", "study", "-o", "out", "--set", "nonsense"),
        ("phantom",),
        ("phantom", "make", "points", "-o", "out", "--seed", "-1"),
    ],
)
def test_wrong_usage_is_two(arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(list(arguments))
    assert ended.value.code == 2
    assert "error:" in capsys.readouterr().err


def test_the_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"leukospect {__version__}\n"


def test_phantoms_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["phantom", "list"]) == 0
    listed = {line.split()[0]: line.split(maxsplit=1)[1] for line in capsys.readouterr().out.splitlines()}
    assert {"femoral-nail", "femoral-nail-small", "points"} <= set(listed)
    assert {"uniform-cylinder", "iec-body", "sphere-depths", "jaszczak"} <= set(listed)
    assert all(listed.values())


def test_inspect_tells_what_is_there(small_phantom: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", str(small_phantom / "study"), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    kinds = [one["kind"] for one in found["acquisitions"]]
    assert [kind for kind in kinds if kind != "CT"] == ["STATIC", "STATIC", "TOMO", "STATIC", "TOMO"]
    assert kinds.count("CT") == 2
    late = [one for one in found["acquisitions"] if one["kind"] == "TOMO"][-1]
    assert late["hours_after_injection"] == 24
    assert late["matrix"] == [48, 64]
    assert (late["heads"], late["views"], late["direction"], late["collimator"]) == (2, 60, "CC", "LEHR")
    assert [window["ranges_kev"] for window in late["windows"]] == [
        [[126.45, 154.55]], [[114.45, 126.45]], [[154.55, 166.55]],
    ]  # fmt: skip
    assert main(["inspect", str(small_phantom / "study")]) == 0
    table = capsys.readouterr().out
    assert "TOMO" in table
    assert "PHANTOM" not in table


def test_inspect_draws_thumbnails(small_spect: Path, tmp_path: Path) -> None:
    assert command("inspect", small_spect, "--thumbnails", tmp_path / "small").code == 0
    pictures = list((tmp_path / "small").iterdir())
    assert pictures
    assert all(path.read_bytes().startswith(b"\x89PNG\r\n\x1a\n") for path in pictures)


def test_quiet_says_nothing(small_spect: Path, tmp_path: Path) -> None:
    said = command("--quiet", "recon", small_spect, "-o", tmp_path / "out", *FAST)
    assert (said.code, said.stdout, said.stderr) == (0, "", "")


def test_a_defect_is_told_without_a_traceback(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: object, **__: object) -> NoReturn:
        raise RuntimeError("Doe^Jane")

    monkeypatch.setattr(leukospect.inspection_job, "inspect_path", broken)
    assert main(["inspect", str(tmp_path)]) == 1
    printed = capsys.readouterr().err
    assert printed.startswith("leukospect: a defect of the program (RuntimeError)")
    assert "Traceback" not in printed
    assert "Doe" not in printed
    assert main(["inspect", str(tmp_path), "--debug"]) == 1
    assert "Traceback" in capsys.readouterr().err


def test_the_injection_time_given_moves_the_hours(small_spect: Path, tmp_path: Path) -> None:
    dataset = dcmread(small_spect)
    del dataset.RadiopharmaceuticalInformationSequence
    dataset.RadiopharmaceuticalInformationSequence = []
    dataset.save_as(tmp_path / "scan.dcm")
    day = f"{dataset.AcquisitionDate[:4]}-{dataset.AcquisitionDate[4:6]}-{dataset.AcquisitionDate[6:8]}T00:00"
    out = tmp_path / "out"
    said = command("recon", tmp_path / "scan.dcm", "-o", out, *FAST, "--injection-time", day, "--nuclide", "Tc-99m")
    assert said.code == 0, said.stderr
    written = dcmread(out / "dicom" / "recon.dcm", stop_before_pixels=True)
    [item] = written.RadiopharmaceuticalInformationSequence
    assert str(item.RadiopharmaceuticalStartDateTime).startswith(dataset.AcquisitionDate)
