"""Lesions found in the late image: its foci, grown to regions, told apart from physiological uptake, and mirrored."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.segmentation import watershed

from leukospect.data import Image
from leukospect.errors import AssumptionWarning, InputError
from leukospect.quantification.contrast_maps import EarlierImage, mean_of_times
from leukospect.quantification.ct_tissues import Surfaces
from leukospect.quantification.foci import MINIMUM_CONTRAST, Focus, find_foci
from leukospect.quantification.labels import label_image, region_of_label, side_of
from leukospect.quantification.measurements import IN_BOTH, IN_LATE, Finding, Region
from leukospect.quantification.mirror import add_mirrors, body_outline, midline_at, midline_x_mm
from leukospect.quantification.physiological import tell_physiological
from leukospect.quantification.physiological_signs import Growth

# Standard deviation of what a focus is grown on: 8 mm FWHM, and more for one that stood out on a larger scale only.
_LEAST_SMOOTHING_MM, _SMOOTHING_SCALES = 3.4, 0.5
# A focus is not grown beyond a ball of so many times its scale: more is the tissue round it.
_LARGEST_SCALES = 4.5
# Two foci are one where the saddle between them is above so much of the lower one, over the background.
_VALLEY = 0.8
_OTHER_COURSE = 2.0
# What runs out to one side of its focus, by more than so many scales, touches something else, or is an organ.
# Organs are large, and still are near their top.
_OFF_SCALES, _ORGAN_ML, _TOP_OF_ORGAN, _TOP_OF_ORGAN_ML = 1.7, 120.0, 0.7, 20.0
# Beside a larger structure, a few voxels are its edge or its noise.
_LEAST_HIDDEN_ML = 2.0
# A small focus so much hotter than the larger ones nearer than so many of their scales is one by itself.
_OUTSHINES, _HOLDS_SCALES, _SURE_BY_ITSELF = 1.4, 3.5, 8.0
_THRESHOLD_STEP, _HIGHEST_THRESHOLD = 0.1, 0.8


def find_lesions(
    late: Image,
    *,
    body: NDArray[np.bool_] | None,
    relative_threshold: float = 0.4,
    minimum_volume_ml: float = 1.0,
    maximum_lesions: int = 20,
    minimum_contrast: float = MINIMUM_CONTRAST,
    false_discovery_rate: float = 0.05,
    noise: Sequence[Image] = (),
    surfaces: Surfaces | None = None,
    growth: Mapping[str, Growth] | None = None,
) -> tuple[Image, tuple[Region, ...]]:
    """Find the lesions of the late image and their contralateral mirrors, and tell what is physiological.

    `find_candidates`, `tell_physiological` and `with_mirrors`, one after the other. A region file is the better source
    wherever somebody can draw one.

    Parameters
    ----------
    late : Image
        Uptake, any unit.
    body : (slices, rows, columns) bool array or None
        The body's outline; None estimates it from the image, with a warning.
    relative_threshold, minimum_volume_ml, minimum_contrast, false_discovery_rate, noise
        As in `find_candidates`.
    maximum_lesions : int
        Of more, the hottest are taken, with a warning.
    surfaces, growth
        As in `tell_physiological`.

    Returns
    -------
    Image, tuple of Region
        Lesions "lesion 1 (right)", ... hottest first, then what is physiological, then the lesions' mirrors; no region
        where nothing stands out.

    Raises
    ------
    InputError
        The image is not finite or holds no uptake, or a parameter is out of range.
    """
    body = checked_body(late, body)
    labels, candidates = find_candidates(
        late,
        body=body,
        relative_threshold=relative_threshold,
        minimum_volume_ml=minimum_volume_ml,
        minimum_contrast=minimum_contrast,
        false_discovery_rate=false_discovery_rate,
        noise=noise,
    )
    told = tell_physiological(late, labels, candidates, body, surfaces=surfaces, growth=growth)
    return with_mirrors(labels, told, body, maximum_lesions=maximum_lesions)


def find_candidates(
    late: Image,
    *,
    body: NDArray[np.bool_],
    relative_threshold: float = 0.4,
    minimum_volume_ml: float = 1.0,
    minimum_contrast: float = MINIMUM_CONTRAST,
    false_discovery_rate: float = 0.05,
    noise: Sequence[Image] = (),
    earlier: EarlierImage | None = None,
) -> tuple[Image, tuple[Region, ...]]:
    """Find the foci of the late image, and grow each to a region.

    From the hottest focus on, a region is what hangs together with it above
    ``background + relative_threshold (peak - background)``, the background being the ring round the focus; what lies on
    the slope of a hotter focus belongs to that one. Where that is more than a focus of its scale can fill, the
    threshold is raised.

    Parameters
    ----------
    late : Image
    body : (slices, rows, columns) bool array
    relative_threshold : float
        Between 0 and 1.
    minimum_volume_ml : float
        Smaller regions are left out.
    minimum_contrast, false_discovery_rate, noise, earlier
        As in `find_foci`.

    Returns
    -------
    Image, tuple of Region
        All of them lesions, hottest first, without reference regions.

    Raises
    ------
    InputError
        The image is not finite or holds no uptake, or a parameter is out of range.
    """
    array = np.asarray(late.array, dtype=np.float32)
    if not np.all(np.isfinite(array)):
        raise InputError("The late image holds values that are not finite; lesions cannot be sought in it.")
    if float(array[body].mean()) <= 0:
        raise InputError("The late image holds no uptake inside the body; lesions cannot be sought in it.")
    if not 0 < relative_threshold < 1 or not 0 < false_discovery_rate < 1 or minimum_contrast < 1:
        raise InputError(
            "Lesions need a relative threshold and a false-discovery rate between 0 and 1 and a contrast of at least 1."
        )
    foci = find_foci(
        late,
        body,
        noise,
        false_discovery_rate=false_discovery_rate,
        minimum_contrast=minimum_contrast,
        earlier=earlier,
    )
    both = None if earlier is None else mean_of_times(late, body, noise, earlier)
    seen = [focus for focus in foci if not focus.hidden or _by_itself(focus, foci, late)]
    found, kept = _grown(late, body, seen, relative_threshold, minimum_volume_ml, both)
    rest = body & ~ndimage.binary_dilation(found > 0)
    hidden = [focus for focus in foci if focus not in seen and rest[focus.index]]
    more, kept_more = _grown(late, rest, hidden, relative_threshold, max(minimum_volume_ml, _LEAST_HIDDEN_ML), both)
    found[more > 0] = more[more > 0] + len(kept)
    kept += kept_more
    image = label_image(found, late.geometry)
    midline = midline_x_mm(body, late.geometry)
    regions = []
    for label, focus in enumerate(kept, start=1):
        source = IN_BOTH if focus.in_both else IN_LATE
        region = region_of_label(image, label, name=f"focus {label}", role="lesion", source=source)
        side = side_of(region.centroid_mm[0], midline_at(region.centroid_mm, late.geometry, midline))
        finding = Finding(
            focus.contrast, focus.contrast_to_noise, focus.false_discovery_rate, focus.scale_mm,
            focus.growth, focus.growth_error,
        )  # fmt: skip
        regions.append(replace(region, side=side, finding=finding))
    return image, tuple(regions)


def _by_itself(hidden: Focus, foci: Sequence[Focus], image: Image) -> bool:
    """Tell whether a hidden focus is far hotter than the larger ones that would hold it, or of another course.

    It must be sure by itself: noise within a bright place makes many such maxima.
    """
    spacing = np.asarray(image.geometry.spacing_mm)
    near = [
        focus
        for focus in foci
        if not focus.hidden
        and focus.scale_mm > hidden.scale_mm
        and np.linalg.norm((np.array(focus.index) - np.array(hidden.index)) * spacing) <= _HOLDS_SCALES * focus.scale_mm
    ]
    return bool(near and hidden.contrast_to_noise >= _SURE_BY_ITSELF) and all(
        hidden.contrast >= _OUTSHINES * focus.contrast or _another_course(hidden, focus) for focus in near
    )


def with_mirrors(
    labels: Image, candidates: Sequence[Region], body: NDArray[np.bool_], *, maximum_lesions: int = 20
) -> tuple[Image, tuple[Region, ...]]:
    """Give lesions and physiological places their numbers, and the lesions their mirrors.

    Parameters
    ----------
    labels : Image
    candidates : sequence of Region
        Hottest first, as `tell_physiological` gives them.
    body : (slices, rows, columns) bool array
    maximum_lesions : int

    Returns
    -------
    Image, tuple of Region
        As in `find_lesions`.
    """
    if maximum_lesions < 1:
        raise InputError(f"At least one lesion must be allowed; found {maximum_lesions}.")
    lesions = [region for region in candidates if region.role == "lesion"]
    if len(lesions) > maximum_lesions:
        warnings.warn(
            f"{len(lesions)} foci were found, and the {maximum_lesions} hottest are measured: regions.maximum_lesions.",
            AssumptionWarning,
            stacklevel=2,
        )
    kept = (*lesions[:maximum_lesions], *(region for region in candidates if region.role == "physiological"))
    numbered = np.zeros(labels.array.shape, dtype=np.uint16)
    regions = []
    for label, region in enumerate(kept, start=1):
        numbered[labels.array == region.label] = label
        word = region.likely or "lesion"
        alike = sum(earlier.likely == region.likely for earlier in kept[:label])
        regions.append(replace(region, label=label, name=f"{word} {alike} ({region.side})"))
    return add_mirrors(label_image(numbered, labels.geometry), regions, body)


def checked_body(late: Image, body: NDArray[np.bool_] | None) -> NDArray[np.bool_]:
    """Return the body's outline, estimated from the image where there is none, with a warning."""
    if body is None:
        body = body_outline(late)
        warnings.warn(
            "The body's outline was estimated from the late image; mirror regions rest on it.",
            AssumptionWarning,
            stacklevel=3,
        )
    if body.shape != late.array.shape or not np.any(body):
        raise InputError("The body outline is empty or does not fit the late image.")
    return body


