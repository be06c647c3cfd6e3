from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes

from leukospect.data import Orbit, Projections
from leukospect.dicom.write.acquisition import write_projections
from leukospect.dicom.write.elements import decimal, nuclide_item, patient_orientation_items
from leukospect.dicom.write.identity import PhantomIdentity
from leukospect.errors import GeometryError, InputError, MissingInformationError
from tests.dicom.written import FRAME, IDENTITY, START, TRACER, dciodvfy_errors, tomo


def written(projections: Projections, folder: Path, heads: int = 2) -> Dataset:
    path = folder / "tomo.dcm"
    write_projections(projections, path, IDENTITY, heads=heads)
    return pydicom.dcmread(path)


@pytest.mark.parametrize("heads", [1, 2])
def test_the_validator_finds_no_error(tmp_path: Path, heads: int) -> None:
    written(tomo(heads=heads), tmp_path, heads)
    assert dciodvfy_errors(tmp_path / "tomo.dcm") == []


def test_frame_vectors_tell_window_head_and_view(tmp_path: Path) -> None:
    projections = tomo()
    ds = written(projections, tmp_path)
    assert ds.NumberOfFrames == 3 * 2 * 6
    assert [pydicom.datadict.keyword_for_tag(tag) for tag in ds.FrameIncrementPointer] == [
        "EnergyWindowVector",
        "DetectorVector",
        "RotationVector",
        "AngularViewVector",
    ]
    assert set(ds.RotationVector) == {1}
    for frame, pixels in enumerate(ds.pixel_array):
        window, head, view = ds.EnergyWindowVector[frame], ds.DetectorVector[frame], ds.AngularViewVector[frame]
        np.testing.assert_array_equal(pixels, projections.counts[window - 1, (head - 1) * 6 + view - 1])
    assert ds.CountsAccumulated == int(projections.counts.sum())
    assert "RescaleSlope" not in ds


def pixel_of_point(point: np.ndarray, ds: Dataset, frame: int) -> tuple[int, int]:
    """Row and column where geometry.md places a point in a frame, from what the file says and nothing else."""
    head = ds.DetectorInformationSequence[ds.DetectorVector[frame] - 1]
    rotation = ds.RotationInformationSequence[0]
    sign = {"CC": 1, "CW": -1}[rotation.RotationDirection]
    start = np.deg2rad(float(head.StartAngle))
    t = start + np.deg2rad(sign * float(rotation.AngularStep) * (ds.AngularViewVector[frame] - 1))
    dz, dx = map(float, ds.PixelSpacing)
    u0, n0 = np.array([-np.cos(start), np.sin(start), 0]), np.array([np.sin(start), np.cos(start), 0])
    np.testing.assert_allclose(np.array(head.ImageOrientationPatient, float), [*u0, 0, 0, -1], atol=1e-9)
    radius = float(np.atleast_1d(head.RadialPosition)[0])
    centre = (
        np.array(head.ImagePositionPatient, float) + (ds.Columns - 1) / 2 * dx * u0 - [0, 0, (ds.Rows - 1) / 2 * dz]
    )
    axis = centre - radius * n0
    u = np.array([-np.cos(t), np.sin(t), 0])
    column = (ds.Columns - 1) / 2 + (point - axis) @ u / dx
    row = (ds.Rows - 1) / 2 - (point - axis)[2] / dz
    return round(row), round(column)


@pytest.mark.parametrize("clockwise", [False, True])
@pytest.mark.parametrize("start_deg", [0.0, 45.0, 180.0, 270.0])
def test_a_point_is_in_the_pixel_where_the_file_places_it(tmp_path: Path, start_deg: float, clockwise: bool) -> None:
    axis, point = np.array([12.0, -7.0]), np.array([21.0, 3.0, 333.0 - 2 * 6.0])
    empty = tomo(start_deg=start_deg, clockwise=clockwise, windows=1)
    counts = np.zeros_like(empty.counts)
    for view, angle in enumerate(np.deg2rad(empty.orbit.angles_deg)):
        across = (point[:2] - axis) @ [-np.cos(angle), np.sin(angle)]
        counts[0, view, 2, round(6.5 + across / 4.0)] = 100 + view
    ds = written(replace(empty, counts=counts), tmp_path)
    for frame, pixels in enumerate(ds.pixel_array):
        row, column = pixel_of_point(point, ds, frame)
        assert pixels[row, column] == 100 + frame


