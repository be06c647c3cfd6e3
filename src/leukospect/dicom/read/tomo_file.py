"""One file of a TOMO acquisition, as recorded: which heads and windows it holds, their sweeps, and the counts in order.

A camera may write a head or an energy window a file; what such files hold together is joined in `tomo_parts`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from leukospect.data import EnergyWindow
from leukospect.dicom.elements import count, items, named, number, texts, vector
from leukospect.dicom.read.frames import frame_count, frame_slots, frame_table, frame_vector, present_numbers
from leukospect.dicom.read.header import energy_windows
from leukospect.dicom.read.orbit import Sweep, radius_not_recorded, read_sweeps
from leukospect.dicom.read.pixels import counts, pixel_spacing_mm
from leukospect.dicom.read.private_radii import private_radii_mm
from leukospect.errors import InputError

_SAME_MEAN = 0.1


@dataclass(frozen=True, slots=True, eq=False)
class TomoFile:
    """What one file, or several joined, holds.

    Parameters
    ----------
    dataset : Dataset
        Of the first file: what holds for the whole acquisition.
    heads : tuple of Dataset
        Items of the Detector Information Sequence, of heads that have frames here.
    windows : tuple of EnergyWindow
    sweeps : tuple of Sweep
        Ordered by head, then by rotation; `Sweep.head` counts `heads`.
    counts : (windows, views, rows, columns) float32 array
        As stored, views in the order of `sweeps`; gates and time frames are added up.
    pixel_mm : (between rows, between columns)
    summed_frames : int
        How many gates or time frames were added up.
    start_recorded : bool
        False where a start angle is missing and counts as 0.
    """

    dataset: Dataset
    heads: tuple[Dataset, ...]
    windows: tuple[EnergyWindow, ...]
    sweeps: tuple[Sweep, ...]
    counts: NDArray[np.float32]
    pixel_mm: tuple[float, float]
    summed_frames: int
    start_recorded: bool = True


def read_tomo_file(
    dataset: Dataset, assumptions: list[str], *, start_angle_known: bool = False, direction: str | None = None
) -> TomoFile:
    """Read one file of a TOMO or GATED TOMO acquisition.

    Parameters
    ----------
    dataset : Dataset
    assumptions : list of str
        What had to be assumed is added to it, one sentence each.
    start_angle_known : bool
        The user tells the start angle, so it may be missing here.
    direction : ``cc``, ``cw`` or None
        In place of what is recorded.

    Raises
    ------
    GeometryError, InputError
        Frames, angles or positions are missing or contradict each other.
    """
    if "TRANSMISSION" in (value.upper() for value in texts(dataset, "ImageType")):
        raise InputError("The acquisition is a transmission scan; give the emission projections.")
    described, rotations = _parts(dataset)
    all_windows = energy_windows(dataset, assumptions)
    window = present_numbers(dataset, "EnergyWindowVector", len(all_windows), "energy windows", assumptions)
    head = present_numbers(dataset, "DetectorVector", len(described), "heads", assumptions)
    heads = _placed_heads(dataset, tuple(described[index] for index in head.numbers))
    sweeps = read_sweeps(
        dataset, heads, rotations, assumptions, start_angle_known=start_angle_known, direction=direction
    )
    table = _frame_places(dataset, window.of_frame, head.of_frame, len(window.numbers), sweeps)
    return TomoFile(
        dataset,
        heads,
        tuple(all_windows[index] for index in window.numbers),
        _with_private_radii(dataset, sweeps, table[0, :, 0], assumptions),
        _summed_counts(dataset, table),
        pixel_spacing_mm(dataset),
        table.shape[2],
        all(any(number(place, "StartAngle") is not None for place in (one, rotations[0])) for one in heads),
    )


def _parts(dataset: Dataset) -> tuple[tuple[Dataset, ...], tuple[Dataset, ...]]:
    """Give one item a head and one a rotation."""
    heads, rotations = items(dataset, "DetectorInformationSequence"), items(dataset, "RotationInformationSequence")
    number_of_heads = count(dataset, "NumberOfDetectors", default=max(1, len(heads)))
    number_of_rotations = count(dataset, "NumberOfRotations", default=max(1, len(rotations)))
    frames = frame_count(dataset)
    if max(number_of_heads, number_of_rotations) > frames:
        raise InputError(
            f"{named('NumberOfDetectors')} is {number_of_heads} and {named('NumberOfRotations')} {number_of_rotations} "
            f"for {frames} frames; the file is damaged."
        )
    if len(rotations) != number_of_rotations:
        raise InputError(
            f"{named('NumberOfRotations')} is {number_of_rotations}, but {named('RotationInformationSequence')} has "
            f"{len(rotations)} items; the file is cut off or incomplete."
        )
    if heads and len(heads) != number_of_heads:
        raise InputError(
            f"{named('NumberOfDetectors')} is {number_of_heads}, but {named('DetectorInformationSequence')} has "
            f"{len(heads)} items."
        )
    return heads or tuple(Dataset() for _ in range(number_of_heads)), rotations


def _placed_heads(dataset: Dataset, heads: tuple[Dataset, ...]) -> tuple[Dataset, ...]:
    """Give the only head of a file the position and orientation that stand at the top of the file."""
    keywords = ("ImagePositionPatient", "ImageOrientationPatient")
    if len(heads) > 1 or any(keyword in heads[0] for keyword in keywords):
        return heads
    place, cosines = vector(dataset, keywords[0], 3), vector(dataset, keywords[1], 6)
    if place is None or cosines is None:
        return heads
    placed = Dataset()
    placed.update(heads[0])
    placed.ImagePositionPatient, placed.ImageOrientationPatient = list(place), list(cosines)
    return (placed,)


def _frame_places(
    dataset: Dataset, window: NDArray[np.int64], head: NDArray[np.int64], windows: int, sweeps: list[Sweep]
) -> NDArray[np.int64]:
    """Tell which frame is which: (windows, views, gates or time frames), views in the order of the sweeps."""
    heads, rotations = 1 + max(s.head for s in sweeps), 1 + max(s.rotation for s in sweeps)
    views = [_first_of_rotation(sweeps, rotation).angles_deg.size for rotation in range(rotations)]
    # Rotations may differ in their number of views, so view and rotation become one axis.
    begins = np.concatenate([[0], np.cumsum(views)]).astype(np.int64)
    rotation = frame_vector(dataset, "RotationVector", rotations)
    view = frame_vector(dataset, "AngularViewVector", max(views))
    if np.any(view >= np.array(views)[rotation]):
        raise InputError(f"{named('AngularViewVector')} counts more views than the rotation has.")
    slot, slots = frame_slots(dataset)
    table = frame_table(
        (window, head, begins[rotation] + view, slot),
        (windows, heads, int(begins[-1]), slots),
        "energy windows x heads x views" + (" x gates or time frames" if slots > 1 else ""),
    )
    return table.reshape(windows, -1, slots)


def _summed_counts(dataset: Dataset, table: NDArray[np.int64]) -> NDArray[np.float32]:
    """Bring the frames into (windows, views, rows, columns), gates and time frames of a view added up."""
    stored = counts(dataset, frame_count(dataset))
    values = stored[table[..., 0]]
    for slot in range(1, table.shape[2]):
        values += stored[table[..., slot]]
    return np.ascontiguousarray(values)


def _with_private_radii(
    dataset: Dataset, sweeps: list[Sweep], frames: NDArray[np.int64], assumptions: list[str]
) -> tuple[Sweep, ...]:
    """Take radii from private elements, one a view, where the public ones are missing or one for all views."""
    private = private_radii_mm(dataset, frame_count(dataset))
    if private is None or any(s.radii_mm is not None and np.ptp(s.radii_mm) > 0 for s in sweeps):
        return tuple(sweeps)
    ends = np.cumsum([sweep.angles_deg.size for sweep in sweeps])
    radii = np.split(private[frames], ends[:-1])
    public = [sweep.radii_mm for sweep in sweeps]
    if any(
        p is not None and abs(float(r.mean() / p[0]) - 1.0) > _SAME_MEAN for p, r in zip(public, radii, strict=True)
    ):
        assumptions.append("The radii in private elements are not those of Radial Position; the latter are taken.")
        return tuple(sweeps)
    missing = radius_not_recorded()
    assumptions[:] = [sentence for sentence in assumptions if sentence != missing]
    assumptions.append("The radius of each view is read from the maker's private elements, as millimetres.")
    return tuple(replace(sweep, radii_mm=own) for sweep, own in zip(sweeps, radii, strict=True))


def _first_of_rotation(sweeps: list[Sweep], rotation: int) -> Sweep:
    return next(sweep for sweep in sweeps if sweep.rotation == rotation)
