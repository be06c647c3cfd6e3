"""Where on the CT a focus lies: at implant, in bone, in soft tissue or at the skin, how far from each, how high."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from leukospect.data import Image
from leukospect.errors import GeometryError, InputError
from leukospect.quantification.ct_tissues import Surfaces
from leukospect.quantification.location_shape import shape_of_focus
from leukospect.quantification.location_words import level_in_words, location_in_words
from leukospect.quantification.measurements import TISSUES, Location, Tissue

SPECT_FWHM_MM = 12.0
"""Taken for the resolution of a SPECT with its filter where nothing tells it."""

# The hot part of a region: what reaches this part of its maximum.
_HOT_PART = 0.5
_SHAPE_PART = 0.4
_AT_METAL_MM, _AT_BONE_MM, _AT_SKIN_MM = 6.0, 2.0, 8.0
_METAL_TELLS_LEVEL_MM, _BONE_TELLS_LEVEL_MM = 60.0, 30.0
_LEAST_DOUBT = 0.15


def locate(
    uptake: Image,
    region: NDArray[np.bool_],
    surfaces: Surfaces,
    *,
    name: str,
    side: str,
    registration_error_mm: float = math.nan,
    resolution_mm: float = SPECT_FWHM_MM,
) -> Location:
    """Tell where a region's uptake lies on the CT.

    Parameters
    ----------
    uptake : Image
        SPECT.
    region : (slices, rows, columns) bool array
        On its grid.
    surfaces : Surfaces
        Of the CT.
    name, side : str
        Of the region.
    registration_error_mm : float
    resolution_mm : float
        FWHM of the SPECT, its filter included.

    Raises
    ------
    InputError
        The region has no voxel or no uptake.
    GeometryError
        It lies on another grid.
    """
    if region.shape != uptake.geometry.shape:
        raise GeometryError(f"The region '{name}' does not lie on the grid of the uptake it is to be located by.")
    values = np.asarray(uptake.array, dtype=np.float64)[region]
    if not values.size or not float(values.max()) > 0:
        raise InputError(f"The region '{name}' holds no uptake, so that it cannot be located.")
    places = uptake.geometry.to_lps(np.argwhere(region))
    to_metal, to_bone, to_skin = surfaces.to_metal_mm(places), surfaces.to_bone_mm(places), surfaces.to_skin_mm(places)
    hottest, hot = int(values.argmax()), values >= _HOT_PART * values.max()
    shares = _shares(values[hot], to_metal[hot], to_bone[hot], to_skin[hot])
    tissue = max(TISSUES, key=lambda one: shares[one])
    error = registration_error_mm if math.isfinite(registration_error_mm) else 0.0
    uncertainty = math.hypot(error, resolution_mm / 2.0)
    shaped = values >= _SHAPE_PART * values.max()
    shape = shape_of_focus(places[shaped], uptake.geometry.spacing_mm, resolution_mm)
    ends_to_skin = to_skin[shaped][shape.ends]
    reaches_skin = bool(shape.elongated and np.any(ends_to_skin <= max(_AT_SKIN_MM, uncertainty)))
    beside = _not_told_apart(
        tissue, shares, {"implant": to_metal[hottest], "bone": to_bone[hottest], "skin": to_skin[hottest]}, uncertainty
    )
    level = _level(places[hottest], surfaces, float(to_metal[hottest]), float(to_bone[hottest]))
    x, y, z = places[hottest]
    found = Location(
        region=name,
        tissue=tissue,
        or_beside=beside,
        shares=shares,
        side=side,
        hottest_mm=(float(x), float(y), float(z)),
        hottest_to_metal_mm=float(to_metal[hottest]),
        edge_to_metal_mm=float(to_metal.min()),
        hottest_to_bone_mm=float(to_bone[hottest]),
        edge_to_bone_mm=float(to_bone.min()),
        hottest_to_skin_mm=float(to_skin[hottest]),
        edge_to_skin_mm=float(to_skin.min()),
        level=level,
        elongated=shape.elongated,
        length_mm=shape.length_mm,
        width_mm=shape.width_mm,
        direction=shape.direction,
        reaches_skin=reaches_skin,
        registration_error_mm=registration_error_mm,
        resolution_mm=resolution_mm,
        uncertainty_mm=uncertainty,
        sentence="",
    )
    return replace(found, sentence=location_in_words(found))


def _shares(
    weights: NDArray[np.float64],
    to_metal: NDArray[np.float64],
    to_bone: NDArray[np.float64],
    to_skin: NDArray[np.float64],
) -> dict[Tissue, float]:
    """Return the part of the uptake near each tissue; what is near several counts for the first of `TISSUES`."""
    metal = to_metal <= _AT_METAL_MM
    bone = ~metal & (to_bone <= _AT_BONE_MM)
    skin = ~metal & ~bone & (to_skin <= _AT_SKIN_MM)
    parts: dict[Tissue, NDArray[np.bool_]] = {"implant": metal, "bone": bone, "skin": skin}
    parts["soft tissue"] = ~(metal | bone | skin)
    return {one: float(weights[parts[one]].sum() / weights.sum()) for one in TISSUES}


def _not_told_apart(
    tissue: Tissue, shares: Mapping[Tissue, float], from_hottest_mm: Mapping[Tissue, float], uncertainty_mm: float
) -> tuple[Tissue, ...]:
    """Return the other tissues that the hottest point may lie in, by its distance or by where much of the uptake is."""
    found = []
    for one in TISSUES:
        near = from_hottest_mm.get(one, math.inf) <= uncertainty_mm
        if one != tissue and (near or shares[one] >= _LEAST_DOUBT):
            found.append(one)
    return tuple(found)


def _level(place_mm: NDArray[np.float64], surfaces: Surfaces, to_metal_mm: float, to_bone_mm: float) -> str:
    if to_metal_mm <= _METAL_TELLS_LEVEL_MM:
        return level_in_words(surfaces.ends_of_metal_mm(place_mm), "metal")
    if to_bone_mm <= _BONE_TELLS_LEVEL_MM:
        return level_in_words(surfaces.ends_of_bone_mm(place_mm), "bone")
    return ""
