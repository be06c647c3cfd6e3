"""The regions that a reader would draw on a phantom, and their text as a region file."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Literal, Self

from pydantic import PositiveFloat, model_validator

from leukospect.phantoms.solids import Point, Table

if TYPE_CHECKING:
    from leukospect.phantoms.description import Phantom


class DrawnSphere(Table):
    """A ball."""

    center_mm: Point
    radius_mm: PositiveFloat


class DrawnCylinder(Table):
    """A capped circular cylinder."""

    from_mm: Point
    to_mm: Point
    radius_mm: PositiveFloat


class DrawnBox(Table):
    """A box along the patient's axes, with edges `size_mm`."""

    center_mm: Point
    size_mm: tuple[PositiveFloat, PositiveFloat, PositiveFloat]


class DrawnRegion(Table):
    """A region as the union of its shapes; a lesion names the reference region it is compared with."""

    name: str
    role: Literal["lesion", "reference"]
    reference: str = ""
    sphere: tuple[DrawnSphere, ...] = ()
    cylinder: tuple[DrawnCylinder, ...] = ()
    box: tuple[DrawnBox, ...] = ()

    @model_validator(mode="after")
    def _has_a_shape(self) -> Self:
        if not (self.sphere or self.cylinder or self.box):
            raise ValueError("a region needs a sphere, cylinder or box")
        return self


def regions_toml(phantom: Phantom) -> str:
    """Write a phantom's regions as a region file: TOML with one ``[[region]]`` for each.

    Each has a name, a role, for a lesion its reference, and nested ``[[region.sphere]]``, ``[[region.cylinder]]`` and
    ``[[region.box]]`` in LPS mm.
    """
    lines: list[str] = []
    for region in phantom.region:
        lines += ["[[region]]", f"name = {json.dumps(region.name)}", f'role = "{region.role}"']
        if region.reference:
            lines.append(f"reference = {json.dumps(region.reference)}")
        for kind in ("sphere", "cylinder", "box"):
            for shape in getattr(region, kind):
                lines.append(f"[[region.{kind}]]")
                lines += [f"{key} = {json.dumps(value)}" for key, value in shape.model_dump(mode="json").items()]
        lines.append("")
    return "\n".join(lines)
