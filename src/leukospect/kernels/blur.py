"""Blur of a running plane by a small increment of variance: three taps (w, 1 - 2w, w) an axis, zero outside.

The matrix of each pass is symmetric and those of the two axes commute, so the blur is its own adjoint. Repeated over
planes it tends to a Gaussian whose variance is the sum of the increments, 2w a pass, in pixels squared.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from leukospect.kernels.compiling import compiled

Array = Any

_ONE = np.float32(1.0)
_TWO = np.uintp(2)
_STEP = np.uintp(1)


@compiled
def blur(planes: Array, source: int, first: int, last: int, across: Any, along: Any, passes: int, padded: Array) -> int:
    """Blur rows `first` to `last` (exclusive) of a plane, taking the rows beside them as zero.

    Parameters
    ----------
    planes : (2, columns + 2, slices) array
        Row u of the plane is `planes[source, u + 1]`; the other plane is overwritten.
    across, along : float32
        Tap weights along the columns and along the slices.
    padded : (slices + 2,) work array, zero at both ends

    Returns
    -------
    int
        Which of the two planes holds the result, in the same rows.
    """
    middle_across, middle_along = _ONE - across - across, _ONE - along - along
    slices = np.uintp(planes.shape[2])
    for _ in range(passes):
        p, q = np.uintp(source), np.uintp(1 - source)
        planes[p, first, :] = 0.0
        planes[p, last + 1, :] = 0.0
        for u in range(np.uintp(first), np.uintp(last)):
            row, after = u + _STEP, u + _TWO
            for k in range(slices):
                padded[k + _STEP] = middle_across * planes[p, row, k] + across * (planes[p, u, k] + planes[p, after, k])
            for k in range(slices):
                planes[q, row, k] = middle_along * padded[k + _STEP] + along * (padded[k] + padded[k + _TWO])
        source = 1 - source
    return source
