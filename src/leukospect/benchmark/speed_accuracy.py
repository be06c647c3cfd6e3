"""How true an image of the speed benchmark is: recovery of each sphere, background and noise, and the place."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from leukospect.benchmark.speed_case import (
    BODY_CENTRE_MM,
    BODY_HALF_AXES_MM,
    CONTRAST,
    SPHERES_MM,
    SpeedCase,
)

_SAMPLES = 6
_INSIDE_EDGE_MM = 30.0
_FROM_SPHERE_MM = 25.0


@dataclass(frozen=True, slots=True)
class Accuracy:
    """What an image measures against the truth.

    Parameters
    ----------
    recovery : tuple of (diameter in mm, fraction of the true concentration), largest first
        Mean inside the true contour, voxels weighted with the part of them that lies within.
    background_bias : float
        Relative error of the mean 30 mm inside the body's edge and 25 mm from spheres.
    background_cv : float
        Standard deviation over mean of the voxels there.
    misplaced_mm : float
        Distance of the largest sphere's centroid, background taken off, from its true place.
    """

    recovery: tuple[tuple[float, float], ...]
    background_bias: float
    background_cv: float
    misplaced_mm: float


def measure(image: NDArray[np.float32], case: SpeedCase) -> Accuracy:
    """Compare an image with the truth of its case.

    Parameters
    ----------
    image : (slices, rows, columns) array, unit of `case.truth`
    case : SpeedCase
    """
    background = background_region(case)
    values = image[background].astype(np.float64)
    level, true_level = float(values.mean()), float(case.truth[background].mean(dtype=np.float64))
    # No coarse voxel need lie within a sphere as a whole, so the highest true voxel may be too low.
    hot = CONTRAST * true_level
    recovery = []
    for x, y, z, diameter in SPHERES_MM:
        part = _part_within(case, (x, y, z), diameter / 2)
        recovery.append((diameter, float((image * part).sum(dtype=np.float64) / part.sum()) / hot))
    return Accuracy(
        tuple(recovery), level / true_level - 1.0, float(values.std()) / level, _misplaced_mm(image, case, level)
    )


def relative_difference(image: NDArray[np.float32], reference: NDArray[np.float32], case: SpeedCase) -> float:
    """Give the root mean square difference of two images over the body, relative to the reference's."""
    inside = case.mu > 0
    difference = image[inside].astype(np.float64) - reference[inside]
    return float(np.sqrt(np.mean(difference**2) / np.mean(reference[inside].astype(np.float64) ** 2)))


def background_region(case: SpeedCase) -> NDArray[np.bool_]:
    """Tell which voxels are of the background, far from edges and spheres: (slices, rows, columns)."""
    z, y, x = _centres_mm(case)
    (a, b, half), (x0, y0, z0) = BODY_HALF_AXES_MM, BODY_CENTRE_MM
    inside = ((x - x0) / (a - _INSIDE_EDGE_MM)) ** 2 + ((y - y0) / (b - _INSIDE_EDGE_MM)) ** 2 <= 1
    inside = inside & (np.abs(z - z0) <= half - _INSIDE_EDGE_MM)
    for sx, sy, sz, diameter in SPHERES_MM:
        inside &= (x - sx) ** 2 + (y - sy) ** 2 + (z - sz) ** 2 >= (diameter / 2 + _FROM_SPHERE_MM) ** 2
    return np.asarray(inside)


def _centres_mm(case: SpeedCase, samples: int = 1) -> tuple[NDArray[np.float64], ...]:
    """Give z, y and x of the voxels' centres, or of a finer grid's, to be broadcast."""
    n = case.size * samples
    places = (np.arange(n) - (n - 1) / 2) * case.pixel_mm / samples
    return places[:, None, None], places[None, :, None], places[None, None, :]


def _part_within(case: SpeedCase, centre_mm: tuple[float, float, float], radius_mm: float) -> NDArray[np.float64]:
    """Tell which part of each voxel lies within a sphere."""
    part = np.zeros((case.size,) * 3)
    middle = (np.array(centre_mm)[::-1] / case.pixel_mm) + (case.size - 1) / 2
    low = np.maximum(np.floor(middle - radius_mm / case.pixel_mm - 1).astype(int), 0)
    high = np.minimum(np.ceil(middle + radius_mm / case.pixel_mm + 2).astype(int), case.size)
    z, y, x = (
        axis.reshape(-1)[first * _SAMPLES : last * _SAMPLES]
        for axis, first, last in zip(_centres_mm(case, _SAMPLES), low, high, strict=True)
    )
    cx, cy, cz = centre_mm
    inside = (z - cz)[:, None, None] ** 2 + (y - cy)[None, :, None] ** 2 + (x - cx)[None, None, :] ** 2 <= radius_mm**2
    k, j, i = high - low
    blocks = inside.reshape(k, _SAMPLES, j, _SAMPLES, i, _SAMPLES)
    part[low[0] : high[0], low[1] : high[1], low[2] : high[2]] = blocks.mean(axis=(1, 3, 5))
    return part


def _misplaced_mm(image: NDArray[np.float32], case: SpeedCase, background: float) -> float:
    cx, cy, cz, diameter = max(SPHERES_MM, key=lambda sphere: sphere[3])
    near = _part_within(case, (cx, cy, cz), 0.75 * diameter)
    weight = near * np.maximum(image - background, 0.0)
    total = float(weight.sum())
    if total <= 0:
        return float("inf")
    found = [float((weight * axis).sum()) / total for axis in _centres_mm(case)]
    return float(np.linalg.norm(np.subtract(found, (cz, cy, cx))))
