"""How much every place stands out of what is round it, at the sizes of lesions, and how noisy that is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from leukospect.data import Image
from leukospect.quantification.local_means import LocalMeans

SCALES_MM = (4.0, 5.6, 8.0, 11.3)
"""Standard deviations of the Gaussians that lesions of about 1, 2, 3.5 and 5 cm match once a SPECT has blurred them."""

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
    array = np.asarray(image.array, dtype=np.float32)
    spacing = np.asarray(image.geometry.spacing_mm)
    contrasts, heights, rings = [], [], []
    for scale in SCALES_MM:
        means = LocalMeans(body, spacing, scale)
        contrast, ring = _log_contrast(array, means)
        deviation = _measured_noise(array, noise, means, ring) if noise else _estimated_noise(contrast, ring, means)
        contrasts.append(contrast)
        rings.append(ring)
        heights.append(np.where(body, contrast / deviation, 0.0).astype(np.float32))
    return ContrastMaps(np.stack(contrasts), np.stack(heights), np.stack(rings))


def _log_contrast(array: Array, means: LocalMeans) -> tuple[Array, Array]:
    """Return log(mean / ring mean) and the ring mean; a floor keeps empty places out."""
    floor = _FLOOR * float(array[means.body].mean())
    ring = np.maximum(means.ring(array), floor).astype(np.float32)
    return np.asarray(np.log(np.maximum(means.centre(array), floor) / ring), dtype=np.float32), ring


def _measured_noise(array: Array, noise: Sequence[Image], means: LocalMeans, ring: Array) -> Array:
    """Return the standard deviation of the log contrast from draws of the noise, averaged over a neighbourhood."""
    centre = np.maximum(means.centre(array), _FLOOR * float(array[means.body].mean()))
    square = np.zeros_like(array)
    for one in noise:
        drawn = np.asarray(one.array, dtype=np.float32)
        square += (means.centre(drawn) / centre - means.ring(drawn) / ring) ** 2
    inside = means.body.astype(np.float32)
    sigma = _NOISE_WINDOW_MM / means.spacing
    local = ndimage.gaussian_filter(np.where(means.body, square / len(noise), 0.0), sigma)
    weight = np.maximum(ndimage.gaussian_filter(inside, sigma), 1e-3)
    return np.maximum(np.sqrt(local / weight), _LEAST_NOISE).astype(np.float32)


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
    return np.maximum(deviation, _LEAST_NOISE).astype(np.float32)
