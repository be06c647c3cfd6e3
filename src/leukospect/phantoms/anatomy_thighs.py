"""Two thighs with a femoral nail and its locking screws, or a lateral plate with screws."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from leukospect.phantoms.anatomy_drawing import Drawing, beside
from leukospect.phantoms.anatomy_surroundings import (
    REACH_MM,
    draw_couch,
    draw_fat_planes,
    draw_skin_veins,
    draw_vessels,
    draw_wire,
)

_PLATE_MM = 180.0


@dataclass(frozen=True, slots=True)
class _Femur:
    """A shaft: its axis at z = 0 and its lean (x and y per z), outer radius and radius of the canal."""

    x: float
    y: float
    lean: tuple[float, float]
    radius_mm: float
    canal_mm: float

    def at(self, z: float) -> tuple[float, float, float]:
        return self.x + self.lean[0] * z, self.y + self.lean[1] * z, z


def draw_nailed_thighs(d: Drawing) -> None:
    """Draw thighs with a nail in one femur or in both; screws lock it where the slices are."""
    femora = _draw_thighs(d)
    side = d.side()
    metal = d.one_of("titanium_alloy", "steel_316l")
    for femur in femora.values() if d.happens(0.3) else [femora[side]]:
        _draw_nail(d, femur, metal)


def draw_plated_thighs(d: Drawing) -> None:
    """Draw thighs with a plate on the outside of one femur."""
    femora = _draw_thighs(d)
    side = d.side()
    _draw_plate(d, femora[side], side, d.one_of("titanium_alloy", "steel_316l"))


def _draw_thighs(d: Drawing) -> dict[int, _Femur]:
    wide, deep = d.between(62.0, 92.0), d.between(66.0, 96.0)
    gap = wide + d.between(4.0, 18.0)
    x, y, fat = d.between(-12.0, 12.0), d.between(-20.0, 20.0), d.between(5.0, 24.0)
    if d.happens(0.75):
        draw_couch(d, y + deep * 1.06, 420.0)
    femora = {side: _draw_thigh(d, side, (x + side * gap, y), (wide, deep), fat) for side in (1, -1)}
    if d.happens(0.3):
        draw_wire(d, (x + d.between(-150.0, 150.0), y - deep * 1.06 - d.between(6.0, 20.0)))
    return femora


def _draw_thigh(d: Drawing, side: int, at: tuple[float, float], radii_mm: tuple[float, float], fat_mm: float) -> _Femur:
    wide, deep = (radius * d.between(0.96, 1.04) for radius in radii_mm)
    x, y = at[0], at[1] + d.between(-4.0, 4.0)
    taper = d.between(0.9, 1.0)
    lower, upper = (x - side * 4.0, y, -REACH_MM), (x + side * 4.0, y, REACH_MM)
    d.column("adipose", upper, lower, (wide, deep), scale=taper)
    fascia = (wide - fat_mm * d.between(0.8, 1.2), deep - fat_mm)
    d.column("soft_tissue", upper, lower, fascia, scale=taper)
    femur = _Femur(
        x + side * d.between(2.0, 12.0),
        y - d.between(0.0, 14.0),
        (side * d.between(0.0, 0.08), d.between(-0.05, 0.05)),
        d.between(13.0, 16.5),
        d.between(5.5, 8.5),
    )
    draw_fat_planes(d, (x, y), fascia, femur.radius_mm, int(d.rng.integers(5, 9)))
    draw_vessels(d, (x - side * fascia[0] * 0.5, y - fascia[1] * d.between(0.05, 0.3)), d.between(3.2, 4.8))
    draw_skin_veins(d, (x, y), (wide, deep), fat_mm)
    start, end = femur.at(-REACH_MM), femur.at(REACH_MM)
    thick = femur.radius_mm - femur.canal_mm
    inside = d.one_of("marrow", "marrow", "spongiosa")
    d.bone(start, end, (femur.radius_mm, femur.radius_mm * d.between(0.92, 1.08)), thick, inside)
    return femur


def _draw_nail(d: Drawing, femur: _Femur, metal: str) -> None:
    radius = min(d.between(4.5, 6.0), femur.canal_mm - 0.3)
    off = d.between(-0.3, 0.3)
    low, high = (beside(femur.at(z), off, 0.0, 0.0) for z in (-REACH_MM + 20.0, REACH_MM - 20.0))
    tube = d.between(1.3, 2.2) if d.happens(0.5) else 0.0
    d.cylinder(metal, low, high, radius, implant=True)
    if tube:
        d.cylinder("marrow", low, high, tube)
    heights = [d.between(-24.0, -6.0), d.between(6.0, 24.0)][: int(d.rng.integers(1, 3))]
    for z in heights:
        x, y, _ = femur.at(z)
        turn, rise = np.deg2rad(d.between(-25.0, 25.0)), d.between(-0.15, 0.15)
        across = np.array([np.cos(turn), np.sin(turn), rise]) * (1 if x > 0 else -1)
        middle, half = np.array([x, y, z]), femur.radius_mm
        start, end = middle + across * (half + d.between(2.0, 5.0)), middle - across * (half + d.between(0.0, 3.0))
        d.cylinder(metal, start, end, d.between(1.9, 2.5), implant=True)
        d.ball(metal, start, d.between(3.0, 4.0), implant=True)


def _draw_plate(d: Drawing, femur: _Femur, side: int, metal: str) -> None:
    thick, wide = d.between(4.0, 6.0), d.between(13.0, 18.0)
    turn = np.deg2rad(d.between(-30.0, 30.0))
    outward = np.array([side * np.cos(turn), np.sin(turn), 0.0])
    lean = (*femur.lean, 1.0)
    outward -= np.dot(outward, lean) / np.dot(lean, lean) * np.array(lean)
    outward /= np.linalg.norm(outward)
    centre = np.array(femur.at(0.0)) + outward * (femur.radius_mm * 1.02 + thick / 2.0)
    d.box(metal, centre, (thick, wide, _PLATE_MM), along=lean, across=outward, implant=True)
    spacing, first, radius = d.between(12.0, 20.0), d.between(-6.0, 6.0), d.between(2.1, 2.6)
    for number in range(-3, 4):
        if number and d.happens(0.15):  # a hole left empty
            continue
        z = first + number * spacing
        head = np.array(femur.at(z)) + outward * (femur.radius_mm * 1.02 + thick * 0.8)
        tilt = np.array([0.0, d.between(-0.12, 0.12), d.between(-0.1, 0.1)])
        way = -(outward + tilt) / np.linalg.norm(outward + tilt)
        reach = thick * 0.8 + 2.0 * femur.radius_mm + d.between(0.5, 3.0)
        bicortical = 1.0 if d.happens(0.8) else 0.5
        d.cylinder(metal, head, head + way * reach * bicortical, radius, implant=True)
        d.ball(metal, head, d.between(3.4, 4.2), implant=True)
