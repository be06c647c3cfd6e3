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


class Rods(Paint):
    """Parallel rods of one diameter, as many as fit into a sector of a cylinder along z.

    They stand on a triangular lattice, `distance_mm` between centres, that is symmetrical about the sector's middle;
    one stands a `distance_mm` from the axis.
    """

    kind: Literal["rods"]
    from_mm: Point
    to_mm: Point
    diameter_mm: PositiveFloat
    distance_mm: PositiveFloat
    outer_mm: PositiveFloat
    sector_deg: tuple[float, float]

    @model_validator(mode="after")
    def _has_rods(self) -> Self:
        if self.from_mm[:2] != self.to_mm[:2] or self.from_mm[2] == self.to_mm[2]:
            raise ValueError("rods run along z: 'from_mm' and 'to_mm' must differ in z only")
        if self.distance_mm < self.diameter_mm:
            raise ValueError("'distance_mm' must be at least 'diameter_mm'")
        if not 0.0 < self.sector_deg[1] - self.sector_deg[0] < 180.0:
            raise ValueError("'sector_deg' must grow, by less than 180")
        if not self.centres_mm():
            raise ValueError("no rod fits into the sector")
        return self

    def centres_mm(self) -> list[tuple[float, float]]:
        """Give the (x, y) of each rod's axis."""
        low, high = np.deg2rad(self.sector_deg)
        middle, half = (low + high) / 2.0, (high - low) / 2.0
        centres = []
        for row in range(1, int(self.outer_mm / (self.distance_mm * np.sqrt(0.75))) + 2):
            out = row * self.distance_mm * np.sqrt(0.75) + self.distance_mm * (1.0 - np.sqrt(0.75))
            for place in range(-row, row + 1):
                side = (place + (row + 1) % 2 / 2.0) * self.distance_mm
                to_edge = out * np.sin(half) - abs(side) * np.cos(half)
                if np.hypot(out, side) + self.diameter_mm / 2.0 <= self.outer_mm and to_edge >= self.distance_mm / 4.0:
                    x = self.from_mm[0] + out * np.cos(middle) - side * np.sin(middle)
                    centres.append((float(x), float(self.from_mm[1] + out * np.sin(middle) + side * np.cos(middle))))
        return centres

    def solids(self) -> tuple[Solid, ...]:
        """Give the rods in the form that rays meet."""
        size, (z0, z1) = (self.diameter_mm / 2.0,) * 2, (self.from_mm[2], self.to_mm[2])
        return tuple(_frustum((x, y, z0), (x, y, z1), size, 1.0, None) for x, y in self.centres_mm())


Shape = Annotated[Sphere | Ellipsoid | Box | Cylinder | EllipticCylinder | Rods, Field(discriminator="kind")]


def solids_of(shape: Shape) -> tuple[Solid, ...]:
    """Give what rays meet of a shape: one solid, or one for each rod."""
    return shape.solids() if isinstance(shape, Rods) else (shape.solid(),)
