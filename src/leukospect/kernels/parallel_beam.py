"""Parallel-beam rays through one CT slice: line integrals, their adjoint, the ramp filter and backprojection.

A ray of view angle t and detector position s is the line  x cos t + y sin t = s,  where x runs along the columns and y
along the rows of the slice, in mm from its centre. The line integral steps through the rows where the ray crosses them
steeply and through the columns elsewhere, and interpolates linearly between the two pixels next to each crossing
(P. M. Joseph, IEEE Trans. Med. Imaging 1 (1982) 192-196). The adjoint uses the very same weights.

Every kernel runs on one thread and releases the interpreter, so slices can go side by side and a slice's result does
not depend on how many do.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from leukospect.errors import GeometryError
from leukospect.kernels.compiling import compiled

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]
_Angles = NDArray[np.float64]
_Sums = NDArray[np.float64]
_Indices = NDArray[np.int64]


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
        if min(self.shape) < 1 or self.bins < 2 or min(*self.pixel_mm, self.bin_mm) <= 0:
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

    def checked(self, array: NDArray[np.generic], of: str) -> None:
        """Refuse a slice or a sinogram that does not fit."""
        expected = self.shape if of == "slice" else (self.angles_rad.size, self.bins)
        if array.shape != expected:
            raise GeometryError(f"A {of} of shape {array.shape} was given where {expected} is needed.")


def forward(beam: ParallelBeam, image: Floats, wanted: Mask | None = None) -> Floats:
    """Integrate a slice along rays.

    Parameters
    ----------
    beam : ParallelBeam
    image : (rows, columns) array
    wanted : (views, bins) bool array, optional
        Rays to compute; all without it.

    Returns
    -------
    (views, bins) float32 array
        Line integrals, in the slice's unit times mm; zero for rays not wanted.
    """
    beam.checked(image, "slice")
    if wanted is None:
        wanted = np.ones((beam.angles_rad.size, beam.bins), dtype=np.bool_)
    beam.checked(wanted, "sinogram")
    upright = np.ascontiguousarray(image, dtype=np.float32)
    across = np.ascontiguousarray(upright.T)
    sinogram = np.zeros(wanted.shape, dtype=np.float32)
    _forward(upright, across, *beam.pixel_mm, beam.angles_rad, beam.bin_mm, wanted, sinogram)
    return sinogram


def adjoint(beam: ParallelBeam, sinogram: Floats) -> Floats:
    """Spread rays back over the slice with the weights of `forward`: its exact transpose.

    Parameters
    ----------
    beam : ParallelBeam
    sinogram : (views, bins) array

    Returns
    -------
    (rows, columns) float32 array
    """
    beam.checked(sinogram, "sinogram")
    upright = np.zeros(beam.shape, dtype=np.float64)
    across = np.zeros(beam.shape[::-1], dtype=np.float64)
    rays = np.ascontiguousarray(sinogram, dtype=np.float32)
    _adjoint(rays, *beam.pixel_mm, beam.angles_rad, beam.bin_mm, upright, across)
    return (upright + across.T).astype(np.float32)


def shadow(beam: ParallelBeam, mask: Mask) -> Mask:
    """Find the rays that a set of pixels contributes to: where `forward` of the mask is positive.

    Parameters
    ----------
    beam : ParallelBeam
    mask : (rows, columns) bool array

    Returns
    -------
    (views, bins) bool array
    """
    beam.checked(mask, "slice")
    rows, columns = (indices.astype(np.int64) for indices in np.nonzero(mask))
    trace = np.zeros((beam.angles_rad.size, beam.bins), dtype=np.bool_)
    _shadow(rows, columns, *beam.shape, *beam.pixel_mm, beam.angles_rad, beam.bin_mm, trace)
    return trace


def bridge(sinogram: Floats, trace: Mask) -> Floats:
    """Replace each run of marked bins of a view by the straight line between its two unmarked neighbours.

    Parameters
    ----------
    sinogram : (views, bins) array
    trace : (views, bins) bool array
        A run that reaches the detector's end takes the value of its only neighbour; a view marked throughout is zero.

    Returns
    -------
    (views, bins) float32 array
    """
    bridged = np.array(sinogram, dtype=np.float32)
    _bridge(bridged, np.ascontiguousarray(trace))
    return bridged


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
    length = scipy.fft.next_fast_len(2 * beam.bins, real=True)
    kernel = np.zeros(length)
    kernel[0] = 0.25
    odd = np.arange(1, beam.bins, 2)
    kernel[odd] = kernel[-odd] = -1.0 / (np.pi * odd) ** 2
    response = (scipy.fft.rfft(kernel).real / beam.bin_mm).astype(np.float32)
    spectrum = scipy.fft.rfft(np.asarray(sinogram, dtype=np.float32), length, axis=1)
    spectrum *= response
    filtered: Floats = scipy.fft.irfft(spectrum, length, axis=1)[:, : beam.bins].astype(np.float32)
    return filtered


def filtered_backprojection(beam: ParallelBeam, sinogram: Floats, within: Mask | None = None) -> Floats:
    """Reconstruct a slice from views spread evenly over half a turn.

    Parameters
    ----------
    beam : ParallelBeam
    sinogram : (views, bins) array
        Line integrals.
    within : (rows, columns) bool array, optional
        Pixels to reconstruct; the others are zero. All without it.

    Returns
    -------
    (rows, columns) float32 array
    """
    if within is None:
        within = np.ones(beam.shape, dtype=np.bool_)
    beam.checked(within, "slice")
    filled = within.any(axis=1)
    first = np.where(filled, within.argmax(axis=1), 0)
    last = np.where(filled, beam.shape[1] - within[:, ::-1].argmax(axis=1), 0)
    # Rays beyond the detector are taken as zero: the padding keeps the loop free of that question.
    reach = np.hypot(beam.shape[0] * beam.pixel_mm[0], beam.shape[1] * beam.pixel_mm[1]) / beam.bin_mm
    margin = max(0, int(np.ceil((reach - beam.bins) / 2.0))) + 2
    filtered = np.pad(ramp_filtered(beam, sinogram), ((0, 0), (margin, margin)))
    image = np.zeros(beam.shape, dtype=np.float32)
    _backproject(filtered, *beam.pixel_mm, beam.angles_rad, beam.bin_mm, first, last, image)
    return np.where(within, image * np.float32(np.pi / beam.angles_rad.size), np.float32(0.0))


@compiled
def _steps(
    angle: float, bin_mm: float, bins: int, rows: int, columns: int, dy: float, dx: float
) -> tuple[bool, float, float, float, float]:
    """Tell how a view's rays cross the lines of pixels they step through.

    Returns whether the rays step through rows, the crossing of ray 0 with line 0 as a fractional pixel index, the
    index's growth from ray to ray and from line to line, and the length of a ray between two lines, mm.
    """
    c, s = np.cos(angle), np.sin(angle)
    upright = abs(c) * dx >= abs(s) * dy
    if not upright:
        c, s, rows, columns, dy, dx = s, c, columns, rows, dx, dy
    first = (-0.5 * (bins - 1) * bin_mm + 0.5 * (rows - 1) * dy * s) / (c * dx) + 0.5 * (columns - 1)
    return upright, first, bin_mm / (c * dx), -dy * s / (c * dx), dy / abs(c)


@compiled
def _forward(
    upright: Floats,
    across: Floats,
    dy: float,
    dx: float,
    angles: _Angles,
    bin_mm: float,
    wanted: Mask,
    sinogram: Floats,
) -> None:
    rows, columns = upright.shape
    bins = sinogram.shape[1]
    for view in range(angles.size):
        is_upright, first, per_bin, per_line, length = _steps(angles[view], bin_mm, bins, rows, columns, dy, dx)
        image = upright if is_upright else across
        lines, pixels = image.shape
        for b in range(bins):
            if not wanted[view, b]:
                continue
            start = first + b * per_bin
            total = 0.0
            for line in range(lines):
                position = start + line * per_line
                if position <= -1.0 or position >= pixels:
                    continue
                left = int(position + 1.0) - 1
                part = position - left
                if left >= 0:
                    total += (1.0 - part) * image[line, left]
                if left + 1 < pixels:
                    total += part * image[line, left + 1]
            sinogram[view, b] = total * length


@compiled
def _adjoint(
    sinogram: Floats, dy: float, dx: float, angles: _Angles, bin_mm: float, upright: _Sums, across: _Sums
) -> None:
    rows, columns = upright.shape
    bins = sinogram.shape[1]
    for view in range(angles.size):
        is_upright, first, per_bin, per_line, length = _steps(angles[view], bin_mm, bins, rows, columns, dy, dx)
        image = upright if is_upright else across
        lines, pixels = image.shape
        for b in range(bins):
            start = first + b * per_bin
            value = sinogram[view, b] * length
            for line in range(lines):
                position = start + line * per_line
                if position <= -1.0 or position >= pixels:
                    continue
                left = int(position + 1.0) - 1
                part = position - left
                if left >= 0:
                    image[line, left] += (1.0 - part) * value
                if left + 1 < pixels:
                    image[line, left + 1] += part * value


@compiled
def _shadow(
    mask_rows: _Indices,
    mask_columns: _Indices,
    rows: int,
    columns: int,
    dy: float,
    dx: float,
    angles: _Angles,
    bin_mm: float,
    trace: Mask,
) -> None:
    bins = trace.shape[1]
    for view in range(angles.size):
        is_upright, first, per_bin, per_line, _ = _steps(angles[view], bin_mm, bins, rows, columns, dy, dx)
        reach = abs(1.0 / per_bin)
        for n in range(mask_rows.size):
            line = mask_rows[n] if is_upright else mask_columns[n]
            pixel = mask_columns[n] if is_upright else mask_rows[n]
            # The rays that cross this line less than one pixel away from this pixel's centre.
            middle = (pixel - first - line * per_line) / per_bin
            lowest = max(int(np.ceil(middle - reach)), 0)
            highest = min(int(np.floor(middle + reach)), bins - 1)
            for b in range(lowest, highest + 1):
                trace[view, b] = True


@compiled
def _bridge(sinogram: Floats, trace: Mask) -> None:
    views, bins = sinogram.shape
    for view in range(views):
        b = 0
        while b < bins:
            if not trace[view, b]:
                b += 1
                continue
            start = b
            while b < bins and trace[view, b]:
                b += 1
            left = sinogram[view, start - 1] if start > 0 else np.float32(0.0)
            right = sinogram[view, b] if b < bins else left
            if start == 0:
                left = right
            for n in range(start, b):
                sinogram[view, n] = left + (right - left) * (n - start + 1) / (b - start + 1)


@compiled
def _backproject(
    filtered: Floats,
    dy: float,
    dx: float,
    angles: _Angles,
    bin_mm: float,
    first: _Indices,
    last: _Indices,
    image: Floats,
) -> None:
    rows, columns = image.shape
    bins = filtered.shape[1]
    for view in range(angles.size):
        step = np.float32(np.cos(angles[view]) * dx / bin_mm)
        for j in range(rows):
            y = (j - 0.5 * (rows - 1)) * dy
            x = -0.5 * (columns - 1) * dx
            origin = (x * np.cos(angles[view]) + y * np.sin(angles[view])) / bin_mm + 0.5 * (bins - 1)
            # Split into a whole and a fractional part, so that single precision is enough within the row.
            whole = int(origin)
            start = np.float32(origin - whole) + np.float32(columns)
            for i in range(first[j], last[j]):
                position = start + np.float32(i) * step
                left = np.int32(position)
                part = position - np.float32(left)
                at = left + whole - columns
                image[j, i] += filtered[view, at] * (np.float32(1.0) - part) + filtered[view, at + 1] * part
