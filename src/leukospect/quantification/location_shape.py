"""The shape of a focus: how long and wide it is, and which way it runs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_LEAST_LENGTH_MM = 30.0
_LEAST_LENGTH_TO_WIDTH = 2.0
_END_PART = 0.15


@dataclass(frozen=True, slots=True, eq=False)
class FocusShape:
    """Length, width and direction.

    Parameters
    ----------
    length_mm, width_mm : float
        As of a straight rod with the same spread, the resolution taken off the width: a thin tract has half of it left.
    direction : (x, y, z)
        Of the long axis, LPS, of length 1; its largest component is positive.
    elongated : bool
        At least 30 mm long and twice as long as wide.
    ends : (points,) bool array
        The points of the outermost parts along the axis.
    """

    length_mm: float
    width_mm: float
    direction: tuple[float, float, float]
    elongated: bool
    ends: NDArray[np.bool_]


def shape_of_focus(
    places_mm: NDArray[np.float64], voxel_mm: tuple[float, float, float], resolution_mm: float = 0.0
) -> FocusShape:
    """Tell the shape of what some voxels fill, from their principal axes.

    A rod of length L has a variance of L^2 / 12 along its axis and, of width w, w^2 / 16 across it; a voxel adds its
    own.

    Parameters
    ----------
    places_mm : (voxels, 3) array
        Middles, LPS.
    voxel_mm : sizes of a voxel
    resolution_mm : float
        FWHM of the image; blur widens a rod cut at 40 to 50 % of its maximum, and hardly lengthens it.
    """
    centred = places_mm - places_mm.mean(axis=0)
    own = float(np.mean(np.square(voxel_mm))) / 12.0
    covariance = np.einsum("na,nb->ab", centred, centred) / len(places_mm) + own * np.eye(3)
    variances, axes = np.linalg.eigh(covariance)
    axis = axes[:, -1] * np.sign(axes[np.abs(axes[:, -1]).argmax(), -1])
    length = float(np.sqrt(12.0 * variances[-1]))
    seen = float(4.0 * np.sqrt(variances[:2].mean()))
    width = float(np.sqrt(max(seen**2 - resolution_mm**2, (resolution_mm / 2.0) ** 2)))
    along = np.einsum("na,a->n", centred, axis)
    low, high = np.quantile(along, [_END_PART, 1.0 - _END_PART])
    return FocusShape(
        length,
        width,
        (float(axis[0]), float(axis[1]), float(axis[2])),
        length >= _LEAST_LENGTH_MM and length >= _LEAST_LENGTH_TO_WIDTH * width,
        (along <= low) | (along >= high),
    )
