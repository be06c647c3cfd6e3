"""The incremental blur: its own adjoint, of known variance, and Gaussian when repeated."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from leukospect.kernels.blur import blur_along_columns, blur_along_slices

Plane = NDArray[np.float32]
WEIGHT: Any = np.float32(0.19)  # of the type that the program gives, which compiles apart from a float


def _across(plane: Plane, first: int = 0, last: int | None = None, weight: Any = WEIGHT) -> Plane:
    blurred, work = plane.copy(), np.full((2, plane.shape[1]), 7.0, np.float32)
    blur_along_columns(blurred, first, plane.shape[0] if last is None else last, weight, work[0], work[1])
    return blurred


def _along(plane: Plane, weight: Any = WEIGHT) -> Plane:
    blurred = plane.copy()
    blur_along_slices(blurred, 0, plane.shape[0], weight, np.full(plane.shape[1] + 2, 7.0, np.float32))
    return blurred


def _matrix(n: int, weight: float) -> NDArray[np.float64]:
    return (1 - 2 * weight) * np.eye(n) + weight * (np.eye(n, k=1) + np.eye(n, k=-1))


def test_each_axis_has_three_taps_and_zero_outside() -> None:
    plane = np.random.default_rng(3).uniform(-1, 1, (9, 14)).astype(np.float32)
    np.testing.assert_allclose(_across(plane), _matrix(9, 0.19) @ plane, atol=1e-6)
    np.testing.assert_allclose(_along(plane), plane @ _matrix(14, 0.19), atol=1e-6)


def test_the_two_axes_commute() -> None:
    plane = np.random.default_rng(4).uniform(-1, 1, (9, 14)).astype(np.float32)
    np.testing.assert_allclose(_across(_along(plane)), _along(_across(plane)), atol=1e-6)


@pytest.mark.parametrize("low", [0.0, -1.0])
def test_the_blur_is_its_own_adjoint(low: float) -> None:
    random = np.random.default_rng(6)
    x, y = random.uniform(low, 1, (2, 13, 21)).astype(np.float32)
    for blur in (_across, _along, lambda plane: _across(_along(_across(plane)))):
        left, right = np.vdot(blur(x).astype(np.float64), y), np.vdot(x.astype(np.float64), blur(y))
        assert abs(left - right) <= 1e-6 * np.linalg.norm(blur(x)) * np.linalg.norm(y)


def test_only_the_occupied_rows_are_touched() -> None:
    plane = np.zeros((12, 5), np.float32)
    plane[4:7] = np.random.default_rng(7).uniform(0, 1, (3, 5))
    np.testing.assert_array_equal(_across(plane, 3, 8), _across(plane))
    kept = plane.copy()
    kept[10] = 5.0
    np.testing.assert_array_equal(_across(kept, 3, 8)[10], kept[10])
    lines = kept.copy()
    blur_along_slices(lines, 3, 8, WEIGHT, np.zeros(7, np.float32))
    np.testing.assert_array_equal(lines[10], kept[10])


def test_repeated_it_is_a_gaussian_of_the_summed_variance() -> None:
    passes, weight = 40, np.float32(0.2)
    plane = np.zeros((61, 3), np.float32)
    plane[30, 1] = 1.0
    for _ in range(passes):
        plane = _across(plane, weight=weight)
    places, profile = np.arange(61) - 30.0, plane[:, 1].astype(np.float64)
    variance = 2 * 0.2 * passes
    assert profile.sum() == pytest.approx(1.0, abs=1e-5)
    assert np.sum(places**2 * profile) == pytest.approx(variance, rel=1e-4)
    gaussian = np.exp(-(places**2) / (2 * variance)) / np.sqrt(2 * np.pi * variance)
    assert np.abs(profile - gaussian).max() < 0.01 * gaussian.max()
    np.testing.assert_array_equal(plane[:, [0, 2]], 0.0)
