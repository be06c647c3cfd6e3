"""A jaw with teeth, fillings, crowns and implants; tongue, airway and spine behind."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from leukospect.phantoms.anatomy_drawing import Drawing, Place, beside, material_at_hand
from leukospect.phantoms.anatomy_surroundings import REACH_MM, draw_couch, draw_skin_veins, draw_vessels, draw_wire

_TEETH = 14


def draw_filled_teeth(d: Drawing) -> None:
    """Draw a head at the mouth: z = 0 is between the rows of teeth, +z the upper jaw."""
    wide, deep = d.between(62.0, 74.0), d.between(84.0, 98.0)
    y, fat = d.between(-10.0, 10.0), d.between(3.0, 10.0)
    if d.happens(0.8):
        draw_couch(d, y + deep, d.between(200.0, 230.0))
    ends = ((0.0, y, -REACH_MM), (0.0, y, REACH_MM))
    d.column("adipose", *ends, (wide, deep))
    d.column("soft_tissue", *ends, (wide - fat, deep - fat))
    draw_skin_veins(d, (0.0, y), (wide, deep), fat)
    _draw_neck(d, y, (wide, deep))
    front = y - deep + d.between(13.0, 18.0)
    half, length = d.between(26.0, 31.0), d.between(48.0, 56.0)
    _draw_mouth(d, front, half, length)
    lower, upper = _arch(d, front, half, length, -1), _arch(d, front + 2.0, half + 1.5, length, 1)
    _draw_jaw_bones(d, lower, upper, half, length, front)
    _draw_teeth(d, lower, upper)
    if d.happens(0.2):
        draw_wire(d, (d.between(-40.0, 40.0), y - deep - d.between(5.0, 12.0)))


def _arch(d: Drawing, front: float, half: float, length: float, jaw: int) -> list[NDArray[np.float64]]:
    """Place the teeth of a jaw on a parabola open to the back, right to left."""
    across = np.linspace(-1.0, 1.0, _TEETH)
    across = np.sign(across) * np.abs(across) ** 0.8
    places = [(half * t, front + length * 0.9 * t**2) for t in across]
    tilt = d.between(-0.04, 0.04)
    return [np.array([x + d.between(-0.6, 0.6), y, jaw * 0.3 + tilt * x]) for x, y in places]


def _draw_neck(d: Drawing, y: float, radii_mm: tuple[float, float]) -> None:
    """Draw airway, spine, vessels, muscles and fat behind the mouth."""
    wide, deep = radii_mm
    spine = y + deep * d.between(0.2, 0.3)
    for side in (1, -1):
        d.column("adipose", (side * wide * 0.55, spine - 14.0, -REACH_MM), (side * wide * 0.55, spine - 14.0, REACH_MM),
                 (15.0, 17.0))  # fmt: skip
        draw_vessels(d, (side * wide * d.between(0.48, 0.58), spine - 8.0), d.between(3.0, 4.5))
        neck = (side * wide * 0.72, spine + 6.0)  # sternocleidomastoid
        d.column("soft_tissue", (*neck, -REACH_MM), (*neck, REACH_MM), (9.0, 18.0),
                 across=(1.0, side * 0.5, 0.0))  # fmt: skip
        for layer in (0.5, 0.72):
            d.box("adipose", (side * 18.0, y + deep * layer, 0.0), (30.0, d.between(1.0, 2.2), 2 * REACH_MM),
                  across=(1.0, -side * 0.35, 0.0))  # fmt: skip
    airway = (d.between(-3.0, 3.0), spine - d.between(24.0, 28.0))
    d.column("air", (*airway, -REACH_MM), (*airway, 40.0), (d.between(8.0, 14.0), d.between(4.0, 8.0)))
    for z in (-36.0, -18.0, 0.0, 18.0, 36.0):
        d.bone((0.0, spine, z - 7.5), (0.0, spine, z + 7.5), (d.between(11.0, 13.0), 8.5), 1.3)
        for side in (1, -1):
            d.round_bone((side * 17.0, spine + 6.0, z), (8.0, 7.0, 7.0), 1.6)
            d.bone((side * 14.0, spine + 10.0, z), (side * 2.0, spine + 24.0, z - 3.0), (2.6, 6.0), 1.1,
                   across=(0.0, 1.0, 0.0))  # fmt: skip
        d.round_bone((0.0, spine + 30.0, z - 4.0), (3.0, 10.0, 5.0), 1.2)
    d.column("water", (0.0, spine + 15.0, -REACH_MM), (0.0, spine + 15.0, REACH_MM), (10.0, 7.0))


def _draw_mouth(d: Drawing, front: float, half: float, length: float) -> None:
    """Draw the cavity's air, and the tongue that nearly fills it."""
    middle = front + length * 0.62
    d.ellipsoid("air", (0.0, middle, d.between(4.0, 9.0)), (half - 5.0, length * 0.5, d.between(9.0, 15.0)))
    tongue = (half - d.between(5.5, 9.0), length * d.between(0.5, 0.56), d.between(20.0, 26.0))
    d.ellipsoid("soft_tissue", (d.between(-2.0, 2.0), middle + 4.0, -8.0), tongue)
    d.box("adipose", (0.0, middle + 6.0, -20.0), (d.between(1.5, 3.0), length * 0.5, 26.0))
    for side in (1, -1):
        d.ellipsoid("adipose", (side * (half + 14.0), front + length * 0.7, 4.0), (6.0, 16.0, 18.0))


