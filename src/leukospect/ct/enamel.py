"""Tips of teeth: small and steep as a filling, but no denser than the enamel around them."""

from __future__ import annotations

from collections.abc import Sequence

from leukospect.ct.metal_pieces import CERTAIN_HU, Piece

# Bone's densest parts, and contrast medium at a kidney's calyx, are below enamel.
_ENAMEL_HU = 2700.0
_AS_DENSE = 1.15
_NEAR_MM = 10.0


def without_enamel(found: Sequence[Piece], slice_spacing_mm: float) -> list[Piece]:
    """Take for enamel what is no denser than enamel nearby, in slices where nothing is surely metal.

    Parameters
    ----------
    found : sequence of Piece
        Of a whole CT.
    slice_spacing_mm : float

    Returns
    -------
    list of Piece
        The same, some of them taken for bone.
    """
    enamel = [one for one in found if one.reason == "bone or contrast medium" and one.peak_hu >= _ENAMEL_HU]
    if not enamel:
        return list(found)
    sure = [one.slice_index for one in found if one.reason == "metal" and _is_sure(one)]
    reach = _NEAR_MM / slice_spacing_mm

    def near(piece: Piece, slice_index: int) -> bool:
        return abs(piece.slice_index - slice_index) <= reach

    def is_enamel(piece: Piece) -> bool:
        if piece.reason != "metal" or _is_sure(piece) or any(near(piece, k) for k in sure):
            return False
        return any(near(piece, one.slice_index) and piece.peak_hu <= _AS_DENSE * one.peak_hu for one in enamel)

    return [one.not_by_itself("bone or contrast medium") if is_enamel(one) else one for one in found]


def _is_sure(piece: Piece) -> bool:
    return piece.cut_off or piece.peak_hu >= CERTAIN_HU
