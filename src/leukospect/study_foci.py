"""The foci of a study: found in its last SPECT, told apart by all its times and its CT, and located on that."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from leukospect.ct.metal_segmentation import find_metal
from leukospect.data import Geometry, Image, PlanarImages
from leukospect.protocol import Protocol
from leukospect.quantification.contrast_maps import EarlierImage, mean_of_times
from leukospect.quantification.ct_tissues import Surfaces, tissues_of_ct
from leukospect.quantification.lesions import checked_body, find_candidates, with_mirrors
from leukospect.quantification.location import SPECT_FWHM_MM, locate
from leukospect.quantification.measurements import Location, Region
from leukospect.quantification.physiological import tell_physiological
from leukospect.quantification.physiological_signs import Growth
from leukospect.quantification.spect import region_means
from leukospect.resampling import resampled_images
from leukospect.study_result import SpectResult
from leukospect.time_alignment import Carry

Progress = Callable[[str, float], None]

_BODY_PER_CM = 0.05
_RECOVERED_FWHM_MM, _BLURRED_FWHM_MM = 9.0, 12.0
"""Resolution before the filter with and without the collimator's response in the model, at 10 cm with LEHR."""
_SEED_STEP = 50_021


def found_in_spect(
    spect: Sequence[SpectResult],
    carries: Sequence[Carry],
    surfaces: Surfaces | None,
    protocol: Protocol,
    progress: Progress,
) -> tuple[Image, tuple[Region, ...]]:
    """Find the foci of the last SPECT, tell what is physiological, and give the lesions their mirrors.

    Parameters
    ----------
    spect : sequence of SpectResult
        Earliest first.
    carries : sequence of functions
        Take labels from the grid of the last to that of each earlier one.
    surfaces : Surfaces or None
        Of the CT of the last.
    protocol : Protocol
    progress : function of a stage's name and the fraction of it done
    """
    last, settings = spect[-1], protocol.regions
    body = checked_body(last.recon, _body_of(last))
    noise = [_noise_of(result, protocol, progress) for result in spect]
    earlier = _earlier_of(spect, carries, noise)
    labels, candidates = find_candidates(
        last.recon,
        body=body,
        relative_threshold=settings.relative_threshold,
        minimum_volume_ml=settings.minimum_volume_ml,
        minimum_contrast=settings.minimum_contrast,
        false_discovery_rate=settings.false_discovery_rate,
        noise=noise[-1],
        earlier=earlier,
    )
    growth = _growth(spect, carries, labels, candidates, noise)
    seen = last.recon if earlier is None else mean_of_times(last.recon, body, noise[-1], earlier)
    told = tell_physiological(seen, labels, candidates, body, surfaces=surfaces, growth=growth)
    return with_mirrors(labels, told, body, maximum_lesions=settings.maximum_lesions)


def _body_of(result: SpectResult) -> NDArray[np.bool_] | None:
    return None if result.anatomy is None else np.asarray(result.anatomy.array) > _BODY_PER_CM


def _noise_of(result: SpectResult, protocol: Protocol, progress: Progress) -> list[Image]:
    """Reconstruct counts drawn anew and take off the image: its noise, and nothing else."""
    if result.counts is None:
        return []
    seeds = [protocol.uncertainty.seed + _SEED_STEP * (draw + 1) for draw in range(protocol.regions.noise_draws)]
    return [
        Image(np.asarray(drawn.array) - np.asarray(result.recon.array), result.recon.geometry)
        for drawn in resampled_images(result.counts, protocol, seeds, lambda done: progress("drawing the noise", done))
    ]


def noise_of_planar(planar: PlanarImages, slab: Image, protocol: Protocol, *, view: int, window: int) -> list[Image]:
    """Draw the counts of a view anew and take off the view, on the grid and in the unit of its slab."""
    counts = np.asarray(planar.counts[window, view], dtype=np.float64)
    rate = 1.0 / float(planar.view_duration_s[view])
    noise = []
    for draw in range(protocol.regions.noise_draws):
        drawn = np.random.default_rng(protocol.uncertainty.seed + _SEED_STEP * (draw + 1)).poisson(counts)
        noise.append(Image(((drawn - counts) * rate).astype(np.float32)[:, None, :], slab.geometry, slab.unit))
    return noise


def _earlier_of(
    spect: Sequence[SpectResult], carries: Sequence[Carry], noise: Sequence[Sequence[Image]]
) -> EarlierImage | None:
    """Bring the SPECT before the last onto the grid of that; none where the two were corrected differently."""
    if len(spect) < 2 or set(spect[-2].corrections) != set(spect[-1].corrections):
        return None
    brought, known = onto_late_grid((spect[-2].recon, *noise[-2]), carries[len(spect) - 2], spect[-1].recon.geometry)
    return EarlierImage(brought[0], known, brought[1:])


