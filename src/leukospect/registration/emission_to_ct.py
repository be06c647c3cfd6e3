"""SPECT (or PET) to CT: what shift and rotation a scanner's alignment leaves, how sure that is, and whether to use it.

The CT tells what the emission image should look like but for the tissues' uptakes (`predicted_emission`), and pose and
uptakes are fitted together (`emission_fit`): first both smoothed widely, from several starts 20 mm and 10 degrees to
all sides, then finely from where those ended, where what differs all round about counts ever less until the pose rests.
The identity is left only for what is plausible, found again from most starts, and clearly larger than its own error.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from leukospect.data import Image
from leukospect.errors import InputError
from leukospect.registration.conversion import Matrix
from leukospect.registration.emission_fit import (
    Fit,
    Pose,
    advantage,
    apart_from,
    covariance,
    displacements_mm,
    evaluated,
    fitted,
    spread_along_mm,
    spread_mm,
)
from leukospect.registration.emission_samples import EmissionSamples, body_median, emission_samples, trusted
from leukospect.registration.emission_search import SAME_MM, at_identity, fits_better_mirrored, searched
from leukospect.registration.predicted_emission import PredictedEmission, predicted_emission
from leukospect.registration.result import Registration, unsearched

FLAG_MM = 5.0
"""Expected misalignment, mm, from which on a person should look at the images."""

_COARSE_FWHM_MM, _FINE_FWHM_MM = 24.0, 0.0
_COARSE_STEP_MM, _FINE_STEP_MM = 19.2, 9.6
_COARSE_BORDER_MM, _FINE_BORDER_MM = 30.0, 20.0
_FINE_BOUND, _FINE_STEPS = 0.5, 20
# By so many standard errors must a pose's loss be smaller than the identity's, and than that of another place.
_LEAST_ADVANTAGE = 3.0
# So far from its end may what a start led to be in the end; this part of the starts must have led there.
_LEADS_MM, _LEAST_OF_STARTS = 90.0, 0.5
# A trunk is much the same a little farther along it, and a descent may rest there: places so far along are tried too.
_ALONG_MM = tuple(np.arange(-90.0, 90.1, 6.0).tolist())
# The smoother the image, the less noise, and the tighter a bound tells one place from another.
_SCAN_FWHM_MM, _SCAN_STEP_MM, _SCAN_BOUND, _SCAN_STEPS = 14.0, 14.4, 0.25, 10
# Which places are believed follows from the pose, and the pose from them: in turn, until the pose rests.
_OPINION_ROUNDS, _OPINION_STEPS, _OPINION_STILL_MM = 12, 6, 0.1
# What the blocks' residuals tell of the error, and the distances of the opinions, each times so much.
_NOISE_FACTOR, _OPINION_FACTOR = 2.0, 0.35
_LEAST_ERROR_MM = 0.5
# A pose is worse than the identity where its error along the move exceeds half of it; two such errors must not.
_TIMES_ERROR, _LEAST_MOVE_MM = 4.0, 3.0
_FEWEST_PLACES = 200


def register_emission_to_ct(
    emission: Image,
    ct: Image,
    body: NDArray[np.bool_],
    *,
    attenuated: bool = True,
    maximum_shift_mm: float = 60.0,
    maximum_rotation_deg: float = 30.0,
    threads: int = 2,
    progress: Callable[[float], None] | None = None,
) -> Registration:
    """Find how a CT lies to an emission image of the same body, and whether that is sure enough to be used.

    Parameters
    ----------
    emission : Image
        Best without attenuation correction, in any unit.
    ct : Image, HU
    body : (slices, rows, columns) bool array
        Where the patient is in the CT, without the couch (`leukospect.ct.body.body_outline`).
    attenuated : bool
        Whether the emission image shows the attenuation, not being corrected for it.
    maximum_shift_mm, maximum_rotation_deg : float
        A result beyond is not believed: shift of the body's centre, and the angle of the rotation.
    threads : int
        Starts searched side by side. The result is the same to the bit for any number.
    progress : function of the fraction done, or None

    Returns
    -------
    Registration
        Its matrix takes places of the emission image to places of the CT.

    Raises
    ------
    InputError
        An image holds values that are not finite, or a limit is not positive.
    """
    limits = (maximum_shift_mm, maximum_rotation_deg)
    if not np.all(np.isfinite(limits)) or min(limits) <= 0:
        raise InputError(f"The limits of a registration must be positive; found {limits[0]} mm, {limits[1]} degrees.")
    for image, name in ((emission, "emission image"), (ct, "CT")):
        if not np.all(np.isfinite(image.array)):
            raise InputError(f"The {name} to register contains values that are not finite.")
    tell = progress or (lambda fraction: None)
    median = body_median(emission)
    predicted = predicted_emission(ct, body, attenuated=attenuated)
    if predicted is None or median <= 0 or min(emission.geometry.shape) < 5:
        name = "CT shows no body" if predicted is None else "emission image shows nothing"
        return unsearched(f"The {name} to register, so the identity was kept.")
    tell(0.2)
    samples = emission_samples(
        emission, predicted, median,
        extra_fwhm_mm=_COARSE_FWHM_MM, step_mm=_COARSE_STEP_MM, border_mm=_COARSE_BORDER_MM,
    )  # fmt: skip
    if len(samples.values) < _FEWEST_PLACES or not np.isfinite(at_identity(samples).cost):
        return unsearched("The images hardly overlap as they lie, so the identity was kept.")
    ends = searched(samples, threads)
    mirrored = fits_better_mirrored(samples, ends, _middle_mm(emission), threads)
    tell(0.5)
    found = _refined(emission, predicted, median, ends, maximum_shift_mm, threads)
    tell(1.0)
    return replace(_decided(found, limits, mirrored), mirrored=mirrored)


def _middle_mm(image: Image) -> NDArray[np.float64]:
    return np.asarray(image.geometry.to_lps((np.array(image.geometry.shape) - 1.0) / 2.0), np.float64)


@dataclass(frozen=True, slots=True, eq=False)
class _Found:
    """The best pose, the share of starts that led there, its expected error, and how much better it fits, 0 to 1.

    The error is that over the body and, of one component, that along the way from the identity.
    """

    predicted: PredictedEmission
    matrix: Matrix
    starts: float
    error_mm: float
    error_along_mm: float
    improvement: float
    advantage: float
    rival_mm: float


def _along_body(samples: EmissionSamples, ends: list[tuple[Fit, float]], farthest_mm: float, threads: int) -> list[Fit]:
    """Look farther along the CT's slices from the two best ends, and search from the best places; best first.

    Twice: the rotation that is found with the right place may be another one.
    """
    poses = [end.pose for end, _ in ends[:2]]
    fits: list[Fit] = []
    with ThreadPoolExecutor(max(1, threads)) as pool:
        for _ in range(2):
            places = [place for pose in poses for place in _best_places(samples, pose, farthest_mm, pool)]
            fits += pool.map(lambda pose: fitted(samples, pose, bound=_SCAN_BOUND, steps=_SCAN_STEPS), places)
            fits.sort(key=lambda fit: fit.cost)
            poses = [fits[0].pose]
    return fits


def _best_places(samples: EmissionSamples, pose: Pose, farthest_mm: float, pool: ThreadPoolExecutor) -> list[Pose]:
    """Slide a pose along the CT's slices; give the two places of least cost, lower than both places next to them."""
    grid = samples.predicted.geometry
    along = grid.affine[:3, 0] / grid.spacing_mm[0]
    places = [Pose(pose.rotation, pose.shift_mm + along * offset) for offset in _ALONG_MM]
    # What is not plausible is not looked at, unless the search has gone there by itself.
    places = [each for each in places if np.sqrt(np.sum(each.shift_mm**2)) <= farthest_mm] or [pose]
    costs = list(pool.map(lambda place: evaluated(samples, place, _SCAN_BOUND).cost, places))
    framed = np.array([np.inf, *costs, np.inf])
    lowest = [n for n, cost in enumerate(costs) if cost <= min(framed[n], framed[n + 2]) and np.isfinite(cost)]
    return [places[n] for n in sorted(lowest, key=lambda n: costs[n])[:2]]


