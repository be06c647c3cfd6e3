"""Rays through voxel slices with metal on a finer grid: exact path lengths in voxels, sampled ones in cells."""

# mypy: disallow-untyped-decorators=False
from __future__ import annotations

from typing import Any

import numpy as np

from leukospect.phantoms.compiling import compiled

_PARALLEL = 1e-9


@compiled(inline="never")
def _cross(start: float, slope: float, count: int, first: float, last: float) -> Any:
    """Cut [first, last] down to where 0 <= start + slope t <= count."""
    if abs(slope) < _PARALLEL:
        return (first, last) if 0.0 <= start <= count else (1.0, -1.0)
    a, b = -start / slope, (count - start) / slope
    return max(first, min(a, b)), min(last, max(a, b))


@compiled(inline="never")
def _begin(start: float, slope: float, first: float, count: int) -> Any:
    """Give the cell that a ray is in from `first` on, its step, the place of the next border and their distance."""
    cell = min(max(int(np.floor(start + slope * first + 1e-7 * np.sign(slope))), 0), count - 1)
    if abs(slope) < _PARALLEL:
        return cell, 0, np.inf, np.inf
    step = 1 if slope > 0.0 else -1
    border = cell + 1 if slope > 0.0 else cell
    return cell, step, (border - start) / slope, 1.0 / abs(slope)


@compiled(nogil=True)
def tissue_along(tissue: Any, corner: Any, pixel: Any, origin: Any, direction: Any) -> Any:
    """Integrals of two maps along rays: (views, bins, 2) float32, mm.

    Parameters
    ----------
    tissue : (rows, columns, 2) float32 array
    corner : (2,) array
        Outer corner (x, y) of the first pixel, mm.
    pixel : (2,) array
        Pixel's size along x and y, mm.
    origin, direction : (views, bins, 2) arrays
        A point of each ray, mm, and its direction, a unit vector.
    """
    rows, columns = tissue.shape[0], tissue.shape[1]
    views, bins = origin.shape[0], origin.shape[1]
    out = np.zeros((views, bins, 2), np.float32)
    for view in range(views):
        for b in range(bins):
            x, dx = (origin[view, b, 0] - corner[0]) / pixel[0], direction[view, b, 0] / pixel[0]
            y, dy = (origin[view, b, 1] - corner[1]) / pixel[1], direction[view, b, 1] / pixel[1]
            place, last = _cross(x, dx, columns, -1e30, 1e30)
            place, last = _cross(y, dy, rows, place, last)
            if last <= place:
                continue
            i, step_i, next_i, apart_i = _begin(x, dx, place, columns)
            j, step_j, next_j, apart_j = _begin(y, dy, place, rows)
            first, second = 0.0, 0.0
            while 0 <= i < columns and 0 <= j < rows and place < last:
                border = min(next_i, next_j, last)
                first += (border - place) * tissue[j, i, 0]
                second += (border - place) * tissue[j, i, 1]
                place = border
                if next_i <= next_j:
                    i, next_i = i + step_i, next_i + apart_i
                else:
                    j, next_j = j + step_j, next_j + apart_j
            out[view, b, 0], out[view, b, 1] = first, second
    return out


@compiled(inline="never")
def _sample_cell(
    line: Any, place: float, border: float, cells: Any, tissue: Any, i: int, j: int, refine: int, path: Any, inside: Any
) -> None:
    """Add a ray's part in one pixel to the lengths in each material, and to the tissue that gives way to it."""
    length = border - place
    samples = int(np.ceil(2.0 * refine * length * max(abs(line[2]), abs(line[3])))) + 1
    share = length / samples
    for n in range(samples):
        t = place + (n + 0.5) * share
        column = min(max(int((line[0] + line[2] * t) * refine), i * refine), (i + 1) * refine - 1)
        row = min(max(int((line[1] + line[3] * t) * refine), j * refine), (j + 1) * refine - 1)
        found = cells[row, column]
        if found > 0:
            path[found - 1] += share
            inside[found - 1, 0] += share * tissue[j, i, 0]
            inside[found - 1, 1] += share * tissue[j, i, 1]


