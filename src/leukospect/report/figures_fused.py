"""SPECT over CT through a lesion's hottest voxel: axial, coronal and sagittal, the whole field and close up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from leukospect.data import Image
from leukospect.quantification.measurements import Region
from leukospect.report.content import SpectPictures
from leukospect.report.figures_canvas import (
    ACCENT,
    HOT_IRON,
    colour_bar,
    frame,
    picture_grid,
    separate_labels,
    show,
    upper_limit,
)
from leukospect.report.figures_focus import Focus, Point, moved, spect_to_ct
from leukospect.report.figures_orientation import (
    Box,
    Picture,
    body_level,
    box_above,
    canonical,
    cropped,
    index_of,
    orthogonal,
)
from leukospect.report.figures_regions import Plane, outline_slice

_PLANES: tuple[Plane, ...] = ("axial", "coronal", "sagittal")
_CLOSE_UP_MM = 160.0
_CT_WINDOW = Normalize(-250.0, 750.0)
_BODY_HU = -400.0


def hot_over_grey(emission: Picture, scale: Normalize) -> Picture:
    """Colour uptake in hot iron: transparent to 8 % of the scale, then ever more opaque, nearly solid from 55 %."""
    value = np.clip(np.asarray(scale(emission.pixels.astype(np.float64))), 0.0, 1.0)
    colours = np.asarray(HOT_IRON(value))
    colours[..., 3] = 0.9 * np.clip((value - 0.08) / 0.47, 0.0, 1.0)
    return Picture(colours, emission.extent_mm, emission.letters)


def fused_slices(pictures: SpectPictures, focus: Focus, regions: Sequence[Region], close_up: bool) -> Figure:
    """Draw SPECT over CT on the CT's grid; SPECT alone where there is no CT or it was not brought there.

    Parameters
    ----------
    pictures : SpectPictures
    focus : Focus
        The point to cut through.
    regions : sequence of Region
        Outlined.
    close_up : bool
        Show 16 cm around the point, with the regions' names, instead of the whole field with a cross at the point.
    """
    on_ct = pictures.recon_on_ct is not None
    transform = spect_to_ct(pictures) if on_ct else np.eye(4)
    to_spect = np.asarray(np.linalg.inv(transform), dtype=np.float64)
    point = moved(transform, focus.point_mm)
    emission = canonical(pictures.recon if pictures.recon_on_ct is None else pictures.recon_on_ct)
    anatomy = pictures.ct if pictures.ct_reduced is None else pictures.ct_reduced
    ct = canonical(anatomy) if on_ct and anatomy is not None else None
    scale = Normalize(0.0, _peak(emission, point))
    box = _around(emission, point) if close_up else _whole_field(emission, ct, scale, point)
    hot = orthogonal(cropped(emission, box), point)
    grey = orthogonal(cropped(ct, box), point) if ct is not None else (None, None, None)
    figure, axes = picture_grid([[picture.size_mm for picture in hot]], _PLANES, tallest_in=6.0)
    for panel, picture, under, plane in zip(axes[0], hot, grey, _PLANES, strict=True):
        if panel is None:
            continue
        if under is None:
            show(panel, picture, "gray_r", scale)
        else:
            show(panel, under, "gray", _CT_WINDOW, dark=True, interpolation="antialiased")
            show(panel, hot_over_grey(picture, scale), bare=True, interpolation="antialiased")
        if pictures.regions is not None:
            labels, dark = pictures.regions, under is not None
            outline_slice(panel, picture, plane, point, labels, to_spect, regions, names=close_up, dark=dark)
        if not close_up:
            _cross(panel, picture, plane, point)
        frame(panel, picture)
        separate_labels(figure, panel)
    bar = ScalarMappable(scale, "gray_r" if ct is None else HOT_IRON)
    colour_bar(figure, bar, pictures.recon.unit, extend="max")
    return figure


def _peak(emission: Image, point: Point) -> float:
    # the hottest voxel within 2 cm: a whole CT grid need not be searched, and a hot organ elsewhere sets no scale
    k, j, i = index_of(emission, point)
    reach = [max(1, round(20.0 / s)) for s in emission.geometry.spacing_mm]
    near = emission.array[
        max(k - reach[0], 0) : k + reach[0] + 1,
        max(j - reach[1], 0) : j + reach[1] + 1,
        max(i - reach[2], 0) : i + reach[2] + 1,
    ]
    return upper_limit(near, 100.0)


def _around(image: Image, point: Point) -> Box:
    box = []
    for axis, centre in enumerate(index_of(image, point)):
        half = max(1, round(_CLOSE_UP_MM / 2 / image.geometry.spacing_mm[axis]))
        box.append(slice(max(centre - half, 0), min(centre + half + 1, image.geometry.shape[axis])))
    return box[0], box[1], box[2]


def _whole_field(emission: Image, ct: Image | None, scale: Normalize, point: Point) -> Box:
    if ct is not None:
        body = box_above(ct, _BODY_HU, 8.0)
    else:
        body = box_above(emission, body_level(emission, float(scale.vmax or 1.0)), 12.0)
    k, j, i = (slice(min(s.start, n), max(s.stop, n + 1)) for s, n in zip(body, index_of(emission, point), strict=True))
    return k, j, i


def _cross(axes: Axes, picture: Picture, plane: Plane, point: Point) -> None:
    # four strokes that leave the point itself free
    across, down = {"axial": (0, 1), "coronal": (0, 2), "sagittal": (1, 2)}[plane]
    x, y, gap = point[across], point[down], 14.0
    left, right, bottom, top = picture.extent_mm
    style: dict[str, Any] = {"color": ACCENT, "linewidth": 0.8, "alpha": 0.9}
    for end, sign in ((left, -1.0), (right, 1.0)):
        axes.plot([x + sign * gap, end], [y, y], **style)
    for end, sign in ((min(bottom, top), -1.0), (max(bottom, top), 1.0)):
        axes.plot([x, x], [y + sign * gap, end], **style)
