"""Outlines of regions with their names, on slices of any volume and on projections."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_hex, to_rgb
from numpy.typing import NDArray
from scipy import ndimage

from leukospect.data import Image
from leukospect.quantification.measurements import Region
from leukospect.report.figures_canvas import REGION_COLOURS, frame, label
from leukospect.report.figures_orientation import Picture

Plane = Literal["axial", "coronal", "sagittal"]
# LPS axis that runs across, down and through each picture
_AXES: dict[Plane, tuple[int, int, int]] = {"axial": (0, 1, 2), "coronal": (0, 2, 1), "sagittal": (1, 2, 0)}


def colour_of(region: Region, regions: Sequence[Region]) -> str:
    """Give the colour that a region has in every figure."""
    names = [r.name for r in regions]
    return REGION_COLOURS[names.index(region.name) % len(REGION_COLOURS)]


def lighter(colour: str) -> str:
    """Mix a colour half with white, for dark pictures."""
    red, green, blue = (0.5 + 0.5 * part for part in to_rgb(colour))
    return to_hex((red, green, blue))


def slice_points_mm(picture: Picture, plane: Plane, through_mm: float) -> NDArray[np.float64]:
    """LPS of every pixel centre of a slice: (rows, columns, 3), mm."""
    across, down = picture.centres_mm()
    points = np.empty((down.size, across.size, 3))
    first, second, third = _AXES[plane]
    points[..., first] = across[None, :]
    points[..., second] = down[:, None]
    points[..., third] = through_mm
    return points


def outline_slice(
    axes: Axes,
    picture: Picture,
    plane: Plane,
    point_mm: tuple[float, float, float],
    labels: Image,
    to_labels: NDArray[np.float64],
    regions: Sequence[Region],
    names: bool,
    dark: bool,
) -> None:
    """Draw the regions that a slice cuts.

    Parameters
    ----------
    axes, picture, plane
        Where the slice is drawn, and which one it is.
    point_mm : (x, y, z)
        A point of the slice, LPS mm.
    labels : Image
        Label image on its own grid.
    to_labels : (4, 4) array
        Takes LPS mm of the slice to LPS mm of the label image.
    regions : sequence of Region
    names : bool
        Write the names too.
    dark : bool
        The slice is dark, so colours are lighter.
    """
    points = slice_points_mm(picture, plane, point_mm[_AXES[plane][2]])
    index = labels.geometry.to_index(points @ to_labels[:3, :3].T + to_labels[:3, 3])
    for region in regions:
        cut = _coverage(labels, region.label, index)
        if cut is not None and cut.max() > 0.5:
            _contour(axes, picture, cut, region, regions, names, dark)
    frame(axes, picture)


def _coverage(labels: Image, value: int, index: NDArray[np.float64]) -> NDArray[np.float32] | None:
    # linear between voxel centres, so that the outline is smooth; only the region's own box is looked at
    found = ndimage.find_objects((labels.array == value).astype(np.int8))
    if not found or found[0] is None:
        return None
    box = tuple(
        slice(max(s.start - 1, 0), min(s.stop + 1, n)) for s, n in zip(found[0], labels.array.shape, strict=True)
    )
    mask = (labels.array[box] == value).astype(np.float32)
    local = np.moveaxis(index - np.array([s.start for s in box]), -1, 0)
    return np.asarray(ndimage.map_coordinates(mask, local, order=1, mode="constant"), dtype=np.float32)


def outline_projection(axes: Axes, mask: Picture, region: Region, regions: Sequence[Region], names: bool) -> None:
    """Draw the outline of a projected region: `mask` is 1 inside."""
    if mask.pixels.any():
        _contour(axes, mask, mask.pixels.astype(np.float32), region, regions, names, dark=False)


def _contour(
    axes: Axes,
    picture: Picture,
    coverage: NDArray[np.float32],
    region: Region,
    regions: Sequence[Region],
    names: bool,
    dark: bool,
) -> None:
    if min(coverage.shape) < 2:
        return
    across, down = picture.centres_mm()
    colour = lighter(colour_of(region, regions)) if dark else colour_of(region, regions)
    style = {"lesion": "solid", "reference": "dashed", "physiological": "dotted"}[region.role]
    axes.contour(across, down, coverage, levels=[0.5], colors=[colour], linewidths=1.3, linestyles=style)
    if not names:
        return
    rows, columns = np.nonzero(coverage > 0.5)
    row = rows.min()
    left, right, bottom, top = picture.extent_mm
    x, y = float(across[int(columns[rows == row].mean())]), float(down[row])
    inside = min(left, right) <= x <= max(left, right) and min(bottom, top) <= y <= max(bottom, top)
    if inside:
        label(axes, x, y, region.name, colour, dark)
