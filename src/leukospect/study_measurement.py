"""From the images of a study to its measurements: regions on every grid, uptake at each time, resampled spread."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from leukospect.data import Geometry, Image, PlanarImages, Study
from leukospect.drawn_regions import DrawnOn, RegionsFile, regions_on_grid
from leukospect.errors import AssumptionWarning
from leukospect.planar_measurement import (
    above_background_of_view,
    photopeak_of_planar,
    planar_slab,
    with_selection_bias,
)
from leukospect.protocol import Protocol
from leukospect.quantification.lesions import find_lesions
from leukospect.quantification.measurements import Location, Measurement, Region, TimePoint
from leukospect.quantification.mirror import body_outline
from leukospect.quantification.misalignment import MisalignmentEffect
from leukospect.quantification.planar import measure_planar, planar_thresholds, project_regions
from leukospect.quantification.planar_combined import (
    geometric_means,
)
from leukospect.quantification.planar_misplaced import effects_in_view, effects_on_geometric_mean
from leukospect.quantification.spect import SpectSamples, common_thresholds, measure_spect
from leukospect.resampling import resampled_samples
from leukospect.study_foci import found_in_spect, locations_of, noise_of_planar, surfaces_of
from leukospect.study_result import SpectResult, ViewMasks
from leukospect.time_alignment import Carry, TimeAlignment, align_planar, alignment_to_earlier

Progress = Callable[[str, float], None]

_PLANAR_CONTRAST = 1.25
"""Least contrast of a lesion in a planar view, where the limb before and behind dilutes it."""


@dataclass(frozen=True, slots=True, eq=False)
class PlacedRegions:
    """The regions of a study on each SPECT's own grid, or on a planar view's where there is no SPECT.

    Parameters
    ----------
    labels : tuple of Image
        One for each SPECT acquisition; a single one, one voxel deep, where there are planar views only.
    regions : tuple of Region
    notes : mapping
        How the times were aligned, one sentence each.
    alignments : tuple of TimeAlignment
        The same with transforms and quality.
    locations : tuple of Location
        Where each lesion lies on the late CT; empty without one.
    found : bool
        In the last image, rather than drawn.
    """

    labels: tuple[Image, ...]
    regions: tuple[Region, ...]
    notes: Mapping[str, str]
    alignments: tuple[TimeAlignment, ...] = ()
    locations: tuple[Location, ...] = ()
    found: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class PlanarMeasured:
    """What the planar views gave.

    Parameters
    ----------
    measurements : tuple of Measurement
    alignments : tuple of TimeAlignment
        Of each time to the last.
    effects : list of MisalignmentEffect
        Of misplacing the regions by a pixel and two degrees.
    masks : tuple of ViewMasks
        Of each of the study's planar images, where they were measured.
    """

    measurements: tuple[Measurement, ...] = ()
    alignments: tuple[TimeAlignment, ...] = ()
    effects: Sequence[MisalignmentEffect] = ()
    masks: tuple[ViewMasks, ...] = ()


def regions_of_study(
    study: Study,
    spect: tuple[SpectResult, ...],
    protocol: Protocol,
    drawn: RegionsFile | None,
    progress: Progress,
) -> PlacedRegions:
    """Take drawn regions, or find them in the last SPECT (or planar view), and carry them to the other times."""
    if not spect:
        return _planar_regions(study, protocol, drawn)
    last = spect[-1]
    carries: list[Carry] = []
    alignments: list[TimeAlignment] = []
    for result in spect[:-1]:
        progress("aligning the times", 0.0)
        carry, alignment = alignment_to_earlier(last, result, protocol)
        carries.append(carry)
        alignments.append(alignment)
        progress("aligning the times", 1.0)
    surfaces = surfaces_of(last, protocol)
    if drawn is not None:
        labels, regions = regions_on_grid(drawn, last.recon.geometry, _drawn_on(last))
    else:
        labels, regions = found_in_spect(spect, carries, surfaces, protocol, progress)
    if not any(region.role == "lesion" for region in regions):
        warnings.warn("No lesion was found; there is nothing to judge.", AssumptionWarning, stacklevel=2)
    notes = {alignment.name: alignment.note for alignment in alignments}
    placed = (*(carry(labels) for carry in carries), labels)
    locations = locations_of(last, labels, regions, surfaces, protocol)
    return PlacedRegions(placed, regions, notes, tuple(alignments), locations, drawn is None)


def measure_spect_times(
    spect: tuple[SpectResult, ...],
    placed: PlacedRegions,
    protocol: Protocol,
    progress: Progress,
    *,
    same_scale: bool = True,
) -> tuple[tuple[Measurement, ...], dict[TimePoint, SpectSamples]]:
    """Measure every region at every time, with the spread of Poisson-resampled reconstructions.

    What its camera reconstructed has no counts to resample, and so no spread. Without `same_scale` the threshold of the
    last time holds for that time only, and sizes at the others are not known.
    """
    if not spect or not placed.regions:
        return (), {}
    samples: dict[TimePoint, SpectSamples] = {}
    for number, result in enumerate(spect):
        samples[result.time_point or "late"] = _samples(result, placed, protocol, number, progress)
    images = [result.recon for result in spect]
    return measure_images(images, spect, placed, samples, same_scale=same_scale), samples


def measure_images(
    images: Sequence[Image],
    spect: Sequence[SpectResult],
    placed: PlacedRegions,
    samples: Mapping[TimePoint, SpectSamples],
    *,
    same_scale: bool = True,
) -> tuple[Measurement, ...]:
    """Measure every region in one image of each SPECT acquisition, the last one's setting the threshold of sizes.

    Parameters
    ----------
    images : sequence of Image
        One for each acquisition, on the grid of its `recon`: that, or what another attenuation map makes of its counts.
    spect : sequence of SpectResult
    placed : PlacedRegions
    samples : mapping
        Resampled means; an interval has their spread relative to their mean, whatever the image's own level.
    same_scale : bool
        As in `measure_spect_times`.
    """
    decays = [result.decay_to_injection or 1.0 for result in spect]
    late = len(spect) - 1
    thresholds = common_thresholds(images[late], placed.labels[late], placed.regions, decay_to_injection=decays[late])
    measurements: tuple[Measurement, ...] = ()
    for number, (image, result) in enumerate(zip(images, spect, strict=True)):
        time_point = result.time_point or "late"
        measurements += measure_spect(
            image,
            placed.labels[number],
            placed.regions,
            time_point=time_point,
            hours=float("nan") if result.hours is None else result.hours,
            decay_to_injection=decays[number],
            replicates=list(samples[time_point].means),
            thresholds=thresholds if same_scale or number == late else {},
            selection_bias=samples[time_point].selection_bias,
        )
    return measurements


def _samples(
    result: SpectResult, placed: PlacedRegions, protocol: Protocol, number: int, progress: Progress
) -> SpectSamples:
    """Resample one time's counts; seeds differ by time and replicate."""
    if result.counts is None:
        return SpectSamples.collect(placed.regions, [])
    first = protocol.uncertainty.seed + 100_003 * number
    stage = f"resampling {result.time_point or 'the counts'}"
    return resampled_samples(
        result.counts, result.recon, placed.labels[number], placed.regions, protocol,
        range(first, first + protocol.uncertainty.replicates), lambda fraction: progress(stage, fraction),
        found_here=placed.found and number == len(placed.labels) - 1,
    )  # fmt: skip


