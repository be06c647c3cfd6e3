"""How much of each voxel is metal: what the attenuation of an implant at the photopeak follows from.

CT numbers of metal say little about its attenuation at SPECT's energies: on a 12-bit scale they are cut off at 3071 HU,
which reads titanium alloy as 0.47/cm instead of 0.77 at 140 keV, and on an extended scale the photoelectric effect at
the tube's energies reads it as 1.2. So in metal the coefficient is the material's own, by the part of the voxel that
it fills.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.special import ndtri

from leukospect.data import Image
from leukospect.errors import GeometryError
from leukospect.physics.attenuation import metal_ct_number_hu

_RIM_MM = 2.0
_DEEP_MM = 2.2
"""Voxels this far from all that is no metal hold nothing else, whatever starved rays read there."""
_AROUND_FROM_MM, _AROUND_TO_MM = 3.0, 7.0
_BANDS = (0.25, 0.55, 1.0)
"""Of the scale's top: two bands of levels whose mean contours tell how blurred the metal's edge is."""
_EDGE_SIGMA_MM = (0.4, 0.75)
"""What a CT's blur and pixel can make of an edge."""
_MOST_SHRUNK = 0.1
_SAME_HU, _LEAST_AT_TOP = 0.5, 0.02
_FEWEST_AT_TOP = 8
_FEWEST_DEEP = 10
_FEWEST_AROUND = 20
_CUT_OFF_BELOW = 0.6
"""Values shared by many voxels are the scale's top where they lie below this part of what the metal would have."""
_LEAST_TOP_HU = 1000.0
"""No CT's scale ends below."""
_LEAST_FRACTION = 0.02
_TABLE_MM, _HARDENING = 5.0, 0.2
"""Thickness of the metal in the table of CT numbers, and how they fall with it: to 0.87 at 10 mm, to 0.76 at 20 mm.

The table's spectra give 0.79 of it for 22 mm of titanium alloy, 0.74 for steel and cobalt-chrome."""
_LIKELY_TISSUE_HU = (-200.0, 2000.0)


@dataclass(frozen=True, slots=True, eq=False)
class MetalContent:
    """The metal of one kind in a CT.

    Parameters
    ----------
    material : str
        One of `physics.attenuation.METALS`.
    voxels : (n,) int64 array
        Flat indices of the voxels that hold metal, the rim that it shares with tissue included.
    fraction : (n,) float32 array
        The part of each that is metal, 0 to 1.
    surrounding_hu : (n,) float32 array
        CT number of the tissue that the rest of each is.
    volume_ml : float
        Of metal.
    saturated : bool
        The CT's scale cuts metal off.
    plateau_hu : float or None
        CT number inside the metal; None where the scale cuts it off or no metal is thick enough to show it.
    """

    material: str
    voxels: NDArray[np.int64]
    fraction: NDArray[np.float32]
    surrounding_hu: NDArray[np.float32]
    volume_ml: float
    saturated: bool
    plateau_hu: float | None


def metal_content(
    original: Image, metal: Image, kvp: float, material: str, *, beside: NDArray[np.bool_] | None = None
) -> MetalContent:
    """Tell how much of each voxel is metal.

    Between tissue and metal a voxel's CT number is a mixture, so that it tells the part that is metal, summed over a
    blurred edge exactly. Where the scale cuts metal off, two contours below the cut tell how blurred the edge is, and
    with it where the metal's surface lies: half-way up the edge that would have been (exact for a plane blurred by a
    Gaussian).

    Parameters
    ----------
    original : Image, HU
        Before any reduction of artefacts, which may take the metal's rim for a streak.
    metal : Image
        1 in metal, on the same grid.
    kvp : float
        Tube voltage, for the CT number of metal that the scale cuts off or that is too thin to show its own.
    material : str
        One of `physics.attenuation.METALS`.
    beside : (slices, rows, columns) bool array, optional
        Metal of another kind: no part of what is asked for, nor of its rim.

    Raises
    ------
    GeometryError
        The mask is not on the CT's grid.
    """
    if not metal.geometry.same_grid(original.geometry):
        raise GeometryError("The mask of the metal does not lie on the grid of the CT.")
    table_hu = metal_ct_number_hu(material, kvp)
    where = _box_of(metal.array, original.geometry.spacing_mm)
    if where is None:
        none = np.empty(0, np.float32)
        return MetalContent(material, np.empty(0, np.int64), none, none, 0.0, False, None)
    hu = np.asarray(original.array[where], np.float32)
    mask = np.asarray(metal.array[where]) != 0
    top = _cut_off_hu(hu[mask], table_hu)
    depth = _depth_mm(mask, original.geometry.spacing_mm)
    deep = depth >= _DEEP_MM
    plateau = float(np.median(hu[deep])) if top is None and np.count_nonzero(deep) >= _FEWEST_DEEP else None
    scale = _Scale(plateau or table_hu, top)
    others = np.zeros_like(mask) if beside is None else beside[where]
    fraction, around = _fractions(hu, mask, others, depth, scale, original.geometry.spacing_mm)
    places = np.nonzero(fraction)
    offsets = [part.start for part in where]
    voxels = np.ravel_multi_index(
        tuple(place + offset for place, offset in zip(places, offsets, strict=True)), original.geometry.shape
    )
    volume = float(fraction.sum(dtype=np.float64)) * original.geometry.voxel_volume_ml
    return MetalContent(
        material, np.asarray(voxels, np.int64), fraction[places], around[places], volume, top is not None, plateau
    )


