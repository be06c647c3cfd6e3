"""MIRTorch 0.4: its SPECT projector on the CPU; it ships no OSEM, so one is written here as its updates read.

Without response its kernels are single pixels, and without attenuation its map is zero: that is what it offers.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from leukospect.benchmark.speed_case import COLLIMATOR, ENERGY_KEV, SpeedCase
from leukospect.benchmark.speed_contest import Settings, Timed
from leukospect.physics.collimators import find_collimator, system_sigma_mm
from leukospect.reconstruction import subset_views

_REACH_SIGMAS = 3.0


def reconstruct(case: SpeedCase, settings: Settings) -> Timed:
    """Reconstruct by OSEM with `mirtorch.linear.SPECT`.

    Its images are (x, y, slices), x to the patient's left and y to the back, and its views (columns, slices, views),
    both with slices from feet to head; its angles are half a turn ahead of DICOM's.
    """
    import torch
    from mirtorch.linear import SPECT

    torch.set_num_threads(settings.threads)
    began = time.perf_counter()
    size, corrected = case.size, settings.corrections != "none"
    mu = torch.from_numpy(
        np.ascontiguousarray(case.mu.transpose(2, 1, 0)) if corrected else np.zeros((size,) * 3, "f4")
    )
    kernels = response(case) if settings.corrections == "all" else np.ones((1, 1, size), np.float32)
    groups = subset_views(case.angles_deg, settings.subsets)
    counts = torch.from_numpy(np.ascontiguousarray(case.counts[:, ::-1].transpose(2, 1, 0)))
    scatter = torch.from_numpy(np.ascontiguousarray(case.scatter[:, ::-1].transpose(2, 1, 0)))
    with torch.no_grad():
        models = [
            SPECT(
                (size, size, size),
                (size, size, len(views)),
                mu,
                torch.from_numpy(np.repeat(kernels[..., None], len(views), axis=3)),
                case.pixel_mm / 10.0,
                angles=torch.from_numpy(case.angles_deg[views] + 180.0),
            )
            for views in groups
        ]
        inverse = [_inverse(model.H(torch.ones(tuple(model.size_out)))) for model in models]
        image = torch.ones((size, size, size))
        for _ in range(settings.iterations):
            for model, views, scale in zip(models, groups, inverse, strict=True):
                expected = model(image)
                if corrected:
                    expected += scatter[..., views]
                ratio = torch.where(expected > 1e-6, counts[..., views] / expected, 0.0)
                image = image * model.H(ratio) * scale
    volume = np.ascontiguousarray(image.numpy().transpose(2, 1, 0))
    return Timed(volume, time.perf_counter() - began)


def response(case: SpeedCase) -> NDArray[np.float32]:
    """Give a Gaussian kernel for each depth, the nearest to the detector first: (across, along, depths)."""
    depths = ((case.size - 1) / 2 - np.arange(case.size, dtype=np.float64)) * case.pixel_mm
    distance = case.radius_mm - depths
    sigma = system_sigma_mm(find_collimator(COLLIMATOR, ""), ENERGY_KEV, distance) / case.pixel_mm
    reach = int(np.ceil(_REACH_SIGMAS * sigma.max()))
    taps = np.arange(-reach, reach + 1)
    line = np.exp(-0.5 * (taps[:, None] / sigma) ** 2)
    line /= line.sum(axis=0)
    return (line[:, None] * line[None]).astype(np.float32)


def _inverse(sensitivity: Any) -> Any:
    import torch

    usable = sensitivity > 1e-4 * sensitivity.max()
    return torch.where(usable, 1.0 / torch.where(usable, sensitivity, 1.0), 0.0)
