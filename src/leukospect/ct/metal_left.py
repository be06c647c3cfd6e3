"""The finding of a CT's metal, once some of what was found proved to be none."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from leukospect.ct.metal_pieces import Piece, Reason
from leukospect.ct.metal_segmentation import MetalFinding, components_of, left_out_of
from leukospect.data import Geometry


def with_metal_left(finding: MetalFinding, left: NDArray[np.bool_], reason: Reason, geometry: Geometry) -> MetalFinding:
    """Tell the metal that is left, and what of it was dropped, by why it was.

    Parameters
    ----------
    finding : MetalFinding
    left : (slices, rows, columns) bool array
        The metal of `finding`, or part of it.
    reason : Reason
        What the rest is.
    geometry : Geometry

    Returns
    -------
    MetalFinding
        Its mask is `left`; `finding` itself where nothing was dropped.
    """
    dropped = finding.mask & ~left
    if not dropped.any():
        return finding
    kept, others = _within(finding.pieces, left), _within(finding.pieces, dropped)
    left_out = left_out_of([piece.taken_for(reason) for piece in others], geometry)
    return MetalFinding(
        mask=left,
        components=components_of(kept, left, geometry),
        left_out=tuple(sorted((*finding.left_out, *left_out), key=lambda one: -one.volume_ml)),
        threshold_hu=finding.threshold_hu,
        pieces=tuple(kept),
    )


def _within(pieces: tuple[Piece, ...], mask: NDArray[np.bool_]) -> list[Piece]:
    """Cut pieces down to what of them lies in a mask; those that do not reach it are left out."""
    cut = [replace(piece, mask=piece.mask & mask[piece.slice_index][piece.window]) for piece in pieces]
    return [piece for piece in cut if piece.mask.any()]
