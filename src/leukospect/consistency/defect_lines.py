"""Rows and columns of a detector that count too little or too much all along."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from leukospect.consistency.sharp_defects import SharpDefect, is_coarse

Values = NDArray[np.float64]

_MOST_LINES = 4
_FEWEST_COUNTS = 200.0
_SMALLEST = 0.12
_SIGMAS = 8.0
_NEARLY_DEAD = -0.95
_MOST_UNEVEN = 0.3
_EACH_SIDE = 0.6
_CHUNKS = 8
_CHUNK_SIGMAS = 2.5
_NEXT_DEVIATES = 0.25  # of what the line does; the blur of an object makes it a third and more
_MOST_OF_A_HEAD = 4


def find_lines(groups: Values, pixel_mm: tuple[float, float]) -> list[SharpDefect]:
    """Find whole rows and columns that deviate from those on both sides, in all groups and all along.

    Parameters
    ----------
    groups : (groups, rows, columns) array
        Counts of one head in neighbouring views.
    pixel_mm : (between rows, between columns)
    """
    coarse = is_coarse(pixel_mm)
    rows, columns = groups.shape[1:]
    found = [SharpDefect(first, 0, width, columns, part, sigma) for first, width, part, sigma in _rows(groups, coarse)]
    across = np.swapaxes(groups, 1, 2)
    return found + [
        SharpDefect(0, first, rows, width, part, sigma) for first, width, part, sigma in _rows(across, coarse)
    ]


def _rows(groups: Values, coarse: bool) -> list[tuple[int, int, float, float]]:
    """List first row, number of rows, part and its sigma."""
    total = groups.sum(axis=0)
    profile = total.sum(axis=1)
    candidates = []
    for width in range(1, _MOST_LINES + 1):
        for first in range(3, profile.size - width - 2):
            told = _of_profile(profile, first, width)
            # Several lines, or one as wide as an object's gap, are told where they count nothing.
            if told is not None and told[0] > _NEARLY_DEAD and (coarse or width > 1):
                continue
            if told is not None and _all_along(groups, first, width, told[0]):
                candidates.append((abs(told[0]) / told[1] * np.sqrt(width), first, width, *told))
    found: list[tuple[int, int, float, float]] = []
    for _, first, width, part, sigma in sorted(candidates, reverse=True):
        if all(first > other + number + 2 or first + width + 2 < other for other, number, _, _ in found):
            found.append((first, width, part, sigma))
    return found if len(found) <= _MOST_OF_A_HEAD else []


def _of_profile(profile: Values, first: int, width: int) -> tuple[float, float] | None:
    """Give the part by which rows deviate, and its sigma; None where the object may do it."""
    near = profile[[first - 1, first + width]]
    far = profile[[first - 2, first + width + 1]]
    farther = profile[[first - 3, first + width + 2]]
    inside = profile[first : first + width]
    if min(near.min(), far.min(), farther.min()) < _FEWEST_COUNTS or abs(near[0] - near[1]) > _MOST_UNEVEN * near.sum():
        return None
    expected = max(1.0, float(near.mean() + (near.mean() - far.mean()) / 3.0))
    parts = inside / expected - 1.0
    part, sigma = float(parts.mean()), float(np.sqrt(inside.mean() / width + expected) / expected)
    if abs(part) < max(_SMALLEST, _SIGMAS * sigma) or np.any(np.abs(parts - part) > 0.3 * abs(part) + 4.0 * sigma):
        return None
    both = (inside.mean() / np.maximum(near, 1.0) - 1.0) * np.sign(part)
    if both.min() < _EACH_SIDE * abs(part):  # the line beside a defect deviates from it, but from nothing else
        return None
    # Were it the object, the next rows would fall short as well of what those beyond let expect.
    next_part = float(near.mean() / max(1.0, float(far.mean() + (far.mean() - farther.mean()) / 2.0)) - 1.0)
    if next_part * np.sign(part) + 2.0 * sigma > _NEXT_DEVIATES * abs(part):
        return None
    return part, sigma


def _all_along(groups: Values, first: int, width: int, part: float) -> bool:
    """Tell whether the rows deviate alike in all stretches of columns, and in all quarters of the views."""
    near = 0.5 * (groups[:, first - 1] + groups[:, first + width])
    inside = groups[:, first : first + width].mean(axis=1)
    # Not by the counts: a few hot spots would fill all stretches.
    cumulated = np.cumsum(np.sqrt(near.sum(axis=0)))
    chunk = np.minimum((_CHUNKS * cumulated / cumulated[-1]).astype(int), _CHUNKS - 1)
    stretches = [(inside[:, chunk == n].sum(), near[:, chunk == n].sum()) for n in range(_CHUNKS)]
    quarters = [(i.sum(), n.sum()) for i, n in zip(np.array_split(inside, 4), np.array_split(near, 4), strict=True)]
    for here, expected in [*stretches, *quarters]:
        away = abs(here - (1.0 + part) * expected)
        if away > max(0.5 * abs(part) * expected, _CHUNK_SIGMAS * np.sqrt(here / width + 0.5 * expected + 1.0)):
            return False
    return True
