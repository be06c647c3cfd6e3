"""Weighted normal equations, summed in one fixed order so that no library's threads decide the last bits."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from leukospect.kernels.compiling import compiled

Doubles = NDArray[np.float64]


@compiled
def add_normal_equations(
    columns: Doubles, values: Doubles, weights: Doubles, matrix: Doubles, right_side: Doubles
) -> None:
    """Add  A' W A  (lower triangle) and  A' W y  to `matrix` and `right_side`.

    Parameters
    ----------
    columns : (n, m) array
        A, row by row.
    values, weights : (n,) arrays
    matrix : (m, m) array
    right_side : (m,) array
    """
    n, m = columns.shape
    for row in range(n):
        for i in range(m):
            weighted = columns[row, i] * weights[row]
            if weighted == 0.0:
                continue
            right_side[i] += weighted * values[row]
            for j in range(i + 1):
                matrix[i, j] += weighted * columns[row, j]
