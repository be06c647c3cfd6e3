"""A stack of single-slice images to a volume: sorted along the normal, evenly spaced, each place once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from leukospect.data import Geometry
from leukospect.dicom.elements import count, named, number, numbers, text
from leukospect.dicom.read.orientation import orientation_cosines
from leukospect.dicom.read.pixels import pixel_spacing_mm, pixel_values
from leukospect.errors import GeometryError, InputError

SAME_PLACE_MM = 0.01
UNEVEN = 0.02  # of the spacing; positions are often rounded to a hundredth of a millimetre
_ASKEW_MM = 0.1  # the same sideways, where tables are read less finely
_ASIDE_PIXELS = 0.25  # over the whole stack; less is the rounding of the cosines
_SAME_ORIENTATION = 1e-3


@dataclass(frozen=True, slots=True, eq=False)
class Stack:
    """Where the slices of a series lie.

    Parameters
    ----------
    order : tuple of int
        Which of the slices given is slice k; they ascend along the normal.
    shape : (slices, rows, columns)
    first_voxel_mm : (3,) array, LPS
    orientation : (6,) array
        Cosines along the columns, then along the rows.
    pixel_mm : (between rows, between columns)
    step_mm : (3,) array
        From a voxel to its neighbour in the next slice; not along the normal where the gantry was tilted.
    frame_of_reference_uid : str or None
    """

    order: tuple[int, ...]
    shape: tuple[int, int, int]
    first_voxel_mm: NDArray[np.float64]
    orientation: NDArray[np.float64]
    pixel_mm: tuple[float, float]
    step_mm: NDArray[np.float64]
    frame_of_reference_uid: str | None

    @property
    def normal(self) -> NDArray[np.float64]:
        """The slices' unit normal."""
        normal = normal_of(self.orientation)
        return normal / np.linalg.norm(normal)

    @property
    def aside_deg(self) -> float:
        """The angle between the normal and the way from slice to slice: the tilt of the gantry; 0 where it is nothing.

        A deviation of less than a quarter of a pixel over the whole stack is nothing.
        """
        along = float(self.step_mm @ self.normal)
        aside = float(np.linalg.norm(self.step_mm - self.normal * along))
        if aside * max(self.shape[0] - 1, 1) <= _ASIDE_PIXELS * min(self.pixel_mm):
            return 0.0
        return float(np.degrees(np.arctan2(aside, along)))

    def geometry(self) -> Geometry:
        """Give the volume's geometry, the slices taken as stepping along their normal."""
        step = self.normal * (self.step_mm @ self.normal)
        return volume_geometry(
            self.first_voxel_mm, self.orientation, self.pixel_mm, step, self.shape, self.frame_of_reference_uid
        )


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
        All of one series with their pixels, in any order.
    assumptions : list of str
        What had to be assumed is added to it.

    Returns
    -------
    (slices, rows, columns) float32 array, rescaled, and its Geometry
        Slices ascend along the normal: to the head for a patient lying head first.

    Raises
    ------
    GeometryError
        A slice is missing or is there twice, the spacing varies, or the slices are shifted sideways.
    InputError
        Slices differ in size or orientation.
    """

    def values(index: int) -> NDArray[np.float32]:
        return pixel_values(slices[index])

    stack = place_slices(slices, assumptions, values)
    if stack.aside_deg:
        raise GeometryError("The slices are shifted sideways from one to the next; resample them first.")
    return fill_stack(stack, values), stack.geometry()


def fill_stack(stack: Stack, values: Callable[[int], NDArray[np.float32]]) -> NDArray[np.float32]:
    """Put the pixels of each slice in its place.

    Parameters
    ----------
    stack : Stack
    values : function of a slice's index among those given to `place_slices`
        Gives its (1, rows, columns) values; asked once for each slice, in order.
    """
    array = np.empty((0, 0, 0), dtype=np.float32)
    for k, index in enumerate(stack.order):
        found = values(index)
        if found.shape[0] != 1:
            raise InputError("A slice of the series holds several frames; multi-frame CT and PET are not read.")
        if k == 0:  # only now is it sure that the pixels are there
            array = np.empty((len(stack.order), *found.shape[1:]), dtype=np.float32)
        array[k] = found[0]
    return array


def place_slices(
    slices: Sequence[Dataset], assumptions: list[str], values: Callable[[int], NDArray[np.float32]]
) -> Stack:
    """Find the order and the places of the slices of a series from their headers.

    Parameters
    ----------
    slices : sequence of Dataset
        Their headers, in any order.
    assumptions : list of str
        What had to be assumed is added to it.
    values : function of a slice's index
        Gives its pixels; asked only where two slices lie at one place. Of slices with the same pixels one is taken.

    Raises
    ------
    GeometryError
        A slice is missing or is there twice with different pixels, the spacing varies, slices are shifted irregularly.
    InputError
        Slices differ in size or orientation.
    """
    orientation, positions = _places(slices)
    normal = normal_of(orientation)
    order = np.argsort(positions @ normal, kind="stable")
    order = _each_place_once(order, positions, values, assumptions)
    first = slices[int(order[0])]
    step = _slice_step_mm(first, positions[order], normal, assumptions)
    return Stack(
        order=tuple(int(index) for index in order),
        shape=(len(order), count(first, "Rows"), count(first, "Columns")),
        first_voxel_mm=positions[order[0]],
        orientation=orientation,
        pixel_mm=pixel_spacing_mm(first),
        step_mm=step,
        frame_of_reference_uid=text(first, "FrameOfReferenceUID") or None,
    )


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
        orientations.append(orientation)
        positions.append(position)
    if np.ptp(np.array(orientations), axis=0).max() > _SAME_ORIENTATION:
        raise InputError(
            "The slices of the series differ in orientation (a localizer among them?); they are not one volume."
        )
    return orientations[0], np.array(positions)


def _each_place_once(
    order: NDArray[np.intp],
    positions: NDArray[np.float64],
    values: Callable[[int], NDArray[np.float32]],
    assumptions: list[str],
) -> NDArray[np.intp]:
    """Leave out slices that lie where another one lies and hold the same; refuse those that hold something else."""
    kept = [int(order[0])]
    differing = 0
    for index in order[1:]:
        if np.linalg.norm(positions[index] - positions[kept[-1]]) >= SAME_PLACE_MM:
            kept.append(int(index))
        elif not np.array_equal(values(int(index)), values(kept[-1])):
            differing += 1
    if differing:
        raise GeometryError(
            f"{differing} of {len(order)} slices lie where another one lies, with other pixels; give one "
            "reconstruction, each slice once."
        )
    if len(kept) < len(order):
        assumptions.append(
            f"{len(order) - len(kept)} of {len(order)} slices are there twice with the same pixels; each is taken once."
        )
    return np.array(kept, dtype=np.intp)


def _slice_step_mm(
    first: Dataset, positions: NDArray[np.float64], normal: NDArray[np.float64], assumptions: list[str]
) -> NDArray[np.float64]:
    """Give the way from a slice to the next; `positions` are sorted."""
    if len(positions) == 1:
        thickness = number(first, "SliceThickness")
        if thickness is None or thickness <= 0:
            raise GeometryError("The series has one slice without a thickness; it is no volume.")
        assumptions.append("The series has one slice; its thickness is taken as the spacing.")
        return normal * thickness
    steps = np.diff(positions @ normal)
    spacing = float(np.median(steps))
    if steps.min() < SAME_PLACE_MM:
        raise GeometryError("Slices lie beside each other in one plane; they are not one volume.")
    times = np.round(steps / spacing)
    whole = np.abs(steps - times * spacing) <= max(SAME_PLACE_MM, UNEVEN * spacing) * np.maximum(times, 1.0)
    if times.max() > 1 and np.all(whole & (times >= 1)):
        missing = int(np.sum(times - 1))
        raise GeometryError(
            f"{missing} {'slice is' if missing == 1 else 'slices are'} missing: most are {spacing:g} mm apart, some "
            f"{steps.max():g} mm; give the whole series."
        )
    if np.abs(steps - spacing).max() > max(SAME_PLACE_MM, UNEVEN * spacing):
        raise GeometryError(
            f"The slices are unevenly spaced, {steps.min():g} to {steps.max():g} mm; resample them first."
        )
    step: NDArray[np.float64] = (positions[-1] - positions[0]) / (len(positions) - 1)
    off = positions - positions[0] - np.arange(len(positions))[:, None] * step
    askew = float(np.linalg.norm(off - (off @ normal)[:, None] * normal, axis=1).max())
    if askew > max(_ASKEW_MM, UNEVEN * spacing):
        raise GeometryError(
            f"The slices are shifted sideways, irregularly and by up to {askew:.2g} mm; they are not one volume."
        )
    return step
