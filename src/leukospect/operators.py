"""Linear operators: a system model is a composition of them, and a subset of views is just another one."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
from numpy.typing import NDArray

from leukospect.errors import InputError

Array = NDArray[np.float32]


class LinearOperator(ABC):
    """A linear map between arrays of two fixed shapes, with its exact adjoint.

    Attributes
    ----------
    in_shape, out_shape : tuple of int
        Shapes of what `forward` takes and gives; `adjoint` takes and gives them the other way round.
    """

    in_shape: tuple[int, ...]
    out_shape: tuple[int, ...]

    def forward(self, x: Array) -> Array:
        """Apply the operator to an array of `in_shape`."""
        return self._forward(_checked(x, self.in_shape))

    def adjoint(self, y: Array) -> Array:
        """Apply the adjoint to an array of `out_shape`."""
        return self._adjoint(_checked(y, self.out_shape))

    @abstractmethod
    def _forward(self, x: Array) -> Array: ...

    @abstractmethod
    def _adjoint(self, y: Array) -> Array: ...

    def __matmul__(self, other: LinearOperator) -> Composition:
        """Compose: (A @ B).forward(x) is A.forward(B.forward(x))."""
        return Composition(self, other)


class ViewOperator(LinearOperator):
    """An operator whose output's first axis is the view, so that subsets of views can be taken of it."""

    @property
    def views(self) -> int:
        """Number of views."""
        return self.out_shape[0]

    @abstractmethod
    def subset(self, views: NDArray[np.intp]) -> ViewOperator:
        """Return the operator that computes only the views with these indices, in that order."""


class Composition(LinearOperator):
    """`outer` after `inner`."""

    def __init__(self, outer: LinearOperator, inner: LinearOperator) -> None:
        if outer.in_shape != inner.out_shape:
            raise InputError(f"Operators of shapes {outer.in_shape} and {inner.out_shape} cannot be composed.")
        self.outer, self.inner = outer, inner
        self.in_shape, self.out_shape = inner.in_shape, outer.out_shape

    def _forward(self, x: Array) -> Array:
        return self.outer.forward(self.inner.forward(x))

    def _adjoint(self, y: Array) -> Array:
        return self.inner.adjoint(self.outer.adjoint(y))


class ViewScaling(LinearOperator):
    """Multiply each view by its factor: duration, decay, sensitivity. Its own adjoint."""

    def __init__(self, factors: NDArray[np.floating], shape: tuple[int, ...]) -> None:
        if factors.shape != shape[:1]:
            raise InputError(f"{shape[0]} views need as many factors; found {factors.size}.")
        self.in_shape = self.out_shape = shape
        self.factors = np.asarray(factors, dtype=np.float32)

    def _forward(self, x: Array) -> Array:
        return x * self.factors.reshape(-1, *(1,) * (x.ndim - 1))

    def _adjoint(self, y: Array) -> Array:
        return self._forward(y)


class ScaledViews(ViewOperator):
    """A view operator with a factor for each view: the diagonal of durations and decay after the projector."""

    def __init__(self, projector: ViewOperator, factors: NDArray[np.floating]) -> None:
        self.projector = projector
        self.factors = np.asarray(factors, dtype=np.float64)
        self._composed = ViewScaling(self.factors, projector.out_shape) @ projector
        self.in_shape, self.out_shape = projector.in_shape, projector.out_shape

    def _forward(self, x: Array) -> Array:
        return self._composed.forward(x)

    def _adjoint(self, y: Array) -> Array:
        return self._composed.adjoint(y)

    def subset(self, views: NDArray[np.intp]) -> ScaledViews:
        """Return the operator of these views only."""
        return ScaledViews(self.projector.subset(views), self.factors[views])


def _checked(array: Array, shape: tuple[int, ...]) -> Array:
    if array.shape != shape:
        raise InputError(f"An operator for arrays of shape {shape} was given one of {array.shape}.")
    return np.ascontiguousarray(array, dtype=np.float32)
