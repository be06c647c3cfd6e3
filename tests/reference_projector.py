"""A slow, plain projector to test the fast one against: scipy only, on a finer grid, with whole Gaussian kernels.

It shares no code with the program: rotation by cubic interpolation, attenuation by cumulative sums along the rays, the
response of each plane by one Gaussian of its own, and fine pixels added up into the detector's.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, map_coordinates

Volume = NDArray[np.float64]


def lehr_sigma_mm(distance_mm: float) -> float:
    """Give the response of a Siemens LEHR at 140.5 keV: holes 1.11 x 24.05 mm, lead 26.9 per cm, crystal 3.8 mm."""
    effective_mm = 24.05 - 2 / 2.69
    geometric_mm = 1.11 * (effective_mm + max(distance_mm, 0.0)) / effective_mm
    return float(np.hypot(geometric_mm, 3.8) / np.sqrt(8 * np.log(2)))


def _turned(image: Volume, points_mm: NDArray[np.float64], spacing_mm: tuple[float, float, float]) -> Volume:
    """Interpolate an image at (z, y, x) from its centre."""
    centre = (np.array(image.shape).reshape(3, 1) - 1) / 2
    indices = points_mm.reshape(3, -1) / np.array(spacing_mm).reshape(3, 1) + centre
    values = map_coordinates(image, indices, order=3, mode="constant", cval=0.0)
    return np.asarray(values).reshape(points_mm.shape[1:])


def _fine(size: int, spacing_mm: float, finer: int) -> NDArray[np.float64]:
    """Places of the centres of the fine pixels, mm from the centre of the row of coarse ones."""
    return ((np.arange(size * finer) + 0.5) / finer - size / 2) * spacing_mm


def reference_view(
    activity: Volume,
    mu_per_cm: Volume | None,
    *,
    angle_deg: float,
    pixel_mm: tuple[float, float],
    radius_mm: float,
    sigma_mm: Callable[[float], float] | None,
    offset_mm: float = 0.0,
    finer: int = 2,
) -> Volume:
    """Project an image to one view.

    Parameters
    ----------
    activity, mu_per_cm : (slices, rows, columns) arrays
        k to the head, j to the back, i to the patient's left; the axis of rotation is their centre.
    angle_deg : float
        0 is the detector at the back, 90 at the patient's left.
    pixel_mm : (axial, transverse)
    radius_mm : float
    sigma_mm : function of the distance from the collimator, or None
    offset_mm : float
        Centre-of-rotation offset along the columns.
    finer : int
        Fine pixels a pixel and axis.

    Returns
    -------
    (rows, columns) array, rows from head to feet, columns to the right of someone behind the detector
    """
    slices, n, _ = activity.shape
    axial, transverse = pixel_mm
    t = np.deg2rad(angle_deg)
    depth = _fine(n, transverse, finer)  # towards the detector
    z = -_fine(slices, axial, finer)  # rows run from the head to the feet
    u = _fine(n, transverse, finer) - offset_mm
    d, zz, uu = np.meshgrid(depth, z, u, indexing="ij")
    points = np.stack([zz, d * np.cos(t) + uu * np.sin(t), d * np.sin(t) - uu * np.cos(t)])
    spacing = (axial, transverse, transverse)
    planes = _turned(activity, points, spacing)
    if mu_per_cm is not None:
        path = _turned(mu_per_cm, points, spacing) * transverse / finer / 10
        nearer = np.cumsum(path[::-1], axis=0)[::-1] - path
        planes = planes * np.exp(-nearer - path / 2)
    if sigma_mm is not None:
        for number, place in enumerate(depth):
            sigma = sigma_mm(radius_mm - float(place)) * finer
            planes[number] = gaussian_filter(planes[number], (sigma / axial, sigma / transverse), mode="constant")
    view = planes.sum(axis=0).reshape(slices, finer, n, finer).sum(axis=(1, 3))
    return np.asarray(view / finer**3)


def distance(view: NDArray[np.floating], other: NDArray[np.floating]) -> float:
    """Relative L2 distance of a view from another."""
    return float(np.linalg.norm(view.astype(np.float64) - other) / np.linalg.norm(other))
