"""How sharp a CT reconstruction kernel is: a sharp one for bone or lung overshoots at edges and shifts their HU."""

from __future__ import annotations

import re
from functools import cache
from typing import Literal

from leukospect.tables.reading import read_csv_table

KernelKind = Literal["soft", "medium", "sharp", "other", "unknown"]
_KINDS: dict[str, KernelKind] = {"soft": "soft", "medium": "medium", "sharp": "sharp", "other": "other"}


def kernel_kind(manufacturer: str, kernel: str) -> KernelKind:
    """Tell what a kernel is for.

    Parameters
    ----------
    manufacturer : str
        As recorded; where it is empty or none of the table's, every maker's names are tried.
    kernel : str
        Convolution Kernel (0018,1210); of several values, parted by a backslash, the first is the kernel.

    Returns
    -------
    ``soft``, ``medium``, ``sharp``, ``other`` (no HU of the tube's spectrum) or ``unknown``
        By the table ``ct_kernels.csv``.
    """
    name = kernel.split("\\", maxsplit=1)[0].strip()
    known = any(maker != "*" and _is_word(maker, manufacturer) for maker, _, _, _ in _rows())
    for maker, pattern, limits, kind in _rows():
        if maker != "*" and known and not _is_word(maker, manufacturer):
            continue
        found = pattern.fullmatch(name)
        if found and (limits is None or limits[0] <= int(found.group(1)) <= limits[1]):
            return kind
    return "unknown"


def _is_word(word: str, text: str) -> bool:
    return re.search(rf"(?<![a-z]){word}(?![a-z])", text, re.IGNORECASE) is not None


@cache
def _rows() -> tuple[tuple[str, re.Pattern[str], tuple[int, int] | None, KernelKind], ...]:
    return tuple(
        (
            row["manufacturer"],
            re.compile(row["pattern"], re.IGNORECASE),
            (int(row["from"]), int(row["to"])) if row["from"] else None,
            _KINDS[row["kind"]],
        )
        for row in read_csv_table("ct_kernels.csv")
    )
