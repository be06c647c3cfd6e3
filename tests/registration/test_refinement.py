"""Robust least squares over a rigid motion: what is doubted of an image has little say."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from leukospect.data import Geometry, Image
from leukospect.registration.refinement import FixedPoints, MovingVolume, refined, through, turned_about

GRID = Geometry.axial((40, 40, 40), (2.0, 2.0, 2.0), (-39.0, -39.0, -39.0))
WINDOW = (-500.0, 3000.0)
TRUTH = turned_about(np.zeros(3), np.array([0.01, -0.02, 0.03]), np.array([0.8, -0.6, 0.5]))
BACK = np.asarray(np.linalg.inv(TRUTH), np.float64)


def bone(places_mm: NDArray[np.float64]) -> NDArray[np.float64]:
    """A smooth, long body of 1000 HU that is not round."""
    x, y, z = np.moveaxis(places_mm, -1, 0)
    return np.asarray(1000.0 / (1.0 + np.exp(((x / 12) ** 2 + (y / 8) ** 2 + ((z + 0.2 * x) / 28) ** 2 - 1.0) * 4.0)))


def streak(places_mm: NDArray[np.float64]) -> NDArray[np.float64]:
    """A bright band on one side, as metal leaves it: it pulls at the bone's edge without being far from it."""
    x, y, z = np.moveaxis(places_mm, -1, 0)
    return np.asarray(500.0 * np.exp(-(((x - 14.0) / 5.0) ** 2)) * (1.0 + np.cos(y / 4.0)) / 2.0 * (z > -10.0))


def fixed_points() -> FixedPoints:
    where = np.argwhere(np.ones(GRID.shape, np.bool_))
    places = GRID.to_lps(where)
    values = bone(places)
    step = 0.05
    slopes = np.stack([(bone(places + step * e) - bone(places - step * e)) / (2 * step) for e in np.eye(3)], axis=-1)
    steep = np.linalg.norm(slopes, axis=1) > 5.0
    return FixedPoints(places[steep], values[steep], slopes[steep], np.zeros(3))


def error_mm(moving: MovingVolume, fixed: FixedPoints) -> float:
    found = refined(fixed, moving, np.eye(4)).matrix
    apart = through(found, fixed.places_mm) - through(TRUTH, fixed.places_mm)
    return float(np.sqrt(np.mean(np.sum(apart**2, axis=1))))


@pytest.fixture(scope="module")
def places() -> NDArray[np.float64]:
    return GRID.to_lps(np.argwhere(np.ones(GRID.shape, np.bool_)))


def volume(values: NDArray[np.float64]) -> MovingVolume:
    image = Image(values.reshape(GRID.shape).astype(np.float32), GRID, "HU")
    return MovingVolume.of(image, 0.1, WINDOW, 3)


def test_what_is_doubted_misleads_less(places: NDArray[np.float64]) -> None:
    fixed = fixed_points()
    noise = np.random.default_rng(2).normal(0.0, 120.0, len(places))  # in it a streak is no outlier
    moved = bone(through(BACK, places)) + noise
    added = streak(places)
    clean, streaked = volume(moved), volume(moved + added)
    doubted = replace(streaked, doubt=added.reshape(GRID.shape).astype(np.float32))
    assert error_mm(clean, fixed) < 0.2
    assert error_mm(streaked, fixed) > 0.8
    assert error_mm(doubted, fixed) < 0.5 * error_mm(streaked, fixed)


def test_doubt_widens_the_uncertainty_and_none_changes_nothing(places: NDArray[np.float64]) -> None:
    fixed = fixed_points()
    rng = np.random.default_rng(1)
    moving = volume(bone(through(BACK, places)) + rng.normal(0.0, 30.0, len(places)))
    plain = refined(fixed, moving, np.eye(4))
    without = refined(replace(fixed, doubt=np.zeros(len(fixed.values))), moving, np.eye(4))
    np.testing.assert_array_equal(plain.matrix, without.matrix)
    wide = refined(replace(fixed, doubt=np.full(len(fixed.values), 300.0)), moving, np.eye(4))
    assert np.all(np.linalg.eigvalsh(wide.information) < 0.5 * np.linalg.eigvalsh(plain.information))
