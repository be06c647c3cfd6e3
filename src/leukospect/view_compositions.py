"""How view operators become one: stacked (counted apart), summed (counted together), or cropped to a detector."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from leukospect.errors import InputError
from leukospect.operators import ViewOperator

Array = NDArray[np.float32]


class StackedViews(ViewOperator):
    """Several operators on one image, their views one after another: data that were counted apart.

    Parameters
    ----------
    parts : sequence of ViewOperator
        Of one image shape and one view shape; their numbers of views may differ.
    """

    def __init__(self, parts: Sequence[ViewOperator]) -> None:
        _refuse_unlike(parts, [part.out_shape[1:] for part in parts])
        self.parts = tuple(parts)
        self._ends = np.cumsum([part.views for part in parts])
        self.in_shape = parts[0].in_shape
        self.out_shape = (int(self._ends[-1]), *parts[0].out_shape[1:])

    def _forward(self, x: Array) -> Array:
        return np.concatenate([part.forward(x) for part in self.parts])

    def _adjoint(self, y: Array) -> Array:
        pieces = np.split(y, self._ends[:-1])
        total = self.parts[0].adjoint(pieces[0])
        for part, piece in zip(self.parts[1:], pieces[1:], strict=True):
            total += part.adjoint(piece)
        return total

    def subset(self, views: NDArray[np.intp]) -> ViewOperator:
        """Return the operator of these views only; those of one part may not be interrupted by another's.

        Raises
        ------
        InputError
            They are.
        """
        owner = np.searchsorted(self._ends, views, side="right")
        runs = np.split(np.arange(views.size), np.flatnonzero(np.diff(owner)) + 1)
        owners = [int(owner[run[0]]) for run in runs if run.size]
        if len(set(owners)) < len(owners):
            raise InputError("A subset of stacked views must keep the views of each part together.")
        starts = self._ends - [part.views for part in self.parts]
        taken = [self.parts[p].subset(views[run] - starts[p]) for p, run in zip(owners, runs, strict=False)]
        if not taken:
            return self.parts[0].subset(views)
        return taken[0] if len(taken) == 1 else StackedViews(taken)


class SummedViews(ViewOperator):
    """Several operators on one image whose views are counted together: the sum of what each expects.

    Parameters
    ----------
    parts : sequence of ViewOperator
        Of one image shape and the same views.
    """

    def __init__(self, parts: Sequence[ViewOperator]) -> None:
        _refuse_unlike(parts, [part.out_shape for part in parts])
        self.parts = tuple(parts)
        self.in_shape, self.out_shape = parts[0].in_shape, parts[0].out_shape

    def _forward(self, x: Array) -> Array:
        return _added([part.forward(x) for part in self.parts])

    def _adjoint(self, y: Array) -> Array:
        return _added([part.adjoint(y) for part in self.parts])

    def subset(self, views: NDArray[np.intp]) -> SummedViews:
        """Return the operator of these views only."""
        return SummedViews([part.subset(views) for part in self.parts])


class CroppedColumns(ViewOperator):
    """What a detector sees of views that reach beyond it: their columns from `first` to before `stop`.

    Parameters
    ----------
    wide : ViewOperator
        Its views are (views, columns, slices).
    first, stop : int
        The columns of `wide` that were measured.
    """

    def __init__(self, wide: ViewOperator, first: int, stop: int) -> None:
        views, columns, slices = wide.out_shape
        if not 0 <= first < stop <= columns:
            raise InputError(f"Columns {first} to {stop} cannot be cut out of views of {columns} columns.")
        self.wide, self.first, self.stop = wide, first, stop
        self.in_shape, self.out_shape = wide.in_shape, (views, stop - first, slices)

    def _forward(self, x: Array) -> Array:
        return np.ascontiguousarray(self.wide.forward(x)[:, self.first : self.stop])

    def _adjoint(self, y: Array) -> Array:
        views = np.zeros(self.wide.out_shape, np.float32)
        views[:, self.first : self.stop] = y
        return self.wide.adjoint(views)

    def subset(self, views: NDArray[np.intp]) -> CroppedColumns:
        """Return the operator of these views only."""
        return CroppedColumns(self.wide.subset(views), self.first, self.stop)


def _refuse_unlike(parts: Sequence[ViewOperator], view_shapes: Sequence[tuple[int, ...]]) -> None:
    if not parts:
        raise InputError("Views of no operator cannot be put together.")
    if len({part.in_shape for part in parts}) > 1 or len(set(view_shapes)) > 1:
        shapes = "; ".join(f"{part.in_shape} to {part.out_shape}" for part in parts)
        raise InputError(f"Operators of unlike shapes ({shapes}) cannot be put together.")


def _added(arrays: Sequence[Array]) -> Array:
    total = arrays[0]
    for array in arrays[1:]:
        total = total + array
    return total
