"""results.json holds everything, as valid JSON, and nothing that is not known."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from leukospect.files.results import SCHEMA_VERSION, results_document, write_results
from leukospect.interpretation.rule import Rule
from leukospect.interpretation.rules import apply_rule, load_rule
from leukospect.quantification.comparison import all_changes, all_ratios
from leukospect.quantification.measurements import TimePoint
from tests.quantification.making import planar_measurement, region

REGIONS = (region("plate", reference="marrow"), region("marrow", "reference", label=2))


def document(rule: Rule | None = None, first: TimePoint = "delayed", **settings: object) -> dict[str, Any]:
    rule = rule or load_rule("visual-increase")
    measurements = [
        planar_measurement(name, time, counts)
        for name, time, counts in (
            ("plate", first, 2000.0),
            ("plate", "late", 4000.0),
            ("marrow", first, 1000.0),
            ("marrow", "late", 1000.0),
        )
    ]
    ratios = all_ratios(measurements, REGIONS)
    changes = all_changes(ratios, measurements)
    return results_document(
        regions=REGIONS,
        measurements=measurements,
        ratios=ratios,
        changes=changes,
        rule=rule,
        flag=apply_rule(rule, changes, ratios, REGIONS),
        warnings=("The axis was taken as the isocentre.",),
        settings=settings,
        software_version="0.1.0",
    )


def test_what_is_written_is_what_was_measured(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    write_results(document(iterations=5, tops=(1.5, np.float32(2.0)), nothing=None), path)
    read = json.loads(path.read_text(encoding="utf-8"))
    assert read["schema_version"] == SCHEMA_VERSION
    assert read["attenuation_effect"] is None
    assert "not a diagnosis" in read["disclaimer"]
    assert read["flag"]["value"] == "positive"
    assert read["flag"]["lesions"][0]["lesion"] == "plate"
    assert [r["name"] for r in read["regions"]] == ["plate", "marrow"]
    assert read["regions"][0]["centroid_mm"] == [-50.0, 0.0, 0.0]
    assert len(read["measurements"]) == 4
    assert read["ratios"][1]["ratio"]["value"] == pytest.approx(4.0)
    assert read["rule"]["source"].startswith("Signore")
    assert read["warnings"] == ["The axis was taken as the isocentre."]
    assert read["settings"] == {"iterations": 5, "tops": [1.5, 2.0], "nothing": None}


def test_a_change_has_its_probability_and_not_its_samples() -> None:
    (change,) = document()["changes"]
    assert change["probability_above_threshold"] == 1.0
    assert change["threshold"] == 0.10
    assert "samples" not in change


def test_what_is_not_known_is_null() -> None:
    read = document(odd=float("inf"))
    assert read["measurements"][0]["maximum"] is None
    assert read["settings"]["odd"] is None
    json.dumps(read, allow_nan=False)


def test_published_figures_stand_only_for_the_rule_s_own_times() -> None:
    rule = replace(load_rule("visual-increase"), sensitivity=72.2, specificity=66.7)
    assert document(rule)["rule"]["published_per_cent"]["sensitivity"] == 72.2
    assert document(rule, first="early")["rule"]["published_per_cent"] is None
    assert any("published figures" in warning for warning in document(rule, first="early")["warnings"])
    assert document()["rule"]["published_per_cent"] is None


def test_a_setting_that_json_cannot_hold_is_refused() -> None:
    with pytest.raises(TypeError, match=r"type (Posix|Windows)Path"):
        document(folder=Path("somewhere"))


def test_the_total_interval_stands_beside_that_of_counting_and_is_the_same_where_nothing_was_moved() -> None:
    read = document()
    assert all(one["ratio_total"] == one["ratio"] and one["alignment_deviation"] is None for one in read["ratios"])
    (change,) = read["changes"]
    assert change["change_total"] == change["change"]
    assert read["changes_expected"]["log_deviation"] == 0.25
    assert {one["selection_bias"] for one in read["measurements"]} == {0.0}
