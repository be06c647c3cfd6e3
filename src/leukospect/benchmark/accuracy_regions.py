"""Where the accuracy benchmark measures: weights of a solid in each voxel, and evenly filled places away from edges."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

from leukospect.benchmark.accuracy_cases import TRUTH_SAMPLES, Case
from leukospect.data import Image
from leukospect.phantoms import filling_map
from leukospect.phantoms.solids import Cylinder, Rods, Shape, Sphere

Weights = NDArray[np.float64]


def spheres_of(case: Case) -> tuple[Sphere, ...]:
    """Give the phantom's spheres, the largest first."""
    spheres = [shape for shape in case.phantom.shape if isinstance(shape, Sphere)]
    return tuple(sorted(spheres, key=lambda sphere: -sphere.radius_mm))


def sphere_name(sphere: Sphere) -> str:
    """Name a sphere by its diameter."""
    return f"sphere {2 * sphere.radius_mm:g} mm"


def weights_of(case: Case, shape: Shape) -> Weights:
    """Give the fraction of each voxel that lies in the true solid: (slices, rows, columns)."""
    return np.asarray(filling_map(case.phantom, shape, case.truth.geometry, TRUTH_SAMPLES).array, np.float64)


def shrunk(cylinder: Cylinder, radius_mm: float, ends_mm: float) -> Cylinder:
    """Give the inside of an upright cylinder: of this radius, and so much shorter at each end."""
    (x, y, z0), (x1, y1, z1) = sorted((cylinder.from_mm, cylinder.to_mm), key=lambda point: point[2])
    return cylinder.model_copy(
        update={"from_mm": (x, y, z0 + ends_mm), "to_mm": (x1, y1, z1 - ends_mm), "radius_mm": radius_mm}
    )


def shortened(rods: Rods, ends_mm: float) -> Rods:
    """Give rods that are so much shorter at each end."""
    (x, y, z0), (x1, y1, z1) = sorted((rods.from_mm, rods.to_mm), key=lambda point: point[2])
    return rods.model_copy(update={"from_mm": (x, y, z0 + ends_mm), "to_mm": (x1, y1, z1 - ends_mm)})


def even_region(case: Case, margin_mm: float, compartment: str = "background") -> NDArray[np.bool_]:
    """Find the voxels whose centre is further than a margin from all that a compartment does not fill.

    Half a voxel's diagonal is kept besides, since what fills a voxel in part may reach so far beyond its centre.
    """
    level, spacing = case.level(compartment), case.truth.geometry.spacing_mm
    filled = np.abs(np.asarray(case.truth.array, np.float64) - level) < 1e-3 * level
    inside = distance_transform_edt(np.pad(filled, 1), sampling=spacing)
    return np.asarray(inside[1:-1, 1:-1, 1:-1] > margin_mm + np.linalg.norm(spacing) / 2.0, dtype=np.bool_)


def places_mm(case: Case) -> NDArray[np.float64]:
    """Give the LPS place of each voxel's centre, (slices, rows, columns, 3)."""
    geometry = case.truth.geometry
    return geometry.to_lps(np.moveaxis(np.indices(geometry.shape), 0, -1))


def mean_in(image: Image, weights: NDArray[np.generic]) -> float:
    """Give the weighted mean of an image."""
    kept = np.asarray(weights, np.float64)
    return float((np.asarray(image.array, np.float64) * kept).sum() / kept.sum())


def variation_in(image: Image, region: NDArray[np.bool_]) -> float:
    """Give the coefficient of variation between the voxels of a region."""
    values = np.asarray(image.array, np.float64)[region]
    return float(values.std(ddof=1) / values.mean())


def total_of(image: Image) -> float:
    """Give the sum of an image times the volume of its voxels."""
    return float(np.asarray(image.array, np.float64).sum()) * image.geometry.voxel_volume_ml
