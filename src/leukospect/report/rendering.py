"""Surfaces seen along parallel rays, shaded by a light beside the viewer, and the uptake on and behind them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from matplotlib.colors import Normalize
from numpy.typing import NDArray

from leukospect.report.figures_canvas import HOT_IRON
from leukospect.report.figures_orientation import Picture
from leukospect.report.figures_turned import turned
from leukospect.report.rendered_scene import AIR_HU, BONE_HU, Scene

Floats = NDArray[np.float32]

_METAL_PART = 0.25
_BODY_PART = 0.5
_BONE = np.array([0.87, 0.80, 0.66], np.float32)
_METAL = np.array([0.42, 0.57, 0.74], np.float32)
_SKIN = np.array([0.36, 0.42, 0.50], np.float32)
# from above the viewer's left shoulder: right, up, towards the viewer
_LIGHT = np.array([-0.35, 0.45, 0.82], np.float32)
_AMBIENT = 0.22
# how much darker the farthest surface is than the nearest
_DARKER_BY = 0.55
# metal just behind a surface of bone shows through it by so much, halved every so many mm deeper
_METAL_THROUGH_BONE, _METAL_HALVED_MM = 0.7, 20.0
# uptake behind a surface: it fades to so much, by half of the rest every so many mm
UPTAKE_BEHIND = 0.45
UPTAKE_HALVED_MM = 40.0
_SLAB = 32


@dataclass(frozen=True, slots=True, eq=False)
class Surface:
    """What each ray meets first.

    Parameters
    ----------
    depth : (rows, columns) array
        Planes from the near side of the volume, between voxel centres too; infinite where nothing is met.
    normal : (rows, columns, 3) array
        Right, up and towards the viewer; unit length, 0 where nothing is met.
    """

    depth: Floats
    normal: Floats

    @property
    def hit(self) -> NDArray[np.bool_]:
        """Where something is met."""
        return np.isfinite(self.depth)


def first_surface(field: Floats, level: float) -> Surface:
    """Find where rays first exceed a level.

    Parameters
    ----------
    field : (slices, planes, columns) array
        Slices from feet to head, planes from near to far; rows of the result run from head to feet.
    level : float
    """
    above = field > level
    plane = above.argmax(axis=1)
    hit = np.take_along_axis(above, plane[:, None], axis=1)[:, 0]
    k, i = np.nonzero(hit)
    n = plane[k, i]
    before = np.maximum(n - 1, 0)
    inner, outer = field[k, n, i], field[k, before, i]
    rise = inner - outer
    part = np.where(rise > 0, (inner - level) / np.where(rise > 0, rise, 1.0), 0.0).astype(np.float32)
    depth = np.full(hit.shape, np.inf, np.float32)
    depth[k, i] = n - part
    slope = (1 - part) * _gradient(field, k, n, i) + part * _gradient(field, k, before, i)
    normal = np.zeros((*hit.shape, 3), np.float32)
    length = np.maximum(np.linalg.norm(slope, axis=0), 1e-6)
    # values fall outwards; planes run away from the viewer
    normal[k, i] = np.stack([-slope[2], -slope[0], slope[1]], axis=-1) / length[:, None]
    normal[k[n == 0], i[n == 0]] = (0.0, 0.0, 1.0)  # cut by the volume's face
    return Surface(depth[::-1], normal[::-1])


def _gradient(field: Floats, k: NDArray[np.intp], n: NDArray[np.intp], i: NDArray[np.intp]) -> Floats:
    """Central differences at voxels, along slices, planes and columns: (3, voxels)."""
    place = (k, n, i)
    slopes = []
    for axis, size in enumerate(field.shape):
        low, high = list(place), list(place)
        low[axis], high[axis] = np.maximum(place[axis] - 1, 0), np.minimum(place[axis] + 1, size - 1)
        slopes.append(field[high[0], high[1], high[2]] - field[low[0], low[1], low[2]])
    return np.asarray(slopes, dtype=np.float32)


def strongest_uptake(uptake: Floats, surface_depth: Floats, step_mm: float) -> tuple[Floats, Floats]:
    """Find on each ray the uptake that shows most: the hottest, after what lies behind the surface has faded.

    Parameters
    ----------
    uptake : (slices, planes, columns) array
        As `first_surface` takes it.
    surface_depth : (rows, columns) array
        In planes, infinite without a surface.
    step_mm : float
        From plane to plane.

    Returns
    -------
    (value, fading) : (rows, columns) arrays
        The uptake itself, and what the way through the surface leaves of it: 1 in front.
    """
    slices, planes, columns = uptake.shape
    value, fading = np.empty((slices, columns), np.float32), np.empty((slices, columns), np.float32)
    plane = np.arange(planes, dtype=np.float32)[None, :, None]
    for start in range(0, slices, _SLAB):
        part = uptake[start : start + _SLAB]
        behind_mm = np.maximum(plane - surface_depth[::-1][start : start + _SLAB, None], 0.0) * np.float32(step_mm)
        left = UPTAKE_BEHIND + (1.0 - UPTAKE_BEHIND) * np.exp2(-behind_mm / np.float32(UPTAKE_HALVED_MM))
        best = (part * left).argmax(axis=1)[:, None]
        value[start : start + _SLAB] = np.take_along_axis(part, best, axis=1)[:, 0]
        fading[start : start + _SLAB] = np.take_along_axis(left, best, axis=1)[:, 0]
    return value[::-1], fading[::-1]


def rendered(scene: Scene, angle_deg: float, scale: Normalize) -> Picture:
    """Render a scene: ivory bone, steel-blue metal, the skin as a faint rim, uptake in hot iron over them.

    Parameters
    ----------
    scene : Scene
    angle_deg : float
        Where the viewer stands, as in `turned`.
    scale : Normalize
        Of the uptake.

    Returns
    -------
    Picture
        RGB, 0 to 1.
    """
    seen = turned(scene.tissue, angle_deg, AIR_HU)
    bone = first_surface(seen.array, BONE_HU)
    metal = first_surface(turned(scene.metal, angle_deg).array, _METAL_PART)
    skin = first_surface(turned(scene.body, angle_deg).array, _BODY_PART)
    step_mm = scene.uptake.geometry.spacing_mm[1]
    colours = _surfaces(bone, metal, skin, seen.array.shape[1], step_mm)
    front = np.minimum(bone.depth, metal.depth)
    value, fading = strongest_uptake(turned(scene.uptake, angle_deg).array, front, step_mm)
    share = np.clip(np.asarray(scale(value.astype(np.float64))), 0.0, 1.0)
    opacity = (0.92 * np.clip((share - 0.2) / 0.4, 0.0, 1.0) * fading)[..., None]
    colours = colours * (1.0 - opacity) + np.asarray(HOT_IRON(share))[..., :3] * opacity
    return Picture(np.clip(colours, 0.0, 1.0).astype(np.float32), seen.extent_mm, seen.letters)


def _surfaces(bone: Surface, metal: Surface, skin: Surface, planes: int, step_mm: float) -> Floats:
    nearest = float(min(s.depth.min(initial=np.inf) for s in (bone, metal, skin)))
    colours = np.zeros((*bone.depth.shape, 3), np.float32)
    rim = np.where(skin.hit, 0.10 + 0.55 * (1.0 - np.abs(skin.normal[..., 2])) ** 2, 0.0)
    colours += _SKIN * rim[..., None].astype(np.float32)
    colours = np.where(bone.hit[..., None], _BONE * _brightness(bone, nearest, planes), colours)
    shine = np.clip(metal.normal @ _half_way(), 0.0, 1.0) ** 24
    steel = _METAL * _brightness(metal, nearest, planes) + 0.45 * shine[..., None]
    both = bone.hit & metal.hit
    covered_mm = np.where(both, metal.depth, 0.0) * step_mm - np.where(both, bone.depth, 0.0) * step_mm
    through = _METAL_THROUGH_BONE * np.exp2(-np.maximum(covered_mm, 0.0) / _METAL_HALVED_MM)
    over = np.where(metal.hit, np.where(covered_mm > 0.0, through, 1.0), 0.0)[..., None].astype(np.float32)
    return np.asarray(colours * (1.0 - over) + steel * over, dtype=np.float32)


def _brightness(surface: Surface, nearest: float, planes: int) -> Floats:
    """Light from the side that the surface faces, less the farther it lies: (rows, columns, 1)."""
    light = _LIGHT / np.linalg.norm(_LIGHT)
    lit = _AMBIENT + (1.0 - _AMBIENT) * np.clip(surface.normal @ light, 0.0, 1.0)
    depth = np.where(surface.hit, surface.depth - nearest, 0.0) / max(planes, 1)
    return np.asarray(lit * (1.0 - _DARKER_BY * np.clip(depth, 0.0, 1.0)), dtype=np.float32)[..., None]


def _half_way() -> Floats:
    half = _LIGHT / np.linalg.norm(_LIGHT) + np.array([0.0, 0.0, 1.0], np.float32)
    return np.asarray(half / np.linalg.norm(half), dtype=np.float32)
