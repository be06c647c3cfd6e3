"""Which dense things of one slice are metal: told from bone, teeth, contrast medium, stones, noise and streaks.

What exceeds 3000 HU is metal if its edge is steep there: bone, enamel and contrast medium that happen to reach the
level hardly exceed it, so that beside its contour they still have most of it. What stays between 1900 and 3000 HU may
be metal that fills its voxels in part, such as wires, clips, and screws in thick slices. It is believed where it is too
small to show its full height, and lies in soft tissue by itself or in slices so thick that bone has no such contrast.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from leukospect.ct.metal_bloom import cores, without_bridges, without_holes
from leukospect.ct.metal_cut_off import cut_off_extent
from leukospect.ct.metal_extent import (
    DENSE_LEVEL_HU,
    LARGEST_FALL,
    METAL_LEVEL_HU,
    Edge,
    edge_of,
    skin_blur_mm,
    usable_blur_mm,
)
from leukospect.ct.metal_shape import aspect, connected, noise_hu, width_mm

Reason = Literal[
    "metal",
    "bone or contrast medium",
    "noise",
    "streak",
    "too large",
    "outside the patient",
    "bone brightened by streaks of other metal",
]

_AROUND = np.ones((3, 3), dtype=np.bool_)
# No bone, tooth or contrast medium reaches it; metal that fills its voxels does, where the scale does.
CERTAIN_HU = 4600.0
# No enamel or contrast medium at the scale's top falls to this within the blur, metal with its dark streaks does.
_STEEP_HU = 550.0
_STEEP_BY_ENAMEL_HU, _FALL_BY_ENAMEL = 450.0, 0.25
_TOOTH_MM, _TOOTH_ASPECT, _FEWEST_TEETH = 2.3, 2.2, 4
_FEWEST_CROWNS = 8
# So many things at the scale's top with a shallow edge are enamel, and the top tells no filling from it.
_MUCH_ENAMEL = 3
_TOP_OF_SHORT_SCALE_HU = 4200.0
_FEWEST_CUT_OFF = 4
_FEWEST_SOLID, _SOLID_SHARE, _WIDEST_FILLING_MM = 6, 0.7, 10.0
# No bone or tooth is this wide at the scale's top, let alone between rays that starved.
_STARVING_MM, _STARVED_HU, _PLATEAU_SHARE = 12.0, -300.0, 0.9
_PEELS = 4
# What bone beside other metal seldom reaches.
_ABOVE_BRIGHTENED_BONE_HU = 4000.0
_LEAST_SHARE_OF_NEIGHBOUR = 0.2
_BLUR_REACH_PIXELS = 3
_NOISE_FACTOR, _NOISE_FACTOR_OF_A_PIXEL = 6.0, 8.0
_LARGEST_MM2 = 1.2e4
_FULL_WIDTH_MM = 3.2
_FULL_WIDTH_THICK_MM = 5.0
_THICK_SLICE_MM = 2.5
_BONE_HU = 500.0
_ABOVE_BONE_HU = 2150.0
_LEAST_CONTRAST_HU = 1000.0
_LINKED_CONTRAST_HU = 800.0
_STREAK_ASPECT = 3.0
_ROUND_ASPECT = 1.5


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """A dense thing in one slice.

    Parameters
    ----------
    slice_index : int
    window : (rows, columns) slices
        Where `mask` lies.
    mask : (rows, columns) bool array
    peak_hu, threshold_hu : float
        Its height, estimated where the scale cuts it off, and where it was cut from its surroundings.
    cut_off : bool
        It reaches the top of a short scale.
    reason : Reason
        What it was taken for.
    linkable : bool
        Not metal by itself, but taken for it where it continues metal of the next slice.
    """

    slice_index: int
    window: tuple[slice, slice]
    mask: NDArray[np.bool_]
    peak_hu: float
    threshold_hu: float
    cut_off: bool
    reason: Reason
    linkable: bool = False

    def taken_for(self, reason: Reason) -> Piece:
        """Give the same piece, taken for something else."""
        return replace(self, reason=reason)

    def not_by_itself(self, reason: Reason) -> Piece:
        """Give what was taken for metal as something else, also beside metal of the next slice."""
        return replace(self, reason=reason if self.reason == "metal" else self.reason, linkable=False)


@dataclass(frozen=True, slots=True)
class SliceScale:
    """What the pieces of a slice are judged with: pixels, slice spacing (mm), the volume's highest HU, blur, noise."""

    pixel_mm: tuple[float, float]
    spacing_mm: float
    top_hu: float
    blur_mm: float
    noise_hu: float

    @classmethod
    def of(cls, plane: NDArray[np.float32], spacing_mm: tuple[float, float, float], top_hu: float) -> SliceScale:
        """Measure blur and noise of a slice."""
        pixel_mm = (spacing_mm[1], spacing_mm[2])
        blur = usable_blur_mm(skin_blur_mm(plane, pixel_mm), pixel_mm)
        return cls(pixel_mm, spacing_mm[0], top_hu, blur, noise_hu(plane))

    def cuts_off(self, values: NDArray[np.float32]) -> bool:
        """Tell whether a thing with these values reaches the top of a short scale."""
        short = self.top_hu <= _TOP_OF_SHORT_SCALE_HU
        return short and int(np.count_nonzero(values >= self.top_hu - 1.0)) >= _FEWEST_CUT_OFF


