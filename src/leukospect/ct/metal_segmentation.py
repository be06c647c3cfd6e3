"""Metal in a CT: found inside the patient, each piece at its true size, on short and on extended scales.

Three steps: which dense things of a slice are metal (`metal_pieces`), how far each reaches (`metal_extent`, beside
dark and bright streaks `metal_bloom`), and whether it belongs to the patient (`metal_in_patient`). Slices without
dense voxels cost a look at their highest value only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from leukospect.ct.body import body_outline
from leukospect.ct.enamel import without_enamel
from leukospect.ct.metal_extent import DENSE_LEVEL_HU
from leukospect.ct.metal_in_patient import continuing, depth_mm, lies_inside
from leukospect.ct.metal_pieces import Piece, Reason, SliceScale, pieces_of_slice
from leukospect.ct.metal_shape import connected
from leukospect.data import Geometry, Image
from leukospect.errors import InputError

METAL_THRESHOLD_HU = 2500.0

_LOWEST_THRESHOLD_HU = 1000.0
_ABOVE_ALL_TISSUE_HU = 4000.0
_BLUR_PIXELS = 2.0
_SHARE_OVER_METAL = 0.4


@dataclass(frozen=True, slots=True)
class MetalComponent:
    """One connected piece of metal.

    Parameters
    ----------
    volume_ml : float
    centroid_mm : (x, y, z), LPS
    slices : (first, last)
    peak_hu : float
        Its height; estimated from its edge where `cut_off`.
    threshold_hu : (lowest, highest) of its slices
        What it was cut at: half its height over the surroundings. Where `cut_off`, the level of the contour that was
        moved in to where the metal ends.
    cut_off : bool
        It reaches the top of a short scale.
    """

    volume_ml: float
    centroid_mm: tuple[float, float, float]
    slices: tuple[int, int]
    peak_hu: float
    threshold_hu: tuple[float, float]
    cut_off: bool


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Dense things that were not taken for metal, by reason; `slices` tells in how many slices they lie."""

    reason: Reason
    slices: int
    volume_ml: float
    peak_hu: float


@dataclass(frozen=True, slots=True, eq=False)
class MetalFinding:
    """The metal of a CT.

    Parameters
    ----------
    mask : (slices, rows, columns) bool array
    components : tuple of MetalComponent
        Largest first.
    left_out : tuple of LeftOut
        Largest first.
    threshold_hu : float or None
        The one threshold that was given; None where each piece had its own.
    pieces : tuple of Piece
        What the components consist of, slice by slice.
    """

    mask: NDArray[np.bool_]
    components: tuple[MetalComponent, ...]
    left_out: tuple[LeftOut, ...]
    threshold_hu: float | None
    pieces: tuple[Piece, ...] = ()

    def __str__(self) -> str:
        """Say in a few sentences what was found and what was left out."""
        if not self.components:
            above = "" if self.threshold_hu is None else f" above the threshold of {self.threshold_hu:.0f} HU"
            said = f"No metal was found in the patient{above}."
        else:
            low, high = (edge(c.threshold_hu[n] for c in self.components) for n, edge in ((0, min), (1, max)))
            each = "" if len(self.components) == 1 else "each "
            how = (
                f"above {low:.0f} HU"
                if round(low) == round(high)
                else f"{each}above its own threshold of {low:.0f} to {high:.0f} HU"
            )
            cut_off = ", in part cut off by the scale" if any(c.cut_off for c in self.components) else ""
            volume = sum(c.volume_ml for c in self.components)
            size = f"{volume:.2g}" if volume < 100.0 else f"{volume:.0f}"
            parts = "1 piece" if len(self.components) == 1 else f"{len(self.components)} pieces"
            said = f"{parts} of metal, {size} mL, {how}{cut_off}."
        for one in self.left_out:
            where = "1 slice" if one.slices == 1 else f"{one.slices} slices"
            said += (
                f" Not taken for metal: {one.reason}, {one.volume_ml:.2g} mL in {where}, up to {one.peak_hu:.0f} HU."
            )
        return said


def find_metal(
    image: Image, threshold_hu: float | None = None, *, body: NDArray[np.bool_] | None = None
) -> NDArray[np.bool_]:
    """Find metal inside the patient.

    Parameters
    ----------
    image : Image
        CT in HU.
    threshold_hu : float or None
        Metal lies above; it must be below the scale's top and above dense bone and contrast medium (about 2000 HU).
        None finds metal by its height and edge, and cuts each piece at half its own height.
    body : (slices, rows, columns) bool array, optional
        The patient's outline; `body_outline(image)` without it. Metal outside (couch, leads) is left alone.

    Returns
    -------
    (slices, rows, columns) bool array
        Pieces of any size count.

    Raises
    ------
    InputError
        The image is not in HU or not finite, its outline has another shape, or the threshold would take bone for metal.
    """
    return metal_finding(image, threshold_hu, body=body).mask


