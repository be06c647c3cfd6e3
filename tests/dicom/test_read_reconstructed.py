"""Volumes that a camera reconstructed: where every voxel lies, what its value means, what was corrected."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from leukospect.data import ReconstructedSeries
from leukospect.dicom.read.nm import read_nm
from leukospect.dicom.read.study import read_study
from leukospect.errors import AssumptionWarning, GeometryError, InputError
from tests import vendor_volumes as made
from tests.dicom.acquisitions import NM_CLASS, item, save


def read(dataset: Dataset) -> ReconstructedSeries:
    series = read_nm(dataset)
    assert isinstance(series, ReconstructedSeries)
    return series


def hottest_mm(series: ReconstructedSeries) -> np.ndarray[Any, Any]:
    index = np.unravel_index(int(series.image.array.argmax()), series.image.array.shape)
    return np.asarray(series.image.geometry.to_lps([int(n) for n in index]))


@pytest.mark.parametrize("downwards", [False, True])
@pytest.mark.parametrize("place", ["detector", "root"])
def test_a_volume_lies_where_it_is_and_where_simpleitk_puts_it(downwards: bool, place: str, tmp_path: Path) -> None:
    dataset = made.recon_tomo(4.0, made.spots(4.0), downwards=downwards)
    if place == "root":
        [head] = dataset.DetectorInformationSequence
        dataset.ImagePositionPatient, dataset.ImageOrientationPatient = head.ImagePositionPatient, [1, 0, 0, 0, 1, 0]
        dataset.DetectorInformationSequence = Sequence([item(CollimatorGridName="LEHR")])
    series = read(dataset)
    assert np.abs(hottest_mm(series) - made.LESION_MM).max() < 1e-6
    if place == "root":
        return  # SimpleITK looks for the place in the detector's item only
    path = next(save(tmp_path, dataset).iterdir())
    seen = SimpleITK.ReadImage(str(path))
    array = SimpleITK.GetArrayFromImage(seen)
    k, j, i = (int(n) for n in np.unravel_index(int(array.argmax()), array.shape))
    assert np.abs(seen.TransformIndexToPhysicalPoint((i, j, k)) - made.LESION_MM).max() < 1e-3


def test_slices_in_any_order_of_the_slice_vector() -> None:
    dataset = made.recon_tomo(4.0, made.spots(4.0))
    order = np.random.default_rng(2).permutation(made.SHAPE[0])
    dataset.PixelData = dataset.pixel_array[order].tobytes()
    dataset.SliceVector = [int(k) + 1 for k in order]
    dataset._pixel_array = None
    assert np.abs(hottest_mm(read(dataset)) - made.LESION_MM).max() < 1e-6


def test_an_oblique_volume() -> None:
    turn = np.deg2rad(20.0)
    rows, columns = np.array([0.0, np.cos(turn), np.sin(turn)]), np.array([1.0, 0.0, 0.0])
    first = np.array([-40.0, 10.0, 55.0])
    head = item(ImagePositionPatient=first.tolist(), ImageOrientationPatient=[*columns, *np.round(rows, 9)])
    series = read(made.recon_tomo(4.0, made.spots(4.0), DetectorInformationSequence=Sequence([head])))
    normal = np.cross(columns, rows)
    expected = first + 20 * 4.0 * columns + 22 * 3.0 * rows + 17 * 5.0 * normal
    assert np.abs(hottest_mm(series) - expected).max() < 1e-6


def test_two_places_that_contradict_each_other_are_refused() -> None:
    dataset = made.recon_tomo(4.0, made.spots(4.0), ImagePositionPatient=[0.0, 0.0, 9.0])
    with pytest.raises(GeometryError, match="contradict each other"):
        read(dataset)
    dataset = made.recon_tomo(4.0, made.spots(4.0), ImageOrientationPatient=[1, 0, 0, 0, 0, -1])
    with pytest.raises(GeometryError, match="contradict each other"):
        read(dataset)


def test_a_volume_without_a_place_has_no_frame_of_reference() -> None:
    dataset = made.recon_tomo(4.0, made.spots(4.0), DetectorInformationSequence=Sequence([item(CollimatorType="PARA")]))
    with pytest.warns(AssumptionWarning, match=r"taken as axial|no frame of reference") as told:
        series = read(dataset)
    assert len(told) == 2  # and the orientation
    assert series.header.frame_of_reference_uid is None
    middle = series.image.geometry.to_lps((np.array(made.SHAPE) - 1) / 2)
    np.testing.assert_allclose(middle, 0.0, atol=1e-9)


@pytest.mark.parametrize("sop_class", [NM_CLASS, made.PET_CLASS])
def test_slices_in_files_of_their_own_make_one_spect(sop_class: str, tmp_path: Path) -> None:
    save(tmp_path, *made.slices_of(4.0, made.spots(4.0), sop_class))
    study = read_study(tmp_path)
    [series] = study.acquisitions
    assert isinstance(series, ReconstructedSeries)
    assert study.problems == ()
    assert series.header.kind == "RECON TOMO"
    assert len(series.header.sources) == made.SHAPE[0]
    assert series.header.hours_after_injection == pytest.approx(4.0)
    assert np.abs(hottest_mm(series) - made.LESION_MM).max() < 1e-6
    assert series.image.array.max() == pytest.approx(6000.0, rel=1e-4)
    assert (series.image.unit, series.attenuation_corrected, series.decay_reference) == ("Bq/mL", True, "start")
    assert series.counting_time_s == pytest.approx(1200.0)
    assert series.header.frame_of_reference_uid == made.FRAME
    assert any("stored as PET" in text for text in series.header.assumptions) == (sop_class == made.PET_CLASS)


def test_a_missing_slice_is_a_problem_and_no_volume(tmp_path: Path) -> None:
    slices = made.slices_of(4.0, made.spots(4.0), NM_CLASS)
    slices.sort(key=lambda one: int(one.InstanceNumber))
    save(tmp_path, *slices[:9], *slices[10:])
    with pytest.raises(GeometryError, match="1 slice is missing"):
        read_study(tmp_path)


@pytest.mark.parametrize(
    ("code", "meaning", "kind"),
    [
        ("C-145A4", "^111^Indium", "RECON TOMO"),
        ("72454006", "Technetium-99m", "RECON TOMO"),
        ("", "Technetium Tc-99m", "RECON TOMO"),
        ("C-111A1", "^18^Fluorine", "PET"),
        ("C-131A3", "^68^Gallium", "PET"),
        ("C-128A2", "^89^Zirconium", "PET"),
    ],
)
def test_the_nuclide_tells_spect_from_pet(code: str, meaning: str, kind: str, tmp_path: Path) -> None:
    slices = made.slices_of(4.0, made.spots(4.0), made.PET_CLASS)
    for one in slices:
        nuclide = item(CodeValue=code, CodingSchemeDesignator="SRT", CodeMeaning=meaning)
        one.RadiopharmaceuticalInformationSequence[0].RadionuclideCodeSequence = Sequence([nuclide])
    study = read_study(save(tmp_path, *slices))
    assert [a.header.kind for a in study.acquisitions] == [kind]
    assert any("is no SPECT" in problem for problem in study.problems) == (kind == "PET")


def test_the_time_of_the_reconstruction_is_not_the_time_of_counting() -> None:
    series = read(made.recon_tomo(4.0, made.spots(4.0)))
    assert series.header.start == datetime(2024, 1, 10, 12, 0)
    dataset = made.recon_tomo(4.0, made.spots(4.0))
    del dataset.AcquisitionDate, dataset.AcquisitionTime
    with pytest.warns(AssumptionWarning, match="its place in time is unknown"):
        series = read(dataset)
    assert series.header.start is None  # Series Time is that of the reconstruction


@pytest.mark.parametrize(
    ("recorded", "described", "expected", "says"),
    [
        (["DECY", "ATTN"], "", True, ""),
        (["DECY"], "", False, ""),
        ([], "", None, ""),
        ([], "Tomo_AC_EM", True, ""),
        ([], "Hip [Recon - NoAC ]", False, ""),
        ([], "hips no AC", False, ""),
        ([], "HIPS-NAC", False, ""),
        ([], "Hip accident", None, ""),
        ([], "AC map", None, ""),
        ([], "attenuation corrected", True, ""),
        ([], "w/o attenuation correction", False, ""),
        (["UNIF", "COR"], "IRACSC", True, "described as corrected"),
        (["ATTN"], "NAC", None, "which holds is not known"),
    ],
)
def test_attenuation_correction_is_told_by_record_or_name(
    recorded: list[str], described: str, expected: bool | None, says: str
) -> None:
    dataset = made.recon_tomo(4.0, made.spots(4.0), CorrectedImage=recorded, SeriesDescription=described)
    if says:
        with pytest.warns(AssumptionWarning, match=says):
            series = read(dataset)
    else:
        series = read(dataset)
    assert series.attenuation_corrected is expected


@pytest.mark.parametrize(
    ("elements", "reference"),
    [
        ({"CorrectedImage": ["DECY"]}, "start"),
        ({"CorrectedImage": ["ATTN"]}, "none"),
        ({"CorrectedImage": []}, "unknown"),
        ({"CorrectedImage": ["DECY"], "DecayCorrection": "ADMIN"}, "injection"),
        ({"CorrectedImage": ["ATTN"], "DecayCorrection": "NONE"}, "none"),
    ],
)
def test_what_decay_was_corrected_to(elements: dict[str, Any], reference: str) -> None:
    assert read(made.recon_tomo(4.0, made.spots(4.0), **elements)).decay_reference == reference


def mapping(code: str, slope: float, intercept: float = 0.0) -> Dataset:
    unit = item(CodeValue=code, CodingSchemeDesignator="UCUM", CodeMeaning=code)
    return item(
        RealWorldValueSlope=slope,
        RealWorldValueIntercept=intercept,
        MeasurementUnitsCodeSequence=Sequence([unit]),
    )


def test_a_real_world_mapping_goes_before_rescale() -> None:
    volume = made.spots(4.0)
    step = float(made.recon_tomo(4.0, volume).RescaleSlope)
    mappings = Sequence([mapping("{counts}/s", 0.5), mapping("kBq/mL", 0.002, 0.25)])
    dataset = made.recon_tomo(4.0, volume, Units="CNTS", RealWorldValueMappingSequence=mappings)
    with pytest.warns(AssumptionWarning, match=r"Bq/mL is taken|in place of the rescaling") as told:
        series = read(dataset)
    assert len(told) == 2
    assert series.image.unit == "Bq/mL"
    # stored numbers x 2 Bq/mL + 250 Bq/mL
    np.testing.assert_allclose(
        np.asarray(series.image.array, np.float64), np.rint(volume / step) * 2.0 + 250.0, rtol=1e-5
    )


def test_a_mapping_that_says_what_rescale_says_is_silent() -> None:
    dataset = made.recon_tomo(4.0, made.spots(4.0), Units="CNTS")
    dataset.RealWorldValueMappingSequence = Sequence([mapping("Bq/ml", float(dataset.RescaleSlope))])
    series = read(dataset)
    assert series.image.unit == "Bq/mL"
    assert series.image.array.max() == pytest.approx(6000.0, rel=1e-4)


@pytest.mark.parametrize(
    ("rotations", "seconds"),
    [
        ([made.rotation()], 1200.0),
        ([made.rotation(), made.rotation(30, 10000)], 1500.0),
        ([item(NumberOfFramesInRotation=60, ActualFrameDuration=20000)], 1200.0),
        ([item(NumberOfFramesInRotation=60, ActualFrameDuration=20000, ScanArc=360, AngularStep=3)], 1200.0),
        ([item(ActualFrameDuration=20000)], None),
        ([], None),
    ],
)
def test_for_how_long_it_counted(rotations: list[Dataset], seconds: float | None) -> None:
    dataset = made.recon_tomo(4.0, made.spots(4.0), RotationInformationSequence=Sequence(rotations))
    assert read(dataset).counting_time_s == seconds


def test_gated_transmission_and_several_volumes_are_refused_by_name() -> None:
    gated = made.recon_tomo(4.0, made.spots(4.0))
    gated.ImageType = ["DERIVED", "PRIMARY", "RECON GATED TOMO", "EMISSION"]
    with pytest.raises(InputError, match="RECON GATED TOMO"):
        read(gated)
    transmission = made.recon_tomo(4.0, made.spots(4.0))
    transmission.ImageType = ["DERIVED", "PRIMARY", "RECON TOMO", "TRANSMISSION"]
    with pytest.raises(InputError, match="transmission"):
        read(transmission)
    windows = made.recon_tomo(4.0, made.spots(4.0), EnergyWindowVector=[1] * 13 + [2] * 13)
    with pytest.raises(InputError, match="Energy Window Vector"):
        read(windows)


def test_slices_of_a_transmission_scan_are_refused_too(tmp_path: Path) -> None:
    slices = made.slices_of(4.0, made.spots(4.0), NM_CLASS)
    for one in slices:
        one.ImageType = ["DERIVED", "PRIMARY", "RECON TOMO", "TRANSMISSION"]
    with pytest.raises(InputError, match="transmission"):
        read_study(save(tmp_path, *slices))


def test_reading_changes_nothing_of_what_is_given() -> None:
    dataset = made.recon_tomo(4.0, made.spots(4.0))
    before = dataset.to_json_dict()
    read(dataset)
    assert dataset.to_json_dict() == before
