"""OSEM and its kin: they take operators and know no files.

Every method works in float32, never gives a negative value or one that is not finite, and gives zero where no view
sees a voxel.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from leukospect.errors import InputError
from leukospect.kernels.expectation_maximisation import divide_by_expected, invert_where_seen, multiply_where_seen
from leukospect.operators import ViewOperator

Array = NDArray[np.float32]


def subset_views(angles_deg: NDArray[np.float64], subsets: int) -> tuple[NDArray[np.intp], ...]:
    """Divide views into subsets of equally spread angles, in an order that keeps successive ones far apart.

    Parameters
    ----------
    angles_deg : (views,) array
        Sorted here by angle, so that the heads of a camera are mixed as they look.
    subsets : int
        At most the number of views; where it does not divide them, some subsets hold one view more.

    Returns
    -------
    tuple of index arrays, in the order of use

    Raises
    ------
    InputError
        There are fewer views than subsets, or fewer than one subset.
    """
    views = angles_deg.size
    if not 1 <= subsets <= views:
        raise InputError(f"{views} views cannot be divided into {subsets} subsets; choose --subsets from 1 to {views}.")
    by_angle = np.argsort(np.mod(angles_deg, 360.0), kind="stable")
    return tuple(by_angle[first::subsets] for first in _spread_order(subsets))


def _spread_order(n: int) -> list[int]:
    """Order 0 to n - 1 by steps near the golden section that share no factor with n."""
    step = max(1, round(n * 0.381966))
    while np.gcd(step, n) != 1:
        step += 1
    return [int(i * step % n) for i in range(n)]


@dataclass(frozen=True, slots=True, eq=False)
class OrderedSubsets:
    """The model divided into subsets, with their sensitivity images; made once and used for many reconstructions.

    Parameters
    ----------
    operators : tuple of ViewOperator
    views : tuple of index arrays
    inverse_sensitivities : tuple of arrays
        1 / A_s' 1, zero where A_s' 1 is zero: the subset then leaves the voxel as it is.
    counts_of_ones : float
        What the model expects of an image of ones in all views: the sum of A' 1.
    """

    operators: tuple[ViewOperator, ...]
    views: tuple[NDArray[np.intp], ...]
    inverse_sensitivities: tuple[Array, ...]
    counts_of_ones: float


def prepare_subsets(
    model: ViewOperator,
    views: tuple[NDArray[np.intp], ...],
    progress: Callable[[float], None] | None = None,
) -> OrderedSubsets:
    """Take the subsets of a model and compute their sensitivity images.

    Parameters
    ----------
    model : ViewOperator
    views : tuple of index arrays
    progress : function of the fraction done, or None

    Raises
    ------
    InputError
        There is no subset, or one without a view.
    """
    if not views or any(indices.size == 0 for indices in views):
        raise InputError("Every subset needs at least one view, and there must be a subset.")
    operators, inverses, total = [], [], 0.0
    for number, indices in enumerate(views):
        operator = model.subset(indices)
        sensitivity = np.ascontiguousarray(operator.adjoint(np.ones(operator.out_shape, np.float32)))
        # A voxel that is hardly seen would be divided by almost nothing.
        total += invert_where_seen(sensitivity.reshape(-1), np.float32(1e-4) * sensitivity.max())
        inverses.append(sensitivity)
        operators.append(operator)
        if progress:
            progress((number + 1) / len(views))
    return OrderedSubsets(tuple(operators), views, tuple(inverses), total)


def osem(
    subsets: OrderedSubsets,
    counts: Array,
    scatter: Array | None = None,
    *,
    iterations: int = 5,
    start: Array | None = None,
    progress: Callable[[float], None] | None = None,
) -> Array:
    """Reconstruct by ordered-subset expectation maximisation: x <- x / (A_s' 1) A_s'( y_s / (A_s x + s_s) ).

    Parameters
    ----------
    subsets : OrderedSubsets
    counts : array of the model's output shape
        Measured counts, never corrected.
    scatter : array of the same shape, or None
        Expected scatter counts, added in the forward model.
    iterations : int
        Passes over all subsets.
    start : array of the model's input shape, or None
        None starts from a uniform image with as many counts as were measured.
    progress : function of the fraction done, or None

    Returns
    -------
    array of the model's input shape

    Raises
    ------
    InputError
        Counts or scatter are of another shape, negative or not finite.

    Notes
    -----
    Hudson and Larkin, IEEE Trans Med Imaging 1994; 13:601.
    """
    if iterations < 1:
        raise InputError(f"OSEM needs at least one iteration; found {iterations}.")
    _check_counts("counts", counts, subsets)
    if scatter is not None:
        _check_counts("scatter", scatter, subsets)
    image = _uniform_start(subsets, counts, scatter) if start is None else seen(subsets) * start
    image = np.ascontiguousarray(image, np.float32)
    updates = iterations * len(subsets.operators)
    for update in range(updates):
        _update(subsets, update % len(subsets.operators), counts, scatter, image)
        if progress:
            progress((update + 1) / updates)
    return image


def _update(subsets: OrderedSubsets, s: int, counts: Array, scatter: Array | None, image: Array) -> None:
    """Take one subset's step, in place."""
    indices, operator = subsets.views[s], subsets.operators[s]
    # A subset without counts, as one lost view can be, would empty the image for good.
    if not any(counts[view].any() for view in indices) and counts.any():
        return
    ratio = np.ascontiguousarray(operator.forward(image))  # divided in place below, which a view's copy would not be
    least = _least(ratio)
    none = np.zeros(0, np.float32)
    for expected, view in zip(ratio.reshape(indices.size, -1), indices, strict=True):
        scattered = none if scatter is None else _flat(scatter[view])
        divide_by_expected(_flat(counts[view]), scattered, least, expected)
    sums = operator.adjoint(ratio)
    multiply_where_seen(image.reshape(-1), sums.reshape(-1), subsets.inverse_sensitivities[s].reshape(-1))


def _flat(view: Array) -> Array:
    return np.ravel(view).astype(np.float32, copy=False)


def seen(subsets: OrderedSubsets) -> Array:
    """Give 1 where any subset sees a voxel, 0 elsewhere, in the image's shape."""
    found = np.zeros(subsets.operators[0].in_shape, np.float32)
    for inverse in subsets.inverse_sensitivities:
        found[inverse > 0] = 1.0
    return found


def _check_counts(name: str, array: Array, subsets: OrderedSubsets) -> None:
    shape = (sum(indices.size for indices in subsets.views), *subsets.operators[0].out_shape[1:])
    if array.shape != shape:
        raise InputError(f"OSEM needs {name} of shape {shape} (views, columns, slices); found {array.shape}.")
    if not np.all(np.isfinite(array)) or float(array.min(initial=0.0)) < 0:
        raise InputError(f"OSEM needs {name} that are finite and not negative.")


def _least(expected: Array) -> np.float32:
    """Give the expected counts below which a bin is taken as unseen: rounding, not signal."""
    return np.float32(max(1e-10 * float(expected.max(initial=0.0)), 1e-30))


def _uniform_start(subsets: OrderedSubsets, counts: Array, scatter: Array | None) -> Array:
    """Make a uniform image, within the support, that explains the total of the counts."""
    expected = subsets.counts_of_ones
    measured = float(counts.sum(dtype=np.float64)) - (0.0 if scatter is None else float(scatter.sum(dtype=np.float64)))
    level = max(measured, 0.1 * float(counts.sum(dtype=np.float64))) / expected if expected > 0 else 0.0
    return seen(subsets) * np.float32(level)


def poisson_log_likelihood(counts: Array, expected: Array) -> float:
    """Give the Poisson log-likelihood of counts for their expectation, without the term that only depends on counts."""
    mean = np.maximum(expected.astype(np.float64), 1e-12)
    return float(np.sum(counts * np.log(mean) - mean, dtype=np.float64))
