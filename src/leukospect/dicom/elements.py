"""Data elements as plain values: what is absent is None or empty, what is not a number is refused by its name."""

from __future__ import annotations

import struct
import warnings
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.datadict import dictionary_description, tag_for_keyword
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.errors import BytesLengthException
from pydicom.sequence import Sequence as Items

from leukospect.errors import InputError

UNREADABLE = (
    ValueError,
    AttributeError,
    LookupError,
    TypeError,
    ArithmeticError,
    RuntimeError,  # among them RecursionError, of sequences nested without end, and NotImplementedError
    EOFError,
    OSError,
    struct.error,
    zlib.error,
    BytesLengthException,
)
"""What pydicom and its decoders raise on broken or unknown elements, pixel data and files."""

_LONGEST_SEQUENCE = 2**18  # bytes; those that are read have a few thousand, and items take far more memory than bytes


@contextmanager
def library_warnings_silenced() -> Iterator[None]:
    """Silence what pydicom says of odd values: its sentences quote them, and one may be a patient's name."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"pydicom(\..*)?")
        yield


def named(keyword: str) -> str:
    """Name a data element for a reader of the standard: ``Start Angle (0054,0200)``."""
    tag = tag_for_keyword(keyword)
    if tag is None:
        return keyword
    return f"{dictionary_description(tag)} ({tag >> 16:04X},{tag & 0xFFFF:04X})"


def _value(dataset: Dataset, keyword: str) -> Any:
    """Give an element's value, which pydicom decodes only now; None where it is absent.

    Raises
    ------
    InputError
        Its bytes cannot be decoded.
    """
    try:
        return dataset.get(keyword)
    except UNREADABLE:
        raise InputError(f"{named(keyword)} is damaged and cannot be read.") from None


def text(dataset: Dataset, keyword: str) -> str:
    """Give an element's text, stripped; empty where it is absent or no text; several values joined by a backslash.

    Raises
    ------
    InputError
        Its bytes cannot be decoded.
    """
    value = _value(dataset, keyword)
    if value is None or isinstance(value, (bytes, Items)):
        return ""
    if isinstance(value, Sequence) and not isinstance(value, str):
        return _printable("\\".join(str(part) for part in value))
    return _printable(str(value))


def _printable(words: str) -> str:
    """Put a space for what a terminal would obey: control characters have no place in an element that is told on."""
    return "".join(sign if sign.isprintable() else " " for sign in words).strip()


def texts(dataset: Dataset, keyword: str) -> tuple[str, ...]:
    """Give an element's values as stripped texts; empty where it is absent."""
    whole = text(dataset, keyword)
    return tuple(part.strip() for part in whole.split("\\")) if whole else ()


def numbers(dataset: Dataset, keyword: str) -> tuple[float, ...]:
    """Give an element's numbers; empty where it is absent or has no value.

    Raises
    ------
    InputError
        It holds something that is not a finite number.
    """
    try:
        value = _value(dataset, keyword)
        if value is None or (isinstance(value, str) and not value.strip()):
            return ()
        found = np.atleast_1d(np.asarray(value, dtype=np.float64)).ravel()
    except (ValueError, TypeError, OverflowError):
        raise InputError(f"{named(keyword)} holds something that is not a number.") from None
    if not np.all(np.isfinite(found)):
        raise InputError(f"{named(keyword)} holds something that is not a finite number.")
    return tuple(float(part) for part in found)


def number(dataset: Dataset, keyword: str) -> float | None:
    """Give an element's first number, or None where it is absent."""
    found = numbers(dataset, keyword)
    return found[0] if found else None


def count(dataset: Dataset, keyword: str, default: int = 1) -> int:
    """Give an element's positive whole number, or `default` where it is absent."""
    found = number(dataset, keyword)
    if found is None:
        return default
    if found < 1 or found != round(found):
        raise InputError(f"{named(keyword)} must be a positive whole number.")
    return int(found)


def vector(dataset: Dataset, keyword: str, length: int) -> NDArray[np.float64] | None:
    """Give an element of exactly `length` numbers, or None where it is absent or all zero.

    A position or orientation of nothing but zeros is how some writers say that they do not know it.

    Raises
    ------
    InputError
        It has another number of values, or something that is not a finite number.
    """
    found = numbers(dataset, keyword)
    if not any(found):
        return None
    if len(found) != length:
        raise InputError(f"{named(keyword)} has {len(found)} values where it needs {length}; correct it in the file.")
    return np.array(found)


def items(dataset: Dataset, keyword: str, *, longest: int = _LONGEST_SEQUENCE) -> tuple[Dataset, ...]:
    """Give the items of a sequence; empty where it is absent or no sequence.

    One of more bytes than `longest` is not decoded: items take far more memory than their bytes.

    Raises
    ------
    InputError
        It cannot be decoded, or is longer than any that tells of an acquisition.
    """
    if _raw_length(dataset, keyword) > longest:
        raise InputError(f"{named(keyword)} is longer than any that is read; the file is damaged.")
    found = _value(dataset, keyword)
    return tuple(found) if isinstance(found, Items) else ()


def _raw_length(dataset: Dataset, keyword: str) -> int:
    """Give the bytes of an element that was not decoded yet; 0 where it was, or is absent."""
    tag = tag_for_keyword(keyword)
    raw = None if tag is None else dataset.get_item(tag, keep_deferred=True)
    return len(raw.value) if isinstance(raw, RawDataElement) and raw.value is not None else 0
