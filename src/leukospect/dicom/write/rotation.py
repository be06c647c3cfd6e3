"""The rotation of the heads, recovered from the views: start angles, direction, step and duration."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from leukospect.data import Projections
from leukospect.dicom.write.elements import decimal, decimals
from leukospect.errors import GeometryError, InputError

_ANGLE_TOLERANCE_DEG = 0.01
_TIME_TOLERANCE_S = 0.05


@dataclass(frozen=True, slots=True, eq=False)
class Rotation:
    """Heads that turn together, each through an equally spaced arc.

    Parameters
    ----------
    start_angles_deg : (heads,) array
        Within 0 to 360, 0 at the back, growing counter-clockwise seen from the feet.
    step_deg : float
        Positive.
    clockwise : bool
        Angles fall.
    views : int
        Of one head.
    view_duration_s : float
    radii_mm : (heads, views) array or None
    """

    start_angles_deg: NDArray[np.float64]
    step_deg: float
    clockwise: bool
    views: int
    view_duration_s: float
    radii_mm: NDArray[np.float64] | None


def recover_rotation(projections: Projections, heads: int) -> Rotation:
    """Find the rotation behind views that are grouped head by head in equal blocks.

    Parameters
    ----------
    projections : Projections
    heads : int

    Raises
    ------
    GeometryError
        The views do not divide into that many equally spaced arcs of one step and direction, or two heads look from
        the same angles.
    InputError
        Views differ in duration, or do not follow each other without a pause: neither can be said in NM TOMO.
    """
    angles = projections.orbit.angles_deg
    if heads < 1 or angles.size % heads or angles.size // heads < 2:
        raise GeometryError(f"{angles.size} views do not divide into {heads} heads of two or more views each.")
    by_head = angles.reshape(heads, -1)
    steps = (np.diff(by_head, axis=1) + 180.0) % 360.0 - 180.0
    step = float(steps.mean())
    if np.abs(steps - step).max() > _ANGLE_TOLERANCE_DEG or abs(step) < _ANGLE_TOLERANCE_DEG:
        raise GeometryError(f"The views of {heads} heads, taken head by head, are not equally spaced arcs of one step.")
    starts = by_head[:, 0] % 360.0
    apart = np.abs((starts[:, None] - starts[None, :] + 180.0) % 360.0 - 180.0) + 360.0 * np.eye(heads)
    if apart.min() < _ANGLE_TOLERANCE_DEG:
        raise GeometryError("Two heads would start at the same angle.")
    radii = projections.orbit.radii_mm
    return Rotation(
        start_angles_deg=starts,
        # An arc is written with the step, so a step that is a hair off a round number is not made to drift.
        step_deg=round(abs(step), 9),
        clockwise=step < 0,
        views=by_head.shape[1],
        view_duration_s=_common_duration(projections, heads),
        radii_mm=None if radii is None else radii.reshape(heads, -1),
    )


def _common_duration(projections: Projections, heads: int) -> float:
    durations = projections.view_duration_s
    if np.ptp(durations) > 1e-3:
        raise InputError("The views count for different times; NM TOMO has one frame duration for a rotation.")
    starts = projections.view_start_s.reshape(heads, -1)
    back_to_back = np.arange(starts.shape[1]) * durations[0]
    if np.abs(starts - back_to_back).max() > _TIME_TOLERANCE_S:
        raise InputError("The views do not follow each other without a pause from the start; NM TOMO cannot say so.")
    return float(durations[0])


def centre_offsets_mm(projections: Projections, heads: int) -> NDArray[np.float64]:
    """Give each head's centre-of-rotation offset, mm; zeros where there is none.

    Raises
    ------
    GeometryError
        It changes from view to view, which Center of Rotation Offset cannot say.
    """
    offsets = projections.orbit.centre_offset_mm
    if offsets is None:
        return np.zeros(heads)
    by_head = offsets.reshape(heads, -1)
    if np.ptp(by_head, axis=1).max() > 1e-3:
        raise GeometryError("The centre-of-rotation offset changes from view to view; DICOM has one value for a head.")
    return np.asarray(by_head[:, 0], dtype=np.float64)


def rotation_item(rotation: Rotation) -> Dataset:
    """Make the item of the Rotation Information Sequence (PS3.3 C.8.4.12); radii only where all heads share them."""
    item = Dataset()
    item.StartAngle = decimal(rotation.start_angles_deg[0])
    item.AngularStep = decimal(rotation.step_deg)
    item.RotationDirection = "CW" if rotation.clockwise else "CC"
    item.ScanArc = decimal(rotation.step_deg * rotation.views)
    item.ActualFrameDuration = round(rotation.view_duration_s * 1000.0)
    item.NumberOfFramesInRotation = rotation.views
    radii = rotation.radii_mm
    if radii is not None and np.ptp(radii, axis=0).max() == 0.0:
        item.RadialPosition = radii_mm(radii[0])
    return item


def radii_mm(radii: NDArray[np.float64]) -> object:
    """Make Radial Position: one value for a circular orbit, else one a view."""
    return decimal(radii[0]) if np.ptp(radii) == 0.0 else decimals(radii)
