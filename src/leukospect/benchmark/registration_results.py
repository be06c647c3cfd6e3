"""What the registration benchmark finds: every case, figures over them, and targets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from leukospect.benchmark.metal_results import Target
from leukospect.benchmark.registration_cases import BENCHMARK_SEEDS_FROM, BODIES
from leukospect.benchmark.registration_moved_results import LimbCase, PlanarCase, judged_limbs, judged_planar

MEAN_MM, P95_MM, SUCCESS_MM = 2.0, 4.0, 5.0
LEAST_SUCCESS, LEAST_FLAGGED, MOST_FALSE_ALARMS, MOST_WORSE_MM = 0.98, 0.98, 0.03, 1.0
MOST_SECONDS = 10.0
IMPLANTS = ("none", "titanium_alloy", "steel_316l")


@dataclass(frozen=True, slots=True)
class RegistrationSettings:
    """How much is done.

    Parameters
    ----------
    bodies : tuple of str
    draws : int
        Of each body, each with its own size, uptakes, time, noise and CT.
    starts : int
        Random misalignments of each draw.
    aligned : int
        Of each draw: one as it lies, the others misaligned by a few millimetres.
    scarce : float
        Part of the usual counts in the hard cases, one draw a body.
    shift_mm, rotation_deg : float
        Each component lies between minus and plus so much.
    judged : int
        Wrong transforms of each draw that the quality index is asked about.
    implants : tuple of str
        Metals of the moved limbs, ``none`` among them.
    limb_pairs, limb_unmoved : int
        Of each metal: pairs of CTs between which limbs moved, and between which they did not.
    limb_reduced : int
        Of each metal: so many of the moved pairs are registered after metal reduction, too, which takes minutes a pair.
    planar_pairs, planar_unmoved : int
        Pairs of planar acquisitions likewise.
    seed : int
        Chooses the draws, from 2000 up: nothing was tuned on them.
    """

    bodies: tuple[str, ...] = BODIES
    draws: int = 7
    starts: int = 10
    aligned: int = 2
    scarce: float = 0.1
    shift_mm: float = 30.0
    rotation_deg: float = 15.0
    judged: int = 40
    implants: tuple[str, ...] = IMPLANTS
    limb_pairs: int = 4
    limb_unmoved: int = 1
    limb_reduced: int = 2
    planar_pairs: int = 40
    planar_unmoved: int = 8
    seed: int = 1

    @property
    def first_draw(self) -> int:
        """Seed of the first draw."""
        return BENCHMARK_SEEDS_FROM + 100 * self.seed


QUICK = RegistrationSettings(
    draws=1, starts=2, aligned=2, implants=("none",), limb_pairs=1, limb_unmoved=0, planar_pairs=2, planar_unmoved=1
)


@dataclass(frozen=True, slots=True)
class RegistrationCase:
    """One registration.

    Parameters
    ----------
    group : str
        ``random starts``, ``nearly aligned`` or ``few counts``.
    body : str
    draw : int
    counts : float
    before_mm : float
        Mean error over the body as the images lay.
    found_mm, after_mm : float
        Of what the search found, and of what was returned.
    lesion_mm : float
        Largest error at a lesion of what was returned.
    expected_mm : float
        Expected error of what was found.
    index_mm : float
        Quality index of what was returned.
    accepted : bool
    seconds : float
    reason : str
    mirrored : str
        Along which direction one of the images was taken for mirrored; empty where none was.
    """

    group: str
    body: str
    draw: int
    counts: float
    before_mm: float
    found_mm: float
    after_mm: float
    lesion_mm: float
    expected_mm: float
    index_mm: float
    accepted: bool
    seconds: float
    reason: str
    mirrored: str = ""

    def row(self) -> dict[str, object]:
        """Give it as one flat row."""
        return {"kind": "SPECT to CT", **asdict(self)}


@dataclass(frozen=True, slots=True)
class MirroredCase:
    """What is said of an emission image that was stored mirrored.

    Parameters
    ----------
    body : str
    draw : int
    counts : float
    along : str
        How it was mirrored.
    noticed : str
        How it was taken for mirrored; empty where it was not.
    accepted : bool
    """

    body: str
    draw: int
    counts: float
    along: str
    noticed: str
    accepted: bool

    def row(self) -> dict[str, object]:
        """Give it as one flat row."""
        return {"kind": "mirrored", **asdict(self)}


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the quality index says of a transform whose error is known, mm."""

    error_mm: float
    index_mm: float


@dataclass(frozen=True, slots=True, eq=False)
class Overlay:
    """A coronal slice: SPECT and CT as they lay, as registered and as they truly lie; (rows, columns) arrays."""

    title: str
    spect: NDArray[np.float32]
    cts: tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]
    pixel_mm: tuple[float, float]


