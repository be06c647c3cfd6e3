"""Parallel rays through a CT slice, and reconstruction from half a turn of them.

A ray of view angle t and detector position s is the line  x cos t + y sin t = s  from the slice's centre, in mm.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from leukospect.errors import GeometryError
from leukospect.kernels.compiling import compiled
from leukospect.kernels.ct_rays import VIEWS_AT_ONCE, Floats, Mask, Rays, check_array, columns_within
from leukospect.kernels.ct_sinogram import convolved

_Values = Any
_SHIFT = 32
_BIN = 1 << _SHIFT
_FRACTION = _BIN - 1
_TO_BINS = np.float32(1.0 / _BIN)


@dataclass(frozen=True, slots=True, eq=False)
class ParallelBeam:
    """A slice, the views of it, and the detector.

    Parameters
    ----------
    shape : (rows, columns)
    pixel_mm : (between rows, between columns)
    angles_rad : (views,) array
    bins : int
        Detector elements; their centre lies on the ray through the centre of the slice.
    bin_mm : float
    """

    shape: tuple[int, int]
    pixel_mm: tuple[float, float]
    angles_rad: NDArray[np.float64]
    bins: int
    bin_mm: float

    def __post_init__(self) -> None:
        angles = np.asarray(self.angles_rad, dtype=np.float64)
        if min(self.shape) < 1 or self.bins < 2 or not min(*self.pixel_mm, self.bin_mm) > 0:
            raise GeometryError(
                f"A parallel beam needs positive sizes; found a slice of {self.shape} at {self.pixel_mm} mm and "
                f"{self.bins} bins of {self.bin_mm} mm."
            )
        if angles.ndim != 1 or angles.size == 0 or not np.all(np.isfinite(angles)):
            raise GeometryError("A parallel beam needs a finite angle for each view.")
        object.__setattr__(self, "angles_rad", angles)

    @classmethod
    def covering(cls, shape: tuple[int, int], pixel_mm: tuple[float, float], views: int) -> ParallelBeam:
        """Spread `views` evenly over half a turn, with bins as fine as the pixels that cover the slice's diagonal."""
        bin_mm = min(pixel_mm)
        diagonal = float(np.hypot(shape[0] * pixel_mm[0], shape[1] * pixel_mm[1]))
        bins = int(np.ceil(diagonal / bin_mm)) + 8
        return cls(shape, pixel_mm, np.arange(views, dtype=np.float64) * (np.pi / views), bins, bin_mm)

    @property
    def degrees_per_view(self) -> float:
        """Angle from view to view, of views spread evenly over half a turn."""
        return 180.0 / self.angles_rad.size

    def with_half_the_views(self) -> ParallelBeam:
        """Give the same detector with half as many views, spread evenly over half a turn."""
        views = max(1, self.angles_rad.size // 2)
        return replace(self, angles_rad=np.arange(views, dtype=np.float64) * (np.pi / views))

    @property
    def offsets_mm(self) -> NDArray[np.float64]:
        """Detector positions s of the bins."""
        offsets: NDArray[np.float64] = (np.arange(self.bins, dtype=np.float64) - 0.5 * (self.bins - 1)) * self.bin_mm
        return offsets

    @property
    def rays(self) -> Rays:
        """Its rays, for `leukospect.kernels.ct_rays`."""
        return Rays(self.angles_rad, np.zeros(self.bins), self.offsets_mm, (0.0, 0.0))

    def checked(self, array: NDArray[np.generic], of: str) -> None:
        """Refuse a slice or a sinogram that does not fit."""
        check_array(array, self.shape if of == "slice" else (self.angles_rad.size, self.bins), of)


def ramp_filtered(beam: ParallelBeam, sinogram: Floats) -> Floats:
    """Convolve each view with the band-limited ramp.

    The kernel is 1/(4 b^2) at zero, -1/(pi n b)^2 at odd n and zero at even n, for bins of b mm (Ramachandran and
    Lakshminarayanan 1971; Kak and Slaney, Principles of Computerized Tomographic Imaging, chapter 3), sampled in space
    so that the mean of the image is right.

    Parameters
    ----------
    beam : ParallelBeam
    sinogram : (views, bins) array

    Returns
    -------
    (views, bins) float32 array
        In the sinogram's unit per mm.
    """
    beam.checked(sinogram, "sinogram")
    kernel = np.zeros(beam.bins)
    kernel[0] = 0.25
    odd = np.arange(1, beam.bins, 2)
    kernel[odd] = -1.0 / (np.pi * odd) ** 2
    return convolved(sinogram, kernel / beam.bin_mm)


def backprojected_parallel(beam: ParallelBeam, sinogram: Floats, within: Mask) -> Floats:
    """Reconstruct; see `leukospect.kernels.ct_beam.filtered_backprojection`."""
    first, last = columns_within(within)
    # Rays beyond the detector are taken as zero: the padding keeps the loop free of that question.
    reach = np.hypot(beam.shape[0] * beam.pixel_mm[0], beam.shape[1] * beam.pixel_mm[1]) / beam.bin_mm
    margin = max(0, int(np.ceil((reach - beam.bins) / 2.0))) + 2
    filtered = np.pad(ramp_filtered(beam, sinogram), ((0, 0), (margin, margin)))
    image = np.zeros(beam.shape, dtype=np.float32)
    _backproject(filtered, *beam.pixel_mm, beam.angles_rad, beam.bin_mm, first, last, image)
    return np.where(within, image * np.float32(np.pi / beam.angles_rad.size), np.float32(0.0))


@compiled
def _backproject(
    filtered: _Values,
    dy: float,
    dx: float,
    angles: _Values,
    bin_mm: float,
    first: _Values,
    last: _Values,
    image: _Values,
) -> None:
    rows = image.shape[0]
    for at_once in range(0, angles.size, VIEWS_AT_ONCE):
        end = min(at_once + VIEWS_AT_ONCE, angles.size)
        for j in range(rows):
            if first[j] >= last[j]:
                continue
            view = at_once
            while view + 1 < end:
                _add_two(filtered, view, dy, dx, angles, bin_mm, j, first[j], last[j], image)
                view += 2
            if view < end:
                _add_one(filtered, view, dy, dx, angles, bin_mm, j, first[j], last[j], image)


@compiled
def _positions(
    angle: float, dy: float, dx: float, bin_mm: float, bins: int, j: int, i: int, rows: int, columns: int
) -> tuple[Any, Any]:
    """Give where pixel (j, i) lies on the detector, and the way to the next pixel of the row, in 2^-32 bins."""
    c, s = np.cos(angle), np.sin(angle)
    x, y = (i - 0.5 * (columns - 1)) * dx, (j - 0.5 * (rows - 1)) * dy
    start = (x * c + y * s) / bin_mm + 0.5 * (bins - 1)
    return np.int64(np.floor(start * _BIN)), np.int64(np.floor(c * dx / bin_mm * _BIN))


@compiled
def _add_two(
    filtered: _Values,
    view: int,
    dy: float,
    dx: float,
    angles: _Values,
    bin_mm: float,
    j: int,
    first: int,
    last: int,
    image: _Values,
) -> None:
    bins = filtered.shape[1]
    p, p_step = _positions(angles[view], dy, dx, bin_mm, bins, j, first, image.shape[0], image.shape[1])
    q, q_step = _positions(angles[view + 1], dy, dx, bin_mm, bins, j, first, image.shape[0], image.shape[1])
    p_view, q_view = filtered[view], filtered[view + 1]
    row = image[j]
    for i in range(np.uintp(first), np.uintp(last)):
        left = np.uintp(p >> _SHIFT)
        part = np.float32(p & _FRACTION) * _TO_BINS
        value = p_view[left] * (np.float32(1.0) - part) + p_view[left + np.uintp(1)] * part
        left = np.uintp(q >> _SHIFT)
        part = np.float32(q & _FRACTION) * _TO_BINS
        row[i] += value + (q_view[left] * (np.float32(1.0) - part) + q_view[left + np.uintp(1)] * part)
        p += p_step
        q += q_step


@compiled
def _add_one(
    filtered: _Values,
    view: int,
    dy: float,
    dx: float,
    angles: _Values,
    bin_mm: float,
    j: int,
    first: int,
    last: int,
    image: _Values,
) -> None:
    bins = filtered.shape[1]
    p, p_step = _positions(angles[view], dy, dx, bin_mm, bins, j, first, image.shape[0], image.shape[1])
    for i in range(first, last):
        left = np.uintp(p >> _SHIFT)
        part = np.float32(p & _FRACTION) * _TO_BINS
        image[j, i] += filtered[view, left] * (np.float32(1.0) - part) + filtered[view, left + np.uintp(1)] * part
        p += p_step
