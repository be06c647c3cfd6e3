"""Shapes a region can be drawn with, in LPS mm: sphere, cylinder and box."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from leukospect.errors import InputError

Point = tuple[float, float, float]


def _check_points(shape: str, **points: Point) -> None:
    for name, point in points.items():
        if len(point) != 3 or not np.all(np.isfinite(point)):
            raise InputError(f"A {shape}'s {name} must be three finite numbers (x, y, z) in mm; found {point}.")


def _check_positive(shape: str, name: str, *values: float) -> None:
    if not all(np.isfinite(value) and value > 0 for value in values):
        raise InputError(f"A {shape}'s {name} must be positive and finite, in mm; found {', '.join(map(str, values))}.")


@dataclass(frozen=True, slots=True)
class Sphere:
    """All points within `radius_mm` of `center_mm` (x, y, z)."""

    center_mm: Point
    radius_mm: float

    def __post_init__(self) -> None:
        _check_points("sphere", center_mm=self.center_mm)
        _check_positive("sphere", "radius_mm", self.radius_mm)

    def contains(self, points_mm: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Tell which of the LPS points (..., 3) lie inside."""
        offset = points_mm - np.asarray(self.center_mm)
        return np.asarray(np.einsum("...c,...c->...", offset, offset) <= self.radius_mm**2)

    def bounds_mm(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the lower and upper corner of the box around the shape, (3,) each."""
        center = np.asarray(self.center_mm, dtype=np.float64)
        return center - self.radius_mm, center + self.radius_mm


@dataclass(frozen=True, slots=True)
class Cylinder:
    """All points within `radius_mm` of the axis that runs from `from_mm` to `to_mm`; its ends are flat."""

    from_mm: Point
    to_mm: Point
    radius_mm: float

    def __post_init__(self) -> None:
        _check_points("cylinder", from_mm=self.from_mm, to_mm=self.to_mm)
        _check_positive("cylinder", "radius_mm", self.radius_mm)
        if np.array_equal(self.from_mm, self.to_mm):
            raise InputError("A cylinder's from_mm and to_mm must differ.")

    def contains(self, points_mm: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Tell which of the LPS points (..., 3) lie inside."""
        axis = np.asarray(self.to_mm, dtype=np.float64) - self.from_mm
        length = float(np.linalg.norm(axis))
        offset = points_mm - np.asarray(self.from_mm)
        along = offset @ (axis / length)
        radial_squared = np.einsum("...c,...c->...", offset, offset) - along**2
        return np.asarray((along >= 0) & (along <= length) & (radial_squared <= self.radius_mm**2))

    def bounds_mm(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the lower and upper corner of a box around the shape, (3,) each."""
        ends = np.asarray((self.from_mm, self.to_mm), dtype=np.float64)
        return ends.min(axis=0) - self.radius_mm, ends.max(axis=0) + self.radius_mm


@dataclass(frozen=True, slots=True)
class Box:
    """All points of a box of `size_mm` along x, y and z around `center_mm`."""

    center_mm: Point
    size_mm: Point

    def __post_init__(self) -> None:
        _check_points("box", center_mm=self.center_mm, size_mm=self.size_mm)
        _check_positive("box", "size_mm", *self.size_mm)

    def contains(self, points_mm: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Tell which of the LPS points (..., 3) lie inside."""
        offset = np.abs(points_mm - np.asarray(self.center_mm))
        return np.asarray((offset <= np.asarray(self.size_mm) / 2).all(axis=-1))

    def bounds_mm(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the lower and upper corner, (3,) each."""
        center, half = np.asarray(self.center_mm, dtype=np.float64), np.asarray(self.size_mm) / 2
        return center - half, center + half


Shape = Sphere | Cylinder | Box
