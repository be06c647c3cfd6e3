"""Rays through one CT slice, whichever way they run: line integrals, their adjoint, the shadow of a mask, the ramp.

Every ray is a line  x cos t + y sin t = s,  where x runs along the columns and y along the rows of the slice, in mm
from its centre. A view turns a fixed set of rays about the isocentre: ray n of view v has  t = view_v + ray_n  and
passes the isocentre at offset_n. The line integral steps through the rows where the ray crosses them steeply and
through the columns elsewhere, and interpolates linearly between the two pixels next to each crossing (P. M. Joseph,
IEEE Trans. Med. Imaging 1 (1982) 192-196).

A crossing is kept as a 64-bit whole number of 2^-32 pixels. Whole numbers add without rounding, so line integral,
adjoint and shadow share their weights to the bit, and each ray's result depends on nothing but the ray. Every kernel
runs on one thread and releases the interpreter, so slices can go side by side.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from leukospect.errors import GeometryError
from leukospect.kernels.compiling import compiled

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]
_Values = Any

_SHIFT = 32
_PIXEL = 1 << _SHIFT  # a pixel in the units of a crossing
_FRACTION = _PIXEL - 1
_TO_PIXELS = np.float32(1.0 / _PIXEL)

VIEWS_AT_ONCE = 32
"""Views backprojected before the next ones: filtered, they stay in the second-level cache while the rows pass."""


@dataclass(frozen=True, slots=True, eq=False)
class Rays:
    """The rays of a beam: ray n of view v is  x cos t + y sin t = s  about `centre_mm`, t = views[v] + angles[n].

    Parameters
    ----------
    views_rad : (views,) array
    angles_rad, offsets_mm : (bins,) arrays
        t beyond the view's angle, and s.
    centre_mm : (x, y)
        What the views turn about, from the slice's centre.
    """

    views_rad: NDArray[np.float64]
    angles_rad: NDArray[np.float64]
    offsets_mm: NDArray[np.float64]
    centre_mm: tuple[float, float]


class RayBeam(Protocol):
    """What the line integrals need of a beam."""

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of the slice."""
        ...

    @property
    def pixel_mm(self) -> tuple[float, float]:
        """Distance between rows and between columns."""
        ...

    @property
    def rays(self) -> Rays:
        """Its rays."""
        ...

    def checked(self, array: NDArray[np.generic], of: str) -> None:
        """Refuse a slice or a sinogram that does not fit."""
        ...


def check_array(array: NDArray[np.generic], expected: tuple[int, int], of: str) -> None:
    """Refuse a slice or a sinogram that does not fit."""
    if array.shape != expected:
        raise GeometryError(f"A {of} of shape {array.shape} was given where {expected} is needed.")


def forward(beam: RayBeam, image: Floats, wanted: Mask | None = None) -> Floats:
    """Integrate a slice along rays.

    Parameters
    ----------
    beam : ParallelBeam or FanBeam
    image : (rows, columns) array
    wanted : (views, bins) bool array, optional
        Rays to compute; all without it.

    Returns
    -------
    (views, bins) float32 array
        Line integrals, in the slice's unit times mm; zero for rays not wanted.
    """
    beam.checked(image, "slice")
    rays = beam.rays
    if wanted is None:
        wanted = np.ones((rays.views_rad.size, rays.offsets_mm.size), dtype=np.bool_)
    beam.checked(wanted, "sinogram")
    sinogram = np.zeros(wanted.shape, dtype=np.float32)
    # Outside the box that holds all that is not zero nothing adds up.
    rows, columns = _filled(image)
    if rows[0] < rows[1]:
        upright = np.zeros((rows[1] - rows[0], columns[1] - columns[0] + 2), dtype=np.float32)
        upright[:, 1:-1] = image[slice(*rows), slice(*columns)]
        across = np.zeros((columns[1] - columns[0], rows[1] - rows[0] + 2), dtype=np.float32)
        across[:, 1:-1] = upright[:, 1:-1].T
        _forward(upright, across, *_placed(beam, rows[0], columns[0]), np.ascontiguousarray(wanted), sinogram)
    return sinogram


