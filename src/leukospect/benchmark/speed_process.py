"""One measurement of the speed benchmark, in a process of its own: ``python -m leukospect.benchmark.speed_process``.

A fresh process starts with nothing loaded, so its peak memory is that of the contestant alone, and the number of
threads is settled before any library starts.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from leukospect.benchmark.speed_accuracy import measure
from leukospect.benchmark.speed_case import SpeedCase, plain_case
from leukospect.benchmark.speed_contest import CONTESTANTS, Settings

_THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")
_SMALL = 16


@dataclass(frozen=True, slots=True)
class Task:
    """What a process measures.

    Parameters
    ----------
    contestant : str
    settings : Settings
    case : str
        Path of an .npz file, or a number of voxels along each axis of a `plain_case`.
    views : int
        Of a `plain_case`.
    runs : int
        0 only warms up: a small problem, so that everything is loaded and compiled.
    image : str
        Where to keep the image, .npy; empty: nowhere.
    """

    contestant: str
    settings: Settings
    case: str
    views: int
    runs: int
    image: str = ""


@dataclass(frozen=True, slots=True)
class Measurement:
    """What came of a task.

    Parameters
    ----------
    task : Task
    seconds, building_s : tuple of float
        Of each run.
    process_s : float
        Of the whole process, loading and compiling included.
    warming_up_s : float
        Of the small problem.
    peak_mb : float
        The most memory that the process held, MB.
    sha256 : tuple of str
        Of the image of each run.
    accuracy : dict
        Fields of `speed_accuracy.Accuracy`; empty for a `plain_case`.
    failure : str
        Why there is no result; empty where there is one.
    """

    task: Task
    seconds: tuple[float, ...] = ()
    building_s: tuple[float, ...] = ()
    process_s: float = 0.0
    warming_up_s: float = 0.0
    peak_mb: float = 0.0
    sha256: tuple[str, ...] = ()
    accuracy: Mapping[str, Any] | None = None
    failure: str = ""

    @property
    def median_s(self) -> float:
        """Median wall time of a run, s; infinite where there is none."""
        return float(np.median(self.seconds)) if self.seconds else float("inf")

    @property
    def building_median_s(self) -> float:
        """Median of the part that depends on the geometry only, s."""
        return float(np.median(self.building_s)) if self.building_s else 0.0


def run_in_process(task: Task, folder: Path, *, compiled: Path, timeout_s: float = 7200.0) -> Measurement:
    """Run a task in a fresh process.

    Parameters
    ----------
    task : Task
    folder : Path
        For the question and the answer.
    compiled : Path
        Folder in which compiled loops are kept; an empty one makes the process compile everything.
    timeout_s : float

    Returns
    -------
    Measurement
        With `failure` where the process did not end well: killed for its memory, too slow, an error of the contestant.
    """
    question, answer = folder / "question.json", folder / "answer.json"
    question.write_text(json.dumps(asdict(task)), encoding="utf-8")
    answer.unlink(missing_ok=True)
    threads = {name: str(task.settings.threads) for name in _THREAD_VARIABLES}
    environment = {**os.environ, **threads, "NUMBA_CACHE_DIR": str(compiled)}
    command = [sys.executable, "-m", "leukospect.benchmark.speed_process", str(question), str(answer)]
    began = time.perf_counter()
    try:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=timeout_s, check=False)
    except subprocess.TimeoutExpired:
        return Measurement(task, failure=f"not done after {timeout_s:.0f} s")
    took = time.perf_counter() - began
    if done.returncode or not answer.is_file():
        said = done.stderr.strip().splitlines()
        return Measurement(task, failure=said[-1] if said else f"ended with code {done.returncode}")
    return measurement_of(task, json.loads(answer.read_text(encoding="utf-8")), took)


def measurement_of(task: Task, values: Mapping[str, Any], process_s: float) -> Measurement:
    """Put together what `measure_task` gave in the process, and how long that took."""
    return Measurement(
        task,
        seconds=tuple(values["seconds"]),
        building_s=tuple(values["building_s"]),
        process_s=process_s,
        warming_up_s=values["warming_up_s"],
        peak_mb=values["peak_mb"],
        sha256=tuple(values["sha256"]),
        accuracy=values["accuracy"],
    )


def peak_memory_mb() -> float:
    """Give the most memory that this process held, MB.

    Linux tells it of the running program; what getrusage tells there includes the program that started it.
    """
    status = Path("/proc/self/status")
    if status.is_file():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
        return float(line.split()[1]) / 1e3
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak / 1e3


def _task_of(values: dict[str, Any]) -> Task:
    return Task(**{**values, "settings": Settings(**values["settings"])})


def measure_task(task: Task) -> dict[str, Any]:
    """Carry a task out here; gives the fields of a Measurement that only this process knows."""
    settings = task.settings
    began = time.perf_counter()
    reconstruct = CONTESTANTS[task.contestant].driver()
    small = Settings(settings.corrections, settings.within, settings.threads, 1, settings.subsets)
    reconstruct(plain_case(_SMALL, settings.subsets), small)
    warming_up_s = time.perf_counter() - began
    seconds, building, hashes = [], [], []
    accuracy: dict[str, Any] = {}
    if task.runs:
        plain = task.case.isdigit()
        case = plain_case(int(task.case), task.views) if plain else SpeedCase.load(Path(task.case))
        for _ in range(task.runs):
            timed = reconstruct(case, settings)
            seconds.append(timed.seconds)
            building.append(timed.building_s)
            hashes.append(hashlib.sha256(timed.image.tobytes()).hexdigest())
    peak = peak_memory_mb()
    if task.runs and not plain:
        accuracy = asdict(measure(timed.image, case))
    if task.runs and task.image:
        np.save(task.image, timed.image)
    return {
        "seconds": seconds,
        "building_s": building,
        "warming_up_s": warming_up_s,
        "peak_mb": peak,
        "sha256": hashes,
        "accuracy": accuracy,
    }


def main() -> None:
    """Read the question, write the answer."""
    question, answer = (Path(argument) for argument in sys.argv[1:3])
    task = _task_of(json.loads(question.read_text(encoding="utf-8")))
    answer.write_text(json.dumps(measure_task(task)), encoding="utf-8")


if __name__ == "__main__":
    main()
