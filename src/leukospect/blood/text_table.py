"""A table as it was typed: headings, rows of text and their numbers, before anything is understood of it."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from leukospect.errors import InputError

_NUMBER = re.compile(r"[+\-−]?([0-9]+([.,][0-9]*)?|[.,][0-9]+)([eE][+-]?[0-9]+)?")
_MISSING = frozenset({"", "na", "n/a", "n.a.", "nan", "null", "none", "-", "–", ".", "?", "missing", "#n/a"})


def is_missing(cell: str) -> bool:
    """Tell whether a cell holds nothing, or one of the usual words for nothing."""
    return cell.strip().casefold() in _MISSING


@dataclass(frozen=True, slots=True)
class TextTable:
    """Rows of text under headings.

    Parameters
    ----------
    header : tuple of str
        Headings, without space around them.
    rows : tuple of rows
        Each with as many cells as the header.
    row_numbers : tuple of int
        Of each row, as a spreadsheet counts them.
    header_row : int
        The number of the header.
    separator : str
    decimal_comma : bool
        Numbers are written with a comma.
    """

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    row_numbers: tuple[int, ...]
    header_row: int
    separator: str
    decimal_comma: bool

    def column(self, index: int) -> list[str]:
        """Give the cells of a column."""
        return [row[index] for row in self.rows]

    def place(self, row: int) -> str:
        """Name a row (an index) by its number: never by what is in it, which can be a patient's name."""
        return f"Row {self.row_numbers[row]} (the header is row {self.header_row})"

    def number(self, cell: str) -> float | None:
        """Read a number, in the decimal mark of this table; None where it is not one."""
        text = cell.strip()
        if not _NUMBER.fullmatch(text) or ("." if self.decimal_comma else ",") in text:
            return None
        value = float(text.replace("−", "-").replace(",", "."))
        return value if math.isfinite(value) else None

    def numbers(self, index: int) -> list[float | None]:
        """Read a column of numbers; None where a cell is missing.

        Raises
        ------
        InputError
            A cell is neither missing nor a number.
        """
        cells = self.column(index)
        values = [None if is_missing(cell) else self.number(cell) for cell in cells]
        for row, (cell, value) in enumerate(zip(cells, values, strict=True)):
            if value is None and not is_missing(cell):
                raise InputError(f"{self.place(row)}: '{self.header[index]}' is not a number{self._why(cell)}.")
        return values

    def _why(self, cell: str) -> str:
        if self.decimal_comma and "." in cell:
            return (
                "; other numbers of this table have a decimal comma, so a point leaves open what is meant: write it "
                "without separators of thousands, and all decimals with one mark"
            )
        if "," in cell:
            return "; write it with a decimal point and without separators of thousands"
        return "; write a plain number, or leave the cell empty"
