"""One acquisition in several files, one head or one energy window each, and what only looks like it."""

from __future__ import annotations

import warnings
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom.dataset import Dataset, FileDataset
from pydicom.sequence import Sequence
from pydicom.uid import generate_uid

from leukospect.data import Projections
from leukospect.dicom.read.nm import nm_acquisition
from leukospect.dicom.read.study import read_projections, read_study
from leukospect.errors import AssumptionWarning, InputError
from tests.dicom.acquisitions import VECTORS, Tomo, save, set_pixels

TWO_HEADS = Tomo(
    start_angles_deg=(200.0, 20.0), direction="CW", windows=3, axis_mm=(11.0, -6.0),
    frame_order=("view", "head", "window"),
)  # fmt: skip


def with_frames(dataset: FileDataset, **numbers: int) -> FileDataset:
    """Keep only the frames whose vectors have these numbers, in a file of its own."""
    part = deepcopy(dataset)
    vectors = {name: np.array(getattr(dataset, keyword)) for name, keyword in VECTORS.items()}
    kept = np.all([vectors[name] == number for name, number in numbers.items()], axis=0)
    part.SOPInstanceUID = part.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    part.SeriesInstanceUID = generate_uid()
    for name, keyword in VECTORS.items():
        setattr(part, keyword, [int(value) for value in vectors[name][kept]])
    set_pixels(part, dataset.pixel_array[kept])
    return part


def alone(part: FileDataset, head: int | None = None, window: int | None = None) -> FileDataset:
    """Let a file describe only the head or window that it holds, counted as number 1."""
    if head is not None:
        item = part.DetectorInformationSequence[head]
        part.DetectorInformationSequence, part.NumberOfDetectors = Sequence([item]), 1
        part.DetectorVector = [1] * part.NumberOfFrames
    if window is not None:
        part.EnergyWindowInformationSequence = Sequence([part.EnergyWindowInformationSequence[window]])
        part.NumberOfEnergyWindows, part.EnergyWindowVector = 1, [1] * part.NumberOfFrames
    return part


def read(folder: Path) -> Projections:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AssumptionWarning)
        return read_projections(folder)


def by_angle_and_window(found: Projections) -> dict[tuple[float, tuple[tuple[float, float], ...]], bytes]:
    """Counts of each view and window, whatever their order."""
    return {
        (round(float(angle) % 360.0, 6), window.ranges_kev): found.counts[w, v].tobytes()
        for w, window in enumerate(found.energy_windows)
        for v, angle in enumerate(found.orbit.angles_deg)
    }


def assert_whole(found: Projections) -> None:
    whole = nm_acquisition(TWO_HEADS.dataset(), [])
    assert isinstance(whole, Projections)
    assert found.counts.shape == whole.counts.shape
    assert by_angle_and_window(found) == by_angle_and_window(whole)
    np.testing.assert_allclose(found.axis_mm, TWO_HEADS.axis_mm, atol=1e-6)
    assert found.first_row_z_mm == pytest.approx(TWO_HEADS.first_row_z_mm)
    assert sorted(found.view_start_s) == sorted(whole.view_start_s)


@pytest.mark.parametrize("renumbered", [True, False])
def test_one_file_a_head(tmp_path: Path, renumbered: bool) -> None:
    dataset = TWO_HEADS.dataset()
    parts = [with_frames(dataset, head=head + 1) for head in (0, 1)]
    if renumbered:
        parts = [alone(part, head=head) for head, part in enumerate(parts)]
    assert_whole(read(save(tmp_path / "study", *parts)))


@pytest.mark.parametrize("renumbered", [True, False])
def test_one_file_a_window(tmp_path: Path, renumbered: bool) -> None:
    dataset = TWO_HEADS.dataset()
    parts = [with_frames(dataset, window=window + 1) for window in range(3)]
    if renumbered:
        parts = [alone(part, window=window) for window, part in enumerate(parts)]
    assert_whole(read(save(tmp_path / "study", *parts)))


def test_one_file_a_head_and_window_in_any_order(tmp_path: Path) -> None:
    dataset = TWO_HEADS.dataset()
    parts = [
        alone(with_frames(dataset, window=window + 1, head=head + 1), head, window)
        for window, head in ((2, 1), (0, 0), (1, 1), (2, 0), (0, 1), (1, 0))
    ]
    found = read(save(tmp_path / "study", *parts))
    assert_whole(found)
    assert any("stored in 6 files" in sentence for sentence in found.header.assumptions)
    assert len(found.header.sources) == 6


