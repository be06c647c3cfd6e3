"""One view of the SPECT system model, and its adjoint.

Arrays
------
runs, loss : (places, slices) float32
    Activity; and exp(-mu h / 2) - 1 where there is matter.
number, loss_number : (rows + 2, columns + 2) int32
    The run of each transverse place, see `kernels.rotate`.
angle : (3,) float64
    Cosine, sine and centre-of-rotation offset in pixels.
columns_of, loss_columns : (rows, 2) int64
    First and last (exclusive) column of each plane that meets activity, and matter.
windows : (rows + 1, 2) int64
    Columns that the running plane reaches after the blur before each plane; the last entry, before the detector.
across, along, passes : (rows + 1,)
    Tap weights of a blur pass before each plane, and how many; the last entry, before the detector.
planes : (2, columns + 2, ends + slices + ends), work : (3, ends + slices + ends + 2) float32
    The running plane and what it is blurred into, with room past both ends of the axis.

The forward model goes from the far plane (d = 0) to the near one: blur the running plane by the increment of the
response, pass it through the plane's matter, add the plane's activity. The adjoint takes the same steps backwards. Per
view nothing of the size of the volume is stored.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from leukospect.kernels.attenuate import approach, cross, recede
from leukospect.kernels.blur import blur
from leukospect.kernels.compiling import compiled
from leukospect.kernels.rotate import (
    addresses,
    any_run,
    corners,
    gather_add,
    gather_survival,
    place,
    scatter_add,
    weights,
)

Array = Any


@compiled
def occupied_columns(number: Array, angle: Array, occupied: Array) -> None:
    """Find the first and last (exclusive) column of each plane of a view that meets a run; 0, 0 where none does."""
    rows, columns = number.shape[0] - 2, number.shape[1] - 2
    for d in range(rows):
        first, last = 0, columns
        while first < columns and not _meets(number, angle, first, d, rows, columns):
            first += 1
        while last > first and not _meets(number, angle, last - 1, d, rows, columns):
            last -= 1
        occupied[d, 0], occupied[d, 1] = (first, last) if last > first else (0, 0)


@compiled
def _meets(number: Array, angle: Array, u: int, d: int, rows: int, columns: int) -> bool:
    j, i, _, _ = place(u, d, angle[0], angle[1], angle[2], rows, columns)
    return -1 <= j < rows and -1 <= i < columns and any_run(corners(number, j, i))


@compiled
def project_view(
    runs: Array,
    number: Array,
    loss: Array,
    loss_number: Array,
    angle: Array,
    columns_of: Array,
    loss_columns: Array,
    windows: Array,
    across: Array,
    along: Array,
    passes: Array,
    planes: Array,
    work: Array,
    view: Array,
) -> None:
    """Project runs of activity to one view (columns, slices)."""
    rows, columns = number.shape[0] - 2, number.shape[1] - 2
    survival = work[1]
    start = (planes.shape[2] - runs.shape[1]) // 2
    ends = np.uintp(start)
    planes[:] = 0.0
    now = 0
    for d in range(rows):
        if passes[d] > 0:
            now = blur(planes, now, windows[d, 0], windows[d, 1], across[d], along[d], passes[d], work[0])
        first, last = columns_of[d]
        loss_first, loss_last = loss_columns[d]
        p = np.uintp(now)
        for u in range(windows[d, 0], windows[d, 1]):
            emits, absorbs = first <= u < last, loss_first <= u < loss_last
            if not (emits or absorbs):
                continue
            j, i, fy, fx = place(u, d, angle[0], angle[1], angle[2], rows, columns)
            row = np.uintp(u + 1)
            if absorbs:
                lossy = corners(loss_number, j, i)
                absorbs = any_run(lossy)
                if absorbs:
                    gather_survival(loss, addresses(lossy), weights(lossy, fy, fx), ends, survival)
            if emits:
                hot = corners(number, j, i)
                at, w = addresses(hot), weights(hot, fy, fx)
                if absorbs:
                    approach(runs, at, w, ends, survival, planes, p, row)
                else:
                    gather_add(runs, at, w, ends, planes, p, row)
            elif absorbs:
                cross(survival, planes, p, row)
    now = blur(planes, now, windows[rows, 0], windows[rows, 1], across[rows], along[rows], passes[rows], work[0])
    view[:] = planes[now, 1:-1, start : start + view.shape[1]]


@compiled
def backproject_view(
    view: Array,
    number: Array,
    loss: Array,
    loss_number: Array,
    angle: Array,
    columns_of: Array,
    loss_columns: Array,
    windows: Array,
    across: Array,
    along: Array,
    passes: Array,
    planes: Array,
    work: Array,
    runs: Array,
) -> None:
    """Transpose of `project_view`: add the view (columns, slices) back to `runs`."""
    rows, columns = number.shape[0] - 2, number.shape[1] - 2
    survival, half = work[1], work[2]
    start = (planes.shape[2] - runs.shape[1]) // 2
    ends = np.uintp(start)
    planes[0] = 0.0
    planes[0, 1:-1, start : start + view.shape[1]] = view
    now = blur(planes, 0, windows[rows, 0], windows[rows, 1], across[rows], along[rows], passes[rows], work[0])
    for back in range(rows):
        d = rows - 1 - back
        first, last = columns_of[d]
        loss_first, loss_last = loss_columns[d]
        p = np.uintp(now)
        for u in range(windows[d, 0], windows[d, 1]):
            emits, absorbs = first <= u < last, loss_first <= u < loss_last
            if not (emits or absorbs):
                continue
            j, i, fy, fx = place(u, d, angle[0], angle[1], angle[2], rows, columns)
            row = np.uintp(u + 1)
            if absorbs:
                lossy = corners(loss_number, j, i)
                absorbs = any_run(lossy)
                if absorbs:
                    gather_survival(loss, addresses(lossy), weights(lossy, fy, fx), ends, survival)
            if emits:
                hot = corners(number, j, i)
                at, w = addresses(hot), weights(hot, fy, fx)
                if absorbs:
                    recede(survival, planes, p, row, half)
                    scatter_add(half, at, w, ends, runs)
                else:
                    scatter_add(planes[p, row], at, w, ends, runs)
            elif absorbs:
                cross(survival, planes, p, row)
        if passes[d] > 0:
            now = blur(planes, now, windows[d, 0], windows[d, 1], across[d], along[d], passes[d], work[0])
