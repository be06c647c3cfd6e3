"""The project's own reconstruction as a contestant of the speed benchmark."""

from __future__ import annotations

import time

import numpy as np
from numpy.typing import NDArray

from leukospect.benchmark.speed_case import COLLIMATOR, ENERGY_KEV, SpeedCase
from leukospect.benchmark.speed_contest import Settings, Timed
from leukospect.physics.collimators import find_collimator, system_sigma_mm
from leukospect.projector import SpectProjector, plan_response, spect_projector, views_of_counts, volume_of_image
from leukospect.reconstruction import osem, prepare_subsets, subset_views


def reconstruct(case: SpeedCase, settings: Settings) -> Timed:
    """Reconstruct by `leukospect.reconstruction.osem`."""
    began = time.perf_counter()
    projector, support = _model(case, settings)
    subsets = prepare_subsets(projector, subset_views(case.angles_deg, settings.subsets), support[..., None])
    scatter = None if settings.corrections == "none" else views_of_counts(case.scatter)
    image = osem(subsets, views_of_counts(case.counts), scatter, iterations=settings.iterations)
    volume = np.ascontiguousarray(image.transpose(2, 0, 1))
    return Timed(volume, time.perf_counter() - began)


def _model(case: SpeedCase, settings: Settings) -> tuple[SpectProjector, NDArray[np.bool_]]:
    """Build the projector and its support; the only place that knows how."""
    projections = case.projections()
    collimator = find_collimator(COLLIMATOR, "") if settings.corrections == "all" else None
    mu = None if settings.corrections == "none" else case.mu_image
    if settings.within == "field":
        return spect_projector(projections, mu, collimator, ENERGY_KEV, threads=settings.threads)
    sigma = None if collimator is None else lambda z: system_sigma_mm(collimator, ENERGY_KEV, z)
    radii = np.full(case.views, case.radius_mm)
    response = plan_response(radii, case.size, case.pixel_mm, case.pixel_mm, sigma)
    integral = None if mu is None else volume_of_image(mu) * np.float32(case.pixel_mm / 10)
    shape = (case.size,) * 3
    return (
        SpectProjector(shape, case.angles_deg, np.zeros(case.views), response, integral, case.body, settings.threads),
        case.body,
    )
