"""What is too large, too deep or too strange to be true is refused or told, before it does harm."""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest

from tests.command_line import leukospect
from tests.dicom.acquisitions import Tomo, save


def lying_nifti(path: Path, shape: tuple[int, ...]) -> Path:
    """A NIfTI file of 8 x 8 x 8 voxels whose header claims another shape."""
    nib.save(nib.Nifti1Image(np.zeros((8, 8, 8), np.uint8), np.eye(4)), path)
    content = bytearray(path.read_bytes())
    content[40:56] = np.array([len(shape), *shape, *([1] * (7 - len(shape)))], "<i2").tobytes()[:16]
    path.write_bytes(bytes(content))
    return path


@pytest.mark.parametrize("shape", [(32767, 32767, 32767), (8, 8, -4), (8, 8, 0)])
def test_a_nifti_that_claims_impossible_voxels_is_refused(tmp_path: Path, shape: tuple[int, ...]) -> None:
    path = lying_nifti(tmp_path / "lying.nii", shape)
    spect = save(tmp_path / "spect", Tomo().dataset())
    for said in (
        leukospect("register", path, path, "-o", tmp_path / "out"),
        leukospect("recon", spect, "--mu", path, "-o", tmp_path / "out"),
    ):
        assert said.code == 3, said.stderr
        assert len(said.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_a_nifti_bomb_is_refused_unopened(tmp_path: Path) -> None:
    """A packed gigabyte of zeros."""
    image = nib.Nifti1Image(np.broadcast_to(np.uint8(0), (1, 1, 1)), np.eye(4))
    image.header.set_data_shape((1000, 1000, 1000))
    (tmp_path / "bomb.nii").write_bytes(image.header.binaryblock + b"\0" * 4)
    os.truncate(tmp_path / "bomb.nii", 352)
    with gzip.open(tmp_path / "bomb.nii.gz", "wb", compresslevel=1) as stream:
        stream.write((tmp_path / "bomb.nii").read_bytes())
    said = leukospect("register", tmp_path / "bomb.nii.gz", tmp_path / "bomb.nii.gz", "-o", tmp_path / "out")
    assert said.code == 3
    assert "cannot be" in said.stderr


@pytest.fixture
def deep_folder(tmp_path: Path) -> Iterator[Path]:
    """A study with 1300 folders within each other, taken away again step by step: what recurses cannot."""
    study, before = save(tmp_path / "study", Tomo().dataset()), Path.cwd()
    os.chdir(study)
    for _ in range(1300):
        Path("d").mkdir()
        os.chdir("d")
    os.chdir(before)
    yield study
    os.chdir(study)
    for _ in range(1300):
        os.chdir("d")
    for _ in range(1300):
        os.chdir("..")
        Path("d").rmdir()
    os.chdir(before)


def test_folders_nested_very_deep_are_walked(deep_folder: Path) -> None:
    assert leukospect("inspect", deep_folder).code == 0


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"radii_mm": (5000.0,)}, "cannot be the distance"),
        ({"duration_ms": 10**11}, "cannot be"),
    ],
)
def test_what_no_camera_does_is_refused(tmp_path: Path, changes: dict[str, Any], sentence: str) -> None:
    duration = changes.pop("duration_ms", None)
    dataset = Tomo(**changes).dataset()
    if duration:
        dataset.RotationInformationSequence[0].ActualFrameDuration = duration
    said = leukospect("inspect", save(tmp_path / "spect", dataset))
    assert said.code == 3
    assert sentence in said.stderr


def test_a_negative_step_is_said(tmp_path: Path) -> None:
    dataset = Tomo().dataset()
    dataset.RotationInformationSequence[0].AngularStep = -30.0
    said = leukospect("inspect", save(tmp_path / "spect", dataset))
    assert said.code == 0
    assert "is negative; its size is taken" in said.stdout


def test_control_characters_of_a_header_do_not_reach_the_terminal(tmp_path: Path) -> None:
    dataset = Tomo(elements={"Manufacturer": "ACME\x1b[31m\nleukospect: forged"}).dataset()
    said = leukospect("inspect", save(tmp_path / "spect", dataset))
    assert "\x1b" not in said.stdout
    assert not any(line.startswith("leukospect:") for line in said.stdout.splitlines())


def test_thumbnails_replace_only_their_own(tmp_path: Path) -> None:
    spect = save(tmp_path / "spect", Tomo().dataset())
    pictures = tmp_path / "pictures"
    assert leukospect("inspect", spect, "--thumbnails", pictures).code == 0
    assert leukospect("inspect", spect, "--thumbnails", pictures).code == 0
    (pictures / "01-tomo.png").write_text("mine")
    said = leukospect("inspect", spect, "--thumbnails", pictures)
    assert said.code == 3
    assert said.stdout == ""
    assert (pictures / "01-tomo.png").read_text() == "mine"


def test_run_takes_what_its_refusals_name(tmp_path: Path) -> None:
    """A file without collimator: the refusal names an option that `run` has."""
    dataset = Tomo().dataset()
    del dataset.DetectorInformationSequence[0].CollimatorGridName
    spect = save(tmp_path / "spect", dataset)
    said = leukospect("run", spect, "-o", tmp_path / "out")
    assert said.code == 3
    assert "--no-resolution" in said.stderr
    again = leukospect("run", spect, "-o", tmp_path / "out", "--no-resolution", "--set", "uncertainty.replicates=0")
    assert "unrecognized" not in again.stderr
    assert "collimator" not in again.stderr


def test_recon_refuses_before_it_loads_what_computes(tmp_path: Path) -> None:
    dataset = Tomo().dataset()
    del dataset.AngularViewVector
    spect = save(tmp_path / "spect", dataset)
    program = (
        "import sys\nfrom leukospect.cli import main\n"
        "code = main(sys.argv[1:])\nprint(code, 'leukospect.jobs' in sys.modules, 'numba' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, "recon", spect, "-o", tmp_path / "out"],
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert done.stdout.split() == ["3", "False", "False"]
    assert not (tmp_path / "out").exists()
