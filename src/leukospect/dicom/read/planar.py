"""NM STATIC and WHOLE BODY: planar views."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from leukospect.consistency import find_frame_motion
from leukospect.data import PlanarImages
from leukospect.dicom.elements import count, items, named, number, numbers, text, vector
from leukospect.dicom.read.frames import frame_count, frame_slots, frame_table, frame_vector
from leukospect.dicom.read.header import acquisition_header, energy_windows, frame_duration_s, patient_position
from leukospect.dicom.read.orientation import column_direction
from leukospect.dicom.read.pixels import counts, pixel_spacing_mm

# DICOM PS3.16 CID 26 (SRT; SNM3 shares the values).
_VIEW_CODES = {
    "R-10206": "anterior",
    "R-10214": "posterior",
    "R-10228": "right lateral",
    "R-10236": "left lateral",
}
_VIEW_ANGLES = {"posterior": 0.0, "left lateral": 90.0, "anterior": 180.0, "right lateral": 270.0}
_VIEW_WORDS = {
    "anterior": re.compile(r"(?<![a-z])ant(erior)?(?![a-z])", re.IGNORECASE),
    "posterior": re.compile(r"(?<![a-z])post(erior)?(?![a-z])", re.IGNORECASE),
    "left lateral": re.compile(r"(?<![a-z])(left|l)[\W_]*lat(eral)?(?![a-z])", re.IGNORECASE),
    "right lateral": re.compile(r"(?<![a-z])(right|r)[\W_]*lat(eral)?(?![a-z])", re.IGNORECASE),
}
_NEAR_DEG = 30.0

PlanarKind = Literal["STATIC", "WHOLE BODY", "DYNAMIC", "GATED"]
PLANAR_KINDS: dict[str, PlanarKind] = {
    "STATIC": "STATIC",
    "WHOLE BODY": "WHOLE BODY",
    "DYNAMIC": "DYNAMIC",
    "GATED": "GATED",
}
"""Image Type value 3 of what is planar."""


def read_planar(
    dataset: Dataset, kind: PlanarKind, assumptions: list[str], sources: Sequence[Path] = ()
) -> PlanarImages:
    """Read planar views, one a head; gates and time frames are added up.

    Parameters
    ----------
    dataset : Dataset
    kind : ``STATIC``, ``WHOLE BODY``, ``DYNAMIC`` or ``GATED``
    assumptions : list of str
        What had to be assumed is added to it, one sentence each.
    sources : sequence of Path

    Raises
    ------
    GeometryError, InputError
        Frames, sizes or counts are missing or contradict each other.
    """
    heads = items(dataset, "DetectorInformationSequence")
    number_of_heads = count(dataset, "NumberOfDetectors", default=max(1, len(heads)))
    heads = heads if len(heads) == number_of_heads else tuple(Dataset() for _ in range(number_of_heads))
    windows = energy_windows(dataset, assumptions)
    pixel_mm = pixel_spacing_mm(dataset)
    values, summed = _summed_counts(dataset, len(windows), number_of_heads, pixel_mm, assumptions)
    names = tuple(_view_name(dataset, head, index, number_of_heads, assumptions) for index, head in enumerate(heads))
    values, first_pixels = _upright(values, heads, names, pixel_mm, patient_position(dataset), assumptions)
    duration = (
        _time_of_all_frames_s(dataset, summed, assumptions)
        if summed > 1 or kind in ("DYNAMIC", "GATED")
        else _time_in_view_s(dataset, heads, kind, pixel_mm[0], assumptions)
    )
    return PlanarImages(
        counts=values,
        energy_windows=windows,
        view_names=names,
        pixel_mm=pixel_mm,
        view_duration_s=np.full(number_of_heads, duration),
        header=acquisition_header(dataset, kind, assumptions, sources),
        first_pixel_mm=first_pixels,
        summed_frames=summed,
    )


def _summed_counts(
    dataset: Dataset, windows: int, heads: int, pixel_mm: tuple[float, float], assumptions: list[str]
) -> tuple[NDArray[np.float32], int]:
    """Bring the frames into (windows, heads, rows, columns), and add up gates and time frames."""
    slot, slots = frame_slots(dataset)
    table = frame_table(
        (
            frame_vector(dataset, "EnergyWindowVector", windows),
            frame_vector(dataset, "DetectorVector", heads),
            slot,
        ),
        (windows, heads, slots),
        "energy windows x heads" + (" x gates or time frames" if slots > 1 else ""),
    )
    stored = counts(dataset, frame_count(dataset))
    for head in range(heads if slots > 1 else 0):
        moved = find_frame_motion(stored[table[0, head]], pixel_mm)
        if moved is not None:
            assumptions.append(f"Detector {head + 1}: {moved.sentence()}")
    values = stored[table[..., 0]]
    for number_of_slot in range(1, slots):
        values += stored[table[..., number_of_slot]]
    return values, slots


def _view_name(dataset: Dataset, head: Dataset, index: int, heads: int, assumptions: list[str]) -> str:
    """Name a view: by its code, else by what the camera called it, else by the head's angle, else by number."""
    for code in items(head, "ViewCodeSequence"):
        if text(code, "CodeValue") in _VIEW_CODES:
            return _VIEW_CODES[text(code, "CodeValue")]
        if name := _name_in(text(code, "CodeMeaning")):
            return name
    if heads == 1:
        for keyword in ("ImageID", "SeriesDescription"):
            if name := _name_in(text(dataset, keyword)):
                assumptions.append(f"No view is coded; it is taken as {name} from {named(keyword)}.")
                return name
    angle = number(head, "StartAngle")
    if angle is not None:
        for name, nominal in _VIEW_ANGLES.items():
            if abs((angle - nominal + 180.0) % 360.0 - 180.0) <= _NEAR_DEG:
                assumptions.append(f"No view is coded; head {index + 1} at {angle:g} degrees is taken as {name}.")
                return name
    assumptions.append(f"Nothing tells which view head {index + 1} took; it is called detector {index + 1}.")
    return f"detector {index + 1}"


