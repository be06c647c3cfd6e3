"""The relative difference penalty over runs of voxels along the axis: value, gradient and curvature.

A pair of neighbours a and b costs (a - b)^2 / (a + b + gamma |a - b| + epsilon). Its second derivatives are
2 / s^3 times the outer product of (2 b + epsilon, -(2 a + epsilon)) with itself, s being the denominator, so that the
cost is convex for values that are not negative.

Arrays
------
image, gain : (places, slices) float32
    Activity, and the factor by which a voxel takes part in its pairs.
neighbours : (places, 9) int32
    Places one row and one column around, in the order of rows, then columns, itself in the middle; -1 where none is.
weights : (9, 3) float32
    Weight of a neighbour by that order, and by one slice below, the same, one above; zero for the voxel itself.
gamma, epsilon : float32

Every directed pair is taken by the place it is seen from, which alone writes its results, so that results do not depend
on how the places are divided among threads; the inner loops run along the axis.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from leukospect.kernels.compiling import compiled

Array = Any
Row = Any

_ONE = np.float32(1.0)
_TWO = np.float32(2.0)
_THREE = np.float32(3.0)


@compiled
def _cost(a: Row, b: Row, gain: Row, weight: float, gamma: float, epsilon: float, cost: Row) -> None:
    for k in range(a.size):
        d = a[k] - b[k]
        s = a[k] + b[k] + gamma * abs(d) + epsilon
        cost[k] += weight * gain[k] * d * (d / s)


@compiled
def _slope(a: Row, b: Row, gain: Row, weight: float, gamma: float, epsilon: float, slope: Row) -> None:
    for k in range(a.size):
        d = a[k] - b[k]
        inverse = _ONE / (a[k] + b[k] + gamma * abs(d) + epsilon)
        rest = a[k] + _THREE * b[k] + gamma * abs(d) + _TWO * epsilon
        slope[k] += weight * gain[k] * (d * inverse) * (rest * inverse)


@compiled
def _curvature(a: Row, b: Row, gain: Row, weight: float, gamma: float, epsilon: float, bend: Row) -> None:
    for k in range(a.size):
        total = a[k] + b[k] + epsilon
        inverse = _ONE / (total + gamma * abs(a[k] - b[k]))
        own = _TWO * (_TWO * b[k] + epsilon) * inverse
        bend[k] += weight * gain[k] * inverse * own * (_TWO * total * inverse)


@compiled
def add_costs(
    image: Array, gain: Array, neighbours: Array, weights: Array, gamma: float, epsilon: float, first: int, last: int,
    sums: Array,
) -> None:  # fmt: skip
    """Sum the cost of all directed pairs seen from each place `first` to `last`, into `sums` (places,) float64."""
    n = image.shape[1]
    cost = np.empty(n, np.float32)
    for p in range(first, last):
        cost[:] = 0.0
        for o in range(9):
            q = neighbours[p, o]
            if q >= 0:
                for step in range(-1, 2):
                    below, above = max(0, -step), max(0, step)
                    if weights[o, step + 1] > 0:
                        _cost(
                            image[p, below:n - above], image[q, above:n - below], gain[q, above:n - below],
                            weights[o, step + 1], gamma, epsilon, cost[below:n - above],
                        )  # fmt: skip
        total = 0.0
        for k in range(cost.size):
            total += cost[k] * gain[p, k]
        sums[p] = total


@compiled
def slopes(
    image: Array, gain: Array, neighbours: Array, weights: Array, gamma: float, epsilon: float, first: int, last: int,
    gradient: Array,
) -> None:  # fmt: skip
    """Give the derivative by each voxel of the places `first` to `last`, into `gradient` (places, slices)."""
    n = image.shape[1]
    for p in range(first, last):
        slope = gradient[p]
        slope[:] = 0.0
        for o in range(9):
            q = neighbours[p, o]
            if q >= 0:
                for step in range(-1, 2):
                    below, above = max(0, -step), max(0, step)
                    if weights[o, step + 1] > 0:
                        _slope(
                            image[p, below:n - above], image[q, above:n - below], gain[q, above:n - below],
                            weights[o, step + 1], gamma, epsilon, slope[below:n - above],
                        )  # fmt: skip
        for k in range(slope.size):
            slope[k] *= gain[p, k]


@compiled
def curvatures(
    image: Array, gain: Array, neighbours: Array, weights: Array, gamma: float, epsilon: float, first: int, last: int,
    bound: Array,
) -> None:  # fmt: skip
    """Sum the absolute second derivatives of each voxel's row, into `bound` (places, slices).

    The diagonal of these sums is nowhere below the matrix of second derivatives at the image.
    """
    n = image.shape[1]
    for p in range(first, last):
        bend = bound[p]
        bend[:] = 0.0
        for o in range(9):
            q = neighbours[p, o]
            if q >= 0:
                for step in range(-1, 2):
                    below, above = max(0, -step), max(0, step)
                    if weights[o, step + 1] > 0:
                        _curvature(
                            image[p, below:n - above], image[q, above:n - below], gain[q, above:n - below],
                            weights[o, step + 1], gamma, epsilon, bend[below:n - above],
                        )  # fmt: skip
        for k in range(bend.size):
            bend[k] *= gain[p, k]
