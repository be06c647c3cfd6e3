"""DICOM Segmentation: each segment's frames, wherever and in whatever order they are stored, as drawn regions."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from leukospect.dicom.elements import items, named, number, numbers, text
from leukospect.dicom.read.compressed import is_compressed
from leukospect.dicom.read.limits import LARGEST_HEADER, PixelLayout, pixel_layout
from leukospect.dicom.read.orientation import orientation_cosines
from leukospect.dicom.read.pixels import pixel_spacing_mm, pixel_values
from leukospect.errors import AssumptionWarning, GeometryError, InputError
from leukospect.quantification.drawn import DrawnRegion, DrawnRegions
from leukospect.quantification.mask_stack import MaskStack, spacing_of, stack_planes

_SAME_ORIENTATION = 1e-3
_HALF = 0.5


@dataclass(frozen=True, slots=True, eq=False)
class _Frames:
    """Where the frames lie: (frames, 3) first pixels, axes as in `MaskStack`, mm; and the segment of each."""

    first_mm: NDArray[np.float64]
    axes: NDArray[np.float64]
    pixel_mm: tuple[float, float]
    spacing_mm: float
    segments: NDArray[np.int64]


def read_segments(dataset: Dataset) -> DrawnRegions:
    """Read the segments of a Segmentation (binary, fractional) or a Label Map Segmentation, with its pixels.

    Raises
    ------
    InputError
        A part that it needs is missing or contradicts another.
    GeometryError
        The place of a frame is missing, or the frames are not parallel.

    Warns
    -----
    AssumptionWarning
        The segmentation is fractional: what counts as inside.
    """
    sort = text(dataset, "SegmentationType").upper()
    if sort not in ("BINARY", "FRACTIONAL", "LABELMAP"):
        raise InputError(f"{named('SegmentationType')} is none of BINARY, FRACTIONAL and LABELMAP.")
    frame_of_reference = text(dataset, "FrameOfReferenceUID")
    if not frame_of_reference:
        raise InputError(f"{named('FrameOfReferenceUID')} is missing, so nothing tells where the segments lie.")
    named_segments = _segments(dataset)
    layout = pixel_layout(dataset)
    frames = _frames(dataset, layout.frames, by_frame=sort != "LABELMAP")
    planes: dict[int, list[tuple[int, NDArray[np.bool_]]]] = {number_of: [] for number_of in named_segments}
    for index, values in enumerate(_frame_values(dataset, layout, sort)):
        if sort == "LABELMAP":
            for found in np.unique(values[values > 0]):
                _planes_of(planes, int(found)).append((index, values == found))
        else:
            _planes_of(planes, int(frames.segments[index])).append((index, values > 0))
    regions = [DrawnRegion(one, name, _stack(planes[one], frames)) for one, name in named_segments.items()]
    series = {text(item, "SeriesInstanceUID") for item in items(dataset, "ReferencedSeriesSequence")} - {""}
    return DrawnRegions("segment", frame_of_reference, regions, frozenset(series))


def _segments(dataset: Dataset) -> dict[int, str]:
    found: dict[int, str] = {}
    for item in items(dataset, "SegmentSequence", longest=LARGEST_HEADER):
        number_of = number(item, "SegmentNumber")
        if number_of is None or number_of != round(number_of) or number_of < 0:
            raise InputError(f"A segment has no {named('SegmentNumber')}.")
        if int(number_of) in found:
            raise InputError(f"Two segments have the {named('SegmentNumber')} {number_of:g}.")
        if number_of > 0:  # of a label map 0 may be described too: the background
            found[int(number_of)] = text(item, "SegmentLabel") or f"segment {number_of:g}"
    if not found:
        raise InputError(f"{named('SegmentSequence')} is missing or empty, so nothing tells what was drawn.")
    return found


def _planes_of(
    planes: dict[int, list[tuple[int, NDArray[np.bool_]]]], segment: int
) -> list[tuple[int, NDArray[np.bool_]]]:
    if segment not in planes:
        raise InputError(f"A frame is of segment {segment}, which {named('SegmentSequence')} does not describe.")
    return planes[segment]


def _stack(planes: Sequence[tuple[int, NDArray[np.bool_]]], frames: _Frames) -> MaskStack | None:
    drawn = [(index, mask) for index, mask in planes if np.any(mask)]
    if not drawn:
        return None
    first = [frames.first_mm[index] for index, _ in drawn]
    return stack_planes([mask for _, mask in drawn], first, frames.axes, frames.pixel_mm, frames.spacing_mm)


def _frame_values(
    dataset: Dataset, layout: PixelLayout, sort: str
) -> Iterator[NDArray[np.float32] | NDArray[np.bool_]]:
    """Give the frames one after another: above 0 is inside, of a label map the segment's number."""
    if layout.bits == 1:
        if sort != "BINARY":
            raise InputError(f"{named('BitsAllocated')} is 1, which only a binary segmentation has.")
        yield from _bit_frames(dataset, layout)
        return
    values = pixel_values(dataset)
    if sort == "FRACTIONAL":
        whole = number(dataset, "MaximumFractionalValue")
        if whole is None or whole <= 0:
            raise InputError(f"{named('MaximumFractionalValue')} is missing, so the fractions are not known.")
        sense = text(dataset, "SegmentationFractionalType").lower() or "fraction"
        warnings.warn(
            f"The segmentation is fractional; where the {sense} is at least a half belongs to the segment.",
            AssumptionWarning,
            stacklevel=4,
        )
        values = np.where(values >= _HALF * whole, np.float32(1.0), np.float32(0.0))
    yield from values


