"""Where each head stood at each view: start angles, direction, arc and radii, each head's own before the rotation's.

DICOM PS3.3 C.8.4.12 puts Start Angle and Radial Position into Rotation Information; cameras with several heads write
each head's own into Detector Information. A head's own win.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from leukospect.dicom.elements import count, named, number, numbers, text
from leukospect.dicom.read.frames import frame_vector
from leukospect.dicom.read.header import frame_duration_s, patient_position
from leukospect.dicom.read.orientation import orientation_cosines, readings
from leukospect.dicom.read.rotation import angular_step_deg, duration_of_a_view_s, refuse_gaps
from leukospect.errors import GeometryError, InputError

_MANY_VIEWS = 2**16
_SAME_DEG = 0.1
_FARTHEST_MM = 700.0  # beyond any gantry
_IMPOSSIBLE_MM = 1000.0
_NEAREST_MM = 50.0  # no patient fits between heads nearer to the axis


@dataclass(frozen=True, slots=True, eq=False)
class Sweep:
    """One head in one rotation: its place among heads and rotations, and what it did there, as recorded.

    Parameters
    ----------
    head, rotation : int
        Counted from zero.
    angles_deg : (views,) array
        As recorded, before it is decided whose angles they are.
    radii_mm : (views,) array or None
    view_start_s : (views,) array
    view_duration_s : float
    duration_recorded : bool
        False where 1 s stands in.
    """

    head: int
    rotation: int
    angles_deg: NDArray[np.float64]
    radii_mm: NDArray[np.float64] | None
    view_start_s: NDArray[np.float64]
    view_duration_s: float
    duration_recorded: bool


def turning(direction: str) -> int:
    """Give +1 for counter-clockwise (angles grow) and -1 for clockwise.

    Parameters
    ----------
    direction : ``CC`` or ``CW``, in any case

    Raises
    ------
    GeometryError
        It is anything else: a direction is never assumed.
    """
    try:
        return {"CC": 1, "CW": -1}[direction.upper()]
    except KeyError:
        found = "missing" if not direction else "neither CC nor CW"
        raise GeometryError(
            f"{named('RotationDirection')} is {found}; tell the direction with `leukospect recon --direction cc` or cw."
        ) from None


def views_per_rotation(
    dataset: Dataset, rotations: tuple[Dataset, ...], heads: int, assumptions: list[str]
) -> list[int]:
    """Give the number of views each head takes in each rotation.

    Number of Frames in Rotation counts the views of one head; some cameras count those of all heads, which shows in the
    Angular View Vector.
    """
    seen = int(frame_vector(dataset, "AngularViewVector", _MANY_VIEWS).max()) + 1
    result = []
    for rotation in rotations:
        recorded = count(rotation, "NumberOfFramesInRotation", default=seen)
        if heads > 1 and recorded == seen * heads:
            assumptions.append(f"{named('NumberOfFramesInRotation')} counts the views of all heads; each has {seen}.")
            recorded = seen
        result.append(recorded)
    if max(result) != seen:
        raise InputError(
            f"{named('NumberOfFramesInRotation')} is {max(result)}, but {named('AngularViewVector')} counts to {seen}."
        )
    return result


def _radii(head: Dataset, rotation: Dataset, views: int, assumptions: list[str]) -> NDArray[np.float64] | None:
    for place in (head, rotation):
        found = np.array(numbers(place, "RadialPosition"))
        if found.size == 0 or not np.any(found):
            continue
        if found.size not in (1, views):
            raise GeometryError(f"{named('RadialPosition')} has {found.size} values for {views} views.")
        if found.min() <= 0:
            raise GeometryError(f"{named('RadialPosition')} must be positive; found {found.min():g} mm.")
        if found.max() > _IMPOSSIBLE_MM:
            raise GeometryError(
                f"{named('RadialPosition')} of {found.max():g} mm cannot be the distance to a head; correct it "
                "in the file."
            )
        if found.min() < _NEAREST_MM or found.max() > _FARTHEST_MM:
            how = "near, as if it were in cm" if found.min() < _NEAREST_MM else "far"
            extreme = found.min() if found.min() < _NEAREST_MM else found.max()
            assumptions.append(
                f"{named('RadialPosition')} of {extreme:g} mm is implausibly {how}; it is taken as recorded, in mm."
            )
        return np.broadcast_to(found, (views,)).astype(np.float64)
    assumptions.append(radius_not_recorded())
    return None


def radius_not_recorded() -> str:
    """Say that the public elements tell no radius."""
    return f"{named('RadialPosition')} is not recorded, so the distance to the collimator is unknown."


def read_sweeps(
    dataset: Dataset,
    heads: tuple[Dataset, ...],
    rotations: tuple[Dataset, ...],
    assumptions: list[str],
    *,
    start_angle_known: bool,
    direction: str | None,
) -> list[Sweep]:
    """Read what every head did in every rotation.

    Parameters
    ----------
    dataset : Dataset
    heads, rotations : tuples of Dataset
        Items of the Detector and the Rotation Information Sequence.
    assumptions : list of str
        What was assumed is added to it.
    start_angle_known : bool
        The user tells the start angle; one that is missing counts as 0 until then.
    direction : ``cc``, ``cw`` or None
        Stands in where none is recorded; whose it is, the user's word overrides it later.

    Returns
    -------
    list of Sweep
        Ordered by head, then by rotation.

    Raises
    ------
    GeometryError, InputError
        Angles are missing or contradict each other.
    """
    views = views_per_rotation(dataset, rotations, len(heads), assumptions)
    first_start = number(rotations[0], "StartAngle")
    sweeps: list[Sweep] = []
    own_starts = _own_starts(heads, first_start, patient_position(dataset), assumptions)
    for head_number, (head, own) in enumerate(zip(heads, own_starts, strict=True)):
        begin = 0.0
        for rotation_number, rotation in enumerate(rotations):
            start = number(rotation, "StartAngle")
            if own is not None:
                # The head's own start is that of the first rotation; later ones begin where the rotation says.
                start = own + (0.0 if start is None or first_start is None else start - first_start)
            if start is None and not start_angle_known:
                raise GeometryError(
                    f"{named('StartAngle')} is missing; tell it with `leukospect recon --start-angle-deg`."
                )
            recorded_direction = text(rotation, "RotationDirection")
            stands_in = direction is not None and recorded_direction.upper() not in ("CC", "CW")
            sign = turning(str(direction) if stands_in else recorded_direction)
            step = angular_step_deg(rotation, views[rotation_number], len(heads), assumptions)
            index = np.arange(views[rotation_number], dtype=np.float64)
            recorded = frame_duration_s(rotation, assumptions, otherwise=dataset)
            duration = duration_of_a_view_s(recorded or 1.0, index.size, assumptions)
            radii = _radii(head, rotation, index.size, assumptions)
            angles = (start or 0.0) + sign * step * index
            times = begin + index * duration
            sweeps.append(
                Sweep(
                    head_number, rotation_number, angles, radii, times, duration, duration_recorded=recorded is not None
                )
            )
            begin += duration * index.size
    for rotation_number, rotation in enumerate(rotations):
        refuse_gaps([sweep.angles_deg for sweep in sweeps if sweep.rotation == rotation_number], rotation)
    return sweeps


def _own_starts(
    heads: tuple[Dataset, ...], rotation_start: float | None, position: str, assumptions: list[str]
) -> list[float | None]:
    """Give each head's own start angle, as recorded, or by its orientation where only the rotation has one for all."""
    own = [number(head, "StartAngle") for head in heads]
    cosines = [orientation_cosines(head) for head in heads]
    known = [one for one in cosines if one is not None]
    if len(heads) == 1 or rotation_start is None or any(o is not None for o in own) or len(known) < len(heads):
        return own
    for reading in readings(position):
        angles = [reading.recorded_deg(one) for one in known]
        for anchor, orientation in zip(angles, known, strict=True):
            if anchor is not None and reading.explains(rotation_start, orientation):
                assumptions.append(
                    f"{named('StartAngle')} is recorded once for all heads; each head's own follows from its "
                    f"{named('ImageOrientationPatient')}."
                )
                return [None if angle is None else rotation_start + angle - anchor for angle in angles]
    return own


def same_angles(one: Sweep, other: Sweep) -> bool:
    """Tell whether two sweeps look from the same angles, view by view."""
    if one.angles_deg.size != other.angles_deg.size:
        return False
    apart = (one.angles_deg - other.angles_deg + 180.0) % 360.0 - 180.0
    return bool(np.abs(apart).max() < _SAME_DEG)


def refuse_twins(sweeps: Sequence[Sweep]) -> None:
    """Refuse two heads that would look from the same angles in one rotation: a start angle is missing."""
    for index, one in enumerate(sweeps):
        for other in sweeps[:index]:
            if one.rotation == other.rotation and same_angles(one, other):
                raise GeometryError(
                    f"Heads {other.head + 1} and {one.head + 1} would look from the same angles; each head's own "
                    f"{named('StartAngle')} is needed in the Detector Information Sequence."
                )