def _grown(
    late: Image,
    body: NDArray[np.bool_],
    foci: Sequence[Focus],
    relative_threshold: float,
    minimum_volume_ml: float,
    both: Image | None,
) -> tuple[NDArray[np.uint16], list[Focus]]:
    """Label the grown foci 1, 2, ... from the hottest on, (slices, rows, columns), and give theirs in that order."""
    grounds = _grounds(late, body, foci, both)
    spacing, voxel_ml = np.asarray(late.geometry.spacing_mm), late.geometry.voxel_volume_ml
    peaks = [(_climbed(grounds[_ground(focus)], body, focus, spacing), focus) for focus in foci]
    peaks.sort(key=lambda each: -float(grounds[_ground(each[1])][each[0]]))
    markers = np.zeros(late.array.shape, dtype=np.int32)
    for number, (peak, _) in enumerate(peaks, start=1):
        if not markers[peak]:
            markers[peak] = number
    least = np.asarray((both or late).array, dtype=np.float32)
    relief = ndimage.gaussian_filter(least, _LEAST_SMOOTHING_MM / spacing)
    basins = watershed(-relief, markers, mask=body) if peaks else markers
    free = body.copy()
    found = np.zeros(late.array.shape, dtype=np.uint16)
    kept: list[Focus] = []
    for peak, focus in peaks:
        if not free[peak]:
            continue
        smooth = grounds[_ground(focus)]
        lesion = _hanging_together(smooth, free, peak, focus, relative_threshold, spacing)
        lesion = _without_others(lesion, smooth, basins, markers, peak, [one for _, one in peaks])
        free &= ~np.isin(basins, basins[lesion & (markers > 0)])
        if np.count_nonzero(lesion) * voxel_ml >= minimum_volume_ml:
            kept.append(focus)
            found[lesion] = len(kept)
    return found, kept


