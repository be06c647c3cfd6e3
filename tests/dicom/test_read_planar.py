"""Planar views: their names, places, times, and which way up they are."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pydicom.dataset import FileDataset
from pydicom.sequence import Sequence

from leukospect.data import PlanarImages
from leukospect.dicom.read.nm import nm_acquisition
from leukospect.dicom.read.pairs import paired_views
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


def in_frames(kind: str, frames: int, **elements: Any) -> FileDataset:
    """One head, one window, several gates or time frames; frame f holds f + 1 counts in every pixel."""
    pixels = np.ones((frames, 6, 8), np.uint16) * np.arange(1, frames + 1, dtype=np.uint16)[:, None, None]
    made = nm_dataset(kind, pixels, (3.0, 2.0))
    made.NumberOfDetectors = 1
    made.DetectorVector = made.EnergyWindowVector = [1] * frames
    for keyword, value in elements.items():
        setattr(made, keyword, value)
    return made


def test_frames_of_a_dynamic_acquisition_add_up_with_their_times() -> None:
    """Two phases: 2 frames of 5 s, then 3 of 10 s."""
    phases = Sequence([item(ActualFrameDuration=5000, NumberOfFramesInPhase=2),
                       item(ActualFrameDuration=10000, NumberOfFramesInPhase=3)])  # fmt: skip
    made = read(
        in_frames("DYNAMIC", 5, PhaseVector=[1, 1, 2, 2, 2], TimeSliceVector=[1, 2, 1, 2, 3],
                  NumberOfPhases=2, PhaseInformationSequence=phases)
    )  # fmt: skip
    assert (made.header.kind, made.summed_frames) == ("DYNAMIC", 5)
    np.testing.assert_array_equal(made.counts, np.full((1, 1, 6, 8), 15.0, np.float32))
    assert made.view_duration_s[0] == pytest.approx(40.0)


def test_a_patient_who_moves_between_time_frames_is_told() -> None:
    blob = 400.0 * np.exp(-((np.arange(6)[:, None] - 2) ** 2) - (np.arange(8)[None, :] - 3) ** 2)
    still = np.random.default_rng(1).poisson(blob, (8, 6, 8)).astype(np.uint16)
    moved = still.copy()
    moved[5:] = np.roll(still[5:], 2, axis=1)
    told = []
    for pixels in (still, moved):
        made = in_frames("DYNAMIC", 8, TimeSliceVector=list(range(1, 9)), PhaseVector=[1] * 8)
        made.PixelData = pixels.tobytes()
        told.append([one for one in read(made).header.assumptions if "moved" in one])
    assert told[0] == []
    assert [one.startswith("Detector 1: From frame 6 of 8 on") for one in told[1]] == [True]


def test_gates_of_a_planar_acquisition_add_up_with_their_times() -> None:
    """8 gates of 50 ms, open for 300 beats."""
    gates = Sequence([item(DataInformationSequence=Sequence([item(FrameTime=50, IntervalsAcquired=300)]))])
    made = read(in_frames("GATED", 8, TimeSlotVector=list(range(1, 9)), GatedInformationSequence=gates))
    assert (made.header.kind, made.summed_frames) == ("GATED", 8)
    assert made.view_duration_s[0] == pytest.approx(8 * 0.050 * 300)
    assert made.counts.max() == made.counts.min() == 36


def test_windows_of_one_view_in_two_files_are_one_acquisition() -> None:
    whole = planar([{}], windows=2, SeriesDescription="Anterior")
    parts = []
    for window in range(2):
        part = planar([{}], SeriesDescription="Anterior")
        part.EnergyWindowInformationSequence = Sequence([whole.EnergyWindowInformationSequence[window]])
        part.PixelData = PIXELS[window].tobytes()
        parts.append(read(part))
    (joined,) = paired_views(parts)
    assert isinstance(joined, PlanarImages)
    np.testing.assert_array_equal(joined.counts, read(whole).counts)
    assert joined.energy_windows == read(whole).energy_windows
    assert len(paired_views([parts[0], parts[0]])) == 2
