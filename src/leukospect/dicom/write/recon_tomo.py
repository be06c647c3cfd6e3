"""A reconstructed SPECT volume as NM Image Storage of type RECON TOMO."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import NuclearMedicineImageStorage

from leukospect import __version__
from leukospect.data import EnergyWindow, Geometry, Image, Projections
from leukospect.dicom.write.derivation import begin_derived, read_source_headers, take_items
from leukospect.dicom.write.elements import UNITS, coded, decimal, decimals, patient_orientation_items
from leukospect.dicom.write.instances import array_digest, save_instance
from leukospect.dicom.write.nuclear import (
    add_frame_vectors,
    detector_item,
    energy_window_items,
    radiopharmaceutical_items,
    update_radiopharmaceutical,
)
from leukospect.dicom.write.pixels import RescaleRecord, add_frames, quantise
from leukospect.dicom.write.rotation import recover_rotation, rotation_item
from leukospect.errors import GeometryError, InputError
from leukospect.physics.nuclides import nuclide
from leukospect.physics.windows import find_photopeaks

__all__ = ["RescaleRecord", "write_reconstruction"]

# UCUM code, its meaning, and the nearest of the defined terms of Units (0054,1001).
_UNITS = {
    "Bq/mL": ("Bq/ml", "Becquerels/milliliter", "BQML"),
    "counts/s/mL": ("{counts}/s/mL", "Counts per second per milliliter", "PROPCPS"),
    "counts/view/mL": ("{counts}/mL", "Counts per view per milliliter", "PROPCNTS"),
}


def write_reconstruction(
    image: Image,
    path: Path,
    *,
    source: Projections | None,
    description: str,
    corrections: tuple[str, ...],
    settings_digest: str,
    calibrated: bool,
) -> RescaleRecord:
    """Write a reconstruction as one NM RECON TOMO file.

    Patient, study, equipment, radiopharmaceutical and rotation are those of the source's files; a source that is not
    DICOM gives an anonymous patient and a new study. Values are stored as uint16 with a Rescale Slope and a Real World
    Value Mapping of the very same numbers. Slices run so that Spacing Between Slices is positive: readers differ over
    negative ones.

    Parameters
    ----------
    image : Image, ``counts/s/mL`` or ``Bq/mL``
    path : Path
    source : Projections or None
        What it was reconstructed from; None where that is not known.
    description : str
        Series Description.
    corrections : tuple of str
        Defined terms of Corrected Image (0028,0051), as ``ATTN``, ``SCAT``, ``DECY``; the camera's own are added.
    settings_digest : str
        Digest of the settings it was made with; with the source it determines the Series Instance UID.
    calibrated : bool
        The values are activity concentrations; must agree with the unit.

    Returns
    -------
    RescaleRecord

    Raises
    ------
    InputError
        The unit is another or contradicts `calibrated`, a value is not finite, or a source file is gone.
    """
    if image.unit not in _UNITS or calibrated != (image.unit == "Bq/mL"):
        word = "a calibrated" if calibrated else "an uncalibrated"
        raise InputError(f"A reconstruction in '{image.unit}' cannot be written as {word} one.")
    header = None if source is None else source.header
    files = read_source_headers(() if header is None else header.sources)
    corrections = tuple(dict.fromkeys((*(header.corrections if header else ()), *corrections)))
    ds = begin_derived(
        files,
        header,
        content=array_digest(image.array if source is None else source.counts),
        description=description,
        derivation=_derivation(corrections, settings_digest),
        settings=(settings_digest, image.unit, *corrections),
    )
    ds.SOPClassUID = NuclearMedicineImageStorage
    ds.Modality = "NM"
    ds.ImageType = ["DERIVED", "PRIMARY", "RECON TOMO", "EMISSION"]
    ds.CountsAccumulated = None
    if corrections:
        ds.CorrectedImage = list(corrections)
    if image.geometry.frame_of_reference_uid:
        ds.FrameOfReferenceUID = image.geometry.frame_of_reference_uid
    first = files[0] if files else Dataset()
    _add_acquisition(ds, first, source)
    record = _add_volume(ds, image)
    ds.NumberOfDetectors = 1
    ds.DetectorInformationSequence = Sequence([_detector(first, source, image.geometry)])
    save_instance(ds, path)
    return record


def _derivation(corrections: tuple[str, ...], settings_digest: str) -> str:
    corrected = ", ".join(corrections) if corrections else "none"
    text = f"Reconstructed by leukospect {__version__}; corrections: {corrected}; settings {settings_digest}"
    return text[:1024]


def _add_acquisition(ds: Dataset, first: Dataset, source: Projections | None) -> None:
    """Say how the source was acquired: from its file where it is DICOM, else from the projections."""
    ds.NumberOfEnergyWindows = 1
    windows = () if source is None else _reconstructed_windows(source)
    ds.EnergyWindowInformationSequence = energy_window_items(windows)
    ds.RadiopharmaceuticalInformationSequence = _radiopharmaceuticals(first, source)
    rotations = take_items(first, "RotationInformationSequence") or _rotations(source)
    # Before the rotations: this one attribute of theirs may be in the detector's item only.
    heads = take_items(first, "DetectorInformationSequence")
    for item in rotations:
        if item.get("StartAngle") is None and heads and heads[0].get("StartAngle") is not None:
            item.StartAngle = heads[0].StartAngle
        if not item.get("ActualFrameDuration") and source is not None:
            # Required here; where the source lacks it this is the assumed duration, and Units says counts, not rates.
            item.ActualFrameDuration = round(float(source.view_duration_s[0]) * 1000.0)
    ds.NumberOfRotations = len(rotations)
    ds.RotationInformationSequence = Sequence(rotations)
    orientation, entry = (
        take_items(first, "PatientOrientationCodeSequence"),
        take_items(first, "PatientGantryRelationshipCodeSequence"),
    )
    if not orientation and source is not None:
        orientation, entry = (list(items) for items in patient_orientation_items(source.header.patient_position))
    ds.PatientOrientationCodeSequence = Sequence(orientation)
    ds.PatientGantryRelationshipCodeSequence = Sequence(entry)
    if "PatientPosition" in ds:
        del ds.PatientPosition  # NM says it in codes only


def _reconstructed_windows(source: Projections) -> tuple[EnergyWindow, ...]:
    """Give the photopeak windows as one window of one or several ranges; none where it cannot be told."""
    injected = source.header.radiopharmaceutical
    if len(source.energy_windows) == 1:
        return source.energy_windows
    if injected is None or injected.nuclide is None:
        return ()
    try:
        peaks = find_photopeaks(source.energy_windows, nuclide(injected.nuclide))
    except InputError:
        return ()
    chosen = [source.energy_windows[peak.peak] for peak in peaks]
    ranges = tuple(limits for window in chosen for limits in window.ranges_kev)
    return (EnergyWindow(ranges, " + ".join(window.name for window in chosen if window.name)),)


def _radiopharmaceuticals(first: Dataset, source: Projections | None) -> Sequence:
    known = None if source is None else source.header.radiopharmaceutical
    items = take_items(first, "RadiopharmaceuticalInformationSequence")
    if not items:
        return radiopharmaceutical_items(known)
    if known is not None:
        # What the reader checked, such as a dose in Bq or a time told by the user, stands over the file.
        update_radiopharmaceutical(items[0], known)
    return Sequence(items)


def _rotations(source: Projections | None) -> list[Dataset]:
    if source is None:
        return []
    try:
        return [rotation_item(recover_rotation(source, heads=1))]
    except (GeometryError, InputError):
        return []  # several heads or uneven views: the item has no room for them, and may be left out


def _add_volume(ds: Dataset, image: Image) -> RescaleRecord:
    frames, _ = _stacked_along_normal(image.geometry)
    stored, record = quantise(image.array[frames], image.unit)
    add_frame_vectors(ds, {"SliceVector": np.arange(1, stored.shape[0] + 1)})
    ds.NumberOfSlices = stored.shape[0]
    spacing = image.geometry.spacing_mm
    ds.SpacingBetweenSlices = decimal(spacing[0])
    ds.SliceThickness = decimal(spacing[0])
    add_frames(ds, stored, (spacing[1], spacing[2]))
    _add_scale(ds, record)
    return record


def _add_scale(ds: Dataset, record: RescaleRecord) -> None:
    value, meaning, term = _UNITS[record.unit]
    ds.RescaleIntercept, ds.RescaleSlope = decimal(record.intercept), decimal(record.slope)
    ds.RescaleType = "US"  # unspecified: the mapping below names the unit
    ds.Units = term
    mapping = Dataset()
    mapping.LUTExplanation = meaning
    mapping.LUTLabel = term
    mapping.add_new("RealWorldValueFirstValueMapped", "US", 0)
    mapping.add_new("RealWorldValueLastValueMapped", "US", 65535)
    mapping.RealWorldValueIntercept, mapping.RealWorldValueSlope = record.intercept, record.slope
    mapping.MeasurementUnitsCodeSequence = Sequence([coded(value, UNITS, meaning)])
    ds.RealWorldValueMappingSequence = Sequence([mapping])


def _stacked_along_normal(geometry: Geometry) -> tuple[slice, NDArray[np.float64]]:
    """Order the slices along the normal of rows and columns, and give the LPS place of the first pixel of the first."""
    k, j, i = geometry.affine[:3, :3].T
    if k @ np.cross(i, j) > 0:
        return slice(None), geometry.to_lps((0, 0, 0))
    return slice(None, None, -1), geometry.to_lps((geometry.shape[0] - 1, 0, 0))


def _detector(first: Dataset, source: Projections | None, geometry: Geometry) -> Dataset:
    """Make the one detector item: the first head's collimator, and the place of the volume's first pixel."""
    item = detector_item("" if source is None else source.header.collimator)
    for head in take_items(first, "DetectorInformationSequence")[:1]:
        for keyword in ("CollimatorGridName", "CollimatorType", "FieldOfViewShape", "FieldOfViewDimensions"):
            if keyword in head:
                item[keyword] = head[keyword]
    steps = geometry.affine[:3, :3] / np.array(geometry.spacing_mm)
    item.ImagePositionPatient = decimals(_stacked_along_normal(geometry)[1])
    item.ImageOrientationPatient = decimals([*steps[:, 2], *steps[:, 1]])
    return item
