"""Sources at known places and what a detector sees of them, in closed form.

Angles as DICOM defines them: 0 is the detector at the patient's back, growing counter-clockwise seen from the feet.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

Values = NDArray[np.float64]
V = np.array([0.0, 0.0, -1.0])


def u(angle_deg: float) -> Values:
    """Give the direction of the columns, to the right of somebody behind the detector."""
    t = np.deg2rad(angle_deg)
    return np.array([-np.cos(t), np.sin(t), 0.0])


def n(angle_deg: float) -> Values:
    """Give the direction from the axis of rotation to the detector."""
    t = np.deg2rad(angle_deg)
    return np.array([np.sin(t), np.cos(t), 0.0])


@dataclass(frozen=True)
class Source:
    """A Gaussian blob: its LPS place, what one view of one second counts of it, and its width (0 is a point)."""

    place_mm: tuple[float, float, float]
    counts_per_s: float
    sigma_mm: float = 5.0


def drawn(sources: Sequence[Source], places: Sequence[tuple[float, float]], shape: tuple[int, int],
          pixel_mm: tuple[float, float]) -> Values:  # fmt: skip
    """Draw sources at fractional (row, column) places: (rows, columns), counts per second.

    A blob is integrated over each pixel; a point is shared by four pixels, so that its centroid is exact.
    """
    view = np.zeros(shape)
    for source, (row, column) in zip(sources, places, strict=True):
        if source.sigma_mm:
            down = _integrated(row, source.sigma_mm / pixel_mm[0], shape[0])
            across = _integrated(column, source.sigma_mm / pixel_mm[1], shape[1])
        else:
            down, across = _shared(row, shape[0]), _shared(column, shape[1])
        view += source.counts_per_s * np.outer(down, across)
    return view


def _integrated(place: float, sigma: float, size: int) -> Values:
    edges = np.arange(size + 1) - 0.5
    return np.asarray(np.diff(ndtr((edges - place) / sigma)), np.float64)


def _shared(place: float, size: int) -> Values:
    return np.asarray(np.maximum(0.0, 1.0 - np.abs(np.arange(size) - place)), np.float64)


def voxel_values(sources: Sequence[Source], places_mm: Values) -> Values:
    """Evaluate the sources at LPS places (..., 3), each with its counts at its centre."""
    total = np.zeros(places_mm.shape[:-1])
    for source in sources:
        squared = ((places_mm - np.array(source.place_mm)) ** 2).sum(axis=-1)
        total += source.counts_per_s * np.exp(-squared / (2 * source.sigma_mm**2))
    return total
