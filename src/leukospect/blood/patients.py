"""The patients of a blood table: their counts in 10^9/L, checked, and the flag of each one's scan."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from leukospect.blood.count_units import KNOWN, PER_CENT, factor_to_10e9_per_litre
from leukospect.blood.headings import COUNTS, Heading, heading
from leukospect.blood.indices import INDEX_UNITS, Float64, blood_indices
from leukospect.blood.other_columns import Category, Marker, other_columns
from leukospect.blood.text_table import TextTable, is_missing
from leukospect.errors import AssumptionWarning, InputError, MissingInformationError
from leukospect.interpretation.flag import FlagValue

CONVENTION = (
    "Total leukocytes (WBC) stand in the neutrophils' place, as --neutrophils-are-wbc asks: NLR and SII are those of "
    "the source paper's convention (doi:10.47582/jompac.1307746), not neutrophils to lymphocytes."
)
_PLAUSIBLE = {
    "wbc": (0.1, 500.0),
    "neutrophils": (0.01, 500.0),
    "lymphocytes": (0.01, 500.0),
    "platelets": (1.0, 5000.0),
}
# What both make up of 100 leukocytes; as counts, 10^9/L, a single patient may have as many.
_SHARES, _MOSTLY_SHARES = {"percentages": (50.0, 100.5), "fractions": (0.5, 1.005)}, 0.5
_NAMES = {"wbc": "WBC", "neutrophils": "neutrophils", "lymphocytes": "lymphocytes", "platelets": "platelets"}
_FLAG_WORDS: dict[str, FlagValue] = {
    **dict.fromkeys(("positive", "pos", "+", "positiv", "positif"), "positive"),
    **dict.fromkeys(("negative", "neg", "-", "−", "–", "negativ", "negatif"), "negative"),
    **dict.fromkeys(("equivocal", "indeterminate", "doubtful", "eq"), "equivocal"),
    **dict.fromkeys(("not assessable", "not_assessable"), "not assessable"),
}


@dataclass(frozen=True, slots=True, eq=False)
class Patients:
    """Patients, one a row, in the table's order.

    Parameters
    ----------
    row_numbers : tuple of int
        As a spreadsheet counts them.
    labels : tuple of str
        Pseudonyms; empty where the table has none.
    flags : tuple of FlagValue, or None
        None where nothing tells them.
    markers : tuple of Marker
        Indices first, then counts in 10^9/L, then the table's other numbers.
    categories : tuple of Category
    neutrophils_are_wbc : bool
        Total leukocytes stand in the neutrophils' place.
    """

    row_numbers: tuple[int, ...]
    labels: tuple[str, ...]
    flags: tuple[FlagValue, ...] | None
    markers: tuple[Marker, ...]
    categories: tuple[Category, ...]
    neutrophils_are_wbc: bool


def flag_of_word(word: str) -> FlagValue | None:
    """Understand the word for a scan's flag; None where it is none of them."""
    return _FLAG_WORDS.get(" ".join(word.split()).casefold())


def columns_by_meaning(table: TextTable) -> dict[str, int]:
    """Find the columns that are understood.

    Raises
    ------
    InputError
        Two columns mean the same, or have the same heading.
    """
    found: dict[str, int] = {}
    texts: set[str] = set()
    for index, text in enumerate(table.header):
        understood = heading(text)
        meaning = understood.meaning
        if meaning in found:
            raise InputError(
                f"Columns '{table.header[found[meaning]]}' and '{text}' are both {meaning}; keep one, or rename "
                "the other."
            )
        if text.casefold() in texts:
            raise InputError(f"Two columns have the heading '{text}'; keep one, or name them apart.")
        texts.add(text.casefold())
        if meaning:
            found[meaning] = index
    return found


