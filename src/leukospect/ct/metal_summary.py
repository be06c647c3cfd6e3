"""What a metal reduction found and did, in numbers and in words, for whoever reports it."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np

from leukospect.ct.artefact_measure import ArtefactMeasure
from leukospect.ct.metal import MetalReduction
from leukospect.ct.slice_reduction import SliceMeasure

METHOD_WORDS = {
    "adaptive": "mean of normalised interpolation and two models of the beam hardening in the metal's trace, weighed "
    "for each slice",
    "linear": "linear interpolation of the metal's trace",
    "normalised": "normalised interpolation of the metal's trace",
    "frequency-split": "normalised interpolation of the metal's trace, fine detail beside the metal as scanned",
    "trace-model": "normalised interpolation and a model of the beam hardening in the metal's trace",
}


@dataclass(frozen=True, slots=True)
class MetalSummary:
    """A metal reduction without its images.

    Parameters
    ----------
    found : str
        What metal was found, and what was not taken for it, in sentences.
    method : str
    rays : str
        ``fan`` or ``parallel``; empty where there was no metal to send rays through.
    slices : int
        Of the whole CT.
    measures : tuple of SliceMeasure
        Of each slice with metal.
    """

    found: str
    method: str
    rays: str
    slices: int
    measures: tuple[SliceMeasure, ...]

    @property
    def with_metal(self) -> int:
        """How many slices hold metal."""
        return len(self.measures)

    @property
    def wholly(self) -> int:
        """In how many of them the whole correction was used."""
        return sum(one.strength >= 1.0 for one in self.measures)

    @property
    def in_part(self) -> int:
        """In how many of them a part of it was used."""
        return sum(0.0 < one.strength < 1.0 for one in self.measures)

    @property
    def left(self) -> int:
        """How many of them stay as scanned."""
        return sum(not one.corrected for one in self.measures)

    @property
    def not_judged(self) -> int:
        """How many of these have too little soft tissue around the metal to judge by."""
        return sum(one.before is None for one in self.measures)

    @property
    def streaks_hu(self) -> tuple[float, float]:
        """Median streaks of the judged slices before and after, HU; NaN where there are none."""
        pairs = [(one.before.streaks_hu, one.after.streaks_hu) for one in self.measures if one.before and one.after]
        if not pairs:
            return float("nan"), float("nan")
        before, after = np.median(pairs, axis=0)
        return float(before), float(after)

    def worst(self, most: int) -> tuple[SliceMeasure, ...]:
        """Give the slices with most streaks left, the worst first; those that were not judged are not among them."""
        judged = [one for one in self.measures if one.after is not None]
        return tuple(sorted(judged, key=_streaks_left, reverse=True)[:most])

    def sentence(self) -> str:
        """Say what was done with the slices that hold metal."""
        if not self.measures:
            return (
                "The slice was not changed." if self.slices == 1 else f"None of the {self.slices} slices was changed."
            )
        verb = "slice holds" if self.with_metal == 1 else "slices hold"
        text = (
            f"{self.with_metal} {verb} metal, of {self.slices}: {self.wholly} corrected, {self.in_part} in part, "
            f"{self.left} left unchanged"
        )
        if self.not_judged:
            text += f" ({self.not_judged} with too little soft tissue to judge by)"
        before, after = self.streaks_hu
        if np.isfinite(before):
            text += f"; median streaks {before:.0f} HU before, {after:.0f} HU after"
        return text + f"; method {self.method}, {self.rays} rays."

    def derivation(self) -> str:
        """Describe the derived CT in one sentence."""
        if not self.measures:
            return f"Metal artefact reduction ({self.method}): no metal was found and no slice was changed"
        how = METHOD_WORDS.get(self.method, self.method)
        return (
            f"Metal artefact reduction ({self.method}): {how}, along {self.rays} rays through the slices; "
            f"{self.wholly + self.in_part} of {self.slices} slices changed"
        )

    def as_values(self) -> dict[str, object]:
        """Give all of it as plain values; slices are counted from 0 in the order of the volume."""
        before, after = self.streaks_hu
        return {
            "found": self.found,
            "method": self.method,
            "rays": self.rays or None,
            "slices": {
                "all": self.slices,
                "with_metal": self.with_metal,
                "corrected": self.wholly,
                "corrected_in_part": self.in_part,
                "left_as_scanned": self.left,
                "not_judged": self.not_judged,
            },
            "median_streaks_hu": {"before": _or_none(before), "after": _or_none(after)},
            "each_slice": [
                {
                    "slice": one.slice_index,
                    "metal_pixels": one.metal_pixels,
                    "strength": one.strength,
                    "before": _values(one.before),
                    "after": _values(one.after),
                }
                for one in self.measures
            ],
        }


def metal_summary(reduction: MetalReduction) -> MetalSummary:
    """Gather what a metal reduction found and did."""
    with_metal = bool(reduction.measures)
    found = "" if reduction.finding is None else str(reduction.finding)
    rays = reduction.rays if with_metal else ""
    return MetalSummary(found, reduction.method, rays, reduction.image.geometry.shape[0], reduction.measures)


def _streaks_left(measure: SliceMeasure) -> float:
    return 0.0 if measure.after is None else measure.after.streaks_hu


def _values(measure: ArtefactMeasure | None) -> dict[str, float] | None:
    return None if measure is None else asdict(measure)


def _or_none(value: float) -> float | None:
    return value if np.isfinite(value) else None
