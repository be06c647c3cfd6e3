"""Maximum intensity projections: the time points beside each other on one scale, and the latest from several sides."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy import ndimage

from leukospect.data import Image
from leukospect.quantification.measurements import Region
from leukospect.report.content import SpectPictures, when
from leukospect.report.figures_canvas import colour_bar, frame, picture_grid, separate_labels, show, upper_limit
from leukospect.report.figures_focus import in_time_order, lesion_maximum
from leukospect.report.figures_orientation import Box, Picture, body_level, box_above, canonical, cropped, edges_mm
from leukospect.report.figures_regions import outline_projection

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
    t = np.deg2rad(angle_deg)
    u: NDArray[np.float64] = np.round([-np.cos(t), np.sin(t)], 12)
    letters = (_side(-u), _side(u), "H", "F")
    along = edges_mm(image, 0)
    if min(abs(u)) == 0.0:
        axis = 1 if u[0] else 2
        pixels = image.array.max(axis=axis)[::-1]
        left, right = edges_mm(image, 3 - axis)
        if u.sum() < 0:
            pixels, left, right = pixels[:, ::-1], right, left
        return Picture(pixels, (left, right, *along), letters)
    # square pixels of the finer spacing; the turned rectangle fits in
    _, dy, dx = image.geometry.spacing_mm
    (x0, x1), (y0, y1) = edges_mm(image, 2), edges_mm(image, 1)
    step = min(dx, dy)
    width = abs(u[0]) * (x1 - x0) + abs(u[1]) * (y1 - y0)
    depth = abs(u[1]) * (x1 - x0) + abs(u[0]) * (y1 - y0)
    columns, planes = int(np.ceil(width / step)), int(np.ceil(depth / step))
    n = np.array([u[1], -u[0]])  # towards the detector: (sin t, cos t)
    centre = np.array([(x0 + x1) / 2, (y0 + y1) / 2])
    corner = centre - u * step * (columns - 1) / 2 - n * step * (planes - 1) / 2
    # output (k, plane, column) to input (k, j, i)
    matrix = np.array([[1, 0, 0], [0, n[1] * step / dy, u[1] * step / dy], [0, n[0] * step / dx, u[0] * step / dx]])
    offset = np.array([0.0, (corner[1] - y0) / dy - 0.5, (corner[0] - x0) / dx - 0.5])
    slices = image.geometry.shape[0]
    turned = ndimage.affine_transform(
        image.array.astype(np.float32), matrix, offset, output_shape=(slices, planes, columns), order=1
    )
    across = float(centre @ u)
    half = columns * step / 2
    return Picture(turned.max(axis=1)[::-1], (across - half, across + half, *along), letters)


def _side(direction: NDArray[np.float64]) -> str:
    x, y = direction
    return ("L" if x > 0.38 else "R" if x < -0.38 else "") + ("P" if y > 0.38 else "A" if y < -0.38 else "")


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
                last = which == len(volumes) - 1
                outline_projection(panel, projected(mask, angle), region, regions, last and name == "anterior")
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
    """Draw the latest time point from four sides, on the scale of the series."""
    spect = in_time_order(spect)
    factors = decay_factors(spect) or (1.0,) * len(spect)
    scale = mip_scale(spect, regions)
    framed = _framed(spect[-1:], factors[-1:], scale)
    volumes = [(*framed[0], factors[-1], when(spect[-1].time_point, spect[-1].hours))]
    return _draw(volumes, list(_ANGLES.items()), False, regions, scale, spect[-1].recon.unit)