def _ground(focus: Focus) -> tuple[bool, float]:
    return focus.in_both, focus.scale_mm


def _grounds(
    late: Image, body: NDArray[np.bool_], foci: Sequence[Focus], both: Image | None
) -> dict[tuple[bool, float], NDArray[np.float32]]:
    """Smooth what each focus is grown on, the late image or the mean of both times, as suits its scale."""
    spacing = np.asarray(late.geometry.spacing_mm)
    return {
        (in_both, scale): ndimage.gaussian_filter(
            np.asarray((both if in_both and both is not None else late).array, dtype=np.float32),
            max(_LEAST_SMOOTHING_MM, _SMOOTHING_SCALES * scale) / spacing,
        )
        for in_both, scale in {_ground(focus) for focus in foci}
    }


def _without_others(
    lesion: NDArray[np.bool_],
    smooth: NDArray[np.float32],
    basins: NDArray[np.int32],
    markers: NDArray[np.int32],
    peak: tuple[int, int, int],
    foci: Sequence[Focus],
) -> NDArray[np.bool_]:
    """Leave other foci out that a valley or another course parts from this one: they are judged by themselves."""
    others = np.unique(markers[lesion & (markers > 0)])
    focus = foci[markers[peak] - 1]
    top = float(smooth[peak]) - focus.background
    left = lesion.copy()
    for other in others[others != basins[peak]]:
        height = float(smooth[markers == other].max()) - focus.background
        parts, _ = ndimage.label(lesion & (smooth > focus.background + _VALLEY * min(height, top)))
        apart = parts[peak] == 0 or not np.any(parts[markers == other] == parts[peak])
        if apart or _another_course(focus, foci[other - 1]):
            left &= basins != other
    parts, _ = ndimage.label(left)
    return np.asarray(parts == parts[peak]) if parts[peak] else left


