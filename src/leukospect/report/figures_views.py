"""Sinogram and linogram: all views of an acquisition in one picture, where motion and defects show as breaks and lines.

The sinogram has the views going down and the columns of a few summed rows across: resting activity follows a sinusoid,
a defect of the detector a vertical line. The linogram has the rows going down, summed over their columns, and the views
across: resting activity stays in its rows, and a motion along the axis is a step.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from numpy.typing import NDArray

from leukospect.consistency import NonUniformity, ViewFinding
from leukospect.consistency.views import compared_counts, views_of_heads
from leukospect.data import Projections
from leukospect.report.figures_canvas import INK, MUTED, upper_limit

_MARK = "#d55e00"
_SUMMED_MM = 30.0
_PANEL_IN = 2.7
_MOST_TICKS = 7
_DASHES = (0, (5, 4))
_SMALL: dict[str, Any] = {
    "fontsize": 6.5,
    "color": _MARK,
    "path_effects": [withStroke(linewidth=2, foreground="white")],
}

Views = NDArray[np.intp]


def sinogram(
    acquisition: Projections, findings: Sequence[ViewFinding] = (), defects: Sequence[NonUniformity] = ()
) -> Figure:
    """Draw the rows with the most counts, or those of the clearest defect, in every view; one panel a head.

    Parameters
    ----------
    acquisition : Projections
    findings : sequence of ViewFinding
        Motion across the detector and changes of the counts are marked at their views.
    defects : sequence of NonUniformity
        Those in the rows shown are marked at their columns.
    """
    counts = compared_counts(acquisition)
    rows = _rows_shown(counts, acquisition.pixel_mm[0], defects)
    pixels = counts[:, rows].sum(axis=1)
    half_mm = counts.shape[2] * acquisition.pixel_mm[1] / 2.0
    z = acquisition.first_row_z_mm - acquisition.pixel_mm[0] * np.array([rows.start, rows.stop - 1])
    heads = _in_order_of_angle(acquisition)
    figure, panels = _panels(
        len(heads), f"sinogram of rows {rows.start + 1} to {rows.stop}, z {z[0]:.0f} to {z[1]:.0f} mm"
    )
    top = upper_limit(pixels, 99.8)
    for place, (panel, (head, views)) in enumerate(zip(panels, heads, strict=True)):
        panel.imshow(
            pixels[views],
            cmap="gray_r",
            vmin=0.0,
            vmax=top,
            aspect="auto",
            interpolation="nearest",
            extent=(-half_mm, half_mm, views.size - 0.5, -0.5),
        )
        ticks, names = _angle_ticks(acquisition.orbit.angles_deg[views])
        panel.set_yticks(ticks, names)
        panel.set_title(f"head {head}", fontsize=8, color=INK)
        panel.set_xlabel("across the detector, mm", fontsize=7)
        if place == 0:
            panel.set_ylabel("angle of the view, degrees", fontsize=7)
        for edge, size in _edges(findings, ("transverse motion", "counts"), head, views.size).items():
            panel.axhline(edge, color=_MARK, linewidth=0.8, linestyle=_DASHES)
            panel.text(0.99, edge, size, transform=panel.get_yaxis_transform(), ha="right", va="bottom", **_SMALL)
        for defect in defects:
            if defect.head == head and rows.start < defect.row <= rows.stop:
                at = (defect.column - 0.5) * acquisition.pixel_mm[1] - half_mm
                panel.plot([at], [1], transform=panel.get_xaxis_transform(), color=_MARK, linewidth=0,
                           marker="v", markersize=5, clip_on=False)  # fmt: skip
    return figure


def linogram(acquisition: Projections, findings: Sequence[ViewFinding] = ()) -> Figure:
    """Draw every view's counts of each row, all columns summed; one panel a head.

    Parameters
    ----------
    acquisition : Projections
    findings : sequence of ViewFinding
        Motion along the axis and changes of the counts are marked at their views.
    """
    pixels = compared_counts(acquisition).sum(axis=2).T
    half = acquisition.pixel_mm[0] / 2.0
    first = acquisition.first_row_z_mm + half
    last = acquisition.first_row_z_mm - acquisition.pixel_mm[0] * (pixels.shape[0] - 1) - half
    heads = _in_order_of_angle(acquisition)
    figure, panels = _panels(len(heads), "linogram: rows against views, all columns summed")
    top = upper_limit(pixels, 99.8)
    for place, (panel, (head, views)) in enumerate(zip(panels, heads, strict=True)):
        panel.imshow(
            pixels[:, views],
            cmap="gray_r",
            vmin=0.0,
            vmax=top,
            aspect="auto",
            interpolation="nearest",
            extent=(-0.5, views.size - 0.5, last, first),
        )
        ticks, names = _angle_ticks(acquisition.orbit.angles_deg[views])
        panel.set_xticks(ticks, names)
        panel.set_title(f"head {head}", fontsize=8, color=INK)
        panel.set_xlabel("angle of the view, degrees", fontsize=7)
        if place == 0:
            panel.set_ylabel("z (towards the head), mm", fontsize=7)
        for edge, size in _edges(findings, ("axial motion", "counts"), head, views.size).items():
            panel.axvline(edge, color=_MARK, linewidth=0.8, linestyle=_DASHES)
            panel.text(edge, 0.99, size, transform=panel.get_xaxis_transform(), ha="right", va="top", rotation=90,
                       **_SMALL)  # fmt: skip
    return figure


def _panels(number: int, title: str) -> tuple[Figure, list[Axes]]:
    figure = Figure(figsize=(0.5 + _PANEL_IN * number, 3.3), dpi=100, layout="constrained", facecolor="white")
    figure.suptitle(title, fontsize=8, color=INK)
    panels = [figure.add_subplot(1, number, place) for place in range(1, number + 1)]
    for panel in panels:
        panel.tick_params(labelsize=7, colors=INK, width=0.5, length=2.5)
        for spine in panel.spines.values():
            spine.set(color=MUTED, linewidth=0.6)
    return figure, panels


def _in_order_of_angle(acquisition: Projections) -> list[tuple[int, Views]]:
    """Give number, from 1, and views of each head, in the order of the angles they start from."""
    heads = list(enumerate(views_of_heads(acquisition), start=1))
    return sorted(heads, key=lambda head: float(acquisition.orbit.angles_deg[head[1][0]]) % 360.0)


def _rows_shown(counts: NDArray[np.float64], row_mm: float, defects: Sequence[NonUniformity]) -> slice:
    """Choose the rows around the clearest defect, or around the row with the most counts."""
    if defects:
        first = max(0, defects[0].row - 1 - (defects[0].rows - 1) // 2)
        return slice(first, first + defects[0].rows)
    profile = counts.sum(axis=(0, 2))
    number = min(max(1, round(_SUMMED_MM / row_mm)), profile.size)
    summed = np.convolve(profile, np.ones(number), mode="valid")
    first = int(np.argmax(summed))
    return slice(first, first + number)


def _angle_ticks(angles_deg: NDArray[np.float64]) -> tuple[list[int], list[str]]:
    """Put a tick at views that stand evenly: (numbers of the views, their angles)."""
    step = max(1, -(-angles_deg.size // _MOST_TICKS))
    for nice in (30.0, 45.0, 60.0, 90.0):
        at = [n for n, angle in enumerate(angles_deg) if abs((angle + nice / 2) % nice - nice / 2) < 1e-3]
        if 3 <= len(at) <= _MOST_TICKS:
            break
    else:
        at = list(range(0, angles_deg.size, step))
    return at, [f"{angles_deg[n] % 360.0:.4g}" for n in at]


def _edges(findings: Sequence[ViewFinding], kinds: tuple[str, ...], head: int, views: int) -> dict[float, str]:
    """Give the places between views where what is found begins, with its size, and where it ends."""
    edges: dict[float, str] = {}
    for finding in findings:
        if finding.kind in kinds and head in finding.heads:
            if finding.last_view is not None:
                edges.setdefault(finding.last_view - 0.5, "")
            size = f"{abs(finding.size):.0f} mm" if finding.unit == "mm" else f"{finding.size:+.0f} %"
            edges[finding.first_view - 1.5] = size
    return {edge: size for edge, size in edges.items() if 0 <= edge <= views - 1}
