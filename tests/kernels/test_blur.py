"""The incremental blur: its own adjoint, of known variance, and Gaussian when repeated."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from leukospect.kernels.blur import blur

Plane = NDArray[np.float32]
ACROSS: Any = np.float32(0.19)  # of the type that the program gives, which compiles apart from a float
ALONG: Any = np.float32(0.11)
NONE: Any = np.float32(0.0)


def _blurred(
    plane: Plane,
    across: Any = ACROSS,
    along: Any = ALONG,
    passes: int = 1,
    rows: tuple[int, int] | None = None,
    source: int = 0,
) -> Plane:
    """Blur a plane (columns, slices); beside the rows blurred the buffers hold sevens."""
    columns, slices = plane.shape
    first, last = rows or (0, columns)
    planes = np.full((2, columns + 2, slices), 7.0, np.float32)
    planes[source, 1:-1] = plane
    held = blur(planes, source, first, last, across, along, passes, np.zeros(slices + 2, np.float32))
    assert held == (source + passes) % 2
    return planes[held, 1 + first : 1 + last]


def _matrix(n: int, weight: float) -> NDArray[np.float64]:
    return (1 - 2 * weight) * np.eye(n) + weight * (np.eye(n, k=1) + np.eye(n, k=-1))


@pytest.mark.parametrize(("passes", "source"), [(0, 0), (1, 0), (1, 1), (2, 0), (3, 1)])
def test_each_axis_has_three_taps_and_zero_outside(passes: int, source: int) -> None:
    plane = np.random.default_rng(3).uniform(-1, 1, (9, 14)).astype(np.float32)
    across, along = np.linalg.matrix_power(_matrix(9, 0.19), passes), np.linalg.matrix_power(_matrix(14, 0.11), passes)
    np.testing.assert_allclose(_blurred(plane, passes=passes, source=source), across @ plane @ along, atol=1e-6)


@pytest.mark.parametrize("low", [0.0, -1.0])
@pytest.mark.parametrize("passes", [1, 3])
def test_the_blur_is_its_own_adjoint(low: float, passes: int) -> None:
    x, y = np.random.default_rng(6).uniform(low, 1, (2, 13, 21)).astype(np.float32)
    bx, by = _blurred(x, passes=passes), _blurred(y, passes=passes)
    left, right = np.vdot(bx.astype(np.float64), y), np.vdot(x.astype(np.float64), by)
    assert abs(left - right) <= 1e-6 * np.linalg.norm(bx) * np.linalg.norm(y)


def test_rows_beside_those_blurred_count_as_zero() -> None:
    plane = np.random.default_rng(7).uniform(0, 1, (12, 5)).astype(np.float32)
    inside = np.zeros_like(plane)
    inside[3:8] = plane[3:8]
    np.testing.assert_array_equal(_blurred(plane, rows=(3, 8)), _blurred(inside)[3:8])


def test_repeated_it_is_a_gaussian_of_the_summed_variance() -> None:
    passes, weight = 40, np.float32(0.2)
    plane = np.zeros((61, 3), np.float32)
    plane[30, 1] = 1.0
    plane = _blurred(plane, weight, NONE, passes)
    places, profile = np.arange(61) - 30.0, plane[:, 1].astype(np.float64)
    variance = 2 * 0.2 * passes
    assert profile.sum() == pytest.approx(1.0, abs=1e-5)
    assert np.sum(places**2 * profile) == pytest.approx(variance, rel=1e-4)
    gaussian = np.exp(-(places**2) / (2 * variance)) / np.sqrt(2 * np.pi * variance)
    assert np.abs(profile - gaussian).max() < 0.01 * gaussian.max()
    np.testing.assert_array_equal(plane[:, [0, 2]], 0.0)
