"""SPECT replicates: counts drawn, reconstructed, and drawn anew for their interval, as the program does."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from leukospect.alignment_sensitivity import effects_of_moved_regions
from leukospect.benchmark.uncertainty_cases import CoarseScan, coarse_scan, drawn_regions
from leukospect.benchmark.uncertainty_planar import bounds
from leukospect.benchmark.uncertainty_results import (
    LEVELS,
    SPECT,
    THRESHOLD,
    Bounds,
    Replicate,
    UncertaintySettings,
)
from leukospect.data import Image
from leukospect.interpretation.decision import apply_rule, probability_above
from leukospect.interpretation.rules import load_rule
from leukospect.protocol import load_protocol
from leukospect.quantification.comparison import all_ratios, change
from leukospect.quantification.measurements import Measurement, Ratio, Region
from leukospect.quantification.misalignment import expected_deviations, small_motions
from leukospect.quantification.spect import SpectSamples, measure_spect
from leukospect.resampling import resampled_means

PROTOCOL, SUBSETS = "tc99m-hmpao-spect-ct", 6
"""Of 30 views, five a subset, about as many as the protocol's 15 subsets take of the usual 60 to 120."""
_RULE = "ratio-increase-10"
_RATIOS = (0.9, 2.4)
_TURN_DEG = 2.0
_SHIFTS = 6
"""The first motions are shifts; a turn of so long a body would move its ends far more than a pixel."""


@dataclass(frozen=True, slots=True, eq=False)
class Acquired:
    """A lesion in one acquisition: what was measured with its interval, and the same on expected counts.

    Parameters
    ----------
    lesion : Measurement
    ratio : Ratio
    true_ratio, true_maximum : float
    misplaced, misplaced_total : Bounds
        The ratio in misplaced regions: the interval of counting, and with what misplacing is expected to do.
    """

    lesion: Measurement
    ratio: Ratio
    true_ratio: float
    true_maximum: float
    misplaced: Bounds
    misplaced_total: Bounds


