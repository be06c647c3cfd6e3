"""The counts that are reconstructed, as a protocol asks, and drawn anew: what their noise does to uptake."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from leukospect.data import Image, Projections
from leukospect.errors import AssumptionWarning
from leukospect.photopeaks import PhotopeakCounts, photopeak_counts, resampled_projections
from leukospect.protocol import Protocol
from leukospect.quantification.measurements import Region
from leukospect.quantification.selection import excesses, grown_regions
from leukospect.quantification.spect import SpectSamples, region_means
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


def resampled_means(
    measured: MeasuredCounts,
    labels: Image,
    regions: Sequence[Region],
    protocol: Protocol,
    seeds: Sequence[int],
    progress: Callable[[float], None] | None = None,
) -> list[NDArray[np.float64]]:
    """Reconstruct counts drawn anew and average the regions in each: a (regions,) array for each seed."""
    images = resampled_images(measured, protocol, seeds, progress)
    return [region_means(image.array, labels.array, regions) for image in images]


def resampled_images(
    measured: MeasuredCounts,
    protocol: Protocol,
    seeds: Sequence[int],
    progress: Callable[[float], None] | None = None,
) -> Iterator[Image]:
    """Reconstruct counts drawn anew, one image for each seed.

    Every window is drawn, and scatter estimated from what was drawn, so that the noise of the scatter windows is in the
    spread. The model stays: it is that of the measured counts.

    Parameters
    ----------
    measured : MeasuredCounts
    protocol : Protocol
        How scatter is estimated.
    seeds : sequence of int
    progress : function of the fraction done, or None
    """
    for number, seed in enumerate(seeds):
        if progress:
            progress(number / len(seeds))
        drawn = resampled_projections(measured.projections, seed)
        with warnings.catch_warnings():  # said of the measured counts already
            warnings.simplefilter("ignore", AssumptionWarning)
            peak = counted_peaks(drawn, protocol, scatter_stays=measured.peak.scatter is None)
        yield measured.reconstructor.image(peak)
    if progress and len(seeds):
        progress(1.0)


def resampled_samples(
    measured: MeasuredCounts,
    image: Image,
    labels: Image,
    regions: Sequence[Region],
    protocol: Protocol,
    seeds: Sequence[int],
    progress: Callable[[float], None] | None = None,
    *,
    found_here: bool = False,
) -> SpectSamples:
    """Give the regions' means in each resampled image, and what choosing them in `image` put on theirs.

    Parameters
    ----------
    measured, labels, regions, protocol, seeds, progress
        As in `resampled_means`.
    image : Image
        Of the measured counts.
    found_here : bool
        The lesions' regions were found in that image.
    """
    grown = grown_regions(image, labels, regions) if found_here else {}
    means: list[NDArray[np.float64]] = []
    put_on: list[dict[str, float]] = []
    for replicate in resampled_images(measured, protocol, seeds, progress):
        means.append(region_means(replicate.array, labels.array, regions))
        put_on.append(excesses(grown, replicate))
    bias = {name: float(np.mean([each[name] for each in put_on])) for name in grown if put_on}
    return replace(SpectSamples.collect(regions, means), selection_bias=bias)


def selection_bias_in_view(
    view: Image, duration_s: float, labels: Image, regions: Sequence[Region], seeds: Sequence[int]
) -> dict[str, float]:
    """Give what choosing regions in a planar view put on their means, as logarithms (`selection`).

    Parameters
    ----------
    view : Image
        One voxel deep, counts/s/pixel, in which the regions were found.
    duration_s : float
        How long it counted.
    labels : Image
    regions : sequence of Region
    seeds : sequence of int
    """
    grown = grown_regions(view, labels, regions)
    counts = np.asarray(view.array, np.float64) * duration_s
    put_on = [
        excesses(grown, replace(view, array=(np.random.default_rng(seed).poisson(counts) / duration_s)))
        for seed in seeds
    ]
    return {name: float(np.mean([each[name] for each in put_on])) for name in grown if put_on}