def _refined(
    emission: Image,
    predicted: PredictedEmission,
    median: float,
    ends: list[tuple[Fit, float]],
    farthest_mm: float,
    threads: int,
) -> _Found:
    """Fit finely, then again without what differs all round about: how far that goes is part of the expected error."""
    smooth = emission_samples(
        emission, predicted, median,
        extra_fwhm_mm=_SCAN_FWHM_MM, step_mm=_SCAN_STEP_MM, border_mm=_FINE_BORDER_MM,
    )  # fmt: skip
    scan = _along_body(smooth, ends, farthest_mm, threads)
    samples = emission_samples(
        emission, predicted, median, extra_fwhm_mm=_FINE_FWHM_MM, step_mm=_FINE_STEP_MM, border_mm=_FINE_BORDER_MM
    )
    best, believed = _believed(samples, fitted(samples, scan[0].pose, bound=_FINE_BOUND, steps=_FINE_STEPS))
    # Where all places lead from there is the other opinion.
    other = fitted(samples, best.pose, bound=_FINE_BOUND, steps=_FINE_STEPS)
    uncertain = _NOISE_FACTOR**2 * covariance(believed, best, _FINE_BOUND)
    uncertain += _OPINION_FACTOR**2 * np.outer(apart_from(best.pose, other.pose), apart_from(best.pose, other.pose))
    body, centre = predicted.body_mm, predicted.centre_mm
    error = float(np.hypot(spread_mm(uncertain, body, centre), _LEAST_ERROR_MM))
    along = spread_along_mm(uncertain, apart_from(best.pose, Pose(np.eye(3), np.zeros(3))), body, centre)
    along = float(np.hypot(along, _LEAST_ERROR_MM))
    # Where counts are few only the smooth image tells how much better one pose is than another.
    smooth = trusted(smooth, evaluated(smooth, best.pose, _SCAN_BOUND).residuals)
    after, before = (evaluated(smooth, pose, _SCAN_BOUND) for pose in (best.pose, Pose(np.eye(3), np.zeros(3))))
    near = [share for end, share in ends if _apart_mm(predicted, end.matrix, best.matrix) < _LEADS_MM]
    return _Found(
        predicted, best.matrix, sum(near), error, along, 1.0 - after.cost / before.cost,
        advantage(smooth, after, before, _SCAN_BOUND), _rival_mm(believed, scan, best),
    )  # fmt: skip


