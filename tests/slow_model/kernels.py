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
    """Integrate a Gaussian at `place` (in pixels, 0 is the first one's centre) over each pixel; give first and last."""
    first = max(0, floor(place - _REACH * sigma + 0.5))
    last = min(size - 1, ceil(place + _REACH * sigma - 0.5))
    scale = 1.0 / (sigma * np.sqrt(2.0))
    below = erf((first - 0.5 - place) * scale)
    for p in range(first, last + 1):
        above = erf((p + 0.5 - place) * scale)
        out[p - first] = 0.5 * (above - below)
        below = above
    return first, last


@njit(cache=True)
def _axial(sigma: float, split: int, out: Any) -> int:
    """Share of a slice, its points averaged, in the rows about its own: out (slices to a row, rows); give the reach.

    Row `reach + q` of `out` is q rows towards the feet from the one that the slice lies in; slices count from the feet.
    """
    finer = out.shape[0]
    reach = min(ceil(_REACH * sigma + 0.5), (out.shape[1] - 1) // 2)
    size = 2 * reach + 1
    out[:] = 0.0
    shares = np.empty(size)
    for f in range(finer):
        for part in range(split):
            down = 0.5 - (f + (part + 0.5) / split) / finer
            first, last = _shares(reach + down, sigma, size, shares)
            for r in range(first, last + 1):
                out[f, r] += shares[r - first] / split
    return int(reach)


@njit(cache=True)
def _to_rows(run: Any, transmission: Any, weight: float, axial: Any, reach: int, rows: int, out: Any) -> None:
    """Give what each detector row sees of a run of slices."""
    finer = axial.shape[0]
    out[:] = 0.0
    for k in range(run.size):
        own = rows - 1 - k // finer
        leaving = weight * transmission[k] * run[k]
        for r in range(max(0, own - reach), min(rows, own + reach + 1)):
            out[r] += axial[k % finer, r - own + reach] * leaving


@njit(cache=True)
def _from_rows(seen: Any, transmission: Any, weight: float, axial: Any, reach: int, run: Any) -> None:
    """Transpose of `_to_rows`: add to the run."""
    finer, rows = axial.shape[0], seen.size
    for k in range(run.size):
        own = rows - 1 - k // finer
        total = 0.0
        for r in range(max(0, own - reach), min(rows, own + reach + 1)):
            total += axial[k % finer, r - own + reach] * seen[r]
        run[k] += weight * transmission[k] * total


@njit(cache=True)
def see_parallel(
    image: Any, view: Any, back: bool, points: Any, across: Any, sigmas: Any, transmission: Any, finer: int, split: int
) -> None:
    """Add the points to a view, or with `back` the view to the image (the transpose), attenuated along parallel rays.

    `points` (points, 2) holds row and column of each point's voxel; `across` its place on the detector in pixels;
    `sigmas` (points, 2) its response in pixels, along and across; `transmission` (points, slices).
    """
    columns, rows = view.shape
    share, seen = np.empty(columns), np.empty(rows)
    axial = np.empty((finer, 2 * rows + 1))
    weight = 1.0 / (split * split)
    for p in range(points.shape[0]):
        reach = _axial(sigmas[p, 0], split, axial)
        first, last = _shares(across[p], sigmas[p, 1], columns, share)
        run = image[points[p, 0], points[p, 1]]
        if back:
            seen[:] = 0.0
            for c in range(first, last + 1):
                for r in range(rows):
                    seen[r] += share[c - first] * view[c, r]
            _from_rows(seen, transmission[p], weight, axial, reach, run)
        else:
            _to_rows(run, transmission[p], weight, axial, reach, rows, seen)
            for c in range(first, last + 1):
                for r in range(rows):
                    view[c, r] += share[c - first] * seen[r]


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
