"""Two registered volumes of any kind for a person to judge: a checkerboard, and an outline of one on the other."""

from __future__ import annotations

import numpy as np
from matplotlib import patheffects
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Colormap, Normalize, PowerNorm
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy import ndimage

from leukospect.data import Image
from leukospect.registration.resampling import smoothed
from leukospect.report.figures_alignment import (
    BODY_HU,
    CT_WINDOW,
    OUTLINE,
    OUTLINE_FWHM_MM,
    PLANES,
    THROUGH,
    TILE_MM,
    checkerboard,
    outline_field,
    sampled,
)
from leukospect.report.figures_canvas import HOT_IRON, colour_bar, frame, picture_grid, show, upper_limit
from leukospect.report.figures_focus import Point
from leukospect.report.figures_orientation import Picture, canonical, orthogonal
from leukospect.report.figures_regions import Plane

_BRIGHT_PART = 0.15

Matrix = NDArray[np.float64]


def pair_check(fixed: Image, moving: Image, fixed_to_moving: Matrix) -> Figure:
    """Draw three slices of the fixed image through its body's middle, with the moving image where a transform puts it.

    Above, tiles of both take turns, 35 mm wide: edges should run on from tile to tile. Below, the moving image's
    outline over the fixed one.

    Parameters
    ----------
    fixed, moving : Image
        A CT in HU is drawn in grey, an emission image in hot iron on a square-root scale.
    fixed_to_moving : (4, 4) array
        Takes LPS mm of the fixed image to LPS mm of the moving one.
    """
    below = canonical(fixed)
    point = _middle(below)
    slices = orthogonal(below, point)
    smooth = _smooth(moving)
    over, outlines = (
        [
            sampled(image, p, plane, point, fixed_to_moving, outside=outside)
            for p, plane in zip(slices, PLANES, strict=True)
        ]
        for image, outside in ((moving, _outside(moving)), (smooth, _outside(moving)))
    )
    sizes = [[p.size_mm for p in slices]] * 2
    figure, axes = picture_grid(sizes, PLANES, ("both in turns", "outline"), tallest_in=8.0)
    looks = [_look(fixed, slices), _look(moving, over)]
    for column, plane in enumerate(PLANES):
        for row in axes:
            panel = row[column]
            if panel is not None:
                show(panel, slices[column], looks[0][0], looks[0][1], dark=True, interpolation="antialiased")
        upper, lower = axes[0][column], axes[1][column]
        if upper is not None:
            show(
                upper, _tiles(slices[column], over[column], looks[1], plane, point), bare=True, interpolation="nearest"
            )
            frame(upper, slices[column])
        if lower is not None:
            base = _outside(moving)  # counted from air, an outline's level is positive
            level = edge_level(smooth) - base
            field = outline_field(outlines[column].pixels - np.float32(base), level)
            if min(field.shape) > 1 and field.min() < level < field.max():
                across, down = outlines[column].centres_mm()
                drawn = lower.contour(across, down, field, levels=[level], colors=[OUTLINE], linewidths=1.2)
                drawn.set_path_effects([patheffects.withStroke(linewidth=2.0, foreground="black", alpha=0.5)])
            frame(lower, slices[column])
    for number, (name, image) in enumerate((("fixed", fixed), ("moving", moving))):
        colours, scale = looks[number]
        title = f"{name}, {image.unit}" if image.unit else name
        colour_bar(figure, ScalarMappable(scale, colours), title, (number, 2), extend="max")
    return figure


def edge_level(image: Image) -> float:
    """Find the value that marks the body's edge: of a CT -400 HU, of an emission image half of the body's median."""
    if image.unit == "HU":
        return BODY_HU
    values = np.asarray(image.array, np.float32)
    bright = values[values > _BRIGHT_PART * np.quantile(values, 0.99)]
    return 0.5 * float(np.median(bright)) if bright.size else 0.0


def _middle(image: Image) -> Point:
    """Find the middle of the body, LPS mm."""
    body = np.asarray(image.array) > edge_level(image)
    index = ndimage.center_of_mass(body) if body.any() else tuple((n - 1) / 2 for n in body.shape)
    x, y, z = (float(v) for v in image.geometry.to_lps(np.rint(index)))
    return x, y, z


def _smooth(image: Image) -> Image:
    if image.unit == "HU":
        return image
    sigma_mm = OUTLINE_FWHM_MM / np.sqrt(8.0 * np.log(2.0))
    array = smoothed(np.asarray(image.array, np.float32), image.geometry, [sigma_mm] * 3)
    return Image(array, image.geometry, image.unit)


def _outside(image: Image) -> float:
    return -1000.0 if image.unit == "HU" else 0.0


def _look(image: Image, slices: list[Picture] | tuple[Picture, ...]) -> tuple[Colormap | str, Normalize]:
    """Choose colours and scale: a CT's window, or of an emission image what these slices hold."""
    if image.unit == "HU":
        return "gray", CT_WINDOW
    top = upper_limit(np.concatenate([p.pixels.astype(np.float64).ravel() for p in slices]), 99.8)
    return HOT_IRON, PowerNorm(0.5, 0.0, top)


def _tiles(
    below: Picture, over: Picture, look: tuple[Colormap | str, Normalize], plane: Plane, point: Point
) -> Picture:
    """Colour the moving image, and leave only every other tile of it."""
    colours, scale = look
    mapped = ScalarMappable(scale, colours).to_rgba(over.pixels.astype(np.float64))
    first, second = (axis for axis in range(3) if axis != THROUGH[plane])
    middle = (point[first] - TILE_MM / 2, point[second] - TILE_MM / 2)
    mapped[..., 3] = checkerboard(below, TILE_MM, middle)
    return Picture(mapped, over.extent_mm, over.letters)
