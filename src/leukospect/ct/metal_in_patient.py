"""Whether metal belongs to the patient, or to what lies on, under and beside: couch, leads, frames, jewellery.

The outline of the body is true to some millimetres and leaves out what is thin: fingers, the tip of a jaw. So it
decides only for what lies deep. Near the skin and beyond it the tissue around a piece decides: metal under the skin has
tissue on all sides, a lead on it on one. A piece that crosses the skin counts whole, as its shadow is one. A piece in
the air that continues one in the patient within a centimetre, such as the crown of a tooth between open lips, belongs
to it; the rest of a pin outside does not.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from leukospect.ct.metal_pieces import Piece

_DEEP_MM = 8.0
_RING_MM = (1.5, 3.5)
_TISSUE_HU = -300.0
_SURROUNDED = 0.6
_SURROUNDED_IN_OUTLINE = 0.5
_LINK_MM = 10.0


def depth_mm(outline: NDArray[np.bool_], pixel_mm: tuple[float, float]) -> NDArray[np.float32]:
    """Distance of each pixel of a slice inside the body from the skin; 0 outside. An image's edge is no skin.

    Parameters
    ----------
    outline : (rows, columns) bool array
    pixel_mm : (between rows, between columns)
    """
    if not outline.any():
        return np.zeros(outline.shape, dtype=np.float32)
    framed = np.pad(outline, 1, mode="edge")
    if framed.all():
        return np.full(outline.shape, np.inf, dtype=np.float32)
    depth = np.asarray(ndimage.distance_transform_edt(framed, sampling=pixel_mm), dtype=np.float32)
    return depth[1:-1, 1:-1]


def lies_inside(
    piece: Piece, plane: NDArray[np.float32], depth: NDArray[np.float32], pixel_mm: tuple[float, float]
) -> bool:
    """Tell whether a piece of one slice lies in the patient or crosses the skin.

    Parameters
    ----------
    piece : Piece
    plane : (rows, columns) float32 array
        Its slice, HU.
    depth : (rows, columns) float32 array
        See `depth_mm`.
    pixel_mm : (between rows, between columns)
    """
    depths = depth[piece.window][piece.mask]
    if depths.size and float(depths.max()) >= _DEEP_MM:
        return True
    distance = np.asarray(ndimage.distance_transform_edt(~piece.mask, sampling=pixel_mm))
    low = max(_RING_MM[0], 1.5 * max(pixel_mm))
    ring = (distance >= low) & (distance <= low + _RING_MM[1] - _RING_MM[0])
    values = plane[piece.window][ring]
    if values.size == 0:
        return False
    surrounded = float(np.mean(values > _TISSUE_HU))
    in_outline = float(np.mean(depths > 0.0)) > 0.75
    return surrounded >= (_SURROUNDED_IN_OUTLINE if in_outline else _SURROUNDED)


def continuing(
    pieces: Sequence[Piece],
    metal: NDArray[np.bool_],
    spacing_mm: float,
    reach_mm: float = _LINK_MM,
    least_share: float = 0.0,
) -> set[int]:
    """Find pieces that continue metal of the slices beside, slice by slice, not further than a reach.

    Parameters
    ----------
    pieces : sequence of Piece
        Not accepted by themselves.
    metal : (slices, rows, columns) bool array
        What was accepted; the pieces found are drawn into it.
    spacing_mm : float
        Between slices.
    reach_mm : float
        From the slice with accepted metal.
    least_share : float
        How much of a piece must lie over metal of the slices beside: bone brightened by metal lies next to it.

    Returns
    -------
    set of int
        Indices into `pieces`.
    """
    joined: set[int] = set()
    for _ in range(max(1, int(reach_mm / spacing_mm))):
        fresh = [n for n, piece in enumerate(pieces) if n not in joined and _touches(piece, metal, least_share)]
        if not fresh:
            break
        for n in fresh:
            metal[pieces[n].slice_index][pieces[n].window] |= pieces[n].mask
        joined.update(fresh)
    return joined


def _touches(piece: Piece, metal: NDArray[np.bool_], least_share: float) -> bool:
    """Tell whether a piece lies over metal of the slice below or above, give or take a pixel."""
    beside = (k for k in (piece.slice_index - 1, piece.slice_index + 1) if 0 <= k < metal.shape[0])
    for k in beside:
        wide = ndimage.binary_dilation(metal[k][piece.window], structure=np.ones((3, 3), dtype=np.bool_))
        over = np.count_nonzero(wide & piece.mask)
        if over and over >= least_share * np.count_nonzero(piece.mask):
            return True
    return False
