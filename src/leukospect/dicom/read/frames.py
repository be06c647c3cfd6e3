"""Which frame is which: windows, heads, rotations and views from the frame vectors, never from an assumed order.

DICOM PS3.3 C.8.4.8: Frame Increment Pointer names the vectors; each gives every frame its number, counted from 1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from leukospect.dicom.elements import count, named, numbers
from leukospect.errors import InputError

_SLOTS = {  # what tells the frames of a dynamic or gated acquisition apart
    "PhaseVector": "phases",
    "RRIntervalVector": "R-R intervals",
    "TimeSlotVector": "time slots",
    "TimeSliceVector": "time slices",
}


def frame_count(dataset: Dataset) -> int:
    """Give the number of frames; 1 where it is not written."""
    return count(dataset, "NumberOfFrames")


def frame_vector(dataset: Dataset, keyword: str, largest: int) -> NDArray[np.int64]:
    """Read a frame vector, counted from zero.

    Parameters
    ----------
    dataset : Dataset
    keyword : str
        The vector, such as ``DetectorVector``.
    largest : int
        How many there are of what it counts.

    Returns
    -------
    (frames,) array
        All zeros where the vector is missing and there is only one.

    Raises
    ------
    InputError
        The vector is missing though there are several, does not fit the frames, or counts beyond `largest`.
    """
    frames = frame_count(dataset)
    values = numbers(dataset, keyword)
    if not values:
        if largest == 1:
            return np.zeros(frames, dtype=np.int64)
        raise InputError(f"{named(keyword)} is missing, so nothing tells which of the {frames} frames is which.")
    if len(values) != frames:
        raise InputError(f"{named(keyword)} has {len(values)} values for {frames} frames.")
    found = np.array(values)
    if found.min() < 1 or found.max() > largest or np.any(found != np.round(found)):
        raise InputError(
            f"{named(keyword)} runs from {found.min():g} to {found.max():g}; it must lie within 1 to {largest}."
        )
    return found.astype(np.int64) - 1


@dataclass(frozen=True, slots=True, eq=False)
class Present:
    """Which of several heads or windows have frames here: their numbers, and each frame's place among them."""

    numbers: tuple[int, ...]
    of_frame: NDArray[np.int64]


def present_numbers(dataset: Dataset, keyword: str, described: int, what: str, assumptions: list[str]) -> Present:
    """Tell which of the described heads or energy windows have frames: a file may hold one of several.

    Parameters
    ----------
    dataset : Dataset
    keyword : str
        Their frame vector.
    described : int
        How many the header describes.
    what : str
        What they are, for sentences: ``heads``.
    assumptions : list of str
        That some have no frames is added to it.

    Raises
    ------
    InputError
        As for `frame_vector`.
    """
    values = numbers(dataset, keyword)
    if described == 1 and len(values) == frame_count(dataset) and len(set(values)) == 1:
        # A file of one head or window may keep the number that it had among several.
        return Present((0,), np.zeros(len(values), dtype=np.int64))
    vector = frame_vector(dataset, keyword, described)
    found = np.unique(vector)
    if found.size < described:
        listed = ", ".join(str(number + 1) for number in found)
        assumptions.append(
            f"Of {described} {what} that are described, frames of number {listed} alone are in the file."
        )
    return Present(tuple(int(number) for number in found), np.searchsorted(found, vector).astype(np.int64))


def frame_slots(dataset: Dataset) -> tuple[NDArray[np.int64], int]:
    """Give each frame the number of its gate or time frame, counted from zero, and tell how many there are.

    Raises
    ------
    InputError
        A vector does not fit the frames.
    """
    frames = frame_count(dataset)
    vectors = [frame_vector(dataset, keyword, frames) for keyword in _SLOTS if len(set(numbers(dataset, keyword))) > 1]
    if not vectors:
        return np.zeros(frames, dtype=np.int64), 1
    _, slot = np.unique(np.stack(vectors, axis=1), axis=0, return_inverse=True)
    return slot.reshape(-1).astype(np.int64), int(slot.max()) + 1


def refuse_other_vectors(dataset: Dataset) -> None:
    """Refuse frames that differ in phase, R-R interval or time slot: they are not one static distribution."""
    for keyword, what in _SLOTS.items():
        if len(set(numbers(dataset, keyword))) > 1:
            raise InputError(f"The frames differ in {named(keyword)}; acquisitions of several {what} are not read.")


def frame_table(numbering: tuple[NDArray[np.int64], ...], sizes: tuple[int, ...], what: str) -> NDArray[np.int64]:
    """Turn vectors around: for every combination of their numbers, which frame it is.

    Parameters
    ----------
    numbering : tuple of (frames,) arrays
        Zero-based numbers of each frame, a vector an axis.
    sizes : tuple of int
        How many there are along each axis.
    what : str
        What the axes are, for the error: ``energy windows x heads x views``.

    Returns
    -------
    array of shape `sizes`
        The frame's place in the file.

    Raises
    ------
    InputError
        A combination is missing or is there twice.
    """
    frames = numbering[0].size
    expected = int(np.prod(sizes))
    shape = " x ".join(str(size) for size in sizes)
    if frames != expected:
        raise InputError(f"The file has {frames} frames, but {what} are {shape}, which makes {expected}.")
    table = np.full(sizes, -1, dtype=np.int64)
    table[numbering] = np.arange(frames)
    missing = int(np.count_nonzero(table < 0))
    if missing:
        raise InputError(
            f"The frame vectors name {missing} of {expected} combinations of {what} never, and as many frames twice."
        )
    return table
