"""Averaging blocks of voxels: what a search works on."""

from __future__ import annotations

import numpy as np

from leukospect.data import Geometry, Image


def coarsened(image: Image, finest_mm: float) -> Image:
    """Average blocks of voxels, to at most `finest_mm` along each axis; what fills no block is left out."""
    geometry = image.geometry
    factors = np.maximum(1, np.floor(finest_mm / np.array(geometry.spacing_mm) + 0.05)).astype(int)
    factors = np.minimum(factors, geometry.shape)
    if np.all(factors == 1):
        return image
    k, j, i = (int(n // f) for n, f in zip(geometry.shape, factors, strict=True))
    whole = np.asarray(image.array, dtype=np.float32)[: k * factors[0], : j * factors[1], : i * factors[2]]
    means = whole.reshape(k, factors[0], j, factors[1], i, factors[2]).mean(axis=(1, 3, 5))
    affine = geometry.affine.copy()
    affine[:3, :3] *= factors
    affine[:3, 3] = geometry.to_lps((factors - 1.0) / 2.0)
    return Image(means, Geometry((k, j, i), affine, geometry.frame_of_reference_uid), image.unit)
