"""Metal put into the bone of slices that are there: a real anatomy's, without metal of its own.

Rods lie inside bone, screws cross it, plates lie on it with a screw, fillings sit in what is denser than bone. Sizes,
places and materials are drawn from a seed.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from leukospect.errors import InputError
from leukospect.phantoms.acquisitions import CtAcquisition
from leukospect.phantoms.anatomy_drawing import Drawing, material_at_hand
from leukospect.phantoms.ct_scanner import Noise
from leukospect.phantoms.metal_anatomies import metal_phantom_of, metals_of, scanner_settings
from leukospect.phantoms.scanned_anatomy import NOISE_HU, PARTLY, ScannedAnatomy, filled_by_implants
from leukospect.phantoms.scene import scene_of
from leukospect.phantoms.slice_scanner import CellMetal, SliceScanner

REAL = "real anatomy"
_BONE_HU, _TOOTH_HU = 250.0, 1900.0
_LONG_MM = 400.0


def scan_in_anatomy(
    hu: NDArray[np.generic],
    pixel_mm: tuple[float, float],
    spacing_mm: float,
    body: NDArray[np.bool_],
    seed: int,
    *,
    threads: int = 1,
) -> ScannedAnatomy:
    """Draw metal into the bone of some slices and scan them.

    Parameters
    ----------
    hu : (slices, rows, columns) array
        Without metal, the lowest slice first.
    pixel_mm : (between rows, between columns)
    spacing_mm : float
    body : (slices, rows, columns) bool array
        Where the patient is.
    seed : int
    threads : int
        The result does not depend on it.

    Raises
    ------
    InputError
        There is no bone that would hold metal.
    """
    drawing = Drawing((99, seed))
    scan = CtAcquisition.model_validate(
        {"kind": "CT", "time_point": "early", "hours": 0.0, "matrix": hu.shape[1:], "pixel_mm": pixel_mm,
         "slices": hu.shape[0], "slice_spacing_mm": spacing_mm, **scanner_settings(drawing)}
    )  # fmt: skip
    middle = hu.shape[0] // 2
    draw_metal_into(drawing, np.asarray(hu[middle]), body[middle], pixel_mm)
    phantom = metal_phantom_of(f"{REAL} {seed}", drawing.shapes, scan)
    noise_hu = float(np.random.default_rng((99, seed, 1)).uniform(*NOISE_HU))
    nothing = CellMetal(np.zeros(hu.shape, np.uint8), (), 1)

    def noise(number: int) -> np.random.Generator:
        return np.random.default_rng((99, seed, 2, number))

    scan = scan.model_copy(update={"photons_per_ray": _photons_for(hu[middle : middle + 1], scan, noise_hu, noise)})
    plain = SliceScanner(hu, nothing, scan).metal_scan(noise, threads)
    made = SliceScanner(hu, scene_of(phantom), scan).metal_scan(noise, threads)
    return ScannedAnatomy(
        family=REAL,
        seed=seed,
        metals=metals_of(phantom),
        scanned_hu=made.scanned_hu.astype(np.float32),
        without_metal_hu=plain.scanned_hu.astype(np.float32),
        truth_hu=made.truth_hu.astype(np.float32),
        metal=made.metal,
        with_metal_in=made.metal | (filled_by_implants(phantom, made.geometry) >= PARTLY),
        geometry=made.geometry,
        kvp=scan.kvp,
        noise_hu=noise_hu,
    )


def _photons_for(middle: NDArray[np.generic], scan: CtAcquisition, noise_hu: float, noise: Noise) -> float:
    nothing = CellMetal(np.zeros(middle.shape, np.uint8), (), 1)
    one = SliceScanner(middle, nothing, scan.model_copy(update={"slices": 1})).metal_scan(noise, 1)
    tissue = ndimage.binary_erosion(np.abs(one.truth_hu[0] - 30.0) < 70.0, iterations=2)
    if not tissue.any():
        return scan.photons_per_ray
    measured = float(np.std((one.scanned_hu[0].astype(np.float64) - one.truth_hu[0])[tissue]))
    return float(np.clip(scan.photons_per_ray * (measured / noise_hu) ** 2, 2e3, 1e8))


def draw_metal_into(
    d: Drawing, hu: NDArray[np.generic], body: NDArray[np.bool_], pixel_mm: tuple[float, float]
) -> None:
    """Draw one to three implants into the bone of a slice; (rows, columns), the slice's middle is at x = y = 0."""
    bone = ndimage.binary_fill_holes(ndimage.binary_closing((np.asarray(hu) > _BONE_HU) & body, iterations=2))
    depth = np.asarray(ndimage.distance_transform_edt(bone & body, sampling=pixel_mm))
    teeth = np.argwhere((np.asarray(hu) > _TOOTH_HU) & body)
    if depth.max() < 3.0 and not teeth.size:
        raise InputError("The anatomy has no bone that would hold metal in its middle slice; give one with bone.")
    if len(teeth) > 30:
        for _ in range(int(d.rng.integers(1, 4))):
            _draw_filling(d, _place(teeth[int(d.rng.integers(len(teeth)))], depth.shape, pixel_mm))
    for _ in range(int(d.rng.integers(1, 4))):
        if depth.max() < 3.0:
            return
        deep = np.argwhere(depth > max(3.0, d.between(0.4, 0.9) * depth.max()))
        row, column = deep[int(d.rng.integers(len(deep)))]
        at, room = _place((row, column), depth.shape, pixel_mm), float(depth[row, column])
        # What is taken is no longer free.
        y, x = np.indices(depth.shape)
        depth[np.hypot((y - row) * pixel_mm[0], (x - column) * pixel_mm[1]) < 25.0] = 0.0
        {"rod": _draw_rod, "screw": _draw_screw, "plate": _draw_plate}[d.one_of("rod", "screw", "plate")](d, at, room)