def metal_finding(
    image: Image, threshold_hu: float | None = None, *, body: NDArray[np.bool_] | None = None
) -> MetalFinding:
    """Find metal inside the patient, and tell what was found and what was left out; see `find_metal`."""
    _check(image, threshold_hu, body)
    found, highest = [], _highest_of_slices(image.array)
    lowest = DENSE_LEVEL_HU if threshold_hu is None else threshold_hu
    for k in np.flatnonzero(highest > lowest):
        plane = _plane(image.array, int(k))
        if threshold_hu is None:
            scale = SliceScale.of(plane, image.geometry.spacing_mm, float(highest.max()))
            found += pieces_of_slice(plane, int(k), scale)
        else:
            found += _above(plane, int(k), threshold_hu, image.geometry.spacing_mm[1:])
    if threshold_hu is None:
        found = without_enamel(found, image.geometry.spacing_mm[0])
    mask = np.zeros(image.array.shape, dtype=np.bool_)
    if not found:
        return MetalFinding(mask, (), (), threshold_hu)
    taken, others = _in_patient(image, found, body, mask)
    if threshold_hu is None:
        taken += _weaker_parts(image, mask)
    components, left_out = components_of(taken, mask, image.geometry), left_out_of(others, image.geometry)
    return MetalFinding(mask, components, left_out, threshold_hu, tuple(taken))


def _check(image: Image, threshold_hu: float | None, body: NDArray[np.bool_] | None) -> None:
    if image.unit not in ("HU", ""):
        raise InputError(f"Metal is looked for in a CT in HU; this image is in {image.unit}.")
    if threshold_hu is not None and not _LOWEST_THRESHOLD_HU <= threshold_hu < np.inf:
        why = "since bone reaches 1000 HU" if threshold_hu < _LOWEST_THRESHOLD_HU else "since it is no number of HU"
        raise InputError(f"A metal threshold of {threshold_hu:g} HU cannot be used, {why}; give 1000 or more.")
    if body is not None and body.shape != image.array.shape:
        raise InputError(f"The outline of shape {body.shape} does not fit the CT of {image.array.shape}.")


def _highest_of_slices(array: NDArray[np.generic]) -> NDArray[np.float64]:
    """Give the highest value of each slice, HU, and refuse what is not finite."""
    highest = np.array([float(np.max(plane)) for plane in array])
    if np.issubdtype(array.dtype, np.floating):
        lowest = np.array([float(np.min(plane)) for plane in array])
        if not np.all(np.isfinite(highest) & np.isfinite(lowest)):
            raise InputError("The CT contains values that are not finite.")
    return highest


def _plane(array: NDArray[np.generic], k: int) -> NDArray[np.float32]:
    """Give a slice as float32, padding raised to air."""
    return np.maximum(np.asarray(array[k], dtype=np.float32), np.float32(-1000.0))


def _above(plane: NDArray[np.float32], k: int, threshold_hu: float, pixel_mm: tuple[float, float]) -> list[Piece]:
    return [
        Piece(k, window, mask, float(plane[window][mask].max()), threshold_hu, False, "metal")
        for window, mask in connected(plane > threshold_hu, pixel_mm)
    ]


def _in_patient(
    image: Image, found: Sequence[Piece], body: NDArray[np.bool_] | None, mask: NDArray[np.bool_]
) -> tuple[list[Piece], list[Piece]]:
    """Tell pieces of the patient's metal from the others, and draw them into an empty mask."""
    spacing = image.geometry.spacing_mm
    wanted = [piece for piece in found if piece.reason == "metal"]
    others = [piece for piece in found if piece.reason != "metal" and not piece.linkable]
    doubtful = [piece for piece in found if piece.reason != "metal" and piece.linkable]
    if not wanted:
        return [], others + doubtful
    first, outline = _outline(image, wanted, body)
    taken: list[Piece] = []
    outside: list[Piece] = []
    at = -1
    for piece in wanted:
        if piece.slice_index != at:
            at = piece.slice_index
            plane, depth = _plane(image.array, at), depth_mm(outline[at - first], spacing[1:])
        (taken if lies_inside(piece, plane, depth, spacing[1:]) else outside).append(piece)
    for piece in taken:
        mask[piece.slice_index][piece.window] |= piece.mask
    joined = continuing(outside, mask, spacing[0])
    taken += [outside[n].taken_for("metal") for n in joined]
    others += [piece.taken_for("outside the patient") for n, piece in enumerate(outside) if n not in joined]
    joined = continuing(doubtful, mask, spacing[0], reach_mm=spacing[0], least_share=_SHARE_OVER_METAL)
    taken += [doubtful[n].taken_for("metal") for n in joined]
    others += [piece for n, piece in enumerate(doubtful) if n not in joined]
    return taken, others


