"""The project's own reconstruction as a contestant of the speed benchmark."""

from __future__ import annotations

import time

import numpy as np

from leukospect.benchmark.speed_case import COLLIMATOR, ENERGY_KEV, SpeedCase
from leukospect.benchmark.speed_contest import Settings, Timed
from leukospect.physics.collimators import find_collimator
from leukospect.projector import SpectProjector, image_of_runs, spect_projector, views_of_counts
from leukospect.reconstruction import osem, prepare_subsets, subset_views


def reconstruct(case: SpeedCase, settings: Settings) -> Timed:
    """Reconstruct by `leukospect.reconstruction.osem`."""
    began = time.perf_counter()
    projector = _projector(case, settings)
    subsets = prepare_subsets(projector, subset_views(case.angles_deg, settings.subsets))
    scatter = None if settings.corrections == "none" else views_of_counts(case.scatter)
    runs = osem(subsets, views_of_counts(case.counts), scatter, iterations=settings.iterations)
    image = image_of_runs(runs, projector.support, case.geometry, "counts")
    return Timed(np.asarray(image.array, np.float32), time.perf_counter() - began)


def _projector(case: SpeedCase, settings: Settings) -> SpectProjector:
    return spect_projector(
        case.projections(),
        None if settings.corrections == "none" else case.mu_image,
        find_collimator(COLLIMATOR, "") if settings.corrections == "all" else None,
        ENERGY_KEV,
        threads=settings.threads,
        within=case.body if settings.within == "body" else None,
    )
