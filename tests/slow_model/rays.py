"""Line integrals of an attenuation map that is constant inside each voxel: exact lengths, one voxel after another.

`mu` is (rows, columns, slices) in 1/cm, the axis of rotation at its centre; lengths are in mm. Slices beyond either end
repeat the last one.
"""

# mypy: disallow-untyped-decorators=False
from __future__ import annotations

from math import exp, floor
from typing import Any

import numpy as np
from numba import njit

_FAR = 1e30


@njit(cache=True)
def _first_crossing(place: float, direction: float) -> tuple[int, float, float]:
    """Give the cell of a place (in cells), the length to its next edge and from edge to edge; no direction, never."""
    cell = floor(place)
    if direction > 1e-12:
        return cell, (cell + 1 - place) / direction, 1.0 / direction
    if direction < -1e-12:
        return cell, (cell - place) / direction, -1.0 / direction
    return cell, _FAR, _FAR


@njit(cache=True)
def parallel_transmission(mu: Any, voxel_mm: float, x: float, y: float, towards: Any, out: Any) -> None:
    """Transmission of every slice from (x, y), mm, along the unit vector `towards` (x, y), into `out` (slices,)."""
    rows, columns, _ = mu.shape
    path = np.zeros(out.size)
    i, next_i, step_i = _first_crossing(x / voxel_mm + 0.5 * columns, towards[0] / voxel_mm)
    j, next_j, step_j = _first_crossing(y / voxel_mm + 0.5 * rows, towards[1] / voxel_mm)
    passed = 0.0
    while 0 <= i < columns and 0 <= j < rows:
        here = min(next_i, next_j)
        for k in range(out.size):
            path[k] += mu[j, i, k] * (here - passed)
        passed = here
        if next_i < next_j:
            i += 1 if towards[0] > 0 else -1
            next_i += step_i
        else:
            j += 1 if towards[1] > 0 else -1
            next_j += step_j
    for k in range(out.size):
        out[k] = exp(-0.1 * path[k])


@njit(cache=True)
def parallel_transmissions(mu: Any, voxel_mm: float, places: Any, towards: Any, out: Any) -> None:
    """Transmission of every slice from every place (points, 2: y and x), into `out` (points, slices)."""
    for p in range(places.shape[0]):
        parallel_transmission(mu, voxel_mm, places[p, 1], places[p, 0], towards, out[p])


@njit(cache=True)
def line_transmission(mu: Any, voxel_mm: Any, start: Any, line: Any) -> float:
    """Transmission from `start` (z, y, x), mm, along `line` (z, y, x), mm, to its end.

    `voxel_mm` is (axial, transverse).
    """
    rows, columns, slices = mu.shape
    length = np.sqrt(line[0] ** 2 + line[1] ** 2 + line[2] ** 2)
    k, next_k, step_k = _first_crossing(start[0] / voxel_mm[0] + 0.5 * slices, line[0] / length / voxel_mm[0])
    j, next_j, step_j = _first_crossing(start[1] / voxel_mm[1] + 0.5 * rows, line[1] / length / voxel_mm[1])
    i, next_i, step_i = _first_crossing(start[2] / voxel_mm[1] + 0.5 * columns, line[2] / length / voxel_mm[1])
    passed, path = 0.0, 0.0
    while 0 <= i < columns and 0 <= j < rows and passed < length:
        here = min(next_i, next_j, next_k, length)
        path += mu[j, i, min(max(k, 0), slices - 1)] * (here - passed)
        passed = here
        if next_i <= next_j and next_i <= next_k:
            i += 1 if line[2] > 0 else -1
            next_i += step_i
        elif next_j <= next_k:
            j += 1 if line[1] > 0 else -1
            next_j += step_j
        else:
            k += 1 if line[0] > 0 else -1
            next_k += step_k
    return float(exp(-0.1 * path))
