"""Sums of partial images in a fixed order, so that they do not depend on who made which part when."""

from __future__ import annotations

from typing import Any

import numpy as np

from leukospect.kernels.compiling import compiled

Array = Any


@compiled
def take_sum(parts: Array, first: int, last: int, out: Array) -> None:
    """Add up runs `first` to `last` (exclusive) of parts (parts, places, slices) into `out`, and empty them."""
    slices = np.uintp(parts.shape[2])
    for r in range(np.uintp(first), np.uintp(last)):
        for k in range(slices):
            out[r, k] = parts[np.uintp(0), r, k]
            parts[np.uintp(0), r, k] = 0.0
        for part in range(np.uintp(1), np.uintp(parts.shape[0])):
            for k in range(slices):
                out[r, k] += parts[part, r, k]
                parts[part, r, k] = 0.0
