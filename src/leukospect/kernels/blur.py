"""Blur of a running plane by a small increment of variance: three taps (w, 1 - 2w, w) an axis, zero outside.

The matrix of each pass is symmetric and those of the two axes commute, so the blur is its own adjoint. Repeated over
planes it tends to a Gaussian whose variance is the sum of the increments, 2w a pass, in pixels squared.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from leukospect.kernels.compiling import compiled

_ONE = np.float32(1.0)

Plane = Any
Row = Any


@compiled
def blur_along_columns(plane: Plane, first: int, last: int, weight: float, previous: Row, current: Row) -> None:
    """Blur rows `first` to `last` (exclusive) of plane (columns, slices) across the columns, in place.

    Rows outside that range must be zero within one row of it. `previous` and `current` are work rows of one run.
    """
    middle = _ONE - weight - weight
    previous[:] = 0.0
    for u in range(first, last):
        row = plane[u]
        for k in range(row.size):
            current[k] = row[k]
        if u + 1 < last:
            after = plane[u + 1]
            for k in range(row.size):
                row[k] = middle * row[k] + weight * (previous[k] + after[k])
        else:
            for k in range(row.size):
                row[k] = middle * row[k] + weight * previous[k]
        for k in range(row.size):
            previous[k] = current[k]


@compiled
def blur_along_slices(plane: Plane, first: int, last: int, weight: float, padded: Row) -> None:
    """Blur rows `first` to `last` (exclusive) of plane (columns, slices) along the slices, in place.

    `padded` is a work row of slices + 2 elements.
    """
    middle = _ONE - weight - weight
    for u in range(first, last):
        row = plane[u]
        n = row.size
        padded[0] = 0.0
        padded[n + 1] = 0.0
        for k in range(n):
            padded[k + 1] = row[k]
        for k in range(n):
            row[k] = middle * padded[k + 1] + weight * (padded[k] + padded[k + 2])
