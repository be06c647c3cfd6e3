"""Uptake of regions in planar views, with counting errors, and the projection of 3-D regions onto a view."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from leukospect.data import Image, PlanarImages
from leukospect.errors import AssumptionWarning, GeometryError, InputError, MissingInformationError
from leukospect.physics.decay import decay_factor, frame_start_factor
from leukospect.quantification.intervals import counts_interval, scaled
from leukospect.quantification.measurements import Measurement, Region, TimePoint
from leukospect.quantification.spect import count_above

# Direction of a view's columns along the patient's x axis.
_COLUMN_SIGN = {"anterior": 1.0, "posterior": -1.0}
# A region of which a view shows less than this part is not measured there.
_SMALLEST_PART = 0.5


def project_regions(
    labels: Image,
    regions: Sequence[Region],
    planar: PlanarImages,
    view: int,
    *,
    view_to_labels: NDArray[np.float64] | None = None,
) -> dict[str, NDArray[np.bool_]]:
    """Project 3-D regions along y onto an anterior or posterior view (parallel holes: no magnification).

    A pixel belongs to a region if the voxels that lie before and behind its centre hold any of it. References leave
    out the pixels of lesions.

    Parameters
    ----------
    labels : Image
        On an axial grid.
    regions : sequence of Region
    planar : PlanarImages
        With the position of its first pixels.
    view : int
    view_to_labels : (3, 3) array, optional
        Takes (x, z, 1) of the view to where the same place is in the labels' space, LPS mm, where the patient moved
        between the times. The regions are moved, by the nearest voxel, and no count is: errors stay those of counting.

    Returns
    -------
    dict
        Region's name to its (rows, columns) mask. A region of which the view shows less than half is left out, with a
        warning.

    Raises
    ------
    MissingInformationError
        The view's position is not recorded.
    GeometryError
        The view is neither anterior nor posterior, or the grid is not axial.
    """
    first_mm, sign = _placed_view(planar, view)
    frame = planar.header.frame_of_reference_uid
    if view_to_labels is None and (frame is None or frame != labels.geometry.frame_of_reference_uid):
        warnings.warn(
            "Regions were projected onto a planar view of another frame of reference, as if the patient lay the same.",
            AssumptionWarning,
            stacklevel=2,
        )
    directions = np.abs(labels.geometry.affine[:3, :3]) / labels.geometry.spacing_mm
    if min(directions[2, 0], directions[1, 1], directions[0, 2]) < 0.99:
        raise GeometryError("Regions can be projected from axial slices only.")
    rows, columns = planar.counts.shape[2:]
    z = first_mm[2] - np.arange(rows) * planar.pixel_mm[0]
    x = first_mm[0] + sign * np.arange(columns) * planar.pixel_mm[1]
    middle = labels.geometry.to_lps((np.asarray(labels.geometry.shape) - 1) / 2.0)
    grid_x, grid_z = np.meshgrid(x, z)
    if view_to_labels is not None:
        there = np.stack((grid_x, grid_z, np.ones_like(grid_x)), axis=-1) @ view_to_labels.T
        grid_x, grid_z = there[..., 0], there[..., 1]
    index = np.rint(labels.geometry.to_index(np.stack((grid_x, np.full_like(grid_x, middle[1]), grid_z), axis=-1)))
    k, i = index[..., 0].astype(np.int64), index[..., 2].astype(np.int64)
    seen = (k >= 0) & (k < labels.geometry.shape[0]) & (i >= 0) & (i < labels.geometry.shape[2])
    k, i = np.where(seen, k, 0), np.where(seen, i, 0)
    pixel_to_voxel = math.prod(planar.pixel_mm) / (labels.geometry.spacing_mm[0] * labels.geometry.spacing_mm[2])
    masks: dict[str, NDArray[np.bool_]] = {}
    for region in regions:
        shadow = (labels.array == region.label).any(axis=1)
        mask = shadow[k, i] & seen
        if mask.sum() * pixel_to_voxel < _SMALLEST_PART * shadow.sum() or not mask.any():
            warnings.warn(
                f"The region '{region.name}' lies outside the {planar.view_names[view]} view and is left out there.",
                AssumptionWarning,
                stacklevel=2,
            )
            continue
        masks[region.name] = mask
    return _references_without_lesions(masks, regions)


def _placed_view(planar: PlanarImages, view: int) -> tuple[NDArray[np.float64], float]:
    """Return the LPS place of a view's first pixel and its columns' direction along x."""
    if not 0 <= view < len(planar.view_names):
        raise InputError(f"The planar images have {len(planar.view_names)} views; there is no view {view}.")
    if planar.view_names[view] not in _COLUMN_SIGN:
        raise GeometryError(
            f"Regions can be projected onto anterior and posterior views only; this one is '{planar.view_names[view]}'."
        )
    if planar.first_pixel_mm is None:
        raise MissingInformationError(
            "The planar images do not say where they lie (Image Position in Detector Information), so regions cannot "
            "be projected onto them; draw the regions on the planar views."
        )
    return np.asarray(planar.first_pixel_mm[view], dtype=np.float64), _COLUMN_SIGN[planar.view_names[view]]


def _references_without_lesions(
    masks: dict[str, NDArray[np.bool_]], regions: Sequence[Region]
) -> dict[str, NDArray[np.bool_]]:
    lesions = [masks[r.name] for r in regions if r.role == "lesion" and r.name in masks]
    covered = np.logical_or.reduce(lesions) if lesions else None
    kept = {}
    for region in regions:
        if region.name not in masks:
            continue
        mask = masks[region.name]
        if region.role == "reference" and covered is not None:
            mask = mask & ~covered
        if mask.any():
            kept[region.name] = mask
        else:
            warnings.warn(
                f"The reference region '{region.name}' lies behind lesions in this view and is not measured there.",
                AssumptionWarning,
                stacklevel=3,
            )
    return kept


def planar_thresholds(
    planar: PlanarImages,
    window: int,
    masks: Mapping[str, NDArray[np.bool_]],
    *,
    view: int,
    half_life_s: float,
    fraction: float = 0.4,
) -> dict[str, float]:
    """Set one threshold a region for the sizes at all times: a fraction of its hottest pixel at the latest time.

    Returns
    -------
    dict
        Region's name to threshold, decay-corrected counts/s/pixel.
    """
    to_start, to_injection = _decay_factors(planar, view, half_life_s)
    rate = to_start * to_injection / float(planar.view_duration_s[view])
    return {
        name: fraction * rate * float(planar.counts[window, view][mask].max(initial=0)) for name, mask in masks.items()
    }


def measure_planar(
    planar: PlanarImages,
    window: int,
    masks: Mapping[str, NDArray[np.bool_]],
    *,
    view: int,
    time_point: TimePoint,
    half_life_s: float,
    common_threshold_fraction: float = 0.4,
    thresholds: Mapping[str, float] | None = None,
    pixel_area_mm2: float | None = None,
) -> tuple[Measurement, ...]:
    """Measure every region in one planar view: counts/s/pixel with their counting error.

    The frame's mean rate is taken to the frame's start, lambda T / (1 - exp(-lambda T)), unless the camera already
    did (``DECY``), and from there to the injection where its time is known.

    Parameters
    ----------
    planar : PlanarImages
    window : int
        Index of the photopeak window.
    masks : mapping
        Region's name to its (rows, columns) mask in this view.
    view : int
    time_point : TimePoint
    half_life_s : float
    common_threshold_fraction : float
        The size counts pixels above this part of the region's own maximum, unless `thresholds` are given.
    thresholds : mapping or None
        From `planar_thresholds`: decay-corrected values that make sizes at several times comparable; the size of a
        region without one is NaN.
    pixel_area_mm2 : float or None
        Of the pixel that rates are given for, where another time has larger or smaller ones; None takes this view's.

    Returns
    -------
    tuple of Measurement
        The mean's standard deviation is exactly that of its counts, which `comparison.ratio` relies on.

    Raises
    ------
    InputError
        There is no such window or view, or a mask is empty or of another shape.
    """
    windows, views = planar.counts.shape[:2]
    if not (0 <= window < windows and 0 <= view < views):
        raise InputError(f"The planar images have {windows} windows and {views} views; not {window} and {view}.")
    counts = np.asarray(planar.counts[window, view], dtype=np.float64)
    to_start, to_injection = _decay_factors(planar, view, half_life_s)
    hours = planar.header.hours_after_injection
    rate = to_start * to_injection / float(planar.view_duration_s[view])
    if pixel_area_mm2 is not None:
        rate *= pixel_area_mm2 / math.prod(planar.pixel_mm)
    result = []
    for name, mask in masks.items():
        if mask.shape != counts.shape or not np.any(mask):
            raise InputError(f"The planar region '{name}' is empty or does not fit the image of {counts.shape} pixels.")
        pixels = np.argwhere(mask)
        values = counts[mask]
        hottest = int(values.argmax())
        mean = scaled(counts_interval(float(values.sum())), rate / len(values))
        maximum = float(values[hottest]) * rate
        threshold = common_threshold_fraction * maximum if thresholds is None else thresholds.get(name, math.nan)
        result.append(
            Measurement(
                region=name,
                time_point=time_point,
                hours=math.nan if hours is None else hours,
                modality=f"planar {planar.view_names[view]}",
                unit="counts/view/pixel" if planar.header.duration_assumed else "counts/s/pixel",
                mean=mean,
                maximum=maximum,
                hottest_mm=_pixel_place(planar, view, pixels[hottest]),
                raw_mean=mean.value / to_injection,
                size=count_above(values * rate, threshold) * math.prod(planar.pixel_mm) / 100.0,
                size_unit="cm2",
            )
        )
    return tuple(result)


def _decay_factors(planar: PlanarImages, view: int, half_life_s: float) -> tuple[float, float]:
    """Return the factors from the frame's mean to its start, and from there to the injection (1 where unknown)."""
    corrected = "DECY" in planar.header.corrections
    to_start = 1.0 if corrected else frame_start_factor(half_life_s, float(planar.view_duration_s[view]))
    hours = planar.header.hours_after_injection
    if hours is None:
        return to_start, 1.0
    if corrected:
        warnings.warn(
            "The camera corrected the planar counts for decay; they are taken to refer to the acquisition's start.",
            AssumptionWarning,
            stacklevel=3,
        )
    return to_start, 1.0 / decay_factor(half_life_s, hours * 3600.0)


def _pixel_place(planar: PlanarImages, view: int, pixel: NDArray[np.int64]) -> tuple[float, float, float] | None:
    if planar.first_pixel_mm is None or planar.view_names[view] not in _COLUMN_SIGN:
        return None
    x, y, z = planar.first_pixel_mm[view]
    sign = _COLUMN_SIGN[planar.view_names[view]]
    return float(x + sign * pixel[1] * planar.pixel_mm[1]), float(y), float(z - pixel[0] * planar.pixel_mm[0])