def patients_of(
    table: TextTable, *, neutrophils_are_wbc: bool = False, results_flags: Sequence[FlagValue | None] | None = None
) -> Patients:
    """Take a table to its patients.

    Parameters
    ----------
    table : TextTable
    neutrophils_are_wbc : bool
        Put WBC in the neutrophils' place; a column of neutrophils is then not used.
    results_flags : sequence of FlagValue or None, optional
        Of each row, what the scan's results say; None where the row names none.

    Raises
    ------
    InputError
        A value cannot be, is missing or not plausible; the sentence names its row.
    MissingInformationError
        A column that the indices need is missing.
    """
    columns = columns_by_meaning(table)
    labels = _labels(table, columns)
    flags = _flags(table, columns, results_flags)
    counts = _counts(table, columns, neutrophils_are_wbc)
    neutrophils = counts["wbc"] if neutrophils_are_wbc else counts["neutrophils"]
    _refuse_impossible(table, counts, neutrophils_are_wbc)
    indices = blood_indices(neutrophils, counts["lymphocytes"], counts["platelets"])
    own = [Marker(name, INDEX_UNITS[name], values) for name, values in indices.items()]
    own += [Marker(_NAMES[name], "10^9/L", counts[name]) for name in COUNTS if name in counts]
    markers, categories = other_columns(table, taken=(*columns_used(columns),))
    return Patients(
        table.row_numbers, labels, flags, (*own, *markers), categories, neutrophils_are_wbc=neutrophils_are_wbc
    )


def columns_used(columns: Mapping[str, int]) -> list[int]:
    """List the columns that are no further markers: labels, flags, counts, and indices that are computed anew."""
    own = ("patient", "flag", "results", "study", *COUNTS)
    return [index for meaning, index in columns.items() if meaning in own or meaning.upper() in INDEX_UNITS]


def _labels(table: TextTable, columns: Mapping[str, int]) -> tuple[str, ...]:
    if "patient" not in columns:
        return ("",) * len(table.rows)
    index = columns["patient"]
    first: dict[str, int] = {}
    labels = [" ".join(cell.split()) for cell in table.column(index)]
    for row, label in enumerate(labels):
        if is_missing(label):
            raise InputError(f"{table.place(row)}: '{table.header[index]}' is missing; every patient needs a label.")
        before = first.setdefault(label.casefold(), row)
        if before != row:
            raise InputError(
                f"{table.place(row)} has the same patient as row {table.row_numbers[before]}; keep one row a patient."
            )
    return tuple(labels)


def _flags(
    table: TextTable, columns: Mapping[str, int], results_flags: Sequence[FlagValue | None] | None
) -> tuple[FlagValue, ...] | None:
    if "flag" not in columns and results_flags is None:
        warnings.warn(
            "No column tells the scan's flag (flag, group, scan or results), so there are indices but no group "
            "statistics.",
            AssumptionWarning,
            stacklevel=3,
        )
        return None
    told = [""] * len(table.rows) if "flag" not in columns else table.column(columns["flag"])
    flags: list[FlagValue] = []
    for row, word in enumerate(told):
        flag = flag_of_word(word)
        measured = results_flags[row] if results_flags is not None else None
        if word.strip() and flag is None:
            raise InputError(
                f"{table.place(row)}: '{table.header[columns['flag']]}' is none of positive, negative, equivocal and "
                "not assessable; write one of these."
            )
        if flag is not None and measured is not None and flag != measured:
            raise InputError(f"{table.place(row)} says {flag}, but the results it names say {measured}; keep one.")
        found = flag or measured
        if found is None:
            raise InputError(
                f"{table.place(row)} has no flag; write positive, negative, equivocal or not assessable, or take the "
                "row out."
            )
        flags.append(found)
    return tuple(flags)


def _counts(table: TextTable, columns: Mapping[str, int], neutrophils_are_wbc: bool) -> dict[str, Float64]:
    needed = ("wbc" if neutrophils_are_wbc else "neutrophils", "lymphocytes", "platelets")
    missing = [name for name in needed if name not in columns]
    if missing:
        raise MissingInformationError(_missing_columns(table, missing))
    wanted = [name for name in COUNTS if name in columns]
    if neutrophils_are_wbc:
        warnings.warn(CONVENTION, AssumptionWarning, stacklevel=3)
        if "neutrophils" in wanted:
            wanted.remove("neutrophils")
            warnings.warn(
                f"The column '{table.header[columns['neutrophils']]}' was not used, nor compared with WBC.",
                AssumptionWarning,
                stacklevel=3,
            )
    elif "wbc" not in wanted:
        warnings.warn(
            "The table has no WBC, so neutrophils and lymphocytes could not be compared with the leukocytes they are "
            "part of.",
            AssumptionWarning,
            stacklevel=3,
        )
    counts = {name: _count(table, columns[name], name) for name in wanted}
    _refuse_shares(table, columns, counts)
    untold = [table.header[columns[name]] for name in wanted if not heading(table.header[columns[name]]).unit]
    if untold:
        warnings.warn(
            f"No unit is told of {', '.join(untold)}; the counts are taken as 10^9/L, for which all are plausible.",
            AssumptionWarning,
            stacklevel=3,
        )
    return counts


