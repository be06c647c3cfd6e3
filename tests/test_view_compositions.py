"""Views stacked, summed and cropped: what they give, their adjoints and subsets, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from leukospect.errors import InputError
from leukospect.operators import ViewOperator
from leukospect.view_compositions import CroppedColumns, StackedViews, SummedViews

Array = NDArray[np.float32]


class Blocks(ViewOperator):
    """A dense matrix from an image (3, 4) to views (views, 5 columns, 2 slices)."""

    def __init__(self, matrix: NDArray[np.float64]) -> None:
        self.matrix = matrix
        self.in_shape, self.out_shape = (3, 4), matrix.shape[:3]

    def _forward(self, x: Array) -> Array:
        return np.asarray(self.matrix @ x.ravel(), dtype=np.float32)

    def _adjoint(self, y: Array) -> Array:
        added = np.einsum("vcsx,vcs->x", self.matrix, y.astype(np.float64))
        return np.asarray(added.reshape(self.in_shape), dtype=np.float32)

    def subset(self, views: NDArray[np.intp]) -> Blocks:
        return Blocks(self.matrix[views])


def blocks(views: int, seed: int) -> Blocks:
    return Blocks(np.random.default_rng(seed).normal(size=(views, 5, 2, 12)))


A, B, FEWER = blocks(6, 1), blocks(6, 2), blocks(4, 3)
IMAGE = np.random.default_rng(4).normal(size=(3, 4)).astype(np.float32)
COMPOSED = [
    StackedViews([A, B]),
    StackedViews([A, FEWER, B]),
    SummedViews([A, B]),
    CroppedColumns(A, 1, 4),
    StackedViews([CroppedColumns(SummedViews([A, B]), 0, 3), CroppedColumns(FEWER, 2, 5)]),
]


def gap(operator: ViewOperator) -> float:
    random = np.random.default_rng(5)
    x = random.normal(size=operator.in_shape).astype(np.float32)
    y = random.normal(size=operator.out_shape).astype(np.float32)
    ax, aty = operator.forward(x).astype(np.float64), operator.adjoint(y).astype(np.float64)
    return float(abs(np.vdot(ax, y) - np.vdot(x, aty)) / (np.linalg.norm(ax) * np.linalg.norm(y)))


@pytest.mark.parametrize("operator", COMPOSED)
def test_adjoints_of_operators_and_of_their_subsets(operator: ViewOperator) -> None:
    assert gap(operator) <= 1e-6
    assert gap(operator.subset(np.array([1, 0, operator.views - 1]))) <= 1e-6


@pytest.mark.parametrize("operator", COMPOSED)
@pytest.mark.parametrize("views", [[0, 3, 5], [4, 1], [2]])
def test_a_subset_gives_the_same_views_in_its_own_order(operator: ViewOperator, views: list[int]) -> None:
    expected = operator.forward(IMAGE)[views]
    np.testing.assert_allclose(operator.subset(np.array(views)).forward(IMAGE), expected, rtol=1e-6)


def test_stacked_views_follow_each_other() -> None:
    views = StackedViews([A, FEWER, B]).forward(IMAGE)
    np.testing.assert_array_equal(views, np.concatenate([part.forward(IMAGE) for part in (A, FEWER, B)]))


def test_a_subset_of_stacked_views_may_take_a_later_part_first() -> None:
    stacked, views = StackedViews([A, FEWER, B]), np.array([13, 12, 8, 6, 0, 5])
    np.testing.assert_allclose(stacked.subset(views).forward(IMAGE), stacked.forward(IMAGE)[views], rtol=1e-6)
    with pytest.raises(InputError, match="together"):
        stacked.subset(np.array([0, 7, 1]))


def test_summed_views_are_what_is_counted_together() -> None:
    np.testing.assert_allclose(SummedViews([A, B]).forward(IMAGE), A.forward(IMAGE) + B.forward(IMAGE), rtol=1e-6)


def test_cropped_columns_keep_those_that_were_measured() -> None:
    np.testing.assert_array_equal(CroppedColumns(A, 1, 4).forward(IMAGE), A.forward(IMAGE)[:, 1:4])


def test_unlike_operators_are_not_put_together() -> None:
    with pytest.raises(InputError, match="unlike"):
        SummedViews([A, FEWER])
    with pytest.raises(InputError, match="unlike"):
        StackedViews([A, CroppedColumns(B, 0, 4)])
    with pytest.raises(InputError, match="no operator"):
        StackedViews([])
    for first, stop in ((-1, 3), (2, 2), (0, 6)):
        with pytest.raises(InputError, match="cut out"):
            CroppedColumns(A, first, stop)
