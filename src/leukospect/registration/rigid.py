"""Rigid registration that keeps the identity unless something else is clearly better.

A hybrid scanner's images are aligned but for what the patient moved, and mutual information has its own bias of a few
millimetres where two modalities show different edges. So the simplest explanation wins: a shift must earn its place
over the identity, and a rotation over the shift.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from leukospect.data import Image
from leukospect.errors import InputError
from leukospect.registration.coarsening import coarsened
from leukospect.registration.conversion import Matrix
from leukospect.registration.result import Registration, unsearched
from leukospect.registration.search import Pair, mutual_information, one_thread_a_filter, two_searches

# What a transform must bring over a simpler one: this much of its mutual information.
LEAST_RELATIVE_GAIN = 0.05

# Registration works on grids no finer than this; SPECT's own resolution is coarser still.
_WORKING_MM = 4.0
_CT_WINDOW_HU = (-200.0, 300.0)
_LEAST_MOVE_VOXELS = 0.25
_LEAST_OVERLAP = 0.25
_LOOK = " They fit better there than as they lie, so that they may lie apart: look at them."


def register_rigid(
    fixed: Image,
    moving: Image,
    *,
    maximum_shift_mm: float = 30.0,
    maximum_rotation_deg: float = 10.0,
    seed: int = 0,
    threads: int = 2,
    progress: Callable[[float], None] | None = None,
) -> Registration:
    """Find the shift and rotation between two images of one body by mutual information.

    Mattes mutual information, coarse to fine, from the identity: first three shifts, then three shifts and rotations
    about the body's centre. Each is taken over the simpler one only if it (a) is within the limits, (b) moves the body
    by a quarter of a voxel or more, (c) raises the mutual information by at least 5 %, and (d) is found again from
    another start.

    Parameters
    ----------
    fixed, moving : Image
        Of any kind; see `body_rendering` for what is compared.
    maximum_shift_mm, maximum_rotation_deg : float
        A result beyond is not believed.
    seed : int
        Of the sampling.
    threads : int
        Searches run side by side (at most two). The result is the same to the bit for any number.
    progress : function of the fraction done, or None

    Returns
    -------
    Registration

    Raises
    ------
    InputError
        An image holds values that are not finite, or a limit is not positive.
    """
    limits = (maximum_shift_mm, maximum_rotation_deg)
    if not np.all(np.isfinite(limits)) or min(limits) <= 0:
        raise InputError(f"The limits of a registration must be positive; found {limits[0]} mm, {limits[1]} degrees.")
    for image, name in ((fixed, "fixed"), (moving, "moving")):
        if not np.all(np.isfinite(image.array)):
            raise InputError(f"The {name} image of the registration contains values that are not finite.")
    shown = (coarsened(body_rendering(fixed), _WORKING_MM), coarsened(body_rendering(moving), _WORKING_MM))
    for image, name in zip(shown, ("fixed", "moving"), strict=True):
        if np.ptp(image.array) <= 0 or min(image.array.shape) < 4:
            return unsearched(f"The {name} image shows nothing to register, so the identity was kept.")
    if _overlap(*shown) < _LEAST_OVERLAP:
        return unsearched("The images hardly overlap as they lie, so the identity was kept.")
    pair = Pair(*shown, _body_centre(shown[0]), seed, threads)
    with one_thread_a_filter():
        shifts = two_searches(pair, np.zeros(3), rotate=False)
        if progress:
            progress(0.4)
        turns = two_searches(pair, shifts[0][:3, 3], rotate=True)
    if progress:
        progress(0.9)
    result = _chosen(pair, (shifts, turns), limits)
    if progress:
        progress(1.0)
    return result


def body_rendering(image: Image) -> Image:
    """Show the body so that its outline and organs count rather than a few extremes.

    CT (unit ``HU``) is clipped to -200 to 300 HU; an emission image has its negatives and its brightest thousandth
    clipped and the square root taken, which lifts the body's faint outline against hot organs.
    """
    array = np.asarray(image.array, dtype=np.float32)
    if image.unit == "HU":
        return replace(image, array=np.clip(array, *_CT_WINDOW_HU))
    top = float(np.quantile(array, 0.999)) or float(array.max())
    return replace(image, array=np.sqrt(np.clip(array, 0.0, max(top, 0.0))))


def _overlap(fixed: Image, moving: Image) -> float:
    """Tell which part of the smaller of the two boxes the other covers, at the identity."""
    parts = []
    for one, other in ((fixed.geometry, moving.geometry), (moving.geometry, fixed.geometry)):
        indices = np.stack(np.meshgrid(*(np.linspace(0, n - 1, 12) for n in one.shape), indexing="ij"), axis=-1)
        places = other.to_index(one.to_lps(indices))
        inside = (places >= -0.5) & (places <= np.array(other.shape) - 0.5)
        parts.append(float(np.mean(np.all(inside, axis=-1))))
    return max(parts)


def _body_centre(image: Image) -> NDArray[np.float64]:
    """Centroid of what is brighter than the image's mean, LPS mm."""
    bright = np.asarray(image.array > image.array.mean(dtype=np.float64))
    return image.geometry.to_lps(ndimage.center_of_mass(bright))