@compiled(inline="never")
def _cells_along(
    line: Any, window: Any, cells: Any, occupied: Any, tissue: Any, refine: int, path: Any, inside: Any
) -> None:
    """Follow a ray through the pixels of a window (first and last column, first and last row) that hold cells."""
    path[:] = 0.0
    inside[:] = 0.0
    low_i, high_i, low_j, high_j = window
    place, last = _cross(line[0] - low_i, line[2], high_i - low_i, -1e30, 1e30)
    place, last = _cross(line[1] - low_j, line[3], high_j - low_j, place, last)
    if last <= place:
        return
    i, step_i, next_i, apart_i = _begin(line[0] - low_i, line[2], place, high_i - low_i)
    j, step_j, next_j, apart_j = _begin(line[1] - low_j, line[3], place, high_j - low_j)
    i, j = i + low_i, j + low_j
    while low_i <= i < high_i and low_j <= j < high_j and place < last:
        border = min(next_i, next_j, last)
        if occupied[j, i] and border > place:
            _sample_cell(line, place, border, cells, tissue, i, j, refine, path, inside)
        place = border
        if next_i <= next_j:
            i, next_i = i + step_i, next_i + apart_i
        else:
            j, next_j = j + step_j, next_j + apart_j


@compiled(fastmath=True, inline="never")
def _signal(first: float, second: float, path: Any, counted: Any, mu_tissue: Any, mu: Any, spectrum: Any) -> float:
    total = 0.0
    for e in range(spectrum.size):
        exponent = first * mu_tissue[0, e] + second * mu_tissue[1, e]
        for m in range(path.size):
            if counted[m]:
                exponent += mu[m, e] * path[m]
        total += spectrum[e] * np.exp(-exponent)
    return total


@compiled(nogil=True)
def transmissions_through_slice(
    integrals: Any,
    tissue: Any,
    cells: Any,
    occupied: Any,
    refine: int,
    metal: Any,
    mu_tissue: Any,
    mu: Any,
    spectrum: Any,
    corner: Any,
    pixel: Any,
    origin: Any,
    direction: Any,
    out: Any,
) -> None:
    """Add the fraction of the detected signal that each ray keeps, with all and without metal, to `out`.

    Parameters
    ----------
    integrals : (views, bins, 2) array
        What `tissue_along` gives, mm.
    tissue : (rows, columns, 2) array
    cells : (rows * refine, columns * refine) uint8 array
        Number of the material in each cell, from 1; 0 where the tissue is.
    occupied : (rows, columns) bool array
        Pixels with a material in any cell.
    metal : (materials,) bool array
    mu_tissue, mu : (2, energies), (materials, energies) arrays, 1/mm
    spectrum : (energies,) array
    corner, pixel, origin, direction : arrays
        As in `tissue_along`.
    out : (2, views, bins) float32 array
    """
    everything, others = np.ones(metal.size, np.bool_), ~metal
    path, inside, line = np.zeros(metal.size), np.zeros((metal.size, 2)), np.empty(4)
    window = np.zeros(4, np.int64)
    rows, columns = np.nonzero(occupied)
    if rows.size > 0:
        window[:] = columns.min(), columns.max() + 1, rows.min(), rows.max() + 1
    for view in range(origin.shape[0]):
        for b in range(origin.shape[1]):
            for axis in range(2):
                line[axis] = (origin[view, b, axis] - corner[axis]) / pixel[axis]
                line[2 + axis] = direction[view, b, axis] / pixel[axis]
            _cells_along(line, window, cells, occupied, tissue, refine, path, inside)
            first, second = integrals[view, b, 0], integrals[view, b, 1]
            for m in range(metal.size):
                if others[m]:
                    first, second = first - inside[m, 0], second - inside[m, 1]
            without = _signal(first, second, path, others, mu_tissue, mu, spectrum)
            out[1, view, b] += without
            for m in range(metal.size):
                if metal[m]:
                    first, second = first - inside[m, 0], second - inside[m, 1]
            met = path.sum() > 0.0
            out[0, view, b] += _signal(first, second, path, everything, mu_tissue, mu, spectrum) if met else without
