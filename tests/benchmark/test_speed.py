"""The speed benchmark measures in fresh processes, derives what it says, and writes it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from leukospect.benchmark import speed
from leukospect.benchmark.speed import SpeedPlan, run_speed
from leukospect.benchmark.speed_contest import OURS, RIVALS, Corrections, Settings, Within
from leukospect.benchmark.speed_plots import PLOTS
from leukospect.benchmark.speed_process import Measurement, Task, measure_task, measurement_of, run_in_process
from leukospect.benchmark.speed_report import as_markdown, as_text
from leukospect.benchmark.speed_results import SpeedResults
from leukospect.errors import InputError

TINY = SpeedPlan(
    size=24, views=6, total_counts=1e5, iterations=1, subsets=3, threads=2, runs=2, thread_counts=(1, 2, 3),
    sizes=(16, 24), rivals=("sparse matrix",),
)  # fmt: skip


def measured(
    name: str, seconds: float, corrections: Corrections = "all", within: Within = "body", threads: int = 2, **more: Any
) -> Measurement:
    task = Task(name, Settings(corrections, within, threads), "case.npz", 120, 1, f"{name} {corrections} {within}.npy")
    values: dict[str, Any] = {"sha256": ("same",), "process_s": 1.0, "peak_mb": 500.0, **more}
    return Measurement(task, (0.9 * seconds, seconds, 5 * seconds), (0.0, 0.0, 0.0), **values)


def results(**more: Any) -> SpeedResults:
    ours = (
        measured("leukospect", 1.0),
        measured("leukospect", 2.0, within="field"),
        measured("leukospect", 0.5, "none"),
        measured("leukospect", 0.8, "none", threads=1),
        measured("leukospect", 1.6, "none", "field", threads=1),
    )
    values: dict[str, Any] = {
        "plan": {"size": 128, "views": 120, "iterations": 5, "subsets": 15, "total_counts": 1e7},
        "machine": {"processor": "made up", "cores": 2},
        "compiling": (measured("leukospect", 0.1, process_s=21.0), measured("leukospect", 0.1, process_s=2.0)),
        "ours": ours,
        "threads": tuple(measured("leukospect", 3.0 / n, threads=n) for n in (1, 2)),
        "sizes": (),
        "rivals": (measured("PyTomography", 200.0, within="field"),),
        "differences": {},
        "notes": (),
        **more,
    }
    return SpeedResults(**values)


def test_ratios_are_of_medians_with_the_same_threads() -> None:
    (ratio,) = results().ratios()
    assert (ratio.rival, ratio.to_body, ratio.to_field, ratio.aim) == ("PyTomography", 200.0, 100.0, 150.0)


def test_a_rival_of_one_thread_is_compared_with_one_and_all() -> None:
    rival = replace(measured("sparse matrix", 2.0, "none", "field", threads=1), building_s=(0.4, 0.4, 0.4))
    alone, together = results(rivals=(rival,)).ratios()
    assert (alone.our_threads, together.our_threads) == (1, 2)
    assert [alone.to_body, alone.to_field] == pytest.approx([2.0, 1.0])
    assert together.to_body == pytest.approx(3.2)


def test_threads_and_compiling() -> None:
    found = results()
    assert found.speed_up(2) == pytest.approx(2.0)
    assert found.speed_up(4) is None
    assert found.same_to_the_bit
    assert found.compile_s == pytest.approx(19.0)
    other = (measured("leukospect", 3.0, threads=1), measured("leukospect", 2.0, threads=2, sha256=("other",)))
    assert not results(threads=other).same_to_the_bit
    failed = (measured("leukospect", 3.0, threads=1), replace(other[0], sha256=(), failure="killed"))
    assert not results(threads=failed).same_to_the_bit


def test_time_of_a_voxel_and_view() -> None:
    task = Task("leukospect", Settings("all", "body", 2), "64", 60, 3)
    found = results(sizes=(Measurement(task, (2.0,), (0.0,)),))
    # An ellipse of 165 x 120 mm holds 675 places of 9.6 mm.
    assert found.ns_per_voxel_and_view(found.sizes[0]) == pytest.approx(2.0e9 / (675 * 64 * 60 * 5), rel=0.02)


@pytest.mark.parametrize(("load", "notes"), [(0.1, 0), (3.0, 1)])
def test_a_busy_machine_is_told(load: float, notes: int) -> None:
    assert len(speed._busy({"load_before": load})) == notes


def test_failures_are_told() -> None:
    failed = replace(measured("MIRTorch", 1.0, within="field"), seconds=(), sha256=(), failure="no memory")
    text = as_text(results(rivals=(failed,)))
    assert "failed" in text
    assert not list(results(rivals=(failed,)).ratios())


def test_a_fresh_process_measures(tmp_path: Path) -> None:
    task = Task("sparse matrix", Settings("none", "body", 1, 1, 3), "16", 6, 2)
    found = run_in_process(task, tmp_path, compiled=tmp_path / "compiled")
    assert not found.failure
    assert len(found.seconds) == len(found.sha256) == 2
    assert found.sha256[0] == found.sha256[1]
    assert 10.0 < found.peak_mb < 400.0
    assert found.process_s > sum(found.seconds)


def test_peak_memory_is_the_contestant_s_own(tmp_path: Path) -> None:
    ballast = bytearray(400_000_000)
    ballast[::4096] = b"x" * len(ballast[::4096])
    task = Task("sparse matrix", Settings("none", "body", 1, 1, 3), "16", 6, 0)
    assert run_in_process(task, tmp_path, compiled=tmp_path / "compiled").peak_mb < 300.0
    assert len(ballast) == 400_000_000


def test_a_process_that_ends_badly_is_a_failure(tmp_path: Path) -> None:
    task = Task("nobody", Settings("none", "body", 1, 1, 3), "16", 6, 1)
    found = run_in_process(task, tmp_path, compiled=tmp_path / "compiled")
    assert "nobody" in found.failure
    assert found.median_s == float("inf")


def test_a_process_that_does_not_end_is_given_up(tmp_path: Path) -> None:
    task = Task("sparse matrix", Settings("none", "body", 1, 1, 3), "16", 6, 1)
    found = run_in_process(task, tmp_path, compiled=tmp_path / "compiled", timeout_s=0.01)
    assert "not done" in found.failure


@pytest.fixture
def in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Measure here: a process each would compile for minutes."""

    def here(task: Task, folder: Path, *, compiled: Path, timeout_s: float) -> Measurement:
        return measurement_of(task, measure_task(task), 1.0)

    monkeypatch.setattr(speed, "run_in_process", here)


