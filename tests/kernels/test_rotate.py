"""The interpolation of a run of voxels and its transpose."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from leukospect.kernels.rotate import any_run, corners, gather_add, gather_survival, place, scatter_add, weights

Row = NDArray[np.float32]
W: Any = tuple(np.float32(weight) for weight in (0.42, 0.28, 0.18, 0.12))
AT: Any = tuple(np.uintp(run) for run in (3, 0, 5, 2))
ENDS = 2
NUMBER = np.pad(np.array([[0, 1, -1], [-1, 2, 3]], np.int32), 1, constant_values=-1)


def _gathered(runs: Row) -> Row:
    planes = np.zeros((2, 4, runs.shape[1] + 2 * ENDS), np.float32)
    gather_add(runs, AT, W, np.uintp(ENDS), planes, np.uintp(1), np.uintp(2))
    row: Row = planes[1, 2, ENDS:-ENDS].copy()
    planes[1, 2, ENDS:-ENDS] = 0.0
    assert not planes.any()
    return row


def test_a_row_is_the_weighted_sum_of_its_four_corners() -> None:
    runs = np.random.default_rng(1).uniform(-1, 1, (6, 7)).astype(np.float32)
    expected = 0.42 * runs[3] + 0.28 * runs[0] + 0.18 * runs[5] + 0.12 * runs[2]
    np.testing.assert_allclose(_gathered(runs), expected, rtol=1e-5, atol=1e-7)
    survival = np.full(7 + 2 * ENDS, 9.0, np.float32)
    gather_survival(runs, AT, W, np.uintp(ENDS), survival)
    np.testing.assert_allclose(survival, np.pad(1 + expected, ENDS, mode="edge"), rtol=1e-5, atol=1e-7)


def test_scatter_adds_to_what_is_there() -> None:
    runs = np.ones((6, 3), np.float32)
    row = np.array([1.0, -2.0, 4.0], np.float32)
    scatter_add(np.pad(row, ENDS, constant_values=50.0), AT, W, np.uintp(ENDS), runs)
    expected = np.ones((6, 3))
    expected[[3, 0, 5, 2]] += np.outer([0.42, 0.28, 0.18, 0.12], row)
    np.testing.assert_allclose(runs, expected, rtol=1e-6)


@pytest.mark.parametrize("low", [0.0, -1.0])
def test_scatter_is_the_transpose_of_gather(low: float) -> None:
    random = np.random.default_rng(2)
    x = random.uniform(low, 1, (6, 23)).astype(np.float32)
    y = random.uniform(low, 1, 23).astype(np.float32)
    forward, back = _gathered(x), np.zeros_like(x)
    scatter_add(np.pad(y, ENDS), AT, W, np.uintp(ENDS), back)
    gap = abs(np.vdot(forward.astype(np.float64), y) - np.vdot(x.astype(np.float64), back))
    assert gap <= 1e-6 * np.linalg.norm(forward) * np.linalg.norm(y)


def test_corners_without_a_run_weigh_nothing() -> None:
    assert corners(NUMBER, 0, 1) == (1, -1, 2, 3)
    assert corners(NUMBER, -1, -1) == (-1, -1, -1, 0)
    np.testing.assert_allclose(weights(corners(NUMBER, 0, 1), 0.25, 0.6), (0.3, 0.0, 0.1, 0.15), rtol=1e-6)
    assert any_run(corners(NUMBER, -1, -1))
    assert not any_run(corners(NUMBER, -1, 2))


def test_a_place_lies_between_its_corners() -> None:
    """Detector at the back: columns run from the patient's left (last column) to the right."""
    assert place(1, 3, 1.0, 0.0, 0.0, 5, 5) == pytest.approx((3, 3, 0.0, 0.0))
    j, i, fy, fx = place(1, 3, np.cos(0.4), np.sin(0.4), 0.3, 5, 5)
    x = -np.cos(0.4) * (1 - 2 - 0.3) + np.sin(0.4) * (3 - 2) + 2
    y = np.sin(0.4) * (1 - 2 - 0.3) + np.cos(0.4) * (3 - 2) + 2
    assert (j + fy, i + fx) == pytest.approx((y, x))
    assert 0 <= fy < 1
    assert 0 <= fx < 1
