"""Drawing a random anatomy: solids painted one over another, sizes and places from one generator.

Lengths are mm, LPS: +x to the patient's left, +y to the back, +z to the head. What is drawn as an implant paints the
compartment ``implant``, what is drawn later takes it away again, so that an anatomy can be made without its implants
and their place be known to the voxel.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from leukospect.phantoms.materials import MATERIALS
from leukospect.phantoms.solids import Box, Cylinder, Ellipsoid, EllipticCylinder, Point, Shape, Sphere

IMPLANT = "implant"
Place = Sequence[float] | NDArray[np.float64]
"""(x, y, z), mm."""


def material_at_hand(*wanted: str) -> str:
    """Give the first of some materials that the tables know."""
    return next(name for name in wanted if name in MATERIALS)


def beside(place: Place, x: float, y: float, z: float) -> Point:
    """Give the place so far from another, mm."""
    return float(place[0] + x), float(place[1] + y), float(place[2] + z)


class Drawing:
    """An anatomy in the making.

    Parameters
    ----------
    seed : sequence of int
        The same seed draws the same anatomy.
    """

    def __init__(self, seed: Sequence[int]) -> None:
        self.rng = np.random.default_rng(seed)
        self.shapes: list[Shape] = []

    def between(self, low: float, high: float) -> float:
        """Draw a value, every one as likely."""
        return float(self.rng.uniform(low, high))

    def happens(self, probability: float) -> bool:
        """Draw whether something is so."""
        return bool(self.rng.random() < probability)

    def one_of(self, *names: str) -> str:
        """Draw one of some names, each as likely."""
        return names[int(self.rng.integers(len(names)))]

    def side(self) -> int:
        """Draw a side: 1 is the patient's left, -1 the right."""
        return 1 if self.happens(0.5) else -1

    def near(self, point: Place, by_mm: float) -> Point:
        """Draw a point at most so far from another along each axis."""
        x, y, z = (value + self.between(-by_mm, by_mm) for value in point)
        return x, y, z

    def cylinder(
        self,
        material: str,
        start: Place,
        end: Place,
        radius_mm: float,
        end_radius_mm: float | None = None,
        *,
        implant: bool = False,
    ) -> None:
        """Paint a circular cylinder, or a frustum."""
        self.shapes.append(
            Cylinder(kind="cylinder", material=material, compartment=_compartment(implant), from_mm=_point(start),
                     to_mm=_point(end), radius_mm=radius_mm, to_radius_mm=end_radius_mm)
        )  # fmt: skip

    def column(
        self,
        material: str,
        start: Place,
        end: Place,
        radii_mm: tuple[float, float],
        *,
        across: Place = (1.0, 0.0, 0.0),
        scale: float = 1.0,
    ) -> None:
        """Paint an elliptic cylinder: first half axis along `across`, its end `scale` times as wide."""
        self.shapes.append(
            EllipticCylinder(kind="elliptic_cylinder", material=material, compartment=_compartment(False),
                             from_mm=_point(start), to_mm=_point(end), radii_mm=radii_mm, across=_point(across),
                             to_scale=scale)
        )  # fmt: skip

    def ellipsoid(
        self,
        material: str,
        centre: Place,
        radii_mm: tuple[float, float, float],
        *,
        along: Place = (0.0, 0.0, 1.0),
        across: Place = (1.0, 0.0, 0.0),
        implant: bool = False,
    ) -> None:
        """Paint an ellipsoid."""
        self.shapes.append(
            Ellipsoid(kind="ellipsoid", material=material, compartment=_compartment(implant), center_mm=_point(centre),
                      radii_mm=radii_mm, along=_point(along), across=_point(across))
        )  # fmt: skip

    def ball(self, material: str, centre: Place, radius_mm: float, *, implant: bool = False) -> None:
        """Paint a ball."""
        self.shapes.append(
            Sphere(kind="sphere", material=material, compartment=_compartment(implant), center_mm=_point(centre),
                   radius_mm=radius_mm)
        )  # fmt: skip

    def box(
        self,
        material: str,
        centre: Place,
        size_mm: tuple[float, float, float],
        *,
        along: Place = (0.0, 0.0, 1.0),
        across: Place = (1.0, 0.0, 0.0),
        implant: bool = False,
    ) -> None:
        """Paint a box."""
        self.shapes.append(
            Box(kind="box", material=material, compartment=_compartment(implant), center_mm=_point(centre),
                size_mm=size_mm, along=_point(along), across=_point(across))
        )  # fmt: skip

    def bone(
        self, start: Place, end: Place, radii_mm: tuple[float, float], cortex_mm: float,
        inside: str = "spongiosa", *, across: Place = (1.0, 0.0, 0.0), scale: float = 1.0,
    ) -> None:  # fmt: skip
        """Paint a long bone: cortex, open at its ends, round spongiosa or marrow."""
        self.column("cortical_bone", start, end, radii_mm, across=across, scale=scale)
        inner = (max(radii_mm[0] - cortex_mm, 0.5), max(radii_mm[1] - cortex_mm, 0.5))
        self.column(inside, start, end, inner, across=across, scale=scale)

    def round_bone(
        self, centre: Place, radii_mm: tuple[float, float, float], cortex_mm: float,
        inside: str = "spongiosa", *, along: Place = (0.0, 0.0, 1.0), across: Place = (1.0, 0.0, 0.0),
    ) -> None:  # fmt: skip
        """Paint an ellipsoid of bone with a closed cortex."""
        self.ellipsoid("cortical_bone", centre, radii_mm, along=along, across=across)
        x, y, z = (max(radius - cortex_mm, 0.5) for radius in radii_mm)
        self.ellipsoid(inside, centre, (x, y, z), along=along, across=across)


def _compartment(implant: bool) -> str:
    return IMPLANT if implant else "none"


def _point(values: Place) -> Point:
    x, y, z = (float(value) for value in values)
    return x, y, z
