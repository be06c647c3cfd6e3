"""How every figure looks: the grid of panels at one scale, edge letters, scale bars, colour bars; and its PNG."""

from __future__ import annotations

import io
import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from matplotlib import patheffects
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Colormap, LinearSegmentedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.font_manager import findfont, get_font
from matplotlib.image import AxesImage
from matplotlib.text import Annotation, Text
from matplotlib.transforms import Bbox
from numpy.typing import NDArray

from leukospect.report.figures_orientation import Picture

INK = "#1c2730"
MUTED = "#66737f"
ACCENT = "#00a3c4"
# apart for colour-blind readers too (after Okabe and Ito)
REGION_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#8c6d1f", "#56b4e9", "#7b3fa0", "#e0218a", "#4d4d4d")
HOT_IRON = LinearSegmentedColormap.from_list(
    "hot iron", ["#2a0000", "#7a0000", "#c41600", "#f25c05", "#ffa91f", "#ffe58a", "#ffffff"]
)
_DPI = 140
_GAP_IN = 0.08
_LONGEST_NAME = 36
# length of the bar for pictures wider than so much
_SCALE_BARS_MM = ((100.0, 580.0), (50.0, 120.0), (20.0, 50.0), (10.0, 25.0))


@lru_cache(maxsize=1)
def _drawable() -> frozenset[int]:
    return frozenset(get_font(findfont("DejaVu Sans")).get_charmap())


def plain(text: str) -> str:
    """Make any text safe to draw: no mathematics, no control or missing characters, not endless."""
    kept = "".join(
        "?" if ord(c) not in _drawable() or unicodedata.category(c).startswith("C") else c for c in text.strip()
    )
    if len(kept) > _LONGEST_NAME:
        kept = kept[: _LONGEST_NAME - 1] + "…"
    return kept.replace("$", r"\$")


def png(figure: Figure) -> bytes:
    """Draw a figure; the same figure gives the same bytes."""
    stream = io.BytesIO()
    FigureCanvasAgg(figure)
    figure.savefig(stream, format="png", dpi=_DPI, metadata={"Software": None}, pil_kwargs={"compress_level": 7})
    return stream.getvalue()


def picture_grid(
    sizes_mm: Sequence[Sequence[tuple[float, float] | None]],
    column_titles: Sequence[str] = (),
    row_titles: Sequence[str] = (),
    width_in: float = 10.0,
    tallest_in: float = 8.0,
    bar_in: float = 0.95,
) -> tuple[Figure, list[list[Axes | None]]]:
    """Lay out panels in rows and columns, all at one scale of inches per mm.

    Parameters
    ----------
    sizes_mm : rows of (width, height) or None for an empty place
    column_titles, row_titles : sequences of str
    width_in, tallest_in : float
        The figure's width, and the most its panels may take in height.
    bar_in : float
        Room on the right for the colour bars.

    Returns
    -------
    (figure, axes)
        `axes` has the rows and columns of `sizes_mm`.
    """
    columns = len(sizes_mm[0])
    widths = [max((row[c][0] for row in sizes_mm if row[c]), default=1.0) for c in range(columns)]  # type: ignore[index]
    heights = [max((size[1] for size in row if size), default=1.0) for row in sizes_mm]
    left = 0.32 if any(row_titles) else 0.02
    top = 0.3 if any(column_titles) else 0.02
    scale = min(
        (width_in - left - bar_in - _GAP_IN * (columns - 1)) / sum(widths),
        (tallest_in - _GAP_IN * (len(heights) - 1)) / sum(heights),
    )
    height_in = top + scale * sum(heights) + _GAP_IN * (len(heights) - 1) + 0.02
    width_in = left + scale * sum(widths) + _GAP_IN * (columns - 1) + bar_in
    figure = Figure(figsize=(width_in, height_in), facecolor="white")
    axes: list[list[Axes | None]] = []
    y = height_in - top
    for r, row in enumerate(sizes_mm):
        y -= scale * heights[r]
        x = left
        axes.append([])
        for c, size in enumerate(row):
            if size is not None:
                w, h = scale * size[0], scale * size[1]
                corner = (x + (scale * widths[c] - w) / 2, y + (scale * heights[r] - h) / 2)
                place = (corner[0] / width_in, corner[1] / height_in, w / width_in, h / height_in)
                axes[r].append(figure.add_axes(place))
            else:
                axes[r].append(None)
            if r == 0 and c < len(column_titles):
                middle = (x + scale * widths[c] / 2) / width_in
                figure.text(middle, 1 - 0.17 / height_in, plain(column_titles[c]), **_heading())
            x += scale * widths[c] + _GAP_IN
        if r < len(row_titles):
            middle = (y + scale * heights[r] / 2) / height_in
            figure.text(0.14 / width_in, middle, plain(row_titles[r]), rotation=90, **_heading())
        y -= _GAP_IN
    return figure, axes


def _heading() -> dict[str, Any]:
    return {"ha": "center", "va": "center", "fontsize": 10, "color": INK, "fontweight": "bold"}


def show(
    axes: Axes,
    picture: Picture,
    colours: Colormap | str = "gray_r",
    scale: Normalize | None = None,
    dark: bool = False,
    interpolation: str = "bilinear",
    bare: bool = False,
) -> AxesImage:
    """Draw a picture at its place in mm, with its edge letters and a scale bar (unless `bare`: an overlay)."""
    drawn = axes.imshow(
        picture.pixels,
        cmap=colours,
        norm=scale,
        extent=picture.extent_mm,
        origin="upper",
        aspect="auto",  # the panel itself has the true proportions
        interpolation=interpolation,
        interpolation_stage="data" if picture.pixels.ndim == 2 else "rgba",
    )
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set(color="#c8d0d6", linewidth=0.6)
    if not bare:
        _letters(axes, picture, dark)
        _scale_bar(axes, picture, dark)
    return drawn


