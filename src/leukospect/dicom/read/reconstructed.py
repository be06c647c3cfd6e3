"""Volumes that somebody else reconstructed: NM RECON TOMO, in one file or a file for each slice, and PET."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from leukospect.data import Acquisition, AcquisitionHeader, Image, Kind, ReconstructedSeries
from leukospect.dicom.elements import count, items, named, number, text, texts, vector
from leukospect.dicom.read.corrections import attenuation_corrected, counting_time_s, decay_reference
from leukospect.dicom.read.entries import Entry, load
from leukospect.dicom.read.frames import frame_count, frame_table, frame_vector, refuse_other_vectors
from leukospect.dicom.read.header import acquisition_header
from leukospect.dicom.read.orientation import orientation_cosines
from leukospect.dicom.read.pixels import pixel_spacing_mm
from leukospect.dicom.read.slices import normal_of, stack_slices, volume_geometry
from leukospect.dicom.read.times import acquisition_start
from leukospect.dicom.read.units import map_slice, values_and_unit
from leukospect.errors import GeometryError, InputError

SINGLE_PHOTON = ("Tc-99m", "In-111")
"""Nuclides that make a series SPECT, whatever class it is stored as: none of them emits positrons."""

_AXIAL = np.array([1.0, 0.0, 0.0, 0.0, 1.0, 0.0])
_SAME_PLACE_MM = 0.5
_SAME_DIRECTION = 1e-3
_OF_THE_RECONSTRUCTION = ("SeriesDate", "SeriesTime", "ContentDate", "ContentTime")


def read_recon_tomo(dataset: Dataset, assumptions: list[str], sources: Sequence[Path] = ()) -> ReconstructedSeries:
    """Read a RECON TOMO volume.

    Slice k lies at Image Position + k Spacing Between Slices times the normal of Image Orientation; the spacing may be
    negative (DICOM PS3.3 C.8.4.15), and then slices run against the normal. Position and orientation stand in the
    detector's item or at the root.

    Raises
    ------
    GeometryError, InputError
        Sizes are missing, places contradict each other, or the file holds more than one volume.
    """
    refuse_other_vectors(dataset)
    for keyword in ("EnergyWindowVector", "DetectorVector", "RotationVector"):
        if frame_vector(dataset, keyword, 2**16 if keyword in dataset else 1).any():
            raise InputError(
                f"The reconstructed slices differ in {named(keyword)}; files of several volumes are not read."
            )
    slices = count(dataset, "NumberOfSlices", default=frame_count(dataset))
    order = frame_table((frame_vector(dataset, "SliceVector", slices),), (slices,), "slices")
    values, unit = values_and_unit(dataset, assumptions)
    if values.shape[0] != order.size:
        raise InputError(f"The pixel data hold {values.shape[0]} frames where {order.size} are announced.")
    array = np.ascontiguousarray(values[order])
    pixel_mm = pixel_spacing_mm(dataset)
    orientation = _orientation(dataset)
    if orientation is None:
        assumptions.append(f"{named('ImageOrientationPatient')} is missing; the slices are taken as axial, head first.")
        orientation = _AXIAL
    step = normal_of(orientation) * _slice_spacing_mm(dataset, assumptions)
    shape = (slices, array.shape[1], array.shape[2])
    first = _position(dataset)
    placed = first is not None
    if first is None:
        assumptions.append(
            f"{named('ImagePositionPatient')} is missing; the middle of the volume is taken as the origin, and it "
            "has no frame of reference."
        )
        along = orientation[3:] * pixel_mm[0] * (shape[1] - 1) + orientation[:3] * pixel_mm[1] * (shape[2] - 1)
        first = -(along + step * (slices - 1)) / 2
    reference = (text(dataset, "FrameOfReferenceUID") or None) if placed else None
    geometry = volume_geometry(first, orientation, pixel_mm, step, shape, reference)
    return _spect(dataset, Image(array, geometry, unit), assumptions, sources)


def _spect(dataset: Dataset, image: Image, assumptions: list[str], sources: Sequence[Path]) -> ReconstructedSeries:
    """Put a volume together with what its header says of how it was made."""
    rotation = next(iter(items(dataset, "RotationInformationSequence")), dataset)
    duration = number(rotation, "ActualFrameDuration") or number(dataset, "ActualFrameDuration")
    counted = counting_time_s(dataset, assumptions)
    corrected, decay = attenuation_corrected(dataset, assumptions), decay_reference(dataset, assumptions)
    header = acquisition_header(_as_acquired(dataset), "RECON TOMO", assumptions, sources)
    header = replace(header, frame_of_reference_uid=image.geometry.frame_of_reference_uid)
    return ReconstructedSeries(image, header, duration / 1000.0 if duration else None, counted, corrected, decay)


def _as_acquired(dataset: Dataset) -> Dataset:
    """Leave out the times of the series: of a reconstruction they tell when it was made, perhaps days after."""
    header = Dataset()
    for element in dataset:
        if element.keyword not in (*_OF_THE_RECONSTRUCTION, "PixelData"):
            header.add(element)
    return header


def _head(dataset: Dataset) -> Dataset:
    return next(iter(items(dataset, "DetectorInformationSequence")), Dataset())


def _position(dataset: Dataset) -> NDArray[np.float64] | None:
    known = [
        found for one in (_head(dataset), dataset) if (found := vector(one, "ImagePositionPatient", 3)) is not None
    ]
    if len(known) == 2 and np.abs(known[0] - known[1]).max() > _SAME_PLACE_MM:
        raise GeometryError(f"{named('ImagePositionPatient')} of the detector and of the image contradict each other.")
    return known[0] if known else None


def _orientation(dataset: Dataset) -> NDArray[np.float64] | None:
    known = [found for one in (_head(dataset), dataset) if (found := orientation_cosines(one)) is not None]
    if len(known) == 2 and np.abs(known[0] - known[1]).max() > _SAME_DIRECTION:
        raise GeometryError(
            f"{named('ImageOrientationPatient')} of the detector and of the image contradict each other."
        )
    return known[0] if known else None


def _slice_spacing_mm(dataset: Dataset, assumptions: list[str]) -> float:
    spacing = number(dataset, "SpacingBetweenSlices")
    if spacing:
        return spacing
    thickness = number(dataset, "SliceThickness")
    if not thickness:
        raise GeometryError(f"{named('SpacingBetweenSlices')} and {named('SliceThickness')} are both missing.")
    assumptions.append(f"{named('SpacingBetweenSlices')} is missing; {named('SliceThickness')} is taken for it.")
    return abs(thickness)


def volumes_of(entries: Iterable[Entry]) -> list[list[Entry]]:
    """Put the RECON TOMO files of one slice each together that are of one series; every other file stays alone."""
    volumes: dict[tuple[str, str], list[Entry]] = {}
    for entry in entries:
        alone = entry.kind != "RECON TOMO" or frame_count(entry.dataset) > 1
        series = text(entry.dataset, "SeriesInstanceUID") or str(entry.path.parent)
        volumes.setdefault(("file", str(entry.path)) if alone else ("series", series), []).append(entry)
    return list(volumes.values())


def read_recon_slices(entries: Sequence[Entry], assumptions: list[str]) -> ReconstructedSeries:
    """Read a RECON TOMO series of one slice a file; see `stack_slices` for what is refused.

    Raises
    ------
    GeometryError, InputError
        The slices are no volume, differ in unit, or are a transmission scan.
    """
    slices = [load(entry) for entry in entries]
    if any("TRANSMISSION" in (value.upper() for value in texts(one, "ImageType")) for one in slices):
        raise InputError("The image is a transmission scan, which is not read.")
    for one in slices:
        refuse_other_vectors(one)
        for keyword, place in (
            ("ImagePositionPatient", _position(one)),
            ("ImageOrientationPatient", _orientation(one)),
        ):
            if place is not None and vector(one, keyword, len(place)) is None:
                setattr(one, keyword, [float(f"{value:.9g}") for value in place])
    unit = _common_unit(slices, assumptions)
    array, geometry = stack_slices(slices, assumptions)
    return _spect(slices[0], Image(array, geometry, unit), assumptions, [entry.path for entry in entries])


def _common_unit(slices: Sequence[Dataset], assumptions: list[str]) -> str:
    said: list[str] = []
    units = {map_slice(one, said) for one in slices}
    assumptions.extend(dict.fromkeys(said))
    if len(units) > 1:
        raise InputError("The slices of the series are in different units; they are not one volume.")
    return units.pop()


def read_pet(entries: Sequence[Entry], assumptions: list[str]) -> ReconstructedSeries:
    """Read the slices of one PET series; see `stack_slices` for what is refused.

    One vendor stores quantitative SPECT as PET: with a nuclide that emits no positrons the series is a RECON TOMO.
    """
    slices = [load(entry) for entry in entries]
    unit = _common_unit(slices, assumptions)
    array, geometry = stack_slices(slices, assumptions)
    # Beds of a whole-body scan follow each other; what is corrected for decay is corrected to the first one's start.
    first = min(slices, key=lambda one: str(acquisition_start(one, []) or "~"))
    duration = number(first, "ActualFrameDuration")
    counted = duration / 1000.0 if duration else None
    corrected, decay = attenuation_corrected(first, assumptions), decay_reference(first, assumptions)
    kind: Kind = "PET"
    header = acquisition_header(first, kind, assumptions, [entry.path for entry in entries])
    return ReconstructedSeries(Image(array, geometry, unit), _or_spect(header), counted, counted, corrected, decay)


def _or_spect(header: AcquisitionHeader) -> AcquisitionHeader:
    injected = header.radiopharmaceutical
    if injected is None or injected.nuclide not in SINGLE_PHOTON:
        return header
    said = (
        f"The series is stored as PET, but {injected.nuclide} emits no positrons: it is taken as reconstructed SPECT."
    )
    return replace(header, kind="RECON TOMO", assumptions=(*header.assumptions, said))


def not_spect(acquisitions: Iterable[Acquisition]) -> list[str]:
    """Say of each PET series that it is not taken as SPECT, and why."""
    return [
        f"A PET series of {_nuclide(one.header)} is no SPECT, so it is not measured."
        for one in acquisitions
        if one.header.kind == "PET"
    ]


def _nuclide(header: AcquisitionHeader) -> str:
    injected = header.radiopharmaceutical
    named_so = None if injected is None else injected.nuclide
    return named_so or f"a radionuclide that is not recorded as {' or '.join(SINGLE_PHOTON)}"
