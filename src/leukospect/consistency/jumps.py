"""Sudden changes in what otherwise goes slowly from view to view: steps that persist, excursions that return.

Around each view the quantity is a parabola, plus a step or an excursion of a few views (weighted least squares). A
change counts only if it stands out threefold: from counting statistics, from how rough the quantity is nearby, and by a
smallest size that matters.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]

REACH = 5
_LONGEST_EXCURSION = 3
_MOST_JUMPS = 6
_SIGMAS = 5.0
_TIMES_ROUGHNESS = 2.5


@dataclass(frozen=True, slots=True)
class Jump:
    """A change from `first` on, up to and without `end`; the views after it are as before, or there are none.

    Parameters
    ----------
    first, end : int
        Indices into the sequence; `end` is its length for a step.
    size, sigma : float
        Change and its standard deviation, in the quantity's unit.
    """

    first: int
    end: int
    size: float
    sigma: float


@dataclass(frozen=True, slots=True, eq=False)
class _Fits:
    """Every possible jump of one sequence: its size is `lever` times the sequence.

    Parameters
    ----------
    lever : (jumps, views) array
    variance : (jumps,) array
        inf where the views near by cannot tell.
    """

    lever: Values
    variance: Values


def find_jumps(positions: Sequence[Values], sigmas: Sequence[Values], smallest: float) -> list[Jump]:
    """Find the jumps that several sequences have in common.

    Parameters
    ----------
    positions : sequence of (views,) arrays
        One a head; all of one length, of views taken at the same times.
    sigmas : sequence of (views,) arrays
        Standard deviations; inf for a view that tells nothing.
    smallest : float
        Smallest jump that matters.

    Returns
    -------
    list of Jump
        In the order of the views.
    """
    views = positions[0].size
    shapes = _shapes(views)
    if not shapes:
        return []
    left = list(positions)
    fits = [_fits(sigma, shapes) for sigma in sigmas]
    found: list[Jump] = []
    for _ in range(_MOST_JUMPS):
        jump = _clearest(shapes, *_combined(left, fits), smallest)
        if jump is None:
            break
        found.append(jump)
        left = [without_jumps(sequence, [jump]) for sequence in left]
    remaining, _ = _combined(left, fits)
    rough = [_roughness(shapes, remaining, jump, views) for jump in found]
    kept = [jump for jump, limit in zip(found, rough, strict=True) if abs(jump.size) > _TIMES_ROUGHNESS * limit]
    return sorted(kept, key=lambda jump: jump.first)


def size_of_jump(position: Values, sigma: Values, jump: Jump) -> tuple[float, float]:
    """Fit a jump's own place in one sequence: (size, standard deviation), inf where it cannot be told."""
    fits = _fits(sigma, ((jump.first, jump.end),))
    return float(fits.lever[0] @ position), float(np.sqrt(fits.variance[0]))


def without_jumps(position: Values, jumps: Sequence[Jump]) -> Values:
    """Take jumps off a sequence."""
    left = position.astype(np.float64)
    for jump in jumps:
        left[jump.first : jump.end] -= jump.size
    return left


def _shapes(views: int) -> tuple[tuple[int, int], ...]:
    """List the jumps that have two views before and, for a step, two after."""
    steps = [(first, views) for first in range(2, views - 1)]
    excursions = [
        (first, first + length) for length in range(1, _LONGEST_EXCURSION + 1) for first in range(2, views - length - 1)
    ]
    return tuple(steps + excursions)


def _fits(sigma: Values, shapes: tuple[tuple[int, int], ...]) -> _Fits:
    """Fit each jump with a parabola on the views near it, by weighted least squares."""
    views = sigma.size
    known = np.isfinite(sigma) & (sigma > 0)
    weights = np.where(known, 1.0 / np.where(known, sigma, 1.0) ** 2, 0.0)
    lever, variance = np.zeros((len(shapes), views)), np.full(len(shapes), np.inf)
    for n, (first, end) in enumerate(shapes):
        middle = first if end == views else (first + end) // 2
        near = np.arange(max(0, middle - REACH), min(views, middle + REACH + (end != views)))
        inside = (near >= first) & (near < end)
        weight = weights[near]
        if np.count_nonzero(weight) < 5 or not weight[inside].any():
            continue
        root, t = np.sqrt(weight), (near - middle) / REACH
        basis, _ = np.linalg.qr(root[:, None] * np.stack([np.ones_like(t), t, t * t], axis=1))
        own = root * inside
        own = own - basis @ (basis.T @ own)
        information = float(own @ own)
        if information > 1e-6 * float(weight.max()):
            lever[n, near], variance[n] = own * root / information, 1.0 / information
    return _Fits(lever, variance)


def _combined(positions: Sequence[Values], fits: Sequence[_Fits]) -> tuple[Values, Values]:
    """Weigh the sequences' jumps together: (size, standard deviation) of each."""
    weight = np.sum([1.0 / fit.variance for fit in fits], axis=0)
    told = np.where(weight > 0, weight, 1.0)
    size = np.sum([fit.lever @ x / fit.variance for x, fit in zip(positions, fits, strict=True)], axis=0) / told
    return size, np.where(weight > 0, 1.0 / np.sqrt(told), np.inf)


def _clearest(shapes: tuple[tuple[int, int], ...], size: Values, sigma: Values, smallest: float) -> Jump | None:
    score = np.where(np.abs(size) > smallest, np.abs(size) / sigma, 0.0)
    best = int(np.argmax(score))
    if score[best] <= _SIGMAS:
        return None
    return Jump(*shapes[best], float(size[best]), float(sigma[best]))


def _roughness(shapes: tuple[tuple[int, int], ...], remaining: Values, jump: Jump, views: int) -> float:
    """Give the largest jump of the same kind that is left nearby; statistics alone leave about twice their sigma."""
    length = None if jump.end == views else jump.end - jump.first
    near = [
        abs(float(size))
        for (first, end), size in zip(shapes, remaining, strict=True)
        if abs(first - jump.first) <= 2 * REACH and (end == views if length is None else end - first == length)
    ]
    return max(near, default=0.0)