def spect_replicates(
    settings: UncertaintySettings, threads: int | None, report: Callable[[float], None]
) -> list[Replicate]:
    """Acquire the same lesions again and again, their uptake changing, and compare each two acquisitions in a row.

    An acquisition is the later one of one pair and the earlier one of the next; their noise is independent.
    """
    protocol = load_protocol(PROTOCOL, [f"reconstruction.subsets={SUBSETS}"])
    scan = coarse_scan(protocol, settings.spect_lesions, threads=threads)
    pairs = -(-settings.spect_replicates // settings.spect_lesions)
    found: list[Replicate] = []
    for at, level in enumerate(LEVELS):
        ratios, backwards = drawn_ratios(settings, level, pairs + 1)
        uptakes = _uptakes_of(scan, ratios)
        before: list[Acquired] = []
        for number in range(pairs + 1):
            report((at * (pairs + 1) + number) / (len(LEVELS) * (pairs + 1)))
            after = acquire(scan, settings, level, number, uptakes[number])
            for lesion, two in enumerate(zip(before, after, strict=False)):
                pair = two[::-1] if backwards[number - 1, lesion] else two
                replicate = (number - 1) * settings.spect_lesions + lesion
                found.append(_compared(scan, *pair, settings, level, replicate))
            before = after
    report(1.0)
    return found


def drawn_ratios(
    settings: UncertaintySettings, level: str, acquisitions: int
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Draw each lesion's ratio to its reference in each acquisition, so that changes are even between their bounds.

    Which of two acquisitions in a row is the later one makes no difference to their noise: it is chosen so that the
    ratio stays between 0.9 and 2.4, and by chance where both ways do.

    Returns
    -------
    (acquisitions, lesions) array
    (acquisitions - 1, lesions) bool array
        The later one of two comes first.
    """
    rng = np.random.default_rng([settings.first_draw, LEVELS.index(level), 2])
    low, high = _RATIOS
    lesions = settings.spect_lesions
    ratios = [np.exp(rng.uniform(math.log(low), math.log(high), lesions))]
    backwards = []
    for _ in range(acquisitions - 1):
        growth = 1.0 + rng.uniform(settings.change_from, settings.change_to, lesions)
        onwards = (ratios[-1] * growth >= low) & (ratios[-1] * growth <= high)
        other = (ratios[-1] / growth >= low) & (ratios[-1] / growth <= high)
        back = ~onwards | (other & (rng.uniform(size=lesions) < 0.5))
        ratios.append(np.where(back, ratios[-1] / growth, ratios[-1] * growth))
        backwards.append(back)
    return np.stack(ratios), np.reshape(backwards, (-1, lesions))


def _uptakes_of(scan: CoarseScan, ratios: NDArray[np.float64]) -> NDArray[np.float64]:
    """Find the uptakes, over the references', whose expected counts are measured as these ratios: all but linear."""
    lesions = ratios.shape[1]
    ends = np.array([0.5, 3.0])
    measured = [_truth(scan, scan.expected(np.full(lesions, end), 1e6))[1] for end in ends]
    slope = (np.array(measured[1]) - measured[0]) / (ends[1] - ends[0])
    return np.asarray(np.maximum(ends[0] + (ratios - measured[0]) / slope, 0.0))


def _truth(scan: CoarseScan, expected: NDArray[np.float32]) -> tuple[tuple[Measurement, ...], list[float]]:
    """Measure expected counts: every region, and every lesion's ratio."""
    image = scan.image(scan.counted(expected))
    measured = measure_spect(image, scan.labels, scan.regions, time_point="late", hours=math.nan)
    return measured, [one.ratio.value for one in all_ratios(measured, scan.regions)]


def acquire(
    scan: CoarseScan, settings: UncertaintySettings, level: str, number: int, uptakes: NDArray[np.float64]
) -> list[Acquired]:
    """Count, reconstruct and measure, with replicates as the pipeline makes them; and measure the expected counts.

    Parameters
    ----------
    scan : CoarseScan
    settings : UncertaintySettings
    level : str
    number : int
        Its noise is its own, whatever else is drawn.
    uptakes : (lesions,) array
    """
    rng = np.random.default_rng([settings.first_draw + number, LEVELS.index(level), 1])
    counts = settings.spect_counts[LEVELS.index(level)] * settings.spect_lesions
    expected = scan.expected(uptakes, counts)
    truth, true_ratios = _truth(scan, expected)
    counted = scan.counted(rng.poisson(expected).astype(np.float32))
    image = scan.image(counted)
    first = int(rng.integers(2**40))
    resamples = scan.protocol.uncertainty.replicates if settings.resamples is None else settings.resamples
    means = resampled_means(counted, scan.labels, scan.regions, scan.protocol, range(first, first + resamples))
    samples = SpectSamples.collect(scan.regions, means)
    measured = measure_spect(image, scan.labels, scan.regions, time_point="late", hours=math.nan, replicates=means)
    ratios = all_ratios(measured, scan.regions, {"late": samples})
    misplaced = _misplaced(image, scan, samples, true_ratios, settings.misplaced_mm, rng)
    return [
        Acquired(lesion, found, true_ratio, true_lesion.maximum, *moved)
        for lesion, found, true_lesion, true_ratio, moved in zip(
            measured[::2], ratios, truth[::2], true_ratios, misplaced, strict=True
        )
    ]


def _compared(
    scan: CoarseScan, first: Acquired, second: Acquired, settings: UncertaintySettings, level: str, number: int
) -> Replicate:
    """Take two acquisitions of a lesion as the delayed and the late one of a study."""
    lesion, earlier = replace(first.lesion, time_point="delayed"), replace(first.ratio, time_point="delayed")
    grown = change(earlier, second.ratio, lesion, second.lesion)
    flag = apply_rule(load_rule(_RULE), [grown], [earlier, second.ratio], [_region(scan, lesion.region)])
    return Replicate(
        SPECT, level, number, settings.spect_counts[LEVELS.index(level)],
        bounds(first.ratio.ratio, first.true_ratio), bounds(second.ratio.ratio, second.true_ratio),
        bounds(grown.change, second.true_ratio / first.true_ratio - 1.0), probability_above(grown, THRESHOLD),
        flag.flag, second.lesion.maximum / second.true_maximum - 1.0, first.misplaced, first.misplaced_total,
    )  # fmt: skip


def _region(scan: CoarseScan, name: str) -> Region:
    return next(region for region in scan.regions if region.name == name)


def _misplaced(
    image: Image,
    scan: CoarseScan,
    samples: SpectSamples,
    truth: Sequence[float],
    by_mm: float,
    rng: np.random.Generator,
) -> list[tuple[Bounds, Bounds]]:
    """Measure the same image in regions shifted by chance, and widen the intervals by what that is expected to do."""
    shifts = rng.normal(0.0, by_mm / math.sqrt(3.0), (len(truth), 3))
    labels, regions = drawn_regions(scan.labels.geometry, shifts)
    measured = measure_spect(image, labels, regions, time_point="late", hours=math.nan)
    motions = small_motions(max(labels.geometry.spacing_mm), _TURN_DEG, np.zeros(3))[:_SHIFTS]
    effects = effects_of_moved_regions(image, labels, regions, motions, "late")
    deviations = expected_deviations(effects, {("regions", "late", "spect"): by_mm})
    ratios = all_ratios(measured, regions, {"late": samples}, deviations)
    return [(bounds(one.ratio, true), bounds(one.total, true)) for one, true in zip(ratios, truth, strict=True)]
