"""Read the tables that ship inside the package."""

from __future__ import annotations

import csv
import tomllib
from importlib import resources
from typing import Any


def read_toml_table(name: str) -> dict[str, Any]:
    """Read a TOML table of the package by its file name."""
    return tomllib.loads(resources.files("leukospect.tables").joinpath(name).read_text(encoding="utf-8"))


def read_csv_table(name: str) -> list[dict[str, str]]:
    """Read a CSV table of the package by its file name; lines that begin with # tell its source."""
    text = resources.files("leukospect.tables").joinpath(name).read_text(encoding="utf-8")
    return list(csv.DictReader(line for line in text.splitlines() if line.strip() and not line.startswith("#")))