def _believed(samples: EmissionSamples, start: Fit) -> tuple[Fit, EmissionSamples]:
    """Fit without what differs all round about, until the pose rests; give it, and how much each place counts then."""
    best, believed = start, samples
    for _ in range(_OPINION_ROUNDS):
        before = best.matrix
        believed = trusted(samples, evaluated(samples, best.pose, _FINE_BOUND).residuals)
        best = fitted(believed, best.pose, bound=_FINE_BOUND, steps=_OPINION_STEPS)
        if _apart_mm(samples.predicted, before, best.matrix) < _OPINION_STILL_MM:
            break
    return best, believed


def _rival_mm(believed: EmissionSamples, scan: list[Fit], best: Fit) -> float:
    """Tell how far off another place is at which what is believed fits almost as well; 0 where there is none."""
    asked, rivals = [best], [0.0]
    for fit in scan:
        if min(_apart_mm(believed.predicted, fit.matrix, other.matrix) for other in asked) < SAME_MM:
            continue
        asked.append(fit)
        rival = fitted(believed, fit.pose, bound=_FINE_BOUND, steps=_FINE_STEPS)
        apart = _apart_mm(believed.predicted, rival.matrix, best.matrix)
        if apart > SAME_MM and advantage(believed, best, rival, _FINE_BOUND) < _LEAST_ADVANTAGE:
            rivals.append(apart)
    return max(rivals)


def _apart_mm(predicted: PredictedEmission, one: Matrix, other: Matrix) -> float:
    return float(displacements_mm(predicted.body_mm, one, other).mean())


def _decided(found: _Found, limits: tuple[float, float], mirrored: str) -> Registration:
    """Take the pose found, or keep the identity and say why."""
    centre, identity = found.predicted.centre_mm, np.eye(4)
    shift = float(np.linalg.norm(found.matrix[:3, :3] @ centre + found.matrix[:3, 3] - centre))
    cosine = (np.trace(found.matrix[:3, :3]) - 1.0) / 2.0
    rotation = float(np.degrees(np.arccos(np.clip(cosine, -1.0, 1.0))))
    moves = _apart_mm(found.predicted, found.matrix, identity)
    objection = _objection(found, (shift, rotation), moves, limits)
    if mirrored:
        objection = f"but with one of the images mirrored from {mirrored} they fit better"
    what = f"a shift of {shift:.1f} mm and a rotation of {rotation:.1f} degrees"
    misalignment = float(np.hypot(moves, found.error_mm)) if objection else found.error_mm
    if objection:
        reason = f"The search ended at {what}, {objection}; the identity was kept."
    else:
        reason = (
            f"{what[0].upper()}{what[1:]} make the CT foretell the emission image {100.0 * found.improvement:.0f} % "
            f"better; expected error {found.error_mm:.1f} mm."
        )
    if misalignment >= FLAG_MM:
        reason += f" The images may lie {misalignment:.0f} mm apart: look at them."
    if mirrored:
        reason += " One of them seems to have been stored mirrored: no side that is told may be right, so check both."
    return Registration(
        identity if objection else found.matrix, not objection, reason, shift, rotation,
        found=found.matrix, expected_error_mm=found.error_mm, misalignment_mm=misalignment,
    )  # fmt: skip


def _objection(found: _Found, size: tuple[float, float], moves_mm: float, limits: tuple[float, float]) -> str:
    """Say why the identity is kept; nothing where it is not."""
    if size[0] > limits[0] or size[1] > limits[1]:
        return "which is not plausible"
    if moves_mm < max(_LEAST_MOVE_MM, _TIMES_ERROR * found.error_along_mm):
        return f"which moves the body by {moves_mm:.1f} mm with an expected error of {found.error_along_mm:.1f} mm"
    if found.advantage < _LEAST_ADVANTAGE:
        return f"which makes the CT foretell the emission image {100.0 * found.improvement:.1f} % better, not for sure"
    if found.rival_mm > 0:
        return f"but another pose {found.rival_mm:.0f} mm away fits almost as well"
    if found.starts < _LEAST_OF_STARTS:
        return f"but only {100.0 * found.starts:.0f} % of the starts led there"
    return ""
