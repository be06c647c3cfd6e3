"""Tables of region files: keys, names, roles and references, refused by region and key where they are wrong."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import cast

from leukospect.errors import InputError, ProtocolError
from leukospect.quantification.measurements import Role
from leukospect.quantification.regions import RegionDefinition, check_definitions
from leukospect.quantification.shapes import Sphere

CALLED = "The region file"
TABLE = "The table beside the region file"
"""What messages call them: their names may hold a patient's."""


def parse_table(path: Path) -> Mapping[str, object]:
    """Read a TOML or JSON file of regions.

    Raises
    ------
    InputError, ProtocolError
        It cannot be read or understood.
    """
    try:
        text = path.read_text(encoding="utf-8")
        content = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
    except OSError as error:
        raise InputError(f"The region file ({path.suffix}) cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise ProtocolError(f"The region file ({path.suffix}) is not UTF-8 text.") from error
    except (tomllib.TOMLDecodeError, json.JSONDecodeError) as error:
        raise ProtocolError(f"The region file ({path.suffix}) cannot be understood: {error}.") from error
    if not isinstance(content, dict):
        raise ProtocolError(f"The region file ({path.suffix}) must hold a table with the key region.")
    return content


def region_tables(file: str, content: Mapping[str, object], *required: str) -> list[Mapping[str, object]]:
    """Return the tables of all regions, each with the keys that are required."""
    refuse_unknown(file, content, ("region",))
    tables = content.get("region")
    if not isinstance(tables, list) or not tables or not all(isinstance(table, dict) for table in tables):
        raise ProtocolError(f"{file}: no region found; each needs a table [[region]].")
    for number, table in enumerate(tables, start=1):
        for key in required:
            if key not in table:
                raise ProtocolError(f"{file}: region '{table.get('name', number)}' lacks the key '{key}'.")
    return tables


def table_beside(path: Path, stem: str) -> Path | None:
    """Find the table of names and roles that belongs to a file."""
    tables = [path.with_name(stem + ending) for ending in (".toml", ".json") if path.with_name(stem + ending).is_file()]
    if len(tables) > 1:
        raise InputError("Two tables, one .toml and one .json, describe the region file; keep one.")
    return tables[0] if tables else None


def check_names(file: str, entries: Iterable[tuple[str, Role, str]]) -> None:
    """Check that (name, role, reference) of all regions fit together."""
    # The shapes play no part in this check; it is the names that must fit together.
    dummy = (Sphere((0.0, 0.0, 0.0), 1.0),)
    try:
        definitions = tuple(RegionDefinition(*entry, dummy) for entry in entries)
    except InputError as error:
        raise ProtocolError(f"{file}: {error}") from error
    check_definitions_of(file, definitions)


def refuse_unknown(where: str, table: Mapping[str, object], known: tuple[str, ...]) -> None:
    """Refuse a table with a key that means nothing."""
    for key in table:
        if key not in known:
            raise ProtocolError(f"{where} has the unknown key '{key}'; known are {', '.join(known)}.")


def text_of(where: str, table: Mapping[str, object], key: str) -> str:
    """Give a key's text, empty where it is absent."""
    value = table.get(key, "")
    if not isinstance(value, str):
        raise ProtocolError(f"{where}: {key} must be a text.")
    return value


def role_of(where: str, table: Mapping[str, object]) -> Role:
    """Give a region's role."""
    role = text_of(where, table, "role")
    if role not in ("lesion", "reference"):
        raise ProtocolError(f"{where}: role must be lesion or reference; found '{role}'.")
    return cast("Role", role)


def reference_of(where: str, table: Mapping[str, object]) -> str:
    """Give the name of a lesion's reference; empty, the key left out, for its mirror."""
    reference = text_of(where, table, "reference")
    if "reference" in table and not reference.strip():
        raise ProtocolError(f"{where}: reference is empty; leave it out for the contralateral mirror.")
    return reference


def check_definitions_of(file: str, definitions: tuple[RegionDefinition, ...]) -> None:
    """Check definitions, naming the file that holds them."""
    try:
        check_definitions(definitions)
    except InputError as error:
        raise ProtocolError(f"{file}: {error}") from error
