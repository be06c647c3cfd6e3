"""What many anatomies share: skin and fat, fat planes in muscle, vessels, bowel, couch and wires."""

from __future__ import annotations

import numpy as np

from leukospect.phantoms.anatomy_drawing import Drawing, material_at_hand

REACH_MM = 220.0
"""How far beyond the middle slice, up and down, long shapes run."""


def draw_couch(d: Drawing, lowest_mm: float, width_mm: float) -> None:
    """Draw a couch of foam in a thin shell below the patient; sometimes a wire lies on it or above the skin."""
    top, thick = lowest_mm + d.between(2.0, 8.0), d.between(18.0, 35.0)
    x, shell = d.between(-15.0, 15.0), d.between(1.0, 2.0)
    long = 2.0 * REACH_MM
    d.box("soft_tissue", (x, top + thick / 2.0, 0.0), (width_mm, thick, long))
    d.box("lung", (x, top + thick / 2.0, 0.0), (width_mm - 2 * shell, thick - 2 * shell, long - 2 * shell))


def draw_wire(d: Drawing, at: tuple[float, float]) -> None:
    """Draw a wire in the air, along the patient: outside, so no implant, and left alone by a metal reduction."""
    x, y = at
    start = (x + d.between(-4.0, 4.0), y, -REACH_MM)
    d.cylinder("aluminium", start, (x, y, REACH_MM), d.between(0.4, 0.9))


def draw_fat_planes(
    d: Drawing, centre: tuple[float, float], radii_mm: tuple[float, float], inner_mm: float, count: int
) -> None:
    """Part muscle by thin planes of fat that run outwards, and mottle it with streaks of fat."""
    turn = d.between(0.0, 360.0)
    for number in range(count):
        angle = np.deg2rad(turn + 360.0 * number / count + d.between(-14.0, 14.0))
        outward = np.array([np.cos(angle), np.sin(angle)])
        far = 0.95 / np.hypot(outward[0] / radii_mm[0], outward[1] / radii_mm[1])
        near = inner_mm + d.between(2.0, 8.0)
        if far - near < 8.0:
            continue
        middle = np.array(centre) + outward * (far + near) / 2.0
        thick = d.between(0.8, 3.0)
        d.box("adipose", (*middle, 0.0), (far - near, thick, 2.0 * REACH_MM),
              along=(d.between(-0.05, 0.05), d.between(-0.05, 0.05), 1.0), across=(*outward, 0.0))  # fmt: skip
    for _ in range(count):
        angle, share = d.between(0.0, 2.0 * np.pi), d.between(0.45, 0.85)
        place = (centre[0] + share * radii_mm[0] * np.cos(angle), centre[1] + share * radii_mm[1] * np.sin(angle))
        d.ellipsoid("adipose", (*place, d.between(-30.0, 30.0)),
                    (d.between(3.0, 9.0), d.between(1.0, 2.5), d.between(15.0, 40.0)),
                    across=(np.cos(angle + 0.6), np.sin(angle + 0.6), 0.0))  # fmt: skip


def draw_vessels(d: Drawing, at: tuple[float, float], radius_mm: float, *, calcified: float = 0.4) -> None:
    """Draw an artery and a vein in a sheath of fat, at times with contrast agent or calcified walls."""
    x, y = at
    d.cylinder("adipose", (x, y, -REACH_MM), (x, y, REACH_MM), 2.4 * radius_mm)
    blood = material_at_hand("contrast_blood_300", "soft_tissue") if d.happens(0.2) else "soft_tissue"
    lean = d.between(-6.0, 6.0)
    artery, vein = (x - radius_mm * 0.9, y), (x + radius_mm, y + radius_mm * 0.6)
    d.cylinder(blood, (*artery, -REACH_MM), (artery[0] + lean, artery[1], REACH_MM), radius_mm * 0.85)
    d.cylinder("soft_tissue", (*vein, -REACH_MM), (vein[0] + lean, vein[1], REACH_MM), radius_mm)
    if d.happens(calcified):
        for _ in range(int(d.rng.integers(2, 7))):
            angle, z = d.between(0.0, 2.0 * np.pi), d.between(-40.0, 40.0)
            edge = (artery[0] + 0.85 * radius_mm * np.cos(angle), artery[1] + 0.85 * radius_mm * np.sin(angle), z)
            d.ellipsoid("cortical_bone", edge, (d.between(0.6, 1.6), d.between(0.6, 1.2), d.between(1.0, 6.0)))


def draw_skin_veins(d: Drawing, centre: tuple[float, float], radii_mm: tuple[float, float], fat_mm: float) -> None:
    """Draw a few veins in the fat under the skin."""
    for _ in range(int(d.rng.integers(1, 5))):
        angle = d.between(0.0, 2.0 * np.pi)
        inset = fat_mm * d.between(0.4, 0.7)
        x = centre[0] + (radii_mm[0] - inset) * np.cos(angle)
        y = centre[1] + (radii_mm[1] - inset) * np.sin(angle)
        d.cylinder("soft_tissue", (x, y, -REACH_MM), (x, y, REACH_MM), d.between(0.8, 2.0))


def draw_bowel(d: Drawing, centre: tuple[float, float], reach_mm: tuple[float, float], count: int) -> None:
    """Draw loops of bowel with gas or with what was drunk, in fat."""
    for _ in range(count):
        x = centre[0] + d.between(-reach_mm[0], reach_mm[0])
        y = centre[1] + d.between(-reach_mm[1], reach_mm[1])
        loop = (d.between(10.0, 22.0), d.between(9.0, 17.0), d.between(20.0, 60.0))
        z = d.between(-40.0, 40.0)
        turn = (np.cos(d.between(0.0, np.pi)), np.sin(d.between(0.0, np.pi)), 0.0)
        d.ellipsoid("soft_tissue", (x, y, z), loop, across=turn)
        if d.happens(0.6):
            gas = (loop[0] * 0.6, loop[1] * 0.5, loop[2] * 0.8)
            d.ellipsoid("air", (x, y - loop[1] * 0.3, z), gas, across=turn)
        elif d.happens(0.15):
            agent = material_at_hand("contrast_blood_800", "soft_tissue")
            d.ellipsoid(agent, (x, y, z), (loop[0] * 0.7, loop[1] * 0.7, loop[2] * 0.8), across=turn)


def draw_arm(d: Drawing, side: int, at: tuple[float, float]) -> None:
    """Draw an arm beside the body: forearm or upper arm."""
    x, y = side * at[0], at[1]
    wide = d.between(30.0, 42.0)
    d.column("adipose", (x, y, -REACH_MM), (x, y, REACH_MM), (wide, wide * d.between(0.9, 1.1)))
    d.column("soft_tissue", (x, y, -REACH_MM), (x, y, REACH_MM), (wide - d.between(3.0, 8.0),) * 2)
    if d.happens(0.5):
        d.bone((x, y, -REACH_MM), (x, y, REACH_MM), (11.0, 10.5), 3.0, "marrow")
        return
    for offset in (-10.0, 10.0):
        d.bone((x + offset, y, -REACH_MM), (x + offset, y + 4.0, REACH_MM), (7.5, 6.0), 2.5, "marrow")
