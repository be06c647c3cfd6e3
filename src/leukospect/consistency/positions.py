"""Where the activity lies on the detector, view by view, along the axis of rotation and across it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d, map_coordinates, spline_filter, uniform_filter1d

Values = NDArray[np.float64]

_SMOOTHING_PIXELS = 1.0
_VARIANCE_LEFT = 0.2821 / _SMOOTHING_PIXELS  # by the smoothing: 1 / (2 sqrt(pi))
_SLOPE_OF_NOISE = 0.125  # variance of the smoothed noise's difference over one row
_LEAST_SHARE = 0.5
_FARTHEST_PIXELS = 6
_MARGIN_PIXELS = 2
_ROUNDS = 6
_SETTLED = 0.1
_CLEAR_GAIN = 25.0  # a search finds far shifts in noise unless they explain much more than none
_EDGE_PIXELS = 2
_CUT_OFF = 0.1


@dataclass(frozen=True, slots=True, eq=False)
class Track:
    """The position of each view, and its standard deviation from counting statistics; inf where it cannot be told.

    Parameters
    ----------
    position : (views,) array
    sigma : (views,) array
    """

    position: Values
    sigma: Values


def axial_track(counts: Values) -> Track:
    """Follow the rows' profile, all columns summed, from view to view.

    Without attenuation the profile is the same in every view. Each is laid over the next by the shift and factor that
    fit best, weighted by counting statistics (weighted least squares, Gauss-Newton); the shifts add up to a track. Only
    differences between near views mean something: attenuation makes the track wander slowly.

    Parameters
    ----------
    counts : (views, rows, columns) array

    Returns
    -------
    Track, rows
    """
    profiles = counts.sum(axis=2)
    views, rows = profiles.shape
    inside = np.arange(_MARGIN_PIXELS + 1, rows - _MARGIN_PIXELS - 1, dtype=np.float64)
    if views < 2 or inside.size < 4:
        return Track(np.zeros(views), np.full(views, np.inf))
    smooth = gaussian_filter1d(profiles, _SMOOTHING_PIXELS, axis=1, mode="nearest")
    # Along the views too, so that at whole numbers of them each is itself again.
    splines = spline_filter(smooth, order=3, mode="mirror")
    shift = _coarse_shifts(smooth)
    for _ in range(_ROUNDS):
        step, spread = _refined(splines, shift, inside, profiles)
        shift = np.clip(shift + np.clip(step, -1.0, 1.0), -_FARTHEST_PIXELS - 1.0, _FARTHEST_PIXELS + 1.0)
    settled = np.isfinite(spread[0]) & (np.abs(step) < _SETTLED) & (np.abs(shift) <= _FARTHEST_PIXELS)
    shift = np.where(settled, shift, 0.0)
    variance = np.zeros(views)
    variance[:-1] += np.where(settled, spread[0], np.inf)
    variance[1:] += np.where(settled, spread[1], np.inf)
    variance[1:-1] /= 2.0
    return Track(np.concatenate([[0.0], np.cumsum(shift)]), np.sqrt(variance))


def _coarse_shifts(smooth: Values) -> Values:
    """Find by whole rows how far each profile lies from the one before it: (views - 1,)."""
    rows = smooth.shape[1]
    farthest = max(0, min(_FARTHEST_PIXELS, (rows - 4) // 4))
    here = smooth[:-1, farthest : rows - farthest]
    misfits = []
    for shift in range(-farthest, farthest + 1):
        there = smooth[1:, farthest + shift : rows - farthest + shift]
        factor = there.sum(axis=1, keepdims=True) / np.maximum(here.sum(axis=1, keepdims=True), 1.0)
        expected = factor * here
        variance = (there + factor * expected) * _VARIANCE_LEFT + 1.0
        misfits.append(((there - expected) ** 2 / variance).sum(axis=1))
    misfit = np.array(misfits)
    clear = misfit[farthest] - misfit.min(axis=0) > _CLEAR_GAIN
    return np.where(clear, misfit.argmin(axis=0) - farthest, 0).astype(np.float64)


def _refined(splines: Values, shift: Values, inside: Values, profiles: Values) -> tuple[Values, tuple[Values, Values]]:
    """Make one Gauss-Newton step; give it, and the variance that each of the two views puts into the shift."""
    pairs, rows = profiles.shape[0] - 1, profiles.shape[1]
    numbers = np.arange(pairs, dtype=np.float64)[:, None]

    def sampled(view: int, by: Values) -> Values:
        places = np.broadcast_arrays(numbers + view, inside + by[:, None])
        return np.asarray(map_coordinates(splines, np.array(places), order=3, prefilter=False, mode="mirror"))

    def summed(values: Values) -> Values:
        return np.asarray(values.sum(axis=1, keepdims=True))

    first, second = sampled(0, -shift / 2), sampled(1, shift / 2)
    slope = [sampled(view, by + 0.5) - sampled(view, by - 0.5) for view, by in ((0, -shift / 2), (1, shift / 2))]
    factor = np.maximum(summed(second), 0.0) / np.maximum(summed(first), 1e-9)
    variance = np.maximum(second, 0.0) + factor * np.maximum(factor * first, 0.0)
    weight = 1.0 / (variance + 0.05 * variance.mean(axis=1, keepdims=True) + 1e-9)
    gradient = 0.5 * (slope[1] + factor * slope[0])
    # What of the gradient is no mere change of scale:
    own = gradient - summed(weight * gradient * first) / np.maximum(summed(weight * first**2), 1e-12) * first
    information = summed(weight * own**2)
    # Noise has slopes as well, and fits itself: what is left after them tells.
    of_noise = summed(weight * 0.25 * variance * _SLOPE_OF_NOISE)
    share = 1.0 - of_noise / np.maximum(information, 1e-9)
    usable = (information > 1e-9) & (share > _LEAST_SHARE)
    lever = np.where(usable, weight * own / np.where(usable, information, 1.0), 0.0)
    step = -(lever * (second - factor * first)).sum(axis=1)
    padded = np.zeros((pairs, rows))
    padded[:, inside.astype(np.intp)] = lever
    squared = gaussian_filter1d(padded, _SMOOTHING_PIXELS, axis=1, mode="constant") ** 2
    squared = squared / np.where(usable, share, 1.0) ** 2
    spread = [(squared * part).sum(axis=1) for part in (factor**2 * profiles[:-1], profiles[1:])]
    return step, (np.where(usable[:, 0], spread[0], np.inf), np.where(usable[:, 0], spread[1], np.inf))


def transverse_track(counts: Values) -> Track:
    """Follow the centre of mass across the detector.

    Without attenuation it is a sinusoid of the angle, exactly. Rows whose activity reaches the edge of the field have
    no centre of mass that could be known, and are left out.

    Parameters
    ----------
    counts : (views, rows, columns) array

    Returns
    -------
    Track, columns from the middle of the detector
    """
    views, _, columns = counts.shape
    profiles = np.einsum("vrc,r->vc", counts, _whole_rows(counts).astype(np.float64))
    places = np.arange(columns) - (columns - 1) / 2.0
    total = profiles.sum(axis=1)
    known = total > 0
    safe = np.where(known, total, 1.0)
    centre = profiles @ places / safe
    spread = (profiles * (places[None] - centre[:, None]) ** 2).sum(axis=1)
    sigma = np.where(known, np.sqrt(spread + 1.0) / safe, np.inf)
    return Track(np.where(known, centre, 0.0) if views else centre, sigma)


def _whole_rows(counts: Values) -> NDArray[np.bool_]:
    """Tell in which rows the activity ends before the edges of the field, in every view."""
    edges = np.concatenate([counts[:, :, :_EDGE_PIXELS], counts[:, :, -_EDGE_PIXELS:]], axis=2).max(axis=2)
    steady = uniform_filter1d(uniform_filter1d(edges, 5, axis=0, mode="nearest"), 3, axis=1, mode="nearest")
    usual = uniform_filter1d(uniform_filter1d(counts.mean(axis=2), 5, axis=0, mode="nearest"), 3, axis=1)
    # A count or two at the edge is noise, however few there are in the row.
    return np.asarray((steady <= _CUT_OFF * usual + 1.0).all(axis=0))