@dataclass(frozen=True, slots=True)
class _Scale:
    """The CT number of metal, and the top of the scale where that cuts it off."""

    metal_hu: float
    top_hu: float | None


def _box_of(metal: NDArray[np.generic], spacing_mm: Sequence[float]) -> tuple[slice, ...] | None:
    """Give a box around all metal, with room for what surrounds it; None without metal."""
    parts = []
    for axis, step in enumerate(spacing_mm):
        found = np.flatnonzero(metal.any(axis=tuple(other for other in range(3) if other != axis)))
        if not found.size:
            return None
        margin = int(np.ceil(_AROUND_TO_MM / step)) + 1
        parts.append(slice(max(0, int(found[0]) - margin), min(metal.shape[axis], int(found[-1]) + 1 + margin)))
    return tuple(parts)


def _cut_off_hu(values: NDArray[np.float32], table_hu: float) -> float | None:
    """Give the top of a scale that cuts metal off, None where it does not."""
    top = float(values.max())
    at_top = np.count_nonzero(values >= top - _SAME_HU)
    many = at_top >= max(_FEWEST_AT_TOP, _LEAST_AT_TOP * values.size)
    return top if many and _LEAST_TOP_HU < top < _CUT_OFF_BELOW * table_hu else None


def _depth_mm(mask: NDArray[np.bool_], spacing_mm: Sequence[float]) -> NDArray[np.float32]:
    """Distance of each voxel's centre from the nearest one outside, within the slice: a slice's end is no surface."""
    depth = np.zeros(mask.shape, np.float32)
    for k in np.flatnonzero(mask.any(axis=(1, 2))):
        depth[k] = ndimage.distance_transform_edt(np.pad(mask[k], 1), sampling=spacing_mm[1:])[1:-1, 1:-1]
    return depth


