"""A folder with all that lies in a folder becomes a study, or is refused in a sentence."""

from __future__ import annotations

import warnings
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom.dataset import FileDataset
from pydicom.sequence import Sequence
from pydicom.uid import generate_uid

from leukospect.data import AcquisitionHeader, CtSeries, PlanarImages, Projections, ReconstructedSeries
from leukospect.dicom.read.ct import read_ct
from leukospect.dicom.read.nm import read_nm
from leukospect.dicom.read.study import read_projections, read_study
from leukospect.errors import AssumptionWarning, GeometryError, InputError
from leukospect.whole_files import whole_folder
from tests.dicom.acquisitions import Tomo, ct_slices, file_dataset, item, nm_dataset, save


def ct(slices: int = 5) -> list[FileDataset]:
    array = np.arange(slices * 6 * 7, dtype=np.int16).reshape(slices, 6, 7) - 500
    return ct_slices(array, np.array([[-10.0, -20.0, 3.0 * k - 40.0] for k in range(slices)]))


def static(view: str | None = None, time: str = "110000", **elements: Any) -> FileDataset:
    made = nm_dataset("STATIC", np.arange(48, dtype=np.uint16).reshape(1, 6, 8), (3.0, 2.0))
    made.NumberOfDetectors, made.ActualFrameDuration, made.AcquisitionTime = 1, 300000, time
    made.EnergyWindowVector = made.DetectorVector = [1]
    head = item()
    if view:
        head.ViewCodeSequence = Sequence([item(CodeValue=view, CodingSchemeDesignator="SRT", CodeMeaning="a view")])
    made.DetectorInformationSequence = Sequence([head])
    for keyword, value in elements.items():
        setattr(made, keyword, value)
    return made


def test_a_study_is_ordered_by_time_and_says_what_it_left_out(tmp_path: Path) -> None:
    save(tmp_path / "late", Tomo(elements={"AcquisitionDate": "20240111", "AcquisitionTime": "080000"}).dataset())
    save(tmp_path / "early", Tomo(elements={"AcquisitionTime": "090000"}).dataset())
    save(tmp_path / "ct", *ct())
    save(tmp_path / "planar", static("R-10206"))
    save(tmp_path / "other", file_dataset("1.2.840.10008.5.1.4.1.1.7", Modality="OT"))
    save(tmp_path / "undated", Tomo(elements={"AcquisitionDate": "", "AcquisitionTime": ""}).dataset())
    (tmp_path / "notes.txt").write_text("not an image")
    with warnings.catch_warnings():
        warnings.simplefilter("error", AssumptionWarning)
        study = read_study(tmp_path)
    hours = [a.header.hours_after_injection for a in study.acquisitions]
    assert [a.header.kind for a in study.acquisitions] == ["TOMO", "STATIC", "CT", "TOMO", "TOMO"]
    assert hours == [1.0, 3.0, None, 24.0, None]
    assert any("time" in sentence for sentence in study.acquisitions[4].header.assumptions)
    assert len(study.problems) == 2
    assert "not DICOM" in " ".join(study.problems)
    assert "Secondary Capture" in " ".join(study.problems)
    assert "notes" not in " ".join(study.problems)


def test_a_broken_acquisition_is_a_problem_beside_a_good_one_and_an_error_alone(tmp_path: Path) -> None:
    good, bad = Tomo().dataset(), Tomo().dataset()
    del bad.AngularViewVector
    save(tmp_path / "bad", bad)
    with pytest.raises(InputError, match="Angular View Vector"):
        read_study(tmp_path)
    save(tmp_path / "good", good)
    study = read_study(tmp_path)
    assert len(study.projections) == 1
    assert "File 1 of 2: Angular View Vector (0054,0090) is missing" in study.problems[0]


def test_copies_are_used_once(tmp_path: Path) -> None:
    one = Tomo().dataset()
    save(tmp_path / "a", one)
    save(tmp_path / "b", one)
    study = read_study(tmp_path)
    assert len(study.acquisitions) == 1
    assert "copies" in study.problems[0]
    assert len(read_projections(tmp_path).energy_windows) == 1


def test_two_patients_are_refused_without_their_names(tmp_path: Path) -> None:
    save(tmp_path, Tomo().dataset(), Tomo(elements={"PatientName": "Somebody^Else", "PatientID": "N2"}).dataset())
    with pytest.raises(InputError, match="2 patients") as raised:
        read_study(tmp_path)
    assert "Else" not in str(raised.value)
    listed = read_study(tmp_path, one_patient=False)
    assert len(listed.acquisitions) == 2
    assert "2 patients" in listed.problems[0]


def test_one_patient_spelled_twice_is_one(tmp_path: Path) -> None:
    save(tmp_path, Tomo().dataset(), Tomo(elements={"PatientName": "NOBODY^KNOWN^"}).dataset())
    assert len(read_study(tmp_path).acquisitions) == 2


