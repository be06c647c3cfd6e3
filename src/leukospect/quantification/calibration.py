"""The sensitivity of a camera, counts per second and MBq of one head, from an acquisition of a known activity.

Sensitivity is that of the photopeak windows, all together, without attenuation and scatter: what `recon` divides by to
give Bq/mL. A calibration holds for the nuclide, the collimator, the windows and the scatter method it was made with.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from leukospect.data import Image, PlanarImages
from leukospect.errors import AssumptionWarning, InputError
from leukospect.physics.decay import decay_factor, frame_start_factor
from leukospect.physics.nuclides import Nuclide
from leukospect.physics.scatter import estimate_scatter, scatter_variance
from leukospect.physics.windows import find_photopeaks

Mask = NDArray[np.bool_]

MOST_HALF_LIVES = 10.0

_SOURCE_OF_HIGHEST = 0.05
_SOURCE_SMOOTHED_MM, _SOURCE_MARGIN_MM = 12.0, 50.0
_LEAST_BACKGROUND = 0.05
_VIEWS_DIFFER, _VIEWS_DIFFER_SIGMA = 0.1, 4.0

_INSIDE_EDGE_MM = 30.0
_LEAST_REGION_ML = 20.0
_VOLUME_DIFFERS = 0.15


@dataclass(frozen=True, slots=True)
class Sensitivity:
    """A calibration factor with its standard uncertainty and what that is made of.

    Parameters
    ----------
    cps_per_mbq : float
        Counts per second and MBq of one head.
    parts : mapping of str to float
        Relative standard uncertainties, by what they come from.
    method : str
    facts : mapping of str to float
        What was measured on the way, with units in the names.
    """

    cps_per_mbq: float
    parts: Mapping[str, float]
    method: str
    facts: Mapping[str, float]

    @property
    def standard_uncertainty(self) -> float:
        """Standard uncertainty, cps/MBq: the root of the sum of the squares of its parts."""
        return float(self.cps_per_mbq * np.sqrt(sum(part**2 for part in self.parts.values())))


def activity_at_start_mbq(activity_mbq: float, hours_from_assay: float, source: Nuclide) -> float:
    """Take an activity from when it was assayed to the start of the acquisition.

    Parameters
    ----------
    activity_mbq : float
    hours_from_assay : float
        To the start of the acquisition; negative where the assay came after it.
    source : Nuclide

    Raises
    ------
    InputError
        The activity is not positive, or the assay more than 10 half-lives away.
    """
    if not (np.isfinite(activity_mbq) and activity_mbq > 0):
        raise InputError(f"A calibration needs an activity of more than 0 MBq; found {activity_mbq:g}.")
    half_lives = hours_from_assay * 3600.0 / source.half_life_s
    if abs(half_lives) > MOST_HALF_LIVES:
        raise InputError(
            f"The activity was assayed {abs(half_lives):.1f} half-lives of {source.name} "
            f"{'before' if half_lives > 0 else 'after'} the acquisition, more than {MOST_HALF_LIVES:g}; check the date "
            "and time of --assayed-at."
        )
    return activity_mbq * decay_factor(source.half_life_s, hours_from_assay * 3600.0)


def planar_sensitivity(
    planar: PlanarImages,
    source: Nuclide,
    activity_mbq: float,
    *,
    scatter: str = "auto",
    scatter_k: float = 0.47,
    activity_uncertainty: float = 0.0,
) -> Sensitivity:
    """Get the sensitivity from planar views of a point-like or flat source in air.

    Net counts in a region around the source, scatter and background left out, over time and activity; the mean of the
    views.

    Parameters
    ----------
    planar : PlanarImages
        Each view sees all of the source, unattenuated.
    source : Nuclide
    activity_mbq : float
        At the start of the acquisition.
    scatter, scatter_k
        As in `physics.scatter.estimate_scatter`: the method that images will be corrected with.
    activity_uncertainty : float
        Relative standard uncertainty of the activity.

    Raises
    ------
    InputError
        A view shows no source, or the views contradict each other.
    """
    measured = [_view_sensitivity(planar, view, source, scatter, scatter_k) for view in range(len(planar.view_names))]
    values = np.array([one.rate_cps for one in measured]) / activity_mbq
    sigmas = np.array([one.standard_deviation_cps for one in measured]) / activity_mbq
    mean = float(values.mean())
    counting = float(np.sqrt((sigmas**2).sum()) / values.size / mean)
    spread = 0.0
    if values.size > 1:
        spread = float(values.std(ddof=1) / np.sqrt(values.size) / mean)
        if np.ptp(values) > max(_VIEWS_DIFFER * mean, _VIEWS_DIFFER_SIGMA * float(np.hypot.reduce(sigmas))):
            each = ", ".join(f"{name} {value:.1f}" for name, value in zip(planar.view_names, values, strict=True))
            raise InputError(
                f"The views give sensitivities that differ by more than {_VIEWS_DIFFER:.0%} ({each} cps/MBq), as where "
                "something lies between the source and one head; give the one that is meant with --view."
            )
    facts = {f"{name} cps/MBq": float(value) for name, value in zip(planar.view_names, values, strict=True)}
    facts |= {
        f"{name} background counts/pixel": one.background for name, one in zip(planar.view_names, measured, strict=True)
    }
    parts = {"counting": counting, "difference of the views": spread, "activity": activity_uncertainty}
    return Sensitivity(mean, parts, f"planar source in air, scatter {measured[0].scatter_method}", facts)


@dataclass(frozen=True, slots=True)
class _ViewRate:
    """Net rate of one view at its start, and what it was made with."""

    rate_cps: float
    standard_deviation_cps: float
    background: float
    scatter_method: str


def _view_sensitivity(planar: PlanarImages, view: int, source: Nuclide, scatter: str, k: float) -> _ViewRate:
    peaks = find_photopeaks(planar.energy_windows, source)
    windows = list(dict.fromkeys(p.peak for p in peaks))
    gross = np.asarray(planar.counts[windows, view].sum(axis=0, dtype=np.float64))
    net, variance, methods = gross.copy(), gross.copy(), set()
    for peak in peaks:
        estimate, method = estimate_scatter(planar, peak, scatter, k=k, smoothing_fwhm_mm=0.0)
        methods.add(method)
        if estimate is not None:
            net -= estimate[view]
            variance += scatter_variance(planar, peak, method, k=k)[view]
    region, around = _source_region(gross, planar.pixel_mm, planar.view_names[view])
    background, background_variance = 0.0, 0.0
    if around.sum() >= _LEAST_BACKGROUND * around.size:
        background = float(net[around].mean())
        background_variance = float(variance[around].sum()) / float(around.sum()) ** 2
    elif region.sum() > (1 - _LEAST_BACKGROUND) * region.size:
        warnings.warn(
            f"The source fills the {planar.view_names[view]} view, so that no background could be taken off.",
            AssumptionWarning,
            stacklevel=3,
        )
    counts = float(net[region].sum()) - background * float(region.sum())
    deviation = np.sqrt(float(variance[region].sum()) + background_variance * float(region.sum()) ** 2)
    if counts <= 3 * deviation:
        raise InputError(f"The {planar.view_names[view]} view shows no source above its background.")
    duration = float(planar.view_duration_s[view])
    to_start = frame_start_factor(source.half_life_s, duration) / duration
    return _ViewRate(counts * to_start, float(deviation) * to_start, background, "+".join(sorted(methods)))


def _source_region(counts: NDArray[np.float64], pixel_mm: tuple[float, float], view: str) -> tuple[Mask, Mask]:
    """Find the pixels of the source with 50 mm around it, and those of the background within what was measured."""
    sigma = [_SOURCE_SMOOTHED_MM / 2.3548 / spacing for spacing in pixel_mm]
    smooth = ndimage.gaussian_filter(counts, sigma, mode="nearest")
    if float(smooth.max()) <= 0:
        raise InputError(f"The {view} view holds no counts in the photopeak's window.")
    level = float(np.quantile(smooth, 0.1))
    if level > 0.5 * float(smooth.max()):
        level = 0.0  # a flood: there is no background to see
    source = smooth > level + _SOURCE_OF_HIGHEST * (float(smooth.max()) - level)
    distance = ndimage.distance_transform_edt(~source, sampling=pixel_mm)
    region = np.asarray(distance <= _SOURCE_MARGIN_MM)
    rows, columns = np.flatnonzero(counts.any(axis=1)), np.flatnonzero(counts.any(axis=0))
    measured = np.zeros_like(region)
    measured[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] = True
    border = measured & ~ndimage.binary_erosion(measured)
    if (source & border).any() and (source & measured).sum() < (1 - _LEAST_BACKGROUND) * measured.sum():
        raise InputError(
            f"The source in the {view} view reaches the edge of the field, so part of it may be cut off; put it nearer "
            "the middle, or use a source that fills the field."
        )
    return region & measured, ~region & measured


def cylinder_sensitivity(
    image: Image, activity_mbq: float, volume_ml: float, *, activity_uncertainty: float = 0.0
) -> tuple[Sensitivity, Mask]:
    """Get the sensitivity from the reconstruction of a uniform cylinder, or any uniform object large enough.

    The mean in counts/s/mL of the region 30 mm inside its edge, over the concentration.

    Parameters
    ----------
    image : Image, counts/s/mL
        Corrected for attenuation and scatter, at the start of the acquisition.
    activity_mbq, volume_ml : float
        In it at the start of the acquisition.
    activity_uncertainty : float
        Relative standard uncertainty of the activity.

    Returns
    -------
    Sensitivity
    region : (slices, rows, columns) bool array
        Where it was measured.

    Raises
    ------
    InputError
        The volume is not positive, or no such region is left.
    """
    if not (np.isfinite(volume_ml) and volume_ml > 0):
        raise InputError(f"A cylinder's volume must be more than 0 mL; found {volume_ml:g}.")
    values = np.asarray(image.array, np.float64)
    whole = _uniform_object(values)
    region = np.asarray(
        ndimage.distance_transform_edt(np.pad(whole, 1), sampling=image.geometry.spacing_mm)[1:-1, 1:-1, 1:-1]
        > _INSIDE_EDGE_MM
    )
    voxel_ml = image.geometry.voxel_volume_ml
    if float(region.sum()) * voxel_ml < _LEAST_REGION_ML:
        raise InputError(
            f"Of the object in the SPECT no {_LEAST_REGION_ML:g} mL lie {_INSIDE_EDGE_MM:g} mm inside its edge; "
            "calibrate with a larger uniform cylinder, or with a planar source."
        )
    seen_ml = float(whole.sum()) * voxel_ml
    if abs(seen_ml / volume_ml - 1.0) > _VOLUME_DIFFERS:
        warnings.warn(
            f"The object in the SPECT measures {seen_ml:.0f} mL, not the {volume_ml:g} mL told; check --volume-ml, "
            "and that all of it is in the field.",
            AssumptionWarning,
            stacklevel=2,
        )
    mean = float(values[region].mean())
    blocks = _block_means(values, region)
    statistical = float(np.std(blocks, ddof=1) / np.sqrt(blocks.size) / mean) if blocks.size > 1 else 0.0
    facts = {
        "region mean counts/s/mL": mean,
        "concentration Bq/mL": 1e6 * activity_mbq / volume_ml,
        "region mL": float(region.sum()) * voxel_ml,
        "object mL": seen_ml,
        "largest deviation of an eighth of the region %": float(100 * np.abs(blocks / mean - 1).max()),
    }
    parts = {"counting and uniformity": statistical, "activity": activity_uncertainty}
    return Sensitivity(mean * volume_ml / activity_mbq, parts, "SPECT of a uniform cylinder", facts), region


def _uniform_object(values: NDArray[np.float64]) -> Mask:
    """Find the largest connected part above half of its own level, holes filled."""
    above = values > 0.5 * float(np.quantile(values, 0.999))
    if not above.any():
        raise InputError("The SPECT shows no object to calibrate with.")
    for _ in range(3):
        above = values > 0.5 * float(np.median(values[above]))
    labels, _ = ndimage.label(above)
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    return np.asarray(ndimage.binary_fill_holes(labels == int(sizes.argmax())))


def _block_means(values: NDArray[np.float64], region: Mask) -> NDArray[np.float64]:
    """Give the means of the eight parts of a region on either side of its middle along each axis."""
    places = np.argwhere(region)
    upper = places > np.median(places, axis=0)
    number = upper @ np.array([4, 2, 1])
    inside = values[region]
    return np.array([inside[number == part].mean() for part in range(8) if np.any(number == part)])


def one_view(planar: PlanarImages, name: str | None) -> PlanarImages:
    """Take one view of planar images by its name; None takes all.

    Raises
    ------
    InputError
        There is no such view; the message lists those there are.
    """
    if name is None:
        return planar
    if name not in planar.view_names:
        raise InputError(f"There is no view '{name}'; --view takes one of {_listed(planar.view_names)}.")
    index = planar.view_names.index(name)
    kept = slice(index, index + 1)
    return PlanarImages(
        planar.counts[:, kept],
        planar.energy_windows,
        planar.view_names[kept],
        planar.pixel_mm,
        planar.view_duration_s[kept],
        planar.header,
        None if planar.first_pixel_mm is None else planar.first_pixel_mm[kept],
        planar.summed_frames,
    )


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f"'{name}'" for name in names)
