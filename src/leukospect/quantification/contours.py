"""Closed contours on parallel planes to masks: what an odd number of them encloses is inside."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from leukospect.errors import GeometryError, InputError
from leukospect.quantification.mask_stack import MaskStack, stack_planes

_FLAT_MM = 0.5  # how far points may lie off their contour's plane
_SAME_PLANE_MM = 0.05
_PARALLEL = 1e-2
_PIXEL_MM = 0.5
_MOST_PIXELS = 1200  # along one side: larger regions get larger pixels
_SMALLEST_AREA_MM2 = 1e-3

Contour = NDArray[np.float64]
"""The corners of a closed contour, (points, 3), LPS mm; the last is joined to the first."""


def contour_normal(contour: Contour) -> NDArray[np.float64]:
    """Give the unit normal of a contour's plane, (3,), whichever way round it was drawn.

    Raises
    ------
    InputError
        It has fewer than three points, or encloses nothing.
    GeometryError
        Its points do not lie in one plane.
    """
    if len(contour) < 3:
        raise InputError(f"A contour has {len(contour)} points; a closed one needs at least three.")
    centred = contour - contour.mean(axis=0)
    # A contour in a figure of eight has no area vector; the plane is the one that its points lie in.
    _, sizes, directions = np.linalg.svd(centred, full_matrices=False)
    if sizes[1] ** 2 < _SMALLEST_AREA_MM2:
        raise InputError("The points of a contour lie on a line, so it encloses nothing.")
    normal = directions[2] if len(directions) > 2 else np.cross(directions[0], directions[1])
    off = float(np.abs(centred @ normal).max())
    if off > _FLAT_MM:
        raise GeometryError(f"The points of a contour lie up to {off:.1f} mm off a plane; closed contours are flat.")
    leading = int(np.abs(normal).argmax())
    return np.asarray(normal * np.sign(normal[leading]))


def plane_positions(contours: Sequence[Contour], normal: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give where along a normal each contour lies, mm."""
    return np.array([float((contour @ normal).mean()) for contour in contours])


def smallest_step_mm(contours: Sequence[Contour]) -> float | None:
    """Tell the smallest step between the planes of contours; None where they lie in one plane."""
    steps = plane_steps_mm(contours)
    return float(steps.min()) if steps.size else None


def plane_steps_mm(contours: Sequence[Contour]) -> NDArray[np.float64]:
    """Give the steps from plane to plane of contours, (planes - 1,)."""
    steps = np.diff(np.sort(plane_positions(contours, contour_normal(contours[0]))))
    return np.asarray(steps[steps > _SAME_PLANE_MM])


def contours_to_masks(contours: Sequence[Contour], spacing_mm: float) -> MaskStack:
    """Fill the contours of a region on each of their planes; where several of a plane overlap, by exclusive or.

    Parameters
    ----------
    contours : sequence of (points, 3) arrays
        LPS mm, in any order.
    spacing_mm : float
        Between planes: the thickness of what is drawn on one.

    Raises
    ------
    InputError
        A contour encloses nothing, or all of them together do not.
    GeometryError
        A contour is not flat, or they are not parallel.
    """
    normal = contour_normal(contours[0])
    for contour in contours[1:]:
        if np.linalg.norm(np.cross(contour_normal(contour), normal)) > _PARALLEL:
            raise GeometryError("The contours do not lie in parallel planes.")
    axes = _axes(normal)
    positions = plane_positions(contours, normal)
    corners = np.concatenate([contour @ axes[1:].T for contour in contours])
    low, high = corners.min(axis=0), corners.max(axis=0)
    pixel = max(_PIXEL_MM, float((high - low).max()) / _MOST_PIXELS)
    shape = tuple(int(n) for n in np.ceil((high - low) / pixel).astype(np.int64) + 1)
    masks, firsts = [], []
    for place, members in _planes(positions):
        mask = np.zeros(shape, dtype=np.bool_)
        for member in members:
            # Pixel centres a quarter off the box keep them off the corners, which often lie on round numbers.
            mask ^= _filled((contours[member] @ axes[1:].T - low) / pixel + 0.25, shape)
        masks.append(mask)
        firsts.append(place * axes[0] + (low - 0.25 * pixel) @ axes[1:])
    return stack_planes(masks, firsts, axes, (pixel, pixel), spacing_mm)


def overlap_in_a_plane(contours: Sequence[Contour]) -> bool:
    """Tell whether contours of one plane have anything in common, by the boxes around them."""
    axes = _axes(contour_normal(contours[0]))
    for _, members in _planes(plane_positions(contours, axes[0])):
        boxes = [
            (corners.min(axis=0), corners.max(axis=0)) for m in members if len(corners := contours[m] @ axes[1:].T)
        ]
        for index, (low, high) in enumerate(boxes):
            if any(np.all((low < other[1]) & (other[0] < high)) for other in boxes[:index]):
                return True
    return False


def _axes(normal: NDArray[np.float64]) -> NDArray[np.float64]:
    """Choose directions of rows and columns in a plane; of an axial one those of the patient."""
    column = np.array((1.0, 0.0, 0.0)) if abs(normal[0]) < 0.9 else np.array((0.0, 1.0, 0.0))
    column = column - (column @ normal) * normal
    column /= np.linalg.norm(column)
    return np.stack((normal, np.cross(normal, column), column))


def _planes(positions_mm: NDArray[np.float64]) -> list[tuple[float, list[int]]]:
    """Gather contours of one plane."""
    planes: list[tuple[float, list[int]]] = []
    for index in np.argsort(positions_mm, kind="stable"):
        if planes and positions_mm[index] - planes[-1][0] <= _SAME_PLANE_MM:
            planes[-1][1].append(int(index))
        else:
            planes.append((float(positions_mm[index]), [int(index)]))
    return planes


def _filled(corners: NDArray[np.float64], shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Fill a polygon of (row, column) corners by the even-odd rule: crossings of each row to the left of a pixel."""
    following = np.roll(corners, -1, axis=0)
    upper = np.minimum(corners[:, 0], following[:, 0])
    lower = np.maximum(corners[:, 0], following[:, 0])
    first = np.clip(np.ceil(upper).astype(np.int64), 0, shape[0])
    rows_of_edge = np.clip(np.ceil(lower).astype(np.int64), 0, shape[0]) - first
    edge = np.repeat(np.arange(len(corners)), rows_of_edge)
    row = np.arange(len(edge)) - (np.cumsum(rows_of_edge) - rows_of_edge)[edge] + first[edge]
    begin, way = corners[edge], following[edge] - corners[edge]
    column = begin[:, 1] + (row - begin[:, 0]) * way[:, 1] / way[:, 0]  # level edges cross no row, so none is here
    crossed = np.zeros((shape[0], shape[1] + 1), dtype=np.int32)
    np.add.at(crossed, (row, np.clip(np.ceil(column).astype(np.int64), 0, shape[1])), 1)
    return np.asarray(np.cumsum(crossed, axis=1)[:, :-1] % 2 == 1)
