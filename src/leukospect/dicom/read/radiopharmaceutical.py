"""What was injected: nuclide, compound, dose and time; of two, which are the leukocytes."""

from __future__ import annotations

import re
from datetime import datetime

from pydicom.dataset import Dataset

from leukospect.data import Radiopharmaceutical, Tracer
from leukospect.dicom.elements import items, number, text
from leukospect.dicom.read.times import injection_moment, moment
from leukospect.physics.tracers import tracer_called

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
_OTHER_ELEMENTS = {
    "I": "iodine", "Tl": "thall?ium", "Ga": "gallium", "Lu": "lutetium", "Y": "yttrium", "Xe": "xenon",
    "Sm": "samarium",
    "Ra": "radium", "C": "carbon", "N": "nitrogen", "O": "oxygen", "Rb": "rubidium", "Zr": "zirconium", "Cu": "copper",
    "Cr": "chromium", "Co": "cobalt", "Se": "selenium", "Ac": "actinium", "P": "phosphorus", "Sr": "strontium",
}  # fmt: skip
_OTHER_NUCLIDES = {
    symbol: re.compile(
        rf"\b(\d{{2,3}})\W*({symbol}|{name})\b|\b({symbol}|{name})(?:\W+{symbol})?\W*(\d{{2,3}})\b", re.IGNORECASE
    )
    for symbol, name in _OTHER_ELEMENTS.items()
}
_IMPLAUSIBLE_MBQ = 1e5  # a hundred times any diagnostic dose: the value is in Bq
_FEW_MBQ = {"Tc-99m": 40.0, "In-111": 3.0}  # below any adult's dose, and above the same dose in mCi


def read_radiopharmaceuticals(
    dataset: Dataset, start: datetime | None, assumptions: list[str]
) -> tuple[Radiopharmaceutical, ...]:
    """Read what was injected, labelled leukocytes first; empty where nothing is recorded of it.

    An item that says the same as another, as some cameras write for each energy window, is taken once.

    Parameters
    ----------
    dataset : Dataset
    start : datetime or None
        When counting began.
    assumptions : list of str
        What was assumed is added to it.

    Notes
    -----
    The dose is MBq in nuclear medicine and Bq in PET (PS3.3 C.8.4.10, C.8.9.2). One that is impossible in MBq is in Bq;
    zero means not recorded.
    """
    found: dict[tuple[str | None, str], Radiopharmaceutical] = {}
    for item in items(dataset, "RadiopharmaceuticalInformationSequence"):
        said: list[str] = []
        one = _radiopharmaceutical(dataset, item, start, said)
        if (one.nuclide, one.name) not in found:
            found[one.nuclide, one.name] = one
            assumptions += said
    ordered = sorted(found.values(), key=lambda one: one.tracer != "leukocytes")
    if len(ordered) > 1:
        why = "the labelled leukocytes are" if ordered[0].tracer == "leukocytes" else "the first is"
        assumptions.append(f"{len(ordered)} radiopharmaceuticals are recorded; {why} taken.")
    return tuple(ordered)


def _radiopharmaceutical(
    dataset: Dataset, item: Dataset, start: datetime | None, assumptions: list[str]
) -> Radiopharmaceutical:
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
        tracer=_tracer(name, text(dataset, "SeriesDescription"), assumptions),
    )


def _tracer(name: str, description: str, assumptions: list[str]) -> Tracer:
    """Tell what the compound is, by its name, else by what the camera called the series."""
    known = tracer_called(name)
    if known == "unknown":
        known = tracer_called(description)
        if known == "colloid":
            assumptions.append("The compound is taken as a marrow colloid by the series description.")
    return known


def _nuclide(item: Dataset, name: str, assumptions: list[str]) -> str | None:
    coded = items(item, "RadionuclideCodeSequence")
    for code in coded:
        known = _NUCLIDE_CODES.get(text(code, "CodeValue")) or _nuclide_in(text(code, "CodeMeaning"))
        known = known or _other_nuclide_in(text(code, "CodeMeaning"))
        if known:
            return known
    known = _nuclide_in(name)
    if known:
        assumptions.append(f"No radionuclide is coded; {known} is read from the radiopharmaceutical's name.")
    elif coded:
        assumptions.append("The radionuclide is coded in a way that is not known here.")
    return known


def _nuclide_in(words: str) -> str | None:
    found = [nuclide for nuclide, pattern in _NUCLIDE_WORDS.items() if pattern.search(words)]
    return found[0] if len(found) == 1 else None


def _other_nuclide_in(words: str) -> str | None:
    """Name a nuclide that this program does not image, so that it is refused by its name, not taken as unknown."""
    for symbol, pattern in _OTHER_NUCLIDES.items():
        found = pattern.search(words)
        if found:
            return f"{symbol}-{found.group(1) or found.group(4)}"
    return None


def _dose_mbq(item: Dataset, nuclide: str | None, in_becquerel: bool, assumptions: list[str]) -> float | None:
    dose = number(item, "RadionuclideTotalDose")
    if dose is not None and dose < 0:
        assumptions.append(f"The dose of {dose:g} is negative; it is taken as not recorded.")
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
