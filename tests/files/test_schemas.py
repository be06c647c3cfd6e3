"""The published schemas: valid, closed, every key explained, and what is written fits them and nothing else does."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import pytest
from jsonschema import Draft202012Validator

from leukospect.files import labs, results
from leukospect.schemas import read_schema
from tests.command_line import leukospect
from tests.conftest import SmallRun
from tests.files.test_results import document
from tests.published_schema import problems, read_strictly

NAMES: tuple[Literal["results", "labs"], ...] = ("results", "labs")
OPEN = {"settings"}  # its keys are those of a protocol file


def objects(schema: Any) -> Iterator[dict[str, Any]]:
    """Give every part of a schema that describes an object."""
    if isinstance(schema, dict):
        if "properties" in schema and isinstance(schema["properties"], dict):
            yield schema
        for value in schema.values():
            yield from objects(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from objects(value)


@pytest.mark.parametrize("name", NAMES)
def test_a_schema_is_one_closed_and_explains_every_key(name: Literal["results", "labs"]) -> None:
    schema = read_schema(name)
    Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    described = list(objects(schema))
    assert len(described) > 10
    for one in described:
        assert one["additionalProperties"] is False
        for key, value in one["properties"].items():
            target = value.get("$ref", "").removeprefix("#/$defs/")
            said = value.get("description") or schema["$defs"].get(target, {}).get("description", "")
            assert len(said) > 3, key
            if re.search(r"_(mm|hu|deg|ml|cm2|per_cent)$", key) and value.get("type") in ("number", ["number", "null"]):
                unit = {"deg": "degrees", "hu": "HU", "ml": "mL"}.get(key.rsplit("_", 1)[1], key.rsplit("_", 1)[1])
                assert unit in said, key


def test_the_schemas_are_of_the_version_that_is_written() -> None:
    assert read_schema("results")["properties"]["schema_version"]["const"] == results.SCHEMA_VERSION
    for mode in ("of_patients", "of_summary_statistics"):
        assert read_schema("labs")["$defs"][mode]["properties"]["schema_version"]["const"] == labs.SCHEMA_VERSION


def with_unknown_keys(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[Any, tuple[str | int, ...]]]:
    """Give copies of a document, each with one key too many in one of its objects."""
    whole = value

    def walk(part: Any, place: tuple[str | int, ...]) -> Iterator[tuple[str | int, ...]]:
        if isinstance(part, dict):
            yield place
            for key, item in part.items():
                if key not in OPEN:
                    yield from walk(item, (*place, key))
        elif isinstance(part, list):
            for index, item in enumerate(part[:1]):
                yield from walk(item, (*place, index))

    for place in walk(whole, path):
        changed = copy.deepcopy(whole)
        target = changed
        for step in place:
            target = target[step]
        target["surprise"] = 1
        yield changed, place


def test_what_is_measured_fits_and_an_unknown_key_anywhere_does_not() -> None:
    good = document(iterations=5)
    assert problems("results", good) == []
    tried = list(with_unknown_keys(good))
    assert len(tried) > 10
    for changed, place in tried:
        assert problems("results", changed), place
    for key in good:
        assert problems("results", {k: v for k, v in good.items() if k != key}), key


def test_values_of_the_wrong_kind_do_not_fit() -> None:
    def changed(key: str, **values: object) -> dict[str, Any]:
        made = copy.deepcopy(document())
        made[key][0].update(values)
        return made

    assert problems("results", changed("measurements", hours="4"))
    assert problems("results", changed("measurements", time_point="noon"))
    assert problems("results", changed("regions", side="up"))
    assert problems("results", changed("regions", centroid_mm=[1.0, 2.0]))
    assert problems("results", document() | {"schema_version": "2.0"})
    assert problems("results", document() | {"warnings": ["twice", "twice"]})


def test_a_run_of_spect_ct_and_planar_views_fits(small_run: SmallRun) -> None:
    found = read_strictly(small_run.folder / "results.json")
    assert problems("results", found) == []
    for key in ("measurements", "changes", "metal_reduction", "time_alignment"):
        assert found[key], key
    assert found["attenuation_effect"]["uptake"]
    for changed, place in with_unknown_keys(found):
        assert problems("results", changed), place


def test_labs_of_patients_and_of_printed_means_fit(tmp_path: Path) -> None:
    rows = [f"{('positive', 'negative')[k % 2]},{3 + k / 7:.2f},{1 + k % 3 / 4:.2f},{200 + 9 * k},{'fm'[k % 3 // 2]}"
            for k in range(14)]  # fmt: skip
    (tmp_path / "table.csv").write_text("flag,neutrophils (G/L),lymphocytes (G/L),platelets (G/L),sex\n"
                                        + "\n".join(rows) + "\n")  # fmt: skip
    (tmp_path / "printed.csv").write_text("marker,mean_positive,sd_positive,n_positive,mean_negative,sd_negative,"
                                          "n_negative\nSII,1200,500,16,800,400,20\n")  # fmt: skip
    assert leukospect("labs", tmp_path / "table.csv", "-o", tmp_path / "a").code == 0
    assert leukospect("labs", tmp_path / "printed.csv", "--summary", "-o", tmp_path / "b").code == 0
    for folder in ("a", "b"):
        found = read_strictly(tmp_path / folder / "labs.json")
        assert problems("labs", found) == []
        open_tables = {"values", "units", "levels", "group_sizes", "groups"}
        for changed, place in with_unknown_keys(found):
            if not open_tables & {place[-1] if place else ""}:
                assert problems("labs", changed), place
