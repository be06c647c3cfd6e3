"""CT to CT, each limb by itself: bone against bone, from a coarse search to the full resolution near it.

Between two days a patient's thighs lie differently to the pelvis and to each other, while a femur and the nail in it
are rigid. So each femur has a transform of its own, driven by the voxels near its edges; muscle and fat have no say.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from leukospect.data import Geometry, Image
from leukospect.errors import InputError
from leukospect.registration.coarse_search import best_rotations, blocks_averaged
from leukospect.registration.conversion import Matrix
from leukospect.registration.limb_bones import LimbBones, find_limb_bones, working_grid
from leukospect.registration.limb_judgement import (
    LEAST_OVERLAP,
    LimbRegistration,
    Measured,
    judged,
    uncertainty_mm,
    unsearched,
)
from leukospect.registration.refinement import (
    Fit,
    FixedPoints,
    MovingVolume,
    correlation_at,
    refined,
    through,
    turned_about,
)
from leukospect.registration.resampling import resample, smoothed

_WINDOW_HU = (50.0, 3000.0)
_SEARCHED_MM = 80.0
_NEAR_BONE_MM, _OFF_OTHER_BONE_MM = 6.0, 10.0
_ARTEFACT_LEFT = 0.4
"""Part of an artefact that metal reduction leaves, as in `leukospect bench metal`; more of it did worse."""
# Widths of smoothing, and how many points are used at most, from coarse to fine.
_COARSE_SIGMA_MM, _MIDDLE_SIGMA_MM = 8.0, 4.0
_FINE_SIGMA_MM, _FINEST_SIGMA_MM = 2.0, 1.0
_COARSE_POINTS, _MIDDLE_POINTS, _FINE_POINTS = 3000, 20_000, 120_000
_LIMB_TURNS_DEG = ((0.0, 0.0, 0.0), (6.0, 0.0, 0.0), (-6.0, 0.0, 0.0), (0.0, 6.0, 0.0), (0.0, -6.0, 0.0))
# The second search starts this far from where the first one has come with the middle smoothing.
_OTHER_TURN_RAD, _OTHER_SHIFT_MM = np.array([0.05, -0.04, 0.06]), np.array([4.0, -4.0, 5.0])


@dataclass(frozen=True, slots=True, eq=False)
class LimbAlignment:
    """The transforms of all parts, and where each part's bone lies in the late CT.

    Parameters
    ----------
    parts : tuple of LimbRegistration
    labels : Image
        uint8 on an axial grid of 4 mm in the late CT's frame: the part's number + 1, 0 where there is no bone.
    """

    parts: tuple[LimbRegistration, ...]
    labels: Image


@dataclass(frozen=True, slots=True, eq=False)
class _Scans:
    """Both CTs, on their own grids and on working grids, and the bounds on what is believed."""

    late: Image
    early: Image
    bones: LimbBones
    early_coarse: Image
    limits: tuple[float, float]
    late_scanned: Image | None = None
    early_scanned: Image | None = None


def register_limbs(
    late: Image,
    early: Image,
    *,
    late_metal: Image | None = None,
    late_scanned: Image | None = None,
    early_scanned: Image | None = None,
    maximum_shift_mm: float = 120.0,
    maximum_rotation_deg: float = 35.0,
    threads: int = 2,
    progress: Callable[[float], None] | None = None,
) -> LimbAlignment:
    """Find how each limb of a late CT lies in an early one.

    Where the late CT shows two thighs the right and the left femur are registered apart, and the bones of the trunk;
    else all bone together. A search of rotations and shifts with bone smoothed to 8 mm is refined by robust least
    squares down to the CTs' own resolution, with the voxels within 6 mm of the bone. The edges of metal are landmarks
    like those of bone, but what is inside it, and streaks, which differ between the scans, are left out.

    A transform is taken only if it is within the limits, the brightness near bone correlates well and better than at
    the identity, edges come together, a second search agrees, and the bone's shape determines it.

    Parameters
    ----------
    late, early : Image
        HU, metal artefacts reduced or not.
    late_metal : Image or None
        Mask on any grid in the late CT's frame, above 0 in metal.
    late_scanned, early_scanned : Image or None
        The CTs before their metal artefacts were reduced, on the same grids: what was changed there is doubted.
    maximum_shift_mm, maximum_rotation_deg : float
        A result beyond is not believed.
    threads : int
        Parts searched side by side. The result is the same to the bit for any number.
    progress : function of the fraction done, or None

    Returns
    -------
    LimbAlignment

    Raises
    ------
    InputError
        An image holds values that are not finite, or a limit is not positive.
    """
    if (
        not np.all(np.isfinite((maximum_shift_mm, maximum_rotation_deg)))
        or min(maximum_shift_mm, maximum_rotation_deg) <= 0
    ):
        raise InputError(
            f"The limits of a registration must be positive; found {maximum_shift_mm} mm, "
            f"{maximum_rotation_deg} degrees."
        )
    for image, name in ((late, "late"), (early, "early")):
        if not np.all(np.isfinite(image.array)):
            raise InputError(f"The {name} CT of the registration contains values that are not finite.")
    late, early = (replace(one, array=np.asarray(one.array, np.float32)) for one in (late, early))
    bones = find_limb_bones(late, late_metal)
    early_coarse = resample(early, working_grid(early.geometry), outside=-1000.0)
    limits = (maximum_shift_mm, maximum_rotation_deg)
    scans = _Scans(late, early, bones, early_coarse, limits, late_scanned, early_scanned)
    starts = _first_guesses(scans)
    if progress:
        progress(0.3)
    with ThreadPoolExecutor(max_workers=max(1, min(threads, len(bones.names)))) as pool:
        parts = tuple(pool.map(lambda number: _registered(scans, number, starts), range(len(bones.names))))
    if progress:
        progress(1.0)
    return LimbAlignment(parts, bones.labels)


def _first_guesses(scans: _Scans) -> list[Matrix]:
    """Search the bones as a whole, which limbs then start from; the identity is always among the guesses."""
    labels = scans.bones.labels
    fixed, moving = (_bright(image, _COARSE_SIGMA_MM / 2.0) for image in (scans.bones.ct, scans.early_coarse))
    near = ndimage.binary_dilation(np.asarray(labels.array) > 0, iterations=3)
    where = np.argwhere(near)
    if len(where) < 50:
        return [np.eye(4)]
    where = where[:: max(1, len(where) // 20_000)]
    values = np.asarray(fixed.array[tuple(where.T)], dtype=np.float64)
    found = best_rotations(
        labels.geometry.to_lps(where),
        values,
        blocks_averaged(moving, 2),
        maximum_shift_mm=min(scans.limits[0], _SEARCHED_MM),
        keep=4,
    )
    return [*found, np.eye(4)]


def _bright(image: Image, sigma_mm: float) -> Image:
    array = smoothed(np.asarray(image.array, np.float32), image.geometry, [sigma_mm] * 3)
    low, high = _WINDOW_HU
    return replace(image, array=np.clip(array, low, high) - low)


def _registered(scans: _Scans, number: int, starts: list[Matrix]) -> LimbRegistration:
    """Register one part: coarse and middle from every start, fine from the best and from a place away from it."""
    part, bone = scans.bones.names[number], np.asarray(scans.bones.labels.array) == number + 1
    if bone.sum() < 100:
        return unsearched(part, "The late CT shows too little bone to register, so the identity was kept")
    grid, other = scans.bones.labels.geometry, scans.bones.bone & ~bone
    near = _near(bone, other, grid, _NEAR_BONE_MM)
    coarse = _points_of(scans.bones.ct, _near(bone, other, grid, 12.0), _COARSE_SIGMA_MM, _COARSE_POINTS)
    middle = _points_of(scans.bones.ct, near, _MIDDLE_SIGMA_MM, _MIDDLE_POINTS)
    volumes = [MovingVolume.of(scans.early_coarse, s, _WINDOW_HU) for s in (_COARSE_SIGMA_MM, _MIDDLE_SIGMA_MM)]
    tried = [
        refined(coarse, volumes[0], start @ turned_about(coarse.centre_mm, np.deg2rad(turn), np.zeros(3)))
        for start in starts
        for turn in _LIMB_TURNS_DEG
    ]
    ranked = sorted(range(len(tried)), key=lambda at: (-_merit(tried[at]), at))
    fits = [refined(middle, volumes[1], tried[at].matrix) for at in ranked[:4]]
    best = max(fits, key=_merit)
    if best.overlap < LEAST_OVERLAP or best.correlation <= 0.0:
        return unsearched(part, "The early CT does not show this bone, so the identity was kept")
    away = best.matrix @ turned_about(middle.centre_mm, _OTHER_TURN_RAD, _OTHER_SHIFT_MM)
    second = refined(middle, volumes[1], away)
    spread = grid.to_lps(np.argwhere(bone)[:: max(1, int(bone.sum()) // 500)])
    return _finely(scans, part, near, (best.matrix, second.matrix), spread)


def _merit(fit: Fit) -> float:
    return fit.correlation * min(1.0, fit.overlap / 0.7)


def _near(bone: NDArray[np.bool_], other: NDArray[np.bool_], grid: Geometry, near_mm: float) -> NDArray[np.bool_]:
    """Mark what lies near a part's bone, and not near other bone, which may lie elsewhere the other time."""
    to_bone = ndimage.distance_transform_edt(~bone, sampling=grid.spacing_mm)
    near = to_bone <= near_mm
    if not other.any():
        return np.asarray(near)
    return np.asarray(near & (ndimage.distance_transform_edt(~other, sampling=grid.spacing_mm) > _OFF_OTHER_BONE_MM))


