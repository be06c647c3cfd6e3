"""What tells physiological uptake from a lesion: place in the body, a like mirror image, tissue on CT, course."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from leukospect.data import Image
from leukospect.quantification.ct_tissues import Surfaces
from leukospect.quantification.local_means import LocalMeans
from leukospect.quantification.location_shape import shape_of_focus
from leukospect.quantification.measurements import Region
from leukospect.quantification.mirror import midline_at, midline_x_mm

TRUNK_WIDTH_MM = 240.0
_MIRROR_SEARCH_MM = 15.0
_OWN_MIRROR = 0.35
_LEVEL_SCALE_MM, _HOTTEST_SCALE_MM = 8.0, 5.6
_HOT_PART = 0.5
_IN_BONE_MM = 4.0
_DEEP_IN_BONE_MM, _LEAST_DEEP_ML = 8.0, 10.0
_LEAST_PART_OF_BODY = 0.05

Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Growth:
    """Uptake, decay-corrected, over that of the earliest time, and its relative standard deviation by noise.

    NaN where the course is not known; a deviation that is not known is taken as 0.
    """

    factor: float = math.nan
    relative_error: float = 0.0

    def beyond(self, limit: float, *, deviations: float) -> bool:
        """Tell whether it grew beyond a limit, surely (deviations above 0) or possibly (below)."""
        return bool(self.factor * math.exp(-deviations * self.relative_error) > limit)


@dataclass(frozen=True, slots=True)
class Signs:
    """What is seen of a region.

    Parameters
    ----------
    volume_ml : float
    level : float
        Its mean over the body's median.
    hottest_level : float
        Its highest mean under a Gaussian of 5.6 mm, over the body's median.
    contrast : float
        How much it stands out of what is round it at its scale; NaN where it was not found.
    off_midline_mm : float
        Distance of its centroid from the midline.
    on_left : bool
        Of the patient.
    depth : float
        0 at the front of the body, 1 at its back; NaN in an image one voxel deep.
    in_trunk : bool
        The body there is one piece, at least 240 mm wide.
    above_legs_mm : float
        Height over the place where the body parts into legs; NaN where that is not in the field.
    symmetry : float
        How much the place opposite stands out of its surroundings, in parts of how much the region does.
    own_mirror : bool
        It lies across the midline, so that its mirror image is much of itself.
    growth : Growth
        From the earliest time that was measured.
    standing_out : Growth
        That of its contrast to what is round it, which what changes in the whole body leaves alone.
    in_bone : float
        Part of the hot part's uptake; NaN without a CT or bone.
    in_fat : float
        Part of the hot part's uptake; NaN without a CT, 0 where that shows no fat.
    to_gas_mm, to_metal_mm, opposite_to_metal_mm : float
        Distances from the hottest point, and from the point opposite; NaN without a CT or without gas or metal.
    elongated_along_body : bool
    marrow_level : float
        Median of what lies deep in bones, over the body's median; NaN without a CT or thick bones.
    """

    volume_ml: float
    level: float
    hottest_level: float
    contrast: float
    off_midline_mm: float
    on_left: bool
    depth: float
    in_trunk: bool
    above_legs_mm: float
    symmetry: float
    own_mirror: bool
    growth: Growth
    standing_out: Growth
    in_bone: float
    in_fat: float
    to_gas_mm: float
    to_metal_mm: float
    opposite_to_metal_mm: float
    elongated_along_body: bool
    marrow_level: float


@dataclass(frozen=True, slots=True, eq=False)
class _Body:
    """The body on the grid of the image, slice by slice."""

    mask: Mask
    midline_mm: NDArray[np.float64]
    trunk: NDArray[np.bool_]
    legs_end_mm: float
    excess: Mapping[float, NDArray[np.float32]]


def signs_of(
    late: Image,
    labels: Image,
    regions: tuple[Region, ...],
    body: Mask,
    *,
    surfaces: Surfaces | None = None,
    growth: Mapping[str, Growth] | None = None,
) -> tuple[Signs, ...]:
    """Gather the signs of every region.

    Parameters
    ----------
    late : Image
    labels : Image
        On its grid.
    regions : tuple of Region
    body : (slices, rows, columns) bool array
    surfaces : Surfaces or None
        Of the CT; None without one.
    growth : mapping or None
        Of regions by name; one without it has no known course.
    """
    whole = _described(body, late, {_scale_mm(region) for region in regions})
    array, spacing = np.asarray(late.array, dtype=np.float32), np.asarray(late.geometry.spacing_mm)
    # Of a noisy reconstruction half of the voxels lie far below its mean; smoothed ones do not.
    median = float(np.median(LocalMeans(body, spacing, _LEVEL_SCALE_MM).centre(array)[body]))
    marrow = _inside_bones(late, body, surfaces) / median if surfaces is not None and median > 0 else math.nan
    levels = (LocalMeans(body, spacing, _HOTTEST_SCALE_MM).centre(array), median, marrow)
    return tuple(
        _signs(late, labels, region, whole, levels, surfaces, (growth or {}).get(region.name, Growth()))
        for region in regions
    )


def _described(body: Mask, late: Image, scales_mm: set[float]) -> _Body:
    geometry = late.geometry
    across = np.logical_or.reduce(body, axis=1)
    width = across.shape[1] - 1 - across[:, ::-1].argmax(axis=1) - across.argmax(axis=1) + 1
    parts = np.array([_parts(plane) for plane in body])
    trunk = (parts == 1) & (width * geometry.spacing_mm[2] >= TRUNK_WIDTH_MM)
    z = geometry.to_lps(np.stack((np.arange(len(body)), *(np.zeros(len(body)),) * 2), axis=-1))[:, 2]
    legs = z[parts == 2]
    above = z[trunk]
    apart = legs[legs < above.min()].max() if len(legs) and len(above) and legs.min() < above.min() else math.nan
    return _Body(body, midline_x_mm(body, geometry), trunk, float(apart), _excesses(late, body, scales_mm))


def _parts(plane: Mask) -> int:
    """Count the pieces of a slice that are more than a speck; lungs, which a map may leave out, part nothing."""
    labels, count = ndimage.label(ndimage.binary_fill_holes(plane))
    sizes = np.bincount(labels.ravel())[1:]
    return int(np.count_nonzero(sizes >= _LEAST_PART_OF_BODY * sizes.sum())) if count else 0


def _signs(
    late: Image,
    labels: Image,
    region: Region,
    body: _Body,
    levels: tuple[NDArray[np.float32], float, float],
    surfaces: Surfaces | None,
    growth: Growth,
) -> Signs:
    smooth, median, marrow = levels
    members = np.asarray(labels.array) == region.label
    values = np.asarray(late.array, dtype=np.float64)[members]
    places = late.geometry.to_lps(np.argwhere(members))
    x, _, z = region.centroid_mm
    here = midline_at(region.centroid_mm, late.geometry, body.midline_mm)
    k = int(np.clip(round(float(late.geometry.to_index(region.centroid_mm)[0])), 0, len(body.trunk) - 1))
    width = float(places[:, 0].max() - places[:, 0].min())
    shape = shape_of_focus(places, late.geometry.spacing_mm)
    hot = values >= _HOT_PART * values.max()
    in_bone = in_fat = to_gas = to_metal = opposite = math.nan
    if surfaces is not None:
        in_bone = _part_within(surfaces.to_bone_mm(places[hot]), values[hot], _IN_BONE_MM)
        in_fat = float(np.nan_to_num(_part_within(surfaces.to_fat_mm(places[hot]), values[hot], 0.0)))
        hottest = places[int(values.argmax())]
        to_gas, to_metal = float(surfaces.to_gas_mm(hottest)), float(surfaces.to_metal_mm(hottest))
        opposite = float(surfaces.to_metal_mm(np.array([2.0 * here - hottest[0], hottest[1], hottest[2]])))
    return Signs(
        volume_ml=region.volume_ml,
        level=float(values.mean()) / median if median > 0 else math.inf,
        hottest_level=float(smooth[members].max()) / median if median > 0 else math.inf,
        contrast=math.nan if region.finding is None else region.finding.contrast,
        off_midline_mm=abs(x - here),
        on_left=x > here,
        depth=_depth(region.centroid_mm, body.mask[k], late),
        in_trunk=bool(body.trunk[k]),
        above_legs_mm=z - body.legs_end_mm,
        symmetry=_symmetry(late, members, body, region),
        own_mirror=abs(x - here) <= _OWN_MIRROR * width,
        growth=growth,
        standing_out=Growth() if region.finding is None else Growth(region.finding.growth, region.finding.growth_error),
        in_bone=in_bone,
        in_fat=in_fat,
        to_gas_mm=to_gas,
        to_metal_mm=to_metal,
        opposite_to_metal_mm=opposite,
        elongated_along_body=shape.elongated and abs(shape.direction[2]) > 0.8,
        marrow_level=marrow,
    )


def _inside_bones(late: Image, body: Mask, surfaces: Surfaces) -> float:
    """Return the median uptake of what lies 8 mm and more below the surface of bone; NaN where there is too little."""
    index = np.argwhere(body)
    bone = np.zeros(body.shape, dtype=np.bool_)
    bone[tuple(index.T)] = surfaces.to_bone_mm(late.geometry.to_lps(index)) <= 0.5
    deep = ndimage.distance_transform_edt(bone, sampling=late.geometry.spacing_mm) > _DEEP_IN_BONE_MM
    if np.count_nonzero(deep) * late.geometry.voxel_volume_ml < _LEAST_DEEP_ML:
        return math.nan
    return float(np.median(np.asarray(late.array)[deep]))


def _part_within(distances_mm: NDArray[np.float64], weights: NDArray[np.float64], limit_mm: float) -> float:
    """Return the part of the weights within a distance; NaN where there is nothing to be near to."""
    if np.isnan(distances_mm).all():
        return math.nan
    return float(weights[distances_mm <= limit_mm].sum() / weights.sum())


def _depth(place_mm: tuple[float, float, float], plane: Mask, late: Image) -> float:
    rows = np.flatnonzero(plane.any(axis=1))
    if plane.shape[0] == 1 or rows.size == 0:
        return math.nan
    row = float(late.geometry.to_index(place_mm)[1])
    depth = (row - rows[0] + 0.5) / (rows[-1] - rows[0] + 1)
    return float(depth if late.geometry.affine[1, 1] > 0 else 1.0 - depth)


def _excesses(late: Image, body: Mask, scales_mm: set[float]) -> dict[float, NDArray[np.float32]]:
    """Return, at each scale, how much every place stands out of what is round it, in the image's unit."""
    array, spacing = np.asarray(late.array, dtype=np.float32), np.asarray(late.geometry.spacing_mm)
    found = {}
    for scale in scales_mm:
        means = LocalMeans(body, spacing, scale)
        found[scale] = np.asarray(means.centre(array) - means.ring(array), dtype=np.float32)
    return found


