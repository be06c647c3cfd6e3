"""The program's model and reconstruction, reached by its own upper levels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from leukospect.data import Image, Projections
from leukospect.photopeaks import PeakShare, PhotopeakCounts
from leukospect.physics.collimators import Collimator, find_collimator
from leukospect.physics.nuclides import nuclide
from leukospect.projector import reconstruction_geometry, views_of_counts
from leukospect.spect_study import expected_counts, prepare_reconstruction

Float64 = NDArray[np.float64]
LEHR = find_collimator("LEHR", "Siemens")


def _peak(projections: Projections, counts: Float64) -> PhotopeakCounts:
    return PhotopeakCounts(views_of_counts(counts), None, "none", nuclide("Tc-99m"), (PeakShare(140.511, 1.0, 0),))


def _map(projections: Projections, mu: Float64 | None) -> Image | None:
    return None if mu is None else Image(mu.astype(np.float32), reconstruction_geometry(projections), "1/cm")


def program_views(
    projections: Projections, activity: Float64, mu: Float64 | None, collimator: Collimator | None = LEHR
) -> Float64:
    """Give the counts (views, rows, columns) that the program expects of an activity in counts/s/mL."""
    peak = _peak(projections, projections.counts[0].astype(np.float64))
    model = prepare_reconstruction(projections, peak, _map(projections, mu), collimator, iterations=1, subsets=1)
    image = Image(activity.astype(np.float32), reconstruction_geometry(projections), "counts/s/mL")
    return expected_counts(model, image, peak).astype(np.float64)


def program_image(
    projections: Projections, counts: Float64, mu: Float64 | None, *, iterations: int, subsets: int,
    collimator: Collimator | None = LEHR,
) -> Float64:  # fmt: skip
    """Reconstruct counts (views, rows, columns) by the program; slices from the feet."""
    peak = _peak(projections, counts)
    model = prepare_reconstruction(
        projections, peak, _map(projections, mu), collimator, iterations=iterations, subsets=subsets
    )
    return np.asarray(model.image(peak).array, dtype=np.float64)
