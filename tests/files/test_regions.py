"""Region files: what is written is what is rasterised, and wrong files are refused by name."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from leukospect.data import Geometry, Image
from leukospect.errors import AssumptionWarning, InputError, MissingInformationError, ProtocolError
from leukospect.files.nifti import write_nifti
from leukospect.files.regions import read_region_definitions, read_regions
from leukospect.quantification.shapes import Box, Cylinder, Sphere

GRID = Geometry.axial((30, 36, 60), (-3.0, 4.0, 3.5), (-100.0, -70.0, 100.0), "1.2.3")

GOOD = """
[[region]]
name = "plate"
role = "lesion"
reference = "marrow"

[[region.sphere]]
center_mm = [-40.0, 10, 60.0]
radius_mm = 12

[[region.cylinder]]
from_mm = [-40.0, 10.0, 60.0]
to_mm = [-40.0, 10.0, 30.0]
radius_mm = 7.0

[[region]]
name = "marrow"
role = "reference"

[[region.box]]
center_mm = [40.0, 10.0, 60.0]
size_mm = [20.0, 24.0, 30.0]
"""


def write(folder: Path, text: str, name: str = "regions.toml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_a_file_of_shapes_is_read_as_written(tmp_path: Path) -> None:
    plate, marrow = read_region_definitions(write(tmp_path, GOOD))
    assert plate.shapes == (
        Sphere((-40.0, 10.0, 60.0), 12.0),
        Cylinder((-40.0, 10.0, 60.0), (-40.0, 10.0, 30.0), 7.0),
    )
    assert marrow.shapes == (Box((40.0, 10.0, 60.0), (20.0, 24.0, 30.0)),)
    assert (plate.role, plate.reference, marrow.role) == ("lesion", "marrow", "reference")
    labels, regions = read_regions(write(tmp_path, GOOD), GRID)
    assert [region.name for region in regions] == ["plate", "marrow"]
    assert regions[1].centroid_mm == pytest.approx((40.0, 10.0, 60.0), abs=1.8)
    assert labels.geometry is GRID


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("radius_mm = 12", "radius_cm = 1.2", r"'plate', sphere has the unknown key 'radius_cm'"),
        ("radius_mm = 12", "", r"'plate', sphere lacks the key 'radius_mm'"),
        ("radius_mm = 12", "radius_mm = -12", r"'plate': A sphere's radius_mm must be positive"),
        ("radius_mm = 12", "radius_mm = true", r"'plate', sphere: radius_mm must be one number"),
        ("[-40.0, 10, 60.0]", "[-40.0, 10]", r"center_mm must be three numbers"),
        ("[-40.0, 10, 60.0]", "[nan, 10, 60]", r"center_mm must be three finite numbers"),
        ('reference = "marrow"', 'reference = "liver"', r"'plate' is compared with 'liver'"),
        ('reference = "marrow"', 'reference = ""', r"'plate': reference is empty"),
        ('role = "lesion"', 'role = "lesson"', r"'plate': role must be lesion or reference; found 'lesson'"),
        ('role = "lesion"', "", r"'plate' lacks the key 'role'"),
        ('name = "marrow"', 'name = "plate"', r"Two regions are named 'plate'"),
        ('name = "marrow"', 'name = "marrow"\ncolour = "red"', r"'marrow' has the unknown key 'colour'"),
        ("[[region.box]]", "[region.box]", r"'marrow': write every box as a table"),
        ("[[region]]", "version = 2\n[[region]]", r"unknown key 'version'"),
        ("[[region]]", "[[region", r"cannot be understood"),
    ],
)
def test_a_wrong_file_is_refused_by_region_and_key(tmp_path: Path, old: str, new: str, message: str) -> None:
    with pytest.raises(ProtocolError, match=message) as refused:
        read_region_definitions(write(tmp_path, GOOD.replace(old, new, 1)))
    assert str(tmp_path) not in str(refused.value)


def test_files_that_are_no_region_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        read_regions(tmp_path / "missing.toml", GRID)
    with pytest.raises(InputError, match="neither TOML"):
        read_regions(write(tmp_path, GOOD, "regions.txt"), GRID)
    with pytest.raises(ProtocolError, match="no region found"):
        read_regions(write(tmp_path, ""), GRID)


def test_a_lesion_without_reference_gets_its_mirror_where_the_body_is_known(tmp_path: Path) -> None:
    alone = GOOD.replace('reference = "marrow"', "").split('[[region]]\nname = "marrow"')[0]
    path = write(tmp_path, alone)
    with pytest.raises(MissingInformationError, match="'plate'"):
        read_regions(path, GRID)
    body = np.zeros(GRID.shape, dtype=bool)
    body[:, 5:30, 8:50] = True
    midline = -100.0 + 3.5 * (8 + 49) / 2
    _, (plate, mirror) = read_regions(path, GRID, body)
    assert (plate.reference, mirror.name, mirror.role) == ("mirror of plate", "mirror of plate", "reference")
    assert (plate.side, mirror.side) == ("right", "left")
    assert mirror.centroid_mm[0] == pytest.approx(2 * midline - plate.centroid_mm[0], abs=1.8)


def label_file(folder: Path, grid: Geometry = GRID) -> Path:
    array = np.zeros(grid.shape, dtype=np.uint8)
    points = grid.to_lps(np.moveaxis(np.indices(grid.shape), 0, -1))
    array[np.linalg.norm(points - (-40.0, 10.0, 60.0), axis=-1) < 15] = 3
    array[np.linalg.norm(points - (40.0, 10.0, 60.0), axis=-1) < 12] = 7
    write_nifti(Image(array, grid, "label"), folder / "labels.nii.gz")
    return folder / "labels.nii.gz"


SIDECAR = {
    "region": [
        {"label": 7, "name": "marrow", "role": "reference"},
        {"label": 3, "name": "plate", "role": "lesion", "reference": "marrow"},
    ]
}


def test_a_label_image_with_names_is_taken_to_the_grid(tmp_path: Path) -> None:
    fine = Geometry.axial((70, 90, 120), (1.5, 2.0, 1.75), (-100.0, -70.0, 8.0))
    path = label_file(tmp_path, fine)
    write(tmp_path, json.dumps(SIDECAR), "labels.json")
    labels, (marrow, plate) = read_regions(path, GRID)
    assert labels.array.shape == GRID.shape
    assert (marrow.label, plate.label, plate.reference) == (7, 3, "marrow")
    assert plate.centroid_mm == pytest.approx((-40.0, 10.0, 60.0), abs=1.0)
    assert plate.volume_ml == pytest.approx(4 / 3 * np.pi * 1.5**3, rel=0.05)


def test_a_label_image_without_names_has_lesions_with_mirrors(tmp_path: Path) -> None:
    body = np.zeros(GRID.shape, dtype=bool)
    body[:, :, :40] = True
    with pytest.warns(AssumptionWarning, match="each of its labels is taken as a lesion"):
        _, regions = read_regions(label_file(tmp_path), GRID, body)
    assert [region.name for region in regions if region.role == "lesion"] == ["region 3", "region 7"]
    assert any(region.name == "mirror of region 3" for region in regions)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"region": [SIDECAR["region"][0]]}, "says nothing of label 3"),
        ({"region": [*SIDECAR["region"], {"label": 9, "name": "x", "role": "lesion"}]}, "label 9"),
        ({"region": [*SIDECAR["region"], {"label": 3, "name": "x", "role": "lesion"}]}, "another region has as well"),
        ({"region": [{"label": 3, "name": "x"}]}, "lacks the key 'role'"),
        ({"region": [{**SIDECAR["region"][1], "reference": "liver"}, SIDECAR["region"][0]]}, "compared with 'liver'"),
        ({"region": [{**SIDECAR["region"][1], "side": "left"}]}, "unknown key 'side'"),
        ([], "must hold a table"),
    ],
)
def test_wrong_names_are_refused(tmp_path: Path, table: object, message: str) -> None:
    write(tmp_path, json.dumps(table), "labels.json")
    with pytest.raises(ProtocolError, match=message):
        read_regions(label_file(tmp_path), GRID)


def test_images_that_hold_no_labels_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "labels.nii.gz"
    write_nifti(Image(np.full(GRID.shape, 0.5, dtype=np.float32), GRID), path)
    with pytest.raises(InputError, match="not whole numbers"):
        read_regions(path, GRID)
    write_nifti(Image(np.zeros(GRID.shape, dtype=np.uint8), GRID), path)
    with pytest.raises(InputError, match="holds no region"):
        read_regions(path, GRID)
