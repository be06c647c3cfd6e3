"""Which bone of a CT belongs to which limb: the two femora below the pelvis, and the rest."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from leukospect.data import Geometry, Image
from leukospect.registration.resampling import resample, smoothed

Mask = NDArray[np.bool_]

WORKING_MM = 4.0
"""Pitch of the grid limbs are told apart on."""

BONE_HU = 220.0
_SMOOTHING_MM = 2.0
_LEAST_BONE_ML = 2.0
# Of a slice through two thighs: each side's bones lie within this width, and this far from the other's.
_WIDEST_SIDE_MM, _LEAST_GAP_MM = 110.0, 16.0
_SHORTEST_RUN_MM, _SPOILT_MM = 60.0, 12.0
# A femur is followed upwards until it runs into the pelvis: its section there is suddenly this wide.
_WIDEST_FEMUR_MM, _FOLLOWED_MM = 64.0, 100.0
_LEAST_LIMB_ML, _LEAST_TRUNK_ML = 15.0, 40.0
_FRAGMENT_MM, _ROUND_SHAFT_MM = 10.0, 45.0


@dataclass(frozen=True, slots=True, eq=False)
class LimbBones:
    """The bones of a CT on an axial grid of 4 mm.

    Parameters
    ----------
    labels : Image
        uint8, number of the part + 1; 0 where there is no bone.
    names : tuple of str
        ``right`` and ``left`` (the patient's) and, where there is much of it, ``trunk``; or ``whole`` alone.
    bone : (slices, rows, columns) bool array
        All bone and metal, that of no part included.
    ct : Image
        The CT on the same grid, HU, not smoothed beyond the grid's pitch.
    """

    labels: Image
    names: tuple[str, ...]
    bone: Mask
    ct: Image


def working_grid(geometry: Geometry) -> Geometry:
    """Lay an axial grid of 4 mm, towards the head, over all of another."""
    shape = np.array(geometry.shape)
    corners = np.array(np.meshgrid(*([0, n - 1] for n in shape), indexing="ij")).reshape(3, -1).T
    places = geometry.to_lps(corners)
    low, high = places.min(axis=0), places.max(axis=0)
    counts = np.maximum(1, np.ceil((high - low) / WORKING_MM).astype(int) + 1)
    x, y, z = (int(n) for n in counts)
    first = (float(low[0]), float(low[1]), float(low[2]))
    return Geometry.axial((z, y, x), (WORKING_MM,) * 3, first, geometry.frame_of_reference_uid)


def find_limb_bones(ct: Image, metal: Image | None) -> LimbBones:
    """Tell the right and the left femur apart where a CT shows two thighs; else all its bone is one part.

    Metal counts as bone: a nail goes with its femur. A slice through two thighs has bone in two narrow groups with a
    gap between; where such slices follow each other for 60 mm, the largest connected bone of each side is its femur,
    followed up to where it runs into the pelvis.
    """
    grid = working_grid(ct.geometry)
    coarse = resample(ct, grid, outside=-1000.0)
    bone = smoothed(np.asarray(coarse.array, np.float32), grid, [_SMOOTHING_MM] * 3) > BONE_HU
    if metal is not None:
        shown = Image((np.asarray(metal.array) > 0).astype(np.float32), metal.geometry, "1")
        bone |= np.asarray(resample(shown, grid).array) > 0.3
    bone = _large_parts(bone)
    # Streaks of metal are thin: what an opening leaves is bone.
    solid = bone if metal is None else _large_parts(ndimage.binary_opening(bone, np.ones((1, 3, 3), dtype=bool)))
    splits = [_split(layer) for layer in solid]
    run = _longest_run([split is not None for split in splits])
    labels = np.zeros(grid.shape, np.uint8)
    names: tuple[str, ...] = ("whole",)
    if run is not None:
        sides = [_femur(solid, splits, run, right) for right in (True, False)]
        if min(int(side.sum()) for side in sides) * grid.voxel_volume_ml >= _LEAST_LIMB_ML:
            names = ("right", "left")
            labels[sides[0]], labels[sides[1]] = 1, 2
            rest = _trunk(bone, labels, run[1])
            if int(rest.sum()) * grid.voxel_volume_ml >= _LEAST_TRUNK_ML:
                names, labels[rest] = ("right", "left", "trunk"), 3
    if names == ("whole",):
        labels[bone] = 1
    return LimbBones(Image(labels, grid, "1"), names, bone, coarse)


def _large_parts(bone: Mask) -> Mask:
    numbered, count = ndimage.label(bone, np.ones((3, 3, 3)))
    if count == 0:
        return bone
    sizes = np.bincount(numbered.ravel())
    sizes[0] = 0
    large = sizes * WORKING_MM**3 / 1000.0 >= _LEAST_BONE_ML
    return np.asarray(large[numbered])


def _split(layer: Mask) -> float | None:
    """Find the column between two thighs' bones in a slice; None where it does not go through two thighs."""
    columns = np.flatnonzero(layer.any(axis=0))
    if columns.size < 2:
        return None
    gaps = np.diff(columns)
    widest = int(gaps.argmax())
    widths = (columns[widest] - columns[0], columns[-1] - columns[widest + 1])
    if gaps[widest] * WORKING_MM < _LEAST_GAP_MM or max(widths) * WORKING_MM > _WIDEST_SIDE_MM:
        return None
    return float(columns[widest] + columns[widest + 1]) / 2.0


def _longest_run(good: list[bool]) -> tuple[int, int] | None:
    """Find the longest run of slices through two thighs, ends included; a few that streaks spoil do not end it."""
    wide = round(_SPOILT_MM / WORKING_MM)
    closed = ndimage.binary_closing(np.pad(np.array(good), wide), np.ones(wide, dtype=bool))[wide:-wide]
    numbered, count = ndimage.label(closed)
    if count == 0:
        return None
    best = int(np.argmax(np.bincount(numbered)[1:])) + 1
    slices = np.flatnonzero(numbered == best)
    if slices.size * WORKING_MM < _SHORTEST_RUN_MM:
        return None
    return int(slices[0]), int(slices[-1])


def _femur(bone: Mask, splits: list[float | None], run: tuple[int, int], right: bool) -> Mask:
    first, last = run
    side = np.zeros_like(bone)
    at = [split for split in splits[first : last + 1] if split is not None]
    middle = float(np.median(at))
    columns = np.arange(bone.shape[2])
    for k in range(first, last + 1):
        own = splits[k]
        split = middle if own is None else own
        side[k] = bone[k] & ((columns < split) if right else (columns > split))
    numbered, count = ndimage.label(side, np.ones((3, 3, 3)))
    if count == 0:
        return side
    largest = numbered == int(np.argmax(np.bincount(numbered.ravel())[1:])) + 1
    # Fragments and screws a little off the shaft go with it; the ischium, some 2 cm away, does not.
    near = ndimage.distance_transform_edt(~largest, sampling=WORKING_MM) <= _FRAGMENT_MM
    femur = np.asarray(np.isin(numbered, np.unique(numbered[near & side])) & side)
    femur &= _round_the_shaft(femur)
    return _followed_up(bone, femur, last)


def _round_the_shaft(femur: Mask) -> Mask:
    """Mark what lies within 45 mm of the straight line along a femur: streaks may join the ischium to it."""
    where = np.argwhere(femur)
    slices = np.unique(where[:, 0])
    middles = np.array([np.median(where[where[:, 0] == k, 1:], axis=0) for k in slices])
    kept = np.ones(slices.size, dtype=bool)
    for _ in range(5):
        line = [np.polynomial.polynomial.polyfit(slices[kept], middles[kept, axis], 1) for axis in (0, 1)]
        off = np.stack([middles[:, axis] - (line[axis][0] + line[axis][1] * slices) for axis in (0, 1)], axis=1)
        away = np.hypot(off[:, 0], off[:, 1])
        kept = away <= max(2.0 * float(np.median(away)), 1.0)
    k = np.arange(femur.shape[0])
    rows, columns = np.arange(femur.shape[1])[:, None], np.arange(femur.shape[2])
    distance = [np.hypot(rows - (line[0][0] + line[0][1] * n), columns - (line[1][0] + line[1][1] * n)) for n in k]
    return np.asarray(np.stack(distance) * WORKING_MM <= _ROUND_SHAFT_MM)


def _followed_up(bone: Mask, femur: Mask, last: int) -> Mask:
    followed = femur.copy()
    for k in range(last + 1, min(bone.shape[0], last + 1 + round(_FOLLOWED_MM / WORKING_MM))):
        numbered, _ = ndimage.label(bone[k], np.ones((3, 3)))
        touched = np.unique(numbered[followed[k - 1] & bone[k]])
        section = np.isin(numbered, touched[touched > 0])
        columns = np.flatnonzero(section.any(axis=0))
        if columns.size == 0 or (columns[-1] - columns[0] + 1) * WORKING_MM > _WIDEST_FEMUR_MM:
            break
        followed[k] = section
    return followed


def _trunk(bone: Mask, labels: NDArray[np.uint8], last: int) -> Mask:
    """Take what bone is left near the top of the thighs and above, away from the femora."""
    rest = bone & (labels == 0)
    rest[: max(0, last - round(_SHORTEST_RUN_MM / WORKING_MM))] = False
    return np.asarray(rest & (ndimage.distance_transform_edt(labels == 0, sampling=WORKING_MM) > _FRAGMENT_MM))
