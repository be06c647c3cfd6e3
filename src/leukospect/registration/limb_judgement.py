"""Whether a part's transform is believed, and how uncertain it is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from leukospect.registration.conversion import Matrix
from leukospect.registration.refinement import Fit, through

LEAST_CORRELATION = 0.75
"""Of the brightness near bone: bones that are not the same do not reach it."""
LARGEST_EDGE_MM, LARGEST_DISAGREEMENT_MM, LARGEST_UNCERTAINTY_MM = 1.0, 0.5, 0.5
"""How far bone edges may lie apart afterwards, two searches from each other, and points be uncertain."""
DOUBTFUL_EDGE_MM = 0.27
"""Edges that differ by more are told: streaks of metal leave such, and errors up to about 1 mm that the noise hides."""
DOUBT_MM, DOUBT_UNREDUCED_MM = 1.0, 25.0
"""What streaks may then mislead by, reduced and not: about the largest errors of simulated legs, no bound."""
LEAST_MOVE_MM = 0.2
LEAST_OVERLAP = 0.4
"""Part of a bone's points that must lie inside the early CT."""


@dataclass(frozen=True, slots=True, eq=False)
class LimbRegistration:
    """How one part of the body lies in an early CT against a late one.

    Parameters
    ----------
    part : str
        ``right`` or ``left`` femur (the patient's), ``trunk``, or ``whole`` where no two thighs are seen.
    matrix : (4, 4) array
        Takes late CT points to early CT points, LPS mm; exactly the identity where nothing was accepted.
    accepted : bool
    aligned : bool
        The part was found to lie alike in both, so that the identity is known to be right.
    reason : str
        One sentence.
    shift_mm, rotation_deg : float
        Of the part's centre, and the angle it turns by: accepted, or found and refused.
    correlation_before, correlation_after : float
        Of the brightness near bone, at the identity and at what was found, over the same points; NaN if not searched.
    edge_mm : float
        Median distance by which bone edges still differ.
    disagreement_mm : float
        Largest distance between where two searches put the bone.
    uncertainty_mm : float
        Standard error of the bone's points that noise and the bone's shape leave, root mean square; what
        streaks do is not in it.
    doubtful : bool
        Taken, but bone edges differ as they do where streaks of metal mislead, by some degrees about the bone's axis.
    doubt_mm : float
        By how much they may mislead: `DOUBT_MM`, or `DOUBT_UNREDUCED_MM` where they were not reduced; else 0.
    """

    part: str
    matrix: Matrix
    accepted: bool
    aligned: bool
    reason: str
    shift_mm: float
    rotation_deg: float
    correlation_before: float
    correlation_after: float
    edge_mm: float
    disagreement_mm: float
    uncertainty_mm: float
    doubtful: bool = False
    doubt_mm: float = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """What a result is judged by: correlations at the identity and after, the fit, two errors in mm.

    `reduced` tells whether streaks of metal were reduced in the CTs.
    """

    before: float
    after: float
    fit: Fit
    disagreement_mm: float
    uncertainty_mm: float
    reduced: bool


def uncertainty_mm(fit: Fit, centre_mm: NDArray[np.float64], spread_mm: NDArray[np.float64], blur: float) -> float:
    """Carry the noise to the bone's points; `blur` voxels share theirs after smoothing, and count as one."""
    values, vectors = np.linalg.eigh(fit.information)
    covariance = np.einsum("ij,j,kj->ik", vectors, blur / np.maximum(values, 1e-9), vectors)
    arms = spread_mm - centre_mm
    total = 0.0
    for axis in np.eye(3):
        row = np.concatenate([np.cross(arms, axis), np.broadcast_to(axis, arms.shape)], axis=1)
        total += float(np.mean(np.einsum("ni,ij,nj->n", row, covariance, row)))
    return float(np.sqrt(total))