def _place(
    index: NDArray[np.int64] | tuple[int, int], shape: tuple[int, ...], pixel_mm: tuple[float, float]
) -> tuple[float, float]:
    return (
        float((index[1] - (shape[1] - 1) / 2.0) * pixel_mm[1]),
        float((index[0] - (shape[0] - 1) / 2.0) * pixel_mm[0]),
    )


def _draw_filling(d: Drawing, at: tuple[float, float]) -> None:
    metal = d.one_of(material_at_hand("amalgam", "steel_316l"), material_at_hand("gold_alloy", "steel_316l"))
    size = (d.between(2.0, 5.0), d.between(2.0, 4.5), d.between(3.0, 6.0))
    d.box(metal, (*at, 0.0), size, across=(1.0, d.between(-1.0, 1.0), 0.0), implant=True)


def _draw_rod(d: Drawing, at: tuple[float, float], room_mm: float) -> None:
    metal = d.one_of("titanium_alloy", "steel_316l", material_at_hand("cobalt_chrome", "steel_316l"))
    radius = min(d.between(3.5, 7.0), max(room_mm * 0.8, 2.0))
    lean = d.between(-10.0, 10.0), d.between(-10.0, 10.0)
    d.cylinder(metal, (at[0] - lean[0], at[1] - lean[1], -_LONG_MM / 2.0),
               (at[0] + lean[0], at[1] + lean[1], _LONG_MM / 2.0), radius, implant=True)  # fmt: skip


def _draw_screw(d: Drawing, at: tuple[float, float], room_mm: float) -> None:
    metal = d.one_of("titanium_alloy", "steel_316l")
    angle, half = d.between(0.0, np.pi), min(room_mm + 3.0, 22.0)
    way = np.array([np.cos(angle), np.sin(angle), d.between(-0.15, 0.15)]) * half
    middle = np.array([*at, 0.0])
    d.cylinder(metal, middle - way, middle + way, d.between(1.8, 3.2), implant=True)


def _draw_plate(d: Drawing, at: tuple[float, float], room_mm: float) -> None:
    metal = d.one_of("titanium_alloy", "steel_316l")
    angle = d.between(0.0, 2.0 * np.pi)
    outward, thick = np.array([np.cos(angle), np.sin(angle), 0.0]), d.between(3.0, 5.5)
    middle = np.array([*at, 0.0]) + outward * (min(room_mm, 15.0) + thick / 2.0 - 1.0)
    d.box(metal, middle, (thick, d.between(10.0, 16.0), _LONG_MM), across=outward, implant=True)
    d.cylinder(metal, middle, middle - outward * (min(room_mm, 15.0) + 8.0), d.between(1.8, 2.5), implant=True)
