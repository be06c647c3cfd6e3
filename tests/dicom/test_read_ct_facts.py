"""What the reader notices of a CT: cut-off metal, the scanner's metal reduction, padding, what differs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileDataset

from leukospect.data import CtSeries
from leukospect.dicom.read.ct import read_ct
from leukospect.dicom.read.ct_facts import metal_reduction
from leukospect.dicom.read.study import read_study
from leukospect.errors import AssumptionWarning
from leukospect.report.inspection import describe, table
from tests.dicom.acquisitions import ct_slices, item, save


def ct(array: NDArray[np.int16], **elements: Any) -> list[FileDataset]:
    made = ct_slices(array, np.array([[-10.0, -20.0, 3.0 * k] for k in range(array.shape[0])]))
    for one in made:
        for keyword, value in elements.items():
            setattr(one, keyword, value)
    return made


def tissue(metal_hu: int, voxels: int) -> NDArray[np.int16]:
    array = np.full((3, 8, 9), 40, dtype=np.int16)
    array.reshape(-1)[20 : 20 + voxels] = metal_hu
    return array


def stored_in_12_bits(array: NDArray[np.int16], intercept: int) -> list[FileDataset]:
    made = ct(array)
    for one, plane in zip(made, array, strict=True):
        one.RescaleIntercept, one.BitsStored, one.HighBit = intercept, 12, 11
        one.PixelData = np.clip(plane.astype(np.int32) - intercept, 0, 4095).astype(np.uint16).tobytes()
    return made


def read(folder: Path, datasets: list[FileDataset]) -> CtSeries:
    return read_study(save(folder, *datasets)).ct[0]


def said(series: CtSeries) -> str:
    return " ".join(series.header.assumptions)


@pytest.mark.parametrize(("intercept", "top"), [(-1024, 3071), (-1000, 3095)])
def test_metal_at_the_top_of_12_bits_is_counted_and_said(intercept: int, top: int, tmp_path: Path) -> None:
    series = read(tmp_path, stored_in_12_bits(tissue(8000, 37), intercept))
    assert series.saturated_voxels == 37
    assert f"37 voxels lie at the top of a 12-bit scale: what is denser, as metal is, is cut off at {top} HU" in said(
        series
    )


def test_a_12_bit_scale_in_16_bits_is_noticed_and_an_extended_one_is_none(tmp_path: Path) -> None:
    assert read(tmp_path / "clipped", ct(tissue(3071, 37))).saturated_voxels == 37
    extended = tissue(3071, 37)
    extended[2, 7, 7] = 9000
    series = read(tmp_path / "extended", ct(extended))
    assert series.saturated_voxels == 0
    assert "metal" not in said(series)
    assert series.image.array.max() == 9000


def test_a_handful_is_counted_without_a_word(tmp_path: Path) -> None:
    series = read(tmp_path, ct(tissue(3071, 5)))
    assert series.saturated_voxels == 5
    assert "metal" not in said(series)
    assert read(tmp_path / "none", ct(tissue(3070, 37))).saturated_voxels == 0


@pytest.mark.parametrize(
    ("elements", "name"),
    [
        ({"SeriesDescription": "Hip 1.0 Br40 iMAR_Hip"}, "iMAR"),
        ({"SeriesDescription": "HIP IMAR 3MM"}, "iMAR"),
        ({"SeriesDescription": "Pelvis, O-MAR, iDose (3)"}, "O-MAR"),
        ({"ConvolutionKernel": "OMAR"}, "O-MAR"),
        ({"SeriesDescription": "0.5 SEMAR Body"}, "SEMAR"),
        ({"SeriesDescription": "SmartMAR 1.25"}, "Smart MAR"),
        ({"SeriesDescription": "AX SOFT MAR 1.25"}, "MAR"),
        ({"SeriesDescription": "Body 3.0 MAR"}, "MAR"),
        ({"SeriesDescription": "GSI MARs 70 keV"}, "MARs"),
        ({"ImageType": ["ORIGINAL", "PRIMARY", "AXIAL", "IMAR"]}, "iMAR"),
        ({"ConvolutionKernel": ["Br40f", "iMAR"]}, "iMAR"),
        ({"SeriesDescription": "CT, metal artefacts reduced"}, "metal artefact reduction"),
        ({"ReconstructionDescription": "Metal Artifact Reduction"}, "metal artefact reduction"),
        ({"ProtocolName": "Hip_iMAR"}, "iMAR"),
        ({"ProtocolName": "Hip_iMAR", "SeriesDescription": "Hip 3.0 Br40"}, ""),
        ({"SeriesDescription": "BONE MARROW"}, ""),
        ({"SeriesDescription": "MARCH protocol"}, ""),
        ({"SeriesDescription": "Abdomen Marx"}, ""),
        ({"SeriesDescription": "Dr Omar abdomen"}, ""),
        ({"SeriesDescription": "LAMAR"}, ""),
        ({"SeriesDescription": "del Mar hospital"}, ""),
        ({"SeriesDescription": "follow up 12 MAR 2024"}, ""),
        ({"SeriesDescription": "FU MAR 2024"}, ""),
        ({"SeriesDescription": "12-MAR-24"}, ""),
        ({"SeriesDescription": "Hip without iMAR"}, ""),
        ({"SeriesDescription": "Hip non-O-MAR"}, ""),
        ({"SeriesDescription": "Hip NO-MAR"}, ""),
        ({"SeriesDescription": "Hip iMAR off"}, ""),
        ({"SeriesDescription": "Metal screws, no artefact"}, ""),
        ({}, ""),
    ],
)
def test_the_scanners_metal_reduction_is_known_by_its_name(elements: dict[str, Any], name: str) -> None:
    dataset: Dataset = item(**elements)
    assert metal_reduction(dataset) == name


def test_metal_reduction_and_saturation_are_told_by_inspect(tmp_path: Path) -> None:
    study = read_study(save(tmp_path, *ct(tissue(3071, 37), SeriesDescription="Hip iMAR")))
    assert study.ct[0].metal_reduction == "iMAR"
    assert "reduced metal artefacts in this CT already (iMAR)" in said(study.ct[0])
    [facts] = describe(study)
    assert (facts["saturated_voxels"], facts["metal_reduction"]) == (37, "iMAR")
    assert "37 voxels at the top of a 12-bit scale" in table(study)
    assert "artefacts reduced by the scanner (iMAR)" in table(study)
    [plain] = describe(read_study(save(tmp_path / "plain", *ct(tissue(40, 1)))))
    assert (plain["saturated_voxels"], plain["metal_reduction"]) == (0, None)


def test_padding_below_air_becomes_air_and_dark_streaks_stay(tmp_path: Path) -> None:
    array = tissue(900, 10)
    y, x = np.ogrid[-1:1:8j, -1:1:9j]
    outside = np.hypot(y, x) > 1.15
    array[:, outside] = -3024
    array[1, 4, 4] = -1500
    made = ct(array)
    for one in made:
        one.PixelRepresentation = 1
        one.PixelData = (array[100 - one.InstanceNumber]).tobytes()
        one.RescaleIntercept = 0
    series = read(tmp_path, made)
    assert set(np.unique(series.image.array)) == {-1500.0, -1024.0, 40.0, 900.0}
    assert np.all(series.image.array[:, outside] == -1024)
    assert "filled with -3024 HU; it is taken as -1024 HU" in said(series)


@pytest.mark.parametrize(("padding", "lowest"), [(76, -1024.0), (75, -1124.0), (None, -1124.0)])
def test_a_recorded_padding_value_is_padding_wherever_it_lies(
    padding: int | None, lowest: float, tmp_path: Path
) -> None:
    array = tissue(40, 1)
    array[:, 2, 3] = -1124
    made = ct(array, RescaleIntercept=-1200)
    for one, plane in zip(made, array, strict=True):
        one.PixelData = (plane.astype(np.int32) + 1200).astype(np.uint16).tobytes()
        if padding is not None:
            one.add_new("PixelPaddingValue", "US", padding)
    assert read(tmp_path, made).image.array.min() == lowest


def test_noise_below_air_in_a_corner_is_no_padding(tmp_path: Path) -> None:
    array = tissue(40, 1)
    array[:, 0, 0], array[:, -1, -1] = -1019, -1020
    array[0, 0, -1] = -1024
    series = read(tmp_path, ct(array))
    np.testing.assert_array_equal(series.image.array, array)
    assert "field of view" not in said(series)


def test_what_differs_between_slices_is_said(tmp_path: Path) -> None:
    made = ct(tissue(40, 1))
    made[1].KVP, made[1].ConvolutionKernel = 80, "B60s"
    with pytest.warns(AssumptionWarning) as raised:
        series = read_ct(save(tmp_path, *made))
    texts = [str(one.message) for one in raised]
    assert any("KVP (0018,0060) differs between slices (80 to 110)" in one for one in texts)
    assert any("Convolution Kernel (0018,1210) differs between slices (B31s, B60s)" in one for one in texts)
    assert series.header.assumptions == tuple(texts)
