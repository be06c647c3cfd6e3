"""The planar series: every view at every time, decay-corrected, on one intensity scale."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from numpy.typing import NDArray

from leukospect.quantification.measurements import Region
from leukospect.report.content import PlanarPictures, when
from leukospect.report.figures_canvas import colour_bar, frame, picture_grid, separate_labels, show, upper_limit
from leukospect.report.figures_orientation import Letters, Picture
from leukospect.report.figures_regions import outline_projection

_LETTERS: dict[str, Letters] = {
    "anterior": ("R", "L", "H", "F"),
    "posterior": ("L", "R", "H", "F"),
    "left lateral": ("A", "P", "H", "F"),
    "right lateral": ("P", "A", "H", "F"),
}


def planar_rate(pictures: PlanarPictures, view: int, per_cm2: bool) -> NDArray[np.float64]:
    """Rate of a view as at the injection: counts/s/pixel, or counts/s/cm2; (rows, columns)."""
    planar = pictures.planar
    rate = planar.counts[pictures.window, view] / planar.view_duration_s[view] * pictures.decay_to_injection
    return np.asarray(rate / (planar.pixel_mm[0] * planar.pixel_mm[1] / 100.0) if per_cm2 else rate, dtype=np.float64)


def _picture(pictures: PlanarPictures, view: int, per_cm2: bool) -> Picture:
    rate = planar_rate(pictures, view, per_cm2)
    height, width = rate.shape[0] * pictures.planar.pixel_mm[0], rate.shape[1] * pictures.planar.pixel_mm[1]
    name = pictures.planar.view_names[view].lower()
    return Picture(rate, (0.0, width, height, 0.0), _LETTERS.get(name, ("", "", "H", "F")))


def _outlined(axes: Axes, pictures: PlanarPictures, name: str, regions: Sequence[Region], named: bool) -> None:
    """Draw where the regions were measured in a view."""
    view = [each.lower() for each in pictures.planar.view_names].index(name)
    picture = _picture(pictures, view, per_cm2=False)
    for region in regions:
        mask = pictures.masks.get(view, {}).get(region.name)
        if mask is not None:
            where = replace(picture, pixels=mask.astype(np.float64))
            outline_projection(axes, where, region, regions, named and region.role != "physiological")
    frame(axes, picture)


def planar_series(series: Sequence[PlanarPictures], regions: Sequence[Region] = ()) -> Figure:
    """Draw all times side by side (columns) for each view (rows), on one scale, with where regions were measured.

    The scale ends at the 99.8th percentile of all pictures together; hotter pixels are black. Pixels of different sizes
    are compared per cm2.
    """
    areas = [p.planar.pixel_mm[0] * p.planar.pixel_mm[1] for p in series]
    per_cm2 = max(areas) - min(areas) > 1e-3 * max(areas)
    names = list(dict.fromkeys(name.lower() for p in series for name in p.planar.view_names))
    names.sort(key=lambda name: list(_LETTERS).index(name) if name in _LETTERS else len(_LETTERS))
    rows: list[list[Picture | None]] = []
    for name in names:
        views = [[v.lower() for v in p.planar.view_names] for p in series]
        rows.append(
            [_picture(p, v.index(name), per_cm2) if name in v else None for p, v in zip(series, views, strict=True)]
        )
    everything = np.concatenate([p.pixels.ravel() for row in rows for p in row if p is not None])
    scale = Normalize(0.0, upper_limit(everything, 99.8))
    figure, axes = picture_grid(
        [[p.size_mm if p else None for p in row] for row in rows],
        [when(p.time_point, p.hours) for p in series],
        names,
        tallest_in=9.0,
    )
    drawn = None
    for name, panels, pictures in zip(names, axes, rows, strict=True):
        for panel, picture, shown in zip(panels, pictures, series, strict=True):
            if panel is not None and picture is not None:
                drawn = show(panel, picture, "gray_r", scale, interpolation="antialiased")
                _outlined(panel, shown, name, regions, named=name == names[0] and shown is series[-1])
                separate_labels(figure, panel)
    if drawn is not None:
        colour_bar(figure, drawn, "counts/s/cm²" if per_cm2 else "counts/s/pixel", extend="max")
    return figure
