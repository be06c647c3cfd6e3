"""Defects of a detector with edges sharper than any image: dead pixels and blocks, hot pixels, weak blocks.

What an object does is blurred by the collimator, so a single pixel cannot go to nothing, or stand out, while the pixels
around it do not notice. The sum of all views shows this best, and needs no motion of the object's features: it
holds on the axis of rotation as well.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation, binary_fill_holes, find_objects, grey_closing, label, uniform_filter
from scipy.special import erf, pdtr

Values = NDArray[np.float64]
Mask = NDArray[np.bool_]

_SHARPEST_MM = 7.0  # FWHM: no parallel-hole collimator at the distance of a body does better
_WIDEST_DEAD_MM = 80.0
_DEAD = 0.05
_DEAD_OF_COARSE = 0.01  # points between which there is nothing leave pixels this large nearly empty
_COARSE = 0.65  # of an edge's step: pixels of about 5.5 mm
_BRIGHT = 0.5
_BRIGHT_RING = 0.8
_LEAST_COUNTED_RING = 0.5
_FEWEST_EXPECTED = 20.0
_UNLIKELY = 1e-9
_FEWEST_OF_A_HOT_PIXEL = 60.0
_SIGMAS = 6.0
_GROUP_SIGMAS = 2.5
_SHARE_OF_GROUPS = 0.85
_HOT_ANYWHERE = 2.0
_WIDEST_WEAK = 11
_SMALLEST_WEAK = 0.2
_WEAK_SIGMAS = 10.0
_SHARP_SIGMAS = 3.0
_BEYOND_BLUR = 0.5
_MOST_UNEVEN_SIDES = 0.35
_MOST_OF_A_KIND = 10  # told of one head; the largest stand for the others
_TRIES = 5
_HOLDING = 0.1  # of the mean counts of the groups


@dataclass(frozen=True, slots=True)
class SharpDefect:
    """A rectangle of a detector, rows and columns from 0, and by which part of the expected counts it deviates."""

    row: int
    column: int
    rows: int
    columns: int
    part: float
    sigma: float

    @property
    def area(self) -> tuple[slice, slice]:
        """Where it lies in a view."""
        return slice(self.row, self.row + self.rows), slice(self.column, self.column + self.columns)


def find_dead_places(total: Values, pixel_mm: tuple[float, float]) -> list[SharpDefect]:
    """Find pixels and blocks that count nothing while what is next to them does.

    Parameters
    ----------
    total : (rows, columns) array
        Counts of one head, all views summed.
    pixel_mm : (between rows, between columns)
    """
    size = tuple(2 * (int(_WIDEST_DEAD_MM / mm) // 2) + 1 for mm in pixel_mm)
    pad = max(size)
    # Only what is narrower than the square is filled: holes and notches, but not what lies outside a body.
    level = grey_closing(np.pad(total, pad, mode="constant"), size=size)[pad:-pad, pad:-pad]
    dark = _DEAD_OF_COARSE if is_coarse(pixel_mm) else _DEAD
    dead = (total <= dark * level) & (level >= _FEWEST_EXPECTED)
    numbers, _ = label(dead)
    found = []
    for number, box in enumerate(find_objects(numbers), start=1):
        defect = _dead_place(total, level, numbers, number, box)
        if defect is not None:
            found.append(defect)
    return sorted(found, key=lambda one: -one.rows * one.columns)[:_MOST_OF_A_KIND]


def _dead_place(
    total: Values, level: Values, numbers: NDArray[np.integer[Any]], number: int, box: tuple[slice, ...]
) -> SharpDefect | None:
    """Tell whether a dark place has sharp edges all around."""
    down, across = box[0], box[1]
    if min(down.start, across.start) == 0 or down.stop == total.shape[0] or across.stop == total.shape[1]:
        return None
    around = (slice(down.start - 1, down.stop + 1), slice(across.start - 1, across.stop + 1))
    inside = binary_fill_holes(numbers[around] == number)
    ring = binary_dilation(inside, np.ones((3, 3), dtype=np.bool_)) & ~inside
    counted = ring & (level[around] >= _FEWEST_EXPECTED)
    bright = total[around][counted] > _BRIGHT * level[around][counted]
    if counted.sum() < _LEAST_COUNTED_RING * ring.sum() or bright.mean() < _BRIGHT_RING:
        return None
    each = min(float(total[around][ring].mean()), float(level[around][inside].mean()))
    expected, here = each * float(inside.sum()), float(total[around][inside].sum())
    if each < _FEWEST_EXPECTED or pdtr(here, _BRIGHT * expected) > _UNLIKELY ** (0.5 if inside.sum() == 1 else 1.0):
        return None
    part, sigma = here / expected - 1.0, np.sqrt(here + 1.0) / expected
    rows, columns = down.stop - down.start, across.stop - across.start
    return SharpDefect(down.start, across.start, rows, columns, part, float(sigma))


def find_hot_pixels(groups: Values, pixel_mm: tuple[float, float], moving: Mask) -> list[SharpDefect]:
    """Find single pixels that count more than the blur of any object allows.

    Parameters
    ----------
    groups : (groups, rows, columns) array
        Counts of one head in neighbouring views.
    pixel_mm : (between rows, between columns)
    moving : (columns,) array
        Where no feature of an object stays in one pixel for nearly all views.
    """
    above, below, left, right = groups[:, :-2, 1:-1], groups[:, 2:, 1:-1], groups[:, 1:-1, :-2], groups[:, 1:-1, 2:]
    beside = np.maximum(0.5 * (above + below), 0.5 * (left + right))
    here = groups[:, 1:-1, 1:-1]
    total, near = here.sum(axis=0), beside.sum(axis=0)
    times = np.where(moving[1:-1], _HOT_ANYWHERE, max(_HOT_ANYWHERE, _peak_to_next(max(pixel_mm))))
    clear = (total > _FEWEST_OF_A_HOT_PIXEL) & (total - times * near > _SIGMAS * np.sqrt(total + times**2 * near))
    found = []
    for row, column in np.argwhere(clear):
        more = here[:, row, column] - beside[:, row, column]
        away = 0.5 * more.mean() - more
        noise = np.sqrt(here[:, row, column] + beside[:, row, column] + 1.0)
        if (away <= _GROUP_SIGMAS * noise).mean() >= _SHARE_OF_GROUPS:
            expected = max(float(near[row, column]), 1.0)
            part = float(total[row, column]) / expected - 1.0
            sigma = (1.0 + part) * float(np.sqrt(1.0 / total[row, column] + 0.25 / expected))
            found.append(SharpDefect(int(row) + 1, int(column) + 1, 1, 1, part, sigma))
    return sorted(found, key=lambda one: -one.part)[:_MOST_OF_A_KIND]


def find_weak_blocks(groups: Values, pixel_mm: tuple[float, float]) -> list[SharpDefect]:
    """Find squares whose counts step at their edges, on all four sides, more sharply than a blurred object's.

    Parameters
    ----------
    groups : (groups, rows, columns) array
        Counts of one head in neighbouring views.
    pixel_mm : (between rows, between columns)
    """
    if is_coarse(pixel_mm):
        return []
    total = groups.sum(axis=0)
    found: list[tuple[float, SharpDefect]] = []
    for width in range(2, _WIDEST_WEAK + 1):
        if min(total.shape) < 3 * width + 6:
            break
        score, part, sigma = _stepping(total, width, _sharp_share(max(pixel_mm)))
        for place in np.argsort(score, axis=None)[::-1][:_TRIES]:
            row, column = (int(n) for n in np.unravel_index(int(place), score.shape))
            if score[row, column] <= 0.0:
                break
            at = row, column
            defect = SharpDefect(row + 2, column + 2, width, width, float(part[at]), float(sigma[at]))
            found.append((float(score[at]), defect))
    for _, defect in sorted(found, key=lambda pair: -pair[0])[: 2 * _TRIES]:
        if _stays(groups, defect):
            return [defect]
    return []


def _stays(groups: Values, defect: SharpDefect) -> bool:
    """Tell whether a square deviates from the ring around it by the same part in nearly all views that hold counts."""
    down, across = defect.area
    around = groups[:, down.start - 1 : down.stop + 1, across.start - 1 : across.stop + 1]
    inside = groups[:, down, across].sum(axis=(1, 2))
    area = defect.rows * defect.columns
    scale = area / (around[0].size - area)
    expected = scale * (around.sum(axis=(1, 2)) - inside)
    variance = inside + scale * expected + 1.0
    holding = expected > _HOLDING * expected.mean()
    away = np.abs(inside - (1.0 + defect.part) * expected)
    agree = away <= np.maximum(0.5 * abs(defect.part) * expected, _GROUP_SIGMAS * np.sqrt(variance))
    return bool(agree[holding].mean() >= _SHARE_OF_GROUPS)


def _stepping(total: Values, width: int, blurred_share: float) -> tuple[Values, Values, Values]:
    """Compare the edges of every square of a width with what lies just outside: score, part and its sigma.

    An array's place (i, j) stands for the square that begins at row i + 2 and column j + 2.
    """
    sides = _edges(total, width) + [tuple(line.T for line in edge) for edge in _edges(total.T, width)]
    outer, next_out, first_in, second_in = (np.stack([side[n] for side in sides]) for n in range(4))
    jump, whole = (next_out - first_in).sum(axis=0), (outer - second_in).sum(axis=0)
    noise = np.sqrt(np.maximum(first_in + next_out, 1.0).sum(axis=0))
    level = next_out.sum(axis=0)
    safe = np.maximum(level, 1.0)
    sign = -np.sign(jump)
    jump, whole = np.abs(jump), -sign * whole
    limit = blurred_share + _BEYOND_BLUR * (1.0 - blurred_share)
    sharp = (jump - limit * whole > _SHARP_SIGMAS * (1.0 - limit) * noise) & (whole > 0.7 * jump)
    # Every side steps by about the same part.
    steps = -sign * (next_out - first_in)
    spread = np.sqrt(np.maximum(next_out + first_in, 1.0))
    mean = jump / safe
    alike = (np.abs(steps - mean * next_out) < np.maximum(0.5 * mean * next_out, _GROUP_SIGMAS * spread)).all(axis=0)
    even = next_out.min(axis=0) > _MOST_UNEVEN_SIDES * next_out.max(axis=0)
    if width == 2:  # a hot point between four pixels
        sharp &= sign < 0.0
    clear = sharp & alike & even & (mean > _SMALLEST_WEAK) & (jump > _WEAK_SIGMAS * noise)
    return np.where(clear, jump / noise, 0.0), sign * mean, noise / safe


def _edges(total: Values, width: int) -> list[tuple[Values, ...]]:
    """Sum along the upper and the lower edge of every square: two rows outside, one outside, the first, the second."""
    half = width // 2
    along = (
        uniform_filter(total, (1, width), mode="constant")[:, half + 2 : total.shape[1] - (width - half) - 1] * width
    )
    number = total.shape[0] - width - 3

    def row(offset: int) -> Values:
        return np.asarray(along[offset : offset + number])

    return [(row(0), row(1), row(2), row(3)), (row(width + 3), row(width + 2), row(width + 1), row(width))]


def _blur(pixel_mm: float) -> Values:
    """Give the shares of a point in the middle of a pixel that this and the next two pixels see, at the sharpest."""
    sigma = _SHARPEST_MM / 2.3548 / pixel_mm
    within = erf((np.arange(3) + 0.5) / (sigma * np.sqrt(2.0)))
    return np.array([within[0], 0.5 * (within[1] - within[0]), 0.5 * (within[2] - within[1])])


def _peak_to_next(pixel_mm: float) -> float:
    """Tell how many times as much as the next pixels one can count at most."""
    shares = _blur(pixel_mm)
    return float(shares[0] / shares[1])


def is_coarse(pixel_mm: tuple[float, float]) -> bool:
    """Tell whether pixels are so large that an object's edge can look as sharp as a defect's."""
    return _sharp_share(max(pixel_mm)) > _COARSE


def _sharp_share(pixel_mm: float) -> float:
    """Tell how much of an edge's step can lie between two pixels, of the step over four."""
    shares = _blur(pixel_mm)
    return float(shares[0] / (shares[0] + 2.0 * shares[1]))
