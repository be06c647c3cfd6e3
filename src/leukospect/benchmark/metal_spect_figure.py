"""The figure of SPECT beside metal: maps, what they do to uptake, and the bias of every volume before and after."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from leukospect.benchmark.metal_spect import MOST_BIAS, SpectBias, SpectFound, SpectPicture

_INK, _MUTED, _BAND = "#1c2730", "#66737f", "#e3ebf1"
_BEFORE, _AFTER = "#d55e00", "#0072b2"
_TITLES = ("true map", "CT as scanned", "metal reduced", "bias as scanned, %", "bias reduced, %")
_MARGIN = 3
_ROW_IN, _LINE_IN, _WIDTH_IN = 2.2, 0.24, 11.0


def spect_figure(found: SpectFound) -> Figure:
    """Draw each phantom's slice with most metal, and under them the biases of all volumes.

    Parameters
    ----------
    found : SpectFound
    """
    rows = len(found.pictures)
    bars_in = _LINE_IN * (len(found.biases) + 2 * rows) + 0.6
    height = _ROW_IN * rows + bars_in
    figure = Figure(figsize=(_WIDTH_IN, height), facecolor="white")
    reach = max(0.02, *(float(np.nanpercentile(np.abs(p.biases[0]), 99)) for p in found.pictures))
    for row, picture in enumerate(found.pictures):
        _slices(figure, picture, 1.0 - (_ROW_IN * (row + 1) - 0.05) / height, (_ROW_IN - 0.55) / height, reach)
    _bars(figure, found.biases, (bars_in - 0.75) / height, 0.5 / height)
    return figure


def _slices(figure: Figure, picture: SpectPicture, bottom: float, tall: float, reach: float) -> None:
    box = _box(picture.maps[0] > 0.05)
    images = (*picture.maps, *(100.0 * bias for bias in picture.biases))
    for n, image in enumerate(images):
        axes = figure.add_axes((0.005 + n * 0.19, bottom, 0.182, tall))
        limits = (0.0, 0.35) if n < 3 else (-100.0 * reach, 100.0 * reach)
        drawn = axes.imshow(
            image[box], cmap="gray" if n < 3 else "RdBu_r", vmin=limits[0], vmax=limits[1],
            aspect=picture.pixel_mm[0] / picture.pixel_mm[1],
        )  # fmt: skip
        if picture.metal[box].max() > 0.3:
            axes.contour(picture.metal[box], levels=[0.3], colors=["#00a3c4"], linewidths=0.8)
        axes.set_xticks([])
        axes.set_yticks([])
        title = f"{picture.phantom}\n{_TITLES[n]}" if n == 0 else _TITLES[n]
        axes.set_title(title, fontsize=8.5, color=_INK, loc="left")
        if n < 3:
            for side, place in (("R", 0.03), ("L", 0.97)):
                axes.text(
                    place, 0.5, side, transform=axes.transAxes, color="#ffd34d", fontsize=8, ha="center", va="center"
                )
        if n == len(images) - 1:
            bar = figure.colorbar(drawn, cax=figure.add_axes((0.965, bottom + 0.1 * tall, 0.008, 0.8 * tall)))
            bar.ax.tick_params(labelsize=7)


def _bars(figure: Figure, biases: Sequence[SpectBias], tall: float, bottom: float) -> None:
    axes = figure.add_axes((0.34, bottom, 0.63, tall))
    axes.axvspan(-100 * MOST_BIAS, 100 * MOST_BIAS, color=_BAND, zorder=0)
    axes.axvline(0.0, color=_MUTED, linewidth=0.8)
    names: list[str] = []
    for y, one in enumerate(biases):
        names.append(f"{one.phantom}: {one.volume}")
        ends = 100.0 * one.before_from_metal, 100.0 * one.after_from_metal
        axes.plot(ends, [y, y], color=_MUTED, linewidth=0.8, zorder=1)
        axes.plot(ends[0], y, "s", color=_BEFORE, markersize=5, label="CT as scanned" if y == 0 else None)
        axes.plot(ends[1], y, "o", color=_AFTER, markersize=5, label="metal reduced" if y == 0 else None)
    axes.set_yticks(range(len(names)), names, fontsize=8)
    axes.invert_yaxis()
    axes.set_xlabel("bias of mean uptake from the CT's metal, % (band: what is asked)", fontsize=8.5, color=_INK)
    axes.legend(fontsize=8, frameon=False, loc="best")
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def _box(body: NDArray[Any]) -> tuple[slice, slice]:
    rows, columns = (np.flatnonzero(body.any(axis=axis)) for axis in (1, 0))
    return slice(max(rows[0] - _MARGIN, 0), rows[-1] + _MARGIN + 1), slice(
        max(columns[0] - _MARGIN, 0), columns[-1] + _MARGIN + 1
    )