def _another_course(one: Focus, other: Focus) -> bool:
    """Tell whether the contrasts of two foci surely changed differently; never where that is not known."""
    error = float(np.hypot(one.growth_error, other.growth_error))
    return bool(abs(np.log(one.growth / other.growth)) > _OTHER_COURSE * error) if error > 0 else False


def _climbed(
    smooth: NDArray[np.float32], body: NDArray[np.bool_], focus: Focus, spacing_mm: NDArray[np.float64]
) -> tuple[int, int, int]:
    """Return the hottest voxel of the body within a focus's scale of its middle."""
    reach = [int(np.ceil(focus.scale_mm / step)) for step in spacing_mm]
    box = tuple(slice(max(0, at - r), at + r + 1) for at, r in zip(focus.index, reach, strict=True))
    inside = np.where(body[box], smooth[box], -np.inf)
    k, j, i = np.unravel_index(int(inside.argmax()), inside.shape)
    return int(box[0].start + k), int(box[1].start + j), int(box[2].start + i)


def _hanging_together(
    smooth: NDArray[np.float32],
    free: NDArray[np.bool_],
    peak: tuple[int, int, int],
    focus: Focus,
    relative_threshold: float,
    spacing_mm: NDArray[np.float64],
) -> NDArray[np.bool_]:
    """Return what hangs together with a peak above a threshold, raised until it is a focus by its size and middle."""
    voxel_ml = float(np.prod(spacing_mm)) / 1000.0
    largest = 4.0 / 3.0 * np.pi * (_LARGEST_SCALES * focus.scale_mm / 10.0) ** 3
    top = np.count_nonzero(_above(smooth, free, peak, focus, max(relative_threshold, _TOP_OF_ORGAN))) * voxel_ml
    part = relative_threshold
    while True:
        lesion = _above(smooth, free, peak, focus, part)
        size = np.count_nonzero(lesion) * voxel_ml
        organ = size > _ORGAN_ML and top > _TOP_OF_ORGAN_ML
        off = 0.0 if size == 0 or organ else _off_middle_mm(lesion, peak, spacing_mm)
        fits = size <= largest and off <= _OFF_SCALES * focus.scale_mm
        if fits or part >= _HIGHEST_THRESHOLD:
            return lesion
        part += _THRESHOLD_STEP


def _above(
    smooth: NDArray[np.float32], free: NDArray[np.bool_], peak: tuple[int, int, int], focus: Focus, part: float
) -> NDArray[np.bool_]:
    """Return what hangs together with a peak above a part of its height over its background."""
    parts, _ = ndimage.label(free & (smooth > focus.background + part * (smooth[peak] - focus.background)))
    return np.asarray(parts == parts[peak]) if parts[peak] else np.zeros(free.shape, dtype=np.bool_)


def _off_middle_mm(lesion: NDArray[np.bool_], peak: tuple[int, int, int], spacing_mm: NDArray[np.float64]) -> float:
    return float(np.linalg.norm((np.argwhere(lesion).mean(axis=0) - peak) * spacing_mm))
