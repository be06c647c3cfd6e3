"""A tiny run of the metal benchmark from end to end, and what targets make of measures."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from leukospect.benchmark import metal
from leukospect.benchmark.metal_process import LargeCt
from leukospect.benchmark.metal_report import MetalResults, as_text, write_files
from leukospect.benchmark.metal_results import MetalMeasures, MetalSettings, SliceMeasure, Volume
from leukospect.benchmark.metal_spect import SpectBias, SpectFound, judged_periprosthetic
from leukospect.benchmark.metal_targets import judged
from leukospect.ct.metal import METHODS
from leukospect.errors import InputError
from leukospect.phantoms.metal_anatomies import BENCHMARK_SEEDS_FROM

TINY = MetalSettings(volumes=1, slices=2, matrix=96, large_slices=0, families=("nail", "dental"), spect=())
GOOD = SliceMeasure(
    "nail", 1100, "steel_316l", 0, "linear", True, 90, 100.0, 30.0, 10.0, 99.5, 28.3, 0.6, 0.9, 0.1, 0.1, 3.0, 3.0, 3.1
)
FAST = Volume("nail", 1100, True, 6, 6, 1.8, True)
PLAIN = Volume("nail", 1100, False, 6, 0, 0.06, True)
LARGE = LargeCt(400, 150, 2, 100.0, 1500.0, 400.0)


def _measures(
    slices: list[SliceMeasure], volumes: tuple[Volume, ...] = (FAST, PLAIN), large: LargeCt | None = LARGE
) -> MetalMeasures:
    return MetalMeasures("linear", tuple(slices), volumes, large, ())


def _missed(measures: MetalMeasures) -> list[str]:
    return [target.asked for target in judged(measures) if target.verdict == "missed"]


def test_a_good_run_meets_every_target() -> None:
    targets = judged(_measures([GOOD] * 240))
    assert len(targets) == 15
    assert {target.verdict for target in targets} == {"met", "told"}


def test_the_artefact_alone_is_told_beside_the_error() -> None:
    noisy = replace(GOOD, artefact_before_hu=15.0, artefact_after_hu=12.0, rmse_after_hu=90.0)
    told = [target for target in judged(_measures([GOOD] * 3 + [noisy] * 2)) if target.verdict == "told"]
    # (99.5 - 28.3) / 99.5; the noisy ones' artefact is less than twice their noise.
    assert [target.found for target in told] == ["71.6%", "70.0% of 3 slices"]


@pytest.mark.parametrize(
    ("changes", "number", "asked"),
    [
        ({"rmse_after_hu": 41.0}, 240, "falls by"),
        ({"rmse_after_hu": 101.0}, 3, "rises in"),
        ({"rmse_after_hu": 102.1}, 1, "never rises"),
        ({"ssim_after": 0.59}, 130, "SSIM"),
        ({"edge_after_mm": -0.5}, 130, "keeps its place"),
        ({"width_after_mm": 3.6}, 130, "width"),
    ],
)
def test_a_target_is_missed_where_slices_fall_short(changes: dict[str, Any], number: int, asked: str) -> None:
    (missed,) = _missed(_measures([replace(GOOD, **changes)] * number + [GOOD] * (240 - number)))
    assert asked in missed


def test_few_slices_changed_bits_and_slowness_are_missed() -> None:
    (missed,) = _missed(_measures([GOOD] * 199))
    assert "200 slices" in missed
    changed = (FAST, replace(PLAIN, identical=False))
    assert _missed(_measures([GOOD] * 240, changed)) == ["Scans without metal come out bit-identical"]
    slow = (replace(FAST, seconds=6 * 0.71), replace(PLAIN, seconds=6 * 0.021))
    assert len(_missed(_measures([GOOD] * 240, slow))) == 2
    assert len(_missed(_measures([GOOD] * 240, large=replace(LARGE, seconds=121.0, peak_mb=2001.0)))) == 2
    assert len(_missed(_measures([GOOD] * 240, large=replace(LARGE, failure="killed")))) == 1


def test_other_methods_are_not_judged() -> None:
    bad = replace(GOOD, method="other", rmse_after_hu=500.0)
    assert _missed(_measures([GOOD] * 240 + [bad] * 10)) == []


def test_the_benchmark_takes_no_anatomy_of_the_tuning() -> None:
    for seed in (0, 1, 7):
        assert MetalSettings(seed=seed).first_anatomy >= BENCHMARK_SEEDS_FROM
    assert MetalSettings(seed=1).first_anatomy + 100 <= MetalSettings(seed=2).first_anatomy
    with pytest.raises(InputError, match="anatomies"):
        MetalSettings(volumes=0)


def test_files_tell_the_bias_of_spect_before_and_after(tmp_path: Path) -> None:
    bias = SpectBias("hip-prosthesis", "right neck", 7.0, 0.9 * 0.97 - 1, 0.99 * 0.97 - 1, -0.03, -0.8)
    found = SpectFound((bias,), (), ("assumed",))
    measures = _measures([GOOD] * 3)
    results = MetalResults(TINY, measures, found, judged_periprosthetic(found), (), {"cores": 2}, ())
    write_files(tmp_path, results, {})
    (row,) = csv.DictReader((tmp_path / "metal-spect.csv").read_text(encoding="utf-8").splitlines())
    assert float(row["before_from_metal"]) == pytest.approx(-0.1)
    assert float(row["after_from_metal"]) == pytest.approx(-0.01)
    document = json.loads((tmp_path / "metal.json").read_text(encoding="utf-8"))
    assert [one["volume"] for one in document["spect"]] == ["right neck"]
    for text in (as_text(results), (tmp_path / "metal.html").read_text(encoding="utf-8")):
        assert "-10.0% before (right neck), -1.0% after (right neck)" in text
    without = as_text(replace(results, spect=None, targets=()))
    assert "SPECT" not in without


def test_a_tiny_run_writes_every_file(tmp_path: Path) -> None:
    told: list[str] = []
    results = metal.run_metal(tmp_path / "out", TINY, threads=2, progress=lambda stage, done: told.append(stage))
    document = json.loads((tmp_path / "out" / "metal.json").read_text(encoding="utf-8"))
    with (tmp_path / "out" / "metal.csv").open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    slices = results.measures.of()
    assert {one.family for one in slices} == {"nail", "dental"}
    assert len(rows) == len(document["slices"]) == len(slices) * len(results.measures.methods)
    assert set(METHODS) <= set(results.measures.methods)
    assert all(one.rmse_without_metal_hu < one.rmse_before_hu for one in slices if one.family == "nail")
    for one in slices:  # the artefact and the noise together make the error
        together = np.hypot(one.artefact_before_hu, one.rmse_without_metal_hu)
        assert abs(together - one.rmse_before_hu) < 0.25 * together
    assert [one.identical for one in results.measures.volumes if not one.with_metal] == [True, True]
    assert document["settings"]["matrix"] == 96
    page = (tmp_path / "out" / "metal.html").read_text(encoding="utf-8")
    assert all(target.verdict in page for target in results.targets)
    for name in ("slices-nail", "slices-dental", "errors", "methods"):
        assert (tmp_path / "out" / f"{name}.png").is_file()
    assert any("nail" in stage for stage in told)
