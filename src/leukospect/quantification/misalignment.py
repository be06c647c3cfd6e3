"""What a misalignment of a pixel and two degrees would change of uptake and ratios."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from leukospect.quantification.measurements import Region, TimePoint

MovedPart = Literal["attenuation map", "regions"]
_LEAST_OF_RATIO = 0.01


@dataclass(frozen=True, slots=True)
class Motion:
    """A small rigid motion: a shift along, or a turn about, one of the patient's axes.

    Parameters
    ----------
    name : str
        Such as ``+4.8 mm along x`` or ``-2 degrees about z``, LPS.
    matrix : (4, 4) array
        Takes points where they are to where they are looked for, LPS mm.
    """

    name: str
    matrix: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class MisalignmentEffect:
    """What one motion changes of one region at one time.

    Parameters
    ----------
    region : str
    time_point : TimePoint
    moved : ``attenuation map`` or ``regions``
        Against the emission image.
    motion : str
    mean_change : float
        Of the mean, relative.
    ratio_change : float
        Of the ratio to the reference, relative; NaN for a reference.
    modality : str
    displaced_mm : float
        How far the motion takes the body: a pixel, by which a shift is as long; a turn of two degrees takes places as
        far that lie a limb's or half a trunk's width from its axis.
    """

    region: str
    time_point: TimePoint
    moved: MovedPart
    motion: str
    mean_change: float
    ratio_change: float
    modality: str = "spect"
    displaced_mm: float = float("nan")


@dataclass(frozen=True, slots=True)
class AlignmentSensitivity:
    """What was moved, by how much, and what it changed.

    Parameters
    ----------
    shift_mm : float
        A pixel of the SPECT, the largest of its times'.
    turn_deg : float
        About the middle of the body.
    passes : int
        Of the reconstructions that were compared.
    effects : tuple of MisalignmentEffect
    """

    shift_mm: float
    turn_deg: float
    passes: int
    effects: tuple[MisalignmentEffect, ...]


def small_motions(shift_mm: float, turn_deg: float, about_mm: NDArray[np.float64]) -> tuple[Motion, ...]:
    """Give both directions of a shift along each axis and of a turn about each, through a point (x, y, z), LPS mm."""
    motions = []
    for axis, name in enumerate("xyz"):
        for sign in (1.0, -1.0):
            shift = np.eye(4)
            shift[axis, 3] = sign * shift_mm
            motions.append(Motion(f"{sign * shift_mm:+.1f} mm along {name}", shift))
    for axis, name in enumerate("xyz"):
        for sign in (1.0, -1.0):
            motions.append(Motion(f"{sign * turn_deg:+g} degrees about {name}", _turn(axis, sign * turn_deg, about_mm)))
    return tuple(motions)


def _turn(axis: int, degrees: float, about_mm: NDArray[np.float64]) -> NDArray[np.float64]:
    cosine, sine = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    one, other = [n for n in range(3) if n != axis]
    matrix = np.eye(4)
    matrix[one, one] = matrix[other, other] = cosine
    matrix[one, other], matrix[other, one] = -sine, sine
    matrix[:3, 3] = about_mm - matrix[:3, :3] @ about_mm
    return matrix


def effects_of(
    regions: Sequence[Region],
    means: NDArray[np.float64],
    moved_means: NDArray[np.float64],
    time_point: TimePoint,
    moved: MovedPart,
    motion: str,
    *,
    modality: str = "spect",
    displaced_mm: float = float("nan"),
) -> list[MisalignmentEffect]:
    """Compare the regions' means, (regions,), with what they are after a motion."""
    change = dict(zip((region.name for region in regions), moved_means / means - 1.0, strict=True))
    found = []
    for region in regions:
        ratio = float("nan")
        if region.role == "lesion" and region.reference in change:
            ratio = float((1.0 + change[region.name]) / (1.0 + change[region.reference]) - 1.0)
        found.append(
            MisalignmentEffect(
                region.name, time_point, moved, motion, float(change[region.name]), ratio, modality, displaced_mm
            )
        )
    return found


def largest(effects: Iterable[MisalignmentEffect], value: Literal["mean_change", "ratio_change"]) -> float:
    """Give the change of largest size, with its sign; NaN where none is known."""
    known = [getattr(one, value) for one in effects]
    known = [one for one in known if np.isfinite(one)]
    return float(max(known, key=abs)) if known else float("nan")


def expected_deviations(
    effects: Iterable[MisalignmentEffect], expected_mm: Mapping[tuple[MovedPart, TimePoint, str], float]
) -> dict[tuple[str, TimePoint, str], float]:
    """Tell how far misalignment is expected to put each lesion's ratio off: standard deviation of its logarithm.

    Each motion displaces the body by about a pixel. An error of another size changes the ratio in proportion, and which
    way it goes is not known: so the root mean square of what the motions change is taken, times the expected error over
    a pixel. Errors of the attenuation map and of the regions are independent of each other.

    Parameters
    ----------
    effects : iterable of MisalignmentEffect
    expected_mm : mapping
        Expected error of what was moved, at a time in a modality; where that is not known (missing or NaN), a pixel.

    Returns
    -------
    dict
        By lesion, time and modality; only what was moved.
    """
    groups: dict[tuple[str, TimePoint, str], dict[MovedPart, list[float]]] = {}
    for one in effects:
        if not (np.isfinite(one.ratio_change) and one.displaced_mm > 0):
            continue
        expected = expected_mm.get((one.moved, one.time_point, one.modality), float("nan"))
        pixels = expected / one.displaced_mm if np.isfinite(expected) else 1.0
        change = np.log(max(1.0 + one.ratio_change, _LEAST_OF_RATIO))
        key = one.region, one.time_point, one.modality
        groups.setdefault(key, {}).setdefault(one.moved, []).append(float((pixels * change) ** 2))
    return {key: float(np.sqrt(sum(np.mean(squares) for squares in parts.values()))) for key, parts in groups.items()}
