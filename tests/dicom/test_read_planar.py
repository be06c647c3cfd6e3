"""Planar views: their names, places, times, and which way up they are."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pydicom.dataset import FileDataset
from pydicom.sequence import Sequence

from leukospect.data import PlanarImages
from leukospect.dicom.read.nm import nm_acquisition
from leukospect.errors import InputError
from tests.dicom.acquisitions import item, nm_dataset

PIXELS = np.arange(4 * 6 * 8, dtype=np.uint16).reshape(4, 6, 8)


def planar(heads: list[dict[str, Any]], kind: str = "STATIC", windows: int = 1, **elements: Any) -> FileDataset:
    """Frames interleaved: for each head all windows."""
    made = nm_dataset(kind, PIXELS[: len(heads) * windows], (3.0, 2.0), windows)
    made.NumberOfDetectors, made.ActualFrameDuration = len(heads), 240000
    made.DetectorVector = [head + 1 for head in range(len(heads)) for _ in range(windows)]
    made.EnergyWindowVector = [window + 1 for _ in heads for window in range(windows)]
    made.DetectorInformationSequence = Sequence(item(**head) for head in heads)
    for keyword, value in elements.items():
        setattr(made, keyword, value)
    return made


def code(value: str) -> Sequence:
    return Sequence([item(CodeValue=value, CodingSchemeDesignator="SRT", CodeMeaning="view")])


def read(dataset: FileDataset) -> PlanarImages:
    made = nm_acquisition(dataset, [])
    assert isinstance(made, PlanarImages)
    return made


def test_views_and_windows_are_told_apart() -> None:
    made = read(planar([{"ViewCodeSequence": code("R-10214")}, {"ViewCodeSequence": code("R-10206")}], windows=2))
    assert made.view_names == ("posterior", "anterior")
    np.testing.assert_array_equal(made.counts, PIXELS.reshape(2, 2, 6, 8).transpose(1, 0, 2, 3))
    np.testing.assert_allclose(made.view_duration_s, 240.0)
    assert made.pixel_mm == (3.0, 2.0)
    assert made.header.assumptions == ()
    assert made.first_pixel_mm is None


@pytest.mark.parametrize(
    ("head", "elements", "name"),
    [
        ({}, {"ImageID": "THORAX_ANT"}, "anterior"),
        ({}, {"SeriesDescription": "WB Posterior 4h"}, "posterior"),
        ({}, {"SeriesDescription": "ANT and POST"}, "detector 1"),
        ({}, {"SeriesDescription": "LUMBAR ANTHEM"}, "detector 1"),
        ({}, {"ImageID": "R LAT KNEE"}, "right lateral"),
        ({"StartAngle": 181.0}, {}, "anterior"),
        ({"StartAngle": 359.0}, {}, "posterior"),
        ({"StartAngle": 90.0}, {}, "left lateral"),
        ({"StartAngle": 45.0}, {}, "detector 1"),
    ],
)
def test_views_without_a_code_are_named_with_a_warning(
    head: dict[str, Any], elements: dict[str, Any], name: str
) -> None:
    made = read(planar([head], **elements))
    assert made.view_names == (name,)
    assert len(made.header.assumptions) == 1


def test_views_are_turned_upright_and_their_first_pixel_with_them() -> None:
    head = {
        "ViewCodeSequence": code("R-10206"),
        "ImagePositionPatient": [7.0, -200.0, -10.0],
        "ImageOrientationPatient": [-1, 0, 0, 0, 0, 1],
    }
    made = read(planar([head]))
    np.testing.assert_array_equal(made.counts[0, 0], PIXELS[0, ::-1, ::-1])
    # the stored corner is at the patient's left foot end; seen from the front the first pixel is at right, head end
    assert made.first_pixel_mm is not None
    np.testing.assert_allclose(made.first_pixel_mm[0], [7.0 - 7 * 2.0, -200.0, -10.0 + 5 * 3.0])
    assert len(made.header.assumptions) == 1


def test_whole_body_time_is_that_of_a_line() -> None:
    view = {"ViewCodeSequence": code("R-10206")}
    swept = read(planar([{**view, "FieldOfViewDimensions": [540, 400]}], "WHOLE BODY", ScanVelocity=2.0))
    assert swept.view_duration_s[0] == pytest.approx(200.0)
    assert swept.header.assumptions == ()
    row = read(planar([view], "WHOLE BODY", ScanVelocity=2.0))
    assert row.view_duration_s[0] == pytest.approx(1.5)
    assert "dwell" in row.header.assumptions[0]
    still = read(planar([view], "WHOLE BODY"))
    assert still.view_duration_s[0] == pytest.approx(240.0)
    assert "Scan Velocity" in still.header.assumptions[0]


def test_frames_that_cannot_be_told_apart_are_refused() -> None:
    dataset = planar([{}, {}])
    del dataset.DetectorVector
    with pytest.raises(InputError, match="Detector Vector"):
        nm_acquisition(dataset, [])
    with pytest.raises(InputError, match="gates or time frames"):
        nm_acquisition(planar([{}, {}], TimeSlotVector=[1, 2]), [])
