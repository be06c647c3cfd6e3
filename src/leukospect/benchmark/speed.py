"""`leukospect bench speed`: the project's reconstruction and its rivals on the same input, in the same run."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np

from leukospect.benchmark.speed_accuracy import relative_difference
from leukospect.benchmark.speed_case import SpeedCase, simulated_case
from leukospect.benchmark.speed_contest import OURS, RIVALS, Contestant, Corrections, Settings, Within
from leukospect.benchmark.speed_machine import machine, usable_cores
from leukospect.benchmark.speed_plots import draw_plots
from leukospect.benchmark.speed_process import Measurement, Task, run_in_process
from leukospect.benchmark.speed_report import as_markdown
from leukospect.benchmark.speed_results import SpeedResults, image_key
from leukospect.errors import InputError
from leukospect.provenance import provenance_document, write_provenance
from leukospect.whole_files import whole_folder

Progress = Callable[[str, float], None]


@dataclass(frozen=True, slots=True)
class SpeedPlan:
    """What is measured.

    Parameters
    ----------
    size, views : int
        Voxels along each axis, and views over 360 degrees.
    total_counts : float
    iterations, subsets : int
    threads : int or None
        Of every contestant; None: all cores.
    runs, rival_runs : int
        Of which the median is taken.
    thread_counts : tuple of int
        For which ours is timed and its image hashed.
    sizes : tuple of int
        For which ours is timed.
    rivals : tuple of str or None
        Names; None: all that are installed.
    rival_timeout_s : float
        After which a rival's run is given up.
    """

    size: int = 128
    views: int = 120
    total_counts: float = 1e7
    iterations: int = 5
    subsets: int = 15
    threads: int | None = None
    runs: int = 5
    rival_runs: int = 1
    thread_counts: tuple[int, ...] = (1, 2, 3, 4, 8)
    sizes: tuple[int, ...] = (64, 128, 256)
    rivals: tuple[str, ...] | None = None
    rival_timeout_s: float = 7200.0

    def __post_init__(self) -> None:
        if min(self.size, *self.sizes) < 16:
            raise InputError("The speed benchmark needs at least 16 voxels along each axis.")
        if not 1 <= self.subsets <= self.views:
            raise InputError(f"{self.views} views cannot be divided into {self.subsets} subsets.")
        if min(self.runs, self.rival_runs) < 1:
            raise InputError("The speed benchmark needs at least one run of each contestant.")
        unknown = set(self.rivals or ()) - {rival.name for rival in RIVALS}
        if unknown:
            known = ", ".join(rival.name for rival in RIVALS)
            raise InputError(f"The speed benchmark knows no rival '{min(unknown)}'; it knows {known}.")


def run_speed(output: Path, plan: SpeedPlan | None = None, *, progress: Progress | None = None) -> SpeedResults:
    """Measure, and write speed.json, speed.md and plots.

    Parameters
    ----------
    output : Path
        Folder that appears whole.
    plan : SpeedPlan or None
        None takes the defaults.
    progress : function of a stage's name and the fraction of it done

    Returns
    -------
    SpeedResults
        `speed_report.as_text` of it is what a terminal shows.
    """
    plan = plan or SpeedPlan()
    with whole_folder(output, command="bench speed") as folder:
        results = measure_speed(plan, progress or (lambda stage, fraction: None))
        document = json.dumps(results.as_values(), indent=2) + "\n"
        (folder / "speed.json").write_text(document, encoding="utf-8")
        (folder / "speed.md").write_text(as_markdown(results), encoding="utf-8")
        draw_plots(results, folder)
        provenance = provenance_document(asdict(plan), (), results.notes, {"machine": dict(results.machine)})
        write_provenance(provenance, folder / "provenance.json")
    return results


def measure_speed(plan: SpeedPlan, progress: Progress) -> SpeedResults:
    """Carry the plan out, every measurement in a fresh process."""
    described = machine()
    with tempfile.TemporaryDirectory() as temporary:
        bench = _Bench(plan, Path(temporary), progress)
        bench.simulate()
        compiling = bench.compiling()
        ours = bench.ours()
        threads = bench.thread_scaling()
        sizes = bench.size_scaling()
        rivals, notes = bench.rivals()
        differences = bench.differences((*ours, *rivals))
    return SpeedResults(
        asdict(plan), described, compiling, ours, threads, sizes, rivals, differences, (*notes, *_busy(described))
    )


def _busy(described: dict[str, str | int | float]) -> tuple[str, ...]:
    load = float(described["load_before"])
    if load <= 0.5:
        return ()
    return (
        f"The machine was busy before the run (load {load:g}): times are too long, those of the rivals most, and the "
        "ratios mean nothing.",
    )


@dataclass(slots=True)
class _Bench:
    """The measurements of one plan, and the folder in which processes are told what to do."""

    plan: SpeedPlan
    folder: Path
    progress: Progress
    case: SpeedCase = field(init=False)

    @property
    def _threads(self) -> int:
        return self.plan.threads or usable_cores()

    @property
    def _compiled(self) -> Path:
        return self.folder / "compiled"

    def simulate(self) -> None:
        """Make the input of all contestants."""
        self.progress("simulating the input", 0.0)
        self.case = simulated_case(self.plan.size, self.plan.views, self.plan.total_counts)
        self.case.save(self.folder / "case.npz")
        self.progress("simulating the input", 1.0)

    def compiling(self) -> tuple[Measurement, Measurement]:
        """Load, compile and run a small problem: with nothing kept on disk, and again."""
        task = Task(OURS.name, self._settings("all", "body"), "16", self.plan.subsets, 0)
        first, second = (self._measure("compiling", fraction, task) for fraction in (0.0, 0.5))
        return first, second

    def ours(self) -> tuple[Measurement, ...]:
        """Time ours with each correction, inside the body and over the field."""
        tasks = list(self._tasks(OURS, self.plan.runs))
        # One rival has one thread only.
        alone = [task for task in tasks if task.settings.corrections == "none" and task.settings.threads > 1]
        tasks += [replace(task, settings=replace(task.settings, threads=1), image="") for task in alone]
        return tuple(self._measure("leukospect", n / len(tasks), task) for n, task in enumerate(tasks))

    def rivals(self) -> tuple[tuple[Measurement, ...], tuple[str, ...]]:
        """Time the rivals that are installed; notes tell which are not."""
        chosen = [rival for rival in RIVALS if self.plan.rivals is None or rival.name in self.plan.rivals]
        missing = [rival.name for rival in chosen if rival.installed_version is None]
        tasks = [
            task
            for rival in chosen
            if rival.name not in missing
            for task in self._tasks(rival, self.plan.runs if rival.distribution is None else self.plan.rival_runs)
        ]
        done = tuple(self._measure(task.contestant, n / len(tasks), task) for n, task in enumerate(tasks))
        notes = [f"{m.task.contestant} ({m.task.settings.corrections}) failed: {m.failure}." for m in done if m.failure]
        if missing:
            notes.append(
                f"{' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} not installed and left out; "
                "pip install 'leukospect[bench]' adds them."
            )
        return done, tuple(notes)

    def thread_scaling(self) -> tuple[Measurement, ...]:
        """Time ours for each number of threads; beyond the cores only the image's hash is of interest."""
        cores, done = usable_cores(), []
        for n, threads in enumerate(self.plan.thread_counts):
            settings = replace(self._settings("all", "body"), threads=threads)
            runs = self.plan.runs if threads <= cores else 1
            task = Task(OURS.name, settings, str(self.folder / "case.npz"), self.plan.views, runs)
            done.append(self._measure("thread scaling", n / len(self.plan.thread_counts), task))
        return tuple(done)

    def size_scaling(self) -> tuple[Measurement, ...]:
        """Time ours for each size of the problem, the views unchanged."""
        done = []
        for n, size in enumerate(self.plan.sizes):
            task = Task(OURS.name, self._settings("all", "body"), str(size), self.plan.views, min(self.plan.runs, 3))
            done.append(self._measure("size scaling", n / len(self.plan.sizes), task))
        return tuple(done)

    def differences(self, measurements: tuple[Measurement, ...]) -> dict[str, float]:
        """Compare every image with ours over the field, by the name of its file."""
        found = {}
        for one in measurements:
            reference = self.folder / _image_name(OURS.name, self._settings(one.task.settings.corrections, "field"))
            if one.task.image and Path(one.task.image).is_file() and reference.is_file():
                image = np.load(one.task.image)
                found[image_key(one)] = relative_difference(image, np.load(reference), self.case)
        return found

    def _settings(self, corrections: Corrections, within: Within) -> Settings:
        return Settings(corrections, within, self._threads, self.plan.iterations, self.plan.subsets)

    def _tasks(self, contestant: Contestant, runs: int) -> Iterator[Task]:
        for corrections in contestant.corrections:
            for within in contestant.supports:
                settings = self._settings(corrections, within)
                if contestant.single_threaded:
                    settings = replace(settings, threads=1)
                image = self.folder / _image_name(contestant.name, settings)
                yield Task(contestant.name, settings, str(self.folder / "case.npz"), self.plan.views, runs, str(image))

    def _measure(self, stage: str, fraction: float, task: Task) -> Measurement:
        self.progress(stage, fraction)
        timeout_s = self.plan.rival_timeout_s
        return run_in_process(task, self.folder, compiled=self._compiled, timeout_s=timeout_s)


def _image_name(contestant: str, settings: Settings) -> str:
    return f"{contestant} {settings.corrections} {settings.within}.npy"