@pytest.mark.parametrize("reader", [read_study, read_projections, read_ct])
def test_nothing_usable_is_refused(reader: Any, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="There is nothing at"):
        reader(tmp_path / "missing")
    with pytest.raises(InputError, match="is empty"):
        reader(tmp_path)
    note = tmp_path / "Doe_Jane.txt"
    note.write_text("Jane Doe")
    with pytest.raises(InputError, match="not a DICOM file") as raised:
        reader(note)
    assert "Doe" not in str(raised.value)
    with pytest.raises(InputError, match="1 file, 1 that is not DICOM"):
        reader(tmp_path)


def test_other_things_given_as_projections_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="5 of CT"):
        read_projections(save(tmp_path / "ct", *ct()))
    with pytest.raises(InputError, match="nuclear medicine STATIC"):
        read_projections(save(tmp_path / "planar", static("R-10206")))
    with pytest.raises(InputError, match="2 SPECT acquisitions"):
        read_projections(save(tmp_path / "two", Tomo().dataset(), Tomo().dataset()))


def test_assumptions_are_warned_of_and_kept(tmp_path: Path) -> None:
    path = save(tmp_path, Tomo(positions=False).dataset())
    with pytest.warns(AssumptionWarning) as raised:
        projections = read_projections(path)
    assert [str(warning.message) for warning in raised] == list(projections.header.assumptions)
    assert len(raised) == 2
    with pytest.warns(AssumptionWarning) as raised:
        read_nm(next(path.iterdir()))
    assert len(raised) == 2
    assert read_study(path).projections[0].header.assumptions == projections.header.assumptions


def test_files_without_a_preamble_are_read(tmp_path: Path) -> None:
    path = next(save(tmp_path, Tomo().dataset()).iterdir())
    meta_length = int.from_bytes(path.read_bytes()[140:144], "little")
    path.write_bytes(path.read_bytes()[144 + meta_length :])
    assert len(read_study(path).projections) == 1


def test_a_file_cut_off_is_a_sentence(tmp_path: Path) -> None:
    path = next(save(tmp_path, Tomo().dataset()).iterdir())
    path.write_bytes(path.read_bytes()[:-5000])
    with pytest.raises(InputError, match="cut off"):
        read_study(path)
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(InputError):
        read_study(path)


def test_front_and_back_in_two_files_become_one(tmp_path: Path) -> None:
    save(tmp_path, static("R-10214", "110000"), static("R-10206", "110003"), static("R-10206", "150000"))
    study = read_study(tmp_path)
    names = [a.view_names for a in study.acquisitions if isinstance(a, PlanarImages)]
    assert names == [("anterior", "posterior"), ("anterior",)]
    first = study.planar[0]
    assert first.counts.shape == (1, 2, 6, 8)
    assert len(first.header.sources) == 2
    np.testing.assert_array_equal(first.view_duration_s, [300.0, 300.0])


def test_a_ct_is_sorted_by_place_and_rescaled_slice_by_slice(tmp_path: Path) -> None:
    series = read_ct(save(tmp_path, *ct()))
    np.testing.assert_array_equal(series.image.array, np.arange(210).reshape(5, 6, 7) - 500.0)
    assert series.image.array.dtype == np.float32
    np.testing.assert_allclose(series.image.geometry.to_lps([1, 2, 3]), [-10 + 3 * 1.25, -20 + 2 * 1.5, -37])
    assert (series.kvp, series.kernel, series.slice_thickness_mm) == (110.0, "B31s", 3.0)


def test_a_ct_lying_askew_is_placed_by_its_cosines(tmp_path: Path) -> None:
    array = np.arange(4 * 6 * 7, dtype=np.int16).reshape(4, 6, 7)
    c, s = np.cos(0.3), np.sin(0.3)
    row, column = np.array([c, s, 0.0]), np.array([0.0, 0.0, -1.0])  # coronal, turned
    normal = np.cross(row, column)
    positions = np.array([[5.0, 6.0, 7.0] + 2.5 * k * normal for k in range(4)])
    series = read_ct(save(tmp_path, *ct_slices(array, positions, (*row, *column))))
    expected = np.array([5.0, 6.0, 7.0]) + 2.5 * 2 * normal + 1 * 1.5 * column + 3 * 1.25 * row
    np.testing.assert_allclose(series.image.geometry.to_lps([2, 1, 3]), expected, atol=1e-9)
    assert series.image.array[2, 1, 3] == array[2, 1, 3]


