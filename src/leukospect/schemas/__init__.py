"""The JSON schemas (2020-12) of the files that are meant for other programs: every key with its unit and meaning."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any, Literal


def read_schema(name: Literal["results", "labs"]) -> dict[str, Any]:
    """Read the schema of results.json or labs.json."""
    schema: dict[str, Any] = json.loads((files(__name__) / f"{name}.schema.json").read_text(encoding="utf-8"))
    return schema
