"""Filtered backprojection of parallel views: a quick look, without response and scatter, its noise of either sign.

Arrays have the axial index last: images (rows, columns, slices), views (views, columns, slices).
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Literal

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from leukospect.errors import GeometryError, InputError
from leukospect.kernels.backproject import add_views
from leukospect.operators import ViewOperator

Array = NDArray[np.float32]
Values = NDArray[np.float64]

_SAME_ANGLE_DEG = 1e-4

_WIDEST_GAP = 4.0
"""Views that are missing may leave a gap of this many usual steps."""

_FEWEST_ANGLES = 3
_ROWS_A_TASK = 4


@dataclass(frozen=True, slots=True)
class Window:
    """How the ramp filter rolls off, as a function of radial frequency across the columns and along the axis.

    Parameters
    ----------
    kind : ``ramp``, ``hann`` or ``butterworth``
        ``ramp`` is cut at the pixels' own limit only, and leaves the axis alone.
    cutoff_per_cm : float
        Cycles per cm: where the Hann window reaches 0, where the Butterworth filter has fallen to 1 / sqrt(2).
    order : float
        Of the Butterworth filter 1 / sqrt(1 + (f / cutoff)^(2 order)).

    Notes
    -----
    Forms and use in SPECT: Lyra and Ploussi, Int J Biomed Imaging 2011; 693795. Order 5 with 0.45 cycles/cm is the
    sharper of two settings compared for Tc-99m with a LEHR collimator (Sayed and Mohamed Nasrudin, Int J Med Phys Clin
    Eng Radiat Oncol 2016; 5:100). Makers differ in what they call order and cut-off.
    """

    kind: Literal["ramp", "hann", "butterworth"] = "butterworth"
    cutoff_per_cm: float = 0.45
    order: float = 5.0

    def __post_init__(self) -> None:
        if not (self.cutoff_per_cm > 0 and self.order > 0):
            raise InputError(
                f"A filter needs a positive cut-off and order; found {self.cutoff_per_cm:g} cycles/cm and "
                f"{self.order:g}."
            )

    def response(self, frequency_per_mm: Values) -> Values:
        """Give the factor at a radial frequency, 1 at zero."""
        relative = frequency_per_mm * 10.0 / self.cutoff_per_cm
        if self.kind == "hann":
            return np.where(relative < 1, 0.5 + 0.5 * np.cos(np.pi * np.minimum(relative, 1)), 0.0)
        if self.kind == "butterworth":
            return 1.0 / np.sqrt(1.0 + relative ** (2.0 * self.order))
        return np.ones_like(frequency_per_mm)


def angular_shares(angles_deg: Values) -> Values:
    """Give the angle, in radians, that each view stands for: half a turn altogether.

    Opposite views see the same rays, so angles are taken modulo half a turn; each direction stands for half the way to
    its two neighbours, shared by the views that look along it.

    Parameters
    ----------
    angles_deg : (views,) array
        In any order, over half a turn or more.

    Raises
    ------
    GeometryError
        The views leave a part of half a turn out.
    """
    folded = np.mod(angles_deg, 180.0)
    order = np.argsort(folded, kind="stable")
    steps = np.diff(folded[order])
    direction = np.concatenate([[0], np.cumsum(steps > _SAME_ANGLE_DEG)])
    places = folded[order][np.concatenate([[True], steps > _SAME_ANGLE_DEG])]
    if places.size > 1 and places[0] + 180.0 - places[-1] <= _SAME_ANGLE_DEG:
        # 179.99999 and 0 are one direction.
        direction[direction == places.size - 1] = 0
        places = places[:-1]
    gaps = np.diff(places, append=places[0] + 180.0)
    if places.size < _FEWEST_ANGLES or gaps.max() > _WIDEST_GAP * np.median(gaps):
        raise GeometryError(
            f"Filtered backprojection needs views over at least 180 degrees; {places.size} directions are there, with "
            f"{gaps.max():.0f} degrees between two of them. Take --algorithm osem."
        )
    widths = np.deg2rad(gaps + np.roll(gaps, 1)) / 2
    shares = np.empty(angles_deg.size)
    shares[order] = (widths / np.bincount(direction))[direction]
    return shares


def filter_views(views: Array, pixel_mm: tuple[float, float], window: Window) -> Array:
    """Filter line sums by the ramp across the columns and the window in both directions.

    The ramp is sampled in space, 1/4 at zero and -1/(pi n)^2 at odd n (Ramachandran and Lakshminarayanan 1971), so
    that the mean of the image is right.

    Parameters
    ----------
    views : (views, columns, slices) array
        Sums of the image along rays, in steps of a column.
    pixel_mm : (axial, transverse)
    window : Window

    Returns
    -------
    array of the same shape
    """
    columns, slices = views.shape[1:]
    wide = scipy.fft.next_fast_len(2 * columns, real=True)
    kernel = np.zeros(wide)
    kernel[0] = 0.25
    odd = np.arange(1, columns, 2)
    kernel[odd] = kernel[-odd] = -1.0 / (np.pi * odd) ** 2
    ramp = scipy.fft.fft(kernel).real
    across = scipy.fft.fftfreq(wide, pixel_mm[1])
    margin = 0 if window.kind == "ramp" else min(slices, int(np.ceil(30.0 / window.cutoff_per_cm / pixel_mm[0])))
    # Activity goes on beyond the ends of the field, so that the end slices are not darkened.
    length = slices + 2 * margin
    along = scipy.fft.rfftfreq(length, pixel_mm[0])
    radial = np.hypot(across[:, None], along[None])
    response = (ramp[:, None] * window.response(radial)).astype(np.float32)
    filtered = np.empty(views.shape, np.float32)
    for v, view in enumerate(views):
        padded = np.pad(view.astype(np.float32), ((0, wide - columns), (margin, margin)), mode="constant")
        padded[:columns, :margin] = view[:, :1]
        padded[:columns, margin + slices :] = view[:, -1:]
        spectrum = scipy.fft.rfft2(padded)
        spectrum *= response
        filtered[v] = scipy.fft.irfft2(spectrum, s=(wide, length))[:columns, margin : margin + slices]
    return filtered


def filtered_backprojection(
    views: Array,
    angles_deg: Values,
    pixel_mm: tuple[float, float],
    *,
    offsets_px: Values | None = None,
    window: Window | None = None,
    threads: int | None = None,
) -> Array:
    """Reconstruct from views over half a turn or more, evenly spread or not.

    Parameters
    ----------
    views : (views, columns, slices) array
        Sums of the image along rays, in steps of a column: counts over duration, decay and voxel volume.
    angles_deg : (views,) array
        data.Orbit's convention.
    pixel_mm : (axial, transverse)
    offsets_px : (views,) array or None
        Centre-of-rotation offset along the columns.
    window : Window or None
        None takes the usual one.
    threads : int or None
        The result does not depend on it.

    Returns
    -------
    (columns, columns, slices) float32 array
        In the image's unit; noise and streaks make it negative in places.

    Raises
    ------
    GeometryError
        The views leave a part of half a turn out, or angles and views differ in number.
    """
    if views.ndim != 3 or angles_deg.shape != views.shape[:1]:
        raise GeometryError(f"Views of shape {views.shape} were given with {angles_deg.size} angles.")
    shares = angular_shares(angles_deg)
    filtered = filter_views(views, pixel_mm, window or Window())
    radians = np.deg2rad(angles_deg)
    offsets = np.zeros(angles_deg.size) if offsets_px is None else offsets_px
    angles = np.column_stack([np.cos(radians), np.sin(radians), offsets])
    columns, slices = views.shape[1:]
    image = np.zeros((columns, columns, slices), np.float32)

    def rows(first: int) -> None:
        add_views(filtered, angles, shares.astype(np.float32), first, min(first + _ROWS_A_TASK, columns), image)

    with ThreadPoolExecutor(threads or os.cpu_count() or 1) as pool:
        list(pool.map(rows, range(0, columns, _ROWS_A_TASK)))
    return image


def chang_factors(attenuated: ViewOperator, plain: ViewOperator, shares: Values) -> Array:
    """Give the factors that correct an image for attenuation: one over the mean transmission over the views.

    Parameters
    ----------
    attenuated, plain : ViewOperator
        The same views with attenuation and without, neither with response.
    shares : (views,) array
        Of `angular_shares`.

    Returns
    -------
    array of the operators' input shape
        1 where no view looks.

    Notes
    -----
    The multiplicative step of L. T. Chang, IEEE Trans Nucl Sci 1978; 25:638, without iterations after it. Exact for a
    point source alone; a wide source deviates.
    """
    evenly = np.broadcast_to(shares[:, None, None], plain.out_shape).astype(np.float32)
    through, whole = attenuated.adjoint(evenly), plain.adjoint(evenly)
    seen = through > 1e-6 * float(whole.max(initial=0.0))
    return np.where(seen, whole / np.where(seen, through, 1), 1).astype(np.float32)
