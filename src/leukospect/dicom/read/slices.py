"""A stack of single-slice images to a volume: sorted along the normal, evenly spaced, at right angles."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from leukospect.data import Geometry
from leukospect.dicom.elements import count, named, number, numbers, text
from leukospect.dicom.read.orientation import orientation_cosines
from leukospect.dicom.read.pixels import pixel_spacing_mm, pixel_values
from leukospect.errors import GeometryError, InputError

_SAME_PLACE_MM = 0.01
_UNEVEN = 0.02  # of the spacing; positions are often rounded to a hundredth of a millimetre


def volume_geometry(
    first_voxel_mm: NDArray[np.float64],
    orientation: NDArray[np.float64],
    pixel_mm: tuple[float, float],
    slice_step_mm: NDArray[np.float64],
    shape: tuple[int, int, int],
    frame_of_reference_uid: str | None,
) -> Geometry:
    """Place a volume: columns along the first three cosines, rows along the last three, slices by `slice_step_mm`."""
    affine = np.eye(4)
    affine[:3, 0] = slice_step_mm
    affine[:3, 1] = orientation[3:] * pixel_mm[0]
    affine[:3, 2] = orientation[:3] * pixel_mm[1]
    affine[:3, 3] = first_voxel_mm
    return Geometry(shape, affine, frame_of_reference_uid)


def normal_of(orientation: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give the normal of a slice from its six cosines."""
    return np.cross(orientation[:3], orientation[3:])


def stack_slices(slices: Sequence[Dataset], assumptions: list[str]) -> tuple[NDArray[np.float32], Geometry]:
    """Sort slices by their place and make a volume of them.

    Parameters
    ----------
    slices : sequence of Dataset
        All of one series, in any order.
    assumptions : list of str
        What had to be assumed is added to it.

    Returns
    -------
    (slices, rows, columns) float32 array, rescaled, and its Geometry
        Slices ascend along the normal: to the head for a patient lying head first.

    Raises
    ------
    GeometryError
        A slice is missing or is there twice, the spacing varies, or the gantry was tilted.
    InputError
        Slices differ in size or orientation.
    """
    orientation, positions = _places(slices)
    normal = normal_of(orientation)
    order = np.argsort(positions @ normal, kind="stable")
    slices, positions = [slices[index] for index in order], positions[order]
    step = _slice_step_mm(slices[0], positions, normal, assumptions)
    array = np.concatenate([pixel_values(one) for one in slices])
    if array.shape[0] != len(slices):
        raise InputError("A slice of the series holds several frames; multi-frame CT and PET are not read.")
    geometry = volume_geometry(
        positions[0],
        orientation,
        pixel_spacing_mm(slices[0]),
        step,
        (array.shape[0], array.shape[1], array.shape[2]),
        text(slices[0], "FrameOfReferenceUID") or None,
    )
    return array, geometry


def _places(slices: Sequence[Dataset]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Give the common orientation and each slice's position, refusing what does not belong together."""
    first = slices[0]
    spacing = pixel_spacing_mm(first)
    size = (count(first, "Rows"), count(first, "Columns"))
    orientations, positions = [], []
    for one in slices:
        orientation = orientation_cosines(one)
        position = numbers(one, "ImagePositionPatient")
        if orientation is None or len(position) != 3:
            raise GeometryError(
                f"{named('ImagePositionPatient')} or {named('ImageOrientationPatient')} is missing in a slice."
            )
        if (count(one, "Rows"), count(one, "Columns")) != size or not np.allclose(pixel_spacing_mm(one), spacing, 1e-4):
            raise InputError("The slices of the series differ in matrix or pixel spacing; they are not one volume.")
        if abs(number(one, "GantryDetectorTilt") or 0.0) > 0.1:
            raise GeometryError("The gantry was tilted; resample the CT to upright slices before giving it.")
        orientations.append(orientation)
        positions.append(position)
    if np.ptp(np.array(orientations), axis=0).max() > 1e-3:
        raise InputError(
            "The slices of the series differ in orientation (a localizer among them?); they are not one volume."
        )
    return orientations[0], np.array(positions)


def _slice_step_mm(
    first: Dataset, positions: NDArray[np.float64], normal: NDArray[np.float64], assumptions: list[str]
) -> NDArray[np.float64]:
    if len(positions) == 1:
        thickness = number(first, "SliceThickness")
        if thickness is None or thickness <= 0:
            raise GeometryError("The series has one slice without a thickness; it is no volume.")
        assumptions.append("The series has one slice; its thickness is taken as the spacing.")
        return normal * thickness
    steps = np.diff(positions @ normal)
    spacing = float(np.median(steps))
    twice = int(np.count_nonzero(steps < _SAME_PLACE_MM))
    if twice:
        raise GeometryError(
            f"{twice} of {len(positions)} slices lie where another one lies; give one reconstruction, each slice once."
        )
    wide = steps > 1.5 * spacing
    if np.any(wide):
        missing = int(np.sum(np.round(steps[wide] / spacing) - 1))
        raise GeometryError(f"{missing} slices are missing: most are {spacing:g} mm apart, some {steps.max():g} mm.")
    if np.abs(steps - spacing).max() > max(_SAME_PLACE_MM, _UNEVEN * spacing):
        raise GeometryError(
            f"The slices are unevenly spaced, {steps.min():g} to {steps.max():g} mm; resample them first."
        )
    step: NDArray[np.float64] = (positions[-1] - positions[0]) / (len(positions) - 1)
    aside = float(np.linalg.norm(step - normal * (step @ normal)))
    if aside > 0.01 * spacing:
        raise GeometryError(
            "The slices are shifted sideways from one to the next (a tilted gantry); resample them first."
        )
    return normal * (step @ normal)