@dataclass(frozen=True, slots=True, eq=False)
class RegistrationFound:
    """Everything a run found."""

    settings: RegistrationSettings
    cases: tuple[RegistrationCase, ...]
    judged: tuple[Judgement, ...]
    overlays: tuple[Overlay, ...]
    pixel_mm: float
    flag_mm: float
    limbs: tuple[LimbCase, ...] = ()
    planar: tuple[PlanarCase, ...] = ()
    mirrored: tuple[MirroredCase, ...] = ()

    def group(self, name: str) -> list[RegistrationCase]:
        """Give the cases of one group."""
        return [case for case in self.cases if case.group == name]


def judged_registration(found: RegistrationFound) -> tuple[Target, ...]:
    """Compare what was found with what is asked."""
    starts = found.group("random starts")
    after = np.array([case.after_mm for case in starts])
    lesions = np.array([case.lesion_mm for case in starts])
    p95 = float(np.percentile(after, 95))
    success = float(np.mean(after <= SUCCESS_MM))
    worse = max(case.after_mm - case.before_mm for case in found.cases)
    seconds = max(case.seconds for case in found.cases)
    span = f"±{found.settings.shift_mm:g} mm, ±{found.settings.rotation_deg:g}°"
    return (
        Target(f"SPECT to CT: mean error from {len(starts)} random starts ({span}) <= {MEAN_MM:g} mm",
               f"{after.mean():.2f} mm", bool(after.mean() <= MEAN_MM)),
        Target(f"its 95th percentile <= {P95_MM:g} mm", f"{p95:.2f} mm", p95 <= P95_MM),
        Target(f"error at most {SUCCESS_MM:g} mm in >= {LEAST_SUCCESS:.0%} of them",
               f"{success:.1%}", success >= LEAST_SUCCESS),
        Target("largest error at a lesion: mean and 95th percentile",
               f"{lesions.mean():.2f} mm and {np.percentile(lesions, 95):.2f} mm", None),
        Target(f"never worse than as the images lay by more than {MOST_WORSE_MM:g} mm, in all {len(found.cases)} cases",
               f"{worse:+.2f} mm at worst", worse <= MOST_WORSE_MM),
        *_judged_index(found),
        *_judged_mirrors(found),
        Target(f"one registration within {MOST_SECONDS:g} s on this machine",
               f"median {np.median([case.seconds for case in found.cases]):.1f} s, at most {seconds:.1f} s",
               seconds <= MOST_SECONDS),
        *judged_limbs(found.limbs),
        *judged_planar(found.planar),
    )  # fmt: skip


def _judged_index(found: RegistrationFound) -> Sequence[Target]:
    errors = np.array([each.error_mm for each in found.judged] + [case.after_mm for case in found.cases])
    indices = np.array([each.index_mm for each in found.judged] + [case.index_mm for case in found.cases])
    flagged = indices >= found.flag_mm
    pixel = found.pixel_mm
    over_two, over_one, below_half = errors > 2 * pixel, errors > pixel, errors < 0.5 * pixel

    def rate(of: NDArray[np.bool_]) -> tuple[float, str]:
        part = float(flagged[of].mean()) if of.any() else float("nan")
        return part, f"{part:.1%} of {int(of.sum())}"

    two, one, half = rate(over_two), rate(over_one), rate(below_half)
    return (
        Target(f"errors over two SPECT pixels ({2 * pixel:.1f} mm) flagged in >= {LEAST_FLAGGED:.0%}",
               two[1], two[0] >= LEAST_FLAGGED),
        Target(f"errors over one SPECT pixel ({pixel:.1f} mm) flagged", one[1], None),
        Target(f"errors below half a pixel flagged in <= {MOST_FALSE_ALARMS:.0%}", half[1],
               half[0] <= MOST_FALSE_ALARMS),
    )  # fmt: skip


def _judged_mirrors(found: RegistrationFound) -> Sequence[Target]:
    """Tell how many mirrored images were noticed and refused, and how many others were taken for mirrored."""
    said = []
    for along in dict.fromkeys(case.along for case in found.mirrored):
        cases = [case for case in found.mirrored if case.along == along]
        noticed, accepted = sum(bool(case.noticed) for case in cases), sum(case.accepted for case in cases)
        said.append(f"{along} {noticed} of {len(cases)} ({accepted} accepted)")
    if not said:
        return ()
    alarms = sum(bool(case.mirrored) for case in found.cases)
    return (
        Target("an emission image stored mirrored is noticed", "; ".join(said), None),
        Target("images stored as they are, taken for mirrored", f"{alarms} of {len(found.cases)}", None),
    )
