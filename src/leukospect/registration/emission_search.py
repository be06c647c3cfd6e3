"""The first, wide search for the pose of a CT under an emission image, both smoothed, from starts to all sides.

The same search with the CT mirrored tells whether one of the images was: a body's organs, and how a patient lies on
the couch, are not alike on both sides, so that what was never mirrored fits worse when it is.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from leukospect.registration.emission_fit import Fit, Pose, advantage, displacements_mm, evaluated, fitted, turn
from leukospect.registration.emission_samples import EmissionSamples

COARSE_BOUND = 1.0
# Ends of two searches that lie no farther apart are one; one that fits almost as well elsewhere leaves it open which.
SAME_MM = 6.0
_COARSE_STEPS = 25
_START_MM, _START_DEG = 20.0, 10.0
_SIGNS = ((0, 0, 0), (1, 1, 1), (1, -1, -1), (-1, 1, -1), (-1, -1, 1))
# So many standard errors better must the images fit with one of them mirrored.
_SURELY_MIRRORED = 1.5
_MIRRORS = {"left to right": (-1.0, 1.0, 1.0), "front to back": (1.0, -1.0, 1.0), "head to feet": (1.0, 1.0, -1.0)}


def at_identity(samples: EmissionSamples) -> Fit:
    """Fit the uptakes alone, as the images lie."""
    return evaluated(samples, Pose(np.eye(3), np.zeros(3)), COARSE_BOUND)


def searched(samples: EmissionSamples, threads: int, first: Pose | None = None) -> list[tuple[Fit, float]]:
    """Search from every start; give each different end with its share of the starts, best first.

    Parameters
    ----------
    samples : EmissionSamples
    threads : int
        Starts searched side by side. The result is the same to the bit for any number.
    first : Pose or None
        What the starts lie round; the identity without it. Its rotation may mirror.
    """
    first = first or Pose(np.eye(3), np.zeros(3))
    poses = [
        Pose(
            np.einsum("ij,jk->ik", turn(np.radians(_START_DEG) * np.array(signs[::-1])), first.rotation),
            first.shift_mm + _START_MM * np.array(signs, dtype=np.float64),
        )
        for signs in _SIGNS
    ]
    with ThreadPoolExecutor(max(1, threads)) as pool:
        fits = list(pool.map(lambda pose: fitted(samples, pose, bound=COARSE_BOUND, steps=_COARSE_STEPS), poses))
    fits = sorted((fit for fit in fits if np.isfinite(fit.cost)), key=lambda fit: fit.cost)
    ends: list[tuple[Fit, float]] = []
    for fit in fits:
        for number, (end, share) in enumerate(ends):
            if float(displacements_mm(samples.predicted.body_mm, fit.matrix, end.matrix).mean()) < SAME_MM:
                ends[number] = (end, share + 1.0 / len(_SIGNS))
                break
        else:
            ends.append((fit, 1.0 / len(_SIGNS)))
    return ends


def fits_better_mirrored(
    samples: EmissionSamples, ends: list[tuple[Fit, float]], middle_mm: NDArray[np.float64], threads: int
) -> str:
    """Tell along which direction one of two images seems to be mirrored; nothing where none does.

    Parameters
    ----------
    samples : EmissionSamples
    ends : list of (Fit, share of the starts)
        Where the search of the images as they are ended, best first.
    middle_mm : (3,) array
        Of the emission image, LPS.
    threads : int
    """
    surest, found = _SURELY_MIRRORED, ""
    for name, fit in mirrored_ends(samples, middle_mm, threads).items():
        better = advantage(samples, fit, ends[0][0], COARSE_BOUND) if ends else 0.0
        if better > surest:
            surest, found = better, name
    return found


def mirrored_ends(samples: EmissionSamples, middle_mm: NDArray[np.float64], threads: int) -> dict[str, Fit]:
    """Search with the emission image mirrored in its middle, along each axis of the patient.

    Parameters
    ----------
    samples : EmissionSamples
    middle_mm : (3,) array
        Of the emission image, LPS.
    threads : int

    Returns
    -------
    dict from how it is mirrored to where the search ended, where it ended in the CT
    """
    centre = samples.predicted.centre_mm
    found = {}
    for name, signs in _MIRRORS.items():
        mirror = np.diag(signs)
        # Of a place p the mirrored one is middle + M (p - middle).
        shift = middle_mm - centre + np.einsum("ij,j->i", mirror, centre - middle_mm)
        ends = searched(samples, threads, Pose(mirror, shift))
        if ends:
            found[name] = ends[0][0]
    return found
