"""A reconstructed volume lies at the same place whichever way its slices run, also to SimpleITK and the commands."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from leukospect.single_volume import read_volume
from tests.command_line import Volume, leukospect
from tests.dicom.acquisitions import ReconTomo, Source, Stored, save
from tests.finding import find, volume_by_pydicom, volume_by_simpleitk

SOURCES = (
    Source((-14.0, 13.0, -241.0), 3000.0, 6.0),
    Source((17.0, -9.0, -203.0), 2000.0, 6.0),
    Source((11.0, 22.0, -222.0), 1000.0, 6.0),
)
UP = ReconTomo(SOURCES, shape=(17, 15, 18), spacing_mm=5.0, first_mm=(-33.0, -32.0, -262.0), stored=Stored(slope=0.5))
DOWN = replace(UP, spacing_mm=-5.0, first_mm=(-33.0, -32.0, -182.0))


@pytest.mark.parametrize("made", [UP, DOWN], ids=["to the head", "to the feet"])
@pytest.mark.parametrize("place_of", ["head", "file"])
def test_sources_lie_where_they_were_put(made: ReconTomo, place_of: str, tmp_path: Path) -> None:
    path = next(save(tmp_path, replace(made, place_of=place_of).dataset()).iterdir())
    image = read_volume(path)
    affine = image.geometry.affine[:, [2, 1, 0, 3]]
    seen = {"read": Volume(np.asarray(image.array, np.float64).transpose(2, 1, 0), affine)}
    if place_of == "head":  # where the standard has it, and where SimpleITK looks
        seen |= {"by pydicom": volume_by_pydicom(path), "by SimpleITK": volume_by_simpleitk(path)}
    for where, what in seen.items():
        assert find(what, SOURCES).problems(SOURCES, 0.1) == [], where


def test_the_wrong_sign_is_seen(tmp_path: Path) -> None:
    dataset = DOWN.dataset()
    dataset.SpacingBetweenSlices = 5.0
    path = next(save(tmp_path, dataset).iterdir())
    image = read_volume(path)
    affine = image.geometry.affine[:, [2, 1, 0, 3]]
    wrong = Volume(np.asarray(image.array, np.float64).transpose(2, 1, 0), affine)
    assert find(wrong, SOURCES).problems(SOURCES)
    assert find(volume_by_simpleitk(path), SOURCES).problems(SOURCES)


def test_both_fill_the_same_voxels() -> None:
    np.testing.assert_allclose(UP.places_mm(), DOWN.places_mm()[::-1])
    np.testing.assert_array_equal(UP.values(), DOWN.values()[::-1])


def test_inspect_tells_them_alike(tmp_path: Path) -> None:
    told = []
    for name, made in (("up", UP), ("down", DOWN)):
        said = leukospect("inspect", next(save(tmp_path / name, made.dataset()).iterdir()), "--json")
        assert said.code == 0, said.stderr
        told.append(json.loads(said.stdout)["acquisitions"])
    assert told[0] == told[1]
    assert told[0][0]["kind"] == "RECON TOMO"
