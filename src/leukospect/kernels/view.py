"""One view of the SPECT system model, and its adjoint.

Arrays
------
image, integral : (rows, columns, slices) float32
    Activity, and attenuation times voxel size; the axial index is the fastest.
active : (rows, columns) uint8
    1 where the run of voxels takes part.
plane, transmission : (columns, slices) float32
    The running plane facing the detector, and the transmission from it to the detector.
blur_columns, blur_slices, passes : (rows + 1,)
    Tap weights of a blur pass between planes d - 1 and d, and how many passes; the last entry brings the nearest plane
    to its own resolution.

The forward model goes from the far plane (d = 0) to the near one: blur the running plane by the increment of the
response, add the plane's activity times its attenuation factor. The adjoint takes the same steps backwards. Per view
nothing of the size of the volume is stored: the forward model starts from the transmission of whole rays, a plane
computed once for each view.
"""

from __future__ import annotations

from math import floor
from typing import Any

import numpy as np

from leukospect.kernels.attenuate import approach, recede
from leukospect.kernels.blur import blur_along_columns, blur_along_slices
from leukospect.kernels.compiling import compiled
from leukospect.kernels.rotate import gather, scatter

Array = Any


@compiled
def _place(
    u: int, d: int, cosine: float, sine: float, offset: float, rows: int, columns: int
) -> tuple[int, int, float, float]:
    """Find the transverse place of column u in plane d: first row and column of its four neighbours, and fractions.

    With n = (sin t, cos t) towards the detector and u = (-cos t, sin t) along its columns.
    """
    across = u - 0.5 * (columns - 1) - offset
    depth = d - 0.5 * (rows - 1)
    x = -cosine * across + sine * depth + 0.5 * (columns - 1)
    y = sine * across + cosine * depth + 0.5 * (rows - 1)
    # Fractions a rounding away from a grid line would make two runs out of one.
    i, j = floor(x + 1e-9), floor(y + 1e-9)
    # A place on the last row or column has its neighbours before it.
    i -= int(i == columns - 1 and x - i < 1e-9)
    j -= int(j == rows - 1 and y - j < 1e-9)
    return j, i, max(y - j, 0.0), max(x - i, 0.0)


@compiled
def _inside(j: int, i: int, active: Array) -> bool:
    rows, columns = active.shape
    if j < 0 or i < 0 or j > rows - 2 or i > columns - 2:
        return False
    return bool(active[j, i] | active[j, i + 1] | active[j + 1, i] | active[j + 1, i + 1])


@compiled
def _blur(
    plane: Array, first: int, last: int, across: float, along: float, passes: int, work: Array
) -> tuple[int, int]:
    """Blur the occupied rows of the running plane by one increment; return the rows occupied afterwards."""
    for _ in range(passes):
        if across > 0.0:
            first, last = max(first - 1, 0), min(last + 1, plane.shape[0])
            blur_along_columns(plane, first, last, across, work[0, : plane.shape[1]], work[1, : plane.shape[1]])
        if along > 0.0:
            blur_along_slices(plane, first, last, along, work[2])
    return first, last


@compiled
def project_view(
    image: Array,
    integral: Array,
    ray_transmission: Array,
    active: Array,
    angle: Array,
    blur_columns: Array,
    blur_slices: Array,
    passes: Array,
    transmission: Array,
    work: Array,
    plane: Array,
) -> None:
    """Project an image to one view, into `plane` (columns, slices).

    `ray_transmission` (columns, slices) is that of whole rays, of size zero where attenuation is left out.
    `angle` holds cosine, sine and centre-of-rotation offset in pixels; `work` is (5, slices + 2).
    """
    rows, columns, slices = image.shape
    attenuated = ray_transmission.size > 0
    if attenuated:
        transmission[:] = ray_transmission
    plane[:] = 0.0
    activity, path = work[3, :slices], work[4, :slices]
    first, last = columns, 0
    for d in range(rows):
        if last > first and passes[d] > 0:
            first, last = _blur(plane, first, last, blur_columns[d], blur_slices[d], passes[d], work)
        for u in range(columns):
            j, i, fy, fx = _place(u, d, angle[0], angle[1], angle[2], rows, columns)
            if not _inside(j, i, active):
                continue
            wd = np.float32(fy * fx)
            wc = np.float32(fy) - wd
            wb = np.float32(fx) - wd
            wa = np.float32(1.0) - np.float32(fy) - wb
            gather(image[j, i], image[j, i + 1], image[j + 1, i], image[j + 1, i + 1], wa, wb, wc, wd, activity)
            first, last = min(first, u), max(last, u + 1)
            run = plane[u]
            if attenuated:
                gather(
                    integral[j, i], integral[j, i + 1], integral[j + 1, i], integral[j + 1, i + 1],
                    wa, wb, wc, wd, path,
                )  # fmt: skip
                approach(activity, path, transmission[u], run)
            else:
                for k in range(slices):
                    run[k] += activity[k]
    if last > first:
        _blur(plane, first, last, blur_columns[rows], blur_slices[rows], passes[rows], work)


@compiled
def backproject_view(
    view: Array,
    integral: Array,
    attenuated: bool,
    active: Array,
    angle: Array,
    blur_columns: Array,
    blur_slices: Array,
    passes: Array,
    transmission: Array,
    work: Array,
    plane: Array,
    image: Array,
) -> None:
    """Transpose of `project_view`: add the view (columns, slices) back to `image` (rows, columns, slices)."""
    rows, columns, slices = image.shape
    plane[:] = view
    if attenuated:
        transmission[:] = 1.0
    weighted, path = work[3, :slices], work[4, :slices]
    _blur(plane, 0, columns, blur_columns[rows], blur_slices[rows], passes[rows], work)
    for back in range(rows):
        d = rows - 1 - back
        for u in range(columns):
            j, i, fy, fx = _place(u, d, angle[0], angle[1], angle[2], rows, columns)
            if not _inside(j, i, active):
                continue
            wd = np.float32(fy * fx)
            wc = np.float32(fy) - wd
            wb = np.float32(fx) - wd
            wa = np.float32(1.0) - np.float32(fy) - wb
            run = plane[u]
            if attenuated:
                gather(
                    integral[j, i], integral[j, i + 1], integral[j + 1, i], integral[j + 1, i + 1],
                    wa, wb, wc, wd, path,
                )  # fmt: skip
                recede(run, path, transmission[u], weighted)
                run = weighted
            scatter(run, wa, wb, wc, wd, image[j, i], image[j, i + 1], image[j + 1, i], image[j + 1, i + 1])
        if passes[d] > 0:
            _blur(plane, 0, columns, blur_columns[d], blur_slices[d], passes[d], work)


@compiled
def sum_attenuation(integral: Array, active: Array, angle: Array, work: Array, plane: Array) -> None:
    """Sum the attenuation of whole rays of one view, into `plane` (columns, slices) float64."""
    rows, columns, slices = integral.shape
    plane[:] = 0.0
    path = work[4, :slices]
    for d in range(rows):
        for u in range(columns):
            j, i, fy, fx = _place(u, d, angle[0], angle[1], angle[2], rows, columns)
            if not _inside(j, i, active):
                continue
            wd = np.float32(fy * fx)
            wc = np.float32(fy) - wd
            wb = np.float32(fx) - wd
            wa = np.float32(1.0) - np.float32(fy) - wb
            gather(integral[j, i], integral[j, i + 1], integral[j + 1, i], integral[j + 1, i + 1], wa, wb, wc, wd, path)
            run = plane[u]
            for k in range(slices):
                run[k] += path[k]
