"""Volumes that somebody else reconstructed: NM RECON TOMO, and PET."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset

from leukospect.data import Image, Kind, ReconstructedSeries
from leukospect.dicom.elements import count, items, named, number, text, vector
from leukospect.dicom.read.entries import Entry, load
from leukospect.dicom.read.frames import frame_count, frame_table, frame_vector, refuse_other_vectors
from leukospect.dicom.read.header import acquisition_header
from leukospect.dicom.read.pixels import pixel_spacing_mm, pixel_values
from leukospect.dicom.read.slices import normal_of, stack_slices, volume_geometry
from leukospect.errors import GeometryError, InputError

_UNITS = {"BQML": "Bq/mL", "GML": "g/mL", "CNTS": "counts", "CPS": "counts/s"}
_AXIAL = np.array([1.0, 0.0, 0.0, 0.0, 1.0, 0.0])


def read_recon_tomo(dataset: Dataset, assumptions: list[str], sources: Sequence[Path] = ()) -> ReconstructedSeries:
    """Read a RECON TOMO volume.

    Slice k lies at Image Position + k Spacing Between Slices times the normal of Image Orientation; the spacing may be
    negative (DICOM PS3.3 C.8.4.15), and then slices run against the normal.

    Raises
    ------
    GeometryError, InputError
        Sizes are missing, or the file holds more than one volume.
    """
    refuse_other_vectors(dataset)
    for keyword in ("EnergyWindowVector", "DetectorVector", "RotationVector"):
        if frame_vector(dataset, keyword, 2**16 if keyword in dataset else 1).any():
            raise InputError(
                f"The reconstructed slices differ in {named(keyword)}; files of several volumes are not read."
            )
    slices = count(dataset, "NumberOfSlices", default=frame_count(dataset))
    order = frame_table((frame_vector(dataset, "SliceVector", slices),), (slices,), "slices")
    array = np.ascontiguousarray(pixel_values(dataset)[order])
    head = next(iter(items(dataset, "DetectorInformationSequence")), Dataset())
    pixel_mm = pixel_spacing_mm(dataset)
    orientation = _either(head, dataset, "ImageOrientationPatient", 6)
    if orientation is None:
        assumptions.append(f"{named('ImageOrientationPatient')} is missing; the slices are taken as axial, head first.")
        orientation = _AXIAL
    step = normal_of(orientation) * _slice_spacing_mm(dataset, assumptions)
    first = _either(head, dataset, "ImagePositionPatient", 3)
    if first is None:
        assumptions.append(
            f"{named('ImagePositionPatient')} is missing; the middle of the volume is taken as the origin."
        )
        along = orientation[3:] * pixel_mm[0] * (array.shape[1] - 1) + orientation[:3] * pixel_mm[1] * (
            array.shape[2] - 1
        )
        first = -(along + step * (slices - 1)) / 2
    shape = (slices, array.shape[1], array.shape[2])
    reference = text(dataset, "FrameOfReferenceUID") or None
    rotation = next(iter(items(dataset, "RotationInformationSequence")), dataset)
    duration = number(rotation, "ActualFrameDuration") or number(dataset, "ActualFrameDuration")
    return ReconstructedSeries(
        image=Image(array, volume_geometry(first, orientation, pixel_mm, step, shape, reference), _unit(dataset)),
        header=acquisition_header(dataset, "RECON TOMO", assumptions, sources),
        frame_duration_s=duration / 1000.0 if duration else None,
    )


def _either(
    head: Dataset, dataset: Dataset, keyword: str, length: int
) -> np.ndarray[tuple[int], np.dtype[np.float64]] | None:
    found = vector(head, keyword, length)
    return found if found is not None else vector(dataset, keyword, length)


def _slice_spacing_mm(dataset: Dataset, assumptions: list[str]) -> float:
    spacing = number(dataset, "SpacingBetweenSlices")
    if spacing:
        return spacing
    thickness = number(dataset, "SliceThickness")
    if not thickness:
        raise GeometryError(f"{named('SpacingBetweenSlices')} and {named('SliceThickness')} are both missing.")
    assumptions.append(f"{named('SpacingBetweenSlices')} is missing; {named('SliceThickness')} is taken for it.")
    return abs(thickness)


def _unit(dataset: Dataset) -> str:
    unit = text(dataset, "Units").upper()
    return _UNITS.get(unit, unit)


def read_pet(entries: Sequence[Entry], assumptions: list[str]) -> ReconstructedSeries:
    """Read the slices of one PET series; see `stack_slices` for what is refused."""
    slices = [load(entry) for entry in entries]
    array, geometry = stack_slices(slices, assumptions)
    duration = number(slices[0], "ActualFrameDuration")
    kind: Kind = "PET"
    return ReconstructedSeries(
        image=Image(array, geometry, _unit(slices[0])),
        header=acquisition_header(slices[0], kind, assumptions, [entry.path for entry in entries]),
        frame_duration_s=duration / 1000.0 if duration else None,
    )
