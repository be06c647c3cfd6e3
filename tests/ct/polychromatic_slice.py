"""A thigh with a nail, seen by a scanner with three energies: the streaks of beam hardening and starved rays.

Line integrals are closed forms (ellipses), the reconstruction is scikit-image's: nothing here is shared with the code
under test.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from skimage.transform import iradon

# Fraction of the detected photons and attenuation, 1/mm, of water, bone and titanium alloy: a filtered 110 kVp beam.
_SPECTRUM = ((0.25, 0.0227, 0.076, 0.27), (0.45, 0.0190, 0.052, 0.13), (0.30, 0.0165, 0.041, 0.075))
_WATER = 0.0190


@dataclass(frozen=True)
class Ellipse:
    """Centre (x, y) and radii in mm from the slice's centre, and what it is made of."""

    centre_mm: tuple[float, float]
    radii_mm: tuple[float, float]
    material: str
    hu: float

    def chords(self, s: NDArray[np.float64], angles: NDArray[np.float64]) -> NDArray[np.float64]:
        """Length of the ray x cos t - y sin t = s inside, mm, (bins, views): scikit-image's sense of rotation."""
        c, n = np.cos(angles)[None], np.sin(angles)[None]
        offset = s[:, None] - (self.centre_mm[0] * c - self.centre_mm[1] * n)
        width2 = (self.radii_mm[0] * c) ** 2 + (self.radii_mm[1] * n) ** 2
        lengths: NDArray[np.float64] = (
            2.0 * np.prod(self.radii_mm) * np.sqrt(np.maximum(width2 - offset**2, 0)) / width2
        )
        return lengths

    def covers(self, y: NDArray[np.float64], x: NDArray[np.float64]) -> NDArray[np.bool_]:
        distance = ((x - self.centre_mm[0]) / self.radii_mm[0]) ** 2 + ((y - self.centre_mm[1]) / self.radii_mm[1]) ** 2
        inside: NDArray[np.bool_] = distance <= 1.0
        return inside


THIGH = Ellipse((-4.0, 6.0), (88.0, 74.0), "water", 40.0)
MUSCLE_GAP = Ellipse((-46.0, 20.0), (14.0, 22.0), "fat", -100.0)
NAILS = (Ellipse((24.0, -14.0), (7.0, 7.0), "metal", 8000.0), Ellipse((-20.0, 32.0), (5.0, 6.0), "metal", 8000.0))


def thigh_slice(
    nails: tuple[Ellipse, ...], size: int = 192, pixel_mm: float = 1.1, counts: float = 3e5
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.bool_]]:
    """Make the scanner's slice, the truth without streaks, and where the metal is.

    Returns
    -------
    tuple
        HU as reconstructed (saturated at 3071) and as it is, (size, size) float32; metal (size, size) bool.
    """
    angles_deg = np.arange(240, dtype=np.float64) * (180.0 / 240)
    # iradon turns about pixel size // 2.
    s = (np.arange(size, dtype=np.float64) - size // 2) * pixel_mm
    angles = np.deg2rad(angles_deg)
    y, x = np.meshgrid(s, s, indexing="ij")
    truth = np.full((size, size), -1000.0)
    water = THIGH.chords(s, angles) * 1.04 - MUSCLE_GAP.chords(s, angles) * 0.14
    metal_length = np.zeros_like(water)
    for ellipse in (THIGH, MUSCLE_GAP):
        truth[ellipse.covers(y, x)] = ellipse.hu
    metal = np.zeros((size, size), dtype=bool)
    for nail in nails:
        chords = nail.chords(s, angles)
        water -= 1.04 * chords
        metal_length += chords
        metal |= nail.covers(y, x)
    truth[metal] = 3071.0
    seen = sum(w * np.exp(-(mw * water + mm * metal_length)) for w, mw, _, mm in _SPECTRUM) * counts
    noisy = np.maximum(np.random.default_rng(11).poisson(seen), 1) / counts
    # The scanner's own water correction: what a slab of water of that attenuation would measure at one energy.
    depth = np.linspace(0.0, 2500.0, 4000)
    slab = -np.log(sum(w * np.exp(-mw * depth) for w, mw, _, _ in _SPECTRUM))
    line_integrals = np.interp(-np.log(noisy), slab, depth * _WATER)
    mu = iradon(line_integrals, theta=angles_deg, circle=True, filter_name="hann") / pixel_mm
    seen_hu = np.clip(mu / _WATER * 1000.0 - 1000.0, -1024.0, 3071.0)
    return seen_hu.astype(np.float32), truth.astype(np.float32), metal