def test_ct_slices_that_make_no_volume_are_refused(tmp_path: Path) -> None:
    missing, twice, uneven, tilted, askew = ct(), ct(), ct(), ct(), ct()
    del missing[2]
    twice[2].ImagePositionPatient = twice[1].ImagePositionPatient
    uneven[2].ImagePositionPatient = [-10, -20, -33.5]
    askew[2].ImagePositionPatient = [-10, -19.5, askew[2].ImagePositionPatient[2]]
    tilted[0].GantryDetectorTilt = 12
    for name, slices, sentence in (
        ("missing", missing, "1 slice is missing"),
        ("twice", twice, "where another one lies"),
        ("uneven", uneven, "unevenly spaced"),
        ("tilted", tilted, "tilted"),
        ("askew", askew, "sideways"),
    ):
        with pytest.raises(GeometryError, match=sentence):
            read_ct(save(tmp_path / name, *slices))


def test_of_several_ct_series_the_largest_is_taken_with_a_warning(tmp_path: Path) -> None:
    save(tmp_path, *ct(3), *ct(6), *ct(4))
    with pytest.warns(AssumptionWarning, match="3 CT series"):
        series = read_ct(tmp_path)
    assert series.image.geometry.shape[0] == 6
    assert len([a for a in read_study(tmp_path).acquisitions if isinstance(a, CtSeries)]) == 3


def test_of_several_ct_series_the_spects_own_is_taken(tmp_path: Path) -> None:
    first, second = ct(9), ct(5)
    for slices, frame, time in ((first, "1.2.1", "100000"), (second, "1.2.2", "140000")):
        series = generate_uid()
        for one in slices:
            one.SeriesInstanceUID, one.FrameOfReferenceUID = series, frame
            one.AcquisitionDate, one.AcquisitionTime = "20240110", time
    save(tmp_path, *first, *second)

    def chosen(frame: str | None, hour: int) -> int:
        header = AcquisitionHeader("TOMO", start=datetime(2024, 1, 10, hour), frame_of_reference_uid=frame)
        with pytest.warns(AssumptionWarning, match="2 CT series"):
            return int(read_ct(tmp_path, beside=header).image.array.shape[0])

    assert (chosen("1.2.1", 14), chosen("1.2.2", 10)) == (9, 5)
    assert (chosen(None, 10), chosen(None, 14), chosen("1.2.3", 14)) == (9, 5, 5)


def test_results_of_earlier_runs_are_not_read_again(tmp_path: Path) -> None:
    save(tmp_path / "study", *ct(5))
    with whole_folder(tmp_path / "study" / "out", command="mar") as folder:
        save(folder / "dicom", *ct(7))
        (folder / "provenance.json").write_text("{}")
    study = read_study(tmp_path / "study")
    assert [one.image.array.shape[0] for one in study.ct] == [5]
    assert any("7 files of earlier results" in problem for problem in study.problems)
    assert read_study(tmp_path / "study" / "out").ct[0].image.array.shape[0] == 7


def recon(spacing: float, order: list[int]) -> FileDataset:
    made = nm_dataset("RECON TOMO", np.arange(4 * 5 * 6, dtype=np.uint16).reshape(4, 5, 6), (3.0, 2.0))
    made.NumberOfSlices, made.SliceVector, made.SpacingBetweenSlices = 4, order, spacing
    made.FrameIncrementPointer = 0x00540080
    made.NumberOfDetectors = made.NumberOfRotations = 1
    made.DetectorInformationSequence = Sequence(
        [item(ImagePositionPatient=[-7.0, 8.0, 100.0], ImageOrientationPatient=[1, 0, 0, 0, 1, 0])]
    )
    return made


@pytest.mark.parametrize("spacing", [4.0, -4.0])
def test_reconstructed_slices_may_run_either_way(spacing: float) -> None:
    made = read_nm(recon(spacing, [1, 2, 3, 4]))
    assert isinstance(made, ReconstructedSeries)
    np.testing.assert_allclose(made.image.geometry.to_lps([3, 1, 2]), [-7 + 4, 8 + 3, 100 + 3 * spacing])
    shuffled = read_nm(recon(spacing, [3, 1, 4, 2]))
    assert isinstance(shuffled, ReconstructedSeries)
    np.testing.assert_array_equal(shuffled.image.array[2], made.image.array[0])


def test_a_projections_file_alone_is_a_study(tmp_path: Path) -> None:
    study = read_study(next(save(tmp_path, Tomo().dataset()).iterdir()))
    assert isinstance(study.acquisitions[0], Projections)
    assert study.problems == ()


def test_the_slice_that_is_cut_off_is_named_by_its_place(tmp_path: Path) -> None:
    """Files are saved the last one first, so the fifth slice is the first file."""
    slices = ct()
    slices[4].PixelData = slices[4].PixelData[:-2]
    with pytest.raises(InputError, match="CT slice in file 1: "):
        read_ct(save(tmp_path, *slices))