def _name_in(words: str) -> str | None:
    found = [name for name, pattern in _VIEW_WORDS.items() if pattern.search(words)]
    return found[0] if len(found) == 1 else None


def _upright(
    values: NDArray[np.float32],
    heads: tuple[Dataset, ...],
    names: tuple[str, ...],
    pixel_mm: tuple[float, float],
    position: str,
    assumptions: list[str],
) -> tuple[NDArray[np.float32], NDArray[np.float64] | None]:
    """Turn each view head up and as seen from behind its detector, where its orientation is recorded."""
    rows, columns = values.shape[2:]
    values = values.copy()
    first_pixels = np.full((len(heads), 3), np.nan)
    for index, (head, name) in enumerate(zip(heads, names, strict=True)):
        orientation, first = vector(head, "ImageOrientationPatient", 6), vector(head, "ImagePositionPatient", 3)
        if orientation is None:
            continue
        flips = [False, False]
        flips[0] = bool(orientation[5] > 0.5)
        if name in _VIEW_ANGLES:
            flips[1] = bool(orientation[:3] @ column_direction(_VIEW_ANGLES[name]) < -0.5)
        for axis, (flip, direction) in enumerate(zip(flips, (orientation[3:], orientation[:3]), strict=True)):
            if flip:
                values[:, index] = np.flip(values[:, index], axis=1 + axis)
                if first is not None:
                    first = first + direction * ((rows, columns)[axis] - 1) * pixel_mm[axis]
        if any(flips):
            which = " and ".join(word for word, flip in zip(("rows", "columns"), flips, strict=True) if flip)
            assumptions.append(f"The {which} of view {index + 1} are flipped, as its image orientation asks.")
        if first is not None:
            first_pixels[index] = first
    if position.startswith("F") and not any(vector(head, "ImageOrientationPatient", 6) is not None for head in heads):
        assumptions.append(
            "The patient lies feet first and no orientation is recorded; rows are taken to begin at the head."
        )
    return values, first_pixels if np.all(np.isfinite(first_pixels)) else None


def _time_in_view_s(
    dataset: Dataset, heads: tuple[Dataset, ...], kind: str, row_spacing_mm: float, assumptions: list[str]
) -> float:
    """Give how long a pixel counted, s.

    A line of a whole-body sweep is in view for as long as the field takes to pass: its length along the patient over
    the scan velocity. Where the length is not recorded, the time to pass one row stands for it.
    """
    velocity = number(dataset, "ScanVelocity") if kind == "WHOLE BODY" else None
    if velocity is not None and velocity > 0:
        for head in heads:
            field = numbers(head, "FieldOfViewDimensions")
            if len(field) == 2 and min(field) > 0:
                return field[1] / velocity
        assumptions.append(
            "The field's length along the patient is not recorded; the dwell time is that of one row at the scan "
            "velocity, so rates are on a scale of their own."
        )
        return row_spacing_mm / velocity
    if kind == "WHOLE BODY":
        assumptions.append(
            f"{named('ScanVelocity')} is not recorded; {named('ActualFrameDuration')} is taken as a line's dwell time."
        )
    return frame_duration_s(dataset, assumptions) or 1.0


def _time_of_all_frames_s(dataset: Dataset, frames: int, assumptions: list[str]) -> float:
    """Give how long all gates or time frames counted together, s.

    A dynamic acquisition records a frame's duration for each of its phases (Phase Information Sequence), a gated one
    the length of a gate and how many heart beats it was open for (Gated Information Sequence).
    """
    phases = [
        (number(phase, "ActualFrameDuration"), number(phase, "NumberOfFramesInPhase"))
        for phase in items(dataset, "PhaseInformationSequence")
    ]
    if phases and all(duration and size for duration, size in phases):
        return sum(float(duration or 0.0) * float(size or 0.0) for duration, size in phases) / 1000.0
    gates = [
        (number(interval, "FrameTime") or number(gated, "FrameTime"), number(interval, "IntervalsAcquired"))
        for gated in items(dataset, "GatedInformationSequence")
        for interval in items(gated, "DataInformationSequence")
    ]
    if gates and all(duration and beats for duration, beats in gates):
        slots = frames / len(gates)
        return sum(float(duration or 0.0) * float(beats or 0.0) for duration, beats in gates) * slots / 1000.0
    each = frame_duration_s(dataset, assumptions)
    return 1.0 if each is None else each * frames
