"""A pattern that stays on the detector while the object turns: dead pixels and tubes, uncorrected non-uniformity.

Every place is compared with its neighbours in the same row, by a cubic through them, in groups of neighbouring views.
The object's features pass over it; a defect is there in nearly every group, and by the same part of the counts. How far
a feature moves grows with its distance from the axis of rotation, so near the axis only what is sharper than any image
can be told: that is looked for first, in all views together, and mended before the rest is compared. The rows are no
help: an object keeps to its rows as a defect does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter1d, uniform_filter1d

from leukospect.consistency.defect_lines import find_lines
from leukospect.consistency.findings import NonUniformity
from leukospect.consistency.sharp_defects import SharpDefect, find_dead_places, find_hot_pixels, find_weak_blocks
from leukospect.consistency.views import compared_counts, views_of_heads
from leukospect.data import Projections

Values = NDArray[np.float64]

_GROUPS = 12
_FEWEST_GROUPS = 6
_WIDEST_MM = 65.0
_SMALLEST = 0.15
_SMALLEST_OF_A_PIXEL = 0.2
_SIGMAS = 8.0
_SIGMAS_OF_MORE = 12.0  # hot features are many, and cold ones never as clear
_FEWEST_COUNTS = 30.0
_NOISE_SIGMAS = 3.0
_GROUP_SIGMAS = 2.5
_HOLDING = 0.1  # of the mean counts of the groups
_SHARE_OF_GROUPS = 0.85
_TIMES_SURROUNDINGS = 3.0
_LEAST_OF_THE_SIDES = 0.25
_MOST_UNEVEN = 0.3
_UNEVEN_GROUPS = 0.25
_BLUR_MM = 12.0
_MOST_UNSTEADY = 0.3
_NEARLY_DEAD = -0.85
_MOST_OF_A_HEAD = 5


@dataclass(frozen=True, slots=True, eq=False)
class _Squares:
    """How far the squares of one width deviate from what lies beside them: (rows, columns) arrays of their middles.

    `part` is relative to the expected counts, `sigma` its standard deviation; `rough` is how much each group
    deviates for itself, beyond noise (root mean square); `steady` tells where nearly all groups agree. Where nothing
    can be told `sigma` is inf.
    """

    width: int
    part: Values
    sigma: Values
    rough: Values
    steady: NDArray[np.bool_]


def find_non_uniformity(projections: Projections) -> tuple[NonUniformity, ...]:
    """Look for places of the detectors that count too much or too little in nearly all views.

    Parameters
    ----------
    projections : Projections

    Returns
    -------
    tuple of NonUniformity
        The clearest first, a few for each head at most; empty where nothing is wrong or nothing can be told.
    """
    counts = compared_counts(projections)
    found: list[NonUniformity] = []
    for head, views in enumerate(views_of_heads(projections), start=1):
        angles = np.unwrap(projections.orbit.angles_deg[views], period=360.0)
        number = min(_GROUPS, views.size // 2)
        if number < _FEWEST_GROUPS:
            continue
        groups = np.stack([counts[part].sum(axis=0) for part in np.array_split(views, number)])
        arc = min(360.0, float(abs(angles[-1] - angles[0])))
        offsets = projections.orbit.centre_offset_mm
        axis_mm = 0.0 if offsets is None else float(offsets[views].mean())
        found += _of_head(groups, arc, projections.pixel_mm, axis_mm, head)
    return tuple(found)


def _of_head(
    groups: Values, arc_deg: float, pixel_mm: tuple[float, float], axis_mm: float, head: int
) -> list[NonUniformity]:
    """Find the places of one head; `groups` is (groups, rows, columns) of counts."""
    columns = groups.shape[2]
    from_axis_mm = np.abs((np.arange(columns) - (columns - 1) / 2.0) * pixel_mm[1] - axis_mm)
    moving = from_axis_mm > _nearest_told_mm(pixel_mm[1], arc_deg)
    sharp, groups = _sharp_defects(groups, pixel_mm, moving)
    told = [_as_finding(defect, head) for defect in sharp]
    scales = [_squares(groups, width) for width in _widths(columns, pixel_mm)]
    scores = [_scores(squares) for squares in scales]
    found: list[NonUniformity] = []
    while scores and len(found) < _MOST_OF_A_HEAD:
        best = int(np.argmax([score.max() for score in scores]))
        squares, score = scales[best], scores[best]
        row, column = (int(n) for n in np.unravel_index(int(score.argmax()), score.shape))
        if score[row, column] <= 0:
            break
        row, column = _middle(squares, row, column)
        part, sigma = 100.0 * float(squares.part[row, column]), 100.0 * float(squares.sigma[row, column])
        # A feature near the axis of rotation may do the same; then its surroundings prove nothing either.
        passing = from_axis_mm[column] > _nearest_told_mm(squares.width * pixel_mm[1], arc_deg)
        if passing or squares.part[row, column] < _NEARLY_DEAD:
            found.append(NonUniformity(head, row + 1, column + 1, squares.width, squares.width, part, sigma))
        far = 3 * squares.width
        for other in scores:  # what lies beside it is compared with it, and would seem to deviate the other way
            other[max(0, row - far) : row + far + 1, max(0, column - far) : column + far + 1] = 0.0
    return told + found


def _sharp_defects(
    groups: Values, pixel_mm: tuple[float, float], moving: NDArray[np.bool_]
) -> tuple[list[SharpDefect], Values]:
    """Find what has sharp edges, and give the groups as they would be without it."""
    found: list[SharpDefect] = []

    def look(more: list[SharpDefect]) -> bool:
        nonlocal groups
        found.extend(more)
        groups = _without(groups, more)
        return bool(more)

    look(find_lines(groups, pixel_mm))
    look(find_hot_pixels(groups, pixel_mm, moving))
    look(find_dead_places(groups.sum(axis=0), pixel_mm))
    for _ in range(_MOST_OF_A_HEAD):
        if not look(find_weak_blocks(groups, pixel_mm)):
            break
    return found, groups


def _without(groups: Values, defects: list[SharpDefect]) -> Values:
    """Put straight lines between what lies on either side of each defect in its place."""
    if not defects:
        return groups
    mended = groups.copy()
    for defect in defects:
        down, across = defect.area
        if defect.columns == groups.shape[2]:
            steps = (np.arange(defect.rows) + 1.0)[None, :, None] / (defect.rows + 1.0)
            before, after = mended[:, down.start - 1, None, :], mended[:, down.stop, None, :]
        else:
            steps = (np.arange(defect.columns) + 1.0)[None, None, :] / (defect.columns + 1.0)
            before, after = mended[:, down, across.start - 1, None], mended[:, down, across.stop, None]
        mended[:, down, across] = before + steps * (after - before)
    return mended


def _as_finding(defect: SharpDefect, head: int) -> NonUniformity:
    row, column = defect.row + (defect.rows - 1) // 2 + 1, defect.column + (defect.columns - 1) // 2 + 1
    part, sigma = 100.0 * defect.part, 100.0 * defect.sigma
    return NonUniformity(head, row, column, defect.rows, defect.columns, part, sigma)


def _middle(squares: _Squares, row: int, column: int) -> tuple[int, int]:
    """Find where, by less than half a square, the deviation is largest: there the square covers the defect best."""
    half = squares.width // 2
    near = (slice(max(0, row - half), row + half + 1), slice(max(0, column - half), column + half + 1))
    alike = np.where(squares.steady[near], squares.part[near] * np.sign(squares.part[row, column]), 0.0)
    down, across = np.unravel_index(int(np.argmax(alike)), alike.shape)
    return near[0].start + int(down), near[1].start + int(across)


def _widths(columns: int, pixel_mm: tuple[float, float]) -> list[int]:
    """List the widths of squares to look at, in pixels, odd."""
    widest = min(int(_WIDEST_MM / max(pixel_mm)), columns // 6)
    # A square is compared with two squares on either side of it, so it needs five times its width.
    return [width for width in (1, 3, 5, 7, 9, 13) if width <= max(1, widest) and 5 * width <= columns]


def _squares(groups: Values, width: int) -> _Squares:
    """Compare every square with the two squares on either side of it, by a cubic through them."""
    rows, columns = groups.shape[1:]
    sums = uniform_filter1d(uniform_filter1d(groups, width, axis=1, mode="constant"), width, axis=2, mode="constant")
    sums = np.maximum(sums, 0.0) * width**2
    edge, half = 2 * width + width // 2, width // 2
    inner = slice(edge, columns - edge)

    def beside(steps: int) -> Values:
        return sums[:, :, edge + steps * width : columns - edge + steps * width]

    here, near, far = beside(0), beside(-1) + beside(1), beside(-2) + beside(2)
    expected = np.maximum((4.0 * near - far) / 6.0, 0.0)
    variance = here + (16.0 * near + far) / 36.0
    total = expected.sum(axis=0)
    # Where one side is nearly empty, a cubic through both tells nothing.
    sides = np.stack([beside(steps).sum(axis=0) for steps in (-2, -1, 1, 2)])
    told = (total > _FEWEST_COUNTS) & (sides.min(axis=0) > _LEAST_OF_THE_SIDES * sides.max(axis=0))
    # No object goes to nothing and back within a pixel, so a dead one is told anywhere.
    dead = (width == 1) & (here.sum(axis=0) < (1.0 + _NEARLY_DEAD) * total)
    told &= dead | _level(beside(-1), beside(1), expected)
    safe = np.where(told, total, 1.0)
    part = np.where(told, (here - expected).sum(axis=0) / safe, 0.0)
    # An object's features make the groups scatter more than counting does.
    scatter = ((here - (1.0 + part) * expected) ** 2 / np.maximum(variance, 1.0)).sum(axis=0) / (groups.shape[0] - 1)
    sigma = np.where(told, np.sqrt(variance.sum(axis=0) * np.maximum(scatter, 1.0)) / safe, np.inf)
    beyond = np.maximum(np.abs(here - expected) - _NOISE_SIGMAS * np.sqrt(variance), 0.0)
    rough = np.where(told, np.sqrt((beyond**2).mean(axis=0)) * groups.shape[0] / safe, 0.0)
    # A defect takes its part of whatever passes; features that only happen to agree scatter beyond counting.
    unsteady = np.maximum((here - (1.0 + part) * expected) ** 2 - variance, 0.0).mean(axis=0)
    steady = told & (np.sqrt(unsteady) * groups.shape[0] / safe < _MOST_UNSTEADY * np.maximum(np.abs(part), _SMALLEST))
    steady &= _agreeing(here - expected, expected, variance, part)

    def placed(values: NDArray[Any], unknown: float) -> NDArray[Any]:
        whole = np.full((rows, columns), unknown, values.dtype)
        whole[half : rows - half, inner] = values[half : rows - half]
        return whole

    return _Squares(width, placed(part, 0.0), placed(sigma, np.inf), placed(rough, 0.0), placed(steady, False))


def _level(left: Values, right: Values, expected: Values) -> NDArray[np.bool_]:
    """Tell where the object is about as hot on either side, in most groups: else it has an edge or a gap there."""
    holding = expected > _HOLDING * expected.mean(axis=0)
    uneven = np.abs(left - right) - 2.0 * np.sqrt(left + right) > _MOST_UNEVEN * (left + right)
    return np.asarray((uneven & holding).sum(axis=0) <= _UNEVEN_GROUPS * holding.sum(axis=0))


def _agreeing(difference: Values, expected: Values, variance: Values, part: Values) -> NDArray[np.bool_]:
    """Tell where the deviation is there in nearly all groups, and in every quarter of the views, that hold counts."""
    holding = expected > _HOLDING * expected.mean(axis=0)
    away = np.abs(difference - part * expected)
    agrees = away <= np.maximum(0.5 * np.abs(part) * expected, _GROUP_SIGMAS * np.sqrt(variance))
    number = holding.sum(axis=0)
    nearly_all = (agrees & holding).sum(axis=0) >= _SHARE_OF_GROUPS * number
    quarters = np.array_split(np.arange(expected.shape[0]), 4)
    there = np.stack([difference[part_of].sum(axis=0) for part_of in quarters])
    of = np.stack([expected[part_of].sum(axis=0) for part_of in quarters])
    told = of > _HOLDING * of.mean(axis=0)
    everywhere = (~told | (there * np.sign(part) > 0.5 * np.abs(part) * of)).all(axis=0) & (told.sum(axis=0) >= 3)
    return np.asarray((number >= _FEWEST_GROUPS) & nearly_all & everywhere)


def _nearest_told_mm(width_mm: float, arc_deg: float) -> float:
    """Give the distance from the axis beyond which no feature stays in one place for nearly all views of the arc."""
    moved = 1.0 - np.cos(np.deg2rad(_SHARE_OF_GROUPS * arc_deg / 2.0))
    return float((width_mm + _BLUR_MM) / max(moved, 1e-6))


def _scores(squares: _Squares) -> Values:
    """Give how many sigmas a place deviates, 0 where it proves nothing."""
    part, width = np.abs(squares.part), squares.width
    score = part / squares.sigma
    clear = (
        (part > (_SMALLEST_OF_A_PIXEL if width == 1 else _SMALLEST))
        & (score > np.where(squares.part > 0.0, _SIGMAS_OF_MORE, _SIGMAS))
        & squares.steady
    )
    # The outline of a round body deviates in every view as well, but goes on above or below; and where the groups above
    # and below deviate each in its way, an object's features are too many for the groups to tell.
    known = np.where(np.isfinite(squares.sigma), squares.sigma, 0.0)
    steady = _nearby(np.maximum(part - _NOISE_SIGMAS * known, 0.0), width)
    clear &= (part > _TIMES_SURROUNDINGS * steady) & (part > _nearby(squares.rough, width))
    clear[: 3 * width] = clear[part.shape[0] - 3 * width :] = False
    return np.where(clear, score, 0.0)


def _nearby(values: Values, width: int) -> Values:
    """Give the largest of the values above and below each place, beyond a defect that lies there."""
    across = maximum_filter1d(values, 4 * width + 1, axis=1, mode="constant")
    largest = np.zeros_like(across)
    for away in range((3 * width + 1) // 2, 3 * width + 1):
        largest[away:] = np.maximum(largest[away:], across[:-away])
        largest[:-away] = np.maximum(largest[:-away], across[away:])
    return largest
