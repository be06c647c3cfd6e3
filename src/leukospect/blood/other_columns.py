"""What else a table tells of its patients: numbers to compare, and groups to count."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from leukospect.blood.headings import Heading, heading
from leukospect.blood.indices import INDEX_UNITS, Float64
from leukospect.blood.text_table import TextTable, is_missing
from leukospect.errors import AssumptionWarning, InputError

_NOT_NEGATIVE = ("haemoglobin", "crp", "esr", "age")
_MOST_LEVELS = 6


@dataclass(frozen=True, slots=True, eq=False)
class Marker:
    """A number of each patient.

    Parameters
    ----------
    name : str
    unit : str
        Empty where there is none or none is told.
    values : (patients,) array
        NaN where missing.
    """

    name: str
    unit: str
    values: Float64

    @property
    def title(self) -> str:
        """Name and unit."""
        return f"{self.name} ({self.unit})" if self.unit else self.name


@dataclass(frozen=True, slots=True)
class Category:
    """A word of each patient, such as the sex; empty where missing. `levels` are in alphabetical order."""

    name: str
    values: tuple[str, ...]
    levels: tuple[str, ...]


def other_columns(table: TextTable, taken: Collection[int]) -> tuple[tuple[Marker, ...], tuple[Category, ...]]:
    """Sort the columns that are not taken into numbers and groups; those that are neither are left out, and said.

    Raises
    ------
    InputError
        A column of numbers holds text, or a negative value that cannot be; the sentence names its row.
    """
    markers: list[Marker] = []
    categories: list[Category] = []
    left_out: list[str] = []
    for index, text in enumerate(table.header):
        understood = heading(text)
        if index in taken:
            if understood.meaning.upper() in INDEX_UNITS:
                _warn(f"The column '{text}' was not used: the indices are computed from the counts.")
            continue
        filled = [cell for cell in table.column(index) if not is_missing(cell)]
        if not filled or understood.identifying:
            left_out.append(text)
        elif _of_numbers(table, filled, understood):
            markers.append(_marker(table, index, understood))
        elif (category := _category(table, index)) is not None:
            categories.append(category)
        else:
            left_out.append(text)
    if left_out:
        _warn(
            f"Left out, as empty, as text of too many kinds or as what may tell who a patient is: "
            f"{', '.join(repr(text[:40]) for text in left_out)}."
        )
    return tuple(markers), tuple(categories)


def _of_numbers(table: TextTable, filled: list[str], understood: Heading) -> bool:
    """Tell whether a column is meant as numbers: its name says so, or half of it are; 0 and 1 alone are groups."""
    if understood.meaning:
        return True
    if {cell.strip() for cell in filled} <= {"0", "1"}:
        return False
    return 2 * sum(table.number(cell) is not None for cell in filled) >= len(filled)


def _marker(table: TextTable, index: int, understood: Heading) -> Marker:
    values = [np.nan if value is None else value for value in table.numbers(index)]
    for row, value in enumerate(values):
        if understood.meaning in _NOT_NEGATIVE and value < 0:
            raise InputError(f"{table.place(row)}: '{understood.text}' is negative ({value:g}), which cannot be.")
    missing = int(np.isnan(values).sum())
    if missing:
        _warn(f"'{understood.text}' is missing in {missing} of {len(values)} rows, which its statistics leave out.")
    name = understood.text
    if understood.unit and name.rstrip().endswith((")", "]")):
        name = name[: max(name.rfind("("), name.rfind("["))].strip()
    return Marker(name, understood.unit if name != understood.text else "", np.array(values))


def _category(table: TextTable, index: int) -> Category | None:
    """Read a column of groups; None for text that differs nearly from row to row, as free text and names do."""
    values = ["" if is_missing(cell) else " ".join(cell.split()).casefold() for cell in table.column(index)]
    counted = Counter(value for value in values if value)
    if len(counted) > _MOST_LEVELS or 2 * len(counted) > max(counted.total(), 3):
        return None
    missing = len(values) - counted.total()
    if missing:
        _warn(f"'{table.header[index]}' is missing in {missing} of {len(values)} rows, which its table leaves out.")
    return Category(table.header[index], tuple(values), tuple(sorted(counted)))


def _warn(text: str) -> None:
    warnings.warn(text, AssumptionWarning, stacklevel=3)