def pieces_of_slice(plane: NDArray[np.float32], slice_index: int, scale: SliceScale) -> list[Piece]:
    """Find what is dense in a slice and tell what it is.

    Parameters
    ----------
    plane : (rows, columns) float32 array
        HU, nothing below -1000.
    slice_index : int
    scale : SliceScale
    """
    pieces: list[Piece] = []
    seen, has_metal = np.zeros(plane.shape, dtype=np.bool_), False
    high = [
        (window, seed, edge_of(plane[window], seed, scale.pixel_mm, scale.blur_mm))
        for window, seed in connected(plane >= METAL_LEVEL_HU, scale.pixel_mm)
    ]
    enamel = [n for n, (window, seed, edge) in enumerate(high) if _is_shallow(plane[window][seed], edge, scale)]
    much_enamel = len(enamel) >= _MUCH_ENAMEL
    doubtful = []
    for window, seed, edge in high:
        found = _high_pieces(plane[window], seed, edge, slice_index, window, scale, much_enamel=much_enamel)
        if not found:
            doubtful.append((window, seed))
        for piece in found:
            pieces.append(piece)
            if piece.reason == "metal":
                seen[window] |= piece.mask
                has_metal = True
        seen[window] |= seed
    dense = plane >= DENSE_LEVEL_HU
    if pieces or doubtful:
        dense &= ~ndimage.binary_dilation(seen, structure=_AROUND, iterations=_BLUR_REACH_PIXELS)
    lower: list[Piece] = []
    for window, seed in doubtful:
        if not much_enamel and _is_filling(plane[window], seed, scale, beside_metal=has_metal):
            pieces.append(_filling(plane[window], seed, slice_index, window, scale))
        else:
            lower.append(_low_piece(plane[window], seed, slice_index, window, scale, beside_metal=has_metal))
    for window, seed in connected(dense, scale.pixel_mm):
        lower.append(_low_piece(plane[window], seed, slice_index, window, scale, beside_metal=has_metal))
    teeth = _as_teeth(lower, scale.pixel_mm) >= (_MUCH_ENAMEL if much_enamel else _FEWEST_TEETH)
    if teeth:
        lower = [one.not_by_itself("bone or contrast medium") for one in lower]
    if teeth or sum(cores(piece.mask, scale.pixel_mm)[1] for piece in pieces) >= _FEWEST_CROWNS:
        pieces = [part for piece in pieces for part in _without_bridges(piece, scale)]
    return pieces + lower


def _without_bridges(piece: Piece, scale: SliceScale) -> list[Piece]:
    """Cut the bright streaks off that run between fillings and crowns: they are thinner."""
    if piece.reason != "metal":
        return [piece]
    return [replace(piece, mask=without_bridges(piece.mask, scale.pixel_mm))]


def _as_teeth(lower: list[Piece], pixel_mm: tuple[float, float]) -> int:
    """Count the lower things of a slice that are as wide and as round as teeth: several stand in a row."""
    return sum(
        piece.reason != "noise"
        and width_mm(piece.mask, pixel_mm) >= _TOOTH_MM
        and aspect(piece.mask, pixel_mm) <= _TOOTH_ASPECT
        for piece in lower
    )


