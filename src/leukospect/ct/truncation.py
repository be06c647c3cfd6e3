"""The CT's field of view within its slices, and the slices in which it cuts the body off."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from leukospect.ct.body import BODY_THRESHOLD_HU, body_outline
from leukospect.data import Image

# A reconstruction circle's corners hold one constant padding value; skin within this many pixels of it is cut off.
_EDGE_PIXELS = 2
_LEAST_CUT_MM = 20.0
_SQUARE = 0.02


def is_truncated(ct_image: Image) -> bool:
    """Tell whether the body is cut off by the edge of the CT's field of view in some slice; see `truncated_slices`."""
    return bool(truncated_slices(ct_image).any())


def truncated_slices(ct_image: Image, body: NDArray[np.bool_] | None = None) -> NDArray[np.bool_]:
    """Tell in which slices the body is cut off by the edge of the CT's field of view.

    The field of view is that of `field_of_view`. The couch does not count, nor do scattered bright pixels: a slice must
    show at least 20 mm of the body along the edge.

    Parameters
    ----------
    ct_image : Image
        CT in HU.
    body : (slices, rows, columns) bool array or None
        `body_outline(ct_image)`, where it is known.

    Returns
    -------
    (slices,) bool array
    """
    inside = field_of_view(ct_image)
    framed = np.pad(inside, 1)
    edge = inside & ~ndimage.binary_erosion(framed, iterations=_EDGE_PIXELS)[1:-1, 1:-1]
    pixel_mm = float(np.mean(ct_image.geometry.spacing_mm[1:]))
    # The outline is true to a few millimetres only, so it decides whose tissue it is, and the HU whether it is tissue.
    near_body = ndimage.maximum_filter(body_outline(ct_image) if body is None else body, size=(1, 7, 7))
    rim = near_body[:, edge] & (np.asarray(ct_image.array[:, edge], dtype=np.float32) > BODY_THRESHOLD_HU)
    return np.asarray(rim.sum(axis=1) * pixel_mm / _EDGE_PIXELS >= _LEAST_CUT_MM)


def field_of_view(ct_image: Image) -> NDArray[np.bool_]:
    """Mark the pixels of a slice that were scanned: (rows, columns).

    The image's rectangle or, where it is square and its corners hold one constant padding value, the circle within.
    """
    array = ct_image.array
    height_mm, width_mm = np.array(array.shape[1:]) * ct_image.geometry.spacing_mm[1:]
    if abs(height_mm - width_mm) > _SQUARE * width_mm:  # a round body that fills its rectangle is no circle of rays
        return np.ones(array.shape[1:], dtype=np.bool_)
    never_differs = np.all(array == array[:1, :1, :1], axis=0)
    corners = never_differs[[0, 0, -1, -1], [0, -1, 0, -1]]
    padding = np.zeros_like(never_differs)
    if corners.all():
        labels, _ = ndimage.label(never_differs)
        found = np.unique(labels[[0, 0, -1, -1], [0, -1, 0, -1]])
        padding = np.isin(labels, found)
    # Air all around the patient is constant, too, in a simulated CT: only a circle's corners are padding.
    rows, columns = padding.shape
    y, x = np.ogrid[-1 : 1 : rows * 1j, -1 : 1 : columns * 1j]
    outside_circle = np.hypot(y, x) > 1.0 - 2.0 * _EDGE_PIXELS / min(rows, columns)
    is_circle = bool(corners.all() and padding[np.hypot(y, x) > 1.02].mean() > 0.98)
    return np.asarray(~(padding & outside_circle) if is_circle else np.ones_like(padding), dtype=np.bool_)
