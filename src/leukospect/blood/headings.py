"""Which column is what: headings as people write them, with the unit that stands in them."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from leukospect.blood.count_units import PER_CENT, factor_to_10e9_per_litre, is_per_cent

COUNTS = ("wbc", "neutrophils", "lymphocytes", "platelets")
INDICES = ("nlr", "plr", "sii")
_SYNONYMS = {
    "patient": "patient patientid patientno patientnumber id case caseid caseno subject subjectid pseudonym label code",
    "flag": "flag group scan scanflag scanresult flagofscan result finding scintigraphy",
    "results": "results resultsfolder resultsdir resultsjson run runfolder resultspath",
    "study": "study studyname studyfolder",
    "wbc": "wbc wbcs wbccount wcc leukocytes leucocytes leukocyte leucocyte leukocytecount leucocytecount leukozyten "
    "leu leuko whitebloodcells whitebloodcell whitebloodcellcount whitecells whitecellcount totalleukocytes "
    "totalleucocytes",
    "neutrophils": "neutrophils neutrophil neutrophilcount neutrophilscount neutrophile neutrophilen n ne neu neut "
    "neuts anc absoluteneutrophilcount absoluteneutrophils",
    "lymphocytes": "lymphocytes lymphocyte lymphocytecount lymphocytescount lymphozyten l ly lym lymph lymphs alc "
    "absolutelymphocytecount absolutelymphocytes",
    "platelets": "platelets platelet plateletcount plateletscount p plt plts thrombocytes thrombocyte thrombozyten "
    "thrombocytecount",
    "haemoglobin": "haemoglobin hemoglobin hgb hb haemoglobine",
    "crp": "crp creactiveprotein hscrp",
    "esr": "esr sedimentation sedimentationrate erythrocytesedimentationrate bsg bsr",
    "age": "age ageyears",
    "nlr": "nlr neutrophillymphocyteratio neutrophiltolymphocyteratio",
    "plr": "plr plateletlymphocyteratio platelettolymphocyteratio",
    "sii": "sii systemicimmuneinflammationindex",
}
_MEANINGS = {word: meaning for meaning, words in _SYNONYMS.items() for word in words.split()}
_IDENTIFYING = re.compile(
    r"name|birth|dob|address|phone|mail|mrn|passport|insurance|date|time|comment|remark|note|doctor|physician|hospital"
)
_NO_UNIT = frozenset({"abs", "absolute", "count", "#", "n", ""})


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading understood.

    Parameters
    ----------
    text : str
        As it stands in the table.
    meaning : str
        One of the names above, or empty for a column of another kind.
    unit : str
        Told in it; empty where none is.
    """

    text: str
    meaning: str
    unit: str

    @property
    def identifying(self) -> bool:
        """Whether it may hold what tells who a patient is: a name, a date, free text."""
        return not self.meaning and bool(_IDENTIFYING.search(self.text.casefold()))


def heading(text: str) -> Heading:
    """Understand a heading such as ``Neutrophils (10^9/L)``, ``NEU#``, ``LYM %``, ``wbc [/µL]`` or ``PLT 10^3/uL``."""
    name, unit = _apart(text.strip())
    meaning = _MEANINGS.get(letters(name), "")
    if meaning in COUNTS and is_per_cent(unit):
        return Heading(text, "", PER_CENT)
    return Heading(text, meaning, unit)


def letters(text: str) -> str:
    """Give the letters and digits of a text in lower case, without accents."""
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return "".join(c for c in decomposed if c.isascii() and c.isalnum())


def _apart(text: str) -> tuple[str, str]:
    bracketed = re.fullmatch(r"(.*?)\s*[(\[]\s*([^()\[\]]*?)\s*[)\]]", text)
    if bracketed:
        name, unit = bracketed.group(1), bracketed.group(2)
    elif text.endswith(PER_CENT):
        name, unit = text.removesuffix(PER_CENT), PER_CENT
    else:
        name, unit = _unbracketed(text)
    return name.removesuffix("#").strip(), "" if unit.casefold() in _NO_UNIT else unit


def _unbracketed(text: str) -> tuple[str, str]:
    """Take `PLT 10^3/uL` apart: what follows a known name and is a unit of counts."""
    for gap in re.finditer(r"[\s,_]+", text):
        name, unit = text[: gap.start()], text[gap.end() :]
        known = _MEANINGS.get(letters(name), "") in COUNTS
        if known and (factor_to_10e9_per_litre(unit) is not None or is_per_cent(unit)):
            return name, unit
    return text, ""
