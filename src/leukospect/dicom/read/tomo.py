"""NM TOMO and GATED TOMO: raw projections with the orbit of every head."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from leukospect.data import Orbit, Projections
from leukospect.dicom.elements import named, number, text, texts, vector
from leukospect.dicom.read.axis import HeadPlace, axis_of_rotation_mm, first_row_z_mm, matrix_centre_mm
from leukospect.dicom.read.header import acquisition_header, patient_position
from leukospect.dicom.read.orbit import Sweep, refuse_twins, turning
from leukospect.dicom.read.orientation import Reading, orientation_cosines, told_angles, whose_angles
from leukospect.dicom.read.tomo_file import TomoFile, read_tomo_file
from leukospect.dicom.read.zoom import note_zoom
from leukospect.errors import GeometryError, InputError

_NOT_PARALLEL = {
    "PINH": "pinhole", "FANB": "fan beam", "CONE": "cone beam", "SLNT": "slant holes", "ASTG": "astigmatic",
    "DIVG": "diverging", "NONE": "no collimator",
}  # fmt: skip
_CONTRADICTED_DEG = 5.0
_LEAST_ARC_DEG = 175.0  # half a turn is enough for an image, less is not


@dataclass(frozen=True, slots=True)
class ToldOrbit:
    """What the user tells of an orbit, in place of what is recorded.

    Parameters
    ----------
    axis_mm : (x, y) or None
        The axis of rotation, LPS.
    start_angle_deg : float or None
        The patient's angle of the first head's first view; other heads keep their distance from it.
    direction : ``cc``, ``cw`` or None
        The patient's direction of rotation.
    """

    axis_mm: tuple[float, float] | None = None
    start_angle_deg: float | None = None
    direction: str | None = None

    def sentences(self) -> list[str]:
        """Say which angles are told."""
        told = (("start angle", self.start_angle_deg), ("direction", self.direction))
        return [f"The angles are taken as told: {what}." for what, value in told if value is not None]


NOTHING_TOLD = ToldOrbit()


def read_tomo(
    dataset: Dataset, assumptions: list[str], sources: Sequence[Path] = (), told: ToldOrbit = NOTHING_TOLD
) -> Projections:
    """Read a TOMO or GATED TOMO acquisition that is one file; see `projections_of`.

    Raises
    ------
    GeometryError, InputError
        Frames, angles or positions are missing or contradict each other.
    """
    known = told.start_angle_deg is not None
    part = read_tomo_file(dataset, assumptions, start_angle_known=known, direction=told.direction)
    return projections_of(part, assumptions, sources, told)


def projections_of(
    part: TomoFile, assumptions: list[str], sources: Sequence[Path] = (), told: ToldOrbit = NOTHING_TOLD
) -> Projections:
    """Bring what a file, or several joined, holds into patient space.

    Views are ordered by head, then by rotation, then as they were taken; heads count at the same time.

    Parameters
    ----------
    part : TomoFile
    assumptions : list of str
        What had to be assumed is added to it, one sentence each.
    sources : sequence of Path
    told : ToldOrbit

    Raises
    ------
    GeometryError
        Angles or positions are missing or contradict each other.
    """
    start_angle_deg, axis_mm = told.start_angle_deg, told.axis_mm
    dataset, heads = part.dataset, part.heads
    _refuse_slanted_rays(heads)
    reading = _reading(part, start_angle_deg, assumptions)
    sweeps = _patients_sweeps(part.sweeps, reading, start_angle_deg, told.direction)
    if start_angle_deg is not None:
        _say_if_told_otherwise(start_angle_deg, orientation_cosines(heads[0]), reading, assumptions)
    refuse_twins(sweeps)
    values = _patients_way_up(part.counts, reading)
    places = _head_places(heads, sweeps, (values.shape[2], values.shape[3]), part.pixel_mm)
    if axis_mm is None:
        axis_mm = axis_of_rotation_mm(places, assumptions)
    first_row = first_row_z_mm(places, values.shape[2], part.pixel_mm[0], assumptions)
    orbit = _orbit(sweeps, reading, heads, texts(dataset, "CorrectedImage"), assumptions)
    note_zoom(heads, (values.shape[2], values.shape[3]), part.pixel_mm, assumptions)
    if text(dataset, "TypeOfDetectorMotion").upper() == "CONTINUOUS":
        assumptions.append("The heads moved while counting; the recorded angle of a view is taken as its middle.")
    gated = part.summed_frames > 1 or "GATED TOMO" in (value.upper() for value in texts(dataset, "ImageType"))
    return Projections(
        counts=values,
        energy_windows=part.windows,
        orbit=orbit,
        pixel_mm=part.pixel_mm,
        axis_mm=(float(axis_mm[0]), float(axis_mm[1])),
        first_row_z_mm=first_row,
        view_start_s=np.concatenate([sweep.view_start_s for sweep in sweeps]),
        view_duration_s=np.concatenate([np.full(s.angles_deg.size, s.view_duration_s) for s in sweeps]),
        header=acquisition_header(dataset, "GATED TOMO" if gated else "TOMO", assumptions, sources),
        duration_recorded=all(sweep.duration_recorded for sweep in sweeps),
        summed_frames=part.summed_frames,
    )


def _reading(part: TomoFile, start_angle_deg: float | None, assumptions: list[str]) -> Reading:
    """Decide whose angles are recorded; where that cannot be and the user tells the start, by the pixels alone."""
    evidence = _orientations(part.heads, part.sweeps)
    position = patient_position(part.dataset)
    if start_angle_deg is None:
        return whose_angles(evidence, position, assumptions)
    if part.start_recorded:
        said: list[str] = []
        try:
            reading = whose_angles(evidence, position, said)
        except GeometryError:
            pass
        else:
            assumptions += said
            return reading
    return told_angles(start_angle_deg, orientation_cosines(part.heads[0]))


def _say_if_told_otherwise(
    start_angle_deg: float, orientation: NDArray[np.float64] | None, reading: Reading, assumptions: list[str]
) -> None:
    """Say that the start angle told is not what the image orientation shows."""
    if orientation is None:
        return
    told = np.deg2rad(start_angle_deg)
    along = orientation[:3] * (-1 if reading.flip_columns else 1)
    apart = float(np.degrees(np.arccos(np.clip(along @ [-np.cos(told), np.sin(told), 0.0], -1.0, 1.0))))
    if apart > _CONTRADICTED_DEG:
        assumptions.append(
            f"The start angle told lies {apart:.0f} degrees from what {named('ImageOrientationPatient')} of the first "
            "head shows; it is taken as told."
        )


def _patients_sweeps(
    sweeps: Sequence[Sweep], reading: Reading, start_angle_deg: float | None, direction: str | None
) -> list[Sweep]:
    """Take recorded angles to the patient's, and put what the user tells of them in place of what is recorded."""
    angles = [reading.angle_deg(sweep.angles_deg) for sweep in sweeps]
    if start_angle_deg is not None:
        turn = start_angle_deg - float(angles[0][0])
        angles = [own + turn for own in angles]
    if direction is not None:
        if len({np.sign(own[-1] - own[0]) for own in angles if own.size > 1}) > 1:
            raise GeometryError(
                "The rotations turn both ways, there and back, so --direction cannot tell for all of them; correct "
                f"{named('RotationDirection')} in the file."
            )
        angles = [own[0] + turning(direction) * np.abs(own - own[0]) for own in angles]
    return [replace(sweep, angles_deg=own) for sweep, own in zip(sweeps, angles, strict=True)]