def _bit_frames(dataset: Dataset, layout: PixelLayout) -> Iterator[NDArray[np.bool_]]:
    """Unpack frames of one bit a pixel, the lowest bit first; a frame need not begin with a byte."""
    if is_compressed(dataset):
        raise InputError("A compressed binary segmentation is not read; export it uncompressed.")
    if "PixelData" not in dataset:
        raise InputError("The file holds no pixel data.")
    data = np.frombuffer(dataset.PixelData, dtype=np.uint8)
    size = layout.rows * layout.columns
    if data.size < layout.total_bytes:
        raise InputError("The pixel data are shorter than the frames that are announced; the file is cut off.")
    for frame in range(layout.frames):
        start = frame * size
        bits = np.unpackbits(data[start // 8 : (start + size + 7) // 8], bitorder="little")
        yield bits[start % 8 : start % 8 + size].reshape(layout.rows, layout.columns).astype(np.bool_)


def _frames(dataset: Dataset, number_of_frames: int, *, by_frame: bool) -> _Frames:
    """Read where each frame lies and which segment it is of, from its own functional groups or the shared ones."""
    shared = next(iter(items(dataset, "SharedFunctionalGroupsSequence", longest=LARGEST_HEADER)), Dataset())
    own = items(dataset, "PerFrameFunctionalGroupsSequence", longest=LARGEST_HEADER)
    if len(own) != number_of_frames:
        raise InputError(
            f"{named('PerFrameFunctionalGroupsSequence')} describes {len(own)} frames where "
            f"{named('NumberOfFrames')} is {number_of_frames}."
        )
    positions, segments = [], []
    for index, frame in enumerate(own, start=1):
        place = numbers(_group(frame, shared, "PlanePositionSequence"), "ImagePositionPatient")
        if len(place) != 3:
            raise GeometryError(f"Frame {index} has no {named('ImagePositionPatient')} of three numbers.")
        positions.append(place)
        segment = number(_group(frame, shared, "SegmentIdentificationSequence"), "ReferencedSegmentNumber")
        if segment is None and by_frame:
            raise InputError(f"Frame {index} has no {named('ReferencedSegmentNumber')}, so its segment is not known.")
        segments.append(int(segment or 0))
    axes = _axes(shared, own)
    measures = {_measures(_group(frame, shared, "PixelMeasuresSequence")) for frame in own}
    if len(measures) > 1:
        raise GeometryError(f"{named('PixelMeasuresSequence')} differs between frames.")
    (rows_mm, columns_mm, between_mm, thickness_mm) = measures.pop()
    first = np.array(positions)
    spacing = between_mm or spacing_of(np.sort(first @ axes[0]), thickness_mm)
    if not spacing:
        raise GeometryError(
            f"{named('SpacingBetweenSlices')} and {named('SliceThickness')} are missing, so the thickness of the "
            "frames is not known."
        )
    return _Frames(first, axes, (rows_mm, columns_mm), spacing, np.array(segments))


def _group(frame: Dataset, shared: Dataset, keyword: str) -> Dataset:
    """Give the item of a functional group: the frame's own, else the shared one, else an empty one."""
    return next(iter(items(frame, keyword) or items(shared, keyword)), Dataset())


def _axes(shared: Dataset, own: Sequence[Dataset]) -> NDArray[np.float64]:
    first: NDArray[np.float64] | None = None
    for frame in own:
        cosines = orientation_cosines(_group(frame, shared, "PlaneOrientationSequence"))
        if cosines is None:
            raise GeometryError(f"A frame has no {named('ImageOrientationPatient')}.")
        if first is None:
            first = cosines
        elif np.abs(cosines - first).max() > _SAME_ORIENTATION:
            raise GeometryError("The frames are not parallel to each other.")
    if first is None:
        raise InputError(f"{named('PerFrameFunctionalGroupsSequence')} is missing or empty.")
    column = first[:3] / np.linalg.norm(first[:3])
    row = first[3:] - (first[3:] @ column) * column
    row /= np.linalg.norm(row)
    return np.stack((np.cross(column, row), row, column))


def _measures(group: Dataset) -> tuple[float, float, float | None, float | None]:
    """Read spacing of rows and columns, spacing between slices and slice thickness, mm; the latter if positive."""
    rows, columns = pixel_spacing_mm(group)
    between, thickness = number(group, "SpacingBetweenSlices"), number(group, "SliceThickness")
    positive = [value if value is not None and value > 0 else None for value in (between, thickness)]
    return rows, columns, positive[0], positive[1]
