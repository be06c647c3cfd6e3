"""The counts that are reconstructed, as a protocol asks, and drawn anew: what their noise does to uptake."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from leukospect.data import Image, Projections
from leukospect.errors import AssumptionWarning
from leukospect.photopeaks import PhotopeakCounts, photopeak_counts, resampled_projections
from leukospect.protocol import Protocol
from leukospect.quantification.measurements import Region
from leukospect.quantification.spect import region_means
from leukospect.study_result import MeasuredCounts


def counted_peaks(projections: Projections, protocol: Protocol, *, scatter_stays: bool = False) -> PhotopeakCounts:
    """Find the photopeaks' counts and their scatter, as a protocol asks for.

    Parameters
    ----------
    projections : Projections
    protocol : Protocol
    scatter_stays : bool
        Scatter is not estimated, whatever the protocol says.
    """
    settings = protocol.reconstruction
    return photopeak_counts(
        projections,
        scatter="none" if scatter_stays else settings.scatter,
        scatter_k=settings.scatter_k,
        scatter_smoothing_fwhm_mm=settings.scatter_smoothing_fwhm_mm,
        nuclide_name=protocol.nuclide,
    )


def resampled_image(measured: MeasuredCounts, protocol: Protocol, seed: int) -> Image:
    """Reconstruct counts drawn anew.

    Every window is drawn, and scatter estimated from what was drawn, so that the noise of the scatter windows is in the
    image's. The model stays: it is that of the measured counts.

    Parameters
    ----------
    measured : MeasuredCounts
    protocol : Protocol
        How scatter is estimated.
    seed : int
        The same seed draws the same counts.
    """
    drawn = resampled_projections(measured.projections, seed)
    with warnings.catch_warnings():  # said of the measured counts already
        warnings.simplefilter("ignore", AssumptionWarning)
        peak = counted_peaks(drawn, protocol, scatter_stays=measured.peak.scatter is None)
    return measured.reconstructor.image(peak)


def resampled_means(
    measured: MeasuredCounts,
    labels: Image,
    regions: Sequence[Region],
    protocol: Protocol,
    seeds: Sequence[int],
    progress: Callable[[float], None] | None = None,
) -> list[NDArray[np.float64]]:
    """Reconstruct counts drawn anew, as `resampled_image` does, and average the regions in each image.

    Parameters
    ----------
    measured : MeasuredCounts
    labels : Image
    regions : sequence of Region
    protocol : Protocol
        How scatter is estimated.
    seeds : sequence of int
    progress : function of the fraction done, or None

    Returns
    -------
    list of (regions,) arrays
        One for each seed.
    """
    means = []
    for number, seed in enumerate(seeds):
        if progress:
            progress(number / len(seeds))
        means.append(region_means(resampled_image(measured, protocol, seed).array, labels.array, regions))
    if progress and len(seeds):
        progress(1.0)
    return means
