"""A region as masks on parallel planes, as readers draw them slice by slice: in any direction, with gaps and holes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from leukospect.errors import GeometryError, InputError

_BRIDGED = 1.5
"""Neighbouring planes up to this many spacings apart meet halfway; between those further apart nothing was drawn."""


@dataclass(frozen=True, slots=True, eq=False)
class MaskStack:
    """What lies within the pixels of masks on parallel planes, each as thick as its slab.

    Parameters
    ----------
    masks : (planes, rows, columns) bool array
    first_mm : (planes, 3) array
        LPS place of the centre of each plane's first pixel.
    axes : (3, 3) array
        Unit vectors, one a row: from plane to plane, down the rows, along the columns; at right angles.
    pixel_mm : (between rows, between columns)
    slabs_mm : (planes, 2) array
        Where each plane's slab begins and ends along the first axis, as the distance from the LPS origin; ascending,
        and none reaches into the next.

    Raises
    ------
    GeometryError
        The arrays do not fit each other, or the axes are not at right angles.
    InputError
        No pixel is drawn.
    """

    masks: NDArray[np.bool_]
    first_mm: NDArray[np.float64]
    axes: NDArray[np.float64]
    pixel_mm: tuple[float, float]
    slabs_mm: NDArray[np.float64]

    def __post_init__(self) -> None:
        planes = len(self.masks)
        if self.masks.ndim != 3 or self.first_mm.shape != (planes, 3) or self.slabs_mm.shape != (planes, 2):
            raise GeometryError("The planes of a drawn region do not fit each other.")
        if self.axes.shape != (3, 3) or np.abs(self.axes @ self.axes.T - np.eye(3)).max() > 1e-3:
            raise GeometryError("The planes of a drawn region need three directions at right angles.")
        if not np.any(self.masks):
            raise InputError("Nothing is drawn.")

    def contains(self, points_mm: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Tell which of the LPS points (..., 3) lie inside."""
        along = points_mm @ self.axes[0]
        plane = np.searchsorted(self.slabs_mm[:, 0], along, side="right") - 1
        inside = (plane >= 0) & (along < self.slabs_mm[plane, 1])
        offset = points_mm - self.first_mm[plane]
        row = np.rint(offset @ self.axes[1] / self.pixel_mm[0]).astype(np.int64)
        column = np.rint(offset @ self.axes[2] / self.pixel_mm[1]).astype(np.int64)
        inside &= (row >= 0) & (row < self.masks.shape[1]) & (column >= 0) & (column < self.masks.shape[2])
        found = np.zeros(inside.shape, dtype=np.bool_)
        found[inside] = self.masks[plane[inside], row[inside], column[inside]]
        return found

    def bounds_mm(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the lower and upper corner of a box around the region, (3,) each."""
        rows, columns = self.masks.shape[1:]
        edges = [-0.5 * self.pixel_mm[0], (rows - 0.5) * self.pixel_mm[0]]
        sides = [-0.5 * self.pixel_mm[1], (columns - 0.5) * self.pixel_mm[1]]
        in_plane = np.array([row * self.axes[1] + column * self.axes[2] for row in edges for column in sides])
        middle = self.first_mm @ self.axes[0]
        corners = [
            self.first_mm + (end - middle)[:, None] * self.axes[0] + corner
            for end in self.slabs_mm.T
            for corner in in_plane
        ]
        points = np.concatenate(corners)
        return points.min(axis=0), points.max(axis=0)

    def moved(self, matrix: NDArray[np.float64]) -> MaskStack:
        """Move the region by a rigid transform (4, 4) of LPS points."""
        axes = self.axes @ matrix[:3, :3].T
        along = self.first_mm @ self.axes[0]
        first = self.first_mm @ matrix[:3, :3].T + matrix[:3, 3]
        slabs = self.slabs_mm + (first @ axes[0] - along)[:, None]
        return MaskStack(self.masks, first, axes, self.pixel_mm, slabs)


def stack_planes(
    masks: Sequence[NDArray[np.bool_]],
    first_mm: Sequence[NDArray[np.float64]],
    axes: NDArray[np.float64],
    pixel_mm: tuple[float, float],
    spacing_mm: float,
) -> MaskStack:
    """Sort planes along their normal, in whatever order they come, and give each its slab.

    A plane reaches halfway to its neighbours, or half a spacing where there is none within one and a half spacings.
    Planes at one place are joined.

    Parameters
    ----------
    masks : sequence of (rows, columns) bool arrays
    first_mm : sequence of (3,) arrays
        Centre of each plane's first pixel, LPS.
    axes : (3, 3) array
        As in `MaskStack`.
    pixel_mm : (between rows, between columns)
    spacing_mm : float
    """
    order = sorted(range(len(masks)), key=lambda one: float(first_mm[one] @ axes[0]))
    kept: list[NDArray[np.bool_]] = []
    firsts: list[NDArray[np.float64]] = []
    for one in order:
        if not np.any(masks[one]):
            continue
        apart = first_mm[one] - firsts[-1] if firsts else spacing_mm * axes[0]
        if np.abs(apart).max() < 0.01 * spacing_mm:
            kept[-1] = kept[-1] | masks[one]
        elif abs(float(apart @ axes[0])) < 0.01 * spacing_mm:
            raise GeometryError("Planes at one place are shifted against each other.")
        else:
            kept.append(masks[one])
            firsts.append(first_mm[one])
    if not kept:
        raise InputError("Nothing is drawn.")
    array, first = _cropped(np.stack(kept), np.stack(firsts), axes, pixel_mm)
    return MaskStack(array, first, axes, pixel_mm, slabs_of(first @ axes[0], spacing_mm))


def slabs_of(positions_mm: NDArray[np.float64], spacing_mm: float) -> NDArray[np.float64]:
    """Give the (planes, 2) beginnings and ends of the slabs around ascending positions."""
    half = np.full(len(positions_mm), spacing_mm / 2.0)
    slabs = np.stack((positions_mm - half, positions_mm + half), axis=-1)
    steps = np.diff(positions_mm)
    meet = steps < _BRIDGED * spacing_mm
    middle = (positions_mm[1:] + positions_mm[:-1]) / 2.0
    slabs[1:, 0] = np.where(meet, middle, slabs[1:, 0])
    slabs[:-1, 1] = np.where(meet, middle, slabs[:-1, 1])
    return slabs


def spacing_of(positions_mm: NDArray[np.float64], thickness_mm: float | None) -> float | None:
    """Tell the spacing of planes from where they lie: their smallest step; None where nothing tells.

    Where planes are left out the smallest step may be a multiple of the spacing; a slice thickness of about half of it
    or less shows that, and stands for it.
    """
    unique = np.unique(np.round(positions_mm, 3))
    if len(unique) < 2:
        return thickness_mm
    step = float(np.diff(unique).min())
    return thickness_mm if thickness_mm is not None and step > 1.9 * thickness_mm else step


def _cropped(
    masks: NDArray[np.bool_], first_mm: NDArray[np.float64], axes: NDArray[np.float64], pixel_mm: tuple[float, float]
) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    rows, columns = (np.flatnonzero(masks.any(axis=(0, other))) for other in (2, 1))
    kept = masks[:, rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return kept.copy(), first_mm + rows[0] * pixel_mm[0] * axes[1] + columns[0] * pixel_mm[1] * axes[2]