def test_a_head_of_a_file_whose_start_angle_stands_in_its_rotation(tmp_path: Path) -> None:
    """Each head's file tells its own start in the rotation, as the standard has it."""
    dataset = TWO_HEADS.dataset()
    parts = [alone(with_frames(dataset, head=head + 1), head=head) for head in (0, 1)]
    for head, part in enumerate(parts):
        del part.DetectorInformationSequence[0].StartAngle
        part.RotationInformationSequence[0].StartAngle = TWO_HEADS.start_angles_deg[head]
    assert_whole(read(save(tmp_path / "study", *parts)))


def test_a_position_at_the_top_of_a_file_of_one_head_counts(tmp_path: Path) -> None:
    part = alone(with_frames(TWO_HEADS.dataset(), head=1), head=0)
    item = part.DetectorInformationSequence[0]
    for keyword in ("ImagePositionPatient", "ImageOrientationPatient"):
        setattr(part, keyword, getattr(item, keyword))
        delattr(item, keyword)
    found = read(save(tmp_path / "study", part))
    assert found.first_row_z_mm == pytest.approx(TWO_HEADS.first_row_z_mm)


def other_time(part: FileDataset) -> None:
    part.AcquisitionTime = "160000"


def other_study(part: FileDataset) -> None:
    part.StudyInstanceUID = "1.2.3.99"


def other_pixels(part: FileDataset) -> None:
    part.PixelSpacing = [5.0, 4.1]


def other_height(part: FileDataset) -> None:
    x, y, z = part.DetectorInformationSequence[0].ImagePositionPatient
    part.DetectorInformationSequence[0].ImagePositionPatient = [x, y, z - 200.0]


def same_angles(part: FileDataset) -> None:
    part.DetectorInformationSequence[0].StartAngle = TWO_HEADS.start_angles_deg[0]
    del part.DetectorInformationSequence[0].ImageOrientationPatient


def other_corrections(part: FileDataset) -> None:
    part.CorrectedImage = ["COR", "UNIF"]


@pytest.mark.parametrize(
    "change", [other_time, other_study, other_pixels, other_height, same_angles, other_corrections]
)
def test_what_does_not_belong_together_stays_apart(tmp_path: Path, change: Any) -> None:
    dataset = TWO_HEADS.dataset()
    parts = [alone(with_frames(dataset, head=head + 1), head=head) for head in (0, 1)]
    change(parts[1])
    folder = save(tmp_path / "study", *parts)
    with pytest.raises(InputError, match="2 SPECT acquisitions were found"):
        read_projections(folder)
    assert len(read_study(folder).projections) == 2


def test_windows_whose_heads_have_other_offsets_stay_apart(tmp_path: Path) -> None:
    parts = [alone(with_frames(TWO_HEADS.dataset(), window=window + 1), window=window) for window in (0, 1)]
    parts[1].DetectorInformationSequence[0].CenterOfRotationOffset = 4.0
    with pytest.raises(InputError, match="2 SPECT acquisitions were found"):
        read_projections(save(tmp_path / "study", *parts))


def test_a_copy_counts_once_and_another_file_of_the_same_identity_is_refused(tmp_path: Path) -> None:
    dataset = TWO_HEADS.dataset()
    assert_whole(read(save(tmp_path / "copies", dataset, dataset)))
    other = deepcopy(dataset)
    set_pixels(other, dataset.pixel_array[::-1])
    folder = save(tmp_path / "impostors", dataset, other)
    with pytest.raises(InputError, match="claim to be one object"):
        read_projections(folder)
    with pytest.raises(InputError, match="claim to be one object"):
        read_study(folder)


def test_a_file_of_one_head_says_so(tmp_path: Path) -> None:
    found = read(save(tmp_path / "study", with_frames(TWO_HEADS.dataset(), head=2)))
    assert found.orbit.angles_deg[0] == pytest.approx(20.0)
    assert any("Of 2 heads" in sentence for sentence in found.header.assumptions)


def gated(slots: int) -> tuple[FileDataset, np.ndarray[Any, np.dtype[np.uint16]]]:
    """A gated acquisition, gates outermost, gate g with g + 1 times the counts of the first."""
    dataset = Tomo(start_angles_deg=(180.0, 0.0), windows=1).dataset()
    once = dataset.pixel_array
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "GATED TOMO", "EMISSION"]
    for keyword in VECTORS.values():
        setattr(dataset, keyword, list(getattr(dataset, keyword)) * slots)
    dataset.TimeSlotVector = [slot + 1 for slot in range(slots) for _ in range(once.shape[0])]
    set_pixels(dataset, np.concatenate([once * (slot + 1) for slot in range(slots)]))
    return dataset, once


