"""The reduction of one slice: a method's image, judged without the truth, and used as far as it helps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from leukospect.ct.artefact_measure import ArtefactMeasure, SliceJudge
from leukospect.ct.frequency_split import frequency_split
from leukospect.ct.linear_interpolation import linear
from leukospect.ct.metal_trace import Floats, MetalTrace
from leukospect.ct.normalised import normalised
from leukospect.ct.tissue_prior import smoothed_prior
from leukospect.ct.trace_model import CAUTIOUS, DENSE_BONE, TRUSTING, TraceModel

# By how much streaks must fall for a change, or more of it, to be worth its risk.
_WORTH = 0.93
# A gain of less than this says little on slices with weak streaks; half of the change then risks half of the harm.
_CLEARLY_BETTER = 0.88
# Streaks six times as strong as any simulated bring even the truth down to 0.73; anatomy moved by 10 mm comes below
# 0.5, anatomy that is gone to 0.
_LEAST_AGREEMENT = 0.7
_STRENGTHS = (1.0, 0.5)
# How the images of `adaptive` are weighed; streaks are looked for where anatomy beside the metal does not interfere.
# Streaks are compared among images of the same anatomy and noise, so that a twentieth tells.
_FAR_STREAKS_MM, _BY_STREAKS, _BY_RAYS = 15.0, 20.0, 2.0


@dataclass(frozen=True, slots=True)
class SliceMeasure:
    """What was done with one slice with metal, and how its artefacts were before and after.

    Parameters
    ----------
    slice_index : int
    metal_pixels : int
    strength : float
        How much of the method's change was used, 0 to 1; at 0 the slice stays as it was.
    before, after : ArtefactMeasure or None
        None where there is too little soft tissue around the metal to judge by.
    """

    slice_index: int
    metal_pixels: int
    strength: float
    before: ArtefactMeasure | None
    after: ArtefactMeasure | None

    @property
    def corrected(self) -> bool:
        """Whether the slice was changed."""
        return self.strength > 0


def reduced_slice(method: str, trace: MetalTrace, slice_index: int) -> tuple[Floats, SliceMeasure]:
    """Reduce the artefacts of one slice as far as that helps.

    Returns
    -------
    tuple
        (rows, columns) float32 array, HU, metal and all outside the body as scanned; and what was done.
    """
    may_change = trace.body & ~trace.metal
    image = np.where(may_change, METHODS[method](trace), trace.slice_hu)
    judge = SliceJudge(trace, (trace.slice_hu, image))
    pixels = int(np.count_nonzero(trace.metal))
    if not judge.can_judge:
        return trace.slice_hu, SliceMeasure(slice_index, pixels, 0.0, None, None)
    before = judge.measure(trace.slice_hu)
    best, strength, after = trace.slice_hu, 0.0, before
    # What lost anatomy is not used in part either.
    usable = judge.measure(image).edge_agreement >= _LEAST_AGREEMENT
    for share in _STRENGTHS if usable else ():
        mixed = _mixed(trace.slice_hu, image, share)
        found = judge.measure(mixed)
        if found.streaks_hu < _WORTH * after.streaks_hu:
            best, strength, after = mixed, share, found
    if strength == 1.0 and after.streaks_hu > _CLEARLY_BETTER * before.streaks_hu:
        strength = _STRENGTHS[-1]
        best = _mixed(trace.slice_hu, image, strength)
        after = judge.measure(best)
    return best, SliceMeasure(slice_index, pixels, strength, before, after)


def _mixed(scanned: Floats, image: Floats, share: float) -> Floats:
    """Use so much of a change."""
    return image if share == 1.0 else scanned + np.float32(share) * (image - scanned)


def _linear(trace: MetalTrace) -> Floats:
    return linear(trace)


def _normalised(trace: MetalTrace) -> Floats:
    return normalised(trace, smoothed_prior(trace, linear(trace)))


def _frequency_split(trace: MetalTrace) -> Floats:
    return frequency_split(trace, _normalised(trace))


def _trace_model(trace: MetalTrace) -> Floats:
    return TraceModel(trace).reduced(_normalised(trace), DENSE_BONE)


def _adaptive(trace: MetalTrace) -> Floats:
    """Average four reductions whose errors differ, by the streaks each leaves and how well it explains its rays."""
    start, model = _normalised(trace), TraceModel(trace)
    images = (start, *(model.reduced(start, passes) for passes in (CAUTIOUS, TRUSTING, DENSE_BONE)))
    judge = SliceJudge(trace, [trace.slice_hu, *images], from_mm=_FAR_STREAKS_MM)
    if not judge.can_judge:
        return images[1]
    streaks = np.array([judge.measure(image).streaks_hu for image in images])
    unexplained = np.array([model.unexplained_hu_m(image) for image in images])
    weights = _below_best(streaks) ** _BY_STREAKS * _below_best(unexplained) ** _BY_RAYS
    weights /= weights.sum()
    mean = sum((np.float32(weight) * image for weight, image in zip(weights, images, strict=True)), np.float32(0))
    return np.asarray(mean, dtype=np.float32)


def _below_best(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give the least of some values as a part of each."""
    return np.asarray(np.minimum(1.0, (values.min() + 1e-6) / (values + 1e-6)))


METHODS: dict[str, Callable[[MetalTrace], Floats]] = {
    "adaptive": _adaptive,
    "linear": _linear,
    "normalised": _normalised,
    "frequency-split": _frequency_split,
    "trace-model": _trace_model,
}
"""From the metal trace of a slice to its reduced image, by name."""
