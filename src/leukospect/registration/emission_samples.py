"""Where an emission image is compared with what a CT lets one expect, and how much each place counts."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from leukospect.data import Image
from leukospect.registration.predicted_emission import PredictedEmission, blurred, halved

Doubles = NDArray[np.float64]

# Of the body's median uptake: what counts as body, and what keeps the weights of air finite.
_BODY_PART, _LEAST_PART = 0.3, 0.25
_ROUND_BODY_MM = 30.0
_WEIGHT_FWHM_MM, _MEDIAN_FWHM_MM = 30.0, 20.0
_NEIGHBOURHOOD_FWHM_MM, _NEIGHBOURHOOD_BOUND = 100.0, 0.1
# Next to the borders of the camera's field what lies beyond them shows, or is missing.
_MOST_OF_FIELD = 0.125
# What is smoothed so much more needs only every other voxel.
_HALVED_FROM_MM = 8.0


@dataclass(frozen=True, slots=True, eq=False)
class EmissionSamples:
    """An emission image, relative to the body's median uptake, at places in and round the body.

    Parameters
    ----------
    lattice : (slices, rows, columns) float32 array
        The image at every place of the grid of samples; `chosen` are those compared.
    chosen : (slices, rows, columns) bool array
    spacing_mm : (3,) array
        Of the lattice.
    points_mm : (places, 3) array
        LPS mm.
    values, weights : (places,) arrays
        A weight is the reciprocal of the uptake round about: a residual counts relative to it, since the noise of an
        iterative reconstruction follows it and so does what no CT foretells.
    predicted : PredictedEmission
        Blurred as the image is.
    """

    lattice: NDArray[np.float32]
    chosen: NDArray[np.bool_]
    spacing_mm: Doubles
    points_mm: Doubles
    values: Doubles
    weights: Doubles
    predicted: PredictedEmission


def body_median(emission: Image) -> float:
    """Find the median uptake of the body; 0 where there is none."""
    smooth = blurred(np.asarray(emission.array, np.float32), emission.geometry.spacing_mm, _MEDIAN_FWHM_MM)
    bright = smooth[smooth > 0.15 * np.quantile(smooth, 0.99)]
    return float(np.median(bright)) if bright.size else 0.0


def emission_samples(
    emission: Image,
    predicted: PredictedEmission,
    median: float,
    *,
    extra_fwhm_mm: float,
    step_mm: float,
    border_mm: float,
) -> EmissionSamples:
    """Sample an emission image on a grid about `step_mm` wide, both it and the prediction blurred by as much more.

    Parameters
    ----------
    emission : Image
    predicted : PredictedEmission
    median : float
        See `body_median`.
    extra_fwhm_mm, step_mm : float
    border_mm : float
        So much next to the borders of the image is left out, but no more than an eighth of it.
    """
    grid = emission.geometry
    spacing = np.array(grid.spacing_mm)
    array = blurred(np.asarray(emission.array, np.float32), grid.spacing_mm, extra_fwhm_mm)
    steps = np.maximum(1, np.round(step_mm / spacing)).astype(int)
    ends = np.clip(np.round(border_mm / spacing), 1, np.maximum(1, _MOST_OF_FIELD * np.array(grid.shape))).astype(int)
    axes = [np.arange(end, n - end, step) for end, n, step in zip(ends, grid.shape, steps, strict=True)]
    lattice = array[np.ix_(*axes)] / np.float32(median)
    width = steps * spacing
    reach = tuple(1 + 2 * np.round(_ROUND_BODY_MM / width).astype(int))
    chosen = np.asarray(ndimage.maximum_filter(lattice, size=reach) > _BODY_PART)
    indices = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)[chosen]
    around = blurred(lattice, tuple(width), _WEIGHT_FWHM_MM)[chosen]
    smooth = halved(predicted) if extra_fwhm_mm >= _HALVED_FROM_MM else predicted
    channels = blurred(smooth.channels, smooth.geometry.spacing_mm, extra_fwhm_mm)
    return EmissionSamples(
        lattice,
        chosen,
        width,
        grid.to_lps(indices),
        lattice[chosen].astype(np.float64),
        1.0 / (np.maximum(around, 0.0) + _LEAST_PART).astype(np.float64),
        replace(smooth, channels=np.ascontiguousarray(channels)),
    )


def trusted(samples: EmissionSamples, residuals: Doubles) -> EmissionSamples:
    """Weigh places less where the image differs from what is expected not by noise but all round about.

    Parameters
    ----------
    samples : EmissionSamples
    residuals : (places,) array
        Relative to the uptake round about.
    """
    spread = np.zeros((2, *samples.lattice.shape), np.float32)
    spread[0][samples.chosen], spread[1][samples.chosen] = residuals, 1.0
    spacing = tuple(samples.spacing_mm)
    total, count = (blurred(each, spacing, _NEIGHBOURHOOD_FWHM_MM)[samples.chosen] for each in spread)
    differs = (total / np.maximum(count, 0.05)).astype(np.float64)
    return replace(samples, weights=samples.weights / (1.0 + (differs / _NEIGHBOURHOOD_BOUND) ** 2))
