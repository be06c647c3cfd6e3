"""Uptake of regions in a reconstructed SPECT image, with its spread from resampled reconstructions."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from leukospect.data import Image
from leukospect.errors import GeometryError, InputError
from leukospect.quantification.intervals import resampled_interval
from leukospect.quantification.measurements import Measurement, Region, TimePoint


@dataclass(frozen=True, slots=True, eq=False)
class SpectSamples:
    """Means of all regions in each resampled reconstruction of one time point.

    Regions of one reconstruction share its noise, so a ratio takes both from the same replicate.

    Parameters
    ----------
    regions : tuple of str
        Names, in the order of the columns.
    means : (replicates, regions) array
    selection_bias : mapping of str to float
        Of regions that were found in that very image: see `Measurement`.
    """

    regions: tuple[str, ...]
    means: NDArray[np.float64]
    selection_bias: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def collect(cls, regions: Sequence[Region], replicates: Sequence[NDArray[np.float64]]) -> SpectSamples:
        """Stack what `region_means` gave for each replicate; there may be none."""
        names = tuple(region.name for region in regions)
        if not len(replicates):
            return cls(names, np.empty((0, len(names))))
        means = np.asarray(replicates, dtype=np.float64)
        if means.shape != (len(replicates), len(names)):
            raise InputError(f"Replicates of {means[0].size} means do not fit {len(names)} regions.")
        return cls(names, means)

    def of(self, region: str) -> NDArray[np.float64]:
        """Return one region's means, (replicates,)."""
        return self.means[:, self.regions.index(region)]


def region_means(array: ArrayLike, labels_array: ArrayLike, regions: Sequence[Region]) -> NDArray[np.float64]:
    """Average an array over each region.

    Parameters
    ----------
    array : (slices, rows, columns) array
    labels_array : array of the same shape
        Integer labels.
    regions : sequence of Region

    Returns
    -------
    (regions,) array
        NaN for a region without a voxel.
    """
    labels = np.asarray(labels_array).ravel()
    largest = max((region.label for region in regions), default=0)
    sums = np.bincount(labels, weights=np.asarray(array, dtype=np.float64).ravel(), minlength=largest + 1)
    voxels = np.bincount(labels, minlength=largest + 1)
    wanted = [region.label for region in regions]
    return np.where(voxels[wanted] > 0, sums[wanted] / np.maximum(voxels[wanted], 1), np.nan)


def common_thresholds(
    latest: Image, labels: Image, regions: Sequence[Region], *, decay_to_injection: float = 1.0, fraction: float = 0.4
) -> dict[str, float]:
    """Set one threshold a region for the sizes at all times: a fraction of its maximum at the latest time.

    Parameters
    ----------
    latest : Image
        The latest reconstruction.
    labels : Image
    regions : sequence of Region
    decay_to_injection : float
        Takes its rates to the injection.
    fraction : float

    Returns
    -------
    dict
        Region's name to threshold, in decay-corrected units.
    """
    _require_one_grid(latest, labels)
    return {
        region.name: fraction * decay_to_injection * float(latest.array[labels.array == region.label].max(initial=0))
        for region in regions
    }


def measure_spect(
    image: Image,
    labels: Image,
    regions: Sequence[Region],
    *,
    time_point: TimePoint,
    hours: float,
    decay_to_injection: float = 1.0,
    replicates: Sequence[NDArray[np.float64]] = (),
    common_threshold_fraction: float = 0.4,
    thresholds: Mapping[str, float] | None = None,
    selection_bias: Mapping[str, float] | None = None,
) -> tuple[Measurement, ...]:
    """Measure every region in one reconstruction.

    Parameters
    ----------
    image : Image
        Rates decay-corrected to the start of the acquisition.
    labels : Image
        On the same grid.
    regions : sequence of Region
    time_point : TimePoint
    hours : float
        From injection to the start of the acquisition; NaN where unknown.
    decay_to_injection : float
        exp(lambda t), which takes rates from the acquisition's start to the injection; 1 where its time is unknown.
    replicates : sequence of (regions,) arrays
        `region_means` of reconstructions of resampled counts; without at least two the interval is not known (NaN).
    common_threshold_fraction : float
        The size counts voxels above this part of the region's own maximum, unless `thresholds` are given.
    thresholds : mapping or None
        From `common_thresholds`: decay-corrected values that make sizes at several times comparable; the size of a
        region without one is NaN.
    selection_bias : mapping or None
        Of regions that were found in this very image.

    Returns
    -------
    tuple of Measurement
        One a region, in order.

    Raises
    ------
    GeometryError
        The labels are on another grid.
    InputError
        The decay factor is impossible, or a region has no voxel.
    """
    _require_one_grid(image, labels)
    if not (math.isfinite(decay_to_injection) and decay_to_injection > 0):
        raise InputError(f"The decay factor to the injection must be positive; found {decay_to_injection}.")
    samples = SpectSamples.collect(regions, replicates)
    return tuple(
        Measurement(
            region=region.name,
            time_point=time_point,
            hours=hours,
            modality="spect",
            unit=image.unit,
            mean=resampled_interval(mean * decay_to_injection, samples.of(region.name) * decay_to_injection),
            maximum=maximum * decay_to_injection,
            hottest_mm=place,
            raw_mean=mean,
            size=voxels * image.geometry.voxel_volume_ml,
            size_unit="mL",
            selection_bias=(selection_bias or {}).get(region.name, 0.0),
        )
        for region in regions
        for mean, maximum, place, voxels in [
            _inside(image, labels, region, decay_to_injection, common_threshold_fraction, thresholds)
        ]
    )


def _inside(
    image: Image,
    labels: Image,
    region: Region,
    decay_to_injection: float,
    fraction: float,
    thresholds: Mapping[str, float] | None,
) -> tuple[float, float, tuple[float, float, float], float]:
    """Return a region's mean and maximum as in the image, the maximum's place, and its voxels above the threshold."""
    indices = np.argwhere(labels.array == region.label)
    if indices.size == 0:
        raise InputError(f"The region '{region.name}' covers no voxel of the image.")
    values = np.asarray(image.array, dtype=np.float64)[tuple(indices.T)]
    hottest = int(values.argmax())
    maximum = float(values[hottest])
    threshold = fraction * maximum
    if thresholds is not None:
        threshold = thresholds.get(region.name, math.nan) / decay_to_injection
    voxels = count_above(values, threshold)
    x, y, z = image.geometry.to_lps(indices[hottest])
    return float(values.mean()), maximum, (float(x), float(y), float(z)), voxels


def count_above(values: NDArray[np.float64], threshold: float) -> float:
    """Count values at or above a threshold; values of zero have no extent, and a NaN threshold gives NaN."""
    if math.isnan(threshold):
        return math.nan
    # The maximum itself must not be lost to rounding when its unit was changed.
    return float(np.count_nonzero((values >= threshold * (1 - 1e-9)) & (values > 0)))


def _require_one_grid(image: Image, labels: Image) -> None:
    if not image.geometry.same_grid(labels.geometry):
        raise GeometryError("The label image and the image measured are on different grids; resample the labels.")
