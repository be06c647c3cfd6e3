"""Foci: places that stand out of the tissue round them, sought at the sizes of lesions, with few false ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from leukospect.data import Image
from leukospect.quantification.false_discovery import false_discovery_rates, peak_probability
from leukospect.quantification.local_means import LocalMeans

SCALES_MM = (4.0, 5.6, 8.0, 11.3)
"""Standard deviations of the Gaussians that lesions of about 1, 2, 3.5 and 5 cm match once a SPECT has blurred them."""

_PEAK_DISTANCE_MM = 10.0
MINIMUM_CONTRAST = 1.4
"""What a focus must reach at its scale where nothing else is asked for."""

# Maxima below this many standard deviations are not looked at.
_LEAST_HEIGHT = 2.0
_LEVELS = 8
_FEWEST_PER_LEVEL = 200
_NOISE_WINDOW_MM = 20.0
_LEAST_NOISE = 0.01
_FLOOR = 0.02

Array = NDArray[np.float32]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Focus:
    """A place that stands out.

    Parameters
    ----------
    index : (k, j, i)
        Of its middle.
    scale_mm : float
        Standard deviation of the Gaussian at which it stands out most.
    background : float
        Mean of the ring round it, in the image's unit.
    contrast : float
        What the Gaussian sees over that background.
    contrast_to_noise : float
        log(contrast) over the standard deviation that noise gives it there.
    false_discovery_rate : float
        The least rate, over all maxima of the image, at which it is believed.
    """

    index: tuple[int, int, int]
    scale_mm: float
    background: float
    contrast: float
    contrast_to_noise: float
    false_discovery_rate: float


def find_foci(
    image: Image,
    body: Mask,
    noise: Sequence[Image] = (),
    *,
    false_discovery_rate: float = 0.05,
    minimum_contrast: float,
) -> tuple[Focus, ...]:
    """Find the foci of an emission image, the most significant first.

    At each scale the logarithm of a Gaussian mean over that of a ring round it is taken, both over the body alone, so
    that the skin is no focus. It is zero in even tissue and, since the noise of a reconstruction grows with its level,
    about equally noisy everywhere. Its maxima in place and scale are divided by their noise; each has the probability
    that noise makes one so high, and Benjamini and Hochberg's procedure chooses among all of them.

    Parameters
    ----------
    image : Image
        Uptake, finite and not negative.
    body : (slices, rows, columns) bool array
    noise : sequence of Image
        Nothing but the image's noise, each another draw of it: as a reconstruction of counts drawn anew less the image.
        Without any, noise is estimated from how much places of like level differ among themselves; anatomy then
        counts as noise, so that less is found.
    false_discovery_rate : float
        Expected part of noise among what is found.
    minimum_contrast : float
        What a focus must reach at its scale, however significant: anatomy makes fainter ones everywhere.

    Returns
    -------
    tuple of Focus
    """
    array = np.asarray(image.array, dtype=np.float32)
    spacing = np.asarray(image.geometry.spacing_mm)
    stack, heights, around = [], [], []  # one for each scale
    for sigma in SCALES_MM:
        means = LocalMeans(body, spacing, sigma)
        log_contrast, ring = _log_contrast(array, means)
        deviation = _measured_noise(array, noise, means, ring) if noise else _estimated_noise(log_contrast, ring, body)
        stack.append(log_contrast)
        around.append(ring)
        heights.append(np.where(body, log_contrast / deviation, 0.0).astype(np.float32))
    height = np.stack(heights)
    maxima = _maxima(height, body, spacing)
    if not len(maxima):
        return ()
    values = height[tuple(maxima.T)]
    rates = false_discovery_rates(peak_probability(values, _LEAST_HEIGHT))
    found = []
    for n in np.argsort(-values, kind="stable"):
        scale, k, j, i = (int(each) for each in maxima[n])
        contrast = float(np.exp(stack[scale][k, j, i]))
        if rates[n] <= false_discovery_rate and contrast >= minimum_contrast:
            level = float(around[scale][k, j, i])
            found.append(Focus((k, j, i), SCALES_MM[scale], level, contrast, float(values[n]), float(rates[n])))
    return tuple(found)


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


def _estimated_noise(contrast: Array, ring: Array, body: Mask) -> Array:
    """Return the standard deviation of the log contrast among places of like level, by their lower half.

    A focus raises its middle and makes its surroundings look low; so the median of what lies below zero tells noise
    better than the spread of all. The relative noise of a reconstruction does not grow with its level: where it seems
    to, among the few places of high level, these lie round foci.
    """
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
    return np.maximum(deviation, _LEAST_NOISE).astype(np.float32)


def _maxima(height: Array, body: Mask, spacing_mm: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the local maxima in scale and place, (maxima, 4) indices."""
    reach = [2 * max(1, round(_PEAK_DISTANCE_MM / step)) + 1 for step in spacing_mm]
    highest = ndimage.maximum_filter(height, size=(3, *reach), mode="constant", cval=-np.inf)
    return np.argwhere(body & (height == highest) & (height >= _LEAST_HEIGHT))
