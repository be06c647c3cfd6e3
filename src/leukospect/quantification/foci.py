"""Foci: places that stand out of the tissue round them, sought at the sizes of lesions, with few false ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, stats

from leukospect.data import Image
from leukospect.quantification.contrast_maps import SCALES_MM, contrast_maps
from leukospect.quantification.false_discovery import false_discovery_rates, peak_probability

_PEAK_DISTANCE_MM = 10.0
MINIMUM_CONTRAST = 1.4
"""What a focus must reach at its scale where nothing else is asked for."""

# Maxima below this many standard deviations are not looked at.
_LEAST_HEIGHT = 2.0

Mask = NDArray[np.bool_]


# More standard deviations than this at an earlier time do not speak for a focus any louder.
_MOST_SUPPORT = 3.5


@dataclass(frozen=True, slots=True, eq=False)
class EarlierImage:
    """An earlier image of the same body, which may show a focus with less noise.

    Parameters
    ----------
    image : Image
    body : (slices, rows, columns) bool array
    noise : sequence of Image
        As in `contrast_maps`.
    carry : function
        Takes labels from the grid of the late image to this one's.
    """

    image: Image
    body: Mask
    noise: Sequence[Image]
    carry: Callable[[Image], Image]


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
        log(contrast) over the standard deviation that noise gives it there, in the late image.
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
    earlier: Sequence[EarlierImage] = (),
    false_discovery_rate: float = 0.05,
    minimum_contrast: float = MINIMUM_CONTRAST,
) -> tuple[Focus, ...]:
    """Find the foci of the late image, the most significant first.

    A focus is a maximum of `contrast_maps` in place and scale. Each has the probability that noise makes one so high;
    where an earlier image, with many more counts, shows the same place to stand out, the probability of both together.
    Benjamini and Hochberg's procedure chooses among all maxima.

    Parameters
    ----------
    image : Image
        Uptake, finite and not negative.
    body : (slices, rows, columns) bool array
    noise : sequence of Image
        As in `contrast_maps`.
    earlier : sequence of EarlierImage
        They make a focus of the late image more or less believable; what they alone show is none.
    false_discovery_rate : float
        Expected part of noise among what is found.
    minimum_contrast : float
        What a focus must reach at its scale, however significant: anatomy makes fainter ones everywhere.

    Returns
    -------
    tuple of Focus
    """
    maps = contrast_maps(image, body, noise)
    maxima = _maxima(maps.height, body, np.asarray(image.geometry.spacing_mm))
    if not len(maxima):
        return ()
    at = tuple(maxima.T)
    heights, contrasts, rings = maps.height[at], np.exp(maps.log_contrast[at]), maps.ring[at]
    alone = peak_probability(heights, _LEAST_HEIGHT)
    rates = false_discovery_rates(_with_support(alone, [_heights_at(one, maxima, image) for one in earlier]))
    found = []
    for n in np.argsort(-heights, kind="stable"):
        if rates[n] <= false_discovery_rate and contrasts[n] >= minimum_contrast:
            scale, k, j, i = (int(each) for each in maxima[n])
            values = (float(rings[n]), float(contrasts[n]), float(heights[n]), float(rates[n]))
            found.append(Focus((k, j, i), SCALES_MM[scale], *values))
    return tuple(found)


def _with_support(alone: NDArray[np.float64], heights: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Combine the probabilities of maxima with those of the same places earlier (Stouffer), NaN where not seen.

    Each maximum is given the smaller of the probability alone and of all times together, twice, for having the choice.
    """
    if not heights:
        return alone
    known = [np.where(np.isnan(each), 0.0, np.minimum(each, _MOST_SUPPORT)) for each in heights]
    times = 1.0 + np.sum([~np.isnan(each) for each in heights], axis=0)
    together = stats.norm.sf((stats.norm.isf(np.maximum(alone, 1e-300)) + np.sum(known, axis=0)) / np.sqrt(times))
    return np.asarray(np.minimum(1.0, 2.0 * np.minimum(alone, together)), dtype=np.float64)


def _heights_at(earlier: EarlierImage, maxima: NDArray[np.int64], late: Image) -> NDArray[np.float64]:
    """Return the height of an earlier image at the places and scales of maxima; NaN where it has no such place."""
    places, which = np.unique(maxima[:, 1:], axis=0, return_inverse=True)
    marked = np.zeros(late.geometry.shape, dtype=np.int32)
    for label, (k, j, i) in enumerate(places, start=1):
        box = marked[max(0, k - 1) : k + 2, max(0, j - 1) : j + 2, max(0, i - 1) : i + 2]
        box[box == 0] = label
    for label, place in enumerate(places, start=1):
        marked[tuple(place)] = label
    carried = np.asarray(earlier.carry(Image(marked, late.geometry, "label")).array)
    height = contrast_maps(earlier.image, earlier.body, earlier.noise).height
    labels = np.arange(1, len(places) + 1)
    seen = np.isin(labels, carried)
    middles = np.zeros((len(places), 3))
    middles[seen] = ndimage.center_of_mass(carried > 0, carried, labels[seen])
    index = np.rint(middles).astype(np.int64)
    values = height[(maxima[:, 0], *index[which.ravel()].T)].astype(np.float64)
    inside = seen & earlier.body[tuple(index.T)]
    return np.where(inside[which.ravel()], values, np.nan)


def _maxima(height: NDArray[np.float32], body: Mask, spacing_mm: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the local maxima in scale and place, (maxima, 4) indices."""
    reach = [2 * max(1, round(_PEAK_DISTANCE_MM / step)) + 1 for step in spacing_mm]
    highest = ndimage.maximum_filter(height, size=(3, *reach), mode="constant", cval=-np.inf)
    return np.argwhere(body & (height == highest) & (height >= _LEAST_HEIGHT))
