"""Planar views of two times: one motion in the frontal plane explains the anterior and the posterior view at once.

Seen from behind, the patient's left lies on the other side; so both views are taken to patient space, x and z, before
anything is compared, and a motion found is the patient's.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from leukospect.data import PlanarImages
from leukospect.errors import InputError, MissingInformationError

COLUMN_SIGN = {"anterior": 1.0, "posterior": -1.0}
"""Direction of a view's columns along the patient's x axis."""

LEAST_CORRELATION = 0.6
LEAST_RELATIVE_GAIN = 0.1
"""What a motion must take, at least, of what the correlation at the identity lacks to one."""

_SEARCH_SIGMA_MM, _SIGMAS_MM = 12.0, (12.0, 8.0, 6.0)
_SEARCH_STEP_MM, _SEARCH_STEP_DEG = 12.0, 4.0
_SEARCH_POINTS, _POINTS = 2500, 20_000
_BODY_PART, _ROUND_BODY_MM = 0.08, 30.0
_MIRRORED, _ALIKE_MIRRORED = 0.7, 0.95
"""Of what the correlation lacks to one, what a mirrored view may lack at most to be the better one, and its least."""

_LEAST_OVERLAP, _FEWEST_POINTS = 0.5, 200
_LEAST_MOVE_PIXELS = 0.25
_MOST_ITERATIONS, _LEAST_STEP_MM = 60, 1e-3
_OTHER_TURN_RAD, _OTHER_SHIFT_MM = 0.04, (6.0, -7.0)
_TUKEY, _NORMAL_MAD = 4.685, 1.4826

Matrix = NDArray[np.float64]
Points = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class PlanarRegistration:
    """How the patient of one planar acquisition lies in another.

    Parameters
    ----------
    matrix : (3, 3) array
        Takes (x, z, 1) of the fixed views to the moving ones', LPS mm; exactly the identity where nothing was accepted.
    accepted : bool
    aligned : bool
        The patient was found to lie alike in both, so that the identity is known to be right.
    reason : str
        One sentence.
    views : tuple of str
        Those that were compared.
    shift_mm, rotation_deg : float
        Of the body's centre, and the angle from x towards z: accepted, or found and refused.
    correlation_before, correlation_after : float
        Of the square root of smoothed counts at the identity and at what was found, over the same points; NaN where
        there was nothing to compare.
    disagreement_mm : float
        Largest distance between where two searches put the body.
    mirrored : bool
        The views of one time, mirrored from left to right, fit surely better, so that nothing was accepted.
    """

    matrix: Matrix
    accepted: bool
    aligned: bool
    reason: str
    views: tuple[str, ...]
    shift_mm: float
    rotation_deg: float
    correlation_before: float
    correlation_after: float
    disagreement_mm: float
    mirrored: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class _View:
    """A view as it is compared: brightness, and how patient x and z become its columns and rows."""

    array: NDArray[np.float64]
    first_mm: tuple[float, float]
    step_mm: tuple[float, float]

    def places(self, where: NDArray[np.int64]) -> Points:
        """Patient (x, z) of (row, column) indices."""
        x = self.first_mm[0] + self.step_mm[0] * where[:, 1]
        z = self.first_mm[1] + self.step_mm[1] * where[:, 0]
        return np.stack([x, z], axis=1)

    def at(self, places_mm: Points) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Brightness at places, and which of them lie inside."""
        column = (places_mm[:, 0] - self.first_mm[0]) / self.step_mm[0]
        row = (places_mm[:, 1] - self.first_mm[1]) / self.step_mm[1]
        rows, columns = self.array.shape
        inside = (row >= 0) & (row <= rows - 1) & (column >= 0) & (column <= columns - 1)
        return ndimage.map_coordinates(self.array, [row, column], order=1, mode="nearest"), inside


@dataclass(frozen=True, slots=True, eq=False)
class _Compared:
    """One view of both times: points of the fixed one with brightness and slope (n, 2), and the moving one."""

    places_mm: Points
    values: NDArray[np.float64]
    slopes: Points
    moving: _View


