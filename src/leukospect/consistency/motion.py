"""Motion between the views of an acquisition, and views that count too much or too little.

Along the axis of rotation the rows' profile of neighbouring views is the same but for attenuation and rotation, which
change it slowly; motion moves it at once, and on all heads at the same time. Across the detector the centre of mass
follows a sinusoid of the angle that attenuation bends slowly; motion makes it jump. Where the counts, the field of view
or the object cannot tell, nothing is said.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from leukospect.consistency.findings import ViewFinding, ViewKind
from leukospect.consistency.jumps import Jump, find_jumps, reach_views, size_of_jump, without_jumps
from leukospect.consistency.positions import Track, axial_track, transverse_track
from leukospect.consistency.views import compared_counts, counting_s, neighbouring_runs, views_of_heads
from leukospect.data import Projections

Values = NDArray[np.float64]

_SMALLEST_PIXELS = 0.5
_SMALLEST_COUNT_CHANGE = 0.2  # of the logarithm
_NEXT_TO_NOTHING = 0.02
_WIDE = 10
_SAME_WAY = 0.9
_SIGMAS_APART = 5.0
_FEWEST_VIEWS = 8
_COARSEST_DEG = 15.0
_FEWEST_COUNTS = 50.0
_STILL_COUNTING = 0.3


@dataclass(frozen=True, slots=True, eq=False)
class _Run:
    """Neighbouring views that some heads took at the same times.

    Parameters
    ----------
    heads : tuple of int
        From 0.
    views : (heads, views) index array
    first : int
        The number of its first view among those of the head, from 0.
    step_deg : float
        Between neighbouring views.
    """

    heads: tuple[int, ...]
    views: NDArray[np.intp]
    first: int
    step_deg: float

    @property
    def reach(self) -> int:
        """How many views before and after a jump are looked at."""
        return reach_views(self.step_deg)


def find_motion(projections: Projections) -> tuple[ViewFinding, ...]:
    """Look for motion between views, and for views and heads that count too much or too little.

    Parameters
    ----------
    projections : Projections

    Returns
    -------
    tuple of ViewFinding
        In the order of the views; empty where nothing is wrong or nothing can be told. Motion in the plane of rotation
        shows by its part across the detector, which depends on the angle of the view.
    """
    counts = compared_counts(projections)
    heads = views_of_heads(projections)
    totals = counts.sum(axis=(1, 2))
    found = _idle_heads(totals, heads)
    idle = {head - 1 for finding in found for head in finding.heads}
    for run in _runs(projections, [h for h in range(len(heads)) if h not in idle], heads):
        lost = _lost_views(totals[run.views])
        found += _lost_findings(totals[run.views], run, lost)
        if run.views.shape[1] < _FEWEST_VIEWS or run.step_deg > _COARSEST_DEG:
            continue
        usable = ~lost
        found += _count_changes(totals, counting_s(projections), run, usable)
        axial = _axial_motion(counts, projections.pixel_mm[0], run, usable)
        found += axial
        found += _transverse_motion(_put_back(counts, projections.pixel_mm[0], run, axial), projections, run, usable)
    moved = {finding.first_view for finding in found if finding.unit == "mm"}
    kept = [f for f in found if f.kind != "counts" or f.first_view not in moved]
    return tuple(sorted(kept, key=lambda finding: (finding.first_view, finding.kind, finding.heads)))


def _idle_heads(totals: Values, heads: Sequence[NDArray[np.intp]]) -> list[ViewFinding]:
    counted = [float(totals[views].mean()) for views in heads]
    most = max(counted)
    return [
        ViewFinding("no counts", (head,), 1, None, 100.0 * (mean / most - 1.0), 0.0)
        for head, mean in enumerate(counted, start=1)
        if mean < _NEXT_TO_NOTHING * most and most > _FEWEST_COUNTS
    ]


def _runs(projections: Projections, heads: list[int], views: Sequence[NDArray[np.intp]]) -> list[_Run]:
    """Give the runs of neighbouring views; heads that count at the same times share theirs."""
    groups: list[list[int]] = []
    for head in heads:
        for group in groups:
            if _together(projections, views[group[0]], views[head]):
                group.append(head)
                break
        else:
            groups.append([head])
    runs = []
    for group in groups:
        angles = projections.orbit.angles_deg[views[group[0]]]
        for part in neighbouring_runs(angles):
            step = np.median(np.diff(np.unwrap(angles[part], period=360.0))) if part.stop - part.start > 1 else 360.0
            parts = np.stack([views[head][part] for head in group])
            runs.append(_Run(tuple(group), parts, part.start, abs(float(step))))
    return runs


def _together(projections: Projections, one: NDArray[np.intp], other: NDArray[np.intp]) -> bool:
    if one.size != other.size:
        return False
    late = np.abs(projections.view_start_s[one] - projections.view_start_s[other])
    steps = [np.diff(np.unwrap(projections.orbit.angles_deg[views], period=360.0)) for views in (one, other)]
    return bool(np.all(late <= 0.25 * projections.view_duration_s[one]) and np.allclose(steps[0], steps[1], atol=0.1))


def _lost_views(counted: Values) -> NDArray[np.bool_]:
    """Tell which views hold next to no counts beside their neighbours: (heads, views)."""
    usual = np.array([[np.median(row[max(0, v - _WIDE) : v + _WIDE + 1]) for v in range(row.size)] for row in counted])
    return np.asarray(counted <= _NEXT_TO_NOTHING * np.maximum(usual, np.median(counted, axis=1, keepdims=True)))


def _lost_findings(counted: Values, run: _Run, lost: NDArray[np.bool_]) -> list[ViewFinding]:
    """Report lost views where counting breaks off between two views: an object can leave the field, but not at once."""
    found = []
    for head, row, without in zip(run.heads, counted, lost, strict=True):
        usual = float(np.median(row[~without])) if not without.all() else 0.0
        for gap in _gaps(without):
            beside = [row[v] for v in (gap.start - 1, gap.stop) if 0 <= v < row.size]
            if usual > _FEWEST_COUNTS and min(beside) > _STILL_COUNTING * usual:
                found.append(
                    ViewFinding("counts", (head + 1,), run.first + gap.start + 1, run.first + gap.stop, -100.0, 0.0)
                )
    return found


def _count_changes(totals: Values, counting: Values, run: _Run, usable: NDArray[np.bool_]) -> list[ViewFinding]:
    found = []
    for head, views, known in zip(run.heads, run.views, usable, strict=True):
        counted = totals[views]
        rate = np.where(known, np.log(np.maximum(counted, 1.0) / counting[views]), 0.0)
        sigma = np.where(known, 1.0 / np.sqrt(np.maximum(counted, 1.0)), np.inf)
        for jump in find_jumps([rate], [sigma], _SMALLEST_COUNT_CHANGE, run.reach):
            factor = float(np.exp(jump.size))
            found.append(_finding("counts", (head,), run, jump, 100.0 * (factor - 1.0), 100.0 * factor * jump.sigma))
    return found


def _gaps(lost: NDArray[np.bool_]) -> list[slice]:
    edges = np.flatnonzero(np.diff(np.concatenate([[False], lost, [False]]).astype(np.int8)))
    return [slice(int(first), int(last)) for first, last in zip(edges[::2], edges[1::2], strict=True)]


def _finding(
    kind: ViewKind, heads: tuple[int, ...], run: _Run, jump: Jump, size: float, uncertainty: float
) -> ViewFinding:
    (looking, views), numbered = run.views.shape, tuple(head + 1 for head in heads)
    if jump.end == views and jump.first == 1:
        return ViewFinding(kind, numbered, run.first + 1, run.first + 1, -size, uncertainty, looking)
    last = run.first + jump.end if jump.end < views or jump.first == views - 1 else None
    return ViewFinding(kind, numbered, run.first + jump.first + 1, last, size, uncertainty, looking)


def _axial_motion(counts: Values, pixel_mm: float, run: _Run, usable: NDArray[np.bool_]) -> list[ViewFinding]:
    tracks = [_over_gaps(axial_track, counts[views], known) for views, known in zip(run.views, usable, strict=True)]
    return _in_common("axial motion", tracks, np.ones(run.views.shape), pixel_mm, run)


def _put_back(counts: Values, pixel_mm: float, run: _Run, axial: Sequence[ViewFinding]) -> list[Values]:
    """Undo axial motion by whole rows, so that every view shows the same rows: (views, rows, columns) a head."""
    rows = np.zeros(run.views.shape)
    for finding in axial:
        heads = [run.heads.index(head - 1) for head in finding.heads]
        last = run.first + run.views.shape[1] if finding.last_view is None else finding.last_view
        rows[np.ix_(heads, range(finding.first_view - 1 - run.first, last - run.first))] += finding.size / pixel_mm
    by = np.rint(rows).astype(np.intp)
    kept = counts.shape[1] - int(by.max() - by.min())
    first = by - int(by.min())
    return [
        np.stack([counts[view, start : start + kept] for view, start in zip(views, starts, strict=True)])
        for views, starts in zip(run.views, first, strict=True)
    ]


def _transverse_motion(
    counts: Sequence[Values], projections: Projections, run: _Run, usable: NDArray[np.bool_]
) -> list[ViewFinding]:
    angles = np.deg2rad(projections.orbit.angles_deg[run.views])
    tracks = [
        _without_sinusoid(_over_gaps(transverse_track, head, known), turned)
        for head, known, turned in zip(counts, usable, angles, strict=True)
    ]
    # Heads see the same part of a motion where their columns run the same way, or opposite ways.
    alike = np.cos(angles - angles[:1])
    parallel = [n for n in range(len(tracks)) if np.all(np.abs(alike[n]) > _SAME_WAY)]
    groups = [parallel, *([n] for n in range(len(tracks)) if n not in parallel)]
    found: list[ViewFinding] = []
    for group in groups:
        part = _Run(tuple(run.heads[n] for n in group), run.views[group], run.first, run.step_deg)
        signs = np.sign(alike[group]) * np.sign(alike[group[:1]])
        found += _in_common("transverse motion", [tracks[n] for n in group], signs, projections.pixel_mm[1], part)
    return found


def _over_gaps(track: Callable[[Values], Track], counts: Values, usable: NDArray[np.bool_]) -> Track:
    """Follow the usable views only; the others tell nothing."""
    position, sigma = np.zeros(usable.size), np.full(usable.size, np.inf)
    if np.count_nonzero(usable) >= _FEWEST_VIEWS:
        found = track(counts[usable])
        position = np.interp(np.arange(usable.size), np.flatnonzero(usable), found.position)
        sigma[usable] = found.sigma
    return Track(position, sigma)


def _without_sinusoid(track: Track, angles_rad: Values) -> Track:
    """Take off the sinusoid that a resting object without attenuation follows."""
    known = np.isfinite(track.sigma)
    if np.count_nonzero(known) < _FEWEST_VIEWS:
        return track
    waves = np.stack([np.ones_like(angles_rad), np.cos(angles_rad), np.sin(angles_rad)], axis=1)
    fitted, *_ = np.linalg.lstsq(waves[known], track.position[known], rcond=None)
    return Track(track.position - waves @ fitted, track.sigma)


def _in_common(kind: ViewKind, tracks: Sequence[Track], signs: Values, pixel_mm: float, run: _Run) -> list[ViewFinding]:
    """Find what the heads show together; what one shows and another should but does not is that head's alone."""
    positions = [sign * track.position for sign, track in zip(signs, tracks, strict=True)]
    sigmas = [track.sigma for track in tracks]
    jumps = find_jumps(positions, sigmas, _SMALLEST_PIXELS, run.reach)
    found = []
    for jump in jumps:
        alone = [without_jumps(position, [j for j in jumps if j is not jump]) for position in positions]
        each = [size_of_jump(position, sigma, jump, run.reach) for position, sigma in zip(alone, sigmas, strict=True)]
        agree = all(abs(size - jump.size) < max(_SIGMAS_APART * sigma, 0.5 * abs(jump.size)) for size, sigma in each)
        if agree:
            told = [(run.heads, jump.size, jump.sigma)]
        else:
            told = [
                ((head,), size, sigma)
                for head, (size, sigma) in zip(run.heads, each, strict=True)
                if abs(size) > max(_SIGMAS_APART * sigma, _SMALLEST_PIXELS)
            ]
        found += [_finding(kind, heads, run, jump, size * pixel_mm, sigma * pixel_mm) for heads, size, sigma in told]
    return found
