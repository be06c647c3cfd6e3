"""The uncertainty benchmark: draws of its own, truths from expected counts, verdicts that follow the replicates."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from leukospect.benchmark.uncertainty import measure_uncertainty, run_uncertainty
from leukospect.benchmark.uncertainty_cases import coarse_scan, drawn_regions
from leukospect.benchmark.uncertainty_planar import planar_replicate
from leukospect.benchmark.uncertainty_report import as_text, table_of
from leukospect.benchmark.uncertainty_results import (
    LEVELS,
    QUICK,
    Bounds,
    Replicate,
    UncertaintyFound,
    UncertaintySettings,
    covered,
    judged_uncertainty,
    reliability,
)
from leukospect.benchmark.uncertainty_spect import drawn_ratios
from leukospect.protocol import load_protocol

TINY = replace(QUICK, planar_replicates=12, spect_replicates=4, resamples=3, spect_lesions=2)


def replicate(number: int, *, true: float, probability: float, holds: bool = True, flag: str = "") -> Replicate:
    bounds = Bounds(true, true, true - 0.1, true + (0.1 if holds else -0.05))
    return Replicate("planar anterior", LEVELS[0], number, 100.0, bounds, bounds, bounds, probability, flag)


def found(*replicates: Replicate) -> UncertaintyFound:
    return UncertaintyFound(UncertaintySettings(), 50, replicates)


def test_a_calibrated_probability_is_off_by_nothing_and_a_sure_one_by_what_it_misses() -> None:
    calibrated = [
        replicate(n, true=0.2 if n % 10 < tenth else 0.0, probability=tenth / 10 + 0.001)
        for tenth in range(10)
        for n in range(1000)
    ]
    assert reliability(calibrated).error == pytest.approx(0.001)
    assert reliability([replicate(n, true=0.2 * (n % 2), probability=0.99) for n in range(10)]).error == pytest.approx(
        0.49
    )


def test_verdicts_follow_the_replicates() -> None:
    good = [replicate(n, true=0.2 * (n % 2), probability=0.99 * (n % 2), holds=n % 20 > 0) for n in range(200)]
    assert covered(one.change for one in good) == (0.95, 200)
    assert {target.verdict for target in judged_uncertainty(found(*good))} == {"met"}
    narrow = [replace(one, change=replace(one.change, low=one.change.true + 0.01)) for one in good[:40]]
    missed = [t.asked for t in judged_uncertainty(found(*narrow, *good[40:])) if t.verdict == "missed"]
    assert len(missed) == 1
    assert "change covered" in missed[0]
    flagged = [replace(one, flag="positive") for one in good]
    [alarm] = [t for t in judged_uncertainty(found(*flagged)) if t.verdict == "missed"]
    assert alarm.found.startswith("100.0% of 100")
    unknown = replace(good[1], change=Bounds(0.2, 0.2, float("nan"), float("nan")))
    assert not unknown.change.covers


def test_changes_are_even_between_their_bounds_and_ratios_stay_in_range() -> None:
    settings = UncertaintySettings()
    ratios, backwards = drawn_ratios(settings, LEVELS[0], 101)
    assert 0.9 <= ratios.min() <= ratios.max() <= 2.4
    growth = np.where(backwards, ratios[:-1] / ratios[1:], ratios[1:] / ratios[:-1]) - 1.0
    parts = np.histogram(growth, np.linspace(settings.change_from, settings.change_to, 10))[0] / growth.size
    np.testing.assert_allclose(parts, 1 / 9, atol=0.035)


def test_expected_counts_are_linear_in_the_uptake_and_lesions_apart() -> None:
    scan = coarse_scan(load_protocol("tc99m-hmpao-spect-ct"), 3, threads=1)
    ones = np.ones(3)
    assert scan.expected(ones, 5e5)[0].sum() == pytest.approx(5e5, rel=1e-4)
    one_more = scan.expected(np.array([1.0, 3.0, 1.0]), 5e5) - scan.expected(ones, 5e5)
    rows = one_more[0].sum(axis=(0, 2))
    # The middle one's counts lie in its own rows, and are as many above as below.
    assert rows[8:16].sum() > 0.92 * rows.sum()
    np.testing.assert_allclose(rows, rows[::-1], rtol=0.02, atol=rows.max() * 0.01)
    truth = scan.image(scan.counted(scan.expected(np.array([1.0, 3.0, 1.0]), 5e5)))
    means = [truth.array[scan.labels.array == region.label].mean() for region in scan.regions]
    assert means[2] > 1.8 * means[0]
    assert means[0] == pytest.approx(means[4], rel=0.05)
    shifted, _ = drawn_regions(scan.labels.geometry, np.array([[10.0, 0.0, 0.0]] * 3))
    toward_left = 1 if scan.labels.geometry.affine[0, 2] > 0 else -1
    np.testing.assert_array_equal(shifted.array, np.roll(scan.labels.array, toward_left, axis=2))


def test_the_planar_truth_is_that_of_the_counts_drawn() -> None:
    many = [planar_replicate(UncertaintySettings(), LEVELS[0], n) for n in range(60)]
    for anterior, mean in many:
        assert anterior.change.true == pytest.approx(mean.change.true)
        assert anterior.later.true / anterior.earlier.true - 1.0 == pytest.approx(anterior.change.true)
    off = [np.log(one.earlier.value / one.earlier.true) for pair in many for one in pair]
    assert abs(np.mean(off)) < 0.03


def test_files_are_whole_and_the_same_to_the_bit_for_any_number_of_threads(tmp_path: Path) -> None:
    made = run_uncertainty(tmp_path / "one", TINY, threads=1)
    again = measure_uncertainty(TINY, threads=2)
    assert again.replicates == made.replicates
    other = measure_uncertainty(replace(TINY, seed=2, spect_replicates=2), threads=1)
    assert other.replicates[0] != made.replicates[0]
    names = {path.name for path in (tmp_path / "one").iterdir()}
    assert {"uncertainty.json", "uncertainty.csv", "uncertainty.html", "provenance.json"} <= names
    assert sum(name.endswith(".png") for name in names) == 3
    document = json.loads((tmp_path / "one" / "uncertainty.json").read_text())
    assert len(document["groups"]) == len(document["reliability"]) == len(table_of(made)) - 1 == 6
    with (tmp_path / "one" / "uncertainty.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == 2 * (2 * 12 + 4)
    assert all(float(row["change_low"]) <= float(row["change_high"]) for row in rows if row["modality"] == "spect")
    assert "spect, low counts: change covered" in as_text(made)
