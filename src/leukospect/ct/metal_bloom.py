"""What artefacts make of metal's outline: brightened bone and bridges of streaks beside it, holes within.

Beam hardening leaves tissue dark along a metal's long chords and bright beside its flat sides; where cortical bone lies
there, its values pass a 12-bit scale's top, and steel seems up to twice as wide as it is. What tells them apart is the
edge: metal's falls from beyond the top to tissue within two pixels, that of brightened bone fades over many. So metal
is what the steep parts of the contour span. A screw seen lengthwise borders on bone over its whole length, so that its
steep parts span too little: it loses its rim only.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import ConvexHull, QhullError

from leukospect.ct.metal_shape import aspect

_OUTWARD_PIXELS = 2.0
_NORMAL_SIGMA_PIXELS = 1.5
_STEEP_HU, _FADING_HU = 1300.0, 2000.0
_LEAST_FADING, _LEAST_STEEP = 0.12, 0.15
_FEWEST_STEEP = 8
_LARGEST_HOLE = 0.25
_SPANS_LESS = 0.93
_LONG_ASPECT = 2.5
_BRIDGE_MM = 1.6
_SADDLE_MM, _DENSER_THAN_BONE_HU = 4.0, 2150.0
_AROUND = np.ones((3, 3), dtype=np.bool_)


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
    dense = np.asarray(ndimage.median(patch, holes, numbers)) >= _DENSER_THAN_BONE_HU
    kept = np.concatenate([[True], dense | (sizes <= _LARGEST_HOLE * np.count_nonzero(metal))])
    return np.asarray(filled & kept[holes], dtype=np.bool_)


def without_bloom(
    patch: NDArray[np.float32], seed: NDArray[np.bool_], pixel_mm: tuple[float, float]
) -> NDArray[np.bool_]:
    """Take brightened bone off metal that the scale cuts off.

    Parameters
    ----------
    patch : (rows, columns) float32 array
        HU.
    seed : (rows, columns) bool array
        What reaches the scale's top.
    pixel_mm : (between rows, between columns)

    Returns
    -------
    (rows, columns) bool array
        The part of `seed` that the steep parts of its contour span, and a pixel around that; all of it where little
        of the contour fades, or too little is steep to tell.
    """
    rim, outside = _beyond_rim(patch, seed)
    steep = outside < _STEEP_HU
    fading = outside > _FADING_HU
    if not fading.size or np.mean(fading) < _LEAST_FADING:
        return seed
    spanned = seed
    long = aspect(seed, pixel_mm) > _LONG_ASPECT
    if not long and np.count_nonzero(steep) >= _FEWEST_STEEP and np.mean(steep) >= _LEAST_STEEP:
        spanned = seed & ndimage.binary_dilation(_hull(rim[:, steep], seed.shape))
    if np.count_nonzero(spanned) < _SPANS_LESS * np.count_nonzero(seed):
        return spanned
    return _less_fading_rim(patch, seed)


def _less_fading_rim(patch: NDArray[np.float32], metal: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Take the outermost pixels off where the contour fades, but not what is so thin that little would be left."""
    rim, outside = _beyond_rim(patch, metal)
    off = np.zeros(metal.shape, dtype=np.bool_)
    off[tuple(rim[:, outside > _FADING_HU])] = True
    inner = ndimage.binary_erosion(metal, structure=_AROUND)
    thick = ndimage.binary_dilation(inner, structure=_AROUND, iterations=2)
    return metal & ~(off & thick)


def _beyond_rim(patch: NDArray[np.float32], mask: NDArray[np.bool_]) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
    """Give the outermost pixels of a mask, (2, n), and what lies two pixels outside each along the normal."""
    smooth = ndimage.gaussian_filter(mask.astype(np.float32), _NORMAL_SIGMA_PIXELS)
    rim = np.argwhere(mask & ~ndimage.binary_erosion(mask)).T
    rows, columns = rim
    normal = -np.stack([np.gradient(smooth, axis=axis)[rows, columns] for axis in (0, 1)])
    normal /= np.maximum(np.hypot(*normal), 1e-6)
    return rim, ndimage.map_coordinates(patch, rim + _OUTWARD_PIXELS * normal, order=1, mode="nearest")


def _hull(points: NDArray[np.intp], shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Mark the pixels in the convex hull of points, (2, n); all pixels where the points lie on one line."""
    within = np.ones(shape, dtype=np.bool_)
    try:
        sides = ConvexHull(points.T.astype(np.float64)).equations
    except QhullError:
        return within
    rows, columns = np.ogrid[: shape[0], : shape[1]]
    for down, across, offset in sides:
        within &= down * rows + across * columns + offset <= 1e-6
    return within


def cores(mask: NDArray[np.bool_], pixel_mm: tuple[float, float]) -> tuple[NDArray[np.int32], int]:
    """Label what is left of a mask 1.6 mm inside its edge, and count it."""
    depth = ndimage.distance_transform_edt(np.pad(mask, 1), sampling=pixel_mm)[1:-1, 1:-1]
    labels, count = ndimage.label(depth > _BRIDGE_MM)
    return np.asarray(labels, dtype=np.int32), int(count)


def without_bridges(mask: NDArray[np.bool_], pixel_mm: tuple[float, float]) -> NDArray[np.bool_]:
    """Cut off what is thinner than 3 mm: streaks between fillings and crowns; a mask that has no core stays."""
    labels, count = cores(mask, pixel_mm)
    if not count:
        return mask
    near = ndimage.distance_transform_edt(labels == 0, sampling=pixel_mm) <= _BRIDGE_MM
    return np.asarray(mask & near, dtype=np.bool_)


def fades(patch: NDArray[np.float32], metal: NDArray[np.bool_]) -> bool:
    """Tell whether part of a contour falls as slowly as that of brightened bone."""
    _, outside = _beyond_rim(patch, metal)
    return bool(outside.size) and float(np.mean(outside > _FADING_HU)) >= _LEAST_FADING


def with_saddles(
    patch: NDArray[np.float32], metal: NDArray[np.bool_], pixel_mm: tuple[float, float]
) -> NDArray[np.bool_]:
    """Add what is narrow between parts of a metal and denser than bone: starved rays leave it below the scale's top."""
    margin = int(np.ceil(_SADDLE_MM / min(pixel_mm))) + 1
    framed = np.pad(metal, margin)
    near = ndimage.distance_transform_edt(~framed, sampling=pixel_mm) <= _SADDLE_MM
    closed = ndimage.distance_transform_edt(near, sampling=pixel_mm) > _SADDLE_MM
    inner = closed[margin:-margin, margin:-margin]
    return np.asarray(metal | (inner & (patch >= _DENSER_THAN_BONE_HU)), dtype=np.bool_)
