from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom
import pytest
import SimpleITK
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from leukospect import __version__
from leukospect.data import EnergyWindow, Geometry, Image, Projections, Radiopharmaceutical
from leukospect.dicom.write.acquisition import write_projections
from leukospect.dicom.write.pixels import RescaleRecord, quantise
from leukospect.dicom.write.recon_tomo import write_reconstruction
from leukospect.errors import InputError
from tests.dicom.written import FRAME, IDENTITY, TRACER, dciodvfy_errors, tomo

SHAPE = (4, 5, 7)
HEADWARDS = Geometry.axial(SHAPE, (6.0, 4.0, 2.5), (-31.0, 12.0, 140.0), FRAME)
FEETWARDS = Geometry.axial(SHAPE, (-6.0, 4.0, 2.5), (-31.0, 12.0, 140.0), FRAME)


def oblique() -> Geometry:
    angle = np.deg2rad(25.0)
    i, j = np.array([np.cos(angle), 0.0, np.sin(angle)]), np.array([0.0, -1.0, 0.0])
    affine = np.eye(4)
    affine[:3, :3] = np.column_stack([6.0 * np.cross(i, j), 4.0 * j, 2.5 * i])
    affine[:3, 3] = 5.0, -60.0, 33.0
    return Geometry(SHAPE, affine, FRAME)


def volume(geometry: Geometry = HEADWARDS, unit: str = "counts/s/mL") -> Image:
    array = np.random.default_rng(8).gamma(1.5, 40.0, SHAPE).astype(np.float32)
    array[1, 3, 5] = 900.0
    return Image(array, geometry, unit)


def dicom_source(folder: Path) -> Projections:
    write_projections(tomo(), folder / "tomo.dcm", IDENTITY, heads=2)
    projections = tomo()
    return replace(projections, header=replace(projections.header, sources=(folder / "tomo.dcm",)))


def write(
    path: Path,
    image: Image | None = None,
    source: Projections | None = None,
    settings: str = "abc",
    corrections: tuple[str, ...] = ("ATTN", "SCAT", "DECY"),
) -> RescaleRecord:
    image = image or volume()
    return write_reconstruction(
        image,
        path,
        source=source,
        description="SPECT AC",
        corrections=corrections,
        settings_digest=settings,
        calibrated=image.unit == "Bq/mL",
    )


@pytest.mark.parametrize("geometry", [HEADWARDS, FEETWARDS, oblique()], ids=["headwards", "feetwards", "oblique"])
def test_simpleitk_finds_each_voxel_at_its_lps_place(tmp_path: Path, geometry: Geometry) -> None:
    image = volume(geometry)
    record = write(tmp_path / "recon.dcm", image)
    other = SimpleITK.ReadImage(str(tmp_path / "recon.dcm"), SimpleITK.sitkFloat64)
    for k, j, i in np.ndindex(*SHAPE):
        place = geometry.to_lps((k, j, i))
        index = other.TransformPhysicalPointToIndex(tuple(map(float, place)))
        np.testing.assert_allclose(other.TransformIndexToPhysicalPoint(index), place, atol=1e-6)
        assert other.GetPixel(index) == pytest.approx(image.array[k, j, i], abs=0.5001 * record.slope)


def affine_of(ds: Dataset) -> NDArray[np.float64]:
    """Index (k, j, i) of the file's frames to LPS, by PS3.3 C.8.4.15: stacked along the normal of row and column."""
    item = ds.DetectorInformationSequence[0]
    along = np.array(item.ImageOrientationPatient, float)
    normal = np.cross(along[:3], along[3:])
    row_mm, column_mm = map(float, ds.PixelSpacing)
    affine = np.eye(4)
    steps = [normal * float(ds.SpacingBetweenSlices), along[3:] * row_mm, along[:3] * column_mm]
    affine[:3, :3] = np.column_stack(steps)
    affine[:3, 3] = item.ImagePositionPatient
    return affine


@pytest.mark.parametrize("geometry", [HEADWARDS, FEETWARDS, oblique()], ids=["headwards", "feetwards", "oblique"])
def test_the_files_own_geometry_agrees(tmp_path: Path, geometry: Geometry) -> None:
    image = volume(geometry)
    write(tmp_path / "recon.dcm", image)
    ds = pydicom.dcmread(tmp_path / "recon.dcm")
    assert ds.SpacingBetweenSlices > 0
    assert list(ds.SliceVector) == [1, 2, 3, 4]
    read = Geometry(SHAPE, affine_of(ds))
    hottest = np.unravel_index(int(np.argmax(ds.pixel_array)), SHAPE)
    np.testing.assert_allclose(read.to_lps(hottest), geometry.to_lps((1, 3, 5)), atol=1e-6)


