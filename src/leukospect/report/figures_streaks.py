"""Streaks around the metal, slice by slice, before and after its reduction."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from leukospect.ct.slice_reduction import SliceMeasure
from leukospect.report.content import SpectPictures, when
from leukospect.report.figures_canvas import ACCENT, INK, MUTED, light_axes, plain
from leukospect.report.metal_table import slice_z_mm


def streaks_by_slice(spect: tuple[SpectPictures, ...]) -> Figure | None:
    """Draw a panel for each CT with slices that were judged; None where there is none."""
    judged = []
    for one in spect:
        measures = [] if one.metal_summary is None else [m for m in one.metal_summary.measures if m.before and m.after]
        if measures and one.ct is not None:
            places = np.array([slice_z_mm(one.ct.geometry, m.slice_index) for m in measures])
            judged.append((when(one.time_point, one.hours), places, measures))
    if not judged:
        return None
    figure = Figure(figsize=(10.0, 2.6), facecolor="white", layout="constrained")
    panels = np.atleast_1d(figure.subplots(1, len(judged), sharey=True))
    for panel, (title, places, measures) in zip(panels, judged, strict=True):
        _draw(panel, places, measures)
        panel.set_title(plain(title), fontsize=10, color=INK, fontweight="bold")
    panels[0].set_ylabel("streaks, HU", fontsize=9, color=INK)
    panels[0].set_ylim(bottom=0.0)
    panels[0].legend(fontsize=8, frameon=False, labelcolor=INK)
    return figure


def _draw(panel: Axes, places: NDArray[np.float64], measures: list[SliceMeasure]) -> None:
    before = [m.before.streaks_hu for m in measures if m.before]
    after = [m.after.streaks_hu for m in measures if m.after]
    panel.plot(places, before, color=MUTED, marker=".", markersize=4, linestyle="none", label="as scanned")
    panel.plot(places, after, color=ACCENT, marker=".", markersize=4, linestyle="none", label="metal reduced")
    panel.vlines(places, after, before, color="#c8d0d6", linewidth=0.6, zorder=0)
    panel.set_xlabel("z, mm (to the head)", fontsize=9, color=INK)
    light_axes(panel)