def _symmetry(late: Image, members: Mask, body: _Body, region: Region) -> float:
    """Tell how much the place opposite stands out of what is round it, in parts of how much a region does."""
    geometry, excess = late.geometry, body.excess[_scale_mm(region)]
    peak = np.unravel_index(int(np.where(members, excess, -np.inf).argmax()), excess.shape)
    x, y, z = geometry.to_lps(np.array(peak))
    opposite = np.array([2.0 * body.midline_mm[peak[0]] - x, y, z])
    middle = np.rint(geometry.to_index(opposite)).astype(np.int64)
    reach = np.ceil(_MIRROR_SEARCH_MM / np.asarray(geometry.spacing_mm)).astype(np.int64)
    first, last = np.maximum(middle - reach, 0), np.minimum(middle + reach + 1, geometry.shape)
    if np.any(first >= last) or not excess[peak] > 0:
        return math.nan
    box = tuple(slice(a, b) for a, b in zip(first, last, strict=True))
    places = geometry.to_lps(np.moveaxis(np.indices(tuple(last - first)), 0, -1) + first)
    near = body.mask[box] & ~members[box] & (np.linalg.norm(places - opposite, axis=-1) <= _MIRROR_SEARCH_MM)
    return float(excess[box][near].max() / excess[peak]) if near.any() else math.nan


def _scale_mm(region: Region) -> float:
    return region.finding.scale_mm if region.finding else _LEVEL_SCALE_MM
