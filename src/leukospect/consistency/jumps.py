"""Sudden changes in what otherwise goes slowly from view to view: steps that persist, excursions that return.

Around each view the quantity is a parabola, plus a step or an excursion of a few views (weighted least squares). A
change counts only if it stands out in every way: from counting statistics, by a smallest size that matters, from how
rough the quantity is nearby, and between the very views where it is said to be: a bend is no jump.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]

_REACH_DEG = 30.0
_REACH_VIEWS = (3, 5)
_SHARP_VIEWS = 2
_SHARP_SIGMAS = 2.0
_SHARP_SHARE = 0.5
_TIMES_DIFFERENCE = 3.0
_NOISE_SIGMAS = 3.0
_LONGEST_EXCURSION = 6
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


def reach_views(step_deg: float) -> int:
    """Tell how many views before and after a jump go like a parabola."""
    least, most = _REACH_VIEWS
    return int(np.clip(round(_REACH_DEG / max(abs(step_deg), 0.1)), least, most))


def find_jumps(positions: Sequence[Values], sigmas: Sequence[Values], smallest: float, reach: int) -> list[Jump]:
    """Find the jumps that several sequences have in common.

    Parameters
    ----------
    positions : sequence of (views,) arrays
        One a head; all of one length, of views taken at the same times.
    sigmas : sequence of (views,) arrays
        Standard deviations; inf for a view that tells nothing.
    smallest : float
        Smallest jump that matters.
    reach : int
        How many views before and after a jump are looked at.

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
    fits = [_fits(sigma, shapes, reach, 2) for sigma in sigmas]
    found: list[Jump] = []
    for _ in range(_MOST_JUMPS):
        jump = _clearest(shapes, *_combined(left, fits), smallest)
        if jump is None:
            break
        found.append(jump)
        left = [without_jumps(sequence, [jump]) for sequence in left]
    remaining, _ = _combined(left, fits)
    kept = [
        jump
        for jump in found
        if abs(jump.size) > _TIMES_ROUGHNESS * _roughness(shapes, remaining, jump, views, reach)
        and _exceeds_differences(positions, sigmas, jump, reach)
        and _is_sharp([without_jumps(x, [j for j in found if j is not jump]) for x in positions], sigmas, jump)
    ]
    return sorted(kept, key=lambda jump: jump.first)


def _is_sharp(positions: Sequence[Values], sigmas: Sequence[Values], jump: Jump) -> bool:
    """Tell whether the views next to a jump, on a straight line but for it, show it as well."""
    views = positions[0].size
    if jump.end == views or jump.end - jump.first < _SHARP_VIEWS:
        edges = [((jump.first, jump.end), jump.size)]
    else:
        edges = [((jump.first, views), jump.size), ((jump.end, views), -jump.size)]
    for edge, expected in edges:
        fits = [_fits(sigma, (edge,), _SHARP_VIEWS, 1) for sigma in sigmas]
        size, sigma = _combined(positions, fits)
        if abs(size[0] - expected) >= max(_SHARP_SHARE * abs(expected), _SHARP_SIGMAS * float(sigma[0])):
            return False
    return True


def _exceeds_differences(positions: Sequence[Values], sigmas: Sequence[Values], jump: Jump, reach: int) -> bool:
    """Tell whether a jump is far larger than the other differences, noise apart, between the views near it."""
    weights = np.array([1.0 / (sigma[1:] ** 2 + sigma[:-1] ** 2) for sigma in sigmas])
    told = weights.sum(axis=0)
    safe = np.where(told > 0, told, 1.0)
    differences = np.abs((weights * np.array([np.diff(position) for position in positions])).sum(axis=0)) / safe
    beyond = np.where(told > 0, np.maximum(differences - _NOISE_SIGMAS / np.sqrt(safe), 0.0), 0.0)
    numbers = np.arange(beyond.size) + 1  # of the later view
    near = (numbers >= jump.first - reach) & (numbers <= min(jump.end, jump.first + 2 * reach) + reach)
    others = beyond[near & (numbers != jump.first) & (numbers != jump.end)]
    return bool(abs(jump.size) > _TIMES_DIFFERENCE * others.max(initial=0.0))


def size_of_jump(position: Values, sigma: Values, jump: Jump, reach: int) -> tuple[float, float]:
    """Fit a jump's own place in one sequence: (size, standard deviation), inf where it cannot be told."""
    fits = _fits(sigma, ((jump.first, jump.end),), reach, 2)
    return float(fits.lever[0] @ position), float(np.sqrt(fits.variance[0]))


def without_jumps(position: Values, jumps: Sequence[Jump]) -> Values:
    """Take jumps off a sequence."""
    left = position.astype(np.float64)
    for jump in jumps:
        left[jump.first : jump.end] -= jump.size
    return left


def _shapes(views: int) -> tuple[tuple[int, int], ...]:
    """List the jumps: steps between any two views, and excursions with two views on either side."""
    steps = [(first, views) for first in range(1, views)]
    excursions = [
        (first, first + length) for length in range(1, _LONGEST_EXCURSION + 1) for first in range(2, views - length - 1)
    ]
    return tuple(steps + excursions)


def _fits(sigma: Values, shapes: tuple[tuple[int, int], ...], reach: int, degree: int) -> _Fits:
    """Fit each jump with a polynomial on the views near it, by weighted least squares."""
    views = sigma.size
    known = np.isfinite(sigma) & (sigma > 0)
    weights = np.where(known, 1.0 / np.where(known, sigma, 1.0) ** 2, 0.0)
    lever, variance = np.zeros((len(shapes), views)), np.full(len(shapes), np.inf)
    for n, (first, end) in enumerate(shapes):
        near = np.arange(max(0, first - reach), min(views, (first if end == views else end) + reach))
        inside = (near >= first) & (near < end)
        weight = weights[near]
        if np.count_nonzero(weight) < degree + 2 or not weight[inside].any():
            continue
        root, t = np.sqrt(weight), (near - first) / reach
        basis, _ = np.linalg.qr(root[:, None] * t[:, None] ** np.arange(degree + 1))
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
    score[score <= _SIGMAS] = 0.0
    # Noise can make a step look like an excursion that ends there: an excursion has to be clearer by a sigma.
    score -= [0.0 if end == shapes[0][1] else 1.0 for _, end in shapes]
    best = int(np.argmax(score))
    if score[best] <= 0.0:
        return None
    return Jump(*shapes[best], float(size[best]), float(sigma[best]))


def _roughness(shapes: tuple[tuple[int, int], ...], remaining: Values, jump: Jump, views: int, reach: int) -> float:
    """Give the largest jump of the same kind that is left nearby; statistics alone leave about twice their sigma."""
    length = None if jump.end == views else jump.end - jump.first
    near = [
        abs(float(size))
        for (first, end), size in zip(shapes, remaining, strict=True)
        if abs(first - jump.first) <= 2 * reach and (end == views if length is None else end - first == length)
    ]
    return max(near, default=0.0)
