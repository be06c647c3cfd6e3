"""How far metal reaches that a 12-bit scale cuts off: by its edge in a quiet slice, else by what streaks leave."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from leukospect.ct.metal_bloom import fades, with_saddles, without_bloom, without_holes
from leukospect.ct.metal_extent import Edge, least_bloom_mm, moved_in, within_cut_off_edge
from leukospect.ct.metal_shape import width_mm

_DARK_STREAK_HU, _QUIET_FALL = -100.0, 0.25
_STARVES_MM = 12.0


def cut_off_extent(
    patch: NDArray[np.float32], seed: NDArray[np.bool_], edge: Edge, pixel_mm: tuple[float, float], blur_mm: float
) -> tuple[NDArray[np.bool_], float]:
    """Give how far metal reaches that the scale cuts off, and its estimated height, HU.

    Parameters
    ----------
    patch : (rows, columns) float32 array
        HU.
    seed : (rows, columns) bool array
        What reaches the metal level.
    edge : Edge
    pixel_mm : (between rows, between columns)
    blur_mm : float

    Returns
    -------
    tuple
        (rows, columns) bool array, and the height, NaN where the edge is not blurred.
    """
    mask, height = within_cut_off_edge(patch, seed, edge, pixel_mm, blur_mm)
    mask = mask & seed
    if edge.steepest_hu < _DARK_STREAK_HU or edge.fall > _QUIET_FALL:
        mask = _beside_streaks(patch, seed, edge, pixel_mm, blur_mm if np.isfinite(height) else 0.0)
    return (mask if mask.any() else seed & (patch >= patch[seed].max())), height


def _beside_streaks(
    patch: NDArray[np.float32], seed: NDArray[np.bool_], edge: Edge, pixel_mm: tuple[float, float], blur_mm: float
) -> NDArray[np.bool_]:
    """Give how far metal reaches beside dark and bright streaks, which hide the height of its edge.

    What is too thin to starve the rays has its contour outside its edge, titanium the least far; thick metal has not,
    and may fall below the scale's top between its parts. Bone that streaks brightened counts for neither.
    """
    mask = without_bloom(patch, without_holes(patch, seed), pixel_mm)
    if width_mm(seed, pixel_mm) > _STARVES_MM:
        return with_saddles(patch, mask, pixel_mm)
    if blur_mm == 0.0 or edge.fall > _QUIET_FALL or fades(patch, mask):
        return mask
    return mask & moved_in(patch, mask, pixel_mm, least_bloom_mm(edge, blur_mm))
