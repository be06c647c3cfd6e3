"""A pelvis at the height of the hips, with a prosthesis on one side or on both."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from leukospect.phantoms.anatomy_drawing import Drawing, beside, material_at_hand
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


def draw_hips(d: Drawing) -> None:
    """Draw a pelvis; z = 0 is near the middle of the prosthesis, the head of the hip lies above it."""
    wide, deep = d.between(160.0, 190.0), d.between(100.0, 128.0)
    y, fat = d.between(-12.0, 12.0), d.between(8.0, 26.0)
    if d.happens(0.75):
        draw_couch(d, y + deep, 420.0)
    ends = ((0.0, y, REACH_MM), (0.0, y, -REACH_MM))
    d.column("adipose", *ends, (wide, deep), scale=d.between(0.92, 1.0))
    fascia = (wide - fat, deep - fat)
    d.column("soft_tissue", *ends, fascia)
    for side in (1, -1):
        centre = (side * fascia[0] * 0.62, y + fascia[1] * 0.35)
        draw_fat_planes(d, centre, (fascia[0] * 0.36, fascia[1] * 0.6), 6.0, int(d.rng.integers(4, 7)))
    draw_skin_veins(d, (0.0, y), (wide, deep), fat)
    _draw_pelvic_cavity(d, y, fascia)
    hip_x, hip_z = d.between(82.0, 95.0), d.between(18.0, 34.0)
    for side in (1, -1):
        draw_vessels(d, (side * hip_x * 0.85, y - fascia[1] * d.between(0.62, 0.72)), d.between(4.0, 5.2))
    hips = {side: np.array(d.near((side * hip_x, y + 1.0, hip_z), 4.0)) for side in (1, -1)}
    for side, hip in hips.items():
        _draw_hip_bone(d, side, hip)
    operated = (1, -1) if d.happens(0.35) else (d.side(),)
    for side, hip in hips.items():
        if side in operated:
            _draw_prosthesis(d, side, hip)
        else:
            _draw_natural_femur(d, side, hip)
    if wide < 168.0 and d.happens(0.5):  # else it would lie outside the field of view
        draw_arm(d, d.side(), (wide + d.between(36.0, 46.0), y + d.between(-30.0, 30.0)))
    if d.happens(0.3):
        draw_wire(d, (d.between(-100.0, 100.0), y - deep - d.between(4.0, 15.0)))


def _draw_pelvic_cavity(d: Drawing, y: float, fascia: tuple[float, float]) -> None:
    d.column("adipose", (0.0, y, -60.0), (0.0, y, REACH_MM), (d.between(48.0, 58.0), fascia[1] * 0.72))
    bladder = (d.between(24.0, 42.0), d.between(18.0, 30.0), d.between(25.0, 45.0))
    d.ellipsoid("soft_tissue", (d.between(-6.0, 6.0), y - 22.0, 30.0), (bladder[0] + 3, bladder[1] + 3, bladder[2] + 3))
    agent = material_at_hand("contrast_blood_300", "water") if d.happens(0.12) else "water"
    d.ellipsoid(agent, (d.between(-6.0, 6.0), y - 22.0, 30.0), bladder)
    x, back = d.between(-10.0, 10.0), y + fascia[1] * 0.42
    d.column("soft_tissue", (x, back, -80.0), (x, back, REACH_MM), (d.between(16.0, 24.0), d.between(14.0, 20.0)))
    if d.happens(0.7):
        d.ellipsoid("air", (x, back - 4.0, d.between(-20.0, 30.0)), (d.between(6.0, 12.0), d.between(5.0, 9.0), 40.0))
    draw_bowel(d, (0.0, y - 8.0), (36.0, 30.0), int(d.rng.integers(1, 4)))
    d.round_bone((0.0, y + fascia[1] * 0.72, 30.0), (d.between(14.0, 20.0), d.between(6.0, 9.0), 60.0), 1.6)


def _draw_hip_bone(d: Drawing, side: int, hip: NDArray[np.float64]) -> None:
    """Draw acetabulum, ischium, pubis and the lower ilium."""
    cortex = d.between(1.4, 2.4)
    inward = np.array([-side * 12.0, 2.0, 8.0])
    d.round_bone(hip + inward, (d.between(32.0, 36.0), d.between(32.0, 37.0), d.between(33.0, 38.0)), cortex)
    d.round_bone(beside(hip, -side * 4.0, 12.0, 62.0), (12.0, 38.0, 52.0), cortex, across=(1.0, -side * 0.5, 0.0))
    d.round_bone(beside(hip, -side * 22.0, 30.0, -42.0), (15.0, 18.0, 32.0), cortex)
    start, end = beside(hip, -side * 20.0, -22.0, -6.0), np.array([side * 4.0, hip[1] - 44.0, hip[2] - 22.0])
    d.bone(start, end, (11.0, 8.5), cortex, across=(0.0, 0.3, 1.0))
    d.bone(
        beside(hip, -side * 20.0, 26.0, -66.0),
        beside(end, side * 8.0, 4.0, -18.0),
        (8.5, 6.5),
        cortex,
        across=(0.0, 0.3, 1.0),
    )


def _draw_upper_femur(d: Drawing, side: int, hip: NDArray[np.float64], cortex_mm: float) -> NDArray[np.float64]:
    """Draw trochanter and shaft; give the place where the neck's axis meets the shaft's."""
    meets = np.array(beside(hip, side * d.between(34.0, 42.0), d.between(4.0, 12.0), -d.between(36.0, 44.0)))
    down = meets + np.array([-side * 12.0, -4.0, -160.0])
    d.round_bone(beside(meets, side * 9.0, 6.0, 16.0), (17.0, 19.0, 27.0), min(cortex_mm, 2.5))
    d.round_bone(beside(meets, -side * 14.0, 10.0, -24.0), (11.0, 11.0, 14.0), 2.0)
    d.bone(beside(meets, 0.0, 0.0, 6.0), down, (d.between(17.0, 19.0), d.between(16.5, 19.0)), cortex_mm, "spongiosa",
           scale=0.85)  # fmt: skip
    d.cylinder("marrow", beside(meets, 0.0, 0.0, -40.0), down, 8.0)
    return meets


def _draw_natural_femur(d: Drawing, side: int, hip: NDArray[np.float64]) -> None:
    radius = d.between(22.0, 25.5)
    d.ball("soft_tissue", hip, radius + d.between(2.0, 3.5))  # the joint's space: cartilage and fluid
    d.ball("cortical_bone", hip, radius)
    meets = _draw_upper_femur(d, side, hip, d.between(3.0, 5.0))
    d.cylinder("cortical_bone", hip, meets, 15.0, 17.0)
    d.ball("spongiosa", hip, radius - d.between(1.0, 2.0))
    d.cylinder("spongiosa", hip, meets, 13.0, 15.0)


def _draw_prosthesis(d: Drawing, side: int, hip: NDArray[np.float64]) -> None:
    """Draw cup, liner, head, neck and stem; stems of steel or cobalt-chrome are cemented."""
    cobalt_chrome = material_at_hand("cobalt_chrome", "steel_316l")
    cemented = d.happens(0.35)
    stem = d.one_of("steel_316l", cobalt_chrome) if cemented else "titanium_alloy"
    liner = material_at_hand("polyethylene", "adipose")
    cup, head = d.between(24.0, 29.0), d.between(13.0, 18.5)
    meets = _draw_upper_femur(d, side, hip, d.between(3.5, 5.5))
    opening = (np.array([side * 1.0, -0.25, -1.0]) + d.rng.uniform(-0.15, 0.15, 3)) / 1.4
    if cemented:
        d.ball(material_at_hand("cement_barium", "soft_tissue"), hip, cup)
    else:
        d.ball("titanium_alloy", hip, cup, implant=True)
    d.ball(liner, hip, cup - d.between(3.0, 4.5))
    # Half a cup: below its rim lie the joint's capsule and fluid.
    d.cylinder("soft_tissue", hip + opening * 3.0, hip + opening * 40.0, cup + 0.6)
    for _ in range(0 if cemented else int(d.rng.integers(0, 3))):
        away = np.array([-side * d.between(0.1, 0.7), d.between(-0.4, 0.5), 1.0])
        away /= np.linalg.norm(away)
        d.cylinder("titanium_alloy", hip + away * (cup - 3.0), hip + away * (cup + d.between(15.0, 28.0)), 3.0,
                   implant=True)  # fmt: skip
    down = meets + np.array([-side * 9.0, -3.0, -1.0 * d.between(105.0, 140.0)])
    if cemented:
        cement = material_at_hand("cement_barium", "soft_tissue")
        d.cylinder(cement, beside(meets, 0.0, 0.0, -4.0), beside(down, 0.0, 0.0, -8.0), 13.0, 8.0)
    else:
        d.cylinder("spongiosa", meets, down, 13.0, 8.0)
    d.ball(cobalt_chrome, hip, head, implant=True)
    d.cylinder(stem, hip, meets, d.between(5.5, 6.5), d.between(7.5, 9.5), implant=True)
    d.cylinder(stem, beside(meets, side * 3.0, 0.0, 4.0), down, d.between(9.0, 11.0), d.between(4.0, 5.5), implant=True)
