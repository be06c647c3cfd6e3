"""Weighted normal equations are those of numpy, added to what is there, the same bits at any time."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from leukospect.kernels.least_squares import add_normal_equations

Doubles = NDArray[np.float64]


def _system(seed: int = 2) -> tuple[Doubles, Doubles, Doubles]:
    rng = np.random.default_rng(seed)
    columns = rng.normal(size=(400, 5)) * [1.0, 3.0, 0.2, 1.0, 10.0]
    columns[:, 2] *= rng.random(400) < 0.3  # zeros are left out of the sums
    values = columns @ [1.0, -2.0, 4.0, 0.0, 0.5] + rng.normal(size=400)
    return columns, values, rng.random(400)


def test_as_numpy() -> None:
    columns, values, weights = _system()
    matrix, right_side = np.zeros((5, 5)), np.zeros(5)
    add_normal_equations(columns, values, weights, matrix, right_side)
    expected = columns.T @ (weights[:, None] * columns)
    np.testing.assert_allclose(matrix, np.tril(expected), rtol=1e-11, atol=1e-9)
    np.testing.assert_allclose(right_side, columns.T @ (weights * values), rtol=1e-11)
    root = np.sqrt(weights)
    solution = np.linalg.lstsq(root[:, None] * columns, root * values, rcond=None)[0]
    whole = matrix + np.tril(matrix, -1).T
    np.testing.assert_allclose(np.linalg.solve(whole, right_side), solution, rtol=1e-9)


def test_parts_add_up_and_a_weight_of_zero_leaves_a_row_out() -> None:
    columns, values, weights = _system()
    weights[150:] = 0.0
    all_at_once, parts = (np.zeros((5, 5)), np.zeros(5)), (np.zeros((5, 5)), np.zeros(5))
    add_normal_equations(columns, values, weights, *all_at_once)
    for rows in (slice(0, 70), slice(70, 150)):
        add_normal_equations(columns[rows], values[rows], weights[rows], *parts)
    for one, other in zip(all_at_once, parts, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-12)
    assert np.all(np.diag(parts[0]) > 0)


@pytest.mark.parametrize("n", [0, 1])
def test_few_rows(n: int) -> None:
    columns = np.array([[2.0, 3.0]])[:n]
    matrix, right_side = np.zeros((2, 2)), np.zeros(2)
    add_normal_equations(columns, np.full(n, 7.0), np.full(n, 0.5), matrix, right_side)
    np.testing.assert_array_equal(matrix, n * np.array([[2.0, 0.0], [3.0, 4.5]]))
    np.testing.assert_array_equal(right_side, n * np.array([7.0, 10.5]))