def unsearched(part: str, reason: str) -> LimbRegistration:
    """Keep the identity of a part for which there was nothing to compare."""
    nan = float("nan")
    return LimbRegistration(part, np.eye(4), False, False, reason, 0.0, 0.0, nan, nan, nan, nan, nan)


def judged(
    part: str, measured: Measured, spread_mm: NDArray[np.float64], limits: tuple[float, float]
) -> LimbRegistration:
    """Take a result or keep the identity, and say why; `spread_mm` are points of the bone, (n, 3) LPS."""
    matrix = measured.fit.matrix
    centre = spread_mm.mean(axis=0)
    shift = float(np.linalg.norm(through(matrix, centre[None])[0] - centre))
    rotation = float(np.degrees(Rotation.from_matrix(matrix[:3, :3]).magnitude()))
    moves = float(np.sqrt(np.mean(np.sum((through(matrix, spread_mm) - spread_mm) ** 2, axis=1))))
    objection = _objection(measured, (shift, rotation, moves), limits)
    aligned = not objection and moves < LEAST_MOVE_MM
    accepted = not objection and not aligned
    if objection:
        reason = (
            f"The search ended at a shift of {shift:.1f} mm and a rotation of {rotation:.1f} degrees, {objection}, so "
            "the identity was kept"
        )
    elif aligned:
        reason = f"The bone lies alike to {moves:.1f} mm, so the identity was kept"
    else:
        reason = (
            f"Shifted by {shift:.1f} mm and turned by {rotation:.1f} degrees: bone edges then differ by "
            f"{measured.fit.edge_mm:.2f} mm (median), two searches by {measured.disagreement_mm:.2f} mm"
        )
    doubtful = accepted and measured.fit.edge_mm > DOUBTFUL_EDGE_MM
    doubt_mm = 0.0
    if doubtful and measured.reduced:
        doubt_mm = DOUBT_MM
        reason += ", as streaks of metal leave them: it may be off by about 1 mm and some degrees about the bone's axis"
    elif doubtful:
        doubt_mm = DOUBT_UNREDUCED_MM
        reason += (
            ", as streaks of metal leave them, which were not reduced here: it may be off by some degrees about the "
            "bone's axis and by centimetres along a nail"
        )
    return LimbRegistration(
        part, matrix if accepted else np.eye(4), accepted, aligned, reason, shift, rotation, measured.before,
        measured.after, measured.fit.edge_mm, measured.disagreement_mm, measured.uncertainty_mm, doubtful, doubt_mm,
    )  # fmt: skip


def _objection(measured: Measured, size: tuple[float, float, float], limits: tuple[float, float]) -> str:
    """Say why a result is not believed; nothing where it is. Its size is shift and rotation, and how far bone moves."""
    fit, (shift_mm, rotation_deg, moves_mm) = measured.fit, size
    checks = (
        (shift_mm > limits[0] or rotation_deg > limits[1], "which is not plausible"),
        (fit.overlap < LEAST_OVERLAP, f"where the early CT shows {100.0 * fit.overlap:.0f} % of the bone only"),
        (
            not measured.after >= LEAST_CORRELATION,
            f"where the bones correlate by {measured.after:.2f} only, as different bones do",
        ),
        (
            # What hardly moves correlates by chance a little less.
            not measured.after >= measured.before and moves_mm >= LEAST_MOVE_MM,
            f"where they correlate by {measured.after:.3f}, less than the {measured.before:.3f} as they lie",
        ),
        (not fit.edge_mm <= LARGEST_EDGE_MM, f"where bone edges still differ by {fit.edge_mm:.1f} mm"),
        (
            measured.disagreement_mm > LARGEST_DISAGREEMENT_MM,
            f"a second one up to {measured.disagreement_mm:.1f} mm away from it",
        ),
        (
            measured.uncertainty_mm > LARGEST_UNCERTAINTY_MM,
            f"which the bone's shape determines to {measured.uncertainty_mm:.1f} mm only",
        ),
    )
    return next((text for wrong, text in checks if wrong), "")