@pytest.mark.parametrize("unit", ["counts/s/mL", "Bq/mL"])
@pytest.mark.parametrize("from_dicom", [True, False])
def test_the_validator_finds_no_error(tmp_path: Path, unit: str, from_dicom: bool) -> None:
    source = dicom_source(tmp_path) if from_dicom else tomo()
    write(tmp_path / "recon.dcm", volume(unit=unit), source)
    assert dciodvfy_errors(tmp_path / "recon.dcm") == []


def test_without_any_source_nothing_is_made_up(tmp_path: Path) -> None:
    write(tmp_path / "recon.dcm")
    ds = pydicom.dcmread(tmp_path / "recon.dcm")
    assert len(ds.RotationInformationSequence) == len(ds.EnergyWindowInformationSequence) == 0
    assert dciodvfy_errors(tmp_path / "recon.dcm") == []


def test_the_scale_is_said_twice_in_the_same_numbers(tmp_path: Path) -> None:
    image = volume(unit="Bq/mL")
    record = write(tmp_path / "recon.dcm", image)
    ds = pydicom.dcmread(tmp_path / "recon.dcm")
    mapping = ds.RealWorldValueMappingSequence[0]
    assert float(ds.RescaleSlope) == mapping.RealWorldValueSlope == record.slope
    assert float(ds.RescaleIntercept) == mapping.RealWorldValueIntercept == record.intercept == 0
    assert mapping.MeasurementUnitsCodeSequence[0].CodeValue == "Bq/ml"
    assert ds.Units == "BQML"
    back = ds.pixel_array * record.slope
    error = np.abs(back - image.array.astype(np.float64)).max()
    assert error == pytest.approx(record.largest_error)
    assert error <= record.slope / 2
    assert record.slope == pytest.approx(image.array.max() / 65535, rel=1e-6)


def test_values_below_zero_are_kept() -> None:
    values = np.random.default_rng(9).normal(0.0, 3e-6, (3, 4, 5))
    stored, record = quantise(values, "counts/s/mL")
    assert np.abs(stored * record.slope + record.intercept - values).max() <= record.slope / 2 * (1 + 1e-9)
    constant, record = quantise(np.full((2, 2), -0.25), "counts/s/mL")
    np.testing.assert_allclose(constant * record.slope + record.intercept, -0.25, atol=record.slope / 2)
    with pytest.raises(InputError, match="not finite"):
        quantise(np.array([1.0, np.nan]), "counts/s/mL")


def test_patient_study_and_acquisition_come_from_the_source(tmp_path: Path) -> None:
    source = dicom_source(tmp_path)
    write(tmp_path / "recon.dcm", source=source)
    made, original = pydicom.dcmread(tmp_path / "recon.dcm"), pydicom.dcmread(tmp_path / "tomo.dcm")
    for keyword in (
        *("PatientName", "PatientID", "StudyInstanceUID", "StudyDate", "FrameOfReferenceUID", "AcquisitionTime"),
        *("RotationInformationSequence", "PatientGantryRelationshipCodeSequence", "Manufacturer"),
        "RadiopharmaceuticalInformationSequence",
    ):
        assert made[keyword].value == original[keyword].value, keyword
    assert [item.ReferencedSOPInstanceUID for item in made.SourceImageSequence] == [original.SOPInstanceUID]
    assert made.SeriesInstanceUID != original.SeriesInstanceUID
    assert list(made.ImageType) == ["DERIVED", "PRIMARY", "RECON TOMO", "EMISSION"]
    assert list(made.CorrectedImage) == ["ATTN", "SCAT", "DECY"]
    equipment = made.ContributingEquipmentSequence[-1]
    assert (equipment.ManufacturerModelName, equipment.SoftwareVersions) == ("leukospect", __version__)
    assert made.DetectorInformationSequence[0].CollimatorGridName == "LEHR"
    (window,) = made.EnergyWindowInformationSequence
    assert window.EnergyWindowRangeSequence[0].EnergyWindowLowerLimit == pytest.approx(126.45)


