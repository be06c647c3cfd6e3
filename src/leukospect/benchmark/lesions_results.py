"""What the lesion benchmark finds: settings, every lesion, focus and study, figures over them, and targets."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from math import nan

import numpy as np
from numpy.typing import NDArray

from leukospect.benchmark.metal_results import Target
from leukospect.benchmark.registration_cases import BENCHMARK_SEEDS_FROM, BODIES
from leukospect.blood.roc import Roc, roc_of, wilson
from leukospect.errors import InputError

LEAST_DIAMETER_MM, LEAST_CONTRAST = 20.0, 3.0
LEAST_FOUND, MOST_FALSE_FOCI, MOST_FALSE_FLAGS = 0.95, 1.0, 0.05
SIZES_MM = (10.0, 15.0, 20.0, 30.0, 40.0, 50.0)
_SEEDS_FROM = BENCHMARK_SEEDS_FROM + 300
CONTRASTS = (1.5, 2.0, 3.0, 5.0, 10.0)


@dataclass(frozen=True, slots=True)
class LesionSettings:
    """How much is done.

    Parameters
    ----------
    bodies : tuple of str
    studies : int
        Bodies drawn, each of another kind than the last.
    without_every : int
        Each so-many-th study of a kind of body has no lesion.
    lesions : int
        In each of the others, as far as there is room.
    diameters_mm, contrasts : (low, high)
        Diameters are drawn evenly, contrasts evenly in their logarithm.
    matrix, pixel_mm, stops : SPECT rows and columns, mm, stops of two heads
    delayed_seconds, late_seconds : float
        A stop counts for so long where there are 60; with fewer it counts longer.
    replicates : int
        Poisson resamplings of each SPECT: fewer than the protocol's, for time; intervals are a sixth wider for it.
    settings : tuple of str
        Further settings of the protocol, ``section.key=value``.
    pictures : int
        Studies shown.
    seed : int
        Chooses the draws, from 2400 up: nothing was tuned on them. The finder was tuned on those from 1100, 2100,
        2200 and 2300 up.
    """

    bodies: tuple[str, ...] = BODIES
    studies: int = 63
    without_every: int = 7
    lesions: int = 4
    diameters_mm: tuple[float, float] = (10.0, 50.0)
    contrasts: tuple[float, float] = (1.5, 10.0)
    matrix: tuple[int, int] = (64, 96)
    pixel_mm: float = 4.8
    stops: int = 60
    delayed_seconds: float = 20.0
    late_seconds: float = 40.0
    replicates: int = 8
    settings: tuple[str, ...] = ()
    pictures: int = 6
    seed: int = 1

    def __post_init__(self) -> None:
        if self.studies < 1 or self.lesions < 1 or self.without_every < 2:
            raise InputError("The lesion benchmark needs at least a study, a lesion in it, and not only empty ones.")

    @property
    def first_draw(self) -> int:
        """Seed of the first draw."""
        return _SEEDS_FROM + 100 * self.seed


QUICK = LesionSettings(
    bodies=("hip-prosthesis",), studies=2, without_every=2, lesions=2, matrix=(32, 48), pixel_mm=9.6, stops=20,
    replicates=3, pictures=2,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class LesionCase:
    """One lesion: what is true of it, and what the program says.

    Parameters
    ----------
    study, draw, body, lesion
    site, diameter_mm, contrast, course, true_change : see `lesions_bodies.Lesion`
    x_mm, y_mm, z_mm : float
        Its centre, LPS.
    found : bool
        A focus called a lesion is at it.
    called : str
        ``lesion``, another role of the focus at it, or empty where there is none.
    focus : str
        Name of that focus.
    ratio, ratio_low, ratio_high : float
        Late ratio to the reference as measured, 95 %.
    true_ratio : float
        The same of the true concentrations: the lesion's own, and the mean of the reference region measured with.
    change, change_low, change_high : float
    flag : str
    probability : float
        That the change exceeds the rule's threshold.
    """

    study: int
    draw: int
    body: str
    lesion: str
    site: str
    diameter_mm: float
    contrast: float
    course: str
    true_change: float
    x_mm: float
    y_mm: float
    z_mm: float
    found: bool = False
    called: str = ""
    focus: str = ""
    ratio: float = nan
    ratio_low: float = nan
    ratio_high: float = nan
    true_ratio: float = nan
    change: float = nan
    change_low: float = nan
    change_high: float = nan
    flag: str = ""
    probability: float = nan

    @property
    def asked_for(self) -> bool:
        """Large and hot enough that it must be found."""
        return self.diameter_mm >= LEAST_DIAMETER_MM and self.contrast >= LEAST_CONTRAST


@dataclass(frozen=True, slots=True)
class FocusCase:
    """One focus that the program found.

    Parameters
    ----------
    study, draw, body, focus
    role : str
    at : str
        The lesion it is at; empty where it is at none.
    tissue : str
        What its hottest voxel's middle lies in.
    x_mm, y_mm, z_mm : float
        Its hottest voxel, LPS.
    volume_ml : float
    flag : str
    """

    study: int
    draw: int
    body: str
    focus: str
    role: str
    at: str
    tissue: str
    x_mm: float
    y_mm: float
    z_mm: float
    volume_ml: float
    flag: str

    @property
    def false(self) -> bool:
        """A focus called a lesion where there is none."""
        return self.role == "lesion" and not self.at


@dataclass(frozen=True, slots=True)
class StudyCase:
    """One study: its counts in the photopeak at both times, its flag, and what there was to flag."""

    study: int
    draw: int
    body: str
    lesions: int
    growing: int
    delayed_counts: float
    late_counts: float
    flag: str


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """The late image's maximum from the front: (slices, columns), its edges (left, right, foot, head) in mm, outlines.

    `foci` are the projected masks of the foci with their roles.
    """

    title: str
    mip: NDArray[np.float32]
    extent_mm: tuple[float, float, float, float]
    lesions: tuple[LesionCase, ...]
    foci: tuple[tuple[str, NDArray[np.bool_]], ...]


@dataclass(frozen=True, slots=True, eq=False)
class LesionsFound:
    """Everything a run found."""

    settings: LesionSettings
    lesions: tuple[LesionCase, ...]
    foci: tuple[FocusCase, ...]
    studies: tuple[StudyCase, ...]
    pictures: tuple[Picture, ...]
    assumptions: tuple[str, ...] = ()

    @property
    def judged(self) -> list[LesionCase]:
        """Lesions that were found and given a probability."""
        return [one for one in self.lesions if one.found and not np.isnan(one.probability)]

    @property
    def false_foci(self) -> list[FocusCase]:
        """Foci called lesions where there is none."""
        return [one for one in self.foci if one.false]


def roc_of_flagging(found: LesionsFound) -> Roc | None:
    """Give the ROC curve of the probability, growing lesions against the others; None where one kind is missing."""
    positive = np.array([one.probability for one in found.judged if one.course == "growing"])
    negative = np.array([one.probability for one in found.judged if one.course != "growing"])
    return roc_of(positive, negative) if positive.size and negative.size else None


def share(hits: int, of: int) -> str:
    """Say a share with its numbers and Wilson's interval."""
    if of == 0:
        return "none of 0"
    part = wilson(hits, of)
    return f"{part.value:.1%} ({part.low:.1%} to {part.high:.1%}), {hits} of {of}"


