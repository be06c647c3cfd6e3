"""Several reconstructions in a folder or in one series: told apart, one chosen, and said which and why."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom.dataset import FileDataset

from leukospect.data import CtSeries
from leukospect.dicom.read.ct import read_ct
from leukospect.dicom.read.study import read_projections, read_study
from leukospect.errors import AssumptionWarning, GeometryError, InputError
from tests.dicom.acquisitions import Tomo, ct_slices, file_dataset, save


def ct(slices: int = 6, step: float = 3.0, hu: int = 0, z: float = -40.0, **elements: Any) -> list[FileDataset]:
    """Slices of values that begin with `hu`."""
    array = (np.arange(slices * 6 * 7).reshape(slices, 6, 7) % 50 + hu).astype(np.int16)
    made = ct_slices(array, np.array([[-10.0, -20.0, z + step * k] for k in range(slices)]))
    for one in made:
        one.Manufacturer, one.SliceThickness = "SIEMENS", step
        for keyword, value in elements.items():
            setattr(one, keyword, value)
    return made


def one_series(*parts: list[FileDataset]) -> list[FileDataset]:
    together = [one for part in parts for one in part]
    for one in together:
        one.SeriesInstanceUID = "1.2.3.77"
    return together


def chosen(folder: Path, *datasets: FileDataset) -> CtSeries:
    with pytest.warns(AssumptionWarning) as raised:
        made = read_ct(save(folder, *datasets))
    assert any("CT series were found" in str(warning.message) for warning in raised)
    return made


def lowest(series: CtSeries) -> float:
    return float(series.image.array.min())


def test_the_soft_kernel_is_taken_though_the_sharp_one_is_thinner(tmp_path: Path) -> None:
    made = chosen(tmp_path, *ct(18, 1.0, 100, ConvolutionKernel="B70f"), *ct(6, 3.0, 200))
    assert lowest(made) == 200
    assert "kernel B70f" in made.header.assumptions[0]
    assert "of a soft-tissue kernel is taken" in made.header.assumptions[0]


def test_thin_slices_with_a_gap_are_not_taken(tmp_path: Path) -> None:
    thin = ct(18, 1.0, 100)
    del thin[7]
    assert lowest(chosen(tmp_path, *thin, *ct(6, 3.0, 200))) == 200


def test_the_one_that_covers_the_spect_is_taken(tmp_path: Path) -> None:
    spect = Tomo()  # rows from z = 63 down by 24 x 5 mm
    save(tmp_path / "spect", spect.dataset())
    save(tmp_path / "ct", *ct(60, 1.0, 100, z=200.0), *ct(40, 3.0, 200, z=-60.0))
    with pytest.warns(AssumptionWarning, match="covering more of the SPECT"):
        made = read_ct(tmp_path / "ct", beside=read_projections(tmp_path / "spect"))
    assert lowest(made) == 200


def test_the_scanners_metal_reduction_is_preferred_unless_ours_is_to_be_made(tmp_path: Path) -> None:
    save(tmp_path, *ct(hu=100, SeriesDescription="Hip 3.0 iMAR"), *ct(hu=200, SeriesDescription="Hip 3.0"))
    with pytest.warns(AssumptionWarning):
        assert lowest(read_ct(tmp_path)) == 100
    with pytest.warns(AssumptionWarning):
        assert lowest(read_ct(tmp_path, metal_reduced=False)) == 200


@pytest.mark.parametrize(
    "differ",
    [
        {"ConvolutionKernel": "B70f"},
        {"ImageType": ["DERIVED", "SECONDARY", "AXIAL", "AVERAGE"]},
        {"ConvolutionKernel": "B70f", "AcquisitionNumber": 7},
    ],
)
def test_two_reconstructions_in_one_series_are_told_apart(differ: dict[str, Any], tmp_path: Path) -> None:
    made = chosen(tmp_path, *one_series(ct(hu=200), ct(hu=100, **differ)))
    assert made.image.array.shape == (6, 6, 7)
    assert lowest(made) == 200
    study = read_study(tmp_path)
    assert any("holds 2 reconstructions" in problem for problem in study.problems)


def test_phases_and_thicknesses_in_one_series_are_told_apart(tmp_path: Path) -> None:
    phases = [ct(hu=100 * n, AcquisitionNumber=n) for n in (1, 2, 3, 4)]
    study = read_study(save(tmp_path / "phases", *one_series(*phases)))
    assert sorted(lowest(one) for one in study.ct) == [100, 200, 300, 400]
    interleaved = one_series(ct(6, 3.0, 100), ct(14, 1.25, 200, z=-39.7))
    study = read_study(save(tmp_path / "thick", *interleaved))
    assert sorted(one.image.geometry.spacing_mm[0] for one in study.ct) == pytest.approx([1.25, 3.0])


def test_slices_of_another_orientation_or_matrix_in_the_series_are_apart(tmp_path: Path) -> None:
    scout = ct_slices(np.zeros((1, 6, 7), np.int16), np.array([[-10.0, 0.0, 50.0]]), (1, 0, 0, 0, 0, -1))
    made = chosen(tmp_path, *one_series(ct(hu=200), scout))
    assert made.image.array.shape == (6, 6, 7)
    assert "not original axial" in made.header.assumptions[0]


def test_one_volume_is_never_parted(tmp_path: Path) -> None:
    slices = ct(8)
    for number, one in enumerate(slices):  # as an axial scan writes them: each rotation an acquisition
        one.AcquisitionNumber, one.AcquisitionTime = number, f"1200{number:02d}"
        one.ConvolutionKernel = "B31s" if number < 4 else "B30s"
    with pytest.warns(AssumptionWarning, match="Convolution Kernel .* differs between slices"):
        made = read_ct(save(tmp_path, *slices))
    assert made.image.array.shape[0] == 8


def test_exact_copies_under_other_names_are_taken_once(tmp_path: Path) -> None:
    slices, copies = ct(), ct()[2:5]  # each with a SOP Instance UID of its own
    with pytest.warns(AssumptionWarning, match="3 of 9 slices are there twice with the same pixels"):
        series = read_ct(save(tmp_path, *one_series(slices, copies)))
    np.testing.assert_array_equal(series.image.array, read_ct(save(tmp_path / "plain", *ct())).image.array)


def test_other_pixels_at_one_place_are_refused(tmp_path: Path) -> None:
    with pytest.raises(GeometryError, match="6 of 12 slices lie where another one lies, with other pixels"):
        read_ct(save(tmp_path, *one_series(ct(hu=100), ct(hu=200))))


def test_reformats_are_left_out_of_a_study_that_has_the_original(tmp_path: Path) -> None:
    mip = ct(4, 5.0, 100, ImageType=["DERIVED", "SECONDARY", "AXIAL", "MIP"])
    save(tmp_path / "both", *mip, *ct(hu=200))
    study = read_study(tmp_path / "both")
    assert [lowest(one) for one in study.ct] == [200]
    assert any(problem.endswith("(MIP), and the original ones are there.") for problem in study.problems)
    assert lowest(chosen(tmp_path / "both")) == 200
    alone = read_study(save(tmp_path / "alone", *mip)).ct[0]
    assert any("derived from others (MIP)" in sentence for sentence in alone.header.assumptions)


def test_a_ct_with_its_metal_reduced_by_a_program_is_no_reformat(tmp_path: Path) -> None:
    reduced = ct(hu=100, ImageType=["DERIVED", "PRIMARY", "AXIAL"], SeriesDescription="CT, metal artefacts reduced")
    save(tmp_path, *reduced, *ct(hu=200))
    assert sorted(lowest(one) for one in read_study(tmp_path).ct) == [100, 200]
    assert lowest(chosen(tmp_path)) == 100


def test_localizers_and_multi_frame_ct_stay_out(tmp_path: Path) -> None:
    localizer = ct(1, ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"])
    enhanced = file_dataset("1.2.840.10008.5.1.4.1.1.2.1", Modality="CT")
    with pytest.raises(InputError, match="CT localizer"):
        read_ct(save(tmp_path / "alone", *localizer))
    study = read_study(save(tmp_path / "all", *ct(), *localizer, enhanced))
    assert len(study.ct) == 1
    assert any("CT localizer" in problem for problem in study.problems)
    assert any("multi-frame CT" in problem for problem in study.problems)


def test_a_broken_slice_is_not_put_aside(tmp_path: Path) -> None:
    slices = ct()
    del slices[5].ImagePositionPatient  # at the end, where it would not be missed
    with pytest.raises(GeometryError, match="missing in a slice"):
        read_ct(save(tmp_path, *slices))


@pytest.mark.parametrize("head", [b"", b"\0" * 4000, None])
@pytest.mark.parametrize("at", [0, 5])
def test_a_damaged_slice_at_an_end_is_told(at: int, head: bytes | None, tmp_path: Path) -> None:
    folder = save(tmp_path, *ct())
    path = sorted(folder.iterdir())[at]
    whole = path.read_bytes()
    path.write_bytes(whole[:300] if head is None else head + whole[len(head) :] if head else b"")
    with pytest.warns(AssumptionWarning, match=rf"1 of 6 files was not read \(.*file {at + 1}\)"):
        made = read_ct(folder)
    assert made.image.geometry.shape[0] == 5
    assert any("compare the number of slices" in text for text in made.header.assumptions)


def test_other_files_beside_the_slices_are_nothing_to_tell(tmp_path: Path) -> None:
    folder = save(tmp_path, *ct())
    (folder / "readme.txt").write_text("slices")
    with warnings.catch_warnings(record=True) as raised:
        warnings.simplefilter("always")
        read_ct(folder)
    assert not any("not read" in str(one.message) for one in raised)


@pytest.mark.parametrize("lost", ["removed", "junk", "rows"])
def test_a_damaged_scan_beside_a_single_slice_is_refused(tmp_path: Path, lost: str) -> None:
    """Never the one slice in its place."""
    scan, monitor = ct(hu=100, ConvolutionKernel="B70f"), ct(1, hu=200)
    if lost == "rows":
        scan[3].Rows, scan[3].PixelData = 3, scan[3].PixelData[: 3 * 7 * 2]
        monitor = []
    if lost == "removed":
        del scan[3]
    save(tmp_path, *scan, *monitor)
    if lost == "junk":
        (hit,) = [p for p in tmp_path.rglob("*.dcm") if scan[3].SOPInstanceUID.encode() in p.read_bytes()]
        hit.write_bytes(b"junk" * 300)
    with pytest.raises(GeometryError, match=r"Of 2 CT series the one to take \(.* with gaps\).* 1 slice is missing"):
        read_ct(tmp_path)


def test_images_of_two_patients_are_refused_whichever_series_would_be_taken(tmp_path: Path) -> None:
    other = ct(18, 1.0, 200)
    for one in other:
        one.PatientID, one.PatientName = "Z9", "Somebody^Else"
    with pytest.raises(InputError, match="of 2 patients") as refused:
        read_ct(save(tmp_path, *ct(hu=100), *other))
    assert "Somebody" not in str(refused.value)
    assert "Z9" not in str(refused.value)