def _high_pieces(
    patch: NDArray[np.float32],
    seed: NDArray[np.bool_],
    edge: Edge,
    k: int,
    window: tuple[slice, slice],
    scale: SliceScale,
    *,
    much_enamel: bool,
) -> list[Piece]:
    """Judge one thing above the metal level; it may be several metals of unlike height that touch.

    Nothing where its height and edge do not tell.
    """
    values = patch[seed]
    peak = float(values.max())
    cut_off = scale.cuts_off(values)
    # What is wide and not cut off shows its full height, and metal has more than that.
    shown_whole = not cut_off and width_mm(seed, scale.pixel_mm) > _FULL_WIDTH_THICK_MM
    reason: Reason = "metal"
    if np.count_nonzero(seed) * scale.pixel_mm[0] * scale.pixel_mm[1] > _LARGEST_MM2:
        reason = "too large"
    elif _is_shallow(values, edge, scale, much_enamel=much_enamel) or (shown_whole and peak < CERTAIN_HU):
        return []  # Too small to show its full height, it may still be metal, as lower things may.
    elif peak - _upper_background(patch, seed, scale) < _NOISE_FACTOR * scale.noise_hu:
        reason = "noise"
    if reason != "metal":
        return [Piece(k, window, seed, peak, METAL_LEVEL_HU, cut_off, reason)]
    if cut_off:
        mask, height = cut_off_extent(patch, seed, edge, scale.pixel_mm, scale.blur_mm)
        return [
            Piece(k, window, mask, max(peak, height) if np.isfinite(height) else peak, METAL_LEVEL_HU, True, reason)
        ]
    return _peeled(patch, seed, edge.background_hu, k, window)


def _is_shallow(values: NDArray[np.float32], edge: Edge, scale: SliceScale, *, much_enamel: bool = False) -> bool:
    """Tell a thing whose edge is that of bone, enamel or contrast medium; enamel by air has a steep side."""
    if float(values.max()) >= CERTAIN_HU:
        return False
    steepest, fall = (_STEEP_BY_ENAMEL_HU, _FALL_BY_ENAMEL) if much_enamel else (_STEEP_HU, LARGEST_FALL)
    return edge.fall > fall and not (scale.cuts_off(values) and edge.steepest_hu < steepest)


def _is_filling(patch: NDArray[np.float32], seed: NDArray[np.bool_], scale: SliceScale, *, beside_metal: bool) -> bool:
    """Tell a solid thing at the scale's top among bone or teeth, which hide its edge, but have no such plateau.

    In a slice with other metal so is a thin cup's or a screw's, wherever it lies.
    """
    if not scale.cuts_off(patch[seed]):
        return False
    at_top = int(np.count_nonzero(patch[seed] >= scale.top_hu - 1.0))
    around = _surroundings(patch, seed, scale)
    solid = at_top >= _FEWEST_SOLID and at_top >= _SOLID_SHARE * np.count_nonzero(seed)
    if not solid or not around.size:
        return False
    if beside_metal or _starves(seed, around, at_top, scale):
        return True
    return bool(width_mm(seed, scale.pixel_mm) <= _WIDEST_FILLING_MM and np.quantile(around, 0.9) > 2.0 * _BONE_HU)


def _starves(seed: NDArray[np.bool_], around: NDArray[np.float32], at_top: int, scale: SliceScale) -> bool:
    """Tell a wide plateau beside the black of starved rays, whose bright sides hide its edge: the head of a hip."""
    plateau = at_top >= _PLATEAU_SHARE * np.count_nonzero(seed) and width_mm(seed, scale.pixel_mm) >= _STARVING_MM
    return bool(plateau and np.quantile(around, 0.25) < _STARVED_HU)


def _filling(
    patch: NDArray[np.float32], seed: NDArray[np.bool_], k: int, window: tuple[slice, slice], scale: SliceScale
) -> Piece:
    edge = edge_of(patch, seed, scale.pixel_mm, scale.blur_mm)
    mask, height = cut_off_extent(patch, seed, edge, scale.pixel_mm, scale.blur_mm)
    return Piece(k, window, mask, height, METAL_LEVEL_HU, True, "metal")


