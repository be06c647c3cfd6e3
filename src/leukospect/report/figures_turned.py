"""A volume turned to a viewer: its planes from near to far, its columns along the detector that looks from there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from leukospect.data import Geometry, Image
from leukospect.registration.resampling import resample
from leukospect.report.figures_orientation import Extent, Letters, edges_mm


@dataclass(frozen=True, slots=True, eq=False)
class Turned:
    """A volume as a viewer at an angle sees it.

    Parameters
    ----------
    array : (slices, planes, columns) array
        Slices from feet to head, planes from near to far, columns from the viewer's left.
    extent_mm : (left, right, bottom, top)
        Of a picture with the head up, along u = (-cos t, sin t, 0) and z.
    letters : (left, right, top, bottom)
    """

    array: NDArray[Any]
    extent_mm: Extent
    letters: Letters


def turned(image: Image, angle_deg: float, outside: float = 0.0) -> Turned:
    """Turn a canonical volume to a viewer.

    Parameters
    ----------
    image : Image
        Canonical.
    angle_deg : float
        Where the viewer stands: 0 at the patient's back, 90 on the left, 180 in front. Multiples of 90 are exact (a
        view), others interpolate linearly, in square pixels of the finer spacing.
    outside : float
        Value beyond the volume, where the turned rectangle holds more.
    """
    t = np.deg2rad(angle_deg)
    u: NDArray[np.float64] = np.round([-np.cos(t), np.sin(t)], 12)
    letters = (_side(-u), _side(u), "H", "F")
    array: NDArray[Any]
    if min(abs(u)) > 0.0:
        array, across = _obliquely(image, u, outside)
        return Turned(array, (*across, *edges_mm(image, 0)), letters)
    left, right = edges_mm(image, 2 if u[0] else 1)
    if u.sum() < 0:
        left, right = right, left
    step = -1 if u.sum() < 0 else 1
    array = image.array[:, ::step, ::step] if u[0] else image.array.transpose(0, 2, 1)[:, ::-step, ::step]
    return Turned(array, (left, right, *edges_mm(image, 0)), letters)


def _obliquely(image: Image, u: NDArray[np.float64], outside: float) -> tuple[NDArray[np.float32], tuple[float, float]]:
    # the turned rectangle fits in
    dz, dy, dx = image.geometry.spacing_mm
    (x0, x1), (y0, y1) = edges_mm(image, 2), edges_mm(image, 1)
    step = min(dx, dy)
    width = abs(u[0]) * (x1 - x0) + abs(u[1]) * (y1 - y0)
    depth = abs(u[1]) * (x1 - x0) + abs(u[0]) * (y1 - y0)
    columns, planes = int(np.ceil(width / step)), int(np.ceil(depth / step))
    n = np.array([u[1], -u[0]])  # towards the viewer: (sin t, cos t)
    centre = np.array([(x0 + x1) / 2, (y0 + y1) / 2])
    corner = centre - u * step * (columns - 1) / 2 + n * step * (planes - 1) / 2
    affine = np.eye(4)
    affine[:3, :3] = np.array([[0, -n[0], u[0]], [0, -n[1], u[1]], [1, 0, 0]]) @ np.diag([dz, step, step])
    affine[:3, 3] = (*corner, image.geometry.affine[2, 3])
    grid = Geometry((image.geometry.shape[0], planes, columns), affine)
    array = np.asarray(resample(image, grid, outside=outside, anti_alias=False).array, dtype=np.float32)
    across, half = float(centre @ u), columns * step / 2
    return array, (across - half, across + half)


def _side(direction: NDArray[np.float64]) -> str:
    x, y = direction
    return ("L" if x > 0.38 else "R" if x < -0.38 else "") + ("P" if y > 0.38 else "A" if y < -0.38 else "")