def _refuse_shares(table: TextTable, columns: Mapping[str, int], counts: Mapping[str, Float64]) -> None:
    """Refuse neutrophils and lymphocytes that are shares of the leukocytes: only their sums show it."""
    if not {"neutrophils", "lymphocytes"} <= set(counts) or any(
        heading(table.header[columns[name]]).unit for name in ("neutrophils", "lymphocytes")
    ):
        return
    sums = counts["neutrophils"] + counts["lymphocytes"]
    for kind, (least, most) in _SHARES.items():
        if np.mean((sums >= least) & (sums <= most)) > _MOSTLY_SHARES:
            raise InputError(
                f"Neutrophils and lymphocytes add up to {sums.min():.3g} to {sums.max():.3g} in the rows of the table, "
                f"as {kind} of the leukocytes do; give counts, or tell their unit in the headings, such as "
                "'neutrophils (10^9/L)'."
            )


def _missing_columns(table: TextTable, missing: Sequence[str]) -> str:
    shares = [text for text in table.header if heading(text).unit == PER_CENT]
    hint = f" Columns in per cent ({', '.join(shares)}) are no counts." if shares else ""
    return (
        f"The table has no column of {', '.join(missing)} that could be recognised; its headings are "
        f"{', '.join(repr(text[:40]) for text in table.header[:20])}.{hint} Add one in 10^9/L, such as '{missing[0]} "
        "(10^9/L)'; WBC in the neutrophils' place takes --neutrophils-are-wbc."
    )


def _count(table: TextTable, index: int, name: str) -> Float64:
    """Read a column of counts, 10^9/L, and refuse what no patient's blood holds."""
    understood = heading(table.header[index])
    factor = _factor(understood)
    values = np.empty(len(table.rows))
    for row, value in enumerate(table.numbers(index)):
        if value is None:
            raise InputError(f"{table.place(row)}: {_NAMES[name]} is missing; fill it in, or take the row out.")
        if value < 0:
            raise InputError(f"{table.place(row)}: {_NAMES[name]} is negative ({value:g}); a count cannot be.")
        if value == 0 and name == "lymphocytes":
            raise InputError(
                f"{table.place(row)}: lymphocytes are 0, and nothing can be divided by them; correct the row."
            )
        values[row] = value * factor
        low, high = _PLAUSIBLE[name]
        if not low <= values[row] <= high:
            raise InputError(
                f"{table.place(row)}: {_NAMES[name]} of {value:g}{_in_unit(understood)} is not plausible, as it should "
                f"lie within {low:g} and {high:g} x 10^9/L; correct it, or tell its unit in the heading, such as "
                f"'{_NAMES[name]} (/uL)'."
            )
    return values


def _factor(understood: Heading) -> float:
    if not understood.unit:
        return 1.0
    factor = factor_to_10e9_per_litre(understood.unit)
    if factor is None:
        raise InputError(
            f"The unit in the heading '{understood.text}' is not one of counts; write one such as {KNOWN}."
        )
    return factor


def _in_unit(understood: Heading) -> str:
    return f" {understood.unit}" if understood.unit else ", taken as 10^9/L since its heading tells no unit,"


def _refuse_impossible(table: TextTable, counts: Mapping[str, Float64], neutrophils_are_wbc: bool) -> None:
    """Refuse parts that are more than the whole."""
    if "wbc" not in counts:
        return
    for row, wbc in enumerate(counts["wbc"]):
        lymphocytes = counts["lymphocytes"][row]
        neutrophils = 0.0 if neutrophils_are_wbc else counts["neutrophils"][row]
        if neutrophils + lymphocytes > wbc * (1 + 1e-9):
            parts = f"lymphocytes ({lymphocytes:g})"
            hint = ""
            if not neutrophils_are_wbc:
                parts = f"neutrophils ({neutrophils:g}) and lymphocytes ({lymphocytes:g}) together"
                hint = "; where WBC was put in the neutrophils' place on purpose, say so with --neutrophils-are-wbc"
            raise InputError(
                f"{table.place(row)}: {parts} are more than WBC ({wbc:g}), all 10^9/L; correct the row{hint}."
            )