def measure_planar_views(
    study: Study, placed: PlacedRegions, protocol: Protocol, *, beside: tuple[PlanarImages, str, int] | None = None
) -> PlanarMeasured:
    """Measure the regions, projected, in the anterior and posterior views of every time.

    They are projected as they lie in the last planar views; earlier ones are registered to those, and measured where
    the same places are in them. The effects are those of misplacing them by a pixel and two degrees, wherever they were
    carried to: from SPECT to all views, else from the last to the others. `beside` gives other views for the last ones,
    such as the leukocytes' for a marrow scan: with the name of their time and their window.
    """
    if not placed.regions:
        return PlanarMeasured(masks=({},) * len(study.planar))
    found = [_timed(planar, protocol) for planar in study.planar]
    timed = [entry for entry in found if entry is not None]
    to_last, alignments = _planar_to_last(timed, protocol, beside)
    measurements: tuple[Measurement, ...] = ()
    effects: list[MisalignmentEffect] = []
    masks: dict[tuple[int, int], Mapping[str, NDArray[np.bool_]]] = {}
    for name in ("anterior", "posterior"):
        series = [
            (planar, point, planar.view_names.index(name), matrix)
            for (planar, point), matrix in zip(timed, to_last, strict=True)
            if name in planar.view_names
        ]
        measurements += _measure_series(series, placed, protocol, masks)
        effects += _effects_in_series(series, placed, protocol)
    return PlanarMeasured(
        (*measurements, *geometric_means(measurements)),
        alignments,
        [*effects, *effects_on_geometric_mean(effects)],
        tuple({view: each for (of, view), each in masks.items() if of == id(planar)} for planar in study.planar),
    )