def test_rotation_and_heads(tmp_path: Path) -> None:
    projections = tomo(start_deg=45.0, clockwise=True)
    ds = written(projections, tmp_path)
    rotation = ds.RotationInformationSequence[0]
    assert (rotation.RotationDirection, rotation.AngularStep, rotation.ScanArc) == ("CW", 30, 180)
    assert (rotation.StartAngle, rotation.NumberOfFramesInRotation, rotation.ActualFrameDuration) == (45, 6, 20000)
    first, second = ds.DetectorInformationSequence
    assert (first.StartAngle, second.StartAngle) == (45, 225)
    assert projections.orbit.radii_mm is not None
    np.testing.assert_allclose(np.array(second.RadialPosition, float), projections.orbit.radii_mm[6:])
    assert (first.CollimatorGridName, first.CollimatorType) == ("LEHR", "PARA")
    assert "RadialPosition" not in rotation  # the heads differ


def test_a_circular_orbit_has_one_radius(tmp_path: Path) -> None:
    ds = written(tomo(per_view_radii=False), tmp_path)
    assert ds.RotationInformationSequence[0].RadialPosition == 150
    assert ds.DetectorInformationSequence[1].RadialPosition == 150


def test_what_was_injected_and_when(tmp_path: Path) -> None:
    ds = written(tomo(), tmp_path)
    item = ds.RadiopharmaceuticalInformationSequence[0]
    assert TRACER.injection_time is not None
    assert item.RadiopharmaceuticalStartDateTime == TRACER.injection_time.strftime("%Y%m%d%H%M%S")
    assert item.RadiopharmaceuticalStartTime == TRACER.injection_time.strftime("%H%M%S")
    assert (item.RadionuclideTotalDose, item.Radiopharmaceutical) == (370, "HMPAO leukocytes")
    assert (ds.AcquisitionDate, ds.AcquisitionTime) == (START.strftime("%Y%m%d"), START.strftime("%H%M%S"))
    window = ds.EnergyWindowInformationSequence[1]
    limits = window.EnergyWindowRangeSequence[0]
    assert (window.EnergyWindowName, limits.EnergyWindowLowerLimit) == ("lower", pytest.approx(119.4))
    assert ds.FrameOfReferenceUID == FRAME


def test_codes_are_those_of_the_standard() -> None:
    for name, concept in {"Tc-99m": codes.SCT._99mTechnetium, "In-111": codes.SCT._111Indium}.items():
        assert (nuclide_item(name).CodeValue, nuclide_item(name).CodeMeaning) == (concept.value, concept.meaning)
    orientation, entry = patient_orientation_items("FFP")
    modifier = orientation[0].PatientOrientationModifierCodeSequence[0]
    assert orientation[0].CodeValue == codes.SCT.Recumbent.value
    assert modifier.CodeValue == codes.SCT.Prone.value
    assert entry[0].CodeValue == codes.SCT.FeetFirst.value
    with pytest.raises(InputError, match="Xx-1"):
        nuclide_item("Xx-1")


@pytest.mark.parametrize("position", ["", "HFP", "FFS", "FFP"])
def test_every_patient_position_is_valid(tmp_path: Path, position: str) -> None:
    written(tomo(patient_position=position, windows=1), tmp_path)
    assert dciodvfy_errors(tmp_path / "tomo.dcm") == []


