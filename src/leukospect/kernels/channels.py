"""Volumes of several channels read between their voxels, and their slopes there."""

from __future__ import annotations

from math import floor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from leukospect.kernels.compiling import compiled

Array = Any


def sampled(channels: NDArray[np.float32], indices: NDArray[np.float64]) -> NDArray[np.float64]:
    """Read every channel at places between voxels, linearly; beyond the border the nearest voxels go on.

    Parameters
    ----------
    channels : (slices, rows, columns, channels) float32 array
        Two voxels or more along each axis.
    indices : (places, 3) array
        k, j, i.

    Returns
    -------
    (places, channels) array
    """
    values = np.zeros((len(indices), channels.shape[3]))
    _sample(channels, np.ascontiguousarray(indices), values)
    return values


def slopes(
    channels: NDArray[np.float32], indices: NDArray[np.float64], coefficients: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Give the gradient of a sum of channels along k, j and i at places between voxels, per voxel: (places, 3)."""
    values = np.zeros((len(indices), 3))
    _slope(channels, np.ascontiguousarray(indices), np.ascontiguousarray(coefficients), values)
    return values


@compiled
def _corner(place: float, length: int) -> tuple[int, float]:
    """Find the lower neighbour of a place along an axis, and the upper one's share."""
    inside = min(max(place, 0.0), length - 1.0)
    lower = min(floor(inside), length - 2)
    return lower, inside - lower


@compiled
def _sample(channels: Array, indices: Array, values: Array) -> None:
    slices, rows, columns, count = channels.shape
    for n in range(len(indices)):
        k, fk = _corner(indices[n, 0], slices)
        j, fj = _corner(indices[n, 1], rows)
        i, fi = _corner(indices[n, 2], columns)
        for dk in range(2):
            for dj in range(2):
                for di in range(2):
                    share = (fk if dk else 1.0 - fk) * (fj if dj else 1.0 - fj) * (fi if di else 1.0 - fi)
                    for c in range(count):
                        values[n, c] += share * channels[k + dk, j + dj, i + di, c]


@compiled
def _slope(channels: Array, indices: Array, coefficients: Array, values: Array) -> None:
    slices, rows, columns, count = channels.shape
    for n in range(len(indices)):
        k, fk = _corner(indices[n, 0], slices)
        j, fj = _corner(indices[n, 1], rows)
        i, fi = _corner(indices[n, 2], columns)
        for dk in range(2):
            for dj in range(2):
                for di in range(2):
                    total = 0.0
                    for c in range(count):
                        total += coefficients[c] * channels[k + dk, j + dj, i + di, c]
                    along_k = fk if dk else 1.0 - fk
                    along_j = fj if dj else 1.0 - fj
                    along_i = fi if di else 1.0 - fi
                    values[n, 0] += (2 * dk - 1) * along_j * along_i * total
                    values[n, 1] += (2 * dj - 1) * along_k * along_i * total
                    values[n, 2] += (2 * di - 1) * along_k * along_j * total
