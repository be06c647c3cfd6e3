"""The volumes beside the metal of a digital phantom in which uptake is compared."""

from __future__ import annotations

from math import ceil

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from leukospect.data import Geometry
from leukospect.phantoms import Phantom, attenuation_map, concentration_map
from leukospect.phantoms.description import NO_ACTIVITY, Compartment
from leukospect.phantoms.materials import METALS
from leukospect.phantoms.regions import DrawnRegion
from leukospect.phantoms.scene import scene_of
from leukospect.quantification.shapes import Box, Cylinder, Shape, Sphere

SHELL, MEDIAL, LATERAL = "3 to 15 mm around metal", "its medial side", "its lateral side"
_SHELL_MM = (3.0, 15.0)
_GRID_MM, _MARGIN_MM = 1.2, 30.0
_ENERGY_KEV, _TISSUE_PER_CM = 140.511, 0.05
_LEAST_ML = 2.0

Part = NDArray[np.float32]


def periprosthetic_volumes(phantom: Phantom, onto: Geometry) -> tuple[Part, dict[str, Part]]:
    """Draw the volumes beside metal, and tell how much of each voxel of a grid they fill.

    The shell from 3 to 15 mm around all metal, inside the body; its half nearer the patient's middle than the nearest
    metal, and the other; and the regions that a reader would draw as lesions, without the metal. Volumes of less than
    2 mL are left out.

    Parameters
    ----------
    phantom : Phantom
    onto : Geometry
        Axial.

    Returns
    -------
    (slices, rows, columns) array
        How much of each voxel is metal, 0 to 1.
    dict of str to (slices, rows, columns) array
    """
    fine = _fine_grid(phantom, onto)
    metal = np.asarray(sum(metal_fillings(phantom, fine).values()), np.float32) > 0.5
    tissue = np.asarray(attenuation_map(phantom, _ENERGY_KEV, fine, 1).array) > _TISSUE_PER_CM
    distance, nearest = ndimage.distance_transform_edt(~metal, sampling=fine.spacing_mm, return_indices=True)
    shell = tissue & (distance >= _SHELL_MM[0]) & (distance <= _SHELL_MM[1])
    x = fine.affine[0, 3] + fine.affine[0, 2] * np.arange(fine.shape[2])
    outwards = np.abs(x)[None, None, :] - np.abs(x[nearest[2]])
    masks = {SHELL: shell, MEDIAL: shell & (outwards < 0), LATERAL: shell & (outwards > 0)}
    for region in phantom.region:
        if region.role == "lesion":
            masks[region.name] = _drawn(region, fine) & ~metal
    parts = {name: _part_of_each(mask, fine, onto) for name, mask in masks.items()}
    least = _LEAST_ML / onto.voxel_volume_ml
    return _part_of_each(metal, fine, onto), {name: part for name, part in parts.items() if part.sum() >= least}


def _fine_grid(phantom: Phantom, onto: Geometry) -> Geometry:
    """Make a grid around all metal and a margin, no farther along z than the coarse one."""
    scene = scene_of(phantom)
    chosen = np.array([scene.materials[m] in METALS if m >= 0 else False for m in scene.material])
    limits = [scene.select(chosen).limits_mm(np.zeros(3), axis) for axis in np.eye(3)]
    low = np.array([each[:, 0].min() for each in limits]) - _MARGIN_MM
    high = np.array([each[:, 1].max() for each in limits]) + _MARGIN_MM
    ends = onto.to_lps([[0, 0, 0], [onto.shape[0] - 1, 0, 0]])[:, 2]
    low[2], high[2] = max(low[2], ends.min()), min(high[2], ends.max())
    columns, rows, slices = (ceil(extent / _GRID_MM) for extent in high - low)
    return Geometry.axial((slices, rows, columns), (_GRID_MM,) * 3, (float(low[0]), float(low[1]), float(low[2])))


def metal_fillings(phantom: Phantom, grid: Geometry) -> dict[str, Part]:
    """Tell how much of each voxel each metal fills, in the order in which shapes are painted: 0 to 1.

    Parameters
    ----------
    phantom : Phantom
    grid : Geometry
    """
    found: dict[str, Part] = {}
    for material in sorted({shape.material for shape in phantom.shape if shape.material in METALS} - {None}):
        shapes = tuple(
            shape.model_copy(update={"compartment": "metal" if shape.material == material else NO_ACTIVITY})
            for shape in phantom.shape
            if shape.material is not None
        )
        alone = {"metal": Compartment(hours=(0.0,), kbq_per_ml=(1.0,))}
        painted = phantom.model_copy(update={"shape": shapes, "compartment": alone})
        found[material] = np.asarray(concentration_map(painted, 0.0, grid, 2).array, np.float32)
    return found


def _drawn(region: DrawnRegion, grid: Geometry) -> NDArray[np.bool_]:
    shapes: list[Shape] = [Sphere(one.center_mm, one.radius_mm) for one in region.sphere]
    shapes += [Cylinder(one.from_mm, one.to_mm, one.radius_mm) for one in region.cylinder]
    shapes += [Box(one.center_mm, one.size_mm) for one in region.box]
    inside = np.zeros(grid.shape, np.bool_)
    for k in range(grid.shape[0]):
        j, i = np.indices(grid.shape[1:])
        places = grid.to_lps(np.stack([np.full_like(j, k), j, i], axis=-1))
        for shape in shapes:
            inside[k] |= shape.contains(places)
    return inside


def _part_of_each(mask: NDArray[np.bool_], fine: Geometry, onto: Geometry) -> Part:
    """Count the small voxels whose centre lies in each large one: the part of it that they fill."""
    part: Part = np.zeros(onto.shape, np.float32)
    indices = np.rint(onto.to_index(fine.to_lps(np.argwhere(mask)))).astype(int)
    inside = indices[np.all((indices >= 0) & (indices < onto.shape), axis=1)]
    np.add.at(part, tuple(inside.T), np.float32(fine.voxel_volume_ml / onto.voxel_volume_ml))
    return part
