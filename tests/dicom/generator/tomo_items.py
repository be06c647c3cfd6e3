"""The sequences and vectors of a TOMO file: which frame is which, where the heads stood, how they turned."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from pydicom.datadict import tag_for_keyword
from pydicom.dataset import Dataset, FileDataset
from pydicom.sequence import Sequence

from tests.dicom.generator.elements import decimal, item
from tests.dicom.generator.scene import V, n, u

if TYPE_CHECKING:
    from tests.dicom.generator.tomo import Place, Rotation, Tomo

VECTORS = {
    "window": "EnergyWindowVector",
    "head": "DetectorVector",
    "rotation": "RotationVector",
    "view": "AngularViewVector",
}
GATE_VECTORS = {"rr": "RRIntervalVector", "slot": "TimeSlotVector"}


def add_frame_vectors(made: FileDataset, places: list[Place], *, gated: bool) -> None:
    """Say which frame is which; of a gated acquisition also its R-R interval and time slot."""
    vectors = {**VECTORS, **(GATE_VECTORS if gated else {})}
    made.FrameIncrementPointer = sorted(tag_for_keyword(keyword) or 0 for keyword in vectors.values())
    for axis, keyword in vectors.items():
        setattr(made, keyword, [place[axis] + 1 for place in places])
    if gated:
        intervals, slots = (1 + max(place[axis] for place in places) for axis in ("rr", "slot"))
        made.NumberOfRRIntervals, made.NumberOfTimeSlots = intervals, slots
        interval = item(NumberOfTimeSlots=slots, NominalInterval=1000, FrameTime=decimal(1000 / slots))
        made.GatedInformationSequence = Sequence([item(DataInformationSequence=Sequence([interval] * intervals))])


def add_heads(made: FileDataset, tomo: Tomo) -> None:
    made.NumberOfDetectors = len(tomo.start_angles_deg)
    made.DetectorInformationSequence = Sequence(_head(tomo, head) for head in range(len(tomo.start_angles_deg)))


def add_rotations(made: FileDataset, tomo: Tomo) -> None:
    made.NumberOfRotations = len(tomo.turns)
    made.RotationInformationSequence = Sequence(_rotation(tomo, turn) for turn in tomo.turns)


def recorded_angle_deg(tomo: Tomo, angle_deg: float) -> float:
    """Give what is written for one of the patient's angles.

    A camera that takes everybody for head-first supine sees a feet-first patient's angles run backwards, and a prone
    one's half a turn on.
    """
    if tomo.angles_are == "patient's":
        return decimal(angle_deg % 360.0)
    as_if = {"HFS": angle_deg, "FFS": -angle_deg, "HFP": angle_deg - 180.0, "FFP": 180.0 - angle_deg}
    return decimal(as_if[tomo.gantry] % 360.0)


def _rotation(tomo: Tomo, turn: Rotation) -> Dataset:
    direction = {"CC": "CW", "CW": "CC"}[turn.direction] if tomo.flipped else turn.direction
    made = item(
        RotationDirection=direction,
        ScanArc=decimal(turn.step_deg * turn.views),
        AngularStep=decimal(turn.step_deg),
        ActualFrameDuration=round(turn.duration_s * 1000),
        NumberOfFramesInRotation=turn.views,
        StartAngle=recorded_angle_deg(tomo, tomo.start_angles_deg[0] + turn.turned_deg),
    )
    if (tomo.radii_of or tomo.angles_of) == "rotation" and turn.radii_mm is not None:
        made.RadialPosition = [decimal(radius) for radius in turn.radii_mm]
    return made


def _head(tomo: Tomo, head: int) -> Dataset:
    made = item(CollimatorGridName="LEHR", CollimatorType="PARA")
    angle = tomo.start_angles_deg[head]
    if tomo.angles_of == "head":
        made.StartAngle = recorded_angle_deg(tomo, angle)
    radii = tomo.head_radii_mm[head] if tomo.head_radii_mm else tomo.turns[0].radii_mm
    if radii is not None and (tomo.head_radii_mm or (tomo.radii_of or tomo.angles_of) == "head"):
        made.RadialPosition = [decimal(radius) for radius in radii]
    if tomo.centre_offset_mm:
        made.CenterOfRotationOffset = -tomo.centre_offset_mm if tomo.flipped else tomo.centre_offset_mm
    if tomo.positions:
        rows, columns = tomo.shape
        right, down = (-u(angle), -V) if tomo.flipped else (u(angle), V)
        middle_z = tomo.first_row_z_mm - (rows - 1) / 2 * tomo.pixel_mm[0]
        radius = radii[0] if radii else 0.0
        middle = np.array([*tomo.axis_mm, middle_z]) + radius * n(angle)
        first = middle - (columns - 1) / 2 * tomo.pixel_mm[1] * right - (rows - 1) / 2 * tomo.pixel_mm[0] * down
        made.ImagePositionPatient = [decimal(value) for value in first]
        made.ImageOrientationPatient = [decimal(value, 8) for value in (*right, *down)]
    return made
