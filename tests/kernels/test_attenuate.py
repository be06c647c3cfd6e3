"""Attenuation along rays, plane by plane: exponential, and the same factor from either end."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from leukospect.kernels.attenuate import approach, recede

Row = NDArray[np.float32]


@pytest.mark.parametrize("integral", [0.0, 1e-4, 0.03, 0.2, 0.8, 1.7])
def test_a_plane_attenuates_exponentially(integral: float) -> None:
    near = 2e-6 if integral < 1 else 5e-6
    path = np.full(5, integral, np.float32)
    behind = np.full(5, np.exp(-integral), np.float32)
    running, activity = np.ones(5, np.float32), np.arange(5, dtype=np.float32)
    approach(activity, path, behind, running)
    np.testing.assert_allclose(running, 1 + activity * np.exp(-integral / 2), rtol=near)
    np.testing.assert_allclose(behind, 1.0, rtol=near)
    before, weighted = np.full(5, 0.7, np.float32), np.empty(5, np.float32)
    recede(activity, path, before, weighted)
    np.testing.assert_allclose(weighted, 0.7 * activity * np.exp(-integral / 2), rtol=near)
    np.testing.assert_allclose(before, 0.7 * np.exp(-integral), rtol=near)


def test_rounding_does_not_grow_over_a_uniform_body() -> None:
    planes, integral = 128, 0.1536 * 0.48
    transmission, weighted, ones = np.ones(3, np.float32), np.empty(3, np.float32), np.ones(3, np.float32)
    for _ in range(planes):
        recede(ones, np.full(3, integral, np.float32), transmission, weighted)
    np.testing.assert_allclose(transmission, np.exp(-planes * integral), rtol=2e-5)


def test_there_and_back_a_plane_weighs_the_same() -> None:
    """The adjoint's factor of a plane, met from the detector, is the forward model's, met from the far side."""
    random = np.random.default_rng(5)
    planes, size = 40, 11
    paths = random.uniform(0, 0.3, (planes, size)).astype(np.float32)  # plane 0 is the far one
    ones, forward = np.ones(size, np.float32), np.empty((planes, size))
    transmission = np.exp(-paths.sum(axis=0, dtype=np.float64)).astype(np.float32)
    for d in range(planes):
        running = np.zeros(size, np.float32)
        approach(ones, paths[d], transmission, running)
        forward[d] = running
    transmission = np.ones(size, np.float32)
    weighted = np.empty(size, np.float32)
    for d in reversed(range(planes)):
        recede(ones, paths[d], transmission, weighted)
        np.testing.assert_allclose(weighted, forward[d], rtol=5e-6)
    nearer = np.cumsum(paths[::-1].astype(np.float64), axis=0)[::-1] - paths
    np.testing.assert_allclose(forward, np.exp(-nearer - paths / 2.0), rtol=5e-6)
