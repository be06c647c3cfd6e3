"""Figures of the uncertainty benchmark: coverage, reliability, and where the intervals miss."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy import stats

from leukospect.benchmark.uncertainty_results import (
    LEAST_COVERED,
    LEVELS,
    MOST_COVERED,
    THRESHOLD,
    Bounds,
    Replicate,
    UncertaintyFound,
    covered,
    reliability,
)
from leukospect.report.content import modality_name

_COLOURS = {"normal counts": "#0072b2", "low counts": "#d55e00"}


def drawn(found: UncertaintyFound) -> dict[str, Figure]:
    """Draw every figure, by its file's name."""
    return {
        "uncertainty-coverage": _coverage(found),
        "uncertainty-reliability": _reliability(found),
        "uncertainty-changes": _changes(found),
    }


def _ratios(group: list[Replicate]) -> list[Bounds]:
    return [bounds for one in group for bounds in (one.earlier, one.later)]


def _coverage(found: UncertaintyFound) -> Figure:
    figure = Figure(figsize=(8.5, 4.2), layout="constrained")
    axes = figure.subplots()
    axes.axhspan(LEAST_COVERED, MOST_COVERED, color="0.92", label="asked for")
    axes.axhline(0.95, color="0.5", linewidth=0.8)
    names = []
    for at, (modality, level) in enumerate(found.groups):
        group = found.of(modality, level)
        names.append(f"{modality_name(modality)}\n{level}")
        for shift, marker, bounds in ((-0.12, "o", _ratios(group)), (0.12, "s", [one.change for one in group])):
            part, number = covered(bounds)
            low, high = stats.binomtest(round(part * number), number).proportion_ci()
            axes.errorbar(
                at + shift, part, [[part - low], [high - part]], color=_COLOURS[level], marker=marker, capsize=3
            )
    axes.plot([], [], "o", color="0.4", label="ratio")
    axes.plot([], [], "s", color="0.4", label="change")
    axes.set_xticks(range(len(names)), names, fontsize=8)
    axes.set(ylabel="truth within the 95 % interval", ylim=(0.85, 1.0))
    axes.legend(frameon=False, loc="lower left", ncols=3)
    return figure


def _reliability(found: UncertaintyFound) -> Figure:
    modalities = list(dict.fromkeys(modality for modality, _ in found.groups))
    figure = Figure(figsize=(4.0 * len(modalities), 4.2), layout="constrained")
    panels = np.atleast_1d(figure.subplots(1, len(modalities), sharey=True))
    for panel, modality in zip(panels, modalities, strict=True):
        panel.plot([0, 1], [0, 1], color="0.6", linewidth=0.8)
        for level in LEVELS:
            if (modality, level) in found.groups:
                _curve(panel, found.of(modality, level), level)
        panel.set(
            title=modality_name(modality),
            xlabel=f"P(change > {THRESHOLD:.0%})",
            xlim=(0, 1),
            ylim=(0, 1),
            aspect="equal",
        )
        panel.legend(frameon=False, loc="lower right", fontsize=8)
    panels[0].set_ylabel("how often it was")
    return figure


def _curve(panel: Axes, group: list[Replicate], level: str) -> None:
    known = reliability(group)
    hits = np.round(known.observed * known.number).astype(int)
    ends = [stats.binomtest(int(k), int(n)).proportion_ci() for k, n in zip(hits, known.number, strict=True)]
    errors = [known.observed - [e.low for e in ends], [e.high for e in ends] - known.observed]
    panel.errorbar(
        known.predicted, known.observed, errors, color=_COLOURS[level], marker="o", markersize=4, linewidth=1,
        capsize=2, label=f"{level} (off by {known.error:.3f})",
    )  # fmt: skip


def _changes(found: UncertaintyFound) -> Figure:
    groups = found.groups
    figure = Figure(figsize=(3.4 * len(groups) / 2, 6.4), layout="constrained")
    panels = figure.subplots(2, len(groups) // 2, squeeze=False, sharex=True)
    for at, (modality, level) in enumerate(groups):
        panel = panels[at % 2, at // 2]
        group = found.of(modality, level)
        true, value = (np.array([getattr(one.change, name) for one in group]) for name in ("true", "value"))
        held = np.array([one.change.covers for one in group])
        for some, colour, name in ((held, "0.6", "covered"), (~held, "#a93d00", "not covered")):
            panel.scatter(true[some], value[some], s=4, color=colour, label=name)
        ends = found.settings.change_from, found.settings.change_to
        panel.plot(ends, ends, color="k", linewidth=0.8)
        finite = value[np.isfinite(value)]
        panel.set(ylim=(-1.0, max(1.0, float(np.quantile(finite, 0.995)))))
        panel.set_title(f"{modality_name(modality)}, {level}", fontsize=9)
    for panel in panels[-1]:
        panel.set_xlabel("true change")
    for row in panels:
        row[0].set_ylabel("measured change")
    panels[0, 0].legend(frameon=False, fontsize=8)
    return figure
