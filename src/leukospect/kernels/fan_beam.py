"""A fan of rays through a CT slice, and reconstruction from a full turn of it.

The source turns about the isocentre at a distance D. At view angle t it stands at D (-sin t, cos t) from the isocentre
(x along the columns, y along the rows), and its ray of fan angle g is the line  x cos(t + g) + y sin(t + g) = D sin g.
Detector elements are equal steps of fan angle.

Reconstruction: A. C. Kak and M. Slaney, Principles of Computerized Tomographic Imaging, section 3.4.1. Each view is
weighted with D cos g, convolved with  (n a / sin n a)^2 / 2  times the ramp, and backprojected with the inverse square
of the distance to the source.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from leukospect.errors import GeometryError
from leukospect.kernels.compiling import compiled
from leukospect.kernels.ct_rays import (
    VIEWS_AT_ONCE,
    Floats,
    Mask,
    Rays,
    check_array,
    columns_within,
    farthest_mm,
)
from leukospect.kernels.ct_sinogram import convolved

_Values = Any
_NEAREST = 0.95  # of D: a source nearer to the slice's corner would see it under nearly a right angle
_FINER = 3  # steps of the tangent a bin
_MARGIN = 2


@dataclass(frozen=True, slots=True, eq=False)
class FanBeam:
    """A slice, a full turn of views spread evenly, and the detector.

    Parameters
    ----------
    shape : (rows, columns)
    pixel_mm : (between rows, between columns)
    views : int
    bins : int
        Detector elements; their centre lies on the ray through the isocentre.
    bin_rad : float
    source_to_isocentre_mm : float
    isocentre_mm : (x, y)
        From the slice's centre, along the columns and along the rows.

    Raises
    ------
    GeometryError
        A size is not positive, the fan is wider than half a turn, or the source would run through the slice.
    """

    shape: tuple[int, int]
    pixel_mm: tuple[float, float]
    views: int
    bins: int
    bin_rad: float
    source_to_isocentre_mm: float
    isocentre_mm: tuple[float, float] = (0.0, 0.0)

    def __post_init__(self) -> None:
        sizes = (*self.pixel_mm, self.bin_rad, self.source_to_isocentre_mm)
        if (
            min(self.shape) < 1
            or self.bins < 2
            or self.views < 1
            or not min(sizes) > 0
            or not np.all(np.isfinite(sizes))
        ):
            raise GeometryError(
                f"A fan beam needs positive sizes; found a slice of {self.shape} at {self.pixel_mm} mm, {self.views} "
                f"views, {self.bins} bins of {self.bin_rad} rad and a source at {self.source_to_isocentre_mm} mm."
            )
        if not np.all(np.isfinite(self.isocentre_mm)):
            raise GeometryError("A fan beam needs a finite isocentre.")
        if self.bins * self.bin_rad >= np.pi:
            raise GeometryError(
                f"A fan of {np.degrees(self.bins * self.bin_rad):.0f} degrees is none; give fewer bins."
            )
        corner = _corner_mm(self.shape, self.pixel_mm, self.isocentre_mm)
        if corner > _NEAREST * self.source_to_isocentre_mm:
            raise GeometryError(
                f"The source turns {self.source_to_isocentre_mm:g} mm from the isocentre, but the slice reaches "
                f"{corner:.0f} mm: it would run through the slice."
            )

    @classmethod
    def covering(
        cls,
        shape: tuple[int, int],
        pixel_mm: tuple[float, float],
        views: int,
        source_to_isocentre_mm: float,
        isocentre_mm: tuple[float, float] = (0.0, 0.0),
    ) -> FanBeam:
        """Spread `views` over a full turn, with bins as fine at the isocentre as the pixels, that cover all corners."""
        bin_rad = min(pixel_mm) / max(source_to_isocentre_mm, min(pixel_mm))
        reach = (_corner_mm(shape, pixel_mm, isocentre_mm) + max(pixel_mm)) / max(source_to_isocentre_mm, min(pixel_mm))
        bins = 2 * int(np.ceil(np.arcsin(min(reach, 1.0)) / bin_rad)) + 4
        return cls(shape, pixel_mm, views, min(bins, int(3.0 / bin_rad)), bin_rad, source_to_isocentre_mm, isocentre_mm)

    @property
    def degrees_per_view(self) -> float:
        """Angle from view to view."""
        return 360.0 / self.views

    def with_half_the_views(self) -> FanBeam:
        """Give the same fan with half as many views over its turn."""
        return replace(self, views=max(1, self.views // 2))

    @property
    def fan_angles_rad(self) -> NDArray[np.float64]:
        """Fan angles g of the bins."""
        angles: NDArray[np.float64] = (np.arange(self.bins, dtype=np.float64) - 0.5 * (self.bins - 1)) * self.bin_rad
        return angles

    @property
    def view_angles_rad(self) -> NDArray[np.float64]:
        """View angles t."""
        angles: NDArray[np.float64] = np.arange(self.views, dtype=np.float64) * (2.0 * np.pi / self.views)
        return angles

    @property
    def rays(self) -> Rays:
        """Its rays, for `leukospect.kernels.ct_rays`."""
        angles = self.fan_angles_rad
        return Rays(self.view_angles_rad, angles, self.source_to_isocentre_mm * np.sin(angles), self.isocentre_mm)

    def checked(self, array: NDArray[np.generic], of: str) -> None:
        """Refuse a slice or a sinogram that does not fit."""
        check_array(array, self.shape if of == "slice" else (self.views, self.bins), of)


def _corner_mm(shape: tuple[int, int], pixel_mm: tuple[float, float], isocentre_mm: tuple[float, float]) -> float:
    """Give how far the farthest pixel's centre lies from the isocentre."""
    (rows, columns), (dy, dx), (x, y) = shape, pixel_mm, isocentre_mm
    return float(np.hypot(0.5 * (columns - 1) * dx + abs(x), 0.5 * (rows - 1) * dy + abs(y)))


