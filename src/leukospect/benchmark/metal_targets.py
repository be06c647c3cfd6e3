"""What is asked of the metal reduction, and whether the measures meet it."""

from __future__ import annotations

import numpy as np

from leukospect.benchmark.metal_process import LargeCt
from leukospect.benchmark.metal_results import MetalMeasures, SliceMeasure, Target, median_of

LEAST_SLICES = 200
LEAST_REDUCTION = 0.6
MOST_RISING, MOST_RISE_HU = 0.01, 2.0
METAL_SLICE_S, PLAIN_SLICE_S = 0.7, 0.02
LARGE_S, LARGE_MB = 120.0, 2000.0
_ROUNDING_HU = 1e-3
_EDGE_MM, _WIDENING = 0.3, 1.15
_CLEAR_OF_NOISE = 2.0


def judged(measures: MetalMeasures) -> tuple[Target, ...]:
    """Compare the measures of the default method with what is asked; nothing is judged that was not measured."""
    targets = _errors(measures.of())
    targets += _edges(measures.of())
    targets += _unchanged(measures)
    targets += _times(measures)
    if measures.large is not None:
        targets += _large(measures.large)
    return tuple(targets)


def _errors(slices: tuple[SliceMeasure, ...]) -> list[Target]:
    if not slices:
        return []
    reduction = median_of(slices, lambda one: one.reduction)
    rises = np.array([one.rise_hu for one in slices])
    rising = rises > _ROUNDING_HU
    before, after = (median_of(slices, value) for value in (lambda one: one.ssim_before, lambda one: one.ssim_after))
    gain = median_of(slices, lambda one: one.ssim_after - one.ssim_before)
    artefact = median_of(slices, lambda one: one.artefact_reduction)
    strong = tuple(one for one in slices if one.artefact_before_hu >= _CLEAR_OF_NOISE * one.rmse_without_metal_hu)
    return [
        Target(f"At least {LEAST_SLICES} slices with metal", str(len(slices)), len(slices) >= LEAST_SLICES),
        Target(f"RMSE outside metal falls by >= {LEAST_REDUCTION:.0%} (median)", f"{reduction:.1%}",
               reduction >= LEAST_REDUCTION),
        Target("The artefact alone (RMSE to the same scan without metal) falls by (median)", f"{artefact:.1%}", None),
        Target(f"RMSE falls where the artefact is {_CLEAR_OF_NOISE:g} times the scan's noise or more (median)",
               f"{median_of(strong, lambda one: one.reduction):.1%} of {len(strong)} slices", None),
        Target(f"RMSE rises in <= {MOST_RISING:.0%} of slices",
               f"{rising.sum()} of {rising.size} ({rising.mean():.1%})",
               float(rising.mean()) <= MOST_RISING),
        Target(f"RMSE never rises by more than {MOST_RISE_HU:g} HU", f"at most {max(rises.max(), 0.0):.2f} HU",
               float(rises.max()) <= MOST_RISE_HU),
        Target("SSIM rises (median)", f"from {before:.4f} to {after:.4f}, median change {gain:+.4f}", gain > 0.0),
    ]  # fmt: skip


def _edges(slices: tuple[SliceMeasure, ...]) -> list[Target]:
    off = {name: median_of(slices, lambda one, name=name: abs(getattr(one, name)))  # type: ignore[misc]
           for name in ("edge_before_mm", "edge_after_mm")}  # fmt: skip
    if not np.isfinite(off["edge_after_mm"]):
        return []
    wider = {when: median_of(slices, lambda one, when=when: getattr(one, f"width_{when}_mm") / one.width_truth_mm)  # type: ignore[misc]
             for when in ("before", "after")}  # fmt: skip
    return [
        Target(
            f"Bone's edge beside metal keeps its place within {_EDGE_MM:g} mm (median)",
            f"{off['edge_after_mm']:.2f} mm off after, {off['edge_before_mm']:.2f} mm before",
            off["edge_after_mm"] <= _EDGE_MM,
        ),
        Target(
            f"and its 10-90 % width within {_WIDENING:g} of the truth's (median)",
            f"{wider['after']:.3f} after, {wider['before']:.3f} before",
            wider["after"] <= _WIDENING,
        ),
    ]


def _unchanged(measures: MetalMeasures) -> list[Target]:
    without = [one for one in measures.volumes if not one.with_metal]
    within = [one for one in measures.volumes if one.with_metal]
    targets = []
    if without:
        same = sum(one.slices for one in without if one.identical)
        number = sum(one.slices for one in without)
        targets.append(
            Target("Scans without metal come out bit-identical", f"{same} of {number} slices", same == number)
        )
    if within:
        same = sum(one.identical for one in within)
        targets.append(
            Target("With metal, all outside the body stays bit-identical", f"{same} of {len(within)} scans",
                   same == len(within))
        )  # fmt: skip
    return targets


def _times(measures: MetalMeasures) -> list[Target]:
    targets = []
    for with_metal, limit, words in ((True, METAL_SLICE_S, "with metal"), (False, PLAIN_SLICE_S, "without")):
        seconds = [one.seconds / (one.metal_slices if with_metal else one.slices)
                   for one in measures.volumes if one.with_metal == with_metal
                   and (one.metal_slices if with_metal else one.slices)]  # fmt: skip
        if seconds:
            middle = float(np.median(seconds))
            targets.append(
                Target(f"<= {limit:g} s a slice {words} (median over scans)",
                       f"{middle:.3f} s, at most {max(seconds):.3f} s", middle <= limit)
            )  # fmt: skip
    return targets


def _large(large: LargeCt) -> list[Target]:
    asked = f"A CT of {large.slices} slices, {large.metal_slices} with metal, on {large.threads} threads: "
    if large.failure:
        return [Target(asked + "reduced", large.failure, False)]
    return [
        Target(f"{asked}under {LARGE_S:g} s", f"{large.seconds:.1f} s", large.seconds < LARGE_S),
        Target(
            f"{asked}under {LARGE_MB:g} MB",
            f"{large.peak_mb:.0f} MB, of which {large.input_mb:.0f} MB before the reduction",
            large.peak_mb < LARGE_MB,
        ),
    ]
