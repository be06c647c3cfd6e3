"""Several photopeaks in one model: each with its own attenuation and response, and its share of the counts.

counts of a window = sum over its photopeaks of share x system model at the photopeak's energy

The shares of all photopeaks add up to 1, so that the image is that of the counts of all windows together.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from leukospect.errors import AssumptionWarning
from leukospect.operators import ScaledViews, ViewOperator
from leukospect.photopeaks import PeakShare, PhotopeakCounts
from leukospect.reconstruction import osem, prepare_subsets, subset_views
from leukospect.view_compositions import StackedViews, SummedViews

Array = NDArray[np.float32]
Shares = tuple[float, ...]

_SAMPLED_VIEWS, _UPDATES, _ROUNDS = 32, 6, 3
_FAR = 1.5
"""A measured ratio of two shares this many times the tabulated one, or less, is worth a look at the windows."""


def joint_model(models: Sequence[ViewOperator], shares: Shares, peaks: Sequence[PeakShare]) -> ViewOperator:
    """Compose the models of the photopeaks into that of all windows, stacked in their order.

    Parameters
    ----------
    models : sequence of ViewOperator
        One a photopeak: counts/s/mL in, the counts of its views out if all of them were its own.
    shares : tuple of float
        Of each photopeak, together 1.
    peaks : sequence of PeakShare
        Tell which window counts each.
    """
    if len(models) == 1:
        return models[0]
    own = [ScaledViews(model, np.full(model.views, share)) for model, share in zip(models, shares, strict=True)]
    windows = []
    for window in range(1 + max(peak.window for peak in peaks)):
        within = [model for model, peak in zip(own, peaks, strict=True) if peak.window == window]
        windows.append(within[0] if len(within) == 1 else SummedViews(within))
    return windows[0] if len(windows) == 1 else StackedViews(windows)


def stacked_views(subsets: Sequence[NDArray[np.intp]], views: int, windows: int) -> tuple[NDArray[np.intp], ...]:
    """Take subsets of the views of one window to those of stacked windows: the same angles of each.

    Parameters
    ----------
    subsets : sequence of index arrays
    views : int
        Of one window.
    windows : int
    """
    return tuple(np.concatenate([indices + views * window for window in range(windows)]) for indices in subsets)


def estimated_shares(models: Sequence[ViewOperator], peak: PhotopeakCounts, angles_deg: NDArray[np.float64]) -> Shares:
    """Estimate the shares of photopeaks that were counted in windows of their own.

    For an image that all windows together show, the likeliest share of a window is the ratio of its measured counts,
    scatter left out, to those expected of the whole. Image and shares are taken in turn a few times, on part of the
    views.

    Parameters
    ----------
    models : sequence of ViewOperator
        One a photopeak, as in `joint_model`.
    peak : PhotopeakCounts
    angles_deg : (views,) array

    Returns
    -------
    tuple of float
        The tabulated ones where all photopeaks are in one window, or where a window holds too few counts to tell.
    """
    tabulated = tuple(each.share for each in peak.peaks)
    if peak.windows == 1:
        return tabulated
    views = angles_deg.size
    picked = subset_views(angles_deg, max(1, views // _SAMPLED_VIEWS))[0]
    few = [model.subset(picked) for model in models]
    [places] = stacked_views([picked], views, peak.windows)
    counts, scatter = peak.counts[places], None if peak.scatter is None else peak.scatter[places]
    measured = _net_counts(counts, scatter, peak.windows)
    if measured is None:
        warnings.warn(
            "A photopeak's window holds hardly more counts than its scatter: the photopeaks' shares of the counts are "
            "taken by yield and the efficiency of a 9.5 mm crystal.",
            AssumptionWarning,
            stacklevel=3,
        )
        return tabulated
    inner = stacked_views(subset_views(angles_deg[picked], min(_UPDATES, picked.size)), picked.size, peak.windows)
    shares, image = tabulated, None
    for _ in range(_ROUNDS):
        subsets = prepare_subsets(joint_model(few, shares, peak.peaks), inner)
        image = osem(subsets, counts, scatter, iterations=1, start=image)
        totals = [float(model.forward(image).sum(dtype=np.float64)) for model in few]
        shares = _rescaled(shares, totals, measured, peak.peaks)
    return shares


def _net_counts(counts: Array, scatter: Array | None, windows: int) -> list[float] | None:
    """Give the counts of each window without scatter; None where those of one do not stand out from its noise."""
    gross = [float(part.sum(dtype=np.float64)) for part in np.split(counts, windows)]
    added = [0.0] * windows
    if scatter is not None:
        added = [float(part.sum(dtype=np.float64)) for part in np.split(scatter, windows)]
    net = [total - below for total, below in zip(gross, added, strict=True)]
    return net if all(left > 10.0 * total**0.5 for left, total in zip(net, gross, strict=True)) else None


def _rescaled(shares: Shares, totals: Sequence[float], measured: Sequence[float], peaks: Sequence[PeakShare]) -> Shares:
    """Bring the expected counts of each window to the measured ones, and the shares to a sum of 1."""
    expected = np.zeros(len(measured))
    for share, total, peak in zip(shares, totals, peaks, strict=True):
        expected[peak.window] += share * total
    scaled = [share * measured[peak.window] / expected[peak.window] for share, peak in zip(shares, peaks, strict=True)]
    return tuple(value / sum(scaled) for value in scaled)


def say_shares(peak: PhotopeakCounts, shares: Shares) -> None:
    """Warn of how the counts of photopeaks in windows of their own were shared out, and of what looks wrong in it."""
    if peak.windows == 1:
        return
    tabulated = tuple(each.share for each in peak.peaks)
    name = "the nuclide" if peak.nuclide is None else peak.nuclide.name
    text = (
        f"The photopeaks of {name} are modelled apart; their shares of the counts, estimated from them: "
        f"{shares_in_words(peak, shares)} ({_percent(tabulated)} by yield and the efficiency of a 9.5 mm crystal)."
    )
    if max(max(one / other, other / one) for one, other in zip(shares, tabulated, strict=True)) > _FAR:
        text += " They lie far from each other; check the nuclide and the energy windows."
    warnings.warn(text, AssumptionWarning, stacklevel=2)


def shares_in_words(peak: PhotopeakCounts, shares: Shares) -> str:
    """Say each photopeak's share, as in ``171 keV 62 %, 245 keV 38 %``; empty where there is only one."""
    if len(shares) < 2:
        return ""
    parts = [f"{each.energy_kev:.0f} keV {100 * share:.0f} %" for each, share in zip(peak.peaks, shares, strict=True)]
    return ", ".join(parts)


def _percent(shares: Shares) -> str:
    return ", ".join(f"{100 * share:.0f} %" for share in shares)
