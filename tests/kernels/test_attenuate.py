"""Attenuation of a running plane: exponential, half a plane for its own activity, the same from either end."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from leukospect.kernels.attenuate import approach, cross, recede

Row = NDArray[np.float32]
AT: Any = tuple(np.uintp(0) for _ in range(4))
W: Any = (np.float32(1), np.float32(0), np.float32(0), np.float32(0))
P, U = np.uintp(1), np.uintp(2)


def _planes(row: Row) -> Row:
    planes = np.full((2, 4, row.size), 7.0, np.float32)
    planes[P, U] = row
    return planes


@pytest.mark.parametrize("integral", [0.0, 1e-4, 0.03, 0.2, 0.8, 1.7])
def test_photons_from_behind_cross_the_whole_plane_and_its_own_half(integral: float) -> None:
    survival = np.exp(np.full(5, -integral / 2)).astype(np.float32)
    activity = np.arange(5, dtype=np.float32)
    planes = _planes(np.full(5, 3.0, np.float32))
    approach(activity[None, 1:-1], AT, W, np.uintp(1), survival, planes, P, U)
    activity[[0, -1]] = 0.0  # past the ends there is matter, no activity
    expected = 3 * np.exp(-integral) + activity * np.exp(-integral / 2)
    np.testing.assert_allclose(planes[P, U], expected, rtol=1e-6)
    planes = _planes(np.full(5, 3.0, np.float32))
    cross(survival, planes, P, U)
    np.testing.assert_allclose(planes[P, U], 3 * np.exp(-integral), rtol=1e-6)
    assert np.all(planes[0] == 7.0)


def test_rounding_does_not_grow_over_a_uniform_body() -> None:
    planes, integral = 128, 0.1536 * 0.48
    row = _planes(np.ones(3, np.float32))
    survival = 1 + np.expm1(np.full(3, -integral / 2, np.float32))
    for _ in range(planes):
        cross(survival, row, P, U)
    np.testing.assert_allclose(row[P, U], np.exp(-planes * integral), rtol=2e-5)


def test_receding_is_the_transpose_of_approaching() -> None:
    random = np.random.default_rng(5)
    survival = random.uniform(0.5, 1, 11).astype(np.float32)
    row, activity, seen = random.uniform(-1, 1, (3, 11)).astype(np.float32)
    forward = _planes(row)
    approach(activity[None, 1:-1], AT, W, np.uintp(1), survival, forward, P, U)
    back, half = _planes(seen), np.empty(11, np.float32)
    recede(survival, back, P, U, half)
    left = np.vdot(forward[P, U].astype(np.float64), seen)
    right = np.vdot(row.astype(np.float64), back[P, U]) + np.vdot(activity[1:-1].astype(np.float64), half[1:-1])
    assert left == pytest.approx(right, rel=1e-6)
