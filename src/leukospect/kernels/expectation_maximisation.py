"""The element-wise steps of expectation maximisation, each in one pass over memory."""

from __future__ import annotations

from typing import Any

import numpy as np

from leukospect.kernels.compiling import compiled

Array = Any

_NONE = np.float32(0.0)


@compiled
def divide_by_expected(counts: Array, scatter: Array, least: Any, expected: Array) -> None:
    """Replace expected counts (one row of bins) by measured / (expected + scatter); 0 where at most `least`.

    `scatter` of size zero is none.
    """
    scattered = scatter.size > 0
    for k in range(np.uintp(expected.size)):
        mean = expected[k]
        if scattered:
            mean += scatter[k]
        expected[k] = counts[k] / mean if mean > least else _NONE


@compiled
def invert_where_seen(sensitivity: Array, least: Any) -> float:
    """Replace a sensitivity image by its inverse, 0 where it is at most `least`; give the sum of what was inverted."""
    total = 0.0
    for k in range(np.uintp(sensitivity.size)):
        value = sensitivity[k]
        usable = value > least
        total += np.float64(value) if usable else 0.0
        sensitivity[k] = np.float32(1.0) / value if usable else _NONE
    return total


@compiled
def multiply_where_seen(image: Array, ratio: Array, inverse_sensitivity: Array) -> None:
    """Multiply an image by ratio x inverse sensitivity; a voxel whose inverse is zero, unseen, keeps its value."""
    for k in range(np.uintp(image.size)):
        inverse = inverse_sensitivity[k]
        image[k] *= ratio[k] * inverse if inverse > _NONE else np.float32(1.0)
