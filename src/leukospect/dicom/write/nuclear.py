"""Parts that every nuclear medicine image has: windows, radiopharmaceutical, patient orientation, frame vectors."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from pydicom.datadict import tag_for_keyword
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.tag import Tag
from pydicom.uid import NuclearMedicineImageStorage

from leukospect.data import AcquisitionHeader, EnergyWindow, Radiopharmaceutical
from leukospect.dicom.write.elements import (
    decimal,
    dicom_date,
    dicom_time,
    nuclide_item,
    patient_orientation_items,
)
from leukospect.errors import InputError

# Parallel holes are all this project knows of; a converging collimator would need another system model.
PARALLEL = "PARA"


def energy_window_items(windows: tuple[EnergyWindow, ...]) -> Sequence:
    """Make the Energy Window Information Sequence."""
    items = []
    for window in windows:
        item = Dataset()
        ranges = []
        for lower, upper in window.ranges_kev:
            limits = Dataset()
            limits.EnergyWindowLowerLimit, limits.EnergyWindowUpperLimit = decimal(lower), decimal(upper)
            ranges.append(limits)
        item.EnergyWindowRangeSequence = Sequence(ranges)
        if window.name:
            item.EnergyWindowName = window.name[:16]
        items.append(item)
    return Sequence(items)


def radiopharmaceutical_items(radiopharmaceutical: Radiopharmaceutical | None, *more: Radiopharmaceutical) -> Sequence:
    """Make the Radiopharmaceutical Information Sequence, dose in MBq (PS3.3 C.8.4.10); empty where nothing is known."""
    items = []
    for known in (radiopharmaceutical, *more):
        if known is not None:
            items.append(Dataset())
            update_radiopharmaceutical(items[-1], known)
    return Sequence(items)


def update_radiopharmaceutical(item: Dataset, known: Radiopharmaceutical) -> None:
    """Put what is known of the radiopharmaceutical into an item, over what it said; what is unknown is left."""
    if known.nuclide is not None:
        item.RadionuclideCodeSequence = Sequence([nuclide_item(known.nuclide)])
    elif "RadionuclideCodeSequence" not in item:
        item.RadionuclideCodeSequence = Sequence()
    if known.name:
        item.Radiopharmaceutical = known.name[:64]
    if known.injection_time is not None:
        moment = known.injection_time
        item.RadiopharmaceuticalStartTime = dicom_time(moment)
        # The time alone does not say on which day; with late images it is another day than the acquisition's.
        item.RadiopharmaceuticalStartDateTime = dicom_date(moment) + dicom_time(moment)
    if known.dose_mbq is not None:
        item.RadionuclideTotalDose = decimal(known.dose_mbq)


def add_nuclear_medicine(dataset: Dataset, header: AcquisitionHeader, windows: tuple[EnergyWindow, ...]) -> None:
    """Fill in what an emission image made by a gamma camera says besides its frames.

    Raises
    ------
    InputError
        Other frames than of `header.kind` TOMO or STATIC, or a nuclide or patient position without a code.
    """
    if header.kind not in {"TOMO", "STATIC"}:
        raise InputError(f"Only TOMO and STATIC acquisitions are written, not {header.kind}.")
    dataset.SOPClassUID = NuclearMedicineImageStorage
    dataset.ImageType = ["ORIGINAL", "PRIMARY", header.kind, "EMISSION"]
    dataset.NumberOfEnergyWindows = len(windows)
    dataset.EnergyWindowInformationSequence = energy_window_items(windows)
    dataset.RadiopharmaceuticalInformationSequence = radiopharmaceutical_items(
        header.radiopharmaceutical, *header.other_radiopharmaceuticals
    )
    if header.corrections:
        dataset.CorrectedImage = list(header.corrections)
    orientation, entry = patient_orientation_items(header.patient_position)
    dataset.PatientOrientationCodeSequence, dataset.PatientGantryRelationshipCodeSequence = orientation, entry


def detector_item(collimator: str) -> Dataset:
    """Begin an item of the Detector Information Sequence."""
    item = Dataset()
    if collimator:
        item.CollimatorGridName = collimator[:16]
    item.CollimatorType = PARALLEL
    return item


def add_frame_vectors(dataset: Dataset, vectors: Mapping[str, NDArray[np.integer]]) -> None:
    """Write frame vectors and point to them, the slowest first (PS3.3 C.8.4.8).

    Parameters
    ----------
    dataset : Dataset
    vectors : keyword to (frames,) array
        Numbers counted from 1.
    """
    dataset.FrameIncrementPointer = [Tag(tag_for_keyword(keyword) or 0) for keyword in vectors]
    for keyword, values in vectors.items():
        setattr(dataset, keyword, [int(value) for value in values])
