"""DICOM values: decimal strings, dates and times, coded concepts."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.valuerep import DSfloat, format_number_as_ds

from leukospect.errors import InputError

SNOMED = "SCT"
DICOM_TERMS = "DCM"
UNITS = "UCUM"

# PS3.16 CID 18, the nuclides that single-photon cameras see.
_NUCLIDE_CODES = {
    "Tc-99m": ("72454006", "^99m^Technetium"),
    "In-111": ("56609000", "^111^Indium"),
    "I-123": ("21572004", "^123^Iodine"),
    "I-131": ("1368003", "^131^Iodine"),
    "Ga-67": ("2008008", "^67^Gallium"),
    "Tl-201": ("60057003", "^201^Thallium"),
    "Lu-177": ("447553000", "^177^Lutetium"),
}


def decimal(value: float) -> DSfloat:
    """Make a decimal string (DS) of at most 16 characters, without a negative zero."""
    return DSfloat(format_number_as_ds(float(value) + 0.0))


def decimals(values: Iterable[float]) -> list[DSfloat]:
    """Make a multi-valued decimal string."""
    return [decimal(value) for value in values]


def dicom_date(moment: datetime) -> str:
    """Make a date (DA)."""
    return moment.strftime("%Y%m%d")


def dicom_time(moment: datetime) -> str:
    """Make a time (TM), with a fraction of a second only where there is one."""
    return moment.strftime("%H%M%S.%f") if moment.microsecond else moment.strftime("%H%M%S")


def coded(value: str, scheme: str, meaning: str) -> Dataset:
    """Make an item of a code sequence."""
    item = Dataset()
    item.CodeValue = value
    item.CodingSchemeDesignator = scheme
    item.CodeMeaning = meaning
    return item


def nuclide_item(nuclide: str) -> Dataset:
    """Make the coded concept of a radionuclide named as ``Tc-99m``.

    Raises
    ------
    InputError
        No code is known for it.
    """
    if nuclide not in _NUCLIDE_CODES:
        raise InputError(f"No DICOM code is known here for '{nuclide}'; known are {', '.join(_NUCLIDE_CODES)}.")
    value, meaning = _NUCLIDE_CODES[nuclide]
    return coded(value, SNOMED, meaning)


def patient_orientation_items(patient_position: str) -> tuple[Sequence, Sequence]:
    """Make Patient Orientation and Patient Gantry Relationship (PS3.16 CID 19 to 21); empty where nothing is known.

    Parameters
    ----------
    patient_position : ``HFS``, ``HFP``, ``FFS``, ``FFP`` or empty

    Raises
    ------
    InputError
        Another position.
    """
    if not patient_position:
        return Sequence(), Sequence()
    if patient_position not in {"HFS", "HFP", "FFS", "FFP"}:
        raise InputError(f"The patient position '{patient_position}' is not HFS, HFP, FFS or FFP.")
    orientation = coded("102538003", SNOMED, "recumbent")
    facing = ("1240000", SNOMED, "prone") if patient_position.endswith("P") else ("40199007", SNOMED, "supine")
    orientation.PatientOrientationModifierCodeSequence = Sequence([coded(*facing)])
    headfirst = patient_position.startswith("H")
    entry = ("102540008", SNOMED, "headfirst") if headfirst else ("102541007", SNOMED, "feet-first")
    return Sequence([orientation]), Sequence([coded(*entry)])