def _halo(dark: bool) -> list[patheffects.AbstractPathEffect]:
    return [patheffects.withStroke(linewidth=2.0, foreground="black" if dark else "white")]


def _letters(axes: Axes, picture: Picture, dark: bool) -> None:
    places = (
        (0.012, 0.5, "left", "center"),
        (0.988, 0.5, "right", "center"),
        (0.5, 0.988, "center", "top"),
        (0.5, 0.012, "center", "bottom"),
    )
    for letter, (x, y, across, up) in zip(picture.letters, places, strict=True):
        axes.text(
            x,
            y,
            plain(letter),
            transform=axes.transAxes,
            ha=across,
            va=up,
            fontsize=9,
            fontweight="bold",
            color="white" if dark else INK,
            path_effects=_halo(dark),
        )


def _scale_bar(axes: Axes, picture: Picture, dark: bool) -> None:
    width, height = picture.size_mm
    length = next((mm for mm, widest in _SCALE_BARS_MM if width > widest), 0.3 * width)
    start, level = 0.05, 0.03 + 4.0 / height
    axes.plot(
        [start, start + length / width],
        [level, level],
        transform=axes.transAxes,
        color="white" if dark else INK,
        linewidth=2.2,
        solid_capstyle="butt",
        path_effects=[patheffects.withStroke(linewidth=3.6, foreground="black" if dark else "white")],
    )
    axes.text(
        start + length / width / 2,
        level + 0.012,
        f"{length / 10:g} cm",
        transform=axes.transAxes,
        ha="center",
        va="bottom",
        fontsize=7.5,
        color="white" if dark else INK,
        path_effects=_halo(dark),
    )


def frame(axes: Axes, picture: Picture) -> None:
    """Keep the axes to the picture's own edges, whatever was drawn over it."""
    left, right, bottom, top = picture.extent_mm
    axes.set_xlim(left, right)
    axes.set_ylim(bottom, top)


def label(axes: Axes, x_mm: float, y_mm: float, text: str, colour: str, dark: bool, above: bool = True) -> Text:
    """Write a name beside a place of a picture, on the side where there is more room."""
    left, right = axes.get_xlim()
    fraction = (x_mm - left) / (right - left)
    return axes.annotate(
        plain(text),
        (x_mm, y_mm),
        xytext=(6 if fraction < 0.5 else -6, 6 if above else -6),
        textcoords="offset points",
        ha="left" if fraction < 0.5 else "right",
        va="bottom" if above else "top",
        fontsize=8,
        color=colour,
        path_effects=_halo(dark),
        annotation_clip=True,
    )


def separate_labels(figure: Figure, axes: Axes) -> None:
    """Move names that `label` wrote apart where they cover each other, downwards and no farther than needed."""
    names = sorted((text for text in axes.texts if isinstance(text, Annotation)), key=lambda text: -text.xy[1])
    canvas: Any = FigureCanvasAgg(figure)  # matplotlib leaves its renderers untyped
    renderer = canvas.get_renderer()
    placed: list[Bbox] = []
    for name in names:
        for _ in range(len(names)):
            box = name.get_window_extent(renderer)
            covered = [other for other in placed if box.overlaps(other)]
            if not covered:
                break
            x, y = name.xyann
            lowest = min(other.y0 for other in covered)
            name.xyann = (x, y - (box.y1 - lowest + 1.0) * 72.0 / figure.dpi)
        placed.append(name.get_window_extent(renderer))


def colour_bar(
    figure: Figure, drawn: ScalarMappable, title: str, slot: tuple[int, int] = (0, 1), extend: str = "neither"
) -> None:
    """Draw a colour bar in the room on the right; `slot` is (which from the top, of how many)."""
    width, height = figure.get_size_inches()
    which, of = slot
    share = 0.97 / of
    bottom = 0.01 + share * (of - 1 - which)
    length = min(0.8 * share, 2.4 / height)
    place = (1 - 0.8 / width, bottom + (share - length) / 2, 0.13 / width, length)
    bar = figure.colorbar(drawn, cax=figure.add_axes(place), extend=extend)
    bar.set_label("\n".join(plain(line) for line in title.splitlines()), fontsize=7.5, color=INK)
    bar.ax.tick_params(labelsize=7, colors=INK, width=0.5, length=2)
    bar.ax.locator_params(nbins=5)
    bar.outline.set(linewidth=0.4, edgecolor=MUTED)


def upper_limit(values: NDArray[Any], percentile: float) -> float:
    """Top of a scale from a percentile of the values; 1 where all are zero."""
    top = float(np.percentile(values, percentile)) if values.size else 0.0
    return top if top > 0 else (float(values.max()) if values.size and values.max() > 0 else 1.0)


def light_axes(panel: Axes) -> None:
    """Give a diagram small ticks, faint horizontal lines and no frame but its two axes."""
    panel.tick_params(labelsize=8, colors=INK)
    panel.grid(axis="y", color="#e3e8ec", linewidth=0.6)
    panel.set_axisbelow(True)
    for side in ("top", "right"):
        panel.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        panel.spines[side].set_color("#b9c3ca")
