"""The text of an Interfile header: keys and values, compared without case, spaces and the leading ``!``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from leukospect.errors import GeometryError, InputError

_LARGEST_BYTES = 4_000_000
# SIMIND keeps what the standard has no key for behind the comment sign.
_COMMENTED = re.compile(r"^;\s*#?\s*(energy window (?:lower|upper) level.*)$", re.IGNORECASE)


def normalised(key: str) -> str:
    """Bring a key to its bare form: lower case, no ``!``, no spaces."""
    return re.sub(r"\s+", "", key.lstrip("!%").lower())


@dataclass(frozen=True, slots=True, eq=False)
class InterfileHeader:
    """Keys, normalised, with all the values given to each, in order."""

    values: dict[str, list[str]]

    def text(self, key: str) -> str:
        """Give the last value of a key; empty where it is absent."""
        return self.values.get(normalised(key), [""])[-1]

    def numbers(self, key: str) -> tuple[float, ...]:
        """Give the numbers of a key, one or a list in braces; empty where it is absent."""
        words = self.text(key).strip("{} ").replace(",", " ").split()
        try:
            return tuple(float(word) for word in words)
        except ValueError:
            raise InputError(f"The Interfile header's '{key}' is not a number.") from None

    def number(self, key: str) -> float | None:
        """Give the number of a key; None where it is absent."""
        found = self.numbers(key)
        return found[0] if found else None

    def indexed(self, key: str, index: int) -> float | None:
        """Give the number of ``key [index + 1]``, or of the key repeated for each index, or of the key alone."""
        found = self.number(f"{key} [{index + 1}]")
        if found is not None:
            return found
        repeated = self.values.get(normalised(key), [])
        return float(repeated[index]) if index < len(repeated) and _is_number(repeated[index]) else None

    def whole(self, key: str) -> int:
        """Give a positive whole number, or refuse."""
        found = self.number(key)
        if found is None or found < 1 or found != round(found):
            raise InputError(f"The Interfile header's '{key}' is missing or not a positive whole number.")
        return int(found)

    def positive(self, key: str) -> float:
        """Give a positive number of geometry, or refuse."""
        found = self.number(key)
        if found is None or not found > 0:
            raise GeometryError(f"The Interfile header's '{key}' is missing or not positive.")
        return found

    def written_by(self, program: str) -> bool:
        """Tell whether the header names this program as its origin."""
        keys = ("originating system", "conversion program", "program author", "data description", "patient name")
        return any(program in self.text(key).lower() for key in keys)


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


def read_header(path: Path) -> InterfileHeader:
    """Read an Interfile header.

    Raises
    ------
    InputError
        There is no such file, or it is not an Interfile header.
    """
    if not path.is_file():
        raise InputError("There is no such Interfile header; check its path.")
    if path.stat().st_size > _LARGEST_BYTES:
        raise InputError("The file is too large for an Interfile header; give the header, not the data.")
    lines = path.read_text(encoding="latin-1").splitlines()
    first = next((line for line in lines if line.strip()), "")
    if not normalised(first).startswith("interfile"):
        raise InputError("The file is not an Interfile header: it does not begin with !INTERFILE.")
    values: dict[str, list[str]] = {}
    for line in lines:
        told = _COMMENTED.match(line.strip())
        content = told.group(1) if told else line.split(";", 1)[0]
        key, separator, value = content.partition(":=")
        if separator and value.strip():
            values.setdefault(normalised(key.strip()), []).append(value.strip())
    return InterfileHeader(values)
