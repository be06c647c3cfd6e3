"""Time reading a CT of 400 slices of 512 x 512 and a SPECT of 120 views, three windows and 128 x 128 pixels.

Run as ``python benchmarks/reading_speed.py``. Both are written in a temporary folder by the project's own writers and
read five times each, so from a warm disk; medians are printed. The peak memory is the growth of the process while the
CT is read for the first time, the volume that it returns included.
"""

from __future__ import annotations

import os
import platform
import resource
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import numpy as np

from leukospect.data import (
    AcquisitionHeader,
    CtSeries,
    EnergyWindow,
    Geometry,
    Image,
    Orbit,
    Projections,
    Radiopharmaceutical,
)
from leukospect.dicom.read.ct import read_ct
from leukospect.dicom.read.study import read_projections
from leukospect.dicom.write.acquisition import PhantomIdentity, write_ct, write_projections

SLICES, SIZE, RUNS = 400, 512, 5
VIEWS, WINDOWS, MATRIX = 120, 3, 128
START = datetime(2024, 1, 10, 12)


def a_ct() -> CtSeries:
    """Make a CT of noisy water in air."""
    y, x = np.mgrid[:SIZE, :SIZE] - (SIZE - 1) / 2
    plane = np.where(np.hypot(x, 1.4 * y) < 180, 0.0, -1000.0)
    noise = np.random.default_rng(0).normal(0.0, 20.0, (SIZE, SIZE))
    array = np.stack([np.rint(plane + np.roll(noise, k, axis=0)).astype(np.int16) for k in range(SLICES)])
    geometry = Geometry.axial(array.shape, (1.0, 0.98, 0.98), (-250.0, -250.0, -900.0), "1.2.3")
    header = AcquisitionHeader("CT", START, frame_of_reference_uid="1.2.3", patient_position="HFS")
    return CtSeries(Image(array, geometry, "HU"), header, kvp=130.0, kernel="B31s", slice_thickness_mm=1.0)


def a_spect() -> Projections:
    """Make projections of even counts, two heads of 60 views."""
    counts = np.random.default_rng(0).poisson(5.0, (WINDOWS, VIEWS, MATRIX, MATRIX)).astype(np.float32)
    limits = [(126.45, 154.55), (116.0, 126.0), (155.0, 165.0)]
    times = np.tile(np.arange(VIEWS // 2) * 20.0, 2)
    tracer = Radiopharmaceutical("Tc-99m", "HMPAO leukocytes", datetime(2024, 1, 10, 8), 500.0)
    header = AcquisitionHeader("TOMO", START, tracer, "LEHR", frame_of_reference_uid="1.2.3", patient_position="HFS")
    return Projections(
        counts,
        tuple(EnergyWindow((pair,), name) for pair, name in zip(limits, ("peak", "low", "high"), strict=True)),
        Orbit(180.0 + 3.0 * np.arange(VIEWS), np.full(VIEWS, 240.0)),
        (4.8, 4.8),
        (0.0, 0.0),
        300.0,
        times,
        np.full(VIEWS, 20.0),
        header,
    )


def median_s(read: Callable[[], object]) -> tuple[float, float]:
    """Read `RUNS` times; give the median and the longest, s."""
    seconds = []
    for _ in range(RUNS):
        began = time.perf_counter()
        read()
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds), max(seconds)


def peak_mb() -> float:
    """Give the most memory the process has held, MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


def main() -> None:
    """Write, measure and print."""
    print(f"{platform.node()}, {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    with tempfile.TemporaryDirectory() as temporary:
        folder, identity = Path(temporary), PhantomIdentity("PHANTOM^SPEED", "SPEED", START)
        # A process of its own writes, so that its memory does not count as the reader's.
        child = os.fork()
        if child == 0:
            write_ct(a_ct(), folder / "ct", identity)
            write_projections(a_spect(), folder / "spect.dcm", identity, heads=2)
            os._exit(0)
        if os.waitpid(child, 0)[1]:
            raise SystemExit("The acquisitions could not be written.")
        before = peak_mb()
        read_ct(folder / "ct")
        grown, pixels = peak_mb() - before, SLICES * SIZE * SIZE * 2 / 1e6
        slices, longest = median_s(lambda: read_ct(folder / "ct"))
        print(f"CT of {SLICES} slices: median {slices:.2f} s of {RUNS} (longest {longest:.2f} s)")
        print(f"peak memory {grown:.0f} MB for {pixels:.0f} MB of pixels")
        views, longest = median_s(lambda: read_projections(folder / "spect.dcm"))
        print(f"TOMO of {VIEWS} views, {WINDOWS} windows: median {views:.3f} s of {RUNS} (longest {longest:.3f} s)")


if __name__ == "__main__":
    main()
