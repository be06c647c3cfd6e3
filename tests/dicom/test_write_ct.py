from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom
import pytest
import SimpleITK
from pydicom.dataset import Dataset

from leukospect.data import Geometry, Image
from leukospect.dicom.write.acquisition import write_ct
from leukospect.dicom.write.ct_series import write_derived_ct
from leukospect.errors import InputError
from tests.dicom.written import FRAME, IDENTITY, ct, dciodvfy_errors


def slices(folder: Path) -> list[Dataset]:
    return [pydicom.dcmread(path) for path in sorted(folder.iterdir())]


@pytest.mark.parametrize("downwards", [False, True])
@pytest.mark.parametrize("signed", [False, True])
def test_simpleitk_finds_each_voxel_at_its_lps_place(tmp_path: Path, signed: bool, downwards: bool) -> None:
    series = ct(downwards=downwards)
    write_ct(series, tmp_path / "ct", IDENTITY, signed=signed)
    reader = SimpleITK.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(tmp_path / "ct")))
    volume = reader.Execute()
    for k, j, i in np.ndindex(*series.image.array.shape):
        place = series.image.geometry.to_lps((k, j, i))
        index = volume.TransformPhysicalPointToIndex(tuple(map(float, place)))
        assert volume.GetPixel(index) == series.image.array[k, j, i]


@pytest.mark.parametrize("signed", [False, True])
def test_the_validator_finds_no_error(tmp_path: Path, signed: bool) -> None:
    write_ct(ct(), tmp_path / "ct", IDENTITY, signed=signed)
    assert sorted(path.name for path in (tmp_path / "ct").iterdir()) == [f"{n:04d}.dcm" for n in range(1, 5)]
    assert dciodvfy_errors(tmp_path / "ct" / "0002.dcm") == []


def test_header_of_a_slice(tmp_path: Path) -> None:
    write_ct(ct(), tmp_path / "ct", IDENTITY)
    files = slices(tmp_path / "ct")
    first = files[0]
    assert (first.KVP, first.ConvolutionKernel, first.SliceThickness) == (110, "B31s", 3)
    assert (first.RescaleIntercept, first.RescaleSlope, first.RescaleType) == (-1024, 1, "HU")
    assert (first.FrameOfReferenceUID, first.PatientPosition) == (FRAME, "HFS")
    assert len({ds.SeriesInstanceUID for ds in files}) == 1
    assert len({ds.SOPInstanceUID for ds in files}) == 4


def test_values_that_do_not_fit(tmp_path: Path) -> None:
    series = ct()
    low = Image(series.image.array.astype(np.int16) - 2000, series.image.geometry, "HU")
    write_ct(replace(series, image=low), tmp_path / "low", IDENTITY, signed=False)
    assert min(ds.pixel_array.min() for ds in slices(tmp_path / "low")) == 0
    high = Image(series.image.array.astype(np.float32) * 1000, series.image.geometry, "HU")
    with pytest.raises(InputError, match="16-bit"):
        write_ct(replace(series, image=high), tmp_path / "high", IDENTITY)
    assert not (tmp_path / "high").exists()


def test_a_folder_with_other_files_is_kept(tmp_path: Path) -> None:
    (tmp_path / "note.txt").write_text("mine")
    with pytest.raises(InputError, match="other files"):
        write_ct(ct(), tmp_path, IDENTITY)
    assert [path.name for path in tmp_path.iterdir()] == ["note.txt"]


def derive(tmp_path: Path, name: str, settings: str = "abc", *, dicom_source: bool = True) -> list[Dataset]:
    series = ct()
    if dicom_source:
        if not (tmp_path / "ct").exists():
            write_ct(series, tmp_path / "ct", IDENTITY)
        series = replace(series, header=replace(series.header, sources=tuple(sorted((tmp_path / "ct").iterdir()))))
    image = Image(series.image.array.astype(np.float32) + 3.0, series.image.geometry, "HU")
    write_derived_ct(
        image,
        tmp_path / name,
        source=series,
        description="CT, metal reduced",
        derivation="Linear interpolation of the metal trace",
        settings_digest=settings,
    )
    return slices(tmp_path / name)


def test_a_derived_ct_belongs_to_its_sources_study(tmp_path: Path) -> None:
    derived, originals = derive(tmp_path, "mar"), slices(tmp_path / "ct")
    for made, original in zip(derived, originals, strict=True):
        for keyword in ("PatientName", "PatientID", "StudyInstanceUID", "FrameOfReferenceUID", "ImagePositionPatient"):
            assert made[keyword].value == original[keyword].value
        assert [item.ReferencedSOPInstanceUID for item in made.SourceImageSequence] == [original.SOPInstanceUID]
        np.testing.assert_array_equal(made.pixel_array, original.pixel_array + 3)
        assert made.SeriesInstanceUID != original.SeriesInstanceUID
        assert made.ImageType[0] == "DERIVED"
        assert made.ContributingEquipmentSequence[-1].ManufacturerModelName == "leukospect"
    assert dciodvfy_errors(tmp_path / "mar" / "0001.dcm") == []


