"""The interpolation of a run of voxels and its transpose."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from leukospect.kernels.rotate import gather, scatter

Row = NDArray[np.float32]
WA, WB, WC, WD = (np.float32(weight) for weight in (0.42, 0.28, 0.18, 0.12))


def test_a_run_is_the_weighted_sum_of_its_four_neighbours() -> None:
    a, b, c, d = np.random.default_rng(1).uniform(-1, 1, (4, 7)).astype(np.float32)
    out = np.full(7, 99.0, np.float32)
    gather(a, b, c, d, WA, WB, WC, WD, out)
    np.testing.assert_allclose(out, 0.42 * a + 0.28 * b + 0.18 * c + 0.12 * d, rtol=1e-5, atol=1e-7)


def test_scatter_adds_to_what_is_there() -> None:
    run = np.array([1.0, -2.0, 4.0], np.float32)
    targets = np.ones((4, 3), np.float32)
    scatter(run, WA, WB, WC, WD, *targets)
    np.testing.assert_allclose(targets, 1 + np.outer([WA, WB, WC, WD], run), rtol=1e-6)


def test_scatter_is_the_transpose_of_gather() -> None:
    random = np.random.default_rng(2)
    for low in (0.0, -1.0):
        x = random.uniform(low, 1, (4, 23)).astype(np.float32)
        y = random.uniform(low, 1, 23).astype(np.float32)
        forward, back = np.empty(23, np.float32), np.zeros((4, 23), np.float32)
        gather(x[0], x[1], x[2], x[3], WA, WB, WC, WD, forward)
        scatter(y, WA, WB, WC, WD, *back)
        gap = abs(np.vdot(forward.astype(np.float64), y) - np.vdot(x.astype(np.float64), back))
        assert gap <= 1e-6 * np.linalg.norm(forward) * np.linalg.norm(y)
