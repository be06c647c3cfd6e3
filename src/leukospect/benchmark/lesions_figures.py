"""Figures of the lesion benchmark: found by size and contrast, ROC of flagging, ratios and changes, pictures."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle
from matplotlib.patheffects import withStroke
from matplotlib.ticker import FixedLocator, NullFormatter, StrMethodFormatter

from leukospect.benchmark.lesions_results import (
    CONTRASTS,
    SIZES_MM,
    LesionCase,
    LesionsFound,
    Picture,
    roc_of_flagging,
)

_COLOURS = {"growing": "#d55e00", "stable": "#666666", "falling": "#0072b2"}
_ROLES = {"lesion": "#e69f00"}
_OTHER_ROLE = "#009e73"
_MOST_RATIO, _MOST_CHANGE = 100.0, 4.0


def drawn(found: LesionsFound) -> dict[str, Figure]:
    """Draw every figure, by its file's name; pictures only where studies were kept for them."""
    figures = {
        "lesions-found": _found(found),
        "lesions-roc": _roc(found),
        "lesions-measured": _measured(found),
    }
    if found.pictures:
        figures["lesions-pictures"] = _pictures(found.pictures)
    return figures


def _found(found: LesionsFound) -> Figure:
    figure = Figure(figsize=(10.5, 4.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    _grid(left, found.lesions)
    edge = {True: "#009e73", False: "#d55e00"}
    for hit, marker in ((True, "o"), (False, "x")):
        cases = [one for one in found.lesions if one.found == hit]
        right.scatter([c.diameter_mm / 10 for c in cases], [c.contrast for c in cases], s=22, marker=marker,
                      color=edge[hit], label=f"{'found' if hit else 'not found'}, {len(cases)}")  # fmt: skip
    right.plot([2.0, 2.0, 5.0], [10.0, 3.0, 3.0], color="0.3", linestyle=":", label="must be found above")
    right.set(xlabel="diameter, cm", ylabel="late contrast to the surroundings", yscale="log")
    right.yaxis.set_major_locator(FixedLocator(CONTRASTS))
    _plain(right)
    right.legend(frameon=True, fontsize=8, loc="lower left")
    return figure


def _plain(axes: Axes) -> None:
    """Label logarithmic axes with plain numbers."""
    for axis in (axes.xaxis, axes.yaxis):
        if axis.get_scale() == "log":
            axis.set_major_formatter(StrMethodFormatter("{x:g}"))
            axis.set_minor_formatter(NullFormatter())


def _grid(axes: Axes, cases: Sequence[LesionCase]) -> None:
    """Draw the part found in each class of size and contrast, with its numbers."""
    sizes, contrasts = list(pairwise(SIZES_MM)), list(pairwise(CONTRASTS))
    part = np.full((len(contrasts), len(sizes)), np.nan)
    for row, (low, high) in enumerate(contrasts):
        for column, (small, large) in enumerate(sizes):
            here = [c for c in cases if low <= c.contrast < high and small <= c.diameter_mm < large]
            if here:
                part[row, column] = np.mean([one.found for one in here])
                text = f"{sum(one.found for one in here)}/{len(here)}"
                axes.text(column, row, text, ha="center", va="center", color="w" if part[row, column] < 0.55 else "k")
    axes.imshow(part, cmap="viridis", vmin=0.0, vmax=1.0, origin="lower", aspect="auto")
    axes.set_xticks(range(len(sizes)), [f"{a / 10:g}-{b / 10:g}" for a, b in sizes])
    axes.set_yticks(range(len(contrasts)), [f"{a:g}-{b:g}" for a, b in contrasts])
    axes.set(xlabel="diameter, cm", ylabel="late contrast to the surroundings")
    axes.set_title("lesions found", fontsize=10)


def _roc(found: LesionsFound) -> Figure:
    figure = Figure(figsize=(10, 4.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    curve = roc_of_flagging(found)
    if curve is not None:
        area = curve.area
        text = f"area {area.value:.3f} ({area.low:.3f} to {area.high:.3f})"
        left.step(curve.false_positive, curve.true_positive, where="post", color="#0072b2", label=text)
        left.legend(frameon=False, loc="lower right")
    left.plot([0, 1], [0, 1], color="0.7", linewidth=0.8)
    left.set(xlabel="stable or falling lesions above the cut-off", ylabel="growing lesions above it", aspect="equal")
    left.set_title("ROC of the probability that the ratio grew", fontsize=10)
    values = [[c.probability for c in found.judged if c.course == course] for course in _COLOURS]
    right.hist(
        values, bins=list(np.linspace(0, 1, 21)), color=list(_COLOURS.values()), label=list(_COLOURS), stacked=True
    )
    right.set(xlabel="P(ratio grew by more than the rule's threshold)", ylabel="lesions found")
    right.legend(frameon=False)
    return figure


def _measured(found: LesionsFound) -> Figure:
    figure = Figure(figsize=(10.5, 4.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    cases = [c for c in found.lesions if c.found and np.isfinite([c.ratio_low, c.ratio_high, c.true_ratio]).all()]
    for low, high, colour in ((10, 20, "#56b4e9"), (20, 30, "#0072b2"), (30, 51, "#1c2730")):
        here = [c for c in cases if low <= c.diameter_mm < high]
        _bars(left, [c.true_ratio for c in here], [(c.ratio_low, c.ratio, c.ratio_high) for c in here], colour,
              f"{low / 10:g} to {min(high, 50) / 10:g} cm, {len(here)}")  # fmt: skip
    left.plot([1, _MOST_RATIO], [1, _MOST_RATIO], color="0.6", linewidth=0.8)
    left.set(xscale="log", yscale="log", xlim=(0.8, 40.0), ylim=(0.8, 40.0))
    for axis in (left.xaxis, left.yaxis):
        axis.set_major_locator(FixedLocator([1, 2, 5, 10, 20, 40]))
    _plain(left)
    left.set(xlabel="true late ratio to the reference", ylabel="measured, 95 % interval")
    left.legend(frameon=False, fontsize=8)
    judged = [c for c in found.judged if np.isfinite([c.change_low, c.change_high]).all()]
    for course, colour in _COLOURS.items():
        here = [c for c in judged if c.course == course]
        bars = [(c.change_low, c.change, c.change_high) for c in here]
        _bars(right, [c.true_change for c in here], bars, colour, f"{course}, {len(here)}")
    right.plot([-0.8, 1.6], [-0.8, 1.6], color="0.6", linewidth=0.8)
    right.axhline(0.1, color="0.3", linestyle=":", label="positive above, interval and all")
    right.set(xlabel="true change of the ratio, 4 to 24 h", ylabel="measured, 95 % interval", ylim=(-1.0, _MOST_CHANGE))
    right.legend(frameon=False, fontsize=8)
    return figure


def _bars(axes: Axes, x: Sequence[float], y: Sequence[tuple[float, float, float]], colour: str, label: str) -> None:
    values = np.array(y, dtype=np.float64).reshape(-1, 3)
    axes.errorbar(np.array(x), values[:, 1], yerr=[values[:, 1] - values[:, 0], values[:, 2] - values[:, 1]], fmt="o",
                  markersize=3.5, linewidth=0.7, color=colour, label=label)  # fmt: skip


def _pictures(pictures: Sequence[Picture]) -> Figure:
    columns = min(3, len(pictures))
    rows = -(-len(pictures) // columns)
    figure = Figure(figsize=(5.0 * columns, 3.9 * rows), layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False)
    for axes in grid.flat[len(pictures) :]:
        axes.set_axis_off()
    for axes, picture in zip(grid.flat, pictures, strict=False):
        _picture(axes, picture)
    handles = [
        Circle((0, 0), 1, fill=False, edgecolor="#56b4e9", label="lesion"),
        Circle((0, 0), 1, fill=False, edgecolor=_ROLES["lesion"], label="focus called a lesion"),
        Circle((0, 0), 1, fill=False, edgecolor=_OTHER_ROLE, label="focus called something else"),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=3, fontsize=8, frameon=False)
    return figure


def _picture(axes: Axes, picture: Picture) -> None:
    """Show a maximum from the front, the patient's left on the viewer's right, by the root of the uptake."""
    top = float(np.quantile(picture.mip, 0.995)) or 1.0
    axes.imshow(np.sqrt(np.clip(picture.mip / top, 0.0, 1.0)), cmap="gray_r", origin="lower", extent=picture.extent_mm)
    left, right, foot, head = picture.extent_mm
    slices, columns = picture.mip.shape
    x = left + (np.arange(columns) + 0.5) * (right - left) / columns
    z = foot + (np.arange(slices) + 0.5) * (head - foot) / slices
    for role, mask in picture.foci:
        axes.contour(x, z, mask, levels=[0.5], colors=_ROLES.get(role, _OTHER_ROLE), linewidths=1.3)
    for one in picture.lesions:
        axes.add_patch(
            Circle((one.x_mm, one.z_mm), one.diameter_mm / 2, fill=False, edgecolor="#56b4e9", linewidth=1.3,
                   linestyle="-" if one.found else "--")
        )  # fmt: skip
        text = f"{one.contrast:.1f}{'' if one.found else ' not found'}"
        axes.text(one.x_mm, one.z_mm + one.diameter_mm / 2 + 3, text, color="#0072b2", fontsize=7, ha="center",
                  path_effects=[withStroke(linewidth=1.5, foreground="w")])  # fmt: skip
    for text, place in (("R", 0.02), ("L", 0.98)):
        axes.text(place, 0.5, text, transform=axes.transAxes, ha="left" if text == "R" else "right", va="center")
    axes.set_title(picture.title, fontsize=9)
    axes.set_xticks([])
    axes.set_yticks([])