def register_planar(
    fixed: PlanarImages,
    moving: PlanarImages,
    *,
    fixed_window: int = 0,
    moving_window: int = 0,
    maximum_shift_mm: float = 100.0,
    maximum_rotation_deg: float = 20.0,
) -> PlanarRegistration:
    """Find the shift and rotation in the frontal plane between planar views of two times.

    Anterior is compared with anterior and posterior with posterior, and one motion must explain both. The square root
    of the smoothed counts evens out their noise; each view has a gain and an offset of its own, for decay and uptake
    change them, and what changed more than the rest is left out (Tukey's biweight). Every rotation and shift within
    the limits is tried coarsely, the best refined to below a pixel.

    A motion is taken only if it is within the limits, moves the body by a quarter of a pixel or more, takes a tenth or
    more of what the correlation lacks to one, and a second search agrees to a pixel. All is done with one time's views
    mirrored, too: where that fits surely better, as no patient does who lies the same way, it is said.

    Parameters
    ----------
    fixed, moving : PlanarImages
        Anterior, posterior or both, with the positions of their first pixels. Pixels and matrices may differ.
    fixed_window, moving_window : int
        Index of the energy window.
    maximum_shift_mm, maximum_rotation_deg : float

    Raises
    ------
    MissingInformationError
        The position of the views is not recorded.
    InputError
        They have no anterior or posterior view in common, or a limit is not positive.
    """
    limits = (maximum_shift_mm, maximum_rotation_deg)
    if not np.all(np.isfinite(limits)) or min(limits) <= 0:
        raise InputError(f"The limits of a registration must be positive; found {limits[0]} mm, {limits[1]} degrees.")
    names = tuple(name for name in COLUMN_SIGN if name in fixed.view_names and name in moving.view_names)
    if not names:
        raise InputError("Planar images of two times have no anterior or posterior view in common to be registered by.")
    if fixed.first_pixel_mm is None or moving.first_pixel_mm is None:
        raise MissingInformationError(
            "Planar images of two times can be registered only where both say where they lie (Image Position in "
            "Detector Information)."
        )
    if min(*fixed.counts.shape[2:], *moving.counts.shape[2:]) < 16:
        return _unsearched(names, "The planar views are too small to register, so the identity was kept")
    pairs = [((fixed, fixed_window, name), (moving, moving_window, name)) for name in names]
    search = [_compared(*pair, _SEARCH_SIGMA_MM, _SEARCH_POINTS) for pair in pairs]
    if any(one is None for one in search):
        return _unsearched(names, "A planar view shows no body to register, so the identity was kept")
    if _correlations(_all_of(search), (np.eye(3),))[0] < -0.999:
        return _unsearched(names, "The planar views hardly overlap as they lie, so the identity was kept")
    levels = [[_compared(*pair, sigma, _POINTS) for pair in pairs] for sigma in _SIGMAS_MM]
    coarse, fine = _all_of(search), [_all_of(level) for level in levels]
    found = _searched(names, coarse, fine, min(fixed.pixel_mm), limits)
    flipped = _searched(names, _flipped(coarse), [_flipped(level) for level in fine], min(fixed.pixel_mm), limits)
    lacks, lacks_flipped = 1.0 - found.correlation_after, 1.0 - flipped.correlation_after
    if lacks_flipped > 1.0 - _ALIKE_MIRRORED or lacks_flipped > _MIRRORED * lacks:
        return found
    reason = (
        f"Mirrored from left to right the planar views of one time fit better (they correlate by "
        f"{flipped.correlation_after:.3f} instead of {found.correlation_after:.3f}), so the identity was kept"
    )
    return replace(found, matrix=np.eye(3), accepted=False, aligned=False, reason=reason, mirrored=True)


def _all_of(compared: list[_Compared | None]) -> list[_Compared]:
    return [one for one in compared if one is not None]


def _flipped(compared: list[_Compared]) -> list[_Compared]:
    """Mirror the moving views in their middle column."""
    return [replace(one, moving=replace(one.moving, array=one.moving.array[:, ::-1])) for one in compared]


def _unsearched(names: tuple[str, ...], reason: str) -> PlanarRegistration:
    nan = float("nan")
    return PlanarRegistration(np.eye(3), False, False, reason, names, 0.0, 0.0, nan, nan, nan)


def _view(planar: PlanarImages, window: int, name: str, sigma_mm: float) -> _View:
    number = planar.view_names.index(name)
    assert planar.first_pixel_mm is not None
    x, _, z = planar.first_pixel_mm[number]
    sigmas = [sigma_mm / spacing for spacing in planar.pixel_mm]
    counts = np.asarray(planar.counts[window, number], np.float64)
    smooth = ndimage.gaussian_filter(counts, sigmas, mode="nearest")
    # Counts differ by orders between the times; each view's own mean makes the offset below alike.
    level = max(float(smooth.mean()), 1e-9)
    step = (COLUMN_SIGN[name] * planar.pixel_mm[1], -planar.pixel_mm[0])
    return _View(np.sqrt(np.maximum(smooth, 0.0) / level), (float(x), float(z)), step)


