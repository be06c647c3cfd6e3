"""Where bright artefacts beside metal reach the top of a short scale and so look like metal.

Beam hardening leaves tissue dark along a metal's long chords and bright beside its flat sides; where cortical bone lies
there, its values pass a 12-bit scale's top, and steel seems up to twice as wide as it is. What tells them apart is the
edge: metal's falls from beyond the top to tissue within two pixels, that of brightened bone fades over many. So metal
is what the steep parts of the contour span.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import ConvexHull, QhullError

from leukospect.ct.metal_extent import METAL_LEVEL_HU

_OUTWARD_PIXELS = 2.0
_NORMAL_SIGMA_PIXELS = 1.5
_STEEP_HU, _FADING_HU = 1300.0, 2000.0
_LEAST_FADING, _LEAST_STEEP = 0.12, 0.15
_FEWEST_STEEP = 8
_LARGEST_HOLE = 0.25


def without_holes(patch: NDArray[np.float32], metal: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Fill what metal of a slice encloses: beam hardening and starved rays leave less than metal's height within.

    Tissue within a ring of metal stays: a hole counts as metal if it is small beside what surrounds it or dense.
    """
    filled = np.asarray(ndimage.binary_fill_holes(metal), dtype=np.bool_)
    holes, count = ndimage.label(filled & ~metal)
    if not count:
        return filled
    numbers = np.arange(1, count + 1)
    sizes = np.bincount(holes.ravel())[1:]
    dense = np.asarray(ndimage.median(patch, holes, numbers)) >= METAL_LEVEL_HU
    kept = np.concatenate([[True], dense | (sizes <= _LARGEST_HOLE * np.count_nonzero(metal))])
    return filled & kept[holes]


def without_bloom(patch: NDArray[np.float32], seed: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Take brightened bone off metal that the scale cuts off.

    Parameters
    ----------
    patch : (rows, columns) float32 array
        HU.
    seed : (rows, columns) bool array
        What reaches the scale's top.

    Returns
    -------
    (rows, columns) bool array
        The part of `seed` that the steep parts of its contour span, and a pixel around that; all of it where little
        of the contour fades, or too little is steep to tell.
    """
    smooth = ndimage.gaussian_filter(seed.astype(np.float32), _NORMAL_SIGMA_PIXELS)
    rim = np.argwhere(seed & ~ndimage.binary_erosion(seed)).T
    normal = -np.stack(np.gradient(smooth))[:, rim[0], rim[1]]
    normal /= np.maximum(np.hypot(*normal), 1e-6)
    outside = ndimage.map_coordinates(patch, rim + _OUTWARD_PIXELS * normal, order=1, mode="nearest")
    steep = outside < _STEEP_HU
    telling = np.count_nonzero(steep) >= _FEWEST_STEEP and np.mean(steep) >= _LEAST_STEEP
    if not telling or np.mean(outside > _FADING_HU) < _LEAST_FADING:
        return seed
    try:
        sides = ConvexHull(rim[:, steep].T.astype(np.float64)).equations
    except QhullError:  # all steep parts lie on one line
        return seed
    rows, columns = np.ogrid[: seed.shape[0], : seed.shape[1]]
    within = np.ones(seed.shape, dtype=np.bool_)
    for down, across, offset in sides:
        within &= down * rows + across * columns + offset <= 1e-6
    return seed & ndimage.binary_dilation(within)
