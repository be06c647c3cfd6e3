"""Time OSEM 5 x 15 on 128 x 128 x 128 voxels and 120 views with attenuation, response and scatter.

Run as ``python benchmarks/osem_speed.py [threads]``. Prints the median of five runs after compilation, building the
sensitivity images included, with the peak memory of the whole process and a hash of the image.
"""

from __future__ import annotations

import hashlib
import platform
import resource
import statistics
import sys
import time

import numpy as np

from leukospect.physics.collimators import find_collimator, system_sigma_mm
from leukospect.projector import SpectProjector, plan_response, support_of
from leukospect.reconstruction import osem, prepare_subsets, subset_views

COLUMNS, SLICES, VIEWS, PIXEL_MM, RADIUS_MM = 128, 128, 120, 4.8, 250.0


def build(threads: int) -> tuple[SpectProjector, np.ndarray]:
    """Make the projector of a water cylinder of 38 cm, and the whole field of view as its support."""
    angles = np.arange(VIEWS) * 360.0 / VIEWS
    collimator = find_collimator("siemens:LEHR", "")
    response = plan_response(
        np.full(VIEWS, RADIUS_MM), COLUMNS, PIXEL_MM, PIXEL_MM, lambda z: system_sigma_mm(collimator, 140.5, z)
    )
    support = support_of(angles, None, COLUMNS, PIXEL_MM)
    places = np.arange(COLUMNS) - (COLUMNS - 1) / 2
    cylinder = np.hypot(*np.meshgrid(places, places)) < 40
    integral = np.where(cylinder[..., None], np.float32(0.15 * PIXEL_MM / 10), np.float32(0)).repeat(SLICES, axis=2)
    shape = (COLUMNS, COLUMNS, SLICES)
    return SpectProjector(shape, angles, np.zeros(VIEWS), response, integral, support, threads), support


def main() -> None:
    """Measure and print."""
    threads = int(sys.argv[1]) if len(sys.argv) > 1 else 2
    projector, support = build(threads)
    activity = np.random.default_rng(0).random(projector.in_shape, np.float32) * support[..., None]
    counts = projector.forward(activity)
    projector.adjoint(counts)
    seconds = []
    for _ in range(5):
        began = time.perf_counter()
        subsets = prepare_subsets(projector, subset_views(np.arange(VIEWS) * 3.0, 15), support[..., None])
        image = osem(subsets, counts, counts * np.float32(0.2), iterations=5)
        seconds.append(time.perf_counter() - began)
    peak_gb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    digest = hashlib.sha256(image.tobytes()).hexdigest()[:16]
    print(f"{platform.machine()}, {threads} threads: median {statistics.median(seconds):.2f} s of {len(seconds)} runs")
    print(f"peak memory {peak_gb:.2f} GB, image {digest}")


if __name__ == "__main__":
    main()
