"""A smooth object without any symmetry, a soft-edged body, and the projector of an acquisition, for tests."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from leukospect.data import Image, Projections
from leukospect.physics.collimators import find_collimator
from leukospect.projector import SpectProjector, reconstruction_geometry, spect_projector
from tests.reference_projector import lehr_sigma_mm

TC_KEV = 140.511
TC_HALF_LIFE_S = 6.0072 * 3600
LEHR = find_collimator("LEHR", "Siemens")


def sigma_mm(distance_mm: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.array([lehr_sigma_mm(float(each)) for each in distance_mm.flat]).reshape(distance_mm.shape)


def projector_of(empty: Projections, mu: Image | None, response: bool = True, threads: int = 1) -> SpectProjector:
    return spect_projector(empty, mu, LEHR if response else None, TC_KEV, threads=threads)


def soft_body(empty: Projections) -> Image:
    """A cylinder of water off the centre, with a dense rod in it, edges soft."""
    geometry = reconstruction_geometry(empty)
    k, j, i = np.meshgrid(*(np.arange(size, dtype=float) for size in geometry.shape), indexing="ij")
    x, y, _ = np.moveaxis(geometry.to_lps(np.stack([k, j, i], axis=-1)), -1, 0)
    x, y = x - empty.axis_mm[0], y - empty.axis_mm[1]
    half = geometry.shape[1] * geometry.spacing_mm[1] / 2
    water = 0.1536 / (1 + np.exp((np.hypot((x - 0.05 * half) / 0.75, (y + 0.05 * half) / 0.6) - half) / 4.0))
    rod = 0.2 * np.exp(-((x + 0.35 * half) ** 2 + (y - 0.1 * half) ** 2) / (2 * 10.0**2))
    return Image((water + rod).astype(np.float32), geometry, "1/cm")


def smooth_activity(empty: Projections) -> Image:
    """Three unequal Gaussian blobs: no symmetry in any axis."""
    geometry = reconstruction_geometry(empty)
    k, j, i = np.meshgrid(*(np.arange(size, dtype=float) for size in geometry.shape), indexing="ij")
    middle = geometry.to_lps((np.array(geometry.shape) - 1) / 2)
    x, y, z = np.moveaxis(geometry.to_lps(np.stack([k, j, i], axis=-1)) - middle, -1, 0)
    blobs = [(1.0, (22, -14, 12), (13, 16, 15)), (0.7, (-25, 8, -9), (16, 13, 14)), (0.4, (5, 27, 3), (13, 14, 17))]
    total = np.zeros(geometry.shape)
    for height, (a, b, c), (p, q, r) in blobs:
        total += height * np.exp(-(((x - a) / p) ** 2 + ((y - b) / q) ** 2 + ((z - c) / r) ** 2) / 2)
    return Image(total.astype(np.float32), geometry, "counts/s/mL")