def _effects_in_series(
    series: list[tuple[PlanarImages, TimePoint, int, NDArray[np.float64] | None]],
    placed: PlacedRegions,
    protocol: Protocol,
) -> list[MisalignmentEffect]:
    """Move the regions in one view at the times that they were carried to."""
    labels = placed.labels[-1]
    of_views = labels.geometry.shape[1] == 1
    carried = series[:-1] if of_views else series
    if not protocol.registration.sensitivity:
        return []
    return [
        effect
        for planar, time_point, view, to_last in carried
        for effect in effects_in_view(
            planar, photopeak_of_planar(planar, protocol)[0], view, labels, placed.regions, time_point, to_last
        )
    ]


def _planar_to_last(
    timed: list[tuple[PlanarImages, TimePoint]], protocol: Protocol, beside: tuple[PlanarImages, str, int] | None
) -> tuple[list[NDArray[np.float64] | None], tuple[TimeAlignment, ...]]:
    """Find the transform of each planar acquisition's (x, z) to the last one's; None where nothing is to be moved."""
    windows = [photopeak_of_planar(planar, protocol)[0] for planar, _ in timed]
    if beside is None:
        entries = [(planar, point, window) for (planar, point), window in zip(timed, windows, strict=True)]
        aligned = [align_planar(entries[-1], entry, protocol) for entry in entries]
    else:
        others = [(planar, "marrow", window) for (planar, _), window in zip(timed, windows, strict=True)]
        aligned = [align_planar(beside, other, protocol) for other in others]
    return [matrix for matrix, _ in aligned], tuple(one for _, one in aligned if one is not None)


def _timed(planar: PlanarImages, protocol: Protocol) -> tuple[PlanarImages, TimePoint] | None:
    hours = planar.header.hours_after_injection
    if hours is None:
        warnings.warn(
            "Planar images without an injection time are shown but not measured.", AssumptionWarning, stacklevel=2
        )
        return None
    if planar.first_pixel_mm is None:
        warnings.warn(
            "Planar images without a recorded position are shown but not measured: regions cannot be placed on them.",
            AssumptionWarning,
            stacklevel=2,
        )
        return None
    return planar, protocol.time_point(hours)


