"""Penalties of rough images, for reconstruction by penalised likelihood: they know voxels and no acquisition."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from leukospect.errors import InputError
from leukospect.kernels.relative_difference import add_costs, curvatures, slopes
from leukospect.support import Support
from leukospect.workers import Workers

Array = NDArray[np.float32]

_PLACES_A_TASK = 256


class Penalty(ABC):
    """A convex, differentiable function of an image that is never negative."""

    @abstractmethod
    def value(self, image: Array) -> float:
        """Give the penalty of an image."""

    @abstractmethod
    def gradient(self, image: Array) -> Array:
        """Give its derivative by each voxel."""

    @abstractmethod
    def curvature(self, image: Array) -> Array:
        """Give for each voxel a bound of the second derivatives: their matrix is nowhere above this diagonal."""


class RelativeDifferencePenalty(Penalty):
    """The relative difference prior: strength x sum over pairs of w (a - b)^2 / (a + b + gamma |a - b| + epsilon).

    Each of the 26 neighbours of a voxel is a pair with it, counted once, of weight w = h / distance x both voxels'
    gains, with h the smallest voxel spacing. Neighbours outside the support take no part.

    Parameters
    ----------
    support : Support
        Images are its runs (places, slices).
    spacing_mm : (slices, rows, columns)
        Distance between voxel centres.
    gain : (places, slices) array
        What a voxel's pairs weigh besides; zero leaves a voxel out.
    strength : float
    gamma : float
        How much less large differences, the edges, cost; 0 is a cost that grows as their square.
    epsilon : float
        In the image's unit: where values lie far below it, the penalty is quadratic.
    threads : int or None
        The result does not depend on it.

    Raises
    ------
    InputError
        A value is out of its range, or the gains do not fit the support.

    Notes
    -----
    Nuyts et al., IEEE Trans Nucl Sci 2002; 49:56. Where image and epsilon are multiplied by a factor, so is
    the penalty.
    """

    def __init__(
        self,
        support: Support,
        spacing_mm: tuple[float, float, float],
        gain: Array,
        *,
        strength: float,
        epsilon: float,
        gamma: float = 2.0,
        threads: int | None = None,
    ) -> None:
        if not (strength >= 0 and gamma >= 0 and epsilon > 0 and np.isfinite(strength + gamma + epsilon)):
            raise InputError(
                f"A relative difference penalty needs a strength and gamma of 0 or more and a positive epsilon; found "
                f"{strength:g}, {gamma:g} and {epsilon:g}."
            )
        if gain.ndim != 2 or gain.shape[0] != support.places or not np.all(np.isfinite(gain)) or gain.min() < 0:
            raise InputError(
                f"A penalty on {support.places} runs of voxels needs as many runs of gains of 0 or more; found "
                f"{gain.shape}."
            )
        self._workers = Workers(threads or os.cpu_count() or 1, gain.shape)
        self._gain = np.ascontiguousarray(gain, np.float32)
        self._neighbours = transverse_neighbours(support)
        self._weights = (strength * neighbour_weights(spacing_mm)).astype(np.float32)
        self._shape = np.float32(gamma), np.float32(epsilon)

    def value(self, image: Array) -> float:
        """Give the penalty of an image, each pair counted once."""
        sums = np.zeros(self._gain.shape[0])
        self._each_task(add_costs, image, sums)
        return 0.5 * float(np.sum(sums))

    def gradient(self, image: Array) -> Array:
        """Give its derivative by each voxel."""
        slope = np.empty_like(self._gain)
        self._each_task(slopes, image, slope)
        return slope

    def curvature(self, image: Array) -> Array:
        """Give the sum of the absolute second derivatives of each voxel's row; its diagonal bounds their matrix."""
        bound = np.empty_like(self._gain)
        self._each_task(curvatures, image, bound)
        return bound

    def _each_task(self, kernel: Callable[..., None], image: Array, result: NDArray[Any]) -> None:
        if image.shape != self._gain.shape:
            raise InputError(f"A penalty on images of shape {self._gain.shape} was given one of {image.shape}.")
        runs = np.ascontiguousarray(image, np.float32)
        places = runs.shape[0]

        def some(tasks: range) -> None:
            for task in tasks:
                first, last = task * _PLACES_A_TASK, min((task + 1) * _PLACES_A_TASK, places)
                kernel(runs, self._gain, self._neighbours, self._weights, *self._shape, first, last, result)

        self._workers.share(some, -(-places // _PLACES_A_TASK))


def transverse_neighbours(support: Support) -> NDArray[np.int32]:
    """List for each place those one row and one column around, (places, 9), itself in the middle; -1 where none is."""
    around = np.pad(support.number, 1, constant_values=-1)
    rows, columns = support.mask.shape
    shifted = [around[j : j + rows, i : i + columns][support.mask] for j in range(3) for i in range(3)]
    return np.ascontiguousarray(np.stack(shifted, axis=1), np.int32)


def neighbour_weights(spacing_mm: tuple[float, float, float]) -> NDArray[np.float64]:
    """Give the smallest spacing over the distance of each of 26 neighbours: (9, 3), zero for the voxel itself.

    The first axis runs over rows, then columns, as in `transverse_neighbours`; the second over slices.
    """
    if min(spacing_mm) <= 0 or not np.all(np.isfinite(spacing_mm)):
        raise InputError(f"The spacing of voxels must be positive; found {spacing_mm} mm.")
    slices, rows, columns = (np.array([-1.0, 0.0, 1.0]) * step for step in spacing_mm)
    distance = np.sqrt(rows[:, None, None] ** 2 + columns[None, :, None] ** 2 + slices[None, None, :] ** 2)
    distance[1, 1, 1] = np.inf
    return (min(spacing_mm) / distance).reshape(9, 3)
