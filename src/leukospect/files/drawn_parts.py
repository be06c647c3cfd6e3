"""Which parts the regions of a DICOM file play, from the table that a reader puts beside it."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from leukospect.errors import AssumptionWarning, InputError, ProtocolError
from leukospect.files.region_tables import (
    TABLE,
    check_names,
    parse_table,
    reference_of,
    refuse_unknown,
    region_tables,
    role_of,
    table_beside,
    text_of,
)
from leukospect.quantification.measurements import Role

_LIKE_A_REFERENCE = re.compile(
    r"(?<![a-z])(ref|references?|background|backgr|bkg|bkgd|bg|contralateral|mirror|marrow|normal|healthy|control|"
    r"blood ?pool|muscle)(?![a-z])"
)


@dataclass(frozen=True, slots=True)
class Part:
    """What part a drawn region plays: its number in the file, its name here, role, and for a lesion its reference."""

    number: int
    name: str
    role: Role
    reference: str = ""


def parts_of_drawn(path: Path, drawn: Mapping[int, str], kind: str) -> tuple[Part, ...]:
    """Read which parts the regions of a DICOM file play from the table beside it.

    The table has the file's name with ``.toml`` or ``.json`` for its ending and holds ``[[region]]`` tables of role,
    reference (lesions; left out, the contralateral mirror) and label (the number in the file) or name or both: with a
    label, the name is the one to give. Regions that it does not name are left out, with a warning. Without a table
    each is a lesion compared with its mirror, with a warning.

    Parameters
    ----------
    path : Path
        The DICOM file.
    drawn : mapping of number to name
        What is drawn in it.
    kind : str
        What its regions are called, as in ``segment``.

    Raises
    ------
    InputError
        Without a table, one is named as if it were a reference.
    ProtocolError
        The table is not valid or does not fit the file.
    """
    table = table_beside(path, path.name.removesuffix(".dcm"))
    if table is None:
        return _all_lesions(path, drawn, kind)
    parts: list[Part] = []
    for entry in region_tables(TABLE, parse_table(table), "role"):
        number = _number_of_drawn(TABLE, entry, drawn, kind)
        name = text_of(TABLE, entry, "name") or drawn[number]
        where = f"{TABLE}: region '{name}'"
        refuse_unknown(where, entry, ("label", "name", "role", "reference"))
        if any(part.number == number for part in parts):
            raise ProtocolError(f"{where} is the {kind} {number}, which another region is as well.")
        parts.append(Part(number, name, role_of(where, entry), reference_of(where, entry)))
    left = [name for number, name in drawn.items() if all(part.number != number for part in parts)]
    if left:
        warnings.warn(
            f"{TABLE} does not name {len(left)} of {len(drawn)} drawn regions ({_quoted(left)}); "
            f"{'it is' if len(left) == 1 else 'they are'} not measured.",
            AssumptionWarning,
            stacklevel=2,
        )
    check_names(TABLE, [(part.name, part.role, part.reference) for part in parts])
    return tuple(parts)


def _all_lesions(path: Path, drawn: Mapping[int, str], kind: str) -> tuple[Part, ...]:
    doubtful = [name for name in drawn.values() if _LIKE_A_REFERENCE.search(name.lower().replace("_", " "))]
    if doubtful:
        raise InputError(
            f"The {kind} '{doubtful[0]}' of the region file is named like a reference region, but nothing tells which "
            "part it plays: put a table beside the file, of its name but with .toml, with each region's role."
        )
    warnings.warn(
        f"No table of roles lies beside the region file; each {kind} in it ({_quoted(drawn.values())}) "
        "is taken as a lesion and compared with the other side.",
        AssumptionWarning,
        stacklevel=3,
    )
    return tuple(Part(number, name, "lesion") for number, name in drawn.items())


def _quoted(names: Iterable[str]) -> str:
    listed = [f"'{name}'" for name in names]
    return ", ".join(listed[:5]) + (f" and {len(listed) - 5} more" if len(listed) > 5 else "")


def _number_of_drawn(file: str, entry: Mapping[str, object], drawn: Mapping[int, str], kind: str) -> int:
    if "label" in entry:
        label = entry["label"]
        if not isinstance(label, int) or isinstance(label, bool) or label not in drawn:
            raise ProtocolError(f"{file}: there is no {kind} {label} in which something is drawn.")
        return label
    name = text_of(file, entry, "name")
    found = [number for number, one in drawn.items() if one == name]
    if len(found) != 1:
        problem = "no" if not found else "more than one"
        raise ProtocolError(f"{file}: {problem} {kind} named '{name}' has anything drawn; tell its number as label.")
    return found[0]