def _peeled(
    patch: NDArray[np.float32], seed: NDArray[np.bool_], background_hu: float, k: int, window: tuple[slice, slice]
) -> list[Piece]:
    """Cut each metal at half its own height: the highest first, then what is left beyond the reach of its blur."""
    pieces: list[Piece] = []
    waiting: list[tuple[NDArray[np.bool_], int, float]] = [(seed, 0, 0.0)]
    while waiting:
        core, depth, above = waiting.pop()
        height = _height(patch[core])
        if depth and height < max(CERTAIN_HU, _LEAST_SHARE_OF_NEIGHBOUR * above):
            continue
        threshold = 0.5 * (height + background_hu)
        if depth:
            threshold = max(threshold, _ABOVE_BRIGHTENED_BONE_HU)
        mask = _grown(patch, core & (patch > threshold), threshold, _BLUR_REACH_PIXELS + (1 if depth else 0))
        # Beam hardening and starved rays may leave less than half within.
        mask = without_holes(patch, mask)
        pieces.append(Piece(k, window, mask, height, threshold, False, "metal"))
        left = core & ~ndimage.binary_dilation(mask, structure=_AROUND, iterations=_BLUR_REACH_PIXELS)
        if depth < _PEELS and left.any():
            parts, count = ndimage.label(left, structure=_AROUND)
            waiting += [
                (parts == n, depth + 1, height) for n in range(1, count + 1) if np.count_nonzero(parts == n) > 1
            ]
    return pieces


def _height(values: NDArray[np.float32]) -> float:
    """Height of a thing above zero, HU, neither a single overshoot nor its rim."""
    return float(np.quantile(values[values >= 0.5 * values.max()], 0.8))


def _grown(patch: NDArray[np.float32], core: NDArray[np.bool_], threshold_hu: float, pixels: int) -> NDArray[np.bool_]:
    """Let a core take what is above the threshold and joined to it within some pixels."""
    grown = ndimage.binary_dilation(core, structure=_AROUND, iterations=pixels, mask=(patch > threshold_hu) | core)
    return np.asarray(grown, dtype=np.bool_)


def _surroundings(patch: NDArray[np.float32], seed: NDArray[np.bool_], scale: SliceScale) -> NDArray[np.float32]:
    """Values 2 to 6 mm from a thing (at least two pixels from it), without what is above the metal level."""
    distance = np.asarray(ndimage.distance_transform_edt(~seed, sampling=scale.pixel_mm))
    low = max(2.0, 2.0 * max(scale.pixel_mm))
    return patch[(distance >= low) & (distance <= low + 4.0) & (patch < METAL_LEVEL_HU)]


def _upper_background(patch: NDArray[np.float32], seed: NDArray[np.bool_], scale: SliceScale) -> float:
    values = _surroundings(patch, seed, scale)
    return max(0.0, float(np.quantile(values, 0.75))) if values.size else 0.0


def _low_piece(
    patch: NDArray[np.float32],
    seed: NDArray[np.bool_],
    k: int,
    window: tuple[slice, slice],
    scale: SliceScale,
    *,
    beside_metal: bool,
) -> Piece:
    """Judge one thing between the dense and the metal level."""
    around = _surroundings(patch, seed, scale)
    background = max(0.0, float(np.quantile(around, 0.75))) if around.size else 0.0
    peak = float(patch[seed].max())
    threshold = 0.5 * (peak + background)
    mask = _grown(patch, seed & (patch > threshold), threshold, _BLUR_REACH_PIXELS)
    linkable = peak - background >= _LINKED_CONTRAST_HU and width_mm(mask, scale.pixel_mm) <= 2 * _FULL_WIDTH_THICK_MM
    piece = Piece(k, window, mask, peak, threshold, False, "metal", linkable)
    factor = _NOISE_FACTOR_OF_A_PIXEL if np.count_nonzero(mask) <= 2 else _NOISE_FACTOR
    if peak - background < factor * scale.noise_hu:
        return replace(piece, reason="noise", linkable=False)
    thick = scale.spacing_mm >= _THICK_SLICE_MM
    # Thick slices show a screw that lies in them at less than its height, yet above bone; what is round runs through.
    in_part = thick and peak >= _ABOVE_BONE_HU and aspect(mask, scale.pixel_mm) > _ROUND_ASPECT
    too_wide = width_mm(mask, scale.pixel_mm) > (_FULL_WIDTH_THICK_MM if in_part else _FULL_WIDTH_MM)
    alone = around.size == 0 or float(np.quantile(around, 0.9)) < _BONE_HU
    clear = peak - (float(np.quantile(around, 0.9)) if around.size else 0.0) >= _LEAST_CONTRAST_HU
    stands_out = thick and clear and not beside_metal and peak >= _ABOVE_BONE_HU
    if too_wide or not (alone or stands_out):
        return piece.taken_for("bone or contrast medium")
    if beside_metal and aspect(mask, scale.pixel_mm) > _STREAK_ASPECT:
        return piece.taken_for("streak")
    return piece
