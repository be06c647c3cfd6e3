"""Means of an image over a place and over the ring round it, inside the body alone."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

# The ring, in scales: a Gaussian less a narrower one, so that nothing of its middle counts.
_RING, _RING_HOLE = 2.6, 1.8
_LEAST_WEIGHT = 1e-3

Array = NDArray[np.float32]


class LocalMeans:
    """Gaussian and ring means of an image at one scale; neither air nor what is beyond the image counts.

    Parameters
    ----------
    body : (slices, rows, columns) bool array
    spacing_mm : (3,) array
    scale_mm : float
        Standard deviation of the Gaussian.
    """

    def __init__(self, body: NDArray[np.bool_], spacing_mm: NDArray[np.float64], scale_mm: float) -> None:
        self.body, self.spacing, self.scale = body, spacing_mm, scale_mm
        inside = body.astype(np.float32)
        self.weight = np.maximum(self._blur(inside, 1.0), _LEAST_WEIGHT)
        self.ring_weight = np.maximum(self._ring(inside), _LEAST_WEIGHT)

    def centre(self, array: Array) -> Array:
        """Return the Gaussian mean round every voxel."""
        return np.asarray(self._blur(np.where(self.body, array, 0), 1.0) / self.weight, dtype=np.float32)

    def ring(self, array: Array) -> Array:
        """Return the mean over the ring round every voxel."""
        return np.asarray(self._ring(np.where(self.body, array, 0)) / self.ring_weight, dtype=np.float32)

    def _blur(self, array: Array, scales: float) -> Array:
        sigma = scales * self.scale / self.spacing
        return np.asarray(ndimage.gaussian_filter(array, sigma, mode="constant", truncate=3.0), dtype=np.float32)

    def _ring(self, array: Array) -> Array:
        hole = np.float32((_RING_HOLE / _RING) ** 3)
        return np.asarray(self._blur(array, _RING) - hole * self._blur(array, _RING_HOLE), dtype=np.float32)
