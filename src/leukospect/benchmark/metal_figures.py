"""Figures of the metal benchmark: slices to look at, the edge of bone, errors before and after."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from leukospect.benchmark.accuracy_figures import COLOURS, INK, MARKERS, MUTED, STYLE
from leukospect.benchmark.metal_measures import SSIM_WINDOW_HU, BoneEdge
from leukospect.benchmark.metal_results import MetalMeasures, Picture

_MARGIN_MM = 12.0


def drawn(measures: MetalMeasures, pictures: Sequence[Picture]) -> dict[str, Figure]:
    """Draw every figure: a picture of slices for each family, and what the measures show."""
    with mpl.rc_context(STYLE):
        figures = {
            f"slices-{family.replace(' ', '-')}": slices([one for one in pictures if one.family == family])
            for family in dict.fromkeys(one.family for one in pictures)
        }
        if measures.edges:
            figures["bone-edge"] = bone_edges(measures.edges)
        if measures.of():
            figures["errors"] = errors(measures)
            figures["methods"] = methods(measures)
    return figures


def slices(pictures: Sequence[Picture]) -> Figure:
    """Draw slices before, after and truth, a row each, at one window."""
    shapes = [one.truth[_round_the_body(one)].shape for one in pictures]
    tallest = max(rows / columns for rows, columns in shapes)
    height = 3.6 * min(tallest, 1.3) + 0.3
    figure = Figure(figsize=(11.0, height * len(pictures) + 0.2), layout="constrained", facecolor="white")
    panels = figure.subplots(len(pictures), 3, squeeze=False)
    for row, one in enumerate(pictures):
        titles = (f"before: RMSE {one.rmse_before_hu:.0f} HU", f"after: {one.rmse_after_hu:.0f} HU", "truth")
        box = _round_the_body(one)
        for panel, values, title in zip(panels[row], (one.before, one.after, one.truth), titles, strict=True):
            panel.imshow(values[box], cmap="gray", vmin=SSIM_WINDOW_HU[0], vmax=SSIM_WINDOW_HU[1],
                         interpolation="lanczos")  # fmt: skip
            panel.set(xticks=[], yticks=[])
            panel.spines[:].set_visible(False)
            panel.set_title(title, loc="center", fontweight="normal", fontsize=9)
            for place, letter in ((0.03, "R"), (0.97, "L")):
                panel.text(place, 0.5, letter, transform=panel.transAxes, color="#ffd24a", fontsize=11,
                           ha="center", va="center", fontweight="bold")  # fmt: skip
        panels[row][0].set_ylabel(_in_two_lines(one.title), fontsize=8)
    return figure


def _in_two_lines(title: str) -> str:
    return title.replace(": ", "\n", 1)


def _round_the_body(one: Picture) -> tuple[slice, slice]:
    inside = one.truth > -300.0
    margin = round(_MARGIN_MM / one.pixel_mm)
    found = []
    for axis in (1, 0):
        places = np.flatnonzero(inside.sum(axis=axis) > 5)
        found.append(slice(max(0, int(places[0]) - margin), int(places[-1]) + margin + 1))
    return found[0], found[1]


def bone_edges(edges: Sequence[tuple[str, BoneEdge]]) -> Figure:
    """Draw the mean profile across the edge of bone, a panel for each family."""
    families = list(dict.fromkeys(family for family, _ in edges))
    figure = Figure(figsize=(2.7 * len(families) + 0.6, 3.4), layout="constrained", facecolor="white")
    panels = np.atleast_1d(figure.subplots(1, len(families), sharey=True))
    for panel, family in zip(panels, families, strict=True):
        chosen = [edge for name, edge in edges if name == family]
        for name, colour, style in (("truth", INK, "-"), ("before", COLOURS[1], "--"), ("after", COLOURS[0], "-")):
            mean = np.mean([getattr(edge, name) for edge in chosen], axis=0)
            panel.plot(chosen[0].distance_mm, mean, color=colour, linestyle=style, linewidth=1.4, label=name)
        panel.set(xlabel="mm outwards from the true edge", xlim=(-8, 10))
        panel.set_title(f"{family} ({len(chosen)} slices)")
    panels[0].set_ylabel("HU")
    panels[0].legend(loc="upper right")
    return figure


def errors(measures: MetalMeasures) -> Figure:
    """Draw the error of every slice after the default method against the one before."""
    figure = Figure(figsize=(6.2, 5.0), layout="constrained", facecolor="white")
    panel: Axes = figure.subplots()
    for number, family in enumerate(dict.fromkeys(one.family for one in measures.of())):
        chosen = measures.of(family=family)
        panel.plot([one.rmse_before_hu for one in chosen], [one.rmse_after_hu for one in chosen], linestyle="none",
                   marker=MARKERS[number], markersize=4, color=COLOURS[number], alpha=0.75, label=family)  # fmt: skip
    _equal_lines(panel, np.array([[one.rmse_before_hu, one.rmse_after_hu] for one in measures.of()]))
    panel.set(xlabel="RMSE before (HU)", ylabel=f"RMSE after, {measures.default} (HU)")
    panel.legend(loc="upper left")
    return figure


def _equal_lines(panel: Axes, values: NDArray[np.float64]) -> None:
    ends = np.array([values.min() * 0.8, values.max() * 1.2])
    panel.plot(ends, ends, color=MUTED, linewidth=0.9)
    panel.plot(ends, 0.4 * ends, color=MUTED, linewidth=0.9, linestyle=":")
    panel.annotate("-60 %", (ends[1], 0.4 * ends[1]), ha="right", va="top", fontsize=8, color=MUTED)
    panel.set(xscale="log", yscale="log")


def methods(measures: MetalMeasures) -> Figure:
    """Draw the errors of every method side by side, uncorrected first."""
    figure = Figure(figsize=(1.5 * len(measures.methods) + 3.0, 3.8), layout="constrained", facecolor="white")
    panel: Axes = figure.subplots()
    groups = [[one.rmse_before_hu for one in measures.of()]]
    groups += [[one.rmse_after_hu for one in measures.of(method)] for method in measures.methods]
    boxes = panel.boxplot(
        groups, widths=0.5, patch_artist=True, medianprops={"color": INK}, flierprops={"markersize": 3}
    )
    for number, box in enumerate(boxes["boxes"]):
        box.set(facecolor=MUTED if number == 0 else COLOURS[(number - 1) % len(COLOURS)], alpha=0.55)
    names = ["before", *(f"{name}\n(default)" if name == measures.default else name for name in measures.methods)]
    panel.set_xticks(range(1, len(names) + 1), names)
    panel.set(ylabel="RMSE outside metal (HU)", yscale="log")
    return figure
