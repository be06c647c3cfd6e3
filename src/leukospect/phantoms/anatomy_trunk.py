"""A lumbar trunk with pedicle screws and rods."""

from __future__ import annotations

import numpy as np

from leukospect.phantoms.anatomy_drawing import Drawing
from leukospect.phantoms.anatomy_surroundings import (
    REACH_MM,
    draw_arm,
    draw_bowel,
    draw_couch,
    draw_fat_planes,
    draw_skin_veins,
    draw_vessels,
    draw_wire,
)


def draw_fused_spine(d: Drawing) -> None:
    """Draw a trunk whose lumbar vertebrae are screwed to two rods; z = 0 is at a pedicle."""
    wide, deep = d.between(140.0, 185.0), d.between(98.0, 132.0)
    y, fat = d.between(-12.0, 12.0), d.between(6.0, 28.0)
    if d.happens(0.75):
        draw_couch(d, y + deep, 420.0)
    ends = ((0.0, y, -REACH_MM), (0.0, y, REACH_MM))
    d.column("adipose", *ends, (wide, deep))
    fascia = (wide - fat, deep - fat)
    d.column("soft_tissue", *ends, fascia)
    wall = d.between(10.0, 18.0)
    d.column("adipose", (0.0, y - 8.0, -REACH_MM), (0.0, y - 8.0, REACH_MM), (fascia[0] - wall, fascia[1] - wall - 6.0))
    draw_skin_veins(d, (0.0, y), (wide, deep), fat)
    _draw_organs(d, y, fascia)
    body_y = y + fascia[1] * d.between(0.2, 0.3)
    _draw_back(d, y, fascia, body_y)
    draw_vessels(d, (d.between(0.0, 12.0), body_y - 38.0), d.between(7.0, 10.0), calcified=0.6)
    _draw_spine(d, body_y)
    if wide < 168.0 and d.happens(0.5):  # else it would lie outside the field of view
        draw_arm(d, d.side(), (wide + d.between(38.0, 46.0), y + d.between(-10.0, 30.0)))
    if d.happens(0.3):
        draw_wire(d, (d.between(-90.0, 90.0), y - deep - d.between(4.0, 15.0)))


def _draw_organs(d: Drawing, y: float, fascia: tuple[float, float]) -> None:
    draw_bowel(d, (0.0, y - fascia[1] * 0.35), (fascia[0] * 0.6, fascia[1] * 0.32), int(d.rng.integers(6, 12)))
    if d.happens(0.5):
        d.ellipsoid("soft_tissue", (-fascia[0] * 0.58, y - 12.0, 40.0), (fascia[0] * 0.3, fascia[1] * 0.5, 70.0))
    for side in (1, -1):
        if d.happens(0.7):
            at = (side * d.between(62.0, 76.0), y + fascia[1] * 0.28, d.between(-40.0, 50.0))
            d.ellipsoid("soft_tissue", at, (d.between(22.0, 28.0), d.between(20.0, 26.0), d.between(45.0, 55.0)))
            d.ellipsoid("adipose", (at[0] - side * 8.0, at[1] - 3.0, at[2]), (8.0, 6.0, 20.0))
        colon = (side * (fascia[0] - 36.0), y + d.between(-10.0, 20.0))
        d.column("soft_tissue", (*colon, -REACH_MM), (*colon, REACH_MM), (17.0, 18.0))
        if d.happens(0.7):
            d.ellipsoid("air", (colon[0], colon[1] - 4.0, d.between(-40.0, 40.0)), (11.0, 9.0, d.between(20.0, 60.0)))


def _draw_back(d: Drawing, y: float, fascia: tuple[float, float], body_y: float) -> None:
    """Draw psoas and erector spinae with their fat."""
    for side in (1, -1):
        psoas = (side * d.between(42.0, 50.0), body_y + 4.0)
        d.column("soft_tissue", (*psoas, -REACH_MM), (*psoas, REACH_MM), (d.between(17.0, 24.0), d.between(20.0, 28.0)))
        back = (side * d.between(36.0, 42.0), min(body_y + d.between(48.0, 54.0), y + fascia[1] - 26.0))
        radii = (d.between(30.0, 36.0), d.between(20.0, 25.0))
        d.column("soft_tissue", (*back, -REACH_MM), (*back, REACH_MM), radii)
        draw_fat_planes(d, back, radii, 2.0, int(d.rng.integers(2, 6)))


