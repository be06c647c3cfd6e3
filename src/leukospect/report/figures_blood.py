"""Figures of blood markers by the flag of the scan: values, ROC curves and effect sizes."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from leukospect.blood.effect_sizes import Estimate
from leukospect.blood.group_comparison import GROUPS, Comparison
from leukospect.blood.indices import Float64
from leukospect.interpretation.flag import FlagValue
from leukospect.report.figures_canvas import INK, MUTED, light_axes, plain

MOST_PANELS = 24
GROUP_COLOURS: dict[str, str] = {
    "positive": "#d55e00",
    "negative": "#0072b2",
    "equivocal": "#8c6d1f",
    "not assessable": "#66737f",
}
_MARKS: dict[str, str] = {"positive": "o", "negative": "s", "equivocal": "^", "not assessable": "x"}
_COLUMNS = 4
_MOST_POINTS = 300


def marker_values(comparisons: Sequence[Comparison], flags: Sequence[FlagValue]) -> Figure:
    """Draw a panel a marker: a box (quartiles, whiskers to 1.5 of their distance) and every patient of each group."""
    told = np.array(flags)
    groups = [group for group in GROUPS if group in flags]
    figure, panels = _panels(len(comparisons), 2.7)
    for panel, found in zip(panels, comparisons, strict=False):
        values = [found.marker.values[(told == group) & np.isfinite(found.marker.values)] for group in groups]
        _boxes(panel, values)
        for place, (group, one) in enumerate(zip(groups, values, strict=True)):
            _points(panel, place, group, one)
        panel.set_xticks(
            range(len(groups)), [f"{group}\nn = {len(v)}" for group, v in zip(groups, values, strict=True)]
        )
        panel.set_xlim(-0.6, len(groups) - 0.4)
        _title(panel, found.marker.name, found.marker.unit)
        light_axes(panel)
    return figure


def _boxes(panel: Axes, values: Sequence[Float64]) -> None:
    lines = {"color": INK, "linewidth": 1.0}
    filled = [place for place, one in enumerate(values) if len(one) > 1]
    if filled:
        panel.boxplot(
            [values[place] for place in filled],
            positions=filled,
            widths=0.55,
            showfliers=False,
            boxprops=lines,
            whiskerprops=lines,
            capprops=lines,
            medianprops={"color": INK, "linewidth": 2.0},
            manage_ticks=False,
        )


def _points(panel: Axes, place: int, group: str, values: Float64) -> None:
    """Draw the patients beside each other in an order that is the same every time; of very many, the box alone."""
    if len(values) > _MOST_POINTS:
        return
    spread = (np.arange(1, len(values) + 1) * 0.6180339887) % 1.0 - 0.5
    panel.scatter(
        place + 0.4 * spread,
        np.sort(values),
        s=15,
        color=GROUP_COLOURS[group],
        marker=_MARKS[group],
        alpha=0.75,
        zorder=3,
        linewidths=0.8 if _MARKS[group] == "x" else 0,
    )


def roc_curves(comparisons: Sequence[Comparison]) -> Figure | None:
    """Draw a panel a marker with its ROC curve, the area under it and the cut-off; None where there is no curve."""
    curves = [found for found in comparisons if found.roc is not None]
    if not curves:
        return None
    figure, panels = _panels(len(curves), 2.9)
    for panel, found in zip(panels, curves, strict=False):
        _roc(panel, found)
    figure.supxlabel("1 − specificity", fontsize=9, color=INK)
    figure.supylabel("sensitivity", fontsize=9, color=INK)
    return figure


def _roc(panel: Axes, found: Comparison) -> None:
    roc = found.roc
    assert roc is not None
    panel.plot([0, 1], [0, 1], color=MUTED, linewidth=0.8, linestyle=(0, (4, 3)))
    panel.plot(roc.false_positive, roc.true_positive, color=GROUP_COLOURS["negative"], linewidth=1.8)
    if roc.cut_off is not None and roc.cut_off.positive_above:
        place = (1 - roc.cut_off.specificity.value, roc.cut_off.sensitivity.value)
    elif roc.cut_off is not None:  # seen from the other end of the same curve
        place = (roc.cut_off.specificity.value, 1 - roc.cut_off.sensitivity.value)
    if roc.cut_off is not None:
        panel.plot(
            *place,
            marker="o",
            markersize=7,
            markerfacecolor="white",
            markeredgecolor=GROUP_COLOURS["positive"],
            markeredgewidth=1.8,
            zorder=4,
        )
    area = roc.area
    low_right = area.value >= 0.5
    panel.text(
        0.97 if low_right else 0.03,
        0.05 if low_right else 0.95,
        f"AUC {area.value:.2f}\n({area.low:.2f} to {area.high:.2f})",
        ha="right" if low_right else "left",
        va="bottom" if low_right else "top",
        fontsize=8.5,
        color=INK,
    )
    panel.set_xlim(-0.02, 1.02)
    panel.set_ylim(-0.02, 1.02)
    panel.set_aspect("equal")
    panel.set_xticks([0, 0.5, 1])
    panel.set_yticks([0, 0.5, 1])
    _title(panel, found.marker.name, "")
    light_axes(panel)


def effect_sizes(effects: Sequence[tuple[str, Estimate]]) -> Figure:
    """Draw Hedges' g of each marker with its 95 % interval, the first on top."""
    height = 0.9 + 0.3 * len(effects)
    figure = Figure(figsize=(10.0, height), facecolor="white", layout="constrained")
    panel = figure.add_subplot()
    places = np.arange(len(effects))[::-1]
    value, low, high = (np.array([getattr(e, n) for _, e in effects]) for n in ("value", "low", "high"))
    panel.axvline(0.0, color=MUTED, linewidth=0.8, linestyle=(0, (4, 3)))
    panel.errorbar(
        value,
        places,
        xerr=[value - low, high - value],
        fmt="o",
        color=GROUP_COLOURS["negative"],
        markersize=5,
        linewidth=1.6,
        capsize=3,
    )
    panel.set_yticks(places, [plain(name) for name, _ in effects])
    panel.set_ylim(-0.7, len(effects) - 0.3)
    panel.set_xlabel(
        "Hedges' g: lower in positive scans (left), higher in positive scans (right)", fontsize=9, color=INK
    )
    light_axes(panel)
    panel.grid(axis="y", visible=False)
    panel.grid(axis="x", color="#e3e8ec", linewidth=0.6)
    return figure


def _panels(number: int, panel_height_in: float) -> tuple[Figure, list[Axes]]:
    shown = min(number, MOST_PANELS)
    rows = math.ceil(shown / _COLUMNS)
    figure = Figure(figsize=(10.0, panel_height_in * rows + 0.3), facecolor="white", layout="constrained")
    grid = figure.subplots(rows, _COLUMNS, squeeze=False).ravel().tolist()
    for panel in grid[shown:]:
        panel.remove()
    return figure, grid[:shown]


def _title(panel: Axes, name: str, unit: str) -> None:
    panel.set_title(plain(f"{name} ({unit})" if unit else name), fontsize=10, color=INK, fontweight="bold")