def judged_lesions(found: LesionsFound) -> tuple[Target, ...]:
    """Compare what was found with what is asked."""
    asked = [one for one in found.lesions if one.asked_for]
    hits = sum(one.found for one in asked)
    still = [one for one in found.lesions if one.found and one.course != "growing"]
    alarms = sum(one.flag == "positive" for one in still)
    false = len(found.false_foci) / len(found.studies)
    most = max(sum(one.study == study.study for one in found.false_foci) for study in found.studies)
    return (
        Target(f"lesions of {LEAST_DIAMETER_MM / 10:g} cm and more at contrast {LEAST_CONTRAST:g} and more found: >= "
               f"{LEAST_FOUND:.0%}", share(hits, len(asked)), hits >= LEAST_FOUND * len(asked) if asked else None),
        Target(f"false foci a study: <= {MOST_FALSE_FOCI:g}", f"{false:.2f} (at most {most}), {len(found.studies)} "
               "studies", false <= MOST_FALSE_FOCI),
        Target(f"stable or falling lesions flagged positive: <= {MOST_FALSE_FLAGS:.0%}", share(alarms, len(still)),
               alarms <= MOST_FALSE_FLAGS * len(still) if still else None),
        *_told(found),
    )  # fmt: skip


def _told(found: LesionsFound) -> Iterable[Target]:
    empty = [one for one in found.studies if one.lesions == 0]
    clean = sum(not any(focus.study == one.study for focus in found.false_foci) for one in empty)
    everywhere = sum(not any(focus.study == one.study for focus in found.false_foci) for one in found.studies)
    growing = [one for one in found.lesions if one.course == "growing"]
    seen = [one for one in growing if one.found]
    curve = roc_of_flagging(found)
    without = [one for one in found.studies if one.growing == 0]
    with_one = [one for one in found.studies if one.growing]
    said = [one for one in found.lesions if one.called not in ("", "lesion")]
    yield Target("all lesions found", share(sum(one.found for one in found.lesions), len(found.lesions)), None)
    yield Target(
        "lesions taken for something else (physiological, artefact)", share(len(said), len(found.lesions)), None
    )
    yield Target("studies without a lesion that have no false focus", share(clean, len(empty)), None)
    yield Target("studies that have no false focus", share(everywhere, len(found.studies)), None)
    yield Target("growing lesions flagged positive, of those found",
                 share(sum(one.flag == "positive" for one in seen), len(seen)), None)  # fmt: skip
    yield Target("growing lesions flagged positive, of all",
                 share(sum(one.flag == "positive" for one in seen), len(growing)), None)  # fmt: skip
    if curve is not None:
        area = curve.area
        text = f"{area.value:.3f} ({area.low:.3f} to {area.high:.3f}), {len(found.judged)} lesions"
        yield Target("area under the ROC curve of the probability", text, None)
    yield Target("studies with a growing lesion flagged positive",
                 share(sum(one.flag == "positive" for one in with_one), len(with_one)), None)  # fmt: skip
    yield Target("studies without a growing lesion flagged positive",
                 share(sum(one.flag == "positive" for one in without), len(without)), None)  # fmt: skip
    hits = [one for one in found.lesions if one.found]
    unjudged = sum(np.isnan(one.probability) for one in hits)
    yield Target("lesions found that have no probability, as without a reference", share(unjudged, len(hits)), None)
    yield Target("true change inside its 95 % interval", _covered(found.judged), None)
    yield Target("late ratio over the true one, median (partial volume included)", _recovery(found.lesions), None)


def _covered(cases: Sequence[LesionCase]) -> str:
    inside = sum(one.change_low <= one.true_change <= one.change_high for one in cases)
    return share(inside, len(cases))


def _recovery(cases: Sequence[LesionCase]) -> str:
    parts = []
    for low, high in ((10.0, 20.0), (20.0, 30.0), (30.0, 51.0)):
        values = [c.ratio / c.true_ratio for c in cases if low <= c.diameter_mm < high and np.isfinite(c.true_ratio)]
        median = f"{np.median(values):.2f}" if values else "-"
        parts.append(f"{median} at {low / 10:g} to {min(high, 50) / 10:g} cm ({len(values)})")
    return ", ".join(parts)


def rows_of(values: Iterable[LesionCase | FocusCase | StudyCase]) -> list[dict[str, object]]:
    """Give each as one flat row; what is not known is empty."""
    return [
        {
            name: None if isinstance(value, float) and not np.isfinite(value) else value
            for name, value in asdict(one).items()
        }
        for one in values
    ]
