"""Time and memory of reducing a whole CT, in a process of its own: ``python -m leukospect.benchmark.metal_process``.

A fresh process starts with nothing loaded, so its peak memory is that of the CT and of its reduction. The CT is made by
repeating the slices of a small scan: first those without metal, then a block with metal, then the rest without.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from leukospect.benchmark.speed_process import peak_memory_mb
from leukospect.ct.metal import reduce_metal
from leukospect.data import AcquisitionHeader, CtSeries, Geometry, Image

if TYPE_CHECKING:  # not needed in the process that is measured
    from leukospect.phantoms.scanned_anatomy import ScannedAnatomy

_SPACING_MM = 2.0


@dataclass(frozen=True, slots=True)
class LargeCt:
    """Reduction of a whole CT in a process of its own; `failure` tells why there is none."""

    slices: int
    metal_slices: int
    threads: int
    seconds: float = float("nan")
    peak_mb: float = float("nan")
    input_mb: float = float("nan")
    failure: str = ""


def reduce_in_process(
    with_metal: ScannedAnatomy, large: LargeCt, folder: Path, *, timeout_s: float = 1800.0
) -> LargeCt:
    """Measure the reduction of a large CT made of a small scan's slices.

    Parameters
    ----------
    with_metal : ScannedAnatomy
        Its slices with metal are repeated; its truth gives those without.
    large : LargeCt
        How many slices of each kind, and threads.
    folder : Path
        For the question and the answer.
    timeout_s : float
    """
    question, answer = folder / "slices.npz", folder / "answer.json"
    chosen = with_metal.metal.any(axis=(1, 2))
    np.savez(
        question,
        metal=with_metal.scanned_hu[chosen].astype(np.int16),
        plain=with_metal.truth_hu.astype(np.int16),
        pixel_mm=np.array(with_metal.geometry.spacing_mm[1:]),
        kvp=with_metal.kvp,
        plan=np.array([large.slices, large.metal_slices, large.threads]),
    )
    command = [sys.executable, "-m", "leukospect.benchmark.metal_process", str(question), str(answer)]
    threads = {"NUMBA_NUM_THREADS": str(max(large.threads, 1))}
    try:
        done = subprocess.run(command, env={**os.environ, **threads}, capture_output=True, text=True,
                              timeout=timeout_s, check=False)  # fmt: skip
    except subprocess.TimeoutExpired:
        return LargeCt(large.slices, large.metal_slices, large.threads, failure=f"not done after {timeout_s:.0f} s")
    if done.returncode or not answer.is_file():
        said = done.stderr.strip().splitlines()
        why = said[-1] if said else f"ended with code {done.returncode}"
        return LargeCt(large.slices, large.metal_slices, large.threads, failure=why)
    return LargeCt(**json.loads(answer.read_text(encoding="utf-8")))


def measure_large(question: Path) -> LargeCt:
    """Make the CT and reduce it, here."""
    with np.load(question) as stored:
        slices, metal_slices, threads = (int(value) for value in stored["plan"])
        metal, plain = stored["metal"], stored["plain"]
        pixel, kvp = stored["pixel_mm"], float(stored["kvp"])
    warm = _series(metal[:1], pixel, kvp)
    reduce_metal(warm, threads=threads)  # everything loaded and compiled
    first = (slices - metal_slices) // 2
    volume = np.empty((slices, *plain.shape[1:]), dtype=np.int16)
    for k in range(slices):
        source = metal if first <= k < first + metal_slices else plain
        volume[k] = source[k % len(source)]
    series = _series(volume, pixel, kvp)
    held = peak_memory_mb()
    began = time.perf_counter()
    reduce_metal(series, threads=threads)
    took = time.perf_counter() - began
    return LargeCt(slices, metal_slices, threads, took, peak_memory_mb(), held)


def _series(volume: np.ndarray, pixel_mm: np.ndarray, kvp: float) -> CtSeries:
    spacing = (_SPACING_MM, float(pixel_mm[0]), float(pixel_mm[1]))
    geometry = Geometry.axial((volume.shape[0], volume.shape[1], volume.shape[2]), spacing, (0.0, 0.0, 0.0))
    return CtSeries(Image(volume, geometry, "HU"), AcquisitionHeader("CT"), kvp=kvp)


def main() -> None:
    """Read the question, write the answer."""
    question, answer = (Path(argument) for argument in sys.argv[1:3])
    answer.write_text(json.dumps(asdict(measure_large(question))), encoding="utf-8")


if __name__ == "__main__":
    main()