def _displacement_mm(pair: Pair, one: Matrix, other: Matrix) -> float:
    """Root mean square distance between where two transforms put a ball of up to 100 mm about the body's centre."""
    extent = 0.5 * np.array(pair.fixed.geometry.shape) * pair.fixed.geometry.spacing_mm
    radius = min(100.0, float(extent.max()))
    difference = one - other
    at_centre = difference[:3, :3] @ pair.centre_mm + difference[:3, 3]
    # Over a ball of radius R, each coordinate's mean square is R^2 / 5.
    return float(np.sqrt(at_centre @ at_centre + radius**2 / 5.0 * np.sum(difference[:3, :3] ** 2)))


def _size(pair: Pair, matrix: Matrix) -> tuple[float, float]:
    """Shift of the body's centre, mm, and rotation, degrees."""
    shift = matrix[:3, :3] @ pair.centre_mm + matrix[:3, 3] - pair.centre_mm
    cosine = (np.trace(matrix[:3, :3]) - 1.0) / 2.0
    return float(np.linalg.norm(shift)), float(np.degrees(np.arccos(np.clip(cosine, -1.0, 1.0))))


def _chosen(pair: Pair, searches: tuple[list[Matrix], ...], limits: tuple[float, float]) -> Registration:
    """Go from the identity to the shift to shift and rotation, as far as each is earned."""
    identity = np.eye(4)
    measured = mutual_information(pair.fixed, pair.moving, [identity, *(found[0] for found in searches)])
    taken, at, shown, reason = identity, 0, 1, ""
    for number, found in enumerate(searches, start=1):
        gains = measured[number] >= (1.0 + LEAST_RELATIVE_GAIN) * measured[at]
        if gains and not _within(pair, found[0], limits):
            # What explains the images best cannot be believed, so neither can the half of it found before.
            taken, at, shown = identity, 0, number
            reason = f"{_ended(pair, found[0])}, which is not plausible, so the identity was kept.{_LOOK}"
            break
        objection = _objection(pair, found, taken, (measured[at], measured[number]))
        if not objection:
            taken, at, shown = found[0], number, number
        reason = reason or objection
    shift, rotation = _size(pair, searches[shown - 1][0])
    if at:
        reason = (
            f"A shift of {shift:.1f} mm and a rotation of {rotation:.1f} degrees raise the mutual information by "
            f"{100.0 * (measured[at] / measured[0] - 1.0):.0f} %, from two starts alike."
        )
    return Registration(
        taken, at > 0, reason, shift, rotation,
        mutual_information_before=measured[0], mutual_information_after=measured[shown],
    )  # fmt: skip


def _within(pair: Pair, matrix: Matrix, limits: tuple[float, float]) -> bool:
    shift, rotation = _size(pair, matrix)
    return shift <= limits[0] and rotation <= limits[1]


def _ended(pair: Pair, matrix: Matrix) -> str:
    shift, rotation = _size(pair, matrix)
    return f"The search ended at a shift of {shift:.1f} mm and a rotation of {rotation:.1f} degrees"


def _objection(pair: Pair, found: list[Matrix], simpler: Matrix, information: tuple[float, float]) -> str:
    """Say why a transform is not taken over a simpler one; nothing where it is."""
    best, second = found
    voxel = min(pair.fixed.geometry.spacing_mm)
    moves, apart = _displacement_mm(pair, best, simpler), _displacement_mm(pair, best, second)
    before, after = information
    if moves < _LEAST_MOVE_VOXELS * voxel:
        return f"The images are aligned to {moves:.1f} mm, so the identity was kept."
    if not after >= (1.0 + LEAST_RELATIVE_GAIN) * before:
        gain = 100.0 * (after / before - 1.0) if before > 0 else 0.0
        return (
            f"{_ended(pair, best)}, which changes the mutual information by {gain:.1f} % only; the identity was kept."
        )
    if apart > voxel:
        return f"{_ended(pair, best)}, a second one {apart:.1f} mm away from it, so the identity was kept.{_LOOK}"
    return ""