def _fractions(
    hu: NDArray[np.float32],
    mask: NDArray[np.bool_],
    others: NDArray[np.bool_],
    depth_mm: NDArray[np.float32],
    scale: _Scale,
    spacing_mm: Sequence[float],
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Give the part of each voxel that is metal, and the CT number of the tissue beside it, object by object."""
    labels, metals = np.zeros(mask.shape, np.int32), mask | others
    ndimage.label(mask, structure=np.ones((3, 3, 3), np.bool_), output=labels)
    fraction, around = np.zeros(hu.shape, np.float32), np.zeros(hu.shape, np.float32)
    margins = [int(np.ceil(_AROUND_TO_MM / step)) + 1 for step in spacing_mm]
    for number, found in enumerate(ndimage.find_objects(labels), start=1):
        box = tuple(
            slice(max(0, one.start - margin), min(size, one.stop + margin))
            for one, margin, size in zip(found, margins, hu.shape, strict=True)
        )
        own = labels[box] == number
        distance = np.asarray(ndimage.distance_transform_edt(~own, sampling=spacing_mm))
        rim = ((distance <= _RIM_MM) | ndimage.binary_dilation(own)) & ~metals[box]
        tissue = _tissue_hu(hu[box], (distance >= _AROUND_FROM_MM) & (distance <= _AROUND_TO_MM) & ~metals[box])
        part = _parts(hu[box], own, own * depth_mm[box], rim, tissue, scale, spacing_mm)
        larger = part > fraction[box]
        fraction[box][larger] = part[larger]
        around[box][larger] = np.broadcast_to(tissue[:, None, None], larger.shape)[larger]
    return fraction, around


def _tissue_hu(hu: NDArray[np.float32], shell: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Give the CT number of the tissue around an object, slice by slice: (slices,)."""
    low, high = _LIKELY_TISSUE_HU
    likely = shell & (hu > low) & (hu < high)
    overall = float(np.median(hu[likely])) if likely.any() else 0.0
    found = np.full(hu.shape[0], overall, np.float32)
    for k in range(hu.shape[0]):
        values = hu[k][likely[k]]
        if values.size >= _FEWEST_AROUND:
            found[k] = np.median(values)
    return found


def _parts(
    hu: NDArray[np.float32],
    own: NDArray[np.bool_],
    depth_mm: NDArray[np.float32],
    rim: NDArray[np.bool_],
    tissue_hu: NDArray[np.float32],
    scale: _Scale,
    spacing_mm: Sequence[float],
) -> NDArray[np.float32]:
    """Give the part of the voxels of one object and its rim that is metal."""
    tissue, deep = tissue_hu[:, None, None], depth_mm >= _DEEP_MM
    metal_hu = _metal_hu(scale, 2.0 * depth_mm.max(axis=(1, 2)))
    above = metal_hu[:, None, None] - tissue
    part: NDArray[np.float32] = np.clip((hu - tissue) / above, 0, 1).astype(np.float32)
    part[~(own | rim)] = 0
    part[rim & (part < _LEAST_FRACTION)] = 0
    part[deep] = 1
    if scale.top_hu is None:
        return part
    cut = own & ~deep & (hu >= scale.top_hu - _SAME_HU)
    if not cut.any():
        return part
    filled = _filled_voxels(hu, own | rim, tissue_hu, metal_hu, scale.top_hu, spacing_mm)
    for k in np.flatnonzero(cut.any(axis=(1, 2))):
        least = float(part[k][cut[k]].min())
        rest = filled[k] - float(part[k][~cut[k]].sum(dtype=np.float64))
        part[k][cut[k]] = np.clip(rest / np.count_nonzero(cut[k]), least, 1.0)
    return part


def _metal_hu(scale: _Scale, thickness_mm: NDArray[np.float32]) -> NDArray[np.float32]:
    """Give the CT number of metal in each slice, lower where it is thick: what it lets through is hard."""
    if scale.top_hu is None:
        return np.full(thickness_mm.shape, scale.metal_hu, np.float32)
    thick = np.maximum(thickness_mm, _TABLE_MM)
    return np.asarray(scale.metal_hu * (_TABLE_MM / thick) ** _HARDENING, np.float32)


def _filled_voxels(
    hu: NDArray[np.float32],
    near: NDArray[np.bool_],
    tissue_hu: NDArray[np.float32],
    metal_hu: NDArray[np.float32],
    top_hu: float,
    spacing_mm: Sequence[float],
) -> NDArray[np.float64]:
    """Tell how many voxels of each slice the metal of an object fills, from its edge's contours below the scale's top.

    Of a plane's edge blurred by a Gaussian, the contour of the part f lies sigma times the normal quantile of f from
    the surface, outside where f is below one half; a rod's blurred edge shrinks by sigma squared over its diameter.
    Averaged over a band of levels, a contour's volume is a sum over voxels that no pattern of whole voxels disturbs.
    The blur is the whole object's; an object's thick parts and thin ones, those in bone and those beside it, differ.
    """
    volumes, places = np.empty((2, hu.shape[0])), np.empty((2, hu.shape[0]))
    share = np.zeros(hu.shape, np.float32)
    for band, (from_part, to_part) in enumerate(pairwise(_BANDS)):
        low, high = (tissue_hu + part * (top_hu - tissue_hu) for part in (from_part, to_part))
        width = np.maximum(high - low, 1.0)[:, None, None]
        share = np.clip((hu - low[:, None, None]) / width, 0, 1) * near
        volumes[band] = share.sum(axis=(1, 2), dtype=np.float64)
        levels = (np.linspace(low, high, 33) - tissue_hu) / (metal_hu - tissue_hu)
        places[band] = ndtri(levels).mean(axis=0)
    surface = _surface_mm2(share, spacing_mm) / float(np.prod(spacing_mm))  # voxels a mm
    thinner = float((surface * (places[1] - places[0])).sum())
    sigma = float(np.clip((volumes[0] - volumes[1]).sum() / max(thinner, 1e-6), *_EDGE_SIGMA_MM))
    plane = volumes[1] + surface * sigma * np.minimum(places[1], 0.0)
    shrunk = (surface * sigma) ** 2 / (4.0 * np.maximum(plane, 1.0))
    return np.asarray(plane + np.minimum(shrunk, _MOST_SHRUNK * np.maximum(plane, 0.0)), np.float64)


def _surface_mm2(share: NDArray[np.float32], spacing_mm: Sequence[float]) -> NDArray[np.float64]:
    """Measure the surface in each slice as the sum of the smoothed edge's gradient within it."""
    gradient = [
        ndimage.gaussian_filter(share, (0.0, 1.0, 1.0), order=(0, *order)) / step
        for order, step in zip(((1, 0), (0, 1)), spacing_mm[1:], strict=True)
    ]
    return np.asarray(np.hypot(*gradient).sum(axis=(1, 2), dtype=np.float64) * float(np.prod(spacing_mm)))