def _patients_way_up(stored: NDArray[np.float32], reading: Reading) -> NDArray[np.float32]:
    """Let rows run from head to feet and columns along u."""
    if reading.flip_rows:
        stored = stored[:, :, ::-1, :]
    if reading.flip_columns:
        stored = stored[:, :, :, ::-1]
    return np.ascontiguousarray(stored)


def _first_sweep(sweeps: Sequence[Sweep], head: int) -> Sweep:
    return next(sweep for sweep in sweeps if sweep.head == head)


def _orientations(heads: tuple[Dataset, ...], sweeps: Sequence[Sweep]) -> list[tuple[float, NDArray[np.float64]]]:
    """Give start angle and orientation of each head that has one."""
    found = []
    for number_of_head, head in enumerate(heads):
        orientation = orientation_cosines(head)
        if orientation is not None:
            found.append((float(_first_sweep(sweeps, number_of_head).angles_deg[0]), orientation))
    return found


def _refuse_slanted_rays(heads: Sequence[Dataset]) -> None:
    """Refuse collimators whose holes are not parallel: their views are no parallel projections."""
    for head in heads:
        kind = text(head, "CollimatorType").upper()
        if kind in _NOT_PARALLEL:
            raise InputError(
                f"{named('CollimatorType')} is {kind} ({_NOT_PARALLEL[kind]}); only acquisitions with parallel holes "
                "are reconstructed."
            )


def _head_places(
    heads: tuple[Dataset, ...],
    sweeps: list[Sweep],
    shape: tuple[int, int],
    pixel_mm: tuple[float, float],
) -> list[HeadPlace]:
    """Give the place of each head that has both a position and an orientation."""
    places = []
    for number_of_head, head in enumerate(heads):
        position, orientation = vector(head, "ImagePositionPatient", 3), orientation_cosines(head)
        if position is None or orientation is None:
            continue
        sweep = _first_sweep(sweeps, number_of_head)
        radius = None if sweep.radii_mm is None else float(sweep.radii_mm[0])
        centre = matrix_centre_mm(position, orientation, shape, pixel_mm)
        places.append(HeadPlace(float(sweep.angles_deg[0]), radius, centre))
    return places


def _orbit(
    sweeps: list[Sweep],
    reading: Reading,
    heads: tuple[Dataset, ...],
    corrections: tuple[str, ...],
    assumptions: list[str],
) -> Orbit:
    angles = np.concatenate([sweep.angles_deg for sweep in sweeps]) % 360.0
    steps = np.diff(np.sort(angles), append=angles.min() + 360.0)
    covered = 360.0 - float(steps.max()) + float(np.median(steps))
    if covered < _LEAST_ARC_DEG:
        assumptions.append(
            f"The views cover {covered:.0f} degrees only; angles that are missing distort the image along them."
        )
    known = [sweep.radii_mm for sweep in sweeps if sweep.radii_mm is not None]
    radii = np.concatenate(known) if len(known) == len(sweeps) else None
    if known and radii is None:
        assumptions.append("The radius of only some heads is recorded; it is taken as unknown for all.")
    offsets = [number(head, "CenterOfRotationOffset") or 0.0 for head in heads]
    offset = None
    if any(offsets) and "COR" not in corrections:
        # A flip of the columns turns the offset's direction as well.
        signed = [-value if reading.flip_columns else value for value in offsets]
        offset = np.concatenate([np.full(sweep.angles_deg.size, signed[sweep.head]) for sweep in sweeps])
    return Orbit(angles, radii, offset)
