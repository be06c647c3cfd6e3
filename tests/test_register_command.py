"""`leukospect register`, as a user runs it on a real PET and CT: what was put on comes back, what lies right stays."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from leukospect.ct.body import body_outline
from leukospect.data import Geometry, Image
from leukospect.files.nifti import write_nifti
from leukospect.files.transforms import read_transform
from leukospect.registration_job import register_job
from leukospect.single_volume import read_volume
from tests.command_line import leukospect


def _moved(image: Image, matrix: NDArray[np.float64]) -> Image:
    return Image(np.asarray(image.array, np.float32), Geometry(image.geometry.shape, matrix @ image.geometry.affine))


@pytest.mark.real_data
def test_what_is_put_on_a_real_pair_comes_back_by_the_command(real_data: Path, tmp_path: Path) -> None:
    pet, ct = real_data / "ct_pet" / "pet", real_data / "ct_pet" / "ct"
    as_it_is, _ = register_job(pet, ct, tmp_path / "as it is", progress=lambda stage, fraction: None)
    np.testing.assert_array_equal(read_transform(tmp_path / "as it is" / "fixed_to_moving.tfm"), np.eye(4))
    image, anatomy = read_volume(pet), read_volume(ct)
    points = anatomy.geometry.to_lps(np.argwhere(body_outline(anatomy))[::4999])
    centre = points.mean(axis=0)
    for number, (shift_mm, degrees) in enumerate(
        (((20.0, -15.0, 25.0), (0.0, 0.0, 0.0)), ((-12.0, 18.0, 14.0), (5.0, -4.0, 6.0)))
    ):
        put = np.eye(4)
        put[:3, :3] = Rotation.from_euler("xyz", degrees, degrees=True).as_matrix()
        put[:3, 3] = centre + shift_mm - put[:3, :3] @ centre
        file, folder = tmp_path / f"moved {number}.nii.gz", tmp_path / f"registered {number}"
        write_nifti(_moved(image, put), file)
        said = leukospect("register", file, ct, "-o", folder)
        assert said.code == 0, said.stderr
        assert json.loads((folder / "provenance.json").read_text())["notes"]["accepted"]
        # This patient's legs lie some millimetres apart in the two scans; what was put on top of that comes back.
        left = read_transform(folder / "fixed_to_moving.tfm") @ put - as_it_is.found
        assert np.linalg.norm(points @ left[:3, :3].T + left[:3, 3], axis=1).mean() < 2.0


def test_where_no_error_is_estimated_that_is_said(tmp_path: Path) -> None:
    grid = Geometry.axial((16, 24, 24), (6.0, 6.0, 6.0), (-70.0, -70.0, -40.0))
    places = grid.to_lps(np.moveaxis(np.indices(grid.shape), 0, -1))
    body = np.hypot(places[..., 0], places[..., 1] / 0.7) < 55.0
    hot = np.linalg.norm(places - np.array([20.0, 10.0, 10.0]), axis=-1) < 14.0
    image = Image((body + 3.0 * hot).astype(np.float32), grid)
    write_nifti(image, tmp_path / "one.nii.gz")
    write_nifti(_moved(image, np.eye(4)), tmp_path / "other.nii.gz")
    found, told = register_job(
        tmp_path / "one.nii.gz", tmp_path / "other.nii.gz", tmp_path / "out", progress=lambda stage, fraction: None
    )
    assert not np.isfinite(found.misalignment_mm)
    assert any("was not estimated" in text for text in told)
    assert "was not estimated" in (tmp_path / "out" / "provenance.json").read_text()


SPACING_MM = (6.0, 6.0, 6.0)
GRID = Geometry.axial((16, 24, 24), SPACING_MM, (-70.0, -70.0, -40.0))


def _body(level: float, outside: float, dtype: type) -> Image:
    places = GRID.to_lps(np.moveaxis(np.indices(GRID.shape), 0, -1))
    body = np.hypot(places[..., 0] - 6.0, places[..., 1] / 0.7) < 55.0
    bone = np.linalg.norm(places - np.array([20.0, 10.0, 10.0]), axis=-1) < 14.0
    return Image(np.where(bone, 1.2 * level, np.where(body, level, outside)).astype(dtype), GRID)


def test_a_ct_stored_above_hu_is_refused_and_not_taken_for_an_emission_image(tmp_path: Path) -> None:
    write_nifti(_body(1060.0, 0.0, np.int16), tmp_path / "stored.nii.gz")
    write_nifti(_body(3.0, 0.0, np.float32), tmp_path / "spect.nii.gz")
    said = leukospect("register", tmp_path / "spect.nii.gz", tmp_path / "stored.nii.gz", "-o", tmp_path / "out")
    assert said.code == 3
    assert "subtract 1024" in said.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("level", [3.0, 1060.0])
def test_an_emission_image_is_no_stored_ct_whatever_its_level(tmp_path: Path, level: float) -> None:
    image = _body(level, 0.0, np.float32)
    noisy = np.random.default_rng(4).poisson(np.asarray(image.array, np.float64) / level * 40.0) * level / 40.0
    write_nifti(Image(noisy.astype(np.float32), GRID), tmp_path / "spect.nii.gz")
    assert read_volume(tmp_path / "spect.nii.gz").unit != "HU"


@pytest.mark.parametrize("role", ["fixed", "moving"])
def test_an_image_that_shows_nothing_is_refused(tmp_path: Path, role: str) -> None:
    write_nifti(_body(3.0, 0.0, np.float32), tmp_path / "spect.nii.gz")
    write_nifti(_body(0.0, 0.0, np.float32), tmp_path / "empty.nii.gz")
    pair = ["spect.nii.gz", "empty.nii.gz"] if role == "moving" else ["empty.nii.gz", "spect.nii.gz"]
    said = leukospect("register", *(tmp_path / name for name in pair), "-o", tmp_path / "out")
    assert said.code == 3
    assert f"the {role} image have one value" in said.stderr
    assert not (tmp_path / "out").exists()


def test_a_picture_is_drawn_and_provenance_names_both_images(tmp_path: Path) -> None:
    write_nifti(_body(3.0, 0.0, np.float32), tmp_path / "spect.nii.gz")
    ct = _body(1.0, 0.0, np.float32)
    write_nifti(replace(ct, array=np.where(np.asarray(ct.array) > 0, 40.0, -1000.0)), tmp_path / "ct.nii.gz")
    said = leukospect("register", tmp_path / "ct.nii.gz", tmp_path / "spect.nii.gz", "-o", tmp_path / "out")
    assert said.code == 0, said.stderr
    assert (tmp_path / "out" / "alignment.png").read_bytes().startswith(b"\x89PNG")
    assert str(tmp_path) not in said.stdout
    document = json.loads((tmp_path / "out" / "provenance.json").read_text())
    hashes = {name: hashlib.sha256((tmp_path / f"{name}.nii.gz").read_bytes()).hexdigest() for name in ("ct", "spect")}
    assert document["notes"]["fixed image"]["kind"] == "CT"
    assert document["notes"]["fixed image"]["inputs_sha256"] == [hashes["ct"]]
    assert document["notes"]["moving image"]["inputs_sha256"] == [hashes["spect"]]
    assert set(document["inputs_sha256"].values()) == set(hashes.values())
