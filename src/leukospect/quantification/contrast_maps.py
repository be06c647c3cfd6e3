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

Array = NDArray[np.float32]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class ContrastMaps:
    """The contrast of every voxel at every scale, all (scales, slices, rows, columns).

    Parameters
    ----------
    log_contrast : array
        Logarithm of a Gaussian mean over that of the ring round it. It is zero in even tissue and, since the noise of a
        reconstruction grows with its level, about equally noisy everywhere.
    height : array
        `log_contrast` in standard deviations of its noise; 0 outside of the body.
    ring : array
        Mean of the ring, in the image's unit.
    """

    log_contrast: Array
    height: Array
    ring: Array


def contrast_maps(image: Image, body: Mask, noise: Sequence[Image] = ()) -> ContrastMaps:
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
    """
    # Nothing outside of the body counts, so its box is all there is to compute.
    box = ndimage.find_objects(body.astype(np.int8))[0]
    array, spacing = np.asarray(image.array, dtype=np.float32)[box], np.asarray(image.geometry.spacing_mm)
    drawn = [np.asarray(one.array, dtype=np.float32)[box] for one in noise]
    whole = (len(SCALES_MM), *body.shape)
    contrasts, heights, rings = (np.zeros(whole, dtype=np.float32) for _ in range(3))
    for n, scale in enumerate(SCALES_MM):
        means = LocalMeans(body[box], spacing, scale)
        contrast, ring = _log_contrast(array, means)
        deviation = _measured_noise(array, drawn, means, ring) if drawn else _estimated_noise(contrast, ring, means)
        contrasts[n][box], rings[n][box] = contrast, ring
        heights[n][box] = np.where(body[box], contrast / deviation, 0.0) * _within_field(image, scale)[box]
    return ContrastMaps(contrasts, heights, rings)


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