def test_its_series_follows_from_source_and_settings(tmp_path: Path) -> None:
    one, again, other = derive(tmp_path, "1"), derive(tmp_path, "2"), derive(tmp_path, "3", settings="other")
    assert [ds.SOPInstanceUID for ds in one] == [ds.SOPInstanceUID for ds in again]
    assert one[0].SeriesInstanceUID != other[0].SeriesInstanceUID


def test_a_source_that_is_no_dicom_gives_an_anonymous_patient(tmp_path: Path) -> None:
    made = derive(tmp_path, "mar", dicom_source=False)[0]
    assert made.PatientName == "ANONYMOUS"
    assert made.StudyInstanceUID.startswith("2.25.")
    assert "SourceImageSequence" not in made
    assert dciodvfy_errors(tmp_path / "mar" / "0001.dcm") == []


def test_a_derived_slice_between_two_names_both(tmp_path: Path) -> None:
    write_ct(ct(), tmp_path / "ct", IDENTITY)
    series = ct()
    series = replace(series, header=replace(series.header, sources=tuple(sorted((tmp_path / "ct").iterdir()))))
    between = Geometry.axial((3, 5, 7), (2.5, 1.5, 0.8), (-30.0, 11.0, 48.75), FRAME)
    image = Image(np.zeros((3, 5, 7), np.int16), between, "HU")
    write_derived_ct(image, tmp_path / "d", source=series, description="d", derivation="d", settings_digest="")
    uids = [ds.SOPInstanceUID for ds in slices(tmp_path / "ct")]
    named = [[item.ReferencedSOPInstanceUID for item in ds.SourceImageSequence] for ds in slices(tmp_path / "d")]
    assert named == [uids[0:2], uids[1:3], uids[2:4]]


@pytest.mark.parametrize(
    ("streak", "top", "representation", "intercept"),
    [(-1024, 31743, 1, -1024), (-3000, 31743, 1, -1024), (-1024, 64511, 0, -1024), (-3000, 62535, 0, -3000)],
)
def test_scales_up_to_16_bits_are_held_and_the_window_is_kept(
    streak: int, top: int, representation: int, intercept: int, tmp_path: Path
) -> None:
    write_ct(ct(), tmp_path / "ct", IDENTITY)
    for path in (tmp_path / "ct").iterdir():
        ds = pydicom.dcmread(path)
        ds.WindowCenter, ds.WindowWidth = "300", "1500"
        ds.save_as(path)
    series = ct()
    series = replace(series, header=replace(series.header, sources=tuple(sorted((tmp_path / "ct").iterdir()))))
    values = np.asarray(series.image.array, np.float32).copy()
    values[1, 2, 3], values[0, 1, 2] = top, streak
    image = Image(values, series.image.geometry, "HU")
    write_derived_ct(image, tmp_path / "d", source=series, description="d", derivation="d", settings_digest="")
    made = slices(tmp_path / "d")
    assert made[0].PixelRepresentation == representation
    np.testing.assert_array_equal(np.stack([ds.pixel_array.astype(int) + intercept for ds in made]), values)
    assert [ds.RescaleIntercept for ds in made] == [intercept] * len(made)
    assert [(ds.WindowCenter, ds.WindowWidth) for ds in made] == [(300, 1500)] * len(made)
    assert dciodvfy_errors(tmp_path / "d" / "0002.dcm") == []


def test_each_slice_keeps_what_was_recorded_of_it(tmp_path: Path) -> None:
    """Tube current is modulated along the patient; a window may be a slice's own."""
    write_ct(ct(), tmp_path / "ct", IDENTITY)
    paths = sorted((tmp_path / "ct").iterdir())
    for k, path in enumerate(paths):
        ds = pydicom.dcmread(path)
        ds.XRayTubeCurrent, ds.Exposure, ds.ExposureTime, ds.KVP = 100 + 10 * k, 50 + k, 500 + k, 100 + 20 * (k % 2)
        ds.SliceLocation = 7.5 * k
        if k != 1:
            ds.WindowCenter, ds.WindowWidth = 40 + k, 400 + k
        ds.save_as(path)
    series = ct()
    for order in (paths, paths[::-1]):
        read = replace(series, header=replace(series.header, sources=tuple(order)))
        folder = tmp_path / order[0].stem
        write_derived_ct(series.image, folder, source=read, description="d", derivation="d", settings_digest="")
        for made, original in zip(slices(folder), slices(tmp_path / "ct"), strict=True):
            for keyword in ("XRayTubeCurrent", "Exposure", "ExposureTime", "KVP", "SliceLocation", "WindowCenter"):
                assert made.get(keyword) == original.get(keyword), keyword
        assert dciodvfy_errors(folder / "0003.dcm") == []


def test_a_source_that_is_gone_is_said(tmp_path: Path) -> None:
    series = ct()
    series = replace(series, header=replace(series.header, sources=(tmp_path / "DOE_JANE.dcm",)))
    with pytest.raises(InputError, match="file 1 of 1") as caught:
        write_derived_ct(
            series.image, tmp_path / "d", source=series, description="d", derivation="d", settings_digest=""
        )
    assert "DOE" not in str(caught.value)
