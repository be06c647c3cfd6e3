"""An elliptical body with spheres, a lung, a bone and warm background, drawn on any grid, turned as asked."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Float64 = NDArray[np.float64]

WATER, LUNG, BONE = 0.1536, 0.042, 0.293
DIAMETERS_MM = (37.0, 28.0, 22.0, 17.0, 13.0, 10.0)


@dataclass(frozen=True)
class Sphere:
    """A sphere by its centre (x, y, z) and diameter, mm, and its concentration over the background's."""

    centre_mm: tuple[float, float, float]
    diameter_mm: float
    contrast: float = 8.0


def ring(semi_x_mm: float, semi_y_mm: float, z_mm: float = 0.0, first_deg: float = 20.0) -> tuple[Sphere, ...]:
    """Place the spheres from 37 to 10 mm around an ellipse."""
    turns = np.deg2rad(first_deg + 60.0 * np.arange(6))
    return tuple(
        Sphere((float(semi_x_mm * np.cos(t)), float(semi_y_mm * np.sin(t)), z_mm), d)
        for t, d in zip(turns, DIAMETERS_MM, strict=True)
    )


@dataclass(frozen=True)
class Body:
    """A body of water, 340 mm wide and 240 mm deep unless told, activity 1 in it, `spheres` hotter.

    Lung and bone are cylinders along z: low attenuation and no activity, high attenuation and no activity.
    """

    spheres: tuple[Sphere, ...]
    semi_x_mm: float = 170.0
    semi_y_mm: float = 120.0
    background: float = 1.0
    lung: tuple[float, float, float] | None = (80.0, -30.0, 45.0)  # x, y, radius
    bone: tuple[float, float, float] | None = (0.0, 75.0, 18.0)

    def drawn(
        self, size: tuple[int, int], voxel_mm: tuple[float, float], *, turned_deg: float = 0.0, parts: int = 4
    ) -> tuple[Float64, Float64]:
        """Draw activity and attenuation (1/cm) on `size` (slices, n) voxels (axial, transverse), each averaged.

        Parameters
        ----------
        turned_deg : float
            The view from this angle becomes that from 0.
        parts : int
            Samples of a voxel along each axis.
        """
        slices, n = size
        y, x = np.meshgrid(*2 * (_samples(n, voxel_mm[1], parts),), indexing="ij")
        t = np.deg2rad(turned_deg)
        # What lies towards (sin t, cos t) comes to lie towards y.
        x, y = x * np.cos(t) + y * np.sin(t), -x * np.sin(t) + y * np.cos(t)
        inside = (x / self.semi_x_mm) ** 2 + (y / self.semi_y_mm) ** 2 <= 1
        mu, warm = np.where(inside, WATER, 0.0), np.where(inside, self.background, 0.0)
        for cylinder, value in ((self.lung, LUNG), (self.bone, BONE)):
            if cylinder is not None:
                within = np.hypot(x - cylinder[0], y - cylinder[1]) <= cylinder[2]
                mu[within], warm[within] = value, 0.0
        flat_mu, flat_warm = (_averaged(plane, parts) for plane in (mu, warm))
        activity = np.repeat(flat_warm[None], slices, axis=0)
        z = _samples(slices, voxel_mm[0], parts)
        for sphere in self.spheres:
            a, b, c = sphere.centre_mm
            here = np.hypot(x - a, y - b)
            held = np.abs(z - c) <= sphere.diameter_mm / 2
            for k in np.unique(np.flatnonzero(held) // parts):
                half = np.sqrt(np.maximum((sphere.diameter_mm / 2) ** 2 - (z[k * parts : (k + 1) * parts] - c) ** 2, 0))
                covered = (here[None] < half[:, None, None]).mean(axis=0)
                activity[k] += _averaged(covered, parts) * self.background * (sphere.contrast - 1)
        return activity, np.repeat(flat_mu[None], slices, axis=0)

    def share(self, sphere: Sphere, size: tuple[int, int], voxel_mm: tuple[float, float]) -> Float64:
        """Give the share of each voxel that lies in a sphere."""
        lone = Body((Sphere(sphere.centre_mm, sphere.diameter_mm, 2.0),), background=1.0, lung=None, bone=None)
        bare = Body((), background=1.0, lung=None, bone=None)
        return lone.drawn(size, voxel_mm)[0] - bare.drawn(size, voxel_mm)[0]


def _samples(size: int, voxel_mm: float, parts: int) -> Float64:
    return ((np.arange(size * parts) + 0.5) / parts - size / 2) * voxel_mm


def _averaged(plane: Float64, parts: int) -> Float64:
    n = plane.shape[0] // parts
    return np.asarray(plane.reshape(n, parts, n, parts).mean(axis=(1, 3)))
