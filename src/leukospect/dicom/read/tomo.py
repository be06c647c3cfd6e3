"""NM TOMO: raw projections with the orbit of every head."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from leukospect.data import Orbit, Projections
from leukospect.dicom.elements import count, items, named, number, text, texts, vector
from leukospect.dicom.read.axis import HeadPlace, axis_of_rotation_mm, first_row_z_mm, matrix_centre_mm
from leukospect.dicom.read.frames import frame_count, frame_table, frame_vector, refuse_other_vectors
from leukospect.dicom.read.header import acquisition_header, energy_windows, patient_position
from leukospect.dicom.read.orbit import Sweep, read_sweeps
from leukospect.dicom.read.orientation import Reading, orientation_cosines, told_angles, whose_angles
from leukospect.dicom.read.pixels import counts, pixel_spacing_mm
from leukospect.errors import InputError

_LEAST_ARC_DEG = 175.0  # half a turn is enough for an image, less is not


def read_tomo(
    dataset: Dataset,
    assumptions: list[str],
    sources: Sequence[Path] = (),
    *,
    axis_mm: tuple[float, float] | None = None,
    start_angle_deg: float | None = None,
    direction: str | None = None,
) -> Projections:
    """Read a TOMO acquisition.

    Views are ordered by head, then by rotation, then as they were taken; heads count at the same time.

    Parameters
    ----------
    dataset : Dataset
    assumptions : list of str
        What had to be assumed is added to it, one sentence each.
    sources : sequence of Path
    axis_mm : (x, y) or None
        The axis of rotation, LPS, in place of what is recorded.
    start_angle_deg : float or None
        The patient's angle of the first head's first view, in place of what is recorded.
    direction : ``cc``, ``cw`` or None
        The patient's direction of rotation, in place of what is recorded.

    Raises
    ------
    GeometryError, InputError
        Frames, angles or positions are missing or contradict each other.
    """
    if "TRANSMISSION" in (value.upper() for value in texts(dataset, "ImageType")):
        raise InputError("The acquisition is a transmission scan; give the emission projections.")
    heads, rotations = _parts(dataset)
    windows = energy_windows(dataset, assumptions)
    told = start_angle_deg is not None or direction is not None
    sweeps = read_sweeps(dataset, heads, rotations, assumptions, start_angle_deg=start_angle_deg, direction=direction)
    evidence = _orientations(heads, sweeps)
    reading = told_angles(evidence) if told else whose_angles(evidence, patient_position(dataset), assumptions)
    values = _ordered_counts(dataset, len(windows), sweeps, reading)
    pixel_mm = pixel_spacing_mm(dataset)
    places = _head_places(heads, sweeps, reading, (values.shape[2], values.shape[3]), pixel_mm)
    if axis_mm is None:
        axis_mm = axis_of_rotation_mm(places, assumptions)
    first_row = first_row_z_mm(places, values.shape[2], pixel_mm[0], assumptions)
    orbit = _orbit(sweeps, reading, heads, texts(dataset, "CorrectedImage"), assumptions)
    if text(dataset, "TypeOfDetectorMotion").upper() == "CONTINUOUS":
        assumptions.append("The heads moved while counting; the recorded angle of a view is taken as its middle.")
    return Projections(
        counts=values,
        energy_windows=windows,
        orbit=orbit,
        pixel_mm=pixel_mm,
        axis_mm=(float(axis_mm[0]), float(axis_mm[1])),
        first_row_z_mm=first_row,
        view_start_s=np.concatenate([sweep.view_start_s for sweep in sweeps]),
        view_duration_s=np.concatenate([np.full(s.angles_deg.size, s.view_duration_s) for s in sweeps]),
        header=acquisition_header(dataset, "TOMO", assumptions, sources),
        duration_recorded=all(sweep.duration_recorded for sweep in sweeps),
    )


def _parts(dataset: Dataset) -> tuple[tuple[Dataset, ...], tuple[Dataset, ...]]:
    """Give one item a head and one a rotation."""
    heads, rotations = items(dataset, "DetectorInformationSequence"), items(dataset, "RotationInformationSequence")
    number_of_heads = count(dataset, "NumberOfDetectors", default=max(1, len(heads)))
    number_of_rotations = count(dataset, "NumberOfRotations", default=max(1, len(rotations)))
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


def _first_sweep(sweeps: list[Sweep], head: int) -> Sweep:
    return next(sweep for sweep in sweeps if sweep.head == head)


def _orientations(heads: tuple[Dataset, ...], sweeps: list[Sweep]) -> list[tuple[float, NDArray[np.float64]]]:
    """Give start angle and orientation of each head that has one."""
    found = []
    for number_of_head, head in enumerate(heads):
        orientation = orientation_cosines(head)
        if orientation is not None:
            found.append((float(_first_sweep(sweeps, number_of_head).angles_deg[0]), orientation))
    return found


def _ordered_counts(dataset: Dataset, windows: int, sweeps: list[Sweep], reading: Reading) -> NDArray[np.float32]:
    """Bring the frames into (windows, views, rows, columns), rows from head to feet, columns along u."""
    refuse_other_vectors(dataset)
    heads, rotations = 1 + max(s.head for s in sweeps), 1 + max(s.rotation for s in sweeps)
    views = [_first_of_rotation(sweeps, rotation).angles_deg.size for rotation in range(rotations)]
    # Rotations may differ in their number of views, so view and rotation become one axis.
    begins = np.concatenate([[0], np.cumsum(views)]).astype(np.int64)
    rotation = frame_vector(dataset, "RotationVector", rotations)
    view = frame_vector(dataset, "AngularViewVector", max(views))
    if np.any(view >= np.array(views)[rotation]):
        raise InputError(f"{named('AngularViewVector')} counts more views than the rotation has.")
    table = frame_table(
        (
            frame_vector(dataset, "EnergyWindowVector", windows),
            frame_vector(dataset, "DetectorVector", heads),
            begins[rotation] + view,
        ),
        (windows, heads, int(begins[-1])),
        "energy windows x heads x views",
    )
    stored = counts(dataset, frame_count(dataset))
    if reading.flip_rows:
        stored = stored[:, ::-1, :]
    if reading.flip_columns:
        stored = stored[:, :, ::-1]
    return np.ascontiguousarray(stored[table.reshape(windows, -1)])


def _first_of_rotation(sweeps: list[Sweep], rotation: int) -> Sweep:
    return next(sweep for sweep in sweeps if sweep.rotation == rotation)


def _head_places(
    heads: tuple[Dataset, ...],
    sweeps: list[Sweep],
    reading: Reading,
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
        places.append(HeadPlace(float(reading.angle_deg(float(sweep.angles_deg[0]))), radius, centre))
    return places


def _orbit(
    sweeps: list[Sweep],
    reading: Reading,
    heads: tuple[Dataset, ...],
    corrections: tuple[str, ...],
    assumptions: list[str],
) -> Orbit:
    angles = np.concatenate([reading.angle_deg(sweep.angles_deg) for sweep in sweeps]) % 360.0
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
