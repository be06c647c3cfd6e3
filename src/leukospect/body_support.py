"""Where activity can be, when an attenuation map shows the body: in it and around it, and wherever the views see any.

Air takes neither activity nor time then. Activity outside the body, such as a urine bag or an arm that the CT cut off,
keeps its place, since every view sees counts where it is.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation, maximum_filter1d, uniform_filter1d

from leukospect.data import Image, Projections

Array = NDArray[np.float32]
Mask = NDArray[np.bool_]

_TISSUE_PER_CM = 0.03
_MARGIN_MM = 30.0
_BAND_MM = 40.0
_LEAST_OF_HIGHEST = 0.003
_SIGNIFICANT = 3.0


def body_support(projections: Projections, counts: Array, scatter: Array | None, mu: Image) -> Mask:
    """Tell at which transverse places activity can be.

    Parameters
    ----------
    projections : Projections
    counts : (views, columns, slices) array
        Measured counts of the photopeaks together.
    scatter : array of the same shape, or None
        What of them is scatter.
    mu : Image
        Attenuation map on `reconstruction_geometry(projections)`, 1/cm.

    Returns
    -------
    (rows, columns) bool array
        Within 30 mm of tissue in any slice, or where each view has counts in some band of slices: above 0.3 % of the
        highest, and above three standard deviations.
    """
    tissue: Mask = np.any(np.asarray(mu.array, np.float32) > _TISSUE_PER_CM, axis=0)
    reach = int(np.ceil(_MARGIN_MM / projections.pixel_mm[1]))
    steps = np.arange(-reach, reach + 1)
    disc = np.hypot(steps[:, None], steps[None]) <= reach
    return binary_dilation(tissue, structure=disc) | _seen_by_all(projections, _counting(projections, counts, scatter))


def _counting(projections: Projections, counts: Array, scatter: Array | None) -> Mask:
    """Tell which columns of each view hold counts that are no scatter, (views, columns)."""
    band = min(counts.shape[2], max(1, round(_BAND_MM / projections.pixel_mm[0])))
    gross = uniform_filter1d(np.asarray(counts, np.float64), band, axis=2, mode="nearest") * band
    net = gross
    if scatter is not None:
        net = gross - uniform_filter1d(np.asarray(scatter, np.float64), band, axis=2, mode="nearest") * band
    clear = (net > _LEAST_OF_HIGHEST * net.max()) & (net > _SIGNIFICANT * np.sqrt(np.maximum(gross, 1.0)))
    # The response carries counts to the columns beside those of the place.
    return np.asarray(maximum_filter1d(clear.any(axis=2), 3, axis=1))


def _seen_by_all(projections: Projections, counting: Mask) -> Mask:
    """Tell at which transverse places every view that looks there counts, (rows, columns)."""
    n = counting.shape[1]
    places = np.arange(n) - (n - 1) / 2
    y, x = np.meshgrid(places, places, indexing="ij")
    offsets = projections.orbit.centre_offset_mm
    seen = np.ones((n, n), np.bool_)
    for view, angle in enumerate(np.deg2rad(projections.orbit.angles_deg)):
        shift = 0.0 if offsets is None else offsets[view] / projections.pixel_mm[1]
        column = np.rint(-x * np.cos(angle) + y * np.sin(angle) + shift + (n - 1) / 2).astype(np.intp)
        looked = (column >= 0) & (column < n)
        seen &= counting[view, np.clip(column, 0, n - 1)] | ~looked
    return seen
