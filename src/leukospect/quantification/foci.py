"""Foci: places that stand out of the tissue round them, sought at the sizes of lesions, with few false ones."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from leukospect.data import Image
from leukospect.quantification.contrast_maps import SCALES_MM, ContrastMaps, EarlierImage, contrast_maps
from leukospect.quantification.false_discovery import false_discovery_rates, peak_probability

_PEAK_DISTANCE_MM = 10.0
MINIMUM_CONTRAST = 1.4
"""What a focus must reach at its scale where nothing else is asked for."""

# Maxima below this many standard deviations are not looked at.
_LEAST_HEIGHT = 2.0

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
    in_both : bool
        It stands out of the mean of both times more than of the late image.
    growth, growth_error : float
        Contrast over that of the earlier image, NaN where that is not known, and its relative standard deviation.
    hidden : bool
        A maximum of its own scale only: what lies beside it stands out more at another one.
    """

    index: tuple[int, int, int]
    scale_mm: float
    background: float
    contrast: float
    contrast_to_noise: float
    false_discovery_rate: float
    in_both: bool = False
    growth: float = math.nan
    growth_error: float = 0.0
    hidden: bool = False


def find_foci(
    image: Image,
    body: Mask,
    noise: Sequence[Image] = (),
    *,
    false_discovery_rate: float = 0.05,
    minimum_contrast: float = MINIMUM_CONTRAST,
    earlier: EarlierImage | None = None,
) -> tuple[Focus, ...]:
    """Find the foci of the late image, the most significant first.

    A focus is a maximum of `contrast_maps` in place and scale, or `hidden`. Each has the probability that noise makes
    one so high, and Benjamini and Hochberg's procedure chooses among all of them, and among those that are not hidden.

    Parameters
    ----------
    image : Image
        Uptake, finite and not negative.
    body : (slices, rows, columns) bool array
    noise : sequence of Image
        As in `contrast_maps`.
    false_discovery_rate : float
        Expected part of noise among what is found.
    minimum_contrast : float
        What a focus must reach at its scale, however significant: anatomy makes fainter ones everywhere.
    earlier : EarlierImage or None
        As in `contrast_maps`.

    Returns
    -------
    tuple of Focus
    """
    maps = contrast_maps(image, body, noise, earlier)
    spacing = np.asarray(image.geometry.spacing_mm)
    maxima = _maxima(maps.height, body, spacing, scales=3)
    chosen = _chosen(maps, maxima, false_discovery_rate, minimum_contrast)
    own = _chosen(maps, _maxima(maps.height, body, spacing, scales=1), false_discovery_rate, minimum_contrast)
    for focus in own:
        # The late image itself must show it: of three times as many maxima, noise raises more.
        if focus.contrast >= minimum_contrast and not any(_beside(focus, other, spacing) for other in chosen):
            chosen.append(replace(focus, hidden=True))
    return tuple(chosen)


def _chosen(
    maps: ContrastMaps, maxima: NDArray[np.int64], false_discovery_rate: float, minimum_contrast: float
) -> list[Focus]:
    """Return the maxima, (maxima, 4) indices, that are believed and high enough, the most significant first."""
    if not len(maxima):
        return []
    at = tuple(maxima.T)
    heights, contrasts, rings = maps.height[at], np.exp(maps.log_contrast[at]), maps.ring[at]
    least, most, asked = maps.least[at], maps.most[at], np.log(minimum_contrast)
    rates = false_discovery_rates(peak_probability(heights, _LEAST_HEIGHT))
    found = []
    for n in np.argsort(-heights, kind="stable"):
        if rates[n] <= false_discovery_rate and least[n] >= asked and most[n] >= asked:
            scale, k, j, i = (int(each) for each in maxima[n])
            place = scale, k, j, i
            course = (float(np.exp(maps.growth[place])), float(maps.growth_error[place]))
            values = (float(rings[n]), float(contrasts[n]), float(heights[n]), float(rates[n]))
            found.append(Focus((k, j, i), SCALES_MM[scale], *values, bool(maps.both[place]), *course))
    return found


def _beside(one: Focus, other: Focus, spacing_mm: NDArray[np.float64]) -> bool:
    away = np.linalg.norm((np.array(one.index) - np.array(other.index)) * spacing_mm)
    return bool(away <= max(_PEAK_DISTANCE_MM, one.scale_mm, other.scale_mm))


def _maxima(
    height: NDArray[np.float32], body: Mask, spacing_mm: NDArray[np.float64], *, scales: int
) -> NDArray[np.int64]:
    """Return the local maxima in place and among so many scales, (maxima, 4) indices."""
    reach = [2 * max(1, round(_PEAK_DISTANCE_MM / step)) + 1 for step in spacing_mm]
    highest = ndimage.maximum_filter(height, size=(scales, *reach), mode="constant", cval=-np.inf)
    return np.argwhere(body & (height == highest) & (height >= _LEAST_HEIGHT))
