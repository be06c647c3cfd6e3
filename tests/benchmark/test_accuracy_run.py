"""A tiny run from end to end, and what targets and tables make of measures."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from leukospect.benchmark import accuracy
from leukospect.benchmark.accuracy_reconstruction import ALL, ALL_TRUE_SCATTER
from leukospect.benchmark.accuracy_report import as_csv, tables_of
from leukospect.benchmark.accuracy_results import NOISE_FREE, AccuracySettings, Conditions, Measure, Measures, averaged
from leukospect.benchmark.accuracy_targets import MEAN, TOTAL, judged
from leukospect.benchmark.accuracy_uniform import CENTRE, ENDS, RIM, STUDY, WHOLE
from leukospect.errors import InputError
from tests.command_line import leukospect

UNDER = Conditions("uniform-cylinder", "Tc-99m", "circular", 360, ALL_TRUE_SCATTER.name, NOISE_FREE, 5, 15)
TINY = AccuracySettings(
    iterations=2, subsets=5, curve=(1, 2), many_iterations=3, many_subsets=10, deep_iterations=4, millions=(5.0, 10.0),
    realisations=2, coarsening=4,
)  # fmt: skip


def uniform(rim: float, total: float = 1.0, tew: float = 1.02) -> Measures:
    found = [Measure(STUDY, UNDER, "whole field", TOTAL, total, "1")]
    for corrections, centre, edge in ((ALL_TRUE_SCATTER, 1.0, rim), (ALL, tew, tew)):
        under = replace(UNDER, corrections=corrections.name)
        values = {WHOLE: centre, CENTRE: centre, RIM: edge, ENDS: centre}
        found += [Measure(STUDY, under, region, MEAN, value, "1") for region, value in values.items()]
    return Measures(found)


@pytest.mark.parametrize(
    ("measures", "met"),
    [
        (uniform(1.009), [True, True, True, True, True]),
        (uniform(1.011), [False, True, True, True, True]),
        (uniform(0.97), [False, False, True, True, True]),
        (uniform(1.0, total=0.97), [True, True, True, True, False]),
        (uniform(1.0, tew=1.031), [True, True, False, True, True]),
    ],
)
def test_targets_are_met_or_missed_by_what_was_measured(measures: Measures, met: list[bool]) -> None:
    assert [target.met for target in judged(measures, AccuracySettings())] == met


def test_draws_are_averaged_and_other_conditions_kept_apart() -> None:
    one = Measure("s", UNDER, "r", "q", 1.0, "1")
    other = replace(one, conditions=replace(UNDER, millions=5.0))
    assert averaged([one, replace(one, value=3.0), other]) == [replace(one, value=2.0), other]
    with pytest.raises(LookupError, match="2 measures"):
        Measures([one, other]).value(region="r")


def test_noise_needs_two_draws() -> None:
    with pytest.raises(InputError, match="two draws"):
        AccuracySettings(realisations=1)


def test_a_table_has_a_row_for_each_region_and_tells_what_differs() -> None:
    [means, totals] = sorted(tables_of(uniform(1.1)), key=lambda table: table.title)
    assert means.columns == ("region", ALL_TRUE_SCATTER.name, ALL.name)
    assert (RIM, "1.100", "1.020") in means.rows
    assert totals.rows == (("whole field", "1.000"),)


def test_noise_free_counts_are_an_empty_cell() -> None:
    rows = list(csv.DictReader(io.StringIO(as_csv(uniform(1.0)))))
    assert {row["millions"] for row in rows} == {""}
    assert float(rows[0]["value"]) == 1.0


def test_a_run_writes_tables_figures_and_a_page_that_say_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("leukospect.benchmark.accuracy_results.QUICK", TINY)
    said = leukospect("bench", "accuracy", "--quick", "--seed", 7, "-o", tmp_path / "out")
    assert said.code == 0, said.stderr
    document = json.loads((tmp_path / "out" / "accuracy.json").read_text())
    rows = list(csv.DictReader((tmp_path / "out" / "accuracy.csv").open()))
    assert [float(row["value"]) for row in rows] == [measure["value"] for measure in document["measures"]]
    assert np.all(np.isfinite([measure["value"] for measure in document["measures"]]))
    assert document["settings"]["seed"] == 7
    assert "Digital truth" in document["truth"]
    assert len(document["targets"]) == said.stdout.count("\n") - 1
    page = (tmp_path / "out" / "accuracy.html").read_text()
    for name in accuracy_figures():
        assert (tmp_path / "out" / f"{name}.png").stat().st_size > 10_000
        assert (tmp_path / "out" / f"{name}.svg").read_text().rstrip().endswith("</svg>")
    assert page.count("data:image/png;base64,") == len(accuracy_figures())
    assert "a quick look, no result" in page
    of_nuclides = {row["nuclide"] for row in rows if row["study"] == "orbits"}
    assert of_nuclides == {"Tc-99m", "In-111"}


def accuracy_figures() -> list[str]:
    from leukospect.benchmark.accuracy_figures import FIGURES

    return [*FIGURES, "slices"]


def test_all_benchmarks_lie_side_by_side(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Path] = []

    def noted(output: Path, *_: object, **__: object) -> accuracy.AccuracyResults:
        made.append(output)
        return accuracy.AccuracyResults(TINY, Measures([]), (), (), ())

    monkeypatch.setattr("leukospect.benchmark.accuracy.run_accuracy", noted)
    monkeypatch.setattr("leukospect.benchmark.speed.run_speed", noted)
    monkeypatch.setattr("leukospect.benchmark.speed_report.as_text", lambda results: "")
    monkeypatch.setattr("leukospect.benchmark.metal.run_metal", noted)
    monkeypatch.setattr("leukospect.benchmark.metal_report.as_text", lambda results: "")
    monkeypatch.setattr("leukospect.benchmark.registration.run_registration", noted)
    monkeypatch.setattr("leukospect.benchmark.registration_report.as_text", lambda results: "")
    monkeypatch.setattr("leukospect.benchmark.uncertainty.run_uncertainty", noted)
    monkeypatch.setattr("leukospect.benchmark.uncertainty_report.as_text", lambda results: "")
    monkeypatch.setattr("leukospect.benchmark.lesions.run_lesions", noted)
    monkeypatch.setattr("leukospect.benchmark.lesions_report.as_text", lambda results: "")
    assert leukospect("bench", "-o", tmp_path / "out").code == 0
    assert leukospect("bench", "speed", "-o", tmp_path / "out").code == 0
    assert made == [
        *(tmp_path / "out" / part for part in ("accuracy", "speed", "metal", "registration", "uncertainty", "lesions")),
        tmp_path / "out",
    ]