def test_two_photopeaks_become_one_window_of_two_ranges(tmp_path: Path) -> None:
    windows = (
        EnergyWindow(((220.8, 269.9),), "245"),
        EnergyWindow(((154.2, 188.4),), "171"),
        EnergyWindow(((140.0, 154.0),), "low"),
    )
    projections = tomo()
    header = replace(projections.header, radiopharmaceutical=Radiopharmaceutical("In-111", "oxine leukocytes"))
    write(tmp_path / "recon.dcm", source=replace(projections, energy_windows=windows, header=header))
    (item,) = pydicom.dcmread(tmp_path / "recon.dcm").EnergyWindowInformationSequence
    limits = [float(part.EnergyWindowLowerLimit) for part in item.EnergyWindowRangeSequence]
    assert limits == [154.2, 220.8]


def test_what_the_reader_corrected_stands_over_the_file(tmp_path: Path) -> None:
    source = dicom_source(tmp_path)
    told = replace(source.header, radiopharmaceutical=replace(TRACER, dose_mbq=512.0))
    write(tmp_path / "recon.dcm", source=replace(source, header=told))
    item = pydicom.dcmread(tmp_path / "recon.dcm").RadiopharmaceuticalInformationSequence[0]
    assert item.RadionuclideTotalDose == 512


def test_identifiers_follow_from_source_and_settings(tmp_path: Path) -> None:
    source = dicom_source(tmp_path)
    cases = {
        "one": (source, "abc", ("ATTN",)),
        "same": (source, "abc", ("ATTN",)),
        "settings": (source, "xyz", ("ATTN",)),
        "nac": (source, "abc", ()),
    }
    for name, (projections, settings, corrections) in cases.items():
        write(tmp_path / f"{name}.dcm", None, projections, settings, corrections)
    made = {name: pydicom.dcmread(tmp_path / f"{name}.dcm") for name in cases}
    assert (tmp_path / "one.dcm").read_bytes() == (tmp_path / "same.dcm").read_bytes()
    assert len({ds.SeriesInstanceUID for ds in made.values()}) == 3
    assert len({ds.SOPInstanceUID for ds in made.values()}) == 3
    assert len({ds.StudyInstanceUID for ds in made.values()}) == 1


def test_a_source_that_is_no_dicom_gives_one_anonymous_study(tmp_path: Path) -> None:
    (tmp_path / "input.hs").write_text("!INTERFILE :=\n")
    source = replace(tomo(), header=replace(tomo().header, sources=(tmp_path / "input.hs",)))
    write(tmp_path / "ac.dcm", source=source)
    write(tmp_path / "nac.dcm", source=source, corrections=())
    ac, nac = pydicom.dcmread(tmp_path / "ac.dcm"), pydicom.dcmread(tmp_path / "nac.dcm")
    assert ac.PatientName == "ANONYMOUS"
    assert ac.StudyInstanceUID == nac.StudyInstanceUID
    assert ac.SeriesInstanceUID != nac.SeriesInstanceUID
    assert "SourceImageSequence" not in ac


def test_names_in_another_character_set_survive(tmp_path: Path) -> None:
    source = dicom_source(tmp_path)
    original = pydicom.dcmread(tmp_path / "tomo.dcm")
    original.SpecificCharacterSet = "ISO_IR 100"
    original.PatientName = "PHANTOM^Müller"
    original.add_new(0x00091001, "LO", "private")
    original.PatientBirthDate = ""
    original.save_as(tmp_path / "tomo.dcm")
    write(tmp_path / "recon.dcm", source=source)
    made = pydicom.dcmread(tmp_path / "recon.dcm")
    assert str(made.PatientName) == "PHANTOM^Müller"
    assert not any(element.tag.is_private for element in made.iterall())
    assert dciodvfy_errors(tmp_path / "recon.dcm") == []


def test_a_unit_that_contradicts_is_refused(tmp_path: Path) -> None:
    for unit, calibrated in (("Bq/mL", False), ("counts/s/mL", True), ("HU", False)):
        with pytest.raises(InputError, match="cannot be written"):
            write_reconstruction(
                volume(unit=unit),
                tmp_path / "recon.dcm",
                source=None,
                description="",
                corrections=(),
                settings_digest="",
                calibrated=calibrated,
            )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.real_data
@pytest.mark.parametrize("name", ["mediso_jaszczak_recon_tomo.dcm", "mediso_lines_static.dcm"])
def test_a_camera_with_invalid_values_still_gives_a_valid_result(real_data: Path, tmp_path: Path, name: str) -> None:
    # Its birth date is 00000000, a code sequence is empty, an Image ID too long, and private elements are everywhere.
    source = replace(tomo(), header=replace(tomo().header, sources=(real_data / "nm" / name,)))
    write(tmp_path / "recon.dcm", source=source)
    assert dciodvfy_errors(tmp_path / "recon.dcm") == []
