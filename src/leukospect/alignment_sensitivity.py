"""How uptake and ratios hang on the alignment: the attenuation map, and the regions, moved a little against the SPECT.

A gated registration leaves up to a pixel. Each motion's map corrects the same counts anew; two passes show what it
changes, as attenuation acts in the first ones already, and are compared with two passes of the map in its place.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import get_args

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from leukospect.ct.attenuation_map import completed_along_axis
from leukospect.data import Image
from leukospect.errors import AssumptionWarning
from leukospect.field_of_view import FieldOfView
from leukospect.protocol import Protocol
from leukospect.quantification.measurements import Region, TimePoint
from leukospect.quantification.misalignment import (
    AlignmentSensitivity,
    MisalignmentEffect,
    Motion,
    MovedPart,
    effects_of,
    expected_deviations,
    small_motions,
)
from leukospect.quantification.spect import region_means
from leukospect.registration import resample
from leukospect.spect_settings import prepared
from leukospect.study_measurement import PlacedRegions
from leukospect.study_result import MeasuredCounts, SpectResult
from leukospect.time_alignment import TimeAlignment

Progress = Callable[[str, float], None]

TURN_DEG = 2.0
_PASSES = 2
_BODY_PER_CM = 0.05


def sensitivity_to_alignment(
    spect: Sequence[SpectResult],
    placed: PlacedRegions,
    protocol: Protocol,
    threads: int | None,
    progress: Progress,
    *,
    of_planar: Sequence[MisalignmentEffect] = (),
) -> AlignmentSensitivity | None:
    """Move the attenuation map, and the regions, by a pixel and two degrees, and measure the regions again.

    Parameters
    ----------
    spect : sequence of SpectResult
    placed : PlacedRegions
    protocol : Protocol
    threads : int or None
        The result does not depend on it.
    progress : function of a stage's name and the fraction of it done
    of_planar : sequence of MisalignmentEffect
        What was found in planar views, to be told beside.

    Returns
    -------
    AlignmentSensitivity or None
        None where there are no regions, or `registration.sensitivity` is off. The map is moved where one
        was applied here; the regions are, at the times that they were carried to.
    """
    if not placed.regions or not protocol.registration.sensitivity:
        return None
    found: list[MisalignmentEffect] = []
    shift = max((max(result.recon.geometry.spacing_mm) for result in spect), default=0.0)
    shift = shift or max((one.displaced_mm for one in of_planar), default=0.0)
    for number, result in enumerate(spect):
        motions = small_motions(max(result.recon.geometry.spacing_mm), TURN_DEG, _middle_mm(result))
        if result.counts is not None and result.counts.maps and protocol.reconstruction.algorithm != "fbp":
            found += _with_map_moved(result, result.counts, placed, number, motions, protocol, threads, progress)
        if number < len(spect) - 1:
            found += _with_regions_moved(result, placed, number, motions)
    found += of_planar
    return AlignmentSensitivity(shift, TURN_DEG, _PASSES, tuple(found)) if found else None


def deviations_of_ratios(
    sensitivity: AlignmentSensitivity | None,
    spect: Sequence[SpectResult],
    placed: PlacedRegions,
    planar: Sequence[TimeAlignment] = (),
) -> dict[tuple[str, TimePoint, str], float]:
    """Tell how far misalignment is expected to put each ratio off: what motions change, by the error of registration.

    Parameters
    ----------
    sensitivity : AlignmentSensitivity or None
    spect : sequence of SpectResult
        How well each SPECT was registered to its CT; where that was not estimated, a pixel is expected.
    placed : PlacedRegions
        How well the times were.
    planar : sequence of TimeAlignment
        How well those of planar views were.

    Returns
    -------
    dict
        As `misalignment.expected_deviations`; empty where nothing was moved.
    """
    if sensitivity is None:
        return {}
    expected: dict[tuple[MovedPart, TimePoint, str], float] = {}
    for result in spect:
        if result.registration is not None:
            expected["attenuation map", result.time_point or "late", "spect"] = result.registration.misalignment_mm
    for result, alignment in zip(spect[:-1], placed.alignments, strict=False):
        expected["regions", result.time_point or "late", "spect"] = alignment.expected_error_mm
    for alignment in planar:
        for time in get_args(TimePoint):
            if time == alignment.time_point:
                for view in ("anterior", "posterior", "geometric mean"):
                    expected["regions", time, f"planar {view}"] = alignment.expected_error_mm
    return expected_deviations(sensitivity.effects, expected)


def _middle_mm(result: SpectResult) -> NDArray[np.float64]:
    """Give the middle of the body, LPS mm."""
    image = result.recon if result.anatomy is None else result.anatomy
    level = _BODY_PER_CM if result.anatomy is not None else float(image.array.mean(dtype=np.float64))
    inside = np.greater(image.array, level)
    if not inside.any():
        inside = np.ones(image.array.shape, np.bool_)
    return image.geometry.to_lps(np.array(ndimage.center_of_mass(inside)))


def _with_map_moved(
    result: SpectResult,
    measured: MeasuredCounts,
    placed: PlacedRegions,
    number: int,
    motions: Sequence[Motion],
    protocol: Protocol,
    threads: int | None,
    progress: Progress,
) -> list[MisalignmentEffect]:
    time_point, labels = result.time_point or "late", np.asarray(placed.labels[number].array)
    passes = {"algorithm": "osem", "iterations": min(_PASSES, protocol.reconstruction.iterations)}
    quick = protocol.model_copy(update={"reconstruction": protocol.reconstruction.model_copy(update=passes)})
    field = measured.reconstructor.field or FieldOfView.recorded(measured.projections)
    pixel = max(result.recon.geometry.spacing_mm)
    stage = f"moving the attenuation map {result.time_point or ''}".rstrip()

    def means_with(maps: Sequence[Image]) -> NDArray[np.float64]:
        with warnings.catch_warnings():  # said of the reconstruction already
            warnings.simplefilter("ignore", AssumptionWarning)
            model = prepared(measured.projections, measured.peak, maps, field, quick, threads)
        return region_means(model.image(measured.peak).array, labels, placed.regions)

    in_place = means_with(measured.maps)
    found: list[MisalignmentEffect] = []
    for at, motion in enumerate(motions):
        progress(stage, at / len(motions))
        means = means_with([_moved_map(each, motion) for each in measured.maps])
        found += effects_of(
            placed.regions, in_place, means, time_point, "attenuation map", motion.name, displaced_mm=pixel
        )
    progress(stage, 1.0)
    return found


def _moved_map(mu: Image, motion: Motion) -> Image:
    moved = resample(mu, mu.geometry, fixed_to_moving=motion.matrix, anti_alias=False)
    with warnings.catch_warnings():  # of slices beyond the CT, said of the map in its place
        warnings.simplefilter("ignore", AssumptionWarning)
        return completed_along_axis(moved, mu, motion.matrix)


def _with_regions_moved(
    result: SpectResult, placed: PlacedRegions, number: int, motions: Sequence[Motion]
) -> list[MisalignmentEffect]:
    time_point = result.time_point or "late"
    return effects_of_moved_regions(result.recon, placed.labels[number], placed.regions, motions, time_point)


def effects_of_moved_regions(
    image: Image, labels: Image, regions: Sequence[Region], motions: Sequence[Motion], time_point: TimePoint
) -> list[MisalignmentEffect]:
    """Measure an image in its regions moved by each motion, each as far as a voxel's longest edge."""
    array = np.asarray(image.array)
    in_place = region_means(array, np.asarray(labels.array), regions)
    found: list[MisalignmentEffect] = []
    for motion in motions:
        moved = resample(labels, labels.geometry, fixed_to_moving=motion.matrix, interpolation="nearest")
        means = region_means(array, np.asarray(moved.array), regions)
        found += effects_of(
            regions, in_place, means, time_point, "regions", motion.name, displaced_mm=max(image.geometry.spacing_mm)
        )
    return found
