"""Lesions found in the late image by thresholding around its hottest places."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.segmentation import watershed

from leukospect.data import Image
from leukospect.errors import AssumptionWarning, InputError
from leukospect.quantification.labels import label_image, region_of_label, side_of
from leukospect.quantification.measurements import Region
from leukospect.quantification.mirror import add_mirrors, body_outline, midline_at, midline_x_mm

_SMOOTHING_FWHM_MM = 8.0
_PEAK_DISTANCE_MM = 10.0


def find_lesions(
    late: Image,
    *,
    body: NDArray[np.bool_] | None,
    relative_threshold: float = 0.4,
    minimum_volume_ml: float = 2.0,
    maximum_lesions: int = 5,
    minimum_contrast: float = 3.0,
) -> tuple[Image, tuple[Region, ...]]:
    """Find the hottest places of the late image and their contralateral mirrors.

    Seeds are local maxima of the smoothed image (FWHM 8 mm) inside the body of at least `minimum_contrast` times the
    body's median. From the hottest on, a lesion is what hangs together with its seed above
    ``median + relative_threshold (peak - median)``, so that a weak lesion does not run out into the body; what lies on
    the slope of a hotter peak belongs to that one. Organs that take the agent up are found as well: a region file is
    the better source wherever somebody can draw one.

    Parameters
    ----------
    late : Image
        Uptake, any unit.
    body : (slices, rows, columns) bool array or None
        The body's outline; None estimates it from the image, with a warning.
    relative_threshold : float
        Between 0 and 1.
    minimum_volume_ml : float
    maximum_lesions : int
    minimum_contrast : float

    Returns
    -------
    Image, tuple of Region
        Lesions "lesion 1 (right)", ... hottest first, then their mirrors; no region where nothing stands out.

    Raises
    ------
    InputError
        The image is not finite or holds no uptake, or a parameter is out of range.
    """
    array = np.asarray(late.array, dtype=np.float32)
    if not np.all(np.isfinite(array)):
        raise InputError("The late image holds values that are not finite; lesions cannot be sought in it.")
    if not 0 < relative_threshold < 1 or minimum_contrast < 1 or maximum_lesions < 1:
        raise InputError("Lesions need a relative threshold between 0 and 1, a contrast and a number of at least 1.")
    if body is None:
        body = body_outline(late)
        warnings.warn(
            "The body's outline was estimated from the late image; mirror regions rest on it.",
            AssumptionWarning,
            stacklevel=2,
        )
    if body.shape != array.shape or not np.any(body):
        raise InputError("The body outline is empty or does not fit the late image.")
    found = _grow(late, array, body, relative_threshold, minimum_volume_ml, maximum_lesions, minimum_contrast)
    image = label_image(found, late.geometry)
    midline = midline_x_mm(body, late.geometry)
    regions = []
    for label in range(1, int(found.max()) + 1):
        region = region_of_label(
            image, label, name=f"lesion {label}", role="lesion", source="threshold on the late image"
        )
        side = side_of(region.centroid_mm[0], midline_at(region.centroid_mm, late.geometry, midline))
        regions.append(replace(region, name=f"{region.name} ({side})", side=side))
    return add_mirrors(image, regions, body)


def _grow(
    late: Image,
    array: NDArray[np.float32],
    body: NDArray[np.bool_],
    relative_threshold: float,
    minimum_volume_ml: float,
    maximum_lesions: int,
    minimum_contrast: float,
) -> NDArray[np.integer]:
    """Label the lesions 1, 2, ... from the hottest on; (slices, rows, columns)."""
    spacing = np.asarray(late.geometry.spacing_mm)
    smooth = ndimage.gaussian_filter(array, _SMOOTHING_FWHM_MM / 2.355 / spacing)
    background = float(np.median(smooth[body]))
    if background <= 0:
        background = float(smooth[body].mean())
    if background <= 0:
        raise InputError("The late image holds no uptake inside the body; lesions cannot be sought in it.")
    seeds = _seeds(smooth, body & (smooth >= minimum_contrast * background), spacing)
    markers = np.zeros(array.shape, dtype=np.int32)
    markers[tuple(seeds.T)] = np.arange(1, len(seeds) + 1)
    basins = watershed(-smooth, markers, mask=body) if len(seeds) else markers
    free = body.copy()
    found = np.zeros(array.shape, dtype=np.uint16)
    count = 0
    for seed in map(tuple, seeds):
        if not free[seed] or count == maximum_lesions:
            continue
        threshold = background + relative_threshold * (smooth[seed] - background)
        parts, _ = ndimage.label(free & (smooth > threshold))
        lesion = parts == parts[seed]
        free &= ~np.isin(basins, basins[lesion & (markers > 0)])
        if np.count_nonzero(lesion) * late.geometry.voxel_volume_ml >= minimum_volume_ml:
            count += 1
            found[lesion] = count
    return found


def _seeds(
    smooth: NDArray[np.float32], candidates: NDArray[np.bool_], spacing_mm: NDArray[np.float64]
) -> NDArray[np.int64]:
    """Return local maxima among the candidates, hottest first, (seeds, 3) indices."""
    size = tuple(2 * int(np.ceil(_PEAK_DISTANCE_MM / s)) + 1 for s in spacing_mm)
    peaks = np.argwhere(candidates & (smooth == ndimage.maximum_filter(smooth, size=size)))
    order = np.argsort(-smooth[tuple(peaks.T)], kind="stable")
    return np.asarray(peaks[order], dtype=np.int64)
