"""Maximum intensity projections: the time points beside each other on one scale, and the latest from several sides."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from numpy.typing import NDArray

from leukospect.data import Image
from leukospect.quantification.measurements import Region
from leukospect.report.content import SpectPictures, when
from leukospect.report.figures_canvas import colour_bar, frame, picture_grid, separate_labels, show, upper_limit
from leukospect.report.figures_focus import in_time_order, lesion_maximum
from leukospect.report.figures_orientation import Box, Picture, body_level, box_above, canonical, cropped, edges_mm
from leukospect.report.figures_regions import outline_projection
from leukospect.report.figures_turned import turned

_ANGLES = {"anterior": 180.0, "left anterior oblique": 135.0, "left lateral": 90.0, "right anterior oblique": 225.0}


def decay_factors(spect: Sequence[SpectPictures]) -> tuple[float, ...] | None:
    """Factor of each time point to the injection; None unless there are several and all are known."""
    if len(spect) < 2:
        return None
    factors = [s.decay_to_injection for s in spect]
    return None if any(f is None for f in factors) else tuple(f for f in factors if f is not None)


def projected(image: Image, angle_deg: float) -> Picture:
    """Project the maximum of a canonical volume as a detector at an angle sees it.

    Parameters
    ----------
    image : Image
        Canonical.
    angle_deg : float
        0 at the patient's back, 90 on the left, 180 in front. Multiples of 90 are exact, others interpolate linearly.

    Returns
    -------
    Picture
        Rows from head to feet; columns along u = (-cos t, sin t, 0).
    """
    seen = turned(image, angle_deg)
    return Picture(seen.array.max(axis=1)[::-1], seen.extent_mm, seen.letters)


def mip_scale(spect: Sequence[SpectPictures], regions: Sequence[Region]) -> Normalize:
    """One scale for all time points: to the hottest lesion, at least to the 99.5th percentile of the projections."""
    factors = decay_factors(spect) or (1.0,) * len(spect)
    pixels = [
        (canonical(s.recon).array.max(axis=1) * f).ravel().astype(np.float64)
        for s, f in zip(spect, factors, strict=True)
    ]
    lesions = max(lesion_maximum(s, regions) * f for s, f in zip(spect, factors, strict=True))
    everything = np.concatenate(pixels)
    return Normalize(0.0, max(lesions, upper_limit(everything[everything > 0], 99.5)))


def _framed(spect: Sequence[SpectPictures], factors: Sequence[float], scale: Normalize) -> list[tuple[Image, Image]]:
    # every time point cut to the same frame in mm, which holds the body at all of them; labels likewise
    volumes = [canonical(s.recon) for s in spect]
    low, high = np.full(3, np.inf), np.full(3, -np.inf)
    for volume, factor in zip(volumes, factors, strict=True):
        level = body_level(volume, float(scale.vmax or 1.0) / factor)
        part = cropped(volume, box_above(volume, level, 12.0))
        ends = np.array([edges_mm(part, axis) for axis in range(3)])
        low, high = np.minimum(low, ends[:, 0]), np.maximum(high, ends[:, 1])
    framed = []
    for s, volume in zip(spect, volumes, strict=True):
        box = _box_in_mm(volume, low, high)
        part = cropped(volume, box)
        empty = Image(np.zeros(part.geometry.shape, np.uint8), part.geometry)
        framed.append((part, empty if s.regions is None else cropped(canonical(s.regions), box)))
    return framed


def _box_in_mm(image: Image, low: NDArray[np.float64], high: NDArray[np.float64]) -> Box:
    box = []
    for axis in range(3):
        start, spacing = edges_mm(image, axis)[0], image.geometry.spacing_mm[axis]
        n = image.geometry.shape[axis]
        first = int(np.clip(np.floor((low[axis] - start) / spacing + 1e-6), 0, n - 1))
        last = int(np.clip(np.ceil((high[axis] - start) / spacing - 1e-6), first + 1, n))
        box.append(slice(first, last))
    return box[0], box[1], box[2]


def _draw(
    volumes: Sequence[tuple[Image, Image, float, str]],
    angles: Sequence[tuple[str, float]],
    by_time: bool,
    regions: Sequence[Region],
    scale: Normalize,
    unit: str,
    with_names: bool = True,
) -> Figure:
    """Draw the volumes (recon, labels, factor, title) from the angles: columns are times, or else angles."""
    seen = [[projected(recon, t) for _, t in angles] for recon, _, _, _ in volumes]
    seen = [
        [Picture(p.pixels * f, p.extent_mm, p.letters) for p in row]
        for row, (_, _, f, _) in zip(seen, volumes, strict=True)
    ]
    times, sides = [v[3] for v in volumes], [name for name, _ in angles]
    grid = [[row[a] for row in seen] for a in range(len(angles))] if by_time else seen
    figure, axes = picture_grid(
        [[p.size_mm for p in row] for row in grid],
        times if by_time else sides,
        sides if by_time else times,
        tallest_in=8.5 if by_time else 5.0,
    )
    for r, row in enumerate(grid):
        for c, picture in enumerate(row):
            panel, which, side = axes[r][c], (c if by_time else r), (r if by_time else c)
            if panel is None:
                continue
            drawn = show(panel, picture, "gray_r", scale)
            labels, (name, angle) = volumes[which][1], angles[side]
            for region in regions:
                mask = Image((labels.array == region.label).astype(np.uint8), labels.geometry)
                latest_front = which == len(volumes) - 1 and name == "anterior"
                named = with_names and latest_front and region.role != "physiological"
                outline_projection(panel, projected(mask, angle), region, regions, named)
            frame(panel, picture)
            separate_labels(figure, panel)
    colour_bar(figure, drawn, unit, extend="max")
    return figure


def mip_series(spect: Sequence[SpectPictures], regions: Sequence[Region]) -> Figure:
    """Draw the anterior and left lateral projections (rows) of all time points (columns) on one scale."""
    spect = in_time_order(spect)
    factors = decay_factors(spect) or (1.0,) * len(spect)
    scale = mip_scale(spect, regions)
    framed = _framed(spect, factors, scale)
    volumes = [(a, b, f, when(s.time_point, s.hours)) for (a, b), f, s in zip(framed, factors, spect, strict=True)]
    angles = [(name, _ANGLES[name]) for name in ("anterior", "left lateral")]
    return _draw(volumes, angles, True, regions, scale, spect[-1].recon.unit)


def mip_angles(spect: Sequence[SpectPictures], regions: Sequence[Region]) -> Figure:
    """Draw the latest time point from four sides, on the scale of the series.

    Names stand in the series' wider pictures; where there is none, the one time point has them here.
    """
    spect = in_time_order(spect)
    factors = decay_factors(spect) or (1.0,) * len(spect)
    scale = mip_scale(spect, regions)
    framed = _framed(spect[-1:], factors[-1:], scale)
    volumes = [(*framed[0], factors[-1], when(spect[-1].time_point, spect[-1].hours))]
    return _draw(volumes, list(_ANGLES.items()), False, regions, scale, spect[-1].recon.unit, len(spect) == 1)
