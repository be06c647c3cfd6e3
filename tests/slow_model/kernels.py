"""The loops of the slow model: every point of a voxel seen through the whole response, forward and transposed.

Images are (rows, columns, slices), slices from feet to head; views are (columns, rows), rows from head to feet.
"""

# mypy: disallow-untyped-decorators=False
from __future__ import annotations

from math import ceil, erf, floor
from typing import Any

import numpy as np
from numba import njit

from tests.slow_model.rays import line_transmission

_REACH = 4.0


@njit(cache=True)
def _shares(place: float, sigma: float, size: int, out: Any) -> tuple[int, int]:
    """Integrate a Gaussian at `place` (in pixels, 0 the first one's centre) over pixels; give the first and the last."""
    first = max(0, int(floor(place - _REACH * sigma + 0.5)))
    last = min(size - 1, int(ceil(place + _REACH * sigma - 0.5)))
    scale = 1.0 / (sigma * np.sqrt(2.0))
    below = erf((first - 0.5 - place) * scale)
    for p in range(first, last + 1):
        above = erf((p + 0.5 - place) * scale)
        out[p - first] = 0.5 * (above - below)
        below = above
    return first, last


@njit(cache=True)
def _axial(sigma: float, slices: int, rows: int, finer: int, split: int, out: Any) -> None:
    """Share of slice k, its points averaged, in detector row r: out (slices, rows)."""
    out[:] = 0.0
    shares = np.empty(rows)
    for k in range(slices):
        for part in range(split):
            up = (k + (part + 0.5) / split) / finer  # rows from the lower edge of the lowest
            first, last = _shares(rows - 0.5 - up, sigma, rows, shares)
            for r in range(first, last + 1):
                out[k, r] += shares[r - first] / split


@njit(cache=True)
def see_parallel(
    image: Any, view: Any, back: bool, points: Any, across: Any, sigmas: Any, transmission: Any, finer: int, split: int
) -> None:
    """Add the points to a view, or with `back` the view to the image (the transpose), attenuated along parallel rays.

    `points` (points, 2) holds row and column of each point's voxel; `across` its place on the detector in pixels;
    `sigmas` (points, 2) its response in pixels, along and across; `transmission` (points, slices).
    """
    columns, rows = view.shape
    slices = image.shape[2]
    share, blurred = np.empty(columns), np.empty(rows)
    axial = np.empty((slices, rows))
    reach = np.empty((slices, 2), np.int64)
    held = -1.0
    weight = 1.0 / (split * split)
    for p in range(points.shape[0]):
        if abs(sigmas[p, 0] - held) > 1e-9:
            held = sigmas[p, 0]
            _axial(held, slices, rows, finer, split, axial)
            for k in range(slices):
                seen = np.nonzero(axial[k])[0]
                reach[k, 0], reach[k, 1] = (seen[0], seen[-1] + 1) if seen.size else (0, 0)
        first, last = _shares(across[p], sigmas[p, 1], columns, share)
        run = image[points[p, 0], points[p, 1]]
        blurred[:] = 0.0
        if back:
            for c in range(first, last + 1):
                for r in range(rows):
                    blurred[r] += share[c - first] * view[c, r]
            for k in range(slices):
                total = 0.0
                for r in range(reach[k, 0], reach[k, 1]):
                    total += axial[k, r] * blurred[r]
                run[k] += weight * transmission[p, k] * total
        else:
            for k in range(slices):
                leaving = weight * transmission[p, k] * run[k]
                for r in range(reach[k, 0], reach[k, 1]):
                    blurred[r] += axial[k, r] * leaving
            for c in range(first, last + 1):
                for r in range(rows):
                    view[c, r] += share[c - first] * blurred[r]


@njit(cache=True)
def see_slanted(
    image: Any,
    view: Any,
    mu: Any,
    points: Any,
    places: Any,
    across: Any,
    sigmas: Any,
    distance: Any,
    aimed: Any,
    turn: Any,
    pixel: Any,
    finer: int,
    split: int,
) -> None:
    """Add the points to a view, attenuated along the straight line from each point to where it is counted.

    `places` (points, 2) is y and x in mm, `distance` (points,) to the collimator's face, `aimed` (points,) the share of
    the displacement on the detector that the line has gained at the face; `turn` is cosine and sine of the angle.
    """
    columns, rows = view.shape
    slices = image.shape[2]
    share_c, share_r = np.empty(columns), np.empty(rows)
    start, line = np.empty(3), np.empty(3)
    voxel = pixel / finer
    weight = 1.0 / split**3
    for p in range(points.shape[0]):
        first_c, last_c = _shares(across[p], sigmas[p, 1], columns, share_c)
        start[1], start[2] = places[p]
        for k in range(slices):
            activity = image[points[p, 0], points[p, 1], k]
            if activity == 0.0:
                continue
            for part in range(split):
                up = (k + (part + 0.5) / split) / finer
                row = rows - 0.5 - up
                start[0] = (up - 0.5 * rows) * pixel[0]
                first_r, last_r = _shares(row, sigmas[p, 0], rows, share_r)
                for c in range(first_c, last_c + 1):
                    aside = (c - across[p]) * pixel[1] * aimed[p]
                    line[1] = distance[p] * turn[0] + aside * turn[1]
                    line[2] = distance[p] * turn[1] - aside * turn[0]
                    for r in range(first_r, last_r + 1):
                        line[0] = -(r - row) * pixel[0] * aimed[p]
                        passed = line_transmission(mu, voxel, start, line)
                        view[c, r] += weight * activity * passed * share_c[c - first_c] * share_r[r - first_r]
