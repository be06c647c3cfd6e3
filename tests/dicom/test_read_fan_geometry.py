"""How the rays of a CT ran, from its headers: told, not told, impossible; and placed in slices that run any way."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.dataset import FileDataset

from leukospect.data import CtSeries, FanGeometry, Geometry, Image
from leukospect.dicom.read.fan_geometry import fan_geometry
from leukospect.dicom.read.study import read_study
from leukospect.dicom.write.ct_series import write_derived_ct
from leukospect.errors import GeometryError
from tests.dicom.acquisitions import ct_slices, save

TOLD = {
    "DistanceSourceToDetector": "1085.6",
    "DistanceSourceToPatient": "595",
    "DataCollectionCenterPatient": [3.0, -188.0, 0.0],
    "KVP": "120",
}


def written(**elements: Any) -> list[FileDataset]:
    made = ct_slices(np.full((3, 8, 9), 40, dtype=np.int16), np.array([[-10.0, -200.0, 3.0 * k] for k in range(3)]))
    for k, one in enumerate(made):
        for keyword, value in {**TOLD, **elements}.items():
            if value is None:
                one.pop(keyword, None)
            else:
                setattr(one, keyword, value)
        if "DataCollectionCenterPatient" in one:
            one.DataCollectionCenterPatient = [*list(one.DataCollectionCenterPatient)[:2], 3.0 * k]
    return made


def read(folder: Path, datasets: list[FileDataset]) -> CtSeries:
    return read_study(save(folder, *datasets)).ct[0]


def said(series: CtSeries) -> str:
    return " ".join(series.header.assumptions)


def test_what_the_header_tells_is_read(tmp_path: Path) -> None:
    series = read(tmp_path, written())
    assert series.fan == FanGeometry(595.0, (3.0, -188.0), 1085.6)
    assert "rays" not in said(series)
    assert read(tmp_path / "no detector", written(DistanceSourceToDetector=None)).fan == FanGeometry(
        595.0, (3.0, -188.0)
    )


@pytest.mark.parametrize("distance", [None, ""])
def test_without_a_distance_nothing_is_known_and_nothing_said(distance: str | None, tmp_path: Path) -> None:
    series = read(tmp_path, written(DistanceSourceToPatient=distance))
    assert series.fan is None
    assert "rays" not in said(series)


@pytest.mark.parametrize(
    ("elements", "why"),
    [
        ({"DistanceSourceToPatient": "59.5"}, "59.5 mm, which no scanner has"),
        ({"DistanceSourceToPatient": "5950"}, "5950 mm, which no scanner has"),
        ({"DistanceSourceToPatient": "0"}, "Distance Source to Patient (0018,1111) is 0 mm, which no scanner has"),
        ({"DistanceSourceToPatient": "-595"}, "Distance Source to Patient (0018,1111) is -595 mm"),
        ({"DistanceSourceToDetector": "0"}, "Distance Source to Detector (0018,1110) is 0 mm, which no scanner has"),
        ({"DistanceSourceToDetector": "-1085"}, "Distance Source to Detector (0018,1110) is -1085 mm"),
        (
            {"DistanceSourceToDetector": "0", "DistanceSourceToPatient": None},
            "Distance Source to Detector (0018,1110) is 0 mm",
        ),
        ({"DistanceSourceToDetector": "541"}, "the detector is nearer to the source than the isocentre"),
        ({"DataCollectionCenterPatient": [0.0, 700.0, 0.0]}, "the source would run through the slices"),
        ({"DataCollectionCenterPatient": None}, "Data Collection Center (Patient) (0018,9313) is not recorded"),
        ({"ReconstructionTargetCenterPatient": [-6.0, 0.0, 0.0]}, "is not the centre of the slices"),
    ],
)
def test_what_cannot_be_or_is_not_told_is_not_used_and_said(elements: dict[str, Any], why: str, tmp_path: Path) -> None:
    series = read(tmp_path, written(**elements))
    assert series.fan is None
    [sentence] = [one for one in series.header.assumptions if "rays" in one]
    assert why in sentence


def test_ge_has_its_isocentre_at_the_origin_and_that_is_said(tmp_path: Path) -> None:
    series = read(tmp_path, written(DataCollectionCenterPatient=None, Manufacturer="GE MEDICAL SYSTEMS"))
    assert series.fan == FanGeometry(595.0, (0.0, 0.0), 1085.6)
    assert "x = 0 and y = 0" in said(series)


def test_a_distance_of_one_slice_that_cannot_be_is_said(tmp_path: Path) -> None:
    slices = written()
    slices[2].DistanceSourceToPatient = "0"
    series = read(tmp_path, slices)
    assert series.fan is None
    assert "is 0 mm, which no scanner has; metal reduction takes the CT's rays as parallel." in said(series)


def test_slices_that_disagree_are_not_used(tmp_path: Path) -> None:
    slices = written()
    slices[1].DataCollectionCenterPatient = [3.0, -180.0, 3.0]
    series = read(tmp_path, slices)
    assert series.fan is None
    assert "differs between slices" in said(series)
    damaged = written()
    damaged[2].DataCollectionCenterPatient = [3.0, float("nan"), 0.0]
    assert "is no number" in said(read(tmp_path / "damaged", damaged))


def test_a_whole_field_has_its_isocentre_in_its_middle(tmp_path: Path) -> None:
    slices = written(DataCollectionCenterPatient=None)
    geometry = read(tmp_path / "first", slices).image.geometry
    whole = Geometry.axial((3, 500, 500), (3.0, 1.0, 1.0), (-249.5 + 4.0, -249.5 - 60.0, 0.0))
    for one in slices:
        one.ReconstructionDiameter = one.DataCollectionDiameter = "500"
    assumptions: list[str] = []
    assert fan_geometry(slices, whole, assumptions) == FanGeometry(595.0, (4.0, -60.0), 1085.6)
    assert "their centre is taken as the isocentre" in " ".join(assumptions)
    assert fan_geometry(slices, geometry, []) is None
    for one in slices:
        one.ReconstructionDiameter = "350"
    assert fan_geometry(slices, whole, []) is None


def test_slices_that_are_not_axial_have_no_fan() -> None:
    turned = np.array([[1.0, 0, 0, 0], [0, 0, 1.0, 0], [0, 1.0, 0, 0], [0, 0, 0, 1]])
    assert fan_geometry(written(), Geometry((3, 8, 9), turned), []) is None


def test_a_fan_has_its_isocentre_between_source_and_detector() -> None:
    with pytest.raises(GeometryError, match="between source and detector"):
        FanGeometry(595.0, (0.0, 0.0), 400.0)
    with pytest.raises(GeometryError, match="between source and detector"):
        FanGeometry(-595.0, (0.0, 0.0))


@pytest.mark.parametrize("told", [{}, {"DistanceSourceToDetector": None}, {"DistanceSourceToPatient": None}])
def test_a_derived_ct_tells_the_same_rays(told: dict[str, Any], tmp_path: Path) -> None:
    source = read(tmp_path / "ct", written(**told))
    hu = Image(np.asarray(source.image.array, np.float32) + 1.0, source.image.geometry, "HU")
    write_derived_ct(hu, tmp_path / "made", source=source, description="d", derivation="d", settings_digest="")
    derived = read_study(tmp_path / "made").ct[0]
    assert derived.fan == source.fan
    assert (derived.fan is None) == ("DistanceSourceToPatient" in told)
    made = [pydicom.dcmread(path) for path in sorted((tmp_path / "made").iterdir())]
    centres = [one.get("DataCollectionCenterPatient") for one in made]
    if source.fan is None:
        assert centres == [None] * 3
    else:
        assert [list(one) for one in centres] == [[3.0, -188.0, z] for z in (0.0, 3.0, 6.0)]
