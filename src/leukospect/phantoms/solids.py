"""Solid shapes of a phantom: how a file describes them, and the one form in which rays meet them.

Every shape is convex, so a ray meets it in one interval. Each is an affine image of a unit solid: the unit ball, the
cone frustum ``x^2 + y^2 <= (1 + taper z)^2, |z| <= 1`` (a cylinder where the taper is 0) or the cube
``|x|, |y|, |z| <= 1``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, model_validator

Point = tuple[float, float, float]
UNIT_SOLIDS = {"ball": 0, "frustum": 1, "cube": 2}


class Table(BaseModel):
    """A table of a phantom file: unknown keys and values that are not finite are refused, and nothing changes later."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


@dataclass(frozen=True, slots=True, eq=False)
class Solid:
    """A unit solid's image: its name, centre (x, y, z), half axes as the columns of a (3, 3) array, mm, and taper."""

    unit: Literal["ball", "frustum", "cube"]
    centre_mm: NDArray[np.float64]
    half_axes_mm: NDArray[np.float64]
    taper: float = 0.0

    def extent_mm(self, direction: NDArray[np.float64]) -> float:
        """Tell how far from its centre the solid reaches along a unit vector, mm (never too little)."""
        along = np.abs(direction @ self.half_axes_mm)
        if self.unit == "ball":
            return float(np.sqrt(np.sum(along**2)))
        if self.unit == "cube":
            return float(np.sum(along))
        return float(np.hypot(along[0], along[1]) * (1.0 + abs(self.taper)) + along[2])


def _frame(along: NDArray[np.float64], across: NDArray[np.float64]) -> NDArray[np.float64]:
    third = along / np.linalg.norm(along)
    first = across - (across @ third) * third
    first = first / np.linalg.norm(first)
    return np.stack([first, np.cross(third, first), third], axis=1)


class _Oriented(Table):
    """`along` gives the direction of the third axis, `across` the side to which the first one points."""

    along: Point = (0.0, 0.0, 1.0)
    across: Point = (1.0, 0.0, 0.0)

    @model_validator(mode="after")
    def _independent(self) -> Self:
        if np.linalg.norm(np.cross(self.along, self.across)) < 1e-9:
            raise ValueError("'along' and 'across' must be two different directions")
        return self

    def _axes(self, half_mm: tuple[float, float, float]) -> NDArray[np.float64]:
        return np.asarray(_frame(np.array(self.along), np.array(self.across)) * np.array(half_mm))


class Paint(Table):
    """What a shape paints: a material, an activity compartment, or both; what it does not name stays as it was."""

    material: str | None = None
    compartment: str | None = None

    @model_validator(mode="after")
    def _paints_something(self) -> Self:
        if self.material is None and self.compartment is None:
            raise ValueError("a shape must paint a material, a compartment or both")
        return self


class Sphere(Paint):
    """A ball."""

    kind: Literal["sphere"]
    center_mm: Point
    radius_mm: PositiveFloat

    def solid(self) -> Solid:
        """Give the form that rays meet."""
        return Solid("ball", np.array(self.center_mm), np.eye(3) * self.radius_mm)


class Ellipsoid(Paint, _Oriented):
    """An ellipsoid with half axes `radii_mm`."""

    kind: Literal["ellipsoid"]
    center_mm: Point
    radii_mm: tuple[PositiveFloat, PositiveFloat, PositiveFloat]

    def solid(self) -> Solid:
        """Give the form that rays meet."""
        return Solid("ball", np.array(self.center_mm), self._axes(self.radii_mm))


class Box(Paint, _Oriented):
    """A box with edges `size_mm`."""

    kind: Literal["box"]
    center_mm: Point
    size_mm: tuple[PositiveFloat, PositiveFloat, PositiveFloat]

    def solid(self) -> Solid:
        """Give the form that rays meet."""
        x, y, z = self.size_mm
        return Solid("cube", np.array(self.center_mm), self._axes((x / 2, y / 2, z / 2)))


class Cylinder(Paint):
    """A capped circular cylinder from one point to another, or a cone frustum where the far radius differs."""

    kind: Literal["cylinder"]
    from_mm: Point
    to_mm: Point
    radius_mm: PositiveFloat
    to_radius_mm: PositiveFloat | None = None

    @model_validator(mode="after")
    def _has_length(self) -> Self:
        if self.from_mm == self.to_mm:
            raise ValueError("'from_mm' and 'to_mm' must be two different points")
        return self

    def solid(self) -> Solid:
        """Give the form that rays meet."""
        ratio = (self.to_radius_mm or self.radius_mm) / self.radius_mm
        return _frustum(self.from_mm, self.to_mm, (self.radius_mm, self.radius_mm), ratio, None)


class EllipticCylinder(Paint):
    """A capped elliptic cylinder: `radii_mm` along `across` and at right angles to it, times `to_scale` at its end."""

    kind: Literal["elliptic_cylinder"]
    from_mm: Point
    to_mm: Point
    radii_mm: tuple[PositiveFloat, PositiveFloat]
    across: Point = (1.0, 0.0, 0.0)
    to_scale: PositiveFloat = 1.0

    @model_validator(mode="after")
    def _independent(self) -> Self:
        if np.linalg.norm(np.cross(np.subtract(self.to_mm, self.from_mm), self.across)) < 1e-9:
            raise ValueError("'across' must not point along the cylinder, and its ends must differ")
        return self

    def solid(self) -> Solid:
        """Give the form that rays meet."""
        return _frustum(self.from_mm, self.to_mm, self.radii_mm, self.to_scale, np.array(self.across))


def _frustum(
    start_mm: Point,
    end_mm: Point,
    radii_mm: tuple[float, float],
    ratio: float,
    across: NDArray[np.float64] | None,
) -> Solid:
    start, end = np.array(start_mm), np.array(end_mm)
    axis = end - start
    if across is None:
        across = np.eye(3)[int(np.argmin(np.abs(axis)))]
    middle = (1.0 + ratio) / 2.0
    half = np.array([radii_mm[0] * middle, radii_mm[1] * middle, np.linalg.norm(axis) / 2.0])
    return Solid("frustum", (start + end) / 2.0, _frame(axis, across) * half, (ratio - 1.0) / (ratio + 1.0))


Shape = Annotated[Sphere | Ellipsoid | Box | Cylinder | EllipticCylinder, Field(discriminator="kind")]
