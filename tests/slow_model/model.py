"""The slow system model: voxels divided into points, each seen through the whole Gaussian of its own distance.

Nothing is rotated, interpolated or blurred step by step. The image is constant inside a voxel and so is the attenuation
map; a voxel's points (2 x 2 x 2, or more) are projected one by one, their Gaussian integrated over each pixel of the
detector, their attenuation summed exactly along a line: the parallel ray at right angles to the detector, which is what
reconstruction programs take, or the slanted line the photon went.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from tests.slow_model.kernels import see_parallel, see_slanted
from tests.slow_model.rays import parallel_transmissions

Float64 = NDArray[np.float64]

HOLE_MM, EFFECTIVE_MM, CRYSTAL_FWHM_MM = 1.11, 24.05 - 2.0 / 2.69, 3.8
_FWHM = float(np.sqrt(8.0 * np.log(2.0)))


def lehr_sigma_mm(distance_mm: Float64) -> Float64:
    """Response of a Siemens LEHR at 140.5 keV: holes 1.11 x 24.05 mm, lead 26.9 per cm, crystal 3.8 mm."""
    geometric = HOLE_MM * (EFFECTIVE_MM + np.maximum(distance_mm, 0.0)) / EFFECTIVE_MM
    return np.asarray(np.hypot(geometric, CRYSTAL_FWHM_MM) / _FWHM)


def lehr_aim(distance_mm: Float64) -> Float64:
    """Tell how much of a displacement on the detector the photon's line has gained, on average, at the collimator.

    The crystal's blur moves no line, and from face to crystal the line goes on.
    """
    distance = np.maximum(distance_mm, 0.0)
    geometric = HOLE_MM * (EFFECTIVE_MM + distance) / EFFECTIVE_MM
    by_line = geometric**2 / (geometric**2 + CRYSTAL_FWHM_MM**2)
    return np.asarray(by_line * distance / (distance + EFFECTIVE_MM))


class SlowModel:
    """Projections (views, rows, columns) of images (slices, rows, columns), and the transpose.

    Parameters
    ----------
    angles_deg : (views,) array
        0 is the detector at the back, 90 at the patient's left.
    size : (rows, columns) of the detector
    pixel_mm : (axial, transverse)
    radii_mm : (views,) array
        From the axis of rotation, the image's centre, to the collimator's face.
    mu_per_cm : (slices, rows, columns) array on the image's grid, or None
    sigma_mm : function of the distance in mm, or None
        None sees every point in the one pixel it falls into.
    offsets_mm : (views,) array or None
        Centre-of-rotation offset along the columns.
    mask : (rows, columns) bool array or None
        Where the image is looked at, in its plane.
    finer : int
        Voxels of the image to a pixel of the detector, along each axis.
    split : int
        Points to a voxel, along each axis.
    """

    def __init__(
        self,
        angles_deg: Float64,
        size: tuple[int, int],
        pixel_mm: tuple[float, float],
        radii_mm: Float64,
        mu_per_cm: Float64 | None = None,
        sigma_mm: Callable[[Float64], Float64] | None = lehr_sigma_mm,
        *,
        offsets_mm: Float64 | None = None,
        mask: NDArray[np.bool_] | None = None,
        finer: int = 1,
        split: int = 2,
    ) -> None:
        rows, columns = size
        n = columns * finer
        self.image_shape, self.size = (rows * finer, n, n), size
        self._angles, self._radii = np.deg2rad(angles_deg), radii_mm
        self._offsets = np.zeros(angles_deg.size) if offsets_mm is None else offsets_mm
        self._pixel, self._finer, self._split = np.array(pixel_mm), finer, split
        self._sigma = sigma_mm
        self._mu = None if mu_per_cm is None else np.ascontiguousarray(mu_per_cm.transpose(1, 2, 0), dtype=np.float64)
        self._points, self._places = self._divided(np.ones((n, n), np.bool_) if mask is None else mask)
        self._transmissions: dict[int, NDArray[np.float32]] = {}

    def _divided(self, mask: NDArray[np.bool_]) -> tuple[NDArray[np.int64], Float64]:
        """Give row and column of every point's voxel, and its place (y, x) in mm."""
        voxels = np.argwhere(mask)
        parts = (np.arange(self._split) + 0.5) / self._split
        within = np.stack(np.meshgrid(parts, parts, indexing="ij"), axis=-1).reshape(-1, 2)
        points = np.repeat(voxels, len(within), axis=0)
        places = points + np.tile(within, (len(voxels), 1)) - self.image_shape[1] / 2
        return points, places * self._pixel[1] / self._finer

    @property
    def views(self) -> int:
        """Number of views."""
        return int(self._angles.size)

    def _seen(self, v: int) -> tuple[Float64, Float64, Float64]:
        """Place across the detector in pixels, response in pixels (along, across), distance in mm: of every point."""
        y, x = self._places.T
        cosine, sine = np.cos(self._angles[v]), np.sin(self._angles[v])
        across = (-x * cosine + y * sine + self._offsets[v]) / self._pixel[1] + (self.size[1] - 1) / 2
        distance = self._radii[v] - (x * sine + y * cosine)
        sigma = np.full(distance.shape, 1e-6) if self._sigma is None else self._sigma(distance)
        return across, sigma[:, None] / self._pixel, distance

    def _transmission(self, v: int) -> NDArray[np.float32]:
        if v not in self._transmissions:
            found = np.ones((len(self._points), self.image_shape[0]), np.float32)
            if self._mu is not None:
                towards = np.array([np.sin(self._angles[v]), np.cos(self._angles[v])])
                parallel_transmissions(self._mu, self._pixel[1] / self._finer, self._places, towards, found)
            self._transmissions[v] = found
        return self._transmissions[v]

    def _parallel(self, v: int, image: Float64, view: Float64, back: bool) -> None:
        across, sigmas, _ = self._seen(v)
        see_parallel(image, view, back, self._points, across, sigmas, self._transmission(v), self._finer, self._split)

    def forward(self, image: NDArray[np.floating], views: NDArray[np.intp] | None = None) -> Float64:
        """Project an image to all views, or those with these indices."""
        volume = np.ascontiguousarray(image.transpose(1, 2, 0), dtype=np.float64)
        chosen = range(self.views) if views is None else views
        found = np.zeros((len(chosen), self.size[1], self.size[0]))
        for at, v in enumerate(chosen):
            self._parallel(int(v), volume, found[at], False)
        return found.transpose(0, 2, 1)

    def adjoint(self, counts: NDArray[np.floating], views: NDArray[np.intp] | None = None) -> Float64:
        """Apply the transpose of `forward`."""
        chosen = range(self.views) if views is None else views
        slices, n, _ = self.image_shape
        volume = np.zeros((n, n, slices))
        for at, v in enumerate(chosen):
            self._parallel(int(v), volume, np.ascontiguousarray(counts[at].T, dtype=np.float64), True)
        return volume.transpose(2, 0, 1)

    def forward_slanted(
        self, image: NDArray[np.floating], views: NDArray[np.intp] | None = None, *, aim: Callable[[Float64], Float64]
    ) -> Float64:
        """Project with the attenuation of the slanted lines, which reach the share `aim` of each displacement."""
        volume = np.ascontiguousarray(image.transpose(1, 2, 0), dtype=np.float64)
        mu = np.zeros(volume.shape) if self._mu is None else self._mu
        chosen = range(self.views) if views is None else views
        found = np.zeros((len(chosen), self.size[1], self.size[0]))
        for at, v in enumerate(chosen):
            across, sigmas, distance = self._seen(int(v))
            turn = np.array([np.cos(self._angles[v]), np.sin(self._angles[v])])
            see_slanted(
                volume, found[at], mu, self._points, self._places, across, sigmas, distance, aim(distance), turn,
                self._pixel, self._finer, self._split,
            )  # fmt: skip
        return found.transpose(0, 2, 1)
