"""Bilinear rotation of runs of voxels, and its exact transpose.

The axial index is the fastest in memory, so the four weights of one transverse place serve a whole run of voxels:
nothing gathers inside a run and the loops vectorise. Runs (places, slices) are found by `number`, the table of a
support with a border of one place around it: -1 where there is no run, which then counts as zero. Rows of planes are
longer than runs by `ends` at both ends, so that what the response carries past the last slice can come back.

Indices into runs and planes are unsigned, since a signed one could count from the end, and the compiler would have to
ask for each element.
"""

from __future__ import annotations

from math import floor
from typing import Any

import numpy as np

from leukospect.kernels.compiling import compiled

Array = Any
Corners = tuple[Any, Any, Any, Any]

_ONE = np.float32(1.0)
_NONE = np.float32(0.0)
_STEP = np.uintp(1)


@compiled
def place(
    u: int, d: int, cosine: float, sine: float, offset: float, rows: int, columns: int
) -> tuple[int, int, float, float]:
    """Find the transverse place of column u in plane d: first row and column of its four corners, and fractions.

    With n = (sin t, cos t) towards the detector and u = (-cos t, sin t) along its columns.
    """
    across = u - 0.5 * (columns - 1) - offset
    depth = d - 0.5 * (rows - 1)
    x = -cosine * across + sine * depth + 0.5 * (columns - 1)
    y = sine * across + cosine * depth + 0.5 * (rows - 1)
    # Fractions a rounding away from a grid line would make two runs out of one.
    i, j = floor(x + 1e-9), floor(y + 1e-9)
    return j, i, max(y - j, 0.0), max(x - i, 0.0)


@compiled
def corners(number: Array, j: int, i: int) -> Corners:
    """Give the runs at the corners (j, i), (j, i + 1), (j + 1, i), (j + 1, i + 1) of a place within the border."""
    return number[j + 1, i + 1], number[j + 1, i + 2], number[j + 2, i + 1], number[j + 2, i + 2]


@compiled
def any_run(runs: Corners) -> bool:
    """Tell whether a place has a run at any corner."""
    return bool(runs[0] >= 0 or runs[1] >= 0 or runs[2] >= 0 or runs[3] >= 0)


@compiled
def weights(runs: Corners, fy: float, fx: float) -> Corners:
    """Give the bilinear weights of the corners, zero where there is no run."""
    d = np.float32(fy * fx)
    c = np.float32(fy) - d
    b = np.float32(fx) - d
    a = _ONE - np.float32(fy) - b
    return (
        a if runs[0] >= 0 else _NONE,
        b if runs[1] >= 0 else _NONE,
        c if runs[2] >= 0 else _NONE,
        d if runs[3] >= 0 else _NONE,
    )


@compiled
def addresses(runs: Corners) -> Corners:
    """Give the corners' runs as unsigned indices; where there is none, any run does, since its weight is zero."""
    return (
        np.uintp(max(runs[0], 0)),
        np.uintp(max(runs[1], 0)),
        np.uintp(max(runs[2], 0)),
        np.uintp(max(runs[3], 0)),
    )


@compiled
def gather_survival(loss: Array, at: Corners, w: Corners, ends: Any, out: Array) -> None:
    """Interpolate one plus the losses of a run: out[ends + k] = 1 + sum of w loss[at, k]; the last slices go on."""
    a, b, c, d = at
    wa, wb, wc, wd = w
    slices = np.uintp(loss.shape[1])
    for k in range(slices):
        out[ends + k] = _ONE + (wa * loss[a, k] + wb * loss[b, k] + wc * loss[c, k] + wd * loss[d, k])
    for k in range(ends):
        out[k] = out[ends]
        out[ends + slices + k] = out[ends + slices - _STEP]


@compiled
def gather_add(runs: Array, at: Corners, w: Corners, ends: Any, planes: Array, p: Any, u: Any) -> None:
    """Interpolate a run and add it to row u of plane p."""
    a, b, c, d = at
    wa, wb, wc, wd = w
    for k in range(np.uintp(runs.shape[1])):
        planes[p, u, ends + k] += wa * runs[a, k] + wb * runs[b, k] + wc * runs[c, k] + wd * runs[d, k]


@compiled
def scatter_add(row: Array, at: Corners, w: Corners, ends: Any, runs: Array) -> None:
    """Transpose of `gather_add`: add a row, weighted, to the runs at the four corners."""
    a, b, c, d = at
    wa, wb, wc, wd = w
    # Two by two: with four targets the compiler gives up asking whether they overlap.
    for k in range(np.uintp(runs.shape[1])):
        value = row[ends + k]
        runs[a, k] += wa * value
        runs[b, k] += wb * value
    for k in range(np.uintp(runs.shape[1])):
        value = row[ends + k]
        runs[c, k] += wc * value
        runs[d, k] += wd * value
