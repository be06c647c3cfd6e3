"""Whose angles are recorded, the patient's or the gantry's, and how the rows and columns of the projections run.

By the standard angles are the patient's: 0 at the back, growing counter-clockwise seen from the feet. A camera that
writes its own, as if everybody lay head-first and supine, gives itself away by the image orientation of its heads.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from leukospect.dicom.elements import named, vector
from leukospect.errors import GeometryError

_ALIGNED = float(np.cos(np.deg2rad(5.0)))  # start angle and orientation are rounded, not contradictory
_SAID_DEG = 1.0
_UNIT_LENGTH = 0.01


def orientation_cosines(item: Dataset) -> NDArray[np.float64] | None:
    """Read Image Orientation (Patient): six cosines, along the columns, then along the rows; None where absent.

    Raises
    ------
    GeometryError
        They are not two directions of length 1 at a right angle.
    """
    found = vector(item, "ImageOrientationPatient", 6)
    if found is None:
        return None
    lengths = np.linalg.norm(found.reshape(2, 3), axis=1)
    if np.abs(lengths - 1.0).max() > _UNIT_LENGTH or abs(found[:3] @ found[3:]) > _UNIT_LENGTH:
        raise GeometryError(
            f"{named('ImageOrientationPatient')} is not two directions of length 1 at a right angle; correct it in the "
            "file."
        )
    return found


def column_direction(angle_deg: float) -> NDArray[np.float64]:
    """Give u(t), along which the columns of a view run: (-cos t, sin t, 0), LPS."""
    t = np.deg2rad(angle_deg)
    return np.array([-np.cos(t), np.sin(t), 0.0])


def outward_direction(angle_deg: float) -> NDArray[np.float64]:
    """Give n(t), from the axis of rotation to the detector: (sin t, cos t, 0), LPS."""
    t = np.deg2rad(angle_deg)
    return np.array([np.sin(t), np.cos(t), 0.0])


@dataclass(frozen=True, slots=True)
class Reading:
    """How recorded angles and pixels become the patient's: angle = sign * recorded + offset, perhaps flipped."""

    name: str
    sign: int
    offset_deg: float
    flip_rows: bool
    flip_columns: bool

    def angle_deg(self, recorded_deg: NDArray[np.float64] | float) -> NDArray[np.float64]:
        """Take recorded angles to the patient's."""
        return self.sign * np.asarray(recorded_deg, dtype=np.float64) + self.offset_deg

    def recorded_deg(self, orientation: NDArray[np.float64]) -> float | None:
        """Give the angle that a camera of this reading would record for an orientation; None where it cannot be one."""
        u = orientation[:2] * (-1 if self.flip_columns else 1)
        patients = float(np.degrees(np.arctan2(u[1], -u[0])))
        recorded = self.sign * (patients - self.offset_deg)
        return recorded if self.explains(recorded, orientation) else None

    def explains(self, recorded_deg: float, orientation: NDArray[np.float64]) -> bool:
        """Tell whether a head at that recorded angle would have this orientation: (along columns, along rows)."""
        u = column_direction(float(self.angle_deg(recorded_deg))) * (-1 if self.flip_columns else 1)
        down = 1.0 if self.flip_rows else -1.0
        return bool(orientation[:3] @ u > _ALIGNED and orientation[5] * down > _ALIGNED)

    def apart_deg(self, recorded_deg: float, orientation: NDArray[np.float64]) -> float:
        """Give the angle between the columns' direction by the recorded angle and by the orientation, degrees."""
        u = column_direction(float(self.angle_deg(recorded_deg))) * (-1 if self.flip_columns else 1)
        return float(np.degrees(np.arccos(np.clip(orientation[:3] @ u, -1.0, 1.0))))


PATIENTS = Reading("the patient's", 1, 0.0, False, False)
_GANTRYS = {
    "FFS": Reading("the gantry's, feet-first supine", -1, 0.0, True, True),
    "HFP": Reading("the gantry's, head-first prone", 1, 180.0, False, False),
    "FFP": Reading("the gantry's, feet-first prone", -1, 180.0, True, True),
}


def readings(patient_position: str) -> tuple[Reading, ...]:
    """Give the readings that are accepted for a patient who lies so, the standard's first."""
    return (PATIENTS, *(reading for lies, reading in _GANTRYS.items() if patient_position in ("", lies)))


def whose_angles(
    evidence: list[tuple[float, NDArray[np.float64]]], patient_position: str, assumptions: list[str]
) -> Reading:
    """Decide whose angles are recorded.

    Parameters
    ----------
    evidence : list of (start angle in degrees, orientation)
        Of each head that has an Image Orientation (Patient): six cosines, along the columns, then along the rows.
    patient_position : ``HFS``, ``HFP``, ``FFS``, ``FFP`` or empty
    assumptions : list of str
        What was assumed is added to it.

    Raises
    ------
    GeometryError
        Angles and orientation fit neither the patient's reading nor the gantry's.
    """
    if not evidence:
        if patient_position != "HFS":
            lies = f"The patient lies {patient_position}" if patient_position else "No HFS, HFP, FFS or FFP is recorded"
            assumptions.append(
                f"{lies} and no image orientation tells whose angles are recorded; they are taken as the patient's, as "
                "the standard has it, and rows as running from head to feet."
            )
        return PATIENTS
    if all(PATIENTS.explains(angle, orientation) for angle, orientation in evidence):
        _say_if_apart(PATIENTS, evidence, assumptions)
        return PATIENTS
    for reading in readings(patient_position)[1:]:
        if all(reading.explains(*head) for head in evidence):
            assumptions.append(
                f"The image orientation shows that the recorded angles are {reading.name}; they are turned into the "
                "patient's" + (", and rows and columns are flipped." if reading.flip_rows else ".")
            )
            _say_if_apart(reading, evidence, assumptions)
            return reading
    raise GeometryError(
        f"{named('ImageOrientationPatient')} of the heads contradicts their {named('StartAngle')} in the patient's "
        f"frame and in the gantry's (patient position {patient_position or 'not recorded'}); tell the patient's angles "
        "with `leukospect recon --start-angle-deg` and `--direction`."
    )


def _say_if_apart(reading: Reading, evidence: list[tuple[float, NDArray[np.float64]]], assumptions: list[str]) -> None:
    apart = max(reading.apart_deg(*head) for head in evidence)
    if apart > _SAID_DEG:
        assumptions.append(
            f"{named('StartAngle')} and {named('ImageOrientationPatient')} of the heads differ by {apart:.0f} degrees; "
            "the start angle is taken, and --start-angle-deg replaces it."
        )


def told_angles(start_angle_deg: float, orientation: NDArray[np.float64] | None) -> Reading:
    """Read angles whose start the user tells: flipped and reversed where the orientation asks for it.

    Parameters
    ----------
    start_angle_deg : float
        The patient's angle of the head that has this orientation.
    orientation : (6,) array or None
        Of that head; None flips nothing.
    """
    if orientation is None:
        return PATIENTS
    upside_down = bool(orientation[5] > 0)
    mirrored = bool(orientation[:3] @ column_direction(start_angle_deg) < 0)
    return Reading("as told", -1 if upside_down and mirrored else 1, 0.0, upside_down, mirrored)
