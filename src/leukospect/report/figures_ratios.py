"""Lesion to reference against time, with 95 % intervals."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from leukospect.quantification.measurements import Ratio, Region
from leukospect.report.content import modality_name
from leukospect.report.figures_canvas import INK, MUTED, REGION_COLOURS, light_axes, plain
from leukospect.report.figures_regions import colour_of

_ORDER = ("early", "delayed", "late")


def ratio_curves(ratios: Sequence[Ratio], regions: Sequence[Region]) -> Figure:
    """Draw a panel for each modality, a line for each lesion; by time point where any hour is unknown."""
    modalities = list(dict.fromkeys(r.modality for r in ratios))
    lesions = list(dict.fromkeys(r.lesion for r in ratios))
    known = all(np.isfinite(r.hours) for r in ratios)
    figure = Figure(figsize=(10.0, 3.5), facecolor="white", layout="constrained")
    panels = np.atleast_1d(figure.subplots(1, len(modalities), sharey=True))
    for panel, modality in zip(panels, modalities, strict=True):
        for lesion in lesions:
            points = [r for r in ratios if r.modality == modality and r.lesion == lesion]
            _curve(panel, points, _colour(lesion, lesions, regions), lesion, known)
        _finish(panel, modality, known)
    panels[0].set_ylabel("lesion / reference", fontsize=9, color=INK)
    panels[0].set_ylim(bottom=0.0)
    handles, names = panels[0].get_legend_handles_labels()
    if not handles:
        return figure
    figure.legend(
        handles, names, loc="outside upper center", ncols=min(len(names), 4), fontsize=9, frameon=False, labelcolor=INK
    )
    return figure


def _colour(lesion: str, lesions: Sequence[str], regions: Sequence[Region]) -> str:
    known = next((r for r in regions if r.name == lesion), None)
    return colour_of(known, regions) if known else REGION_COLOURS[lesions.index(lesion) % len(REGION_COLOURS)]


def _curve(panel: Axes, points: Sequence[Ratio], colour: str, name: str, known: bool) -> None:
    x = np.array([r.hours if known else _ORDER.index(r.time_point) for r in points], dtype=np.float64)
    order = np.argsort(x)
    value, low, high = (np.array([getattr(r.total, n) for r in points])[order] for n in ("value", "low", "high"))
    errors = np.maximum(np.nan_to_num([value - low, high - value]), 0.0)
    panel.errorbar(
        x[order], value, errors, color=colour, marker="o", markersize=5, linewidth=1.6, capsize=4, label=plain(name)
    )


def _finish(panel: Axes, modality: str, known: bool) -> None:
    panel.axhline(1.0, color=MUTED, linewidth=0.8, linestyle=(0, (4, 3)), zorder=0)
    panel.set_title(plain(modality_name(modality)), fontsize=10, color=INK, fontweight="bold")
    if known:
        panel.set_xlabel("hours after injection", fontsize=9, color=INK)
        panel.set_xlim(left=0.0)
    else:
        panel.set_xticks(range(len(_ORDER)), _ORDER)
    light_axes(panel)
