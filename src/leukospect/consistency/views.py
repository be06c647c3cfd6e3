"""The views of an acquisition head by head, in the order they were taken, and the counts that are compared."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from leukospect.data import Projections
from leukospect.errors import LeukospectError
from leukospect.physics.decay import decay_factor, frame_start_factor
from leukospect.physics.nuclides import Nuclide, nuclide
from leukospect.physics.windows import find_photopeaks

Indices = NDArray[np.intp]
Values = NDArray[np.float64]
_MOST_HEADS = 4


def views_of_heads(projections: Projections) -> tuple[Indices, ...]:
    """Split the views into heads: each begins anew in time, at the start of the acquisition.

    Parameters
    ----------
    projections : Projections

    Returns
    -------
    tuple of index arrays, one a head
        The views of the head in the order of time. One head where the times of the views tell nothing.
    """
    times = projections.view_start_s
    starts = np.flatnonzero(times <= times.min())
    if starts[0] != 0 or starts.size > _MOST_HEADS:
        return (np.arange(times.size),)
    ends = [*starts[1:], times.size]
    return tuple(start + np.argsort(times[start:end], kind="stable") for start, end in zip(starts, ends, strict=True))


def neighbouring_runs(angles_deg: Values) -> tuple[slice, ...]:
    """Split the views of a head where the next one is no neighbour: it steps farther, back, or not at all.

    Parameters
    ----------
    angles_deg : (views,) array, in the order of time
    """
    steps = (np.diff(angles_deg) + 180.0) % 360.0 - 180.0
    if not steps.size:
        return (slice(0, angles_deg.size),)
    usual = float(np.median(steps))
    apart = np.flatnonzero((np.abs(steps - usual) > 0.5 * abs(usual)) | (steps == 0.0)) + 1
    edges = [0, *(int(edge) for edge in apart), angles_deg.size]
    return tuple(slice(first, last) for first, last in pairwise(edges))


def compared_windows(projections: Projections) -> list[int]:
    """Choose the energy windows whose sum is compared: the photopeaks where they are known, else all."""
    source = _nuclide_of(projections)
    if source is not None:
        try:
            return [peak.peak for peak in find_photopeaks(projections.energy_windows, source)]
        except LeukospectError:
            pass  # windows that do not fit the nuclide are refused elsewhere; they show motion all the same
    return list(range(projections.counts.shape[0]))


def compared_counts(projections: Projections) -> NDArray[np.float64]:
    """Sum the energy windows that are compared: (views, rows, columns) counts."""
    return np.asarray(projections.counts[compared_windows(projections)].sum(axis=0, dtype=np.float64))


def counting_s(projections: Projections) -> Values:
    """Tell for how long each view would have counted as much without decay since the start, s: (views,)."""
    duration = projections.view_duration_s
    source = _nuclide_of(projections)
    if source is None or "DECY" in projections.header.corrections:
        return duration
    left = decay_factor(source.half_life_s, projections.view_start_s)
    return np.asarray(duration * left / frame_start_factor(source.half_life_s, duration))


def _nuclide_of(projections: Projections) -> Nuclide | None:
    recorded = projections.header.radiopharmaceutical
    if recorded is None or recorded.nuclide is None:
        return None
    try:
        return nuclide(recorded.nuclide)
    except LeukospectError:
        return None