def _draw_jaw_bones(
    d: Drawing,
    lower: list[NDArray[np.float64]],
    upper: list[NDArray[np.float64]],
    half: float,
    length: float,
    front: float,
) -> None:
    cortex = d.between(1.6, 2.6)
    for bones, jaw, depth in ((lower, -1, 20.0), (upper, 1, 16.0)):
        for layer, less in (("cortical_bone", 0.0), ("spongiosa", cortex)):
            for here, there in pairwise(bones):
                middle = (here + there) / 2.0
                along = there - here
                size = (float(np.linalg.norm(along[:2])) + 4.0, 11.0 - 2 * less, depth - 2 * less)
                d.box(layer, (*middle[:2], jaw * (9.0 + depth / 2.0)), size, across=(*along[:2], 0.0))
    for side in (1, -1):
        ramus = (side * (half + 12.0), front + length + d.between(8.0, 14.0), 0.0)
        d.bone(beside(ramus, 0.0, 0.0, -28.0), beside(ramus, side * 2.0, 4.0, 40.0), (5.5, 15.0), 1.8,
               across=(1.0, side * 0.25, 0.0))  # fmt: skip
        d.ellipsoid("soft_tissue", beside(ramus, side * 11.0, -4.0, 0.0), (6.5, 19.0, 32.0))  # masseter
        if d.happens(0.8):
            at = (side * (half - 2.0), front + length * 0.6, 38.0)
            d.round_bone(at, (13.0, 17.0, 15.0), 1.2, "air")  # maxillary sinus


def _draw_teeth(d: Drawing, lower: list[NDArray[np.float64]], upper: list[NDArray[np.float64]]) -> None:
    work: list[str] = ["none"] * (2 * _TEETH)
    number = int(d.rng.integers(3, 9))
    for place in d.rng.choice(2 * _TEETH, number, replace=False):
        molar = abs(place % _TEETH - (_TEETH - 1) / 2.0) > 2.5
        kinds = ("amalgam", "amalgam", "crown", "implant", "root") if molar else ("crown", "implant", "root")
        work[int(place)] = d.one_of(*kinds)
    if not {"amalgam", "crown"} & set(work):
        work[1] = "amalgam"
    for place, (kind, at) in enumerate(zip(work, [*lower, *upper], strict=True)):
        jaw = -1 if place < _TEETH else 1
        if kind == "none" and d.happens(0.1):
            continue  # a missing tooth
        _draw_tooth(d, at, jaw, abs(place % _TEETH - (_TEETH - 1) / 2.0), kind)


def _draw_tooth(d: Drawing, at: Place, jaw: int, from_middle: float, kind: str) -> None:
    enamel, dentine = material_at_hand("enamel", "cortical_bone"), material_at_hand("dentine", "cortical_bone")
    wide = (3.3 if from_middle < 1 else 3.6 if from_middle < 3 else 4.6) * d.between(0.92, 1.08)
    crown, root = beside(at, 0.0, 0.0, jaw * 4.5), beside(at, 0.0, 0.0, jaw * d.between(19.0, 22.0))
    neck = beside(at, 0.0, 0.0, jaw * 9.0)
    if kind == "implant":
        d.cylinder(
            "titanium_alloy",
            beside(neck, 0.0, 0.0, -jaw * 2.0),
            beside(root, 0.0, 0.0, -jaw * 2.0),
            2.1,
            1.7,
            implant=True,
        )
        alloy = d.one_of(material_at_hand("cobalt_chrome", "steel_316l"), material_at_hand("gold_alloy", "steel_316l"))
        d.ellipsoid(alloy, crown, (wide * 0.8, wide * 0.8, 4.0), implant=True)
        d.ellipsoid(enamel, beside(crown, 0.0, 0.0, -jaw * 0.8), (wide * 0.6, wide * 0.6, 3.0))  # a ceramic face
        return
    d.cylinder(dentine, beside(neck, 0.0, 0.0, -jaw * 1.5), root, wide * 0.8, 1.4)
    if kind == "crown":
        alloy = d.one_of(material_at_hand("gold_alloy", "steel_316l"), material_at_hand("cobalt_chrome", "steel_316l"))
        d.ellipsoid(alloy, crown, (wide + 0.5, wide + 0.5, 4.8), implant=True)
        d.ellipsoid(dentine, beside(crown, 0.0, 0.0, jaw * 1.2), (wide - 0.6, wide - 0.6, 4.4))
        return
    d.ellipsoid(enamel, crown, (wide, wide, 4.6))
    d.ellipsoid(dentine, beside(crown, 0.0, 0.0, jaw * 1.2), (wide - 1.3, wide - 1.3, 3.8))
    d.cylinder("soft_tissue", crown, root, 0.8, 0.4)  # pulp
    if kind == "amalgam":
        size = (d.between(2.5, 5.0), d.between(2.5, 4.5), d.between(2.0, 3.5))
        d.box(material_at_hand("amalgam", "steel_316l"), beside(crown, 0.0, 0.0, -jaw * 1.8), size, implant=True)
    elif kind == "root":
        d.cylinder(
            "titanium_alloy", beside(crown, 0.0, 0.0, jaw), beside(root, 0.0, 0.0, -jaw * 5.0), 0.9, 0.7, implant=True
        )