def onto_late_grid(
    images: Sequence[Image], carry: Carry, late: Geometry
) -> tuple[tuple[Image, ...], NDArray[np.bool_]]:
    """Bring images of an earlier time onto the late grid, by what carries labels the other way.

    Parameters
    ----------
    images : sequence of Image
        On one grid.
    carry : function
        Takes labels from the late grid to that one.
    late : Geometry

    Returns
    -------
    images : tuple of Image
        A late voxel has the mean of the earlier ones that lie in it, else that of the nearest voxel in which some do.
    known : (slices, rows, columns) bool array
        Where the earlier field of view reaches.
    """
    size = int(np.prod(late.shape))
    numbered = np.arange(1, size + 1, dtype=np.int32).reshape(late.shape)
    places = np.asarray(carry(Image(numbered, late)).array).ravel()
    counted = np.bincount(places, minlength=size + 1)[1:].reshape(late.shape)
    held = counted > 0
    nearest = tuple(ndimage.distance_transform_edt(~held, late.spacing_mm, return_distances=False, return_indices=True))
    brought = []
    for image in images:
        total = np.bincount(places, np.asarray(image.array, np.float64).ravel(), size + 1)[1:].reshape(late.shape)
        mean = (total / np.maximum(counted, 1)).astype(np.float32)
        brought.append(Image(mean[nearest], late, image.unit))
    # A turned grid leaves single voxels without any of the earlier ones; those take their neighbour's.
    known = held | ndimage.binary_closing(np.pad(held, 1, mode="edge"))[1:-1, 1:-1, 1:-1]
    return tuple(brought), known


def _growth(
    spect: Sequence[SpectResult],
    carries: Sequence[Carry],
    labels: Image,
    regions: Sequence[Region],
    noise: Sequence[Sequence[Image]],
) -> dict[str, Growth]:
    """Divide each region's last uptake by its earliest, decay-corrected; none where the two cannot be compared."""
    if len(spect) < 2 or not regions:
        return {}
    first, last = spect[0], spect[-1]
    alike = first.recon.unit == last.recon.unit and set(first.corrections) == set(last.corrections)
    if not alike or first.decay_to_injection is None or last.decay_to_injection is None:
        return {}
    earlier, earlier_error = _mean_and_error(first, carries[0](labels), regions, noise[0])
    later, later_error = _mean_and_error(last, labels, regions, noise[-1])
    error = np.hypot(earlier_error, later_error)
    return {
        region.name: Growth(float(late / early) if early > 0 else math.inf, float(relative))
        for region, early, late, relative in zip(regions, earlier, later, error, strict=True)
        if np.isfinite(early)
    }


def _mean_and_error(
    result: SpectResult, labels: Image, regions: Sequence[Region], noise: Sequence[Image]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Average each region, decay-corrected, and its noise: means and their relative standard deviations."""
    means = region_means(result.recon.array, labels.array, regions)
    if not noise:
        return means * (result.decay_to_injection or 1.0), np.zeros(len(regions))
    drawn = np.array([region_means(one.array, labels.array, regions) for one in noise])
    with np.errstate(divide="ignore", invalid="ignore"):
        relative = np.sqrt(np.mean(drawn**2, axis=0)) / means
    return means * (result.decay_to_injection or 1.0), np.nan_to_num(relative, posinf=0.0)


def surfaces_of(result: SpectResult, protocol: Protocol) -> Surfaces | None:
    """Find metal, bone, gas and skin in the CT of a SPECT; None without one."""
    ct = result.corrected_ct
    if ct is None:
        return None
    metal = _metal_of(result, protocol)
    return Surfaces(tissues_of_ct(ct, metal), result.spect_to_ct)


def _metal_of(result: SpectResult, protocol: Protocol) -> Image | None:
    """Give what the metal reduction found or, without one, what is found for this alone."""
    if result.reduction is not None:
        return result.reduction.metal
    assert result.ct is not None
    found: NDArray[np.bool_] = find_metal(result.ct.image, protocol.metal.threshold_hu)
    return Image(found.view(np.uint8), result.ct.image.geometry, "1") if found.any() else None


def locations_of(
    result: SpectResult, labels: Image, regions: Sequence[Region], surfaces: Surfaces | None, protocol: Protocol
) -> tuple[Location, ...]:
    """Locate every lesion that holds uptake on the CT of a SPECT; empty without one."""
    if surfaces is None:
        return ()
    error = math.nan if result.registration is None else result.registration.misalignment_mm
    array = np.asarray(labels.array)
    located = []
    for region in regions:
        members = array == region.label
        if region.role == "lesion" and float(np.asarray(result.recon.array)[members].max(initial=0.0)) > 0:
            located.append(
                locate(
                    result.recon,
                    members,
                    surfaces,
                    name=region.name,
                    side=region.side,
                    registration_error_mm=error,
                    resolution_mm=_resolution_mm(result, protocol),
                )
            )
    return tuple(located)


def _resolution_mm(result: SpectResult, protocol: Protocol) -> float:
    """Tell the FWHM of a SPECT roughly: what is left of the camera's blur, and the filter."""
    if result.counts is None:
        return SPECT_FWHM_MM
    settings = protocol.reconstruction
    camera = _RECOVERED_FWHM_MM if settings.resolution and settings.algorithm != "fbp" else _BLURRED_FWHM_MM
    return math.hypot(camera, settings.post_filter_fwhm_mm)
