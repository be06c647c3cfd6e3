"""What the uncertainty benchmark finds: every replicate, coverage, calibration, flags, and targets."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from leukospect.benchmark.metal_results import Target

LEAST_COVERED, MOST_COVERED = 0.93, 0.97
MOST_CALIBRATION_ERROR, MOST_FALSE_POSITIVE = 0.05, 0.05
THRESHOLD = 0.1
LEVELS = ("normal counts", "low counts")
PLANAR, GEOMETRIC_MEAN, SPECT = "planar anterior", "planar geometric mean", "spect"
_BINS = np.linspace(0.0, 1.0, 11)

Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class UncertaintySettings:
    """How much is done.

    Parameters
    ----------
    planar_replicates, spect_replicates : int
        Pairs of measurements, of each count level.
    resamples : int or None
        Poisson replicates of each SPECT acquisition; None takes what the program ships with.
    change_from, change_to : float
        True changes are spread evenly between them.
    misplaced_mm : float
        Root mean square distance by which regions are misplaced to check the total interval.
    spect_counts : (float, float)
        Normal and low: in the photopeak, for each lesion's 80 mm of the body, all views together.
    spect_lesions : int
        In each acquisition.
    seed : int
        Chooses the draws, from 1000 up: nothing was tuned on them.
    """

    planar_replicates: int = 2000
    spect_replicates: int = 1000
    resamples: int | None = None
    change_from: float = -0.3
    change_to: float = 0.6
    misplaced_mm: float = 4.0
    spect_counts: tuple[float, float] = (250_000.0, 25_000.0)
    spect_lesions: int = 20
    seed: int = 1

    @property
    def first_draw(self) -> int:
        """Seed of the first draw."""
        return 1000 + 100_000 * self.seed


QUICK = UncertaintySettings(planar_replicates=100, spect_replicates=6, resamples=6, spect_lesions=3)


@dataclass(frozen=True, slots=True)
class Bounds:
    """A measured value, its 95 % limits, and the truth."""

    true: float
    value: float
    low: float
    high: float

    @property
    def covers(self) -> bool:
        """Tell whether the truth lies within the limits; one that is not known covers nothing."""
        return self.low <= self.true <= self.high


@dataclass(frozen=True, slots=True)
class Replicate:
    """Two acquisitions of one truth, and what the program made of them.

    Parameters
    ----------
    modality, level : str
    number : int
    counts : float
        Expected: in planar views of the earlier lesion and its reference, in SPECT of all views of their 80 mm.
    earlier, later : Bounds
        Ratios.
    change : Bounds
    probability : float
        P(change > 10 %).
    flag : str
        By the rule of 10 %; empty where no rule takes the modality.
    maximum_bias : float
        Of the later lesion's maximum, relative to that on expected counts; NaN where not looked at.
    misplaced, misplaced_total : Bounds or None
        The earlier ratio with regions misplaced: the interval of counting, and with what misplacing is expected to do.
    """

    modality: str
    level: str
    number: int
    counts: float
    earlier: Bounds
    later: Bounds
    change: Bounds
    probability: float
    flag: str = ""
    maximum_bias: float = float("nan")
    misplaced: Bounds | None = None
    misplaced_total: Bounds | None = None

    def row(self) -> dict[str, object]:
        """Give it as one flat row."""
        flat: dict[str, object] = {}
        for name, value in asdict(self).items():
            if isinstance(value, dict):
                flat |= {f"{name}_{key}": number for key, number in value.items()}
            elif not name.startswith("misplaced"):
                flat[name] = value
        return flat


@dataclass(frozen=True, slots=True)
class Reliability:
    """Predicted probability and observed frequency, a value for each filled bin, and how many lie in it."""

    predicted: NDArray[np.float64]
    observed: NDArray[np.float64]
    number: NDArray[np.int64]

    @property
    def error(self) -> float:
        """Mean distance between the two, each bin weighted by its number."""
        return float(np.average(np.abs(self.predicted - self.observed), weights=self.number))


@dataclass(frozen=True, slots=True, eq=False)
class UncertaintyFound:
    """Everything a run found; `resamples` is how many replicates each SPECT acquisition had."""

    settings: UncertaintySettings
    resamples: int
    replicates: tuple[Replicate, ...]

    def of(self, modality: str, level: str) -> list[Replicate]:
        """Give the replicates of a modality at a count level."""
        return [one for one in self.replicates if (one.modality, one.level) == (modality, level)]

    @property
    def groups(self) -> list[tuple[str, str]]:
        """Modalities and count levels, in order."""
        return list(dict.fromkeys((one.modality, one.level) for one in self.replicates))


def covered(bounds: Iterable[Bounds]) -> tuple[float, int]:
    """Give the part of the intervals that hold the truth, and how many there are."""
    held = [one.covers for one in bounds]
    return float(np.mean(held)), len(held)


def reliability(replicates: Iterable[Replicate]) -> Reliability:
    """Compare P(change > 10 %) with how often the true change was above, in tenths of the probability."""
    known = [one for one in replicates if np.isfinite(one.probability)]
    predicted = np.array([one.probability for one in known])
    above: Bools = np.array([one.change.true > THRESHOLD for one in known])
    bins = np.clip(np.digitize(predicted, _BINS) - 1, 0, len(_BINS) - 2)
    filled = np.unique(bins)
    return Reliability(
        np.array([predicted[bins == each].mean() for each in filled]),
        np.array([above[bins == each].mean() for each in filled]),
        np.array([np.count_nonzero(bins == each) for each in filled]),
    )


def judged_uncertainty(found: UncertaintyFound) -> tuple[Target, ...]:
    """Compare what was found with what is asked."""
    targets: list[Target] = []
    for modality, level in found.groups:
        group, name = found.of(modality, level), f"{modality}, {level}"
        ratios = [bounds for one in group for bounds in (one.earlier, one.later)]
        targets += [
            _coverage(f"{name}: ratio", ratios),
            _coverage(f"{name}: change", [one.change for one in group]),
            _calibration(name, group),
        ]
        if group[0].flag:
            targets.append(_false_positives(name, group))
        if group[0].misplaced is not None:
            targets += _misplaced(name, group)
        if np.isfinite(group[0].maximum_bias):
            bias = np.array([one.maximum_bias for one in group])
            targets.append(
                Target(f"{name}: bias of a lesion's maximum, which no ratio, change or flag uses",
                       f"{np.median(bias):+.0%} in the median", None)
            )  # fmt: skip
    return tuple(targets)


def _coverage(what: str, bounds: list[Bounds]) -> Target:
    part, number = covered(bounds)
    low, high = stats.binomtest(round(part * number), number).proportion_ci()
    return Target(
        f"{what} covered by its 95 % interval in {LEAST_COVERED:.0%} to {MOST_COVERED:.0%}",
        f"{part:.1%} of {number} ({low:.1%} to {high:.1%})",
        LEAST_COVERED <= part <= MOST_COVERED,
    )


def _calibration(name: str, group: list[Replicate]) -> Target:
    error = reliability(group).error
    return Target(
        f"{name}: P(change > {THRESHOLD:.0%}) off the observed frequency by <= {MOST_CALIBRATION_ERROR:g} in the mean",
        f"{error:.3f}",
        error <= MOST_CALIBRATION_ERROR,
    )


def _false_positives(name: str, group: list[Replicate]) -> Target:
    below = [one for one in group if one.change.true <= THRESHOLD]
    wrong = float(np.mean([one.flag == "positive" for one in below])) if below else 0.0
    above = [one for one in group if one.change.true > THRESHOLD]
    right = float(np.mean([one.flag == "positive" for one in above])) if above else 0.0
    return Target(
        f"{name}: flagged positive where the change is not above {THRESHOLD:.0%}, <= {MOST_FALSE_POSITIVE:.0%}",
        f"{wrong:.1%} of {len(below)} (where it is: {right:.1%} of {len(above)})",
        wrong <= MOST_FALSE_POSITIVE,
    )


def _misplaced(name: str, group: list[Replicate]) -> list[Target]:
    counting, _ = covered(one.misplaced for one in group if one.misplaced is not None)
    total, number = covered(one.misplaced_total for one in group if one.misplaced_total is not None)
    return [
        Target(
            f"{name}: ratio in misplaced regions covered by its total interval in >= {LEAST_COVERED:.0%}",
            f"{total:.1%} of {number} (by the interval of counting alone: {counting:.1%})",
            total >= LEAST_COVERED,
        )
    ]