def adjoint(beam: RayBeam, sinogram: Floats) -> Floats:
    """Spread rays back over the slice with the weights of `forward`: its exact transpose.

    Parameters
    ----------
    beam : ParallelBeam or FanBeam
    sinogram : (views, bins) array

    Returns
    -------
    (rows, columns) float32 array
    """
    beam.checked(sinogram, "sinogram")
    rows, columns = beam.shape
    upright = np.zeros((rows, columns + 2), dtype=np.float64)
    across = np.zeros((columns, rows + 2), dtype=np.float64)
    _adjoint(np.ascontiguousarray(sinogram, dtype=np.float32), *_placed(beam, 0, 0), upright, across)
    return (upright[:, 1:-1] + across[:, 1:-1].T).astype(np.float32)


def shadow(beam: RayBeam, mask: Mask) -> Mask:
    """Find the rays that a set of pixels contributes to: where `forward` of the mask is positive, and nowhere else.

    Parameters
    ----------
    beam : ParallelBeam or FanBeam
    mask : (rows, columns) bool array

    Returns
    -------
    (views, bins) bool array
    """
    return forward(beam, mask.astype(np.float32)) > 0


def columns_within(within: Mask) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Give first and last + 1 of the columns of each row that a mask holds; 0 and 0 where it holds none."""
    filled = within.any(axis=1)
    first = np.where(filled, within.argmax(axis=1), 0)
    last = np.where(filled, within.shape[1] - within[:, ::-1].argmax(axis=1), 0)
    return first.astype(np.int64), last.astype(np.int64)


def farthest_mm(mask: Mask, pixel_mm: tuple[float, float], from_mm: tuple[float, float]) -> float:
    """Give how far the farthest pixel's centre of a mask lies from a point (x, y), mm from the slice's centre."""
    rows, columns = np.nonzero(mask)
    y = (rows - 0.5 * (mask.shape[0] - 1)) * pixel_mm[0] - from_mm[1]
    x = (columns - 0.5 * (mask.shape[1] - 1)) * pixel_mm[1] - from_mm[0]
    return float(np.hypot(x, y).max(initial=0.0))


def _filled(image: NDArray[np.generic]) -> tuple[tuple[int, int], tuple[int, int]]:
    """Give first and last + 1 of the rows and columns that hold all that is not zero."""
    filled = image != 0
    limits = []
    for axis in (1, 0):
        at = np.flatnonzero(filled.any(axis=axis))
        limits.append((int(at[0]), int(at[-1]) + 1) if at.size else (0, 0))
    return limits[0], limits[1]


def _placed(beam: RayBeam, row: int, column: int) -> tuple[float, float, float, float, _Values, _Values, _Values]:
    """Give pixel sizes, the place of pixel (row, column) from the isocentre, cosines and sines, and offsets."""
    rays = beam.rays
    (dy, dx), (rows, columns) = beam.pixel_mm, beam.shape
    y = (row - 0.5 * (rows - 1)) * dy - rays.centre_mm[1]
    x = (column - 0.5 * (columns - 1)) * dx - rays.centre_mm[0]
    views = np.stack([np.cos(rays.views_rad), np.sin(rays.views_rad)], axis=1)
    bins = np.stack([np.cos(rays.angles_rad), np.sin(rays.angles_rad)], axis=1)
    return dy, dx, y, x, views, bins, np.ascontiguousarray(rays.offsets_mm, dtype=np.float64)


@compiled
def _steps(
    c: float, s: float, offset: float, y: float, x: float, dy: float, dx: float
) -> tuple[bool, float, float, float]:
    """Tell how a ray crosses the lines of pixels that it steps through.

    Returns whether these are rows, the crossing with line 0 as a fractional index in the padded line, by how much it
    moves from line to line, and the length of the ray between two lines, mm.
    """
    upright = abs(c) * dx >= abs(s) * dy
    if not upright:
        c, s, y, x, dy, dx = s, c, x, y, dx, dy
    return upright, (offset - y * s - x * c) / (c * dx) + 1.0, -dy * s / (c * dx), dy / abs(c)


@compiled
def _lines(start: int, step: int, lines: int, width: int) -> tuple[int, int]:
    """Give first and last + 1 of the lines that are crossed between the first and the last pixel of a padded line."""
    end = (width - 1) * _PIXEL  # the last position whose right neighbour still lies in the line is below
    first, last = 0, lines
    if step > 0:
        first = max(first, -(start // step))
        last = min(last, -((start - end) // step))
    elif step < 0:
        first = max(first, (start - end) // -step + 1)
        last = min(last, start // -step + 1)
    elif start < 0 or start >= end:
        last = 0
    return first, max(first, last)


@compiled
def _forward(
    upright: _Values,
    across: _Values,
    dy: float,
    dx: float,
    y: float,
    x: float,
    views: _Values,
    bins: _Values,
    offsets: _Values,
    wanted: _Values,
    sinogram: _Values,
) -> None:
    for v in range(views.shape[0]):
        for b in range(bins.shape[0]):
            if not wanted[v, b]:
                continue
            c = views[v, 0] * bins[b, 0] - views[v, 1] * bins[b, 1]
            s = views[v, 1] * bins[b, 0] + views[v, 0] * bins[b, 1]
            is_upright, crossing, per_line, length = _steps(c, s, offsets[b], y, x, dy, dx)
            start, step = np.int64(np.floor(crossing * _PIXEL)), np.int64(np.floor(per_line * _PIXEL))
            total = _sum_of_ray(upright, start, step) if is_upright else _sum_of_ray(across, start, step)
            sinogram[v, b] = total * length


@compiled
def _sum_of_ray(image: _Values, start: Any, step: Any) -> Any:
    first, last = _lines(start, step, image.shape[0], image.shape[1])
    at = start + first * step
    even = odd = np.float32(0.0)
    line = first
    # Two sums side by side: one alone would wait for each addition.
    while line + 1 < last:
        even += _read(image[np.uintp(line)], at)
        odd += _read(image[np.uintp(line + 1)], at + step)
        at += 2 * step
        line += 2
    if line < last:
        even += _read(image[np.uintp(line)], at)
    return even + odd


@compiled
def _read(line: _Values, at: Any) -> Any:
    left = np.uintp(at >> _SHIFT)
    part = np.float32(at & _FRACTION) * _TO_PIXELS
    return line[left] * (np.float32(1.0) - part) + line[left + np.uintp(1)] * part


@compiled
def _adjoint(
    sinogram: _Values,
    dy: float,
    dx: float,
    y: float,
    x: float,
    views: _Values,
    bins: _Values,
    offsets: _Values,
    upright: _Values,
    across: _Values,
) -> None:
    for v in range(views.shape[0]):
        for b in range(bins.shape[0]):
            c = views[v, 0] * bins[b, 0] - views[v, 1] * bins[b, 1]
            s = views[v, 1] * bins[b, 0] + views[v, 0] * bins[b, 1]
            is_upright, crossing, per_line, length = _steps(c, s, offsets[b], y, x, dy, dx)
            start, step = np.int64(np.floor(crossing * _PIXEL)), np.int64(np.floor(per_line * _PIXEL))
            _spread_ray(upright if is_upright else across, start, step, sinogram[v, b] * length)


@compiled
def _spread_ray(image: _Values, start: Any, step: Any, value: float) -> None:
    first, last = _lines(start, step, image.shape[0], image.shape[1])
    at = start + first * step
    for line in range(first, last):
        left = np.uintp(at >> _SHIFT)
        part = np.float32(at & _FRACTION) * _TO_PIXELS
        image[line, left] += (np.float32(1.0) - part) * value
        image[line, left + np.uintp(1)] += part * value
        at += step