def _points_of(
    image: Image, near: NDArray[np.bool_], sigma_mm: float, most: int, doubt: Image | None = None
) -> FixedPoints:
    """Take the voxels of an image near its bone, with brightness, slope and doubt after smoothing."""
    spacing = image.geometry.spacing_mm
    array = smoothed(np.asarray(image.array, np.float32), image.geometry, [sigma_mm] * 3)
    array = np.clip(array, *_WINDOW_HU)
    slopes = np.stack([np.gradient(array, step, axis=axis) for axis, step in enumerate(spacing)], axis=-1)
    # An edge has a slope; the many voxels without one would only add noise.
    near = near & (np.linalg.norm(slopes, axis=-1) > 0.05 * np.quantile(np.linalg.norm(slopes[near], axis=-1), 0.9))
    where = np.argwhere(near)
    where = where[:: max(1, -(-len(where) // most))]
    axes = image.geometry.affine[:3, :3] / spacing
    at = tuple(where.T)
    return FixedPoints(
        image.geometry.to_lps(where),
        array[at].astype(np.float64),
        slopes[at].astype(np.float64) @ axes.T,
        image.geometry.to_lps(where).mean(axis=0),
        None if doubt is None else _smooth(doubt, sigma_mm)[at].astype(np.float64),
    )


def _smooth(image: Image, sigma_mm: float) -> NDArray[np.float32]:
    return smoothed(np.asarray(image.array, np.float32), image.geometry, [sigma_mm] * 3)


def _cropped(image: Image, places_mm: NDArray[np.float64], margin_mm: float) -> Image:
    """Cut an image down to a box round places, with a margin."""
    index = image.geometry.to_index(places_mm)
    margin = margin_mm / np.array(image.geometry.spacing_mm)
    shape = np.array(image.geometry.shape)
    low = np.clip(np.floor(index.min(axis=0) - margin), 0, shape - 2).astype(int)
    high = np.clip(np.ceil(index.max(axis=0) + margin) + 1, low + 2, shape).astype(int)
    array = image.array[tuple(slice(a, b) for a, b in zip(low, high, strict=True))]
    affine = image.geometry.affine.copy()
    affine[:3, 3] = image.geometry.to_lps(low)
    return Image(array, Geometry(array.shape, affine, image.geometry.frame_of_reference_uid), image.unit)


def _doubt(cropped: Image, scanned: Image | None, places_mm: NDArray[np.float64], margin_mm: float) -> Image | None:
    """Tell what a metal reduction may have left at each voxel of a box, by how much it changed, HU in the window."""
    if scanned is None:
        return None
    now, before = (
        np.clip(np.asarray(one.array, np.float32), *_WINDOW_HU)
        for one in (cropped, _cropped(scanned, places_mm, margin_mm))
    )
    return Image(np.float32(_ARTEFACT_LEFT) * np.abs(now - before), cropped.geometry, cropped.unit)


def _finely(
    scans: _Scans,
    part: str,
    near: NDArray[np.bool_],
    starts: tuple[Matrix, Matrix],
    spread_mm: NDArray[np.float64],
) -> LimbRegistration:
    """Refine both searches at the CTs' own resolution, and judge."""
    late = _cropped(scans.late, spread_mm, 20.0)
    late_doubt = _doubt(late, scans.late_scanned, spread_mm, 20.0)
    # The box holds the bone where it was found and where the identity has it, so that both can be compared.
    reach = np.concatenate([spread_mm, through(starts[0], spread_mm)])
    early = _cropped(scans.early, reach, 25.0)
    early_doubt = _doubt(early, scans.early_scanned, reach, 25.0)
    shown = Image(near.astype(np.float32), scans.bones.labels.geometry, "1")
    fine_near = np.asarray(resample(shown, late.geometry).array) > 0.5
    finest = max(_FINEST_SIGMA_MM, 0.5 * max(*late.geometry.spacing_mm, *early.geometry.spacing_mm))
    first, second = starts
    stages: tuple[tuple[float, Literal[1, 3]], ...] = ((_FINE_SIGMA_MM, 1), (finest, 3))
    for sigma, order in stages:
        points = _points_of(late, fine_near, sigma, _FINE_POINTS, late_doubt)
        volume = MovingVolume.of(early, sigma, _WINDOW_HU, order)
        if early_doubt is not None:
            volume = replace(volume, doubt=_smooth(early_doubt, sigma))
        best, other = (refined(points, volume, start) for start in (first, second))
        first, second = best.matrix, other.matrix
    before, after = correlation_at(points, volume, (np.eye(4), first))
    if before == after == 0.0:  # nowhere inside with both: nothing is to be said for the identity
        after = best.correlation
    apart = np.linalg.norm(through(first, spread_mm) - through(second, spread_mm), axis=1)
    blur = max(1.0, (2.0 * np.sqrt(np.pi) * finest) ** 3 / (late.geometry.voxel_volume_ml * 1000.0))
    measured = Measured(
        before, after, best, float(apart.max()), uncertainty_mm(best, points.centre_mm, spread_mm, blur),
        reduced=scans.late_scanned is not None or scans.early_scanned is not None,
    )  # fmt: skip
    return judged(part, measured, spread_mm, scans.limits)
