"""Hot spheres at known places: simulated, written as DICOM, reconstructed, and found in the NIfTI that comes out."""

from __future__ import annotations

import tomllib
from pathlib import Path

import numpy as np
import pytest

from leukospect.resources import shipped
from tests.command_line import Volume, leukospect, volume

SPHERES = ("first", "second", "third", "outside")


def _places_mm() -> dict[str, list[float]]:
    shapes = tomllib.loads(shipped("phantoms")["points"].read_text(encoding="utf-8"))["shape"]
    return {shape["compartment"]: shape["center_mm"] for shape in shapes if shape["compartment"] in SPHERES}


def _with_orbit(direction: str, start_angle_deg: float) -> str:
    """Give the shipped phantom with another orbit, without its planar views, and a coarser CT."""
    text = shipped("phantoms")["points"].read_text(encoding="utf-8")
    parts = text.split("[[acquisition]]\n")
    kept = [part for part in parts[1:] if 'kind = "SPECT"' in part]
    assert len(kept) == 1
    orbit = kept[0].replace("start_angle_deg = 45", f"start_angle_deg = {start_angle_deg}")
    orbit = orbit.replace('direction = "CW"', f'direction = "{direction}"')
    assert f'direction = "{direction}"' in orbit
    assert f"start_angle_deg = {start_angle_deg}" in orbit
    return parts[0].replace("rays_per_cell = 2\n", "") + "[[acquisition]]\n" + orbit


def _assert_found(seen: Volume) -> None:
    for name, place in _places_mm().items():
        near = seen.near(place, 20.0)
        weights = np.where(near, np.maximum(seen.array - 0.15 * seen.array[near].max(), 0.0), 0.0)
        centroid = (weights[..., None] * seen.places_mm()).sum(axis=(0, 1, 2)) / weights.sum()
        assert np.all(np.abs(centroid - place) <= seen.voxel_mm / 2), (name, centroid - place)
        assert seen.array[near].max() > 4 * np.median(seen.array[seen.near(place, 40.0) & ~seen.near(place, 30.0)])


@pytest.mark.parametrize("start_angle_deg", [0.0, 45.0, 180.0, 290.0])
@pytest.mark.parametrize("direction", ["CC", "CW"])
def test_points_come_back_whatever_the_orbit(direction: str, start_angle_deg: float, tmp_path: Path) -> None:
    (tmp_path / "turned.toml").write_text(_with_orbit(direction, start_angle_deg))
    said = leukospect("phantom", "make", tmp_path / "turned.toml", "-o", tmp_path / "made")
    assert said.code == 0, said.stderr
    [spect] = (tmp_path / "made" / "study").glob("*-spect.dcm")
    said = leukospect("recon", spect, "-o", tmp_path / "out", "--iterations", 3)
    assert said.code == 0, said.stderr
    _assert_found(volume(tmp_path / "out" / "recon.nii.gz"))


def test_a_wrong_reading_of_the_orbit_misplaces_them(tmp_path: Path) -> None:
    (tmp_path / "turned.toml").write_text(_with_orbit("CC", 45.0))
    assert leukospect("phantom", "make", tmp_path / "turned.toml", "-o", tmp_path / "made").code == 0
    [spect] = (tmp_path / "made" / "study").glob("*-spect.dcm")
    for number, option in enumerate((("--direction", "cw"), ("--start-angle-deg", 60), ("--axis-mm", 0, 0))):
        out = tmp_path / str(number)
        assert leukospect("recon", spect, "-o", out, "--iterations", 1, "--no-resolution", *option).code == 0
        with pytest.raises(AssertionError):
            _assert_found(volume(out / "recon.nii.gz"))


def test_the_shipped_points_come_back_with_attenuation_corrected(tmp_path: Path) -> None:
    assert leukospect("phantom", "make", "points", "-o", tmp_path / "made").code == 0
    study = tmp_path / "made" / "study"
    [spect], [ct] = study.glob("*-spect.dcm"), study.glob("*-ct")
    said = leukospect("recon", spect, "--ct", ct, "-o", tmp_path / "out")
    assert said.code == 0, said.stderr
    _assert_found(volume(tmp_path / "out" / "recon.nii.gz"))
