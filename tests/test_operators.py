"""Composition of operators, and factors of views: adjoints, subsets, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from leukospect.errors import InputError
from leukospect.operators import Composition, LinearOperator, ScaledViews, ViewOperator, ViewScaling

Array = NDArray[np.float32]
Float64 = NDArray[np.float64]


class _Matrix(ViewOperator):
    """A dense matrix from an image of any shape to (views, bins)."""

    def __init__(self, matrix: Float64, in_shape: tuple[int, ...]) -> None:
        self.matrix = matrix  # (views, bins, voxels)
        self.in_shape, self.out_shape = in_shape, matrix.shape[:2]

    def _forward(self, x: Array) -> Array:
        return np.asarray(self.matrix @ x.ravel(), dtype=np.float32)

    def _adjoint(self, y: Array) -> Array:
        added = np.einsum("vbx,vb->x", self.matrix, y.astype(np.float64))
        return np.asarray(added.reshape(self.in_shape), dtype=np.float32)

    def subset(self, views: NDArray[np.intp]) -> _Matrix:
        return _Matrix(self.matrix[views], self.in_shape)


def _projector() -> _Matrix:
    return _Matrix(np.random.default_rng(1).normal(size=(5, 7, 12)), (3, 4))


FACTORS = np.array([1.0, 0.5, 20.0, 3.0, 0.01])


def _gap(operator: LinearOperator, low: float) -> float:
    random = np.random.default_rng(2)
    x = random.uniform(low, 1, operator.in_shape).astype(np.float32)
    y = random.uniform(low, 1, operator.out_shape).astype(np.float32)
    ax, aty = operator.forward(x).astype(np.float64), operator.adjoint(y).astype(np.float64)
    return float(abs(np.vdot(ax, y) - np.vdot(x, aty)) / (np.linalg.norm(ax) * np.linalg.norm(y)))


@pytest.mark.parametrize("low", [0.0, -1.0])
def test_adjoints(low: float) -> None:
    projector = _projector()
    scaling = ViewScaling(FACTORS, projector.out_shape)
    for operator in (projector, scaling, scaling @ projector, ScaledViews(projector, FACTORS)):
        assert _gap(operator, low) <= 1e-6
    assert _gap(ScaledViews(projector, FACTORS).subset(np.array([3, 1])), low) <= 1e-6


def test_a_composition_applies_the_inner_operator_first() -> None:
    projector = _projector()
    composed = ViewScaling(FACTORS, projector.out_shape) @ projector
    assert isinstance(composed, Composition)
    assert (composed.in_shape, composed.out_shape) == ((3, 4), (5, 7))
    x = np.random.default_rng(3).normal(size=(3, 4)).astype(np.float32)
    expected = FACTORS[:, None] * (projector.matrix @ x.ravel())
    np.testing.assert_allclose(composed.forward(x), expected, rtol=1e-5, atol=1e-5)


def test_operators_that_do_not_fit_are_not_composed() -> None:
    projector = _projector()
    with pytest.raises(InputError, match=r"\(3, 4\) and \(5, 7\)"):
        projector @ ViewScaling(FACTORS, projector.out_shape)


def test_a_subset_keeps_each_views_own_factor() -> None:
    model = ScaledViews(_projector(), FACTORS)
    assert model.views == 5
    x = np.random.default_rng(4).normal(size=(3, 4)).astype(np.float32)
    views = np.array([4, 0, 2])
    part = model.subset(views)
    assert part.out_shape == (3, 7)
    np.testing.assert_allclose(part.forward(x), model.forward(x)[views], rtol=1e-6)
    y = np.random.default_rng(5).normal(size=(3, 7)).astype(np.float32)
    whole = np.zeros((5, 7), np.float32)
    whole[views] = y
    np.testing.assert_allclose(part.adjoint(y), model.adjoint(whole), rtol=1e-5, atol=1e-5)


def test_factors_scale_their_own_view_in_any_number_of_dimensions() -> None:
    views = np.ones((5, 2, 3), np.float32)
    scaled = ViewScaling(FACTORS, views.shape).forward(views)
    np.testing.assert_allclose(scaled, np.broadcast_to(FACTORS[:, None, None], views.shape), rtol=1e-6)
    np.testing.assert_array_equal(views, 1.0)


def test_each_view_needs_its_factor() -> None:
    with pytest.raises(InputError, match="5 views need as many factors; found 4"):
        ScaledViews(_projector(), FACTORS[:4])


def test_arrays_of_another_shape_are_refused() -> None:
    model = ScaledViews(_projector(), FACTORS)
    with pytest.raises(InputError, match=r"shape \(3, 4\) was given one of \(4, 3\)"):
        model.forward(np.zeros((4, 3), np.float32))
    with pytest.raises(InputError, match=r"shape \(5, 7\) was given one of \(35,\)"):
        model.adjoint(np.zeros(35, np.float32))