def _measure_series(
    series: list[tuple[PlanarImages, TimePoint, int, NDArray[np.float64] | None]],
    placed: PlacedRegions,
    protocol: Protocol,
    used: dict[tuple[int, int], Mapping[str, NDArray[np.bool_]]],
) -> tuple[Measurement, ...]:
    """Measure one view at all its times, sizes on the threshold of the last and rates for a pixel of its size.

    The masks that were `used` are noted by the images' identity and the view.
    """
    thresholds: Mapping[str, float] | None = None
    pixel_area_mm2: float | None = None
    measurements: tuple[Measurement, ...] = ()
    for planar, time_point, view, to_last in reversed(series):
        window, half_life_s = photopeak_of_planar(planar, protocol)
        masks = project_regions(placed.labels[-1], placed.regions, planar, view, view_to_labels=to_last)
        used[id(planar), view] = masks
        if thresholds is None:
            thresholds = planar_thresholds(planar, window, masks, view=view, half_life_s=half_life_s)
            pixel_area_mm2 = math.prod(planar.pixel_mm)
        measured = measure_planar(
            planar, window, masks, view=view, time_point=time_point, half_life_s=half_life_s,
            thresholds=thresholds, pixel_area_mm2=pixel_area_mm2,
        )  # fmt: skip
        if placed.found and not measurements and planar.view_names[view] == "anterior":
            measured = with_selection_bias(measured, planar, window, view, placed.labels[-1], placed.regions, protocol)
        measurements = (
            measured + above_background_of_view(measured, planar, window, masks, view, protocol) + measurements
        )
    return measurements


def _drawn_on(last: SpectResult) -> DrawnOn:
    """Tell what a reader may have drawn on: the last SPECT, or its CT."""

    def body() -> NDArray[np.bool_]:
        return body_outline(last.recon) if last.anatomy is None else np.asarray(last.anatomy.array) > 0.05

    return DrawnOn(last.header, None if last.ct is None else last.ct.header, last.spect_to_ct, body)


def _planar_regions(study: Study, protocol: Protocol, drawn: RegionsFile | None) -> PlacedRegions:
    """Place or find regions on the last planar anterior view, taken as a slab one voxel deep."""
    timed = [entry for entry in (_timed(planar, protocol) for planar in study.planar) if entry is not None]
    usable = [planar for planar, _ in timed if "anterior" in planar.view_names]
    if not usable:
        if timed:
            warnings.warn(
                "No planar view is an anterior one, in which regions are placed or found; posterior views alone are "
                "shown, not measured.",
                AssumptionWarning,
                stacklevel=2,
            )
        return PlacedRegions((), (), {})
    last = usable[-1]
    view, window = last.view_names.index("anterior"), photopeak_of_planar(last, protocol)[0]
    slab = planar_slab(last, view, window)
    if drawn is not None:
        grid = _deepened(slab.geometry)
        on = DrawnOn(last.header, body=lambda: np.broadcast_to(body_outline(slab), grid.shape))
        labels, regions = regions_on_grid(drawn, grid, on)
        return PlacedRegions((labels,), regions, {"planar": "The drawn regions were projected onto the views."})
    settings = protocol.regions
    labels, regions = find_lesions(
        slab,
        body=None,
        relative_threshold=settings.relative_threshold,
        minimum_volume_ml=settings.minimum_volume_ml,
        maximum_lesions=settings.maximum_lesions,
        minimum_contrast=min(_PLANAR_CONTRAST, settings.minimum_contrast),
        false_discovery_rate=settings.false_discovery_rate,
        noise=noise_of_planar(last, slab, protocol, view=view, window=window),
    )
    return PlacedRegions((labels,), regions, {"planar": "Regions were found in the last anterior view."}, found=True)


def _deepened(slab: Geometry) -> Geometry:
    """Make a grid with a slab's columns and rows that is as deep as it is wide, to draw solid regions on."""
    slices, _, columns = slab.shape
    axial, _, transverse = slab.spacing_mm
    x, _, z = slab.affine[:3, 3]
    half = (columns - 1) / 2 * transverse
    return Geometry.axial((slices, columns, columns), (-axial, transverse, transverse), (x, -half, z))
