"""Figures of the registration benchmark: errors, errors against the index, and checkerboards."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from leukospect.benchmark.registration_moved_results import LIMB_P95_DEG, LIMB_P95_MM, PLANAR_P95_PIXELS
from leukospect.benchmark.registration_results import P95_MM, Overlay, RegistrationFound

_COLOURS = {"random starts": "#0072b2", "nearly aligned": "#009e73", "few counts": "#d55e00"}
_TILE_MM = 60.0


def drawn(found: RegistrationFound) -> dict[str, Figure]:
    """Draw every figure, by its file's name."""
    return {
        "registration-errors": _errors(found),
        "registration-index": _index(found),
        **({"registration-moved": _moved(found)} if found.limbs or found.planar else {}),
        "registration-checkerboards": _checkerboards(found),
    }


def _errors(found: RegistrationFound) -> Figure:
    figure = Figure(figsize=(10, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    starts = found.group("random starts")
    top = max(6.0, *(case.after_mm for case in starts))
    values = [[case.after_mm for case in starts if case.body == body] for body in found.settings.bodies]
    left.hist(values, bins=list(np.arange(0.0, top + 0.5, 0.5)), stacked=True, label=list(found.settings.bodies))
    left.axvline(P95_MM, color="0.3", linestyle=":", label="95th percentile asked for")
    left.set(xlabel="error after registration, mm", ylabel="random starts")
    left.legend(frameon=False)
    for group, colour in _COLOURS.items():
        cases = found.group(group)
        right.scatter([c.before_mm for c in cases], [c.after_mm for c in cases], s=14, color=colour, label=group)
    most = max(case.before_mm for case in found.cases)
    right.plot([0, most], [0, most], color="0.6", linewidth=0.8)
    right.set(xlabel="error as the images lay, mm", ylabel="error of what was returned, mm")
    right.legend(frameon=False)
    return figure


def _index(found: RegistrationFound) -> Figure:
    figure = Figure(figsize=(6.5, 5), layout="constrained")
    axes = figure.subplots()
    given = found.judged
    axes.scatter([j.error_mm for j in given], [j.index_mm for j in given], s=8, color="0.7", label="wrong transforms")
    for group, colour in _COLOURS.items():
        cases = found.group(group)
        axes.scatter([c.after_mm for c in cases], [c.index_mm for c in cases], s=14, color=colour, label=group)
    axes.axhline(found.flag_mm, color="0.3", linestyle="--", label="flagged from here")
    for pixels in (0.5, 1.0, 2.0):
        axes.axvline(pixels * found.pixel_mm, color="0.6", linestyle=":")
    axes.set(xlabel="true error, mm (dotted: 1/2, 1 and 2 SPECT pixels)", ylabel="quality index, mm")
    axes.set(xlim=(0, 30), ylim=(0, 30))
    axes.legend(frameon=False)
    return figure


def _moved(found: RegistrationFound) -> Figure:
    figure = Figure(figsize=(10, 4.5), layout="constrained")
    left, middle, right = figure.subplots(1, 3)
    limbs = [case for case in found.limbs if case.moved]
    planar = [case for case in found.planar if case.moved]
    _by_group(left, [(case.group, case.p95_mm) for case in limbs], LIMB_P95_MM, "femur, 95th percentile, mm")
    _by_group(middle, [(case.group, case.angle_deg) for case in limbs], LIMB_P95_DEG, "femur, degrees")
    pixels = [(case.group, case.p95_mm / case.pixel_mm) for case in planar]
    _by_group(right, pixels, PLANAR_P95_PIXELS, "planar, 95th percentile, pixels")
    return figure


def _by_group(axes: Axes, values: list[tuple[str, float]], asked: float, label: str) -> None:
    groups = list(dict.fromkeys(group for group, _ in values))
    for place, name in enumerate(groups):
        shown = [value for group, value in values if group == name]
        spread = np.linspace(-0.25, 0.25, len(shown)) if len(shown) > 1 else np.zeros(1)
        axes.scatter(place + spread, shown, s=14, color=_COLOURS["random starts"])
    axes.axhline(asked, color="0.3", linestyle=":")
    axes.set_xticks(range(len(groups)), groups, rotation=35, ha="right", fontsize=8)
    axes.set_ylabel(f"{label} (dotted: asked for)")
    axes.set_ylim(bottom=0.0)


def _checkerboards(found: RegistrationFound) -> Figure:
    shown = found.overlays
    figure = Figure(figsize=(10.5, 3.6 * max(1, len(shown))), layout="constrained")
    grid = figure.subplots(max(1, len(shown)), 3, squeeze=False)
    for row, overlay in zip(grid, shown, strict=False):
        for axes, ct, pose in zip(row, overlay.cts, ("as they lay", "registered", "true"), strict=True):
            axes.imshow(_tiles(overlay, ct), cmap="gray", aspect=overlay.pixel_mm[0] / overlay.pixel_mm[1])
            axes.contour(ct, levels=[-300.0], colors="#e69f00", linewidths=0.8)
            axes.set_title(f"{overlay.title}: {pose}" if pose == "as they lay" else pose, fontsize=8)
            axes.set_xticks([])
            axes.set_yticks([])
            for text, x, side in (("R", 0.02, "left"), ("L", 0.98, "right")):
                axes.text(x, 0.5, text, color="w", transform=axes.transAxes, ha=side, va="center")
            axes.text(0.5, 0.98, "H", color="w", transform=axes.transAxes, ha="center", va="top")
    return figure


def _tiles(overlay: Overlay, ct: NDArray[np.float32]) -> NDArray[np.float64]:
    """Show SPECT (root of the uptake) and CT (-200 to 300 HU) in turn."""
    top = float(np.quantile(overlay.spect, 0.99)) or 1.0
    spect = np.sqrt(np.clip(overlay.spect / top, 0.0, 1.0))
    bone = np.clip((ct + 200.0) / 500.0, 0.0, 1.0)
    rows, columns = (np.arange(n) * mm // _TILE_MM for n, mm in zip(ct.shape, overlay.pixel_mm, strict=True))
    odd = (rows[:, None] + columns[None, :]) % 2 == 1
    return np.asarray(np.where(odd, spect, bone), np.float64)
