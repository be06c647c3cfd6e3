"""Time OSEM 5 x 15 on 128 x 128 x 128 voxels and 120 views with attenuation, response and scatter.

Run as ``python benchmarks/osem_speed.py [threads]``. Prints the median of five runs after compilation, planning the
views and building the sensitivity images included, inside a body mask and over the whole field, with the peak memory of
the whole process and a hash of the image.
"""

from __future__ import annotations

import hashlib
import platform
import resource
import statistics
import sys
import time

import numpy as np
from numpy.typing import NDArray

from leukospect.data import AcquisitionHeader, EnergyWindow, Image, Orbit, Projections
from leukospect.physics.collimators import find_collimator
from leukospect.projector import reconstruction_geometry, spect_projector
from leukospect.reconstruction import osem, prepare_subsets, subset_views

COLUMNS, SLICES, VIEWS, PIXEL_MM, RADIUS_MM = 128, 128, 120, 4.8, 250.0
BODY_MM = (190.0, 120.0)


def acquisition() -> Projections:
    """Make an empty acquisition on a circular orbit."""
    return Projections(
        np.zeros((1, VIEWS, SLICES, COLUMNS), np.float32),
        (EnergyWindow(((129.3, 151.7),), "peak"),),
        Orbit(np.arange(VIEWS) * 360.0 / VIEWS, np.full(VIEWS, RADIUS_MM)),
        (PIXEL_MM, PIXEL_MM),
        (0.0, 0.0),
        0.0,
        np.zeros(VIEWS),
        np.ones(VIEWS),
        AcquisitionHeader("TOMO"),
    )


def body() -> NDArray[np.bool_]:
    """Make the outline of a body of 38 x 24 cm."""
    places = (np.arange(COLUMNS) - (COLUMNS - 1) / 2) * PIXEL_MM
    y, x = np.meshgrid(places, places, indexing="ij")
    return np.hypot(x / BODY_MM[0], y / BODY_MM[1]) <= 1


def main() -> None:
    """Measure and print."""
    threads = int(sys.argv[1]) if len(sys.argv) > 1 else 2
    empty, outline = acquisition(), body()
    mu = np.broadcast_to(np.where(outline, np.float32(0.15), np.float32(0)), (SLICES, COLUMNS, COLUMNS))
    map_ = Image(np.ascontiguousarray(mu), reconstruction_geometry(empty), "1/cm")
    lehr = find_collimator("LEHR", "Siemens")
    views = subset_views(empty.orbit.angles_deg, 15)
    for name, within in (("inside the body", outline), ("over the whole field", None)):
        truth = spect_projector(empty, map_, lehr, 140.511, threads=threads, within=outline)
        activity = np.random.default_rng(0).random(truth.in_shape, np.float32)
        counts = truth.forward(activity)
        truth.adjoint(counts)
        seconds = []
        for _ in range(5):
            began = time.perf_counter()
            projector = spect_projector(empty, map_, lehr, 140.511, threads=threads, within=within)
            image = osem(prepare_subsets(projector, views), counts, counts * np.float32(0.2), iterations=5)
            seconds.append(time.perf_counter() - began)
        digest = hashlib.sha256(image.tobytes()).hexdigest()[:16]
        print(f"{name}: median {statistics.median(seconds):.2f} s of {len(seconds)} runs, image {digest}")
    peak_gb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(f"{platform.machine()}, {threads} threads, peak memory {peak_gb:.2f} GB")


if __name__ == "__main__":
    main()
