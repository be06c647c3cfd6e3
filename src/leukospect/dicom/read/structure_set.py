"""DICOM RT Structure Set: the closed planar contours of each region of interest as drawn regions."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydicom.datadict import tag_for_keyword
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset

from leukospect.dicom.elements import items, named, number, numbers, text
from leukospect.dicom.read.limits import LARGEST_HEADER
from leukospect.errors import AssumptionWarning, GeometryError, InputError, LeukospectError
from leukospect.quantification.contours import (
    Contour,
    contour_normal,
    contours_to_masks,
    overlap_in_a_plane,
    plane_steps_mm,
    smallest_step_mm,
)
from leukospect.quantification.drawn import DrawnRegion, DrawnRegions

_CLOSED = ("CLOSED_PLANAR", "CLOSEDPLANAR_XOR")
_TWICE = 1.5


@dataclass(frozen=True, slots=True, eq=False)
class _Roi:
    """A region of interest: number, name, its contours, and the thickness that the file gives them, mm."""

    number: int
    name: str
    contours: Sequence[Contour]
    thickness_mm: float | None


def read_structures(dataset: Dataset) -> DrawnRegions:
    """Read the regions of interest of an RT Structure Set; those of points or open lines are told as not drawn.

    Contours of one plane are combined by exclusive or, so that an inner one is a hole. A region's contours are as thick
    as the smallest step between its planes; of one in a single plane, as that of the others, or as the file says.

    Raises
    ------
    InputError
        A part that it needs is missing or contradicts another.
    GeometryError
        Contours are not flat or not parallel, or nothing tells how thick a plane is.

    Warns
    -----
    AssumptionWarning
        Closed contours overlap in one plane, or planes are left out.
    """
    described = _described(dataset)
    frames = {frame for _, frame in described.values() if frame} or set(_frames_of_reference(dataset))
    if len(frames) != 1:
        raise InputError(
            f"The structures are drawn in {len(frames)} frames of reference; one is needed to tell where they lie."
            if frames
            else f"{named('FrameOfReferenceUID')} is missing, so nothing tells where the structures lie."
        )
    sequence = items(dataset, "ROIContourSequence", longest=LARGEST_HEADER)
    if not sequence:
        raise InputError(f"{named('ROIContourSequence')} is missing or empty; the file holds no contours.")
    drawn: dict[int, Dataset] = {}
    for item in sequence:
        number_of = number(item, "ReferencedROINumber")
        if number_of is None or int(number_of) not in described:
            raise InputError(
                f"{named('ReferencedROINumber')} of a contour is none of those that "
                f"{named('StructureSetROISequence')} describes."
            )
        drawn[int(number_of)] = item
    rois = [_roi(one, name, drawn.get(one, Dataset())) for one, (name, _) in described.items()]
    steps = [step for roi in rois if roi.contours and (step := smallest_step_mm(roi.contours)) is not None]
    regions = [_region(roi, min(steps, default=None)) for roi in rois]
    return DrawnRegions("ROI", frames.pop(), regions, frozenset(_series(dataset)))


def _described(dataset: Dataset) -> dict[int, tuple[str, str]]:
    """Give name and frame of reference of each region of interest by its number."""
    found: dict[int, tuple[str, str]] = {}
    for item in items(dataset, "StructureSetROISequence", longest=LARGEST_HEADER):
        number_of = number(item, "ROINumber")
        if number_of is None or number_of != round(number_of):
            raise InputError(f"A region of interest has no {named('ROINumber')}.")
        if int(number_of) in found:
            raise InputError(f"Two regions of interest have the {named('ROINumber')} {number_of:g}.")
        name = text(item, "ROIName") or f"ROI {number_of:g}"
        found[int(number_of)] = name, text(item, "ReferencedFrameOfReferenceUID")
    if not found:
        raise InputError(f"{named('StructureSetROISequence')} is missing or empty, so nothing tells what was drawn.")
    return found


def _frames_of_reference(dataset: Dataset) -> list[str]:
    referenced = items(dataset, "ReferencedFrameOfReferenceSequence", longest=LARGEST_HEADER)
    found = [text(one, "FrameOfReferenceUID") for one in (*referenced, dataset)]
    return [one for one in found if one][:1]


def _series(dataset: Dataset) -> set[str]:
    return {
        uid
        for frame in items(dataset, "ReferencedFrameOfReferenceSequence", longest=LARGEST_HEADER)
        for study in items(frame, "RTReferencedStudySequence", longest=LARGEST_HEADER)
        for series in items(study, "RTReferencedSeriesSequence", longest=LARGEST_HEADER)
        if (uid := text(series, "SeriesInstanceUID"))
    }


def _roi(number_of: int, name: str, item: Dataset) -> _Roi:
    contours = []
    planes = next(iter(items(item, "SourcePixelPlanesCharacteristicsSequence")), Dataset())
    told = number(planes, "SpacingBetweenSlices")
    for one in items(item, "ContourSequence", longest=LARGEST_HEADER):
        told = told or number(one, "ContourSlabThickness")
        sort = text(one, "ContourGeometricType").upper()
        if sort in ("POINT", "OPEN_PLANAR", "OPEN_NONPLANAR"):
            continue
        if sort not in _CLOSED:
            raise InputError(f"ROI '{name}': {named('ContourGeometricType')} of a contour is missing or unknown.")
        if any(numbers(one, "ContourOffsetVector")):
            raise InputError(f"ROI '{name}': contours with a {named('ContourOffsetVector')} are not read.")
        contours.append(_points(name, one))
    for contour in contours:
        try:
            contour_normal(contour)
        except LeukospectError as error:
            raise type(error)(f"ROI '{name}': {error}") from error
    return _Roi(number_of, name, contours, told if told is not None and told > 0 else None)


def _points(name: str, item: Dataset) -> NDArray[np.float64]:
    """Read the corners of a contour, (points, 3); the first, told again at the end, is left out."""
    try:
        values = _contour_data(item)
    except InputError as error:
        raise InputError(f"ROI '{name}': {error}") from error
    if values.size == 0 or values.size % 3:
        raise InputError(
            f"ROI '{name}': {named('ContourData')} of a contour has {values.size} numbers; it needs three a point."
        )
    points = values.reshape(-1, 3)
    told = number(item, "NumberOfContourPoints")
    if told is not None and told != len(points):
        raise InputError(
            f"ROI '{name}': a contour has {len(points)} points where {named('NumberOfContourPoints')} is {told:g}."
        )
    return points[:-1] if len(points) > 3 and np.array_equal(points[0], points[-1]) else points


def _contour_data(item: Dataset) -> NDArray[np.float64]:
    """Give the numbers of Contour Data; from its text at once where it was not decoded yet, as there are many."""
    tag = tag_for_keyword("ContourData")
    raw = None if tag is None else item.get_item(tag, keep_deferred=True)
    if not isinstance(raw, RawDataElement) or not isinstance(raw.value, bytes):
        return np.array(numbers(item, "ContourData"), dtype=np.float64)
    words = raw.value.decode("ascii", "replace").strip(" \0")
    try:
        values = np.array(words.split("\\") if words else [], dtype=np.float64)
    except ValueError:
        raise InputError(f"{named('ContourData')} holds something that is not a number.") from None
    if not np.all(np.isfinite(values)):
        raise InputError(f"{named('ContourData')} holds something that is not a finite number.")
    return values


def _region(roi: _Roi, common_step_mm: float | None) -> DrawnRegion:
    if not roi.contours:
        return DrawnRegion(roi.number, roi.name, None)
    try:
        own = smallest_step_mm(roi.contours)
        spacing = own or roi.thickness_mm or common_step_mm
        if spacing is None:
            raise GeometryError("it is drawn in one plane, and nothing in the file tells how thick that is.")
        drawn = contours_to_masks(roi.contours, spacing)
    except LeukospectError as error:
        raise type(error)(f"ROI '{roi.name}': {error}") from error
    _say_what_is_taken(roi, spacing, common_step_mm or spacing)
    return DrawnRegion(roi.number, roi.name, drawn)


def _say_what_is_taken(roi: _Roi, spacing_mm: float, common_step_mm: float) -> None:
    gaps = int(np.count_nonzero(plane_steps_mm(roi.contours) >= _TWICE * spacing_mm))
    if gaps:
        _say(f"The contours of '{roi.name}' leave planes out in {gaps} places; nothing is taken as drawn there.")
    if spacing_mm >= _TWICE * common_step_mm:
        _say(
            f"'{roi.name}' is drawn every {spacing_mm:g} mm and others every {common_step_mm:g} mm; each of its "
            f"contours is taken as {spacing_mm:g} mm thick."
        )
    if overlap_in_a_plane(roi.contours):
        _say(f"Where contours of '{roi.name}' lie in one another in a plane, the inner one is taken as a hole.")


def _say(sentence: str) -> None:
    warnings.warn(sentence, AssumptionWarning, stacklevel=5)
