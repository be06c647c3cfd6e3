"""What an acquisition's header says besides its pixels: radiopharmaceutical, patient position, energy windows."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from pydicom.dataset import Dataset

from leukospect.data import LIMITS_NOT_RECORDED_KEV, AcquisitionHeader, EnergyWindow, Kind, Radiopharmaceutical
from leukospect.dicom.elements import count, items, named, number, text, texts
from leukospect.dicom.read.times import acquisition_start, injection_moment, moment
from leukospect.errors import InputError

# DICOM PS3.16 CID 18; the older SNM3 and SRT designators share their code values.
_NUCLIDE_CODES = {
    "C-163A8": "Tc-99m",
    "C-145A4": "In-111",
    "C-111A1": "F-18",
    "72454006": "Tc-99m",
    "56609000": "In-111",
}
_NUCLIDE_WORDS = {
    "Tc-99m": re.compile(r"99\W*m\W*(tc\b|technet)|\b(tc|technetium)(\W+tc)?\W*99\W*m", re.IGNORECASE),
    "In-111": re.compile(r"111\W*(in\b|indium)|\b(in|indium)(\W+in)?\W*111", re.IGNORECASE),
    "F-18": re.compile(r"\b18\W*(f\b|fluor)|\b(f|fluorine)(\W+f)?\W*18\b", re.IGNORECASE),
}
# Codes of PS3.16 CID 19 and 21: (SRT, SCT); the words are for files whose codes are of another scheme.
_GANTRY = {"H": ("F-10470", "102540008"), "F": ("F-10480", "102541007")}
_MODIFIER = {"S": ("F-10340", "40199007"), "P": ("F-10310", "1240000")}
_LONG_VIEW_MS = 3.6e6
_IMPLAUSIBLE_MBQ = 1e5  # a hundred times any diagnostic dose: the value is in Bq

_FEW_MBQ = {"Tc-99m": 40.0, "In-111": 3.0}  # below any adult's dose, and above the same dose in mCi


def acquisition_header(
    dataset: Dataset, kind: Kind, assumptions: list[str], sources: Sequence[Path] = ()
) -> AcquisitionHeader:
    """Gather the header of an acquisition; `assumptions`, with those made here, become part of it."""
    start = acquisition_start(dataset, assumptions)
    radiopharmaceutical = read_radiopharmaceutical(dataset, start, assumptions) if kind != "CT" else None
    collimators = dict.fromkeys(
        text(head, "CollimatorGridName") for head in items(dataset, "DetectorInformationSequence")
    )
    return AcquisitionHeader(
        kind=kind,
        start=start,
        radiopharmaceutical=radiopharmaceutical,
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


def read_radiopharmaceutical(
    dataset: Dataset, start: datetime | None, assumptions: list[str]
) -> Radiopharmaceutical | None:
    """Read what was injected; None where nothing is recorded of it.

    The dose is MBq in nuclear medicine and Bq in PET (PS3.3 C.8.4.10, C.8.9.2). One that is impossible in MBq is in Bq;
    zero means not recorded.
    """
    given = items(dataset, "RadiopharmaceuticalInformationSequence")
    if not given:
        return None
    item = given[0]
    if len(given) > 1:
        assumptions.append(f"{len(given)} radiopharmaceuticals are recorded; the first is taken.")
    name = text(item, "Radiopharmaceutical")
    if not name:
        name = next((text(code, "CodeMeaning") for code in items(item, "RadiopharmaceuticalCodeSequence")), "")
    nuclide = _nuclide(item, name, assumptions)
    return Radiopharmaceutical(
        nuclide=nuclide,
        name=name,
        injection_time=injection_moment(item, start, assumptions, text(dataset, "TimezoneOffsetFromUTC")),
        dose_mbq=_dose_mbq(item, nuclide, text(dataset, "Modality") == "PT", assumptions),
        date_recorded=moment(text(item, "RadiopharmaceuticalStartDateTime")) is not None,
    )


def _nuclide(item: Dataset, name: str, assumptions: list[str]) -> str | None:
    for code in items(item, "RadionuclideCodeSequence"):
        known = _NUCLIDE_CODES.get(text(code, "CodeValue")) or _nuclide_in(text(code, "CodeMeaning"))
        if known:
            return known
    known = _nuclide_in(name)
    if known:
        assumptions.append(f"No radionuclide is coded; {known} is read from the radiopharmaceutical's name.")
    return known


def _nuclide_in(words: str) -> str | None:
    found = [nuclide for nuclide, pattern in _NUCLIDE_WORDS.items() if pattern.search(words)]
    return found[0] if len(found) == 1 else None


def _dose_mbq(item: Dataset, nuclide: str | None, in_becquerel: bool, assumptions: list[str]) -> float | None:
    dose = number(item, "RadionuclideTotalDose")
    if dose is None or dose <= 0:
        return None
    if in_becquerel:
        return dose / 1e6
    if dose > _IMPLAUSIBLE_MBQ:
        if dose / 1e6 > _IMPLAUSIBLE_MBQ:
            assumptions.append(f"The dose of {dose:g} can be neither MBq nor Bq; it is taken as not recorded.")
            return None
        assumptions.append(f"The dose of {dose:g} cannot be in MBq; it is taken as Bq, {dose / 1e6:g} MBq.")
        return dose / 1e6
    if dose < _FEW_MBQ.get(nuclide or "", _FEW_MBQ["In-111"]):
        assumptions.append(f"The dose of {dose:g} is taken as MBq, as the standard has it; it would be usual in mCi.")
    return dose


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
    assumptions.append(
        f"{named('ActualFrameDuration')} is missing; 1 s is taken, so rates are counts per view and not per second."
    )
    return None