def test_gates_of_a_view_add_up() -> None:
    dataset, once = gated(3)
    found = nm_acquisition(dataset, [])
    assert isinstance(found, Projections)
    assert (found.summed_frames, found.header.kind) == (3, "GATED TOMO")
    np.testing.assert_array_equal(found.counts[0], once.astype(np.float32) * 6)


def radii_item(radius_mm: float) -> Dataset:
    made = Dataset()
    made.private_block(0x0011, "GEMS_GENIE_1", create=True).add_new(0x19, "FD", radius_mm)
    return made


def with_private_radii(dataset: FileDataset, radii_mm: list[float]) -> FileDataset:
    block = dataset.private_block(0x0055, "GEMS_GENIE_1", create=True)
    block.add_new(0x65, "SQ", Sequence([radii_item(radius) for radius in radii_mm]))
    return dataset


@pytest.mark.parametrize("radii_mm", [None, (250.0,)])
def test_private_radii_are_taken_for_the_frame_they_stand_at(
    tmp_path: Path, radii_mm: tuple[float, ...] | None
) -> None:
    tomo = Tomo(start_angles_deg=(200.0, 20.0), frame_order=("view", "head", "window"), windows=2, radii_mm=radii_mm)
    dataset = tomo.dataset()
    expected = {(head, view): 240.0 + 10 * head + view for head in (0, 1) for view in range(tomo.views)}
    heads, views = dataset.DetectorVector, dataset.AngularViewVector
    frames = [expected[head - 1, view - 1] for head, view in zip(heads, views, strict=True)]
    found = read(save(tmp_path / "study", with_private_radii(dataset, frames)))
    assert found.orbit.radii_mm is not None
    assert not any("not recorded, so the distance" in sentence for sentence in found.header.assumptions)
    np.testing.assert_allclose(found.orbit.radii_mm, [expected[h, v] for h in (0, 1) for v in range(tomo.views)])


def test_private_radii_that_contradict_the_public_ones_are_not_taken() -> None:
    dataset = with_private_radii(Tomo().dataset(), [130.0] * 12)
    assumptions: list[str] = []
    found = nm_acquisition(dataset, assumptions)
    assert isinstance(found, Projections)
    assert found.orbit.radii_mm is not None
    np.testing.assert_allclose(found.orbit.radii_mm, 250.0)
    assert any("private elements are not those" in sentence for sentence in assumptions)


@pytest.mark.parametrize("gantry", ["HFS", "FFS", "HFP", "FFP"])
@pytest.mark.parametrize("anchor", [0, 1])
def test_start_angles_of_heads_follow_from_their_orientation(gantry: str, anchor: int) -> None:
    """Only the rotation has a start angle; it may be that of either head."""
    tomo = Tomo(start_angles_deg=(200.0, 290.0), direction="CW", gantry=gantry, axis_mm=(9.0, 4.0))
    dataset = tomo.dataset()
    recorded = dataset.DetectorInformationSequence[anchor].StartAngle
    for item in dataset.DetectorInformationSequence:
        del item.StartAngle
    dataset.RotationInformationSequence[0].StartAngle = recorded
    assumptions: list[str] = []
    found = nm_acquisition(dataset, assumptions)
    assert isinstance(found, Projections)
    expected = np.concatenate([tomo.angles_deg(0), tomo.angles_deg(1)])
    np.testing.assert_allclose((found.orbit.angles_deg - expected + 180.0) % 360.0, 180.0, atol=1e-6)
    np.testing.assert_array_equal(found.counts[0], tomo.counts()[0].reshape(found.counts[0].shape))
    assert any("recorded once for all heads" in sentence for sentence in assumptions)


def test_a_zoom_that_the_pixels_do_not_show_is_said() -> None:
    dataset = Tomo(shape=(24, 40), pixel_mm=(5.0, 4.0)).dataset()
    dataset.DetectorInformationSequence[0].ZoomFactor = [1.45, 1.45]
    dataset.DetectorInformationSequence[0].FieldOfViewDimensions = [120, 160]
    assumptions: list[str] = []
    nm_acquisition(dataset, assumptions)
    assert any("zoom of 1.45" in sentence for sentence in assumptions)
    zoomed = Tomo(shape=(24, 40), pixel_mm=(5.0, 4.0)).dataset()
    zoomed.DetectorInformationSequence[0].ZoomFactor = [1.45, 1.45]
    zoomed.DetectorInformationSequence[0].FieldOfViewDimensions = [174, 232]
    said: list[str] = []
    nm_acquisition(zoomed, said)
    assert not any("zoom" in sentence for sentence in said)
