"""Voxels in upright order: every value stays where it was in mm."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from leukospect.data import Geometry, Image
from leukospect.orientation import upright


@pytest.mark.parametrize("axes", list(itertools.permutations(range(3))))
@pytest.mark.parametrize("signs", list(itertools.product((1, -1), repeat=3)))
def test_every_order_of_axes_becomes_upright(axes: tuple[int, int, int], signs: tuple[int, int, int]) -> None:
    steps = np.array([[0.0, 0.0, 4.0], [0.0, 3.0, 0.0], [5.0, 0.0, 0.0]])
    turn = np.deg2rad(12.0)
    steps = np.array([[np.cos(turn), -np.sin(turn), 0], [np.sin(turn), np.cos(turn), 0], [0, 0, 1]]) @ steps
    affine = np.eye(4)
    affine[:3, :3] = steps[:, axes] * signs
    affine[:3, 3] = 7.0, -11.0, 13.0
    shape = (4, 5, 6)
    image = Image(np.random.default_rng(1).random(shape), Geometry(shape, affine, "1.2"), "Bq/mL")
    made = upright(image)
    assert (made.unit, made.geometry.frame_of_reference_uid) == ("Bq/mL", "1.2")
    np.testing.assert_allclose(made.geometry.affine[:3, :3], steps, atol=1e-12)
    indices = np.argwhere(np.ones(shape, bool))
    places = image.geometry.to_lps(indices)
    found = np.rint(made.geometry.to_index(places)).astype(int)
    np.testing.assert_allclose(made.geometry.to_lps(found), places, atol=1e-9)
    np.testing.assert_array_equal(made.array[tuple(found.T)], image.array[tuple(indices.T)])