def _weaker_parts(image: Image, mask: NDArray[np.bool_]) -> list[Piece]:
    """Draw into the mask what hangs together with metal above all tissue but below half of the metal's height.

    A thin screw, or one that leaves the slice obliquely, is a fraction of its head's height on an extended scale. What
    lies within the metal's own blur is not counted.
    """
    added: list[Piece] = []
    pixel_mm = image.geometry.spacing_mm[1:]
    for k in np.flatnonzero(mask.any(axis=(1, 2))):
        plane = _plane(image.array, int(k))
        if float(plane.max()) < 2.0 * _ABOVE_ALL_TISSUE_HU:
            continue
        labels, _ = ndimage.label((plane > _ABOVE_ALL_TISSUE_HU) | mask[k], structure=np.ones((3, 3)))
        joined = np.isin(labels, np.unique(labels[mask[k]]))
        beyond = joined & (ndimage.distance_transform_edt(~mask[k]) > _BLUR_PIXELS)
        if not beyond.any():
            continue
        part = joined & ~mask[k] & (ndimage.distance_transform_edt(~beyond) <= _BLUR_PIXELS)
        mask[k] |= part
        added += _above(np.where(part, plane, np.float32(-1000.0)), int(k), _ABOVE_ALL_TISSUE_HU, pixel_mm)
    return added


def _outline(image: Image, pieces: Sequence[Piece], body: NDArray[np.bool_] | None) -> tuple[int, NDArray[np.bool_]]:
    """Give the body's outline from the first slice with a piece to the last, and the first one's index."""
    first, last = pieces[0].slice_index, pieces[-1].slice_index
    if body is not None:
        return first, body[first : last + 1]
    geometry = image.geometry
    shape = (last + 1 - first, geometry.shape[1], geometry.shape[2])
    return first, body_outline(Image(image.array[first : last + 1], Geometry(shape, geometry.affine), image.unit))


def components_of(pieces: Sequence[Piece], mask: NDArray[np.bool_], geometry: Geometry) -> tuple[MetalComponent, ...]:
    """Join the pieces of all slices that touch, edges and corners included."""
    if not pieces:
        return ()
    low = np.min([(p.slice_index, p.window[0].start, p.window[1].start) for p in pieces], axis=0)
    high = np.max([(p.slice_index + 1, p.window[0].stop, p.window[1].stop) for p in pieces], axis=0)
    box = tuple(slice(int(a), int(b)) for a, b in zip(low, high, strict=True))
    labels, count = ndimage.label(mask[box], structure=np.ones((3, 3, 3)))
    members: list[list[Piece]] = [[] for _ in range(count)]
    for piece in pieces:
        rows, columns = (one.start - int(at) for one, at in zip(piece.window, low[1:], strict=True))
        shape = piece.mask.shape
        drawn = labels[piece.slice_index - int(low[0])][rows : rows + shape[0], columns : columns + shape[1]]
        for number in np.unique(drawn[piece.mask]):
            members[number - 1].append(piece)
    made = []
    for number, box_of_one in enumerate(ndimage.find_objects(labels), start=1):
        own = members[number - 1]
        where = np.argwhere(labels[box_of_one] == number)
        start = np.array([one.start for one in box_of_one]) + low
        x, y, z = geometry.to_lps(where.mean(axis=0) + start)
        made.append(
            MetalComponent(
                volume_ml=len(where) * geometry.voxel_volume_ml,
                centroid_mm=(float(x), float(y), float(z)),
                slices=(int(start[0]), int(start[0] + where[:, 0].max())),
                peak_hu=max(p.peak_hu for p in own),
                threshold_hu=(min(p.threshold_hu for p in own), max(p.threshold_hu for p in own)),
                cut_off=any(p.cut_off for p in own),
            )
        )
    return tuple(sorted(made, key=lambda one: -one.volume_ml))


def left_out_of(pieces: Sequence[Piece], geometry: Geometry) -> tuple[LeftOut, ...]:
    """Sum up pieces that are no metal, by reason."""
    made = []
    for reason in sorted({piece.reason for piece in pieces}):
        own = [piece for piece in pieces if piece.reason == reason]
        made.append(
            LeftOut(
                reason=reason,
                slices=len({piece.slice_index for piece in own}),
                volume_ml=sum(int(np.count_nonzero(piece.mask)) for piece in own) * geometry.voxel_volume_ml,
                peak_hu=max(piece.peak_hu for piece in own),
            )
        )
    return tuple(sorted(made, key=lambda one: -one.volume_ml))
