"""PyTomography 3.4: rotate-and-sum system matrix on the CPU, its own OSEM with its own subsets."""

from __future__ import annotations

import time

import numpy as np
from numpy.typing import NDArray

from leukospect.benchmark.speed_case import COLLIMATOR, ENERGY_KEV, SpeedCase
from leukospect.benchmark.speed_contest import Settings, Timed
from leukospect.physics.collimators import find_collimator, system_sigma_mm


def _sigma_cm(distance_cm: NDArray[np.float64]) -> NDArray[np.float64]:
    collimator = find_collimator(COLLIMATOR, "")
    return system_sigma_mm(collimator, ENERGY_KEV, np.asarray(distance_cm) * 10.0) / 10.0


def reconstruct(case: SpeedCase, settings: Settings) -> Timed:
    """Reconstruct by `pytomography.algorithms.OSEM`.

    Its objects are (x, y, slices), x to the patient's left and y to the back, and its projections (views, columns,
    slices), both with slices from feet to head; its angles are half a turn ahead of DICOM's, as in its own reader.
    Lengths are in cm.
    """
    import pytomography
    import torch
    from pytomography.algorithms import OSEM
    from pytomography.likelihoods import PoissonLogLikelihood
    from pytomography.metadata.SPECT import SPECTObjectMeta, SPECTProjMeta, SPECTPSFMeta
    from pytomography.projectors.SPECT import SPECTSystemMatrix
    from pytomography.transforms.SPECT import SPECTAttenuationTransform, SPECTPSFTransform

    torch.set_num_threads(settings.threads)
    pytomography.set_device("cpu")
    began = time.perf_counter()
    pixel_cm, size = case.pixel_mm / 10.0, case.size
    transforms = []
    if settings.corrections != "none":
        mu = torch.from_numpy(np.ascontiguousarray(case.mu.transpose(2, 1, 0)))
        transforms.append(SPECTAttenuationTransform(mu))
    if settings.corrections == "all":
        transforms.append(SPECTPSFTransform(SPECTPSFMeta((), sigma_fit=_sigma_cm)))
    matrix = SPECTSystemMatrix(
        obj2obj_transforms=transforms,
        proj2proj_transforms=[],
        object_meta=SPECTObjectMeta([pixel_cm] * 3, [size] * 3),
        proj_meta=SPECTProjMeta(
            (size, size), [pixel_cm, pixel_cm], case.angles_deg + 180.0, np.full(case.views, case.radius_mm / 10.0)
        ),
    )
    counts = torch.from_numpy(_views(case.counts))
    scatter = None if settings.corrections == "none" else torch.from_numpy(_views(case.scatter))
    likelihood = PoissonLogLikelihood(matrix, counts, additive_term=scatter)
    image = OSEM(likelihood)(n_iters=settings.iterations, n_subsets=settings.subsets)
    volume = np.ascontiguousarray(image.numpy().transpose(2, 1, 0), dtype=np.float32)
    return Timed(volume, time.perf_counter() - began)


def _views(counts: NDArray[np.float32]) -> NDArray[np.float32]:
    """Take (views, rows, columns), rows from head to feet, to (views, columns, slices)."""
    return np.ascontiguousarray(counts[:, ::-1].transpose(0, 2, 1))
