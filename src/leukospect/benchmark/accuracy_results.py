"""What the accuracy benchmark finds: measures under their conditions, targets, and slices to look at."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from leukospect.errors import InputError

NOISE_FREE = float("inf")
"""Millions of counts of a scan without noise."""


@dataclass(frozen=True, slots=True)
class AccuracySettings:
    """How much is done.

    Parameters
    ----------
    iterations, subsets : int
        Of the reconstruction that is judged.
    curve : tuple of int
        Iterations along the contrast-against-noise curves.
    many_iterations, many_subsets : int
        Taken as convergence, without noise.
    deep_iterations : int
        With as many subsets, where even that is not enough: small differences between places vanish slowly.
    millions : tuple of float
        Count levels: counts in the photopeak, all views.
    realisations : int
        Draws of the counts at each level.
    seed : int
    coarsening : int
        As in `accuracy_cases.scanned`; 1 for results that count.
    """

    iterations: int = 5
    subsets: int = 15
    curve: tuple[int, ...] = (1, 2, 3, 5, 8, 12, 20)
    many_iterations: int = 60
    many_subsets: int = 60
    deep_iterations: int = 600
    millions: tuple[float, ...] = (2.0, 5.0, 10.0, 40.0)
    realisations: int = 6
    seed: int = 1
    coarsening: int = 1

    def __post_init__(self) -> None:
        if self.realisations < 2:
            raise InputError(f"Noise between draws of the counts needs two draws or more; found {self.realisations}.")


QUICK = AccuracySettings(
    curve=(1, 2, 5, 10), many_iterations=30, deep_iterations=60, millions=(5.0, 10.0), realisations=3
)


@dataclass(frozen=True, slots=True)
class Conditions:
    """Under which conditions something was measured; `millions` is infinite without noise."""

    phantom: str
    nuclide: str
    orbit: str
    arc_deg: int
    corrections: str
    millions: float
    iterations: int
    subsets: int
    post_filter_fwhm_mm: float = 0.0


@dataclass(frozen=True, slots=True)
class Measure:
    """One number: in which study, under which conditions, of which region, which quantity, in which unit."""

    study: str
    conditions: Conditions
    region: str
    quantity: str
    value: float
    unit: str

    def row(self) -> dict[str, str | float | int]:
        """Give the measure as one flat row; noise-free counts are an empty cell."""
        values: dict[str, str | float | int] = {"study": self.study}
        values |= {field.name: getattr(self.conditions, field.name) for field in fields(self.conditions)}
        if not np.isfinite(self.conditions.millions):
            values["millions"] = ""
        return values | {"region": self.region, "quantity": self.quantity, "value": self.value, "unit": self.unit}


@dataclass(frozen=True, slots=True)
class Target:
    """What is asked, what was found, and whether it is met; None where it is only told."""

    asked: str
    found: str
    met: bool | None

    @property
    def verdict(self) -> str:
        """Say it in a word: ``met``, ``missed`` or ``told``."""
        return "told" if self.met is None else "met" if self.met else "missed"


@dataclass(frozen=True, slots=True, eq=False)
class Slice:
    """One slice of an image relative to the true background: (rows, columns), pixel in mm, its row and title."""

    group: str
    title: str
    values: NDArray[np.float32]
    pixel_mm: float


class Measures:
    """Measures, to be asked for by what they are of."""

    def __init__(self, measures: Iterable[Measure]) -> None:
        self.all = tuple(measures)

    def where(self, **wanted: object) -> Measures:
        """Keep those whose study, region, quantity or condition is the one given, or one of those in a tuple."""
        return Measures(measure for measure in self.all if all(_is(measure, k, v) for k, v in wanted.items()))

    def value(self, **wanted: object) -> float:
        """Give the only value that fits; several are an error of the program."""
        found = self.where(**wanted).all
        if len(found) != 1:
            raise LookupError(f"{len(found)} measures fit {wanted}.")
        return found[0].value

    def values(self, **wanted: object) -> NDArray[np.float64]:
        """Give all values that fit, in their order."""
        return np.array([measure.value for measure in self.where(**wanted).all])

    def each(self, name: str) -> tuple[object, ...]:
        """Give what a study, region, quantity or condition is, each once, in their order."""
        return tuple(dict.fromkeys(_named(measure, name) for measure in self.all))


def _named(measure: Measure, name: str) -> object:
    return getattr(measure if name in ("study", "region", "quantity") else measure.conditions, name)


def _is(measure: Measure, name: str, wanted: object) -> bool:
    found = _named(measure, name)
    return found in wanted if isinstance(wanted, tuple) else found == wanted


def averaged(measures: Iterable[Measure]) -> list[Measure]:
    """Average measures that differ in their value only, such as those of several draws of the counts."""
    groups: dict[Measure, list[float]] = {}
    for measure in measures:
        groups.setdefault(replace(measure, value=0.0), []).append(measure.value)
    return [replace(key, value=float(np.mean(values))) for key, values in groups.items()]
