"""A slice whose metal hardens the beam by a known polynomial: line integrals in closed form, nothing else wrong.

The reconstruction is scikit-image's; nothing here is shared with the code under test.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.transform import iradon

from leukospect.ct.metal_trace import MetalTrace, beam_of_slice
from tests.ct.polychromatic_slice import Ellipse

BODY = Ellipse((-3.0, 5.0), (68.0, 56.0), "water", 50.0)
METAL = Ellipse((16.0, -8.0), (4.0, 11.0), "metal", 8000.0)
SECOND_METAL = Ellipse((-24.0, 10.0), (4.0, 5.0), "metal", 8000.0)
BONE = Ellipse((29.0, -9.0), (7.0, 12.0), "bone", 800.0)
_VIEWS = 300


@dataclass(frozen=True, eq=False)
class HardenedSlice:
    """HU as scanned and as without metal (tissue in its place), what is metal and what is body."""

    scanned_hu: NDArray[np.float32]
    truth_hu: NDArray[np.float32]
    metal: NDArray[np.bool_]
    body: NDArray[np.bool_]
    pixel_mm: float

    @property
    def trace(self) -> MetalTrace:
        """The slice as the reduction takes it."""
        pixel = (self.pixel_mm, self.pixel_mm)
        return MetalTrace(beam_of_slice(self.metal.shape, pixel), self.scanned_hu, self.metal, self.body)

    def error_hu(self, hu: NDArray[np.float32], where: NDArray[np.bool_]) -> float:
        """Root mean square difference to the truth."""
        return float(np.sqrt(np.mean((hu[where].astype(np.float64) - self.truth_hu[where]) ** 2)))

    @property
    def places(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """y and x of the pixels' centres, mm."""
        height, width = self.metal.shape
        rows, columns = np.indices((height, width))
        return (rows - height // 2) * self.pixel_mm, (columns - width // 2) * self.pixel_mm

    @property
    def soft_tissue(self) -> NDArray[np.bool_]:
        """Soft tissue clear of the skin, of bone and of the metal's rim."""
        near = ndimage.binary_dilation(self.metal, iterations=4)
        return ndimage.binary_erosion(np.abs(self.truth_hu - BODY.hu) < 30.0, iterations=2) & self.body & ~near

    def distance_mm(self, from_where: Ellipse) -> NDArray[np.float64]:
        """Distance of the pixels' centres from an ellipse's centre, mm."""
        y, x = self.places
        distance: NDArray[np.float64] = np.hypot(x - from_where.centre_mm[0], y - from_where.centre_mm[1])
        return distance

    def edge_of(self, ellipse: Ellipse) -> NDArray[np.bool_]:
        """Pixels about 2 mm to both sides of an ellipse's edge."""
        y, x = self.places
        (x0, y0), (across, down) = ellipse.centre_mm, ellipse.radii_mm
        near: NDArray[np.bool_] = np.abs(np.hypot((x - x0) / across, (y - y0) / down) - 1.0) < 0.3
        return near


def hardened_slice(
    metals: Sequence[Ellipse] = (METAL,),
    tissues: Sequence[Ellipse] = (BONE,),
    *,
    size: int = 160,
    pixel_mm: float = 1.0,
    per_mm: float = 0.15,
    per_tissue_mm: float = 0.002,
    noise_mm: float = 0.0,
) -> HardenedSlice:
    """Scan a body with metal of path m, behind tissue of w mm of water.

    Metal adds  8 m - per_mm m^2 - per_tissue_mm m w  to a ray, mm of water.

    Parameters
    ----------
    metals, tissues : sequences of Ellipse
        The tissues lie over one another's absence: none overlaps another or the metal.
    noise_mm : float
        Standard deviation of rays through 10 mm of metal, mm of water; it grows with the path.
    """
    s = (np.arange(size, dtype=np.float64) - size // 2) * pixel_mm
    angles_deg = np.arange(_VIEWS) * (180.0 / _VIEWS)
    angles = np.deg2rad(angles_deg)
    tissue = BODY.chords(s, angles) * (1.0 + BODY.hu / 1000.0)
    for one in tissues:
        tissue += one.chords(s, angles) * (one.hu - BODY.hu) / 1000.0
    path = np.zeros_like(tissue)
    y, x = np.meshgrid(s, s, indexing="ij")
    metal = np.zeros((size, size), dtype=bool)
    for one in metals:
        path += one.chords(s, angles)
        metal |= one.covers(y, x)
    added = (METAL.hu - BODY.hu) / 1000.0 * path - per_mm * path**2 - per_tissue_mm * path * tissue
    added += noise_mm * np.random.default_rng(3).standard_normal(path.shape) * np.minimum(path / 10.0, 1.0)

    def reconstructed(integrals: NDArray[np.float64]) -> NDArray[np.float32]:
        image = iradon(integrals, theta=angles_deg, circle=True, filter_name="hann") / pixel_mm
        hu: NDArray[np.float32] = (1000.0 * image - 1000.0).astype(np.float32)
        return hu

    return HardenedSlice(reconstructed(tissue + added), reconstructed(tissue), metal, BODY.covers(y, x), pixel_mm)