def _compared(
    fixed: tuple[PlanarImages, int, str], moving: tuple[PlanarImages, int, str], sigma_mm: float, most: int
) -> _Compared | None:
    """Take points on and round the body of the fixed view; None where either shows nothing."""
    here, there = _view(*fixed, sigma_mm), _view(*moving, sigma_mm)
    if np.ptp(here.array) <= 0 or np.ptp(there.array) <= 0:
        return None
    body = here.array**2 > _BODY_PART * float(np.quantile(here.array**2, 0.98))
    pixel = (abs(here.step_mm[1]), abs(here.step_mm[0]))
    where = np.argwhere(ndimage.distance_transform_edt(~body, sampling=pixel) <= _ROUND_BODY_MM)
    where = where[:: max(1, -(-len(where) // most))]
    along_rows, along_columns = (np.gradient(here.array, axis=axis) for axis in (0, 1))
    at = tuple(where.T)
    slopes = np.stack([along_columns[at] / here.step_mm[0], along_rows[at] / here.step_mm[1]], axis=1)
    return _Compared(here.places(where), here.array[at], slopes, there)


def _motion(centre_mm: NDArray[np.float64], angle_rad: float, shift_mm: NDArray[np.float64]) -> Matrix:
    cosine, sine = np.cos(angle_rad), np.sin(angle_rad)
    matrix = np.array([[cosine, -sine, 0.0], [sine, cosine, 0.0], [0.0, 0.0, 1.0]])
    matrix[:2, 2] = centre_mm + shift_mm - matrix[:2, :2] @ centre_mm
    return matrix


def through_plane(matrix: Matrix, places_mm: Points) -> Points:
    """Carry (n, 2) points through a 3x3 matrix."""
    return np.asarray(places_mm @ matrix[:2, :2].T + matrix[:2, 2])


def _searched(
    names: tuple[str, ...],
    search: list[_Compared],
    levels: list[list[_Compared]],
    pixel_mm: float,
    limits: tuple[float, float],
) -> PlanarRegistration:
    places = np.concatenate([one.places_mm for one in search])
    centre = places.mean(axis=0)
    first = _best_of_all(search, centre, limits)
    found = []
    for start in (first, first @ _motion(centre, _OTHER_TURN_RAD, np.array(_OTHER_SHIFT_MM))):
        matrix = start
        for level in levels:
            matrix = _refined(level, matrix, centre)
        found.append(matrix)
    before, after = _correlations(levels[0], (np.eye(3), found[0]))
    apart = np.linalg.norm(through_plane(found[0], places) - through_plane(found[1], places), axis=1)
    moves = float(np.sqrt(np.mean(np.sum((through_plane(found[0], places) - places) ** 2, axis=1))))
    shift = float(np.linalg.norm(through_plane(found[0], centre[None])[0] - centre))
    rotation = float(np.degrees(np.arctan2(found[0][1, 0], found[0][0, 0])))
    disagreement = float(apart.max())
    aligned = moves < _LEAST_MOVE_PIXELS * pixel_mm and after >= LEAST_CORRELATION
    objection = _objection((shift, rotation), (before, after), disagreement, pixel_mm, limits)
    ended = f"The search ended at a shift of {shift:.1f} mm and a rotation of {rotation:.1f} degrees"
    if aligned:
        reason = f"The planar views are aligned to {moves:.1f} mm, so the identity was kept"
    elif objection:
        reason = f"{ended}, {objection}; the identity was kept"
    else:
        reason = (
            f"Shifted by {shift:.1f} mm and turned by {rotation:.1f} degrees in the frontal plane: the "
            f"{' and '.join(names)} views then correlate by {after:.2f} instead of {before:.2f}"
        )
    accepted = not aligned and not objection
    return PlanarRegistration(
        found[0] if accepted else np.eye(3), accepted, aligned, reason, names, shift, rotation, before, after,
        disagreement,
    )  # fmt: skip


def _objection(
    size: tuple[float, float],
    correlations: tuple[float, float],
    disagreement_mm: float,
    pixel_mm: float,
    limits: tuple[float, float],
) -> str:
    """Say why a motion is not taken; nothing where it is."""
    before, after = correlations
    checks = (
        (size[0] > limits[0] or abs(size[1]) > limits[1], "which is not plausible"),
        (not after >= LEAST_CORRELATION, f"where the views correlate by {after:.2f} only"),
        (
            not (1.0 - after) <= (1.0 - LEAST_RELATIVE_GAIN) * (1.0 - before),
            f"which is not clearly better (correlation {after:.3f} instead of {before:.3f})",
        ),
        (disagreement_mm > pixel_mm, f"a second one up to {disagreement_mm:.1f} mm away from it"),
    )
    return next((text for wrong, text in checks if wrong), "")


def _best_of_all(compared: list[_Compared], centre: NDArray[np.float64], limits: tuple[float, float]) -> Matrix:
    """Try every rotation and shift within the limits, coarsely."""
    shifts = np.arange(-limits[0], limits[0] + 0.1, _SEARCH_STEP_MM)
    turns = np.deg2rad(np.arange(-limits[1], limits[1] + 0.1, _SEARCH_STEP_DEG))
    best, score = np.eye(3), _correlations(compared, (np.eye(3),))[0]
    for turn in turns:
        for x in shifts:
            for z in shifts:
                matrix = _motion(centre, float(turn), np.array([x, z]))
                reached = _correlations(compared, (matrix,))[0]
                if reached > score:
                    best, score = matrix, reached
    return best


def _correlations(compared: list[_Compared], matrices: tuple[Matrix, ...]) -> list[float]:
    """Mean over the views of the correlation under each motion, over the points that all leave inside."""
    sums = np.zeros(len(matrices))
    for one in compared:
        seen = [one.moving.at(through_plane(matrix, one.places_mm)) for matrix in matrices]
        shared = np.logical_and.reduce([inside for _, inside in seen])
        if shared.sum() < max(_FEWEST_POINTS, _LEAST_OVERLAP * len(shared)):
            return [-1.0] * len(matrices)
        here = one.values[shared] - one.values[shared].mean()
        for number, (values, _) in enumerate(seen):
            there = values[shared] - values[shared].mean()
            spread = float(np.sqrt(np.sum(here * here) * np.sum(there * there)))
            sums[number] += float(np.sum(here * there)) / spread if spread > 0 else 0.0
    return [float(total) / len(compared) for total in sums]


def _refined(compared: list[_Compared], start: Matrix, centre: NDArray[np.float64]) -> Matrix:
    """Take Gauss-Newton steps of the angle and the shift, with a gain and an offset for each view."""
    matrix = start
    lines = [_line(one, start) for one in compared]
    unknowns = 3 + 2 * len(compared)
    for _ in range(_MOST_ITERATIONS):
        normal, towards = np.zeros((unknowns, unknowns)), np.zeros(unknowns)
        for number, (one, (gain, offset)) in enumerate(zip(compared, lines, strict=True)):
            values, inside = one.moving.at(through_plane(matrix, one.places_mm))
            if inside.sum() < _FEWEST_POINTS:
                return matrix
            left = values - gain * one.values - offset
            weights = _weights(left, inside)
            arms = one.places_mm - centre
            columns = np.zeros((len(left), unknowns))
            columns[:, 0] = gain * (arms[:, 0] * one.slopes[:, 1] - arms[:, 1] * one.slopes[:, 0])
            columns[:, 1:3] = gain * one.slopes
            columns[:, 3 + 2 * number], columns[:, 4 + 2 * number] = -one.values, -1.0
            weighted = columns * weights[:, None]
            # einsum without BLAS sums in one order, whatever the number of threads.
            normal += np.einsum("ni,nj->ij", weighted, columns)
            towards += np.einsum("ni,n->i", weighted, left)
        step = -np.linalg.lstsq(normal, towards, rcond=1e-12)[0]
        lines = [(g + float(step[3 + 2 * n]), o + float(step[4 + 2 * n])) for n, (g, o) in enumerate(lines)]
        lines = [(min(max(gain, 0.2), 5.0), offset) for gain, offset in lines]
        size = float(np.hypot(100.0 * step[0], np.linalg.norm(step[1:3])))
        part = min(1.0, 15.0 / max(size, 1e-12))
        matrix = matrix @ _motion(centre, part * float(step[0]), np.asarray(part * step[1:3], np.float64))
        if size < _LEAST_STEP_MM:
            break
    return matrix


def _line(one: _Compared, matrix: Matrix) -> tuple[float, float]:
    """Gain and offset of the moving view against the fixed one, as they lie under a motion."""
    values, inside = one.moving.at(through_plane(matrix, one.places_mm))
    here, there = one.values[inside], values[inside]
    if here.size < _FEWEST_POINTS:
        return 1.0, 0.0
    spread = float(np.sum((here - here.mean()) ** 2))
    gain = float(np.sum((here - here.mean()) * (there - there.mean()))) / max(spread, 1e-12)
    gain = min(max(gain, 0.2), 5.0)
    return gain, float(there.mean() - gain * here.mean())


def _weights(left: NDArray[np.float64], inside: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Tukey's biweight over the noise's variance, so that views of unlike noise count as they deserve."""
    seen = left[inside]
    scale = max(_NORMAL_MAD * float(np.median(np.abs(seen - np.median(seen)))), 1e-6)
    relative = left / (_TUKEY * scale)
    return np.where(inside & (np.abs(relative) < 1.0), (1.0 - relative**2) ** 2 / scale**2, 0.0)
