"""The reduction of one slice: candidates by method, judged without the truth, and used as far as they help."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from leukospect.ct.artefact_measure import ArtefactMeasure, SliceJudge
from leukospect.ct.frequency_split import frequency_split
from leukospect.ct.linear_interpolation import linear
from leukospect.ct.metal_trace import Floats, MetalTrace
from leukospect.ct.normalised import normalised
from leukospect.ct.tissue_prior import smoothed_prior
from leukospect.ct.trace_model import CAUTIOUS, TRUSTING, TraceModel, with_trace_model

# By how much streaks must fall for a change, or more of it, to be worth its risk.
_WORTH = 0.98
_LEAST_AGREEMENT = 0.8
_STRENGTHS = (1.0, 0.5)
# How the images of `adaptive` are weighed; streaks are looked for where anatomy beside the metal does not interfere.
_FAR_STREAKS_MM, _BY_RAYS, _PREFERENCE = 15.0, 0.6, 5.0


@dataclass(frozen=True, slots=True)
class SliceMeasure:
    """What was done with one slice with metal, and how its artefacts were before and after.

    Parameters
    ----------
    slice_index : int
    metal_pixels : int
    method : str
        The one whose image was used; empty where the slice stays as it was.
    strength : float
        How much of its change was used, 0 to 1.
    before, after : ArtefactMeasure or None
        None where there is too little soft tissue around the metal to judge by.
    """

    slice_index: int
    metal_pixels: int
    method: str
    strength: float
    before: ArtefactMeasure | None
    after: ArtefactMeasure | None

    @property
    def corrected(self) -> bool:
        """Whether the slice was changed."""
        return self.strength > 0


def candidates(method: str, trace: MetalTrace) -> dict[str, Floats]:
    """Reduce a slice by a method: one image or several to choose from, by name."""
    return METHODS[method](trace)


def reduced_slice(method: str, trace: MetalTrace, slice_index: int) -> tuple[Floats, SliceMeasure]:
    """Reduce the artefacts of one slice as far as that helps.

    Returns
    -------
    tuple
        (rows, columns) float32 array, HU, metal and all outside the body as scanned; and what was done.
    """
    may_change = trace.body & ~trace.metal
    made = {name: np.where(may_change, image, trace.slice_hu) for name, image in candidates(method, trace).items()}
    judge = SliceJudge(trace, [trace.slice_hu, *made.values()])
    pixels = int(np.count_nonzero(trace.metal))
    if not judge.can_judge:
        return trace.slice_hu, SliceMeasure(slice_index, pixels, "", 0.0, None, None)
    before = judge.measure(trace.slice_hu)
    best, name, strength, after = trace.slice_hu, "", 0.0, before
    for candidate, image in made.items():
        for share in _STRENGTHS:
            mixed = image if share == 1.0 else (trace.slice_hu + np.float32(share) * (image - trace.slice_hu))
            found = judge.measure(mixed)
            margin = _WORTH if strength == 0 or (candidate == name) else 1.0
            if found.streaks_hu < margin * after.streaks_hu and found.edge_agreement >= _LEAST_AGREEMENT:
                best, name, strength, after = mixed, candidate, share, found
    return best, SliceMeasure(slice_index, pixels, name, strength, before, after)


def _linear(trace: MetalTrace) -> dict[str, Floats]:
    return {"linear": linear(trace)}


def _normalised(trace: MetalTrace) -> dict[str, Floats]:
    return {"normalised": normalised(trace, smoothed_prior(trace, linear(trace)))}


def _frequency_split(trace: MetalTrace) -> dict[str, Floats]:
    return {"frequency-split": frequency_split(trace, _normalised(trace)["normalised"])}


def _trace_model(trace: MetalTrace) -> dict[str, Floats]:
    start = _normalised(trace)["normalised"]
    return {"trace-model": with_trace_model(TraceModel(trace), start, CAUTIOUS)}


def _adaptive(trace: MetalTrace) -> dict[str, Floats]:
    """Average three reductions whose errors differ, by the streaks each leaves and how well it explains its rays."""
    start = _normalised(trace)["normalised"]
    model = TraceModel(trace)
    first = model.improved(start, CAUTIOUS[0])
    images = (start, with_trace_model(model, first, CAUTIOUS[1:]), with_trace_model(model, first, TRUSTING))
    judge = SliceJudge(trace, [trace.slice_hu, *images], from_mm=_FAR_STREAKS_MM)
    if not judge.can_judge:
        return {"adaptive": images[1]}
    scores = [judge.measure(image).streaks_hu * model.unexplained_hu_m(image) ** _BY_RAYS for image in images]
    weights = np.array([(min(scores) / score) ** _PREFERENCE if score > 0 else 1.0 for score in scores])
    weights /= weights.sum()
    mean = sum((np.float32(weight) * image for weight, image in zip(weights, images, strict=True)), np.float32(0))
    return {"adaptive": np.asarray(mean, dtype=np.float32)}


METHODS: dict[str, Callable[[MetalTrace], dict[str, Floats]]] = {
    "adaptive": _adaptive,
    "linear": _linear,
    "normalised": _normalised,
    "frequency-split": _frequency_split,
    "trace-model": _trace_model,
}
"""From a slice's metal trace to images of it, by name."""
