"""Planar replicates: two views of a lesion and its reference at two times, with Poisson counts."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from leukospect.benchmark.uncertainty_results import (
    GEOMETRIC_MEAN,
    LEVELS,
    PLANAR,
    THRESHOLD,
    Bounds,
    Replicate,
    UncertaintySettings,
)
from leukospect.data import AcquisitionHeader, EnergyWindow, PlanarImages
from leukospect.interpretation.decision import apply_rule, probability_above
from leukospect.interpretation.rules import load_rule
from leukospect.quantification.comparison import all_changes, all_ratios
from leukospect.quantification.measurements import Interval, Measurement, Region, TimePoint
from leukospect.quantification.planar import measure_planar
from leukospect.quantification.planar_combined import geometric_means

_HALF_LIFE_S = 6.0072 * 3600.0
_COUNTS = {"normal counts": (100.0, 900.0), "low counts": (4.0, 30.0)}
"""Expected counts of each region in the anterior view."""
_RULE = "ratio-increase-10"
_SIZE = (6, 12)
_MASKS: dict[str, NDArray[np.bool_]] = {name: np.zeros(_SIZE, np.bool_) for name in ("lesion", "reference")}
_MASKS["lesion"][1:4, 1:4] = True
_MASKS["reference"][1:5, 7:11] = True
_REGIONS = (
    Region(1, "lesion", "lesion", "reference", 10.0, (-50.0, 0.0, 0.0), "right", "drawn"),
    Region(2, "reference", "reference", "", 10.0, (50.0, 0.0, 0.0), "left", "drawn"),
)
_TIMES: tuple[tuple[TimePoint, float], ...] = (("delayed", 4.0), ("late", 24.0))


def planar_replicate(settings: UncertaintySettings, level: str, number: int) -> list[Replicate]:
    """Draw a truth and its counts, measure them, and compare: in the anterior view, and in the geometric mean."""
    rng = np.random.default_rng([settings.first_draw + number, LEVELS.index(level), 0])
    low, high = np.log(_COUNTS[level])
    lesion, reference, later = np.exp(rng.uniform(low, high, 3))
    growth = 1.0 + float(rng.uniform(settings.change_from, settings.change_to))
    behind = np.exp(rng.uniform(-0.5, 0.5, 2))
    means = ((lesion, reference), (lesion / reference * growth * later, later))
    measured: list[Measurement] = []
    for (time_point, _), (of_lesion, of_reference) in zip(_TIMES, means, strict=True):
        expected = np.array([[of_lesion, of_reference], [of_lesion * behind[0], of_reference * behind[1]]])
        measured += _measured(_counted(expected, rng), time_point)
    measured += geometric_means(measured)
    ratios = all_ratios(measured, _REGIONS)
    pixels = _MASKS["reference"].sum() / _MASKS["lesion"].sum()
    true = float(lesion / reference * pixels)
    made = []
    for modality, factor in ((PLANAR, 1.0), (GEOMETRIC_MEAN, float(np.sqrt(behind[0] / behind[1])))):
        first, second = (one for one in ratios if one.modality == modality)
        changes = [one for one in all_changes(ratios, measured) if one.modality == modality]
        flag = apply_rule(load_rule(_RULE), changes, ratios, _REGIONS).flag if modality == PLANAR else ""
        made.append(
            Replicate(
                modality, level, number, float(lesion + reference),
                bounds(first.ratio, true * factor), bounds(second.ratio, true * factor * growth),
                bounds(changes[0].change, growth - 1.0), probability_above(changes[0], THRESHOLD), flag,
            )
        )  # fmt: skip
    return made


def bounds(interval: Interval, true: float) -> Bounds:
    """Put the truth beside an interval."""
    return Bounds(true, interval.value, interval.low, interval.high)


def _counted(expected: NDArray[np.float64], rng: np.random.Generator) -> PlanarImages:
    """Count (views, regions) on average, spread evenly over each region's pixels."""
    mean = np.zeros((1, 2, *_SIZE))
    for region, mask in enumerate(_MASKS.values()):
        mean[0][:, mask] = (expected[:, region] / mask.sum())[:, None]
    return PlanarImages(
        rng.poisson(mean).astype(np.float32),
        (EnergyWindow(((129.3, 151.7),), "photopeak"),),
        ("anterior", "posterior"),
        (4.8, 4.8),
        np.array([300.0, 300.0]),
        AcquisitionHeader("STATIC"),
    )


def _measured(planar: PlanarImages, time_point: TimePoint) -> list[Measurement]:
    return [
        one
        for view in (0, 1)
        for one in measure_planar(planar, 0, _MASKS, view=view, time_point=time_point, half_life_s=_HALF_LIFE_S)
    ]