def fan_filtered(beam: FanBeam, sinogram: Floats) -> Floats:
    """Weight and convolve each view of a fan beam for its backprojection.

    Parameters
    ----------
    beam : FanBeam
    sinogram : (views, bins) array

    Returns
    -------
    (views, bins) float32 array
        In the sinogram's unit times mm per radian.
    """
    beam.checked(sinogram, "sinogram")
    weights = (beam.source_to_isocentre_mm * np.cos(beam.fan_angles_rad)).astype(np.float32)
    kernel = np.zeros(beam.bins)
    kernel[0] = 0.125 / beam.bin_rad
    odd = np.arange(1, beam.bins, 2)
    kernel[odd] = -0.5 * beam.bin_rad / (np.pi * np.sin(odd * beam.bin_rad)) ** 2
    return convolved(np.asarray(sinogram, dtype=np.float32) * weights, kernel)


def backprojected_fan(beam: FanBeam, sinogram: Floats, within: Mask) -> Floats:
    """Reconstruct; see `leukospect.kernels.ct_beam.filtered_backprojection`.

    The position on the detector is an arc tangent of what is linear in the pixel. So each filtered view is first read
    at equal steps of the tangent, three to a bin, by linear interpolation, which leaves a division a pixel.
    """
    first, last = columns_within(within)
    filtered = fan_filtered(beam, sinogram)
    sine = farthest_mm(within, beam.pixel_mm, beam.isocentre_mm) / beam.source_to_isocentre_mm
    reach = int(np.ceil(np.tan(np.arcsin(min(sine, _NEAREST))) * _FINER / beam.bin_rad)) + _MARGIN
    tangents = np.arange(-reach, reach + 1) * (beam.bin_rad / _FINER)
    at = np.arctan(tangents) / beam.bin_rad + 0.5 * (beam.bins - 1)
    by_tangent = np.zeros((beam.views, tangents.size), dtype=np.float32)
    _read_at(filtered, at, (1.0 / (1.0 + tangents**2)).astype(np.float32), by_tangent)
    image = np.zeros(beam.shape, dtype=np.float32)
    _backproject(
        by_tangent,
        beam.pixel_mm,
        beam.isocentre_mm,
        beam.source_to_isocentre_mm,
        beam.view_angles_rad,
        _FINER / beam.bin_rad,
        first,
        last,
        image,
    )
    return np.where(within, image * np.float32(2.0 * np.pi / beam.views), np.float32(0.0))


@compiled
def _read_at(filtered: _Values, at: _Values, weights: _Values, by_tangent: _Values) -> None:
    """Interpolate each view at fractional bins, times weights; beyond the detector it is zero."""
    bins = filtered.shape[1]
    for view in range(filtered.shape[0]):
        for n in range(at.size):
            left = int(np.floor(at[n]))
            part = np.float32(at[n] - left)
            value = np.float32(0.0)
            if 0 <= left < bins:
                value += filtered[view, left] * (np.float32(1.0) - part)
            if 0 <= left + 1 < bins:
                value += filtered[view, left + 1] * part
            by_tangent[view, n] = value * weights[n]


@compiled
def _backproject(
    by_tangent: _Values,
    pixel_mm: tuple[float, float],
    isocentre_mm: tuple[float, float],
    source_mm: float,
    angles: _Values,
    steps_per_tangent: float,
    first: _Values,
    last: _Values,
    image: _Values,
) -> None:
    rows, columns = image.shape
    dy, dx = pixel_mm
    position, weight = np.empty(columns, np.float32), np.empty(columns, np.float32)
    for at_once in range(0, angles.size, VIEWS_AT_ONCE):
        for j in range(rows):
            start, end = np.uintp(first[j]), np.uintp(last[j])
            if start >= end:
                continue
            x = (first[j] - 0.5 * (columns - 1)) * dx - isocentre_mm[0]
            y = (j - 0.5 * (rows - 1)) * dy - isocentre_mm[1]
            for v in range(at_once, min(at_once + VIEWS_AT_ONCE, angles.size)):
                c, s = np.cos(angles[v]), np.sin(angles[v])
                aside, per_aside = (x * c + y * s) * steps_per_tangent, c * dx * steps_per_tangent
                middle = 0.5 * (by_tangent.shape[1] - 1)
                _places(aside, per_aside, source_mm + x * s - y * c, s * dx, middle, end - start, position, weight)
                _add_view(by_tangent[v], position, weight, image[j, start:end])


@compiled
def _places(
    aside: float,
    per_aside: float,
    depth: float,
    per_depth: float,
    middle: float,
    pixels: Any,
    position: _Values,
    weight: _Values,
) -> None:
    """Find where the pixels of a row lie on a view's steps of the tangent, and their inverse square depth."""
    a, da, d, dd = np.float32(aside), np.float32(per_aside), np.float32(depth), np.float32(per_depth)
    m = np.float32(middle)
    for n in range(pixels):
        inverse = np.float32(1.0) / (d + np.float32(n) * dd)
        position[n] = (a + np.float32(n) * da) * inverse + m
        weight[n] = inverse * inverse


@compiled
def _add_view(view: _Values, position: _Values, weight: _Values, row: _Values) -> None:
    for n in range(np.uintp(row.size)):
        left = np.int32(position[n])
        part = position[n] - np.float32(left)
        at = np.uintp(left)
        row[n] += weight[n] * (view[at] * (np.float32(1.0) - part) + view[at + np.uintp(1)] * part)