@pytest.mark.usefixtures("in_this_process")
def test_run_writes_everything(tmp_path: Path) -> None:
    found = run_speed(tmp_path / "out", TINY)
    written = {path.name for path in (tmp_path / "out").iterdir()}
    assert written == {"speed.json", "speed.md", "provenance.json", *PLOTS}
    document = json.loads((tmp_path / "out" / "speed.json").read_text())
    assert document["same_to_the_bit"] is True
    assert {one["contestant"] for one in document["contestants"]} == {"leukospect", "sparse matrix"}
    assert len(document["sizes"]) == 2
    assert str(tmp_path) not in json.dumps(document)
    reference = [one for one in document["contestants"] if (one["within"], one["threads"]) == ("field", 2)]
    assert all(one["difference_from_leukospect"] == 0.0 for one in reference if one["contestant"] == OURS.name)
    for text in (as_text(found), as_markdown(found)):
        assert "attenuation, scatter, response" in text
        assert "37 mm" in text


@pytest.mark.usefixtures("in_this_process")
def test_missing_rivals_are_named_in_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(speed, "RIVALS", tuple(replace(r, distribution="no-such-distribution") for r in RIVALS[1:]))
    notes = run_speed(tmp_path / "out", replace(TINY, rivals=None, thread_counts=(1,), sizes=(16,))).notes
    missing = [note for note in notes if "not installed" in note]
    assert missing == [
        "PyTomography and MIRTorch are not installed and left out; pip install 'leukospect[bench]' adds them."
    ]


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"size": 8}, "voxels"),
        ({"subsets": 7, "views": 6}, "subsets"),
        ({"runs": 0}, "run"),
        ({"rivals": ("nobody",)}, "nobody"),
    ],
)
def test_impossible_plans_are_refused(change: dict[str, Any], word: str) -> None:
    with pytest.raises(InputError, match=word):
        replace(TINY, **change)
