"""What an acquisition's header says besides its pixels: radiopharmaceutical, patient position, energy windows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pydicom.dataset import Dataset

from leukospect.data import LIMITS_NOT_RECORDED_KEV, AcquisitionHeader, EnergyWindow, Kind
from leukospect.data.header import DURATION_ASSUMED
from leukospect.dicom.elements import count, items, named, number, text, texts
from leukospect.dicom.read.radiopharmaceutical import read_radiopharmaceuticals
from leukospect.dicom.read.times import acquisition_start
from leukospect.errors import InputError

# Codes of PS3.16 CID 19 and 21: (SRT, SCT); the words are for files whose codes are of another scheme.
_GANTRY = {"H": ("F-10470", "102540008"), "F": ("F-10480", "102541007")}
_MODIFIER = {"S": ("F-10340", "40199007"), "P": ("F-10310", "1240000")}
_LONG_VIEW_MS = 3.6e6


def acquisition_header(
    dataset: Dataset, kind: Kind, assumptions: list[str], sources: Sequence[Path] = ()
) -> AcquisitionHeader:
    """Gather the header of an acquisition; `assumptions`, with those made here, become part of it."""
    start = acquisition_start(dataset, assumptions)
    injected = () if kind == "CT" else read_radiopharmaceuticals(dataset, start, assumptions)
    collimators = dict.fromkeys(
        text(head, "CollimatorGridName") for head in items(dataset, "DetectorInformationSequence")
    )
    if text(dataset, "LossyImageCompression") == "01":
        assumptions.append("The pixels were once compressed with loss; counts and CT numbers are no longer exact.")
    return AcquisitionHeader(
        kind=kind,
        start=start,
        radiopharmaceutical=injected[0] if injected else None,
        collimator=" / ".join(name for name in collimators if name) or text(dataset, "CollimatorGridName"),
        manufacturer=text(dataset, "Manufacturer"),
        model=text(dataset, "ManufacturerModelName"),
        description=text(dataset, "SeriesDescription"),
        frame_of_reference_uid=text(dataset, "FrameOfReferenceUID") or None,
        patient_position=patient_position(dataset),
        corrections=texts(dataset, "CorrectedImage"),
        study_uid=text(dataset, "StudyInstanceUID"),
        series_uid=text(dataset, "SeriesInstanceUID"),
        sources=tuple(sources),
        assumptions=tuple(dict.fromkeys(assumptions)),
        other_radiopharmaceuticals=injected[1:],
    )


def _is(item: Dataset, codes: tuple[str, ...], *words: str) -> bool:
    meaning = text(item, "CodeMeaning").lower().replace("-", " ").replace("headfirst", "head first")
    return text(item, "CodeValue") in codes or any(word in meaning for word in words)


def patient_position(dataset: Dataset) -> str:
    """Tell how the patient lay: ``HFS``, ``HFP``, ``FFS``, ``FFP``, or empty where none of them is recorded."""
    direct = text(dataset, "PatientPosition").upper()
    if direct in ("HFS", "HFP", "FFS", "FFP"):
        return direct
    entry = next(iter(items(dataset, "PatientGantryRelationshipCodeSequence")), Dataset())
    orientation = next(iter(items(dataset, "PatientOrientationCodeSequence")), Dataset())
    modifier = next(iter(items(orientation, "PatientOrientationModifierCodeSequence")), Dataset())
    first = "H" * _is(entry, _GANTRY["H"], "head first") or "F" * _is(entry, _GANTRY["F"], "feet first")
    second = "S" * _is(modifier, _MODIFIER["S"], "supine") or "P" * _is(modifier, _MODIFIER["P"], "prone")
    return f"{first}F{second}" if first and second else ""


def energy_windows(dataset: Dataset, assumptions: list[str]) -> tuple[EnergyWindow, ...]:
    """Read the energy windows, each with one or several ranges.

    Raises
    ------
    InputError
        The number of windows and their descriptions differ.
    """
    number_of_windows = count(dataset, "NumberOfEnergyWindows")
    described = items(dataset, "EnergyWindowInformationSequence")
    if described and len(described) != number_of_windows:
        raise InputError(
            f"{named('NumberOfEnergyWindows')} is {number_of_windows}, but {len(described)} windows are described."
        )
    windows = []
    for index in range(number_of_windows):
        item = described[index] if described else Dataset()
        ranges = [
            (lower, upper)
            for part in items(item, "EnergyWindowRangeSequence")
            if (lower := number(part, "EnergyWindowLowerLimit")) is not None
            and (upper := number(part, "EnergyWindowUpperLimit")) is not None
        ]
        if ranges:
            windows.append(EnergyWindow(tuple(ranges), text(item, "EnergyWindowName")))
        else:
            assumptions.append(f"The limits of energy window {index + 1} are not recorded.")
            windows.append(EnergyWindow(LIMITS_NOT_RECORDED_KEV, "not recorded"))
    return tuple(windows)


def frame_duration_s(dataset: Dataset, assumptions: list[str], *, otherwise: Dataset | None = None) -> float | None:
    """Give Actual Frame Duration in seconds, from `dataset` or else from `otherwise`; None, said, where none has it."""
    for place in (dataset, otherwise):
        duration = number(place, "ActualFrameDuration") if place is not None else None
        if duration is not None and duration > 0:
            if duration > _LONG_VIEW_MS:
                assumptions.append(
                    f"{named('ActualFrameDuration')} of {duration / 1000.0:g} s a view is implausibly long; it is "
                    "taken as recorded, in ms."
                )
            return duration / 1000.0
    written = any(number(place, "ActualFrameDuration") is not None for place in (dataset, otherwise or dataset))
    found = "not positive" if written else "missing"
    assumptions.append(f"{named('ActualFrameDuration')} is {found}; {DURATION_ASSUMED}")
    return None
