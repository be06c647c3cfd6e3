"""How much every place stands out of what is round it, at the sizes of lesions, and how noisy that is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from leukospect.data import Image
from leukospect.quantification.local_means import LocalMeans

SCALES_MM = (5.6, 8.0, 11.3)
"""Standard deviations of the Gaussians that lesions of 1 to 2, to 3.5 and to 5 cm match once a SPECT has blurred them.

A smaller one would see no lesion better, as noisy as late images are, and add four times as many maxima of noise."""

_LEVELS = 8
_FEWEST_PER_LEVEL = 200
_NOISE_WINDOW_MM = 20.0
_LEAST_NOISE = 0.01
_FLOOR = 0.02
_LEAST_AVERAGED = 0.2
_SURELY = 1.64

Array = NDArray[np.float32]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class EarlierImage:
    """An earlier image on the grid of the late one, as further evidence of what both show.

    Parameters
    ----------
    image : Image
        Uptake, any unit.
    known : (slices, rows, columns) bool array
        Where the earlier field of view reaches.
    noise : tuple of Image
        As in `contrast_maps`, on the same grid.
    """

    image: Image
    known: Mask
    noise: tuple[Image, ...]


@dataclass(frozen=True, slots=True, eq=False)
class ContrastMaps:
    """The contrast of every voxel at every scale, all (scales, slices, rows, columns).

    Parameters
    ----------
    log_contrast : array
        Logarithm of a Gaussian mean over that of the ring round it. It is zero in even tissue and, since the noise of a
        reconstruction grows with its level, about equally noisy everywhere.
    height : array
        `log_contrast` in standard deviations of its noise; 0 outside of the body. With an earlier image that of the
        mean of both times' logarithms, weighed by their noise, where it is higher.
    ring : array
        Mean of the ring, in the image's unit.
    least, most : array
        The log contrast less what noise may have put on it, and the late one with what it may have taken off: where
        the mean of both times is higher, `least` is that mean.
    both : bool array
        Where the mean of both times is higher.
    growth, growth_error : array
        Late log contrast less the earlier one, NaN where that is not known, and its standard deviation by noise.
    """

    log_contrast: Array
    height: Array
    ring: Array
    least: Array
    most: Array
    both: Mask
    growth: Array
    growth_error: Array


def contrast_maps(
    image: Image, body: Mask, noise: Sequence[Image] = (), earlier: EarlierImage | None = None
) -> ContrastMaps:
    """Make the contrast maps of an emission image, all means over the body alone, so that the skin does not stand out.

    Parameters
    ----------
    image : Image
        Uptake, finite and not negative.
    body : (slices, rows, columns) bool array
    noise : sequence of Image
        Nothing but the image's noise, each another draw of it: as a reconstruction of counts drawn anew less the image.
        Without any, noise is estimated from how much places of like level differ among themselves; anatomy then
        counts as noise, so that less stands out.
    earlier : EarlierImage or None
        What kept its uptake or lost some stands out of both images, and a late one has but a fifth of the counts.
    """
    # Nothing outside of the body counts, so its box is all there is to compute.
    box = ndimage.find_objects(body.astype(np.int8))[0]
    array, spacing = np.asarray(image.array, dtype=np.float32)[box], np.asarray(image.geometry.spacing_mm)
    drawn = [np.asarray(one.array, dtype=np.float32)[box] for one in noise]
    whole = (len(SCALES_MM), *body.shape)
    contrasts, heights, rings, least, most, error = (np.zeros(whole, dtype=np.float32) for _ in range(6))
    growth = np.full(whole, np.nan, dtype=np.float32)
    of_both = np.zeros(whole, dtype=np.bool_)
    for n, scale in enumerate(SCALES_MM):
        means = LocalMeans(body[box], spacing, scale)
        contrast, ring = _log_contrast(array, means)
        deviation = _measured_noise(array, drawn, means, ring) if drawn else _estimated_noise(contrast, ring, means)
        height, low = contrast / deviation, contrast.copy()
        if earlier is not None:
            before, noise_before = _earlier_contrast(earlier, box, means)
            known = earlier.known[box]
            weight = np.where(known, (deviation / noise_before) ** 2, 0.0)
            mean, of_mean = (contrast + weight * before) / (1.0 + weight), deviation / np.sqrt(1.0 + weight)
            higher = mean / of_mean > height
            low = np.where(higher, mean, contrast - _SURELY * deviation)
            height = np.maximum(height, mean / of_mean)
            of_both[n][box], error[n][box] = higher, np.hypot(deviation, noise_before)
            growth[n][box] = np.where(known, contrast - before, np.nan)
        contrasts[n][box], rings[n][box] = contrast, ring
        least[n][box], most[n][box] = low, contrast + 0.5 * deviation
        heights[n][box] = np.where(body[box], height, 0.0) * _within_field(image, scale)[box]
    return ContrastMaps(contrasts, heights, rings, least, most, of_both, growth, error)


def _earlier_contrast(earlier: EarlierImage, box: tuple[slice, ...], means: LocalMeans) -> tuple[Array, Array]:
    """Return the earlier log contrast and its standard deviation."""
    array = np.asarray(earlier.image.array, dtype=np.float32)[box]
    contrast, ring = _log_contrast(array, means)
    drawn = [np.asarray(one.array, dtype=np.float32)[box] for one in earlier.noise]
    noise = _measured_noise(array, drawn, means, ring) if drawn else _estimated_noise(contrast, ring, means)
    return contrast, noise


def mean_of_times(late: Image, body: Mask, noise: Sequence[Image], earlier: EarlierImage) -> Image:
    """Average both times in the late one's unit, the earlier scaled to its mean, each weighed by its noise.

    What is chosen in it is chosen by the noise of both times alike, so that it puts nothing on their ratio.

    Parameters
    ----------
    late : Image
    body : (slices, rows, columns) bool array
    noise : sequence of Image
        Of the late image; without it both weigh the same.
    earlier : EarlierImage
    """
    inside = body & earlier.known
    array, before = (np.asarray(one.array, dtype=np.float32) for one in (late, earlier.image))
    scale = float(array[inside].mean()) / max(float(before[inside].mean()), 1e-30) if inside.any() else 0.0
    weight = 1.0
    if noise and earlier.noise and scale > 0:
        spacing = np.asarray(late.geometry.spacing_mm)
        late_square, square = (_mean_square(drawn, inside, spacing) for drawn in (noise, earlier.noise))
        weight = late_square / max(scale**2 * square, 1e-30)
    part = np.where(earlier.known & (scale > 0), weight / (1.0 + weight), 0.0).astype(np.float32)
    return Image((1.0 - part) * array + part * np.float32(scale) * before, late.geometry, late.unit)


def _mean_square(noise: Sequence[Image], inside: Mask, spacing_mm: NDArray[np.float64]) -> float:
    smooth = (ndimage.gaussian_filter(np.asarray(one.array, np.float32), SCALES_MM[1] / spacing_mm) for one in noise)
    return float(np.mean([np.mean(one[inside] ** 2, dtype=np.float64) for one in smooth]))


def _within_field(image: Image, scale_mm: float) -> Array:
    """Return the square of the part of a Gaussian that the slices of the field hold: its ends are noisy and cut."""
    slices = image.geometry.shape[0]
    depth_mm = (np.arange(slices) + 0.5) * image.geometry.spacing_mm[0]
    held = ndimage.gaussian_filter1d(np.ones(slices), scale_mm / image.geometry.spacing_mm[0], mode="constant")
    held[(depth_mm > 3 * scale_mm) & (depth_mm[::-1] > 3 * scale_mm)] = 1.0
    return np.broadcast_to((held**2).astype(np.float32)[:, None, None], image.geometry.shape)


def _log_contrast(array: Array, means: LocalMeans) -> tuple[Array, Array]:
    """Return log(mean / ring mean) and the ring mean; a floor keeps empty places out."""
    floor = _FLOOR * float(array[means.body].mean())
    ring = np.maximum(means.ring(array), floor).astype(np.float32)
    return np.asarray(np.log(np.maximum(means.centre(array), floor) / ring), dtype=np.float32), ring


def _measured_noise(array: Array, noise: Sequence[Array], means: LocalMeans, ring: Array) -> Array:
    """Return the standard deviation of the log contrast in even tissue, from draws of the noise round every voxel.

    The noise of a reconstruction is skewed like a log-normal one: relative noise s makes sqrt(log(1 + s^2)) of the
    logarithm.
    """
    # Between the two means: noise round a hot focus is larger than even tissue's, and a voxel's own mean may be near 0.
    level = 0.5 * (np.maximum(means.centre(array), 0.0) + ring)
    square = np.sum([((means.centre(drawn) - means.ring(drawn)) / level) ** 2 for drawn in noise], axis=0) / len(noise)
    sigma = _NOISE_WINDOW_MM / means.spacing
    local = ndimage.gaussian_filter(np.where(means.body, square, 0.0), sigma)
    weight = np.maximum(ndimage.gaussian_filter(means.body.astype(np.float32), sigma), 1e-3)
    return np.asarray(np.maximum(np.sqrt(np.log1p(local / weight)), _LEAST_NOISE), dtype=np.float32)


def _estimated_noise(contrast: Array, ring: Array, means: LocalMeans) -> Array:
    """Return the standard deviation of the log contrast among places of like level, by their lower half.

    A focus raises its middle and makes its surroundings look low; so the median of what lies below zero tells noise
    better than the spread of all. The relative noise of a reconstruction does not grow with its level: where it seems
    to, among the few places of high level, these lie round foci. At the edge, where less is averaged, there is more.
    """
    body = means.body
    levels, values = ring[body], contrast[body]
    count = int(np.clip(levels.size // _FEWEST_PER_LEVEL, 1, _LEVELS))
    edges = np.quantile(levels, np.linspace(0, 1, count + 1))
    which = np.clip(np.searchsorted(edges, levels, side="right") - 1, 0, count - 1)
    middle, spread = np.empty(count), np.empty(count)
    for n in range(count):
        here = values[which == n] if np.any(which == n) else values
        low = -here[here < 0] if np.any(here < 0) else np.abs(here)
        middle[n], spread[n] = 0.5 * (edges[n] + edges[n + 1]), 1.4826 * np.median(low)
    spread = np.minimum.accumulate(spread)
    deviation = np.interp(ring, middle, spread) if count > 1 else np.full(ring.shape, spread[0])
    deviation = deviation / np.sqrt(np.clip(means.weight, _LEAST_AVERAGED, 1.0))
    return np.asarray(np.maximum(deviation, _LEAST_NOISE), dtype=np.float32)