def _draw_spine(d: Drawing, y: float) -> None:
    period, height = d.between(35.0, 40.0), d.between(25.0, 28.0)
    wide, deep = d.between(22.0, 27.0), d.between(16.0, 19.0)
    metal = d.one_of("titanium_alloy", "steel_316l")
    cortex = d.between(1.0, 1.8)
    canal_y = y + deep + 9.0
    for level in range(-4, 5):
        z = level * period - 6.0
        x = d.between(-1.0, 1.0)
        d.column("soft_tissue", (x, y, z - period / 2.0), (x, y, z + period / 2.0), (wide + 1.0, deep + 1.0))
        d.column("cortical_bone", (x, y, z - height / 2.0), (x, y, z + height / 2.0), (wide, deep))
        inside = height / 2.0 - d.between(1.0, 2.0)
        d.column("spongiosa", (x, y, z - inside), (x, y, z + inside), (wide - cortex, deep - cortex))
        if d.happens(0.3):  # an osteophyte
            d.ellipsoid("cortical_bone", (x + d.side() * wide, y - 6.0, z + height / 2.0), (5.0, 4.0, 4.0))
        for side in (1, -1):
            _draw_arch(d, side, (x, y + deep, z), canal_y, wide)
        d.round_bone((x, canal_y + 26.0, z - 8.0), (3.5, 17.0, 11.0), 1.2)
    d.column("water", (0.0, canal_y, -REACH_MM), (0.0, canal_y, REACH_MM), (9.5, 7.5))
    _draw_hardware(d, y, deep, period, wide, metal)


def _draw_arch(d: Drawing, side: int, back: tuple[float, float, float], canal_y: float, wide: float) -> None:
    """Draw pedicle, lamina, transverse process and facet joint of one side."""
    x, y, z = back
    pedicle = x + side * wide * 0.62
    d.bone((pedicle, y - 4.0, z + 5.0), (pedicle + side, canal_y + 8.0, z + 4.0), (5.0, 7.5), 1.2)
    d.bone((pedicle + side * 3.0, canal_y + 8.0, z - 4.0), (x + side * 2.0, canal_y + 16.0, z - 6.0), (3.6, 9.0), 1.3,
           across=(0.0, 1.0, 0.0))  # fmt: skip
    d.bone((pedicle, canal_y + 4.0, z + 3.0), (x + side * (wide + 20.0), canal_y + 9.0, z + 3.0), (4.0, 5.0), 1.2,
           across=(0.0, 1.0, 0.0))  # fmt: skip
    d.round_bone((pedicle + side * 3.0, canal_y + 9.0, z - 13.0), (6.5, 7.5, 10.0), 1.6)


def _draw_hardware(d: Drawing, y: float, deep: float, period: float, wide: float, metal: str) -> None:
    """Draw two screws a level, a tulip on each, and the rods between them."""
    radius, rod = d.between(2.7, 3.4), d.between(2.5, 3.1)
    converge = np.deg2rad(d.between(6.0, 16.0))
    levels = [-1, 0, 1] if d.happens(0.6) else [0, 1]
    missing = (d.side(), levels[-1]) if d.happens(0.2) else None
    back_y = y + deep + d.between(26.0, 30.0)
    rod_z = (min(levels) * period - 20.0, max(levels) * period + 20.0)
    for side in (1, -1):
        entry_x = side * (wide * 0.62 + np.tan(converge) * 18.0)
        for level in levels:
            if (side, level) == missing:
                continue
            z = level * period - 2.0 + d.between(-2.0, 2.0)
            entry = np.array([entry_x + d.between(-1.0, 1.0), back_y, z])
            way = np.array([-side * np.sin(converge), -np.cos(converge), d.between(-0.1, 0.1)])
            d.cylinder(metal, entry, entry + way * d.between(44.0, 54.0), radius, radius * 0.85, implant=True)
            d.cylinder(metal, entry - way * 2.0, entry - way * 13.0, d.between(5.0, 6.5), implant=True)
        rod_y = back_y + 8.0
        d.cylinder(metal, (entry_x, rod_y, rod_z[0]), (entry_x + side * 2.0, rod_y + 3.0, rod_z[1]), rod, implant=True)
    if d.happens(0.25):
        across = wide * 0.62 + np.tan(converge) * 18.0
        d.cylinder(metal, (-across, back_y + 10.0, 14.0), (across, back_y + 10.0, 15.0), 2.2, implant=True)
    if d.happens(0.25):  # markers of an intervertebral cage
        for x in (-7.0, 7.0):
            z = period / 2.0 - 6.0
            d.cylinder("titanium_alloy", (x, y + 6.0, z - 3.5), (x, y + 6.0, z + 3.5), 0.9, implant=True)
