"""Every results.json and labs.json that a test's run writes is held against its published schema."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any, Literal, NoReturn

from jsonschema import Draft202012Validator

from leukospect.schemas import read_schema


@cache
def validator(name: Literal["results", "labs"]) -> Draft202012Validator:
    return Draft202012Validator(read_schema(name))


def problems(name: Literal["results", "labs"], document: object) -> list[str]:
    """Say where a document does not fit its schema."""
    found = validator(name).iter_errors(document)
    return [f"{'/'.join(str(step) for step in one.absolute_path)}: {one.message[:200]}" for one in found]


def check_folder(folder: Path) -> None:
    """Hold the results of a folder, and of the folders in it, against the schemas."""
    names: tuple[Literal["results", "labs"], ...] = ("results", "labs")
    for name in names:
        for path in (*folder.glob(f"{name}.json"), *folder.glob(f"*/{name}.json")):
            assert problems(name, read_strictly(path)) == [], path.name


def read_strictly(path: Path) -> Any:
    """Read JSON as the standard has it, which knows no NaN."""

    def refuse(word: str) -> NoReturn:
        raise AssertionError(f"{path.name} holds {word}, which is no JSON")

    return json.loads(path.read_text(encoding="utf-8"), parse_constant=refuse)