def test_fractional_counts_keep_within_half_a_step(tmp_path: Path) -> None:
    projections = tomo()
    fractional = replace(projections, counts=projections.counts * np.float32(0.37))
    ds = written(fractional, tmp_path)
    back = ds.pixel_array * float(ds.RescaleSlope) + float(ds.RescaleIntercept)
    step = float(ds.RescaleSlope)
    assert np.abs(back - fractional.counts.reshape(back.shape)).max() <= step / 2 * (1 + 1e-6)
    assert dciodvfy_errors(tmp_path / "tomo.dcm") == []


def test_identifiers_follow_from_the_content(tmp_path: Path) -> None:
    projections = tomo()
    one, again = written(projections, tmp_path / "1"), written(projections, tmp_path / "2")
    assert (tmp_path / "1" / "tomo.dcm").read_bytes() == (tmp_path / "2" / "tomo.dcm").read_bytes()
    counts = projections.counts.copy()
    counts[0, 0, 0, 0] += 1
    other = written(replace(projections, counts=counts), tmp_path / "3")
    assert one.SOPInstanceUID == again.SOPInstanceUID == one.file_meta.MediaStorageSOPInstanceUID
    assert one.SOPInstanceUID != other.SOPInstanceUID
    assert one.StudyInstanceUID == other.StudyInstanceUID == IDENTITY.study_instance_uid
    assert one.SOPInstanceUID.is_valid
    assert one.SOPInstanceUID.startswith("2.25.")


def test_an_offset_of_the_centre_of_rotation_is_each_heads_own(tmp_path: Path) -> None:
    projections = tomo()
    offsets = np.repeat([1.5, -0.5], 6)
    orbit = Orbit(projections.orbit.angles_deg, projections.orbit.radii_mm, offsets)
    ds = written(replace(projections, orbit=orbit), tmp_path)
    assert [head.CenterOfRotationOffset for head in ds.DetectorInformationSequence] == [1.5, -0.5]
    orbit = Orbit(projections.orbit.angles_deg, projections.orbit.radii_mm, np.linspace(0, 1, 12))
    with pytest.raises(GeometryError, match="offset"):
        written(replace(projections, orbit=orbit), tmp_path / "refused")


def test_what_a_file_cannot_say_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    projections = tomo()
    angles, radii = projections.orbit.angles_deg, projections.orbit.radii_mm
    target = tmp_path / "refused"
    with pytest.raises(GeometryError, match="do not divide"):
        written(projections, target, heads=5)
    with pytest.raises(GeometryError, match="not equally spaced"):
        written(tomo(step_deg=20.0), target, heads=1)
    uneven = Orbit(angles + np.linspace(0, 1, 12) ** 2, radii)
    with pytest.raises(GeometryError, match="not equally spaced"):
        written(replace(projections, orbit=uneven), target)
    twins = Orbit(np.tile(angles[:6], 2), radii)
    with pytest.raises(GeometryError, match="same angle"):
        written(replace(projections, orbit=twins), target)
    with pytest.raises(MissingInformationError, match="radii"):
        written(replace(projections, orbit=Orbit(angles)), target)
    with pytest.raises(InputError, match="different times"):
        written(replace(projections, view_duration_s=np.linspace(20, 21, 12)), target)
    with pytest.raises(InputError, match="pause"):
        written(replace(projections, view_start_s=projections.view_start_s * 1.1), target)
    with pytest.raises(MissingInformationError, match="start time"):
        written(replace(projections, header=replace(projections.header, start=None)), target)
    assert not target.exists()


def test_an_identity_is_a_phantoms() -> None:
    with pytest.raises(InputError, match="PHANTOM"):
        PhantomIdentity("DOE^JANE", "1", START)
    with pytest.raises(InputError, match="id"):
        PhantomIdentity("PHANTOM^X", "", START)


def test_decimal_strings_fit_and_have_no_negative_zero() -> None:
    for value in (-0.0, 1 / 3, -123456.789012345678, 1.23456789012e-7, 4.8):
        text = str(decimal(value))
        assert len(text) <= 16
        assert float(text) == pytest.approx(value, rel=1e-8)
    assert not str(decimal(-0.0)).startswith("-")
