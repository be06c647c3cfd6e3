"""Tables of text with a separator (CSV): read as spreadsheets of any country write them, written with commas."""

from __future__ import annotations

import csv
import io
import math
import re
import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path

from leukospect.blood.text_table import TextTable
from leukospect.errors import AssumptionWarning, InputError

_LARGEST_BYTES = 100_000_000
_MOST_COLUMNS = 500
_NOT_TEXT = re.compile(r"[\x00-\x08\x0e-\x1f]")
_COMMA_NUMBER = re.compile(r"\s*[+\-−]?[0-9]+,[0-9]+\s*")


def read_delimited(path: Path) -> TextTable:
    """Read a CSV: comma, semicolon or tab between cells, decimal comma beside the latter two, any byte order mark.

    Raises
    ------
    InputError
        Not a file, not text, no header or no rows, or a row with another number of cells.
    """
    if not path.is_file():
        raise InputError(f"There is no file '{path}'; give a CSV table.")
    if path.stat().st_size > _LARGEST_BYTES:
        raise InputError(f"'{path}' is larger than {_LARGEST_BYTES // 10**6} MB, which no table of patients is.")
    return table_of_text(_decoded(path.read_bytes(), path), str(path))


def _decoded(content: bytes, path: Path) -> str:
    encoding = "utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError:
        text = content.decode("cp1252", errors="replace")
        if not _NOT_TEXT.search(text):
            warnings.warn(
                "The table is not UTF-8; it was read as Windows-1252, as older spreadsheets write it.",
                AssumptionWarning,
                stacklevel=3,
            )
    if _NOT_TEXT.search(text):
        raise InputError(f"'{path}' is not a text file; save the table as CSV.")
    return text


def table_of_text(text: str, source: str = "the table") -> TextTable:
    """Take a CSV's text apart; `source` names it in sentences.

    Raises
    ------
    InputError
        See `read_delimited`.
    """
    told = re.match(r"sep=(.)\r?\n", text)
    text = text[told.end() :] if told else text
    separator = told.group(1) if told else _separator(text)
    records = _records(text, separator, source)
    if not records:
        raise InputError(f"'{source}' is empty; give a CSV with a header and a row for each patient.")
    (header_row, header), *rows = records
    header = [" ".join(cell.split()) for cell in header]
    while header and not header[-1] and all(not "".join(row[len(header) - 1 :]).strip() for _, row in rows):
        header = header[:-1]
        rows = [(number, row[: len(header)]) for number, row in rows]
    if len(header) < 2:
        raise InputError(f"'{source}' has a single column; separate the cells with commas, semicolons or tabs.")
    if len(header) > _MOST_COLUMNS:
        raise InputError(f"'{source}' has {len(header)} columns; at most {_MOST_COLUMNS} are read.")
    if "" in header:
        raise InputError(f"Column {header.index('') + 1} of '{source}' has no heading; give it one, or take it out.")
    if not rows:
        raise InputError(f"'{source}' holds a header and no rows; give a row for each patient.")
    cells = tuple(_fitted(row, len(header), f"Row {number} (the header is row {header_row})") for number, row in rows)
    comma = separator != "," and any(_COMMA_NUMBER.fullmatch(cell) for row in cells for cell in row)
    return TextTable(tuple(header), cells, tuple(number for number, _ in rows), header_row, separator, comma)


def _separator(text: str) -> str:
    first = next((line for line in text.splitlines() if line.strip()), "")
    unquoted = re.sub(r'"[^"]*"', "", first)
    return next((mark for mark in (";", "\t", ",") if mark in unquoted), ",")


def _records(text: str, separator: str, source: str) -> list[tuple[int, list[str]]]:
    """Give the records that are not empty, with their numbers as a spreadsheet counts them."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    number = 0
    records = []
    try:
        for record in reader:
            number += 1
            if any(cell.strip() for cell in record):
                records.append((number, record))
    except csv.Error as error:
        raise InputError(
            f"Row {number + 1} of '{source}' is not valid CSV ({error}); check its quotation marks."
        ) from error
    return records


def _fitted(row: list[str], columns: int, place: str) -> tuple[str, ...]:
    if len(row) != columns and (len(row) < columns or any(cell.strip() for cell in row[columns:])):
        raise InputError(
            f"{place} has {len(row)} cells, the header {columns}; check the separators: a decimal comma needs "
            "semicolons between the cells."
        )
    return tuple(row[:columns])


def csv_text(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Write a table with commas: numbers to six digits, and nothing where they are not known."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(header)
    writer.writerows([_cell(value) for value in row] for row in rows)
    return stream.getvalue()


def _cell(value: object) -> object:
    if isinstance(value, float):
        return f"{value:.6g}" if math.isfinite(value) else ""
    return value
