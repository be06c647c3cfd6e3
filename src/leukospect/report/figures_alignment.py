"""SPECT against CT for a person to judge their alignment: a checkerboard of both, and outlines of one over the other.

Both are drawn where the registration puts them: every pixel of the CT takes its uptake through the transform.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib import patheffects
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize, PowerNorm
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy import ndimage

from leukospect.data import Image
from leukospect.registration.resampling import resample, smoothed
from leukospect.report.content import SpectPictures
from leukospect.report.figures_canvas import HOT_IRON, colour_bar, frame, picture_grid, show, upper_limit
from leukospect.report.figures_focus import Point, moved, spect_to_ct
from leukospect.report.figures_orientation import Picture, box_above, canonical, cropped, index_of, orthogonal
from leukospect.report.figures_regions import Plane, slice_points_mm

PLANES: tuple[Plane, ...] = ("axial", "coronal", "sagittal")
THROUGH = {"axial": 2, "coronal": 1, "sagittal": 0}
CT_WINDOW = Normalize(-250.0, 750.0)
BODY_HU = -400.0
# room for an outline that runs beside the body
_MARGIN_MM = 20.0
TILE_MM = 35.0
# so that an outline follows the body and not the noise
OUTLINE_FWHM_MM = 12.0
# a part of a slice's outline is drawn where it is at least so large, relative to the largest
_LEAST_PART = 0.1
OUTLINE, _HOT = "#ffd84d", "#ff5a36"

Floats = NDArray[np.float32]


def checkerboard(shown: Picture, tile_mm: float, middle_mm: tuple[float, float]) -> NDArray[np.bool_]:
    """Tell which pixels of a picture lie on the tiles of the other modality.

    Parameters
    ----------
    shown : Picture
    tile_mm : float
        Side of a tile.
    middle_mm : (across, down)
        A corner that four tiles share, in the picture's axes.

    Returns
    -------
    (rows, columns) bool array
        Alternates from tile to tile both ways.
    """
    across, down = shown.centres_mm()
    columns = np.floor((across - middle_mm[0]) / tile_mm).astype(int)
    rows = np.floor((down - middle_mm[1]) / tile_mm).astype(int)
    return np.asarray((rows[:, None] + columns[None, :]) % 2 == 1)


def alignment_check(pictures: SpectPictures, point_mm: Point | None) -> Figure:
    """Draw three slices of the CT's space twice: a checkerboard with the SPECT, and the SPECT's outlines over the CT.

    Parameters
    ----------
    pictures : SpectPictures
        With a CT. The SPECT without attenuation correction is taken where there is one, as no map shaped it.
    point_mm : (x, y, z) or None
        LPS of the SPECT to cut through; the body's `deepest_point` without it.

    Raises
    ------
    ValueError
        There is no CT; a caller asks first.
    """
    if pictures.ct is None:
        raise ValueError("alignment_check needs a CT")
    whole = canonical(pictures.ct if pictures.ct_reduced is None else pictures.ct_reduced)
    ct = cropped(whole, box_above(whole, BODY_HU, _MARGIN_MM))
    matrix = spect_to_ct(pictures)
    point = deepest_point(ct) if point_mm is None else _on_voxel(ct, moved(matrix, point_mm))
    emission = pictures.recon if pictures.recon_nac is None else pictures.recon_nac
    smooth = _smooth(emission)
    slices = orthogonal(ct, point)
    to_spect = np.asarray(np.linalg.inv(matrix), dtype=np.float64)
    hot = [sampled(smooth, p, plane, point, to_spect) for p, plane in zip(slices, PLANES, strict=True)]
    levels = (body_edge(smooth, whole, matrix), 0.5 * max(float(p.pixels.max()) for p in hot))
    # the square root keeps the body visible beside what is many times hotter
    scale = PowerNorm(0.5, 0.0, upper_limit(np.concatenate([p.pixels.ravel() for p in hot]), 99.8))
    sizes = [[p.size_mm for p in slices]] * 2
    figure, axes = picture_grid(sizes, PLANES, ("checkerboard", "outlines"), tallest_in=8.0)
    _draw_tiles(axes[0], slices, hot, scale, point)
    _draw_outlines(axes[1], slices, hot, levels)
    colour_bar(figure, ScalarMappable(scale, HOT_IRON), emission.unit, (0, 2), extend="max")
    return figure


def _draw_tiles(
    axes: Sequence[Axes | None], slices: Sequence[Picture], hot: Sequence[Picture], scale: Normalize, point: Point
) -> None:
    for panel, grey, emission, plane in zip(axes, slices, hot, PLANES, strict=True):
        if panel is None:
            continue
        show(panel, grey, "gray", CT_WINDOW, dark=True, interpolation="antialiased")
        first, second = (axis for axis in range(3) if axis != THROUGH[plane])
        middle = (point[first] - TILE_MM / 2, point[second] - TILE_MM / 2)  # the point in the middle of a tile
        colours = np.asarray(HOT_IRON(np.clip(np.asarray(scale(emission.pixels.astype(np.float64))), 0.0, 1.0)))
        colours[..., 3] = checkerboard(grey, TILE_MM, middle)
        tiles = Picture(colours, emission.extent_mm, emission.letters)
        show(panel, tiles, bare=True, interpolation="nearest")
        frame(panel, grey)


def _draw_outlines(
    axes: Sequence[Axes | None], slices: Sequence[Picture], hot: Sequence[Picture], levels: tuple[float, float]
) -> None:
    for panel, grey, emission in zip(axes, slices, hot, strict=True):
        if panel is None:
            continue
        show(panel, grey, "gray", CT_WINDOW, dark=True, interpolation="antialiased")
        if min(emission.pixels.shape) > 1:
            across, down = emission.centres_mm()
            whole = outline_field(emission.pixels, levels[0])
            for field, level, colour in zip((whole, emission.pixels), levels, (OUTLINE, _HOT), strict=True):
                if field.min() < level < field.max():
                    drawn = panel.contour(across, down, field, levels=[level], colors=[colour], linewidths=1.2)
                    drawn.set_path_effects([patheffects.withStroke(linewidth=2.0, foreground="black", alpha=0.5)])
        frame(panel, grey)


def outline_field(pixels: Floats, level: float) -> Floats:
    """Leave of a slice's uptake what outlines the body: cold holes in it filled, specks beside it taken out.

    Parameters
    ----------
    pixels : (rows, columns) array
    level : float
        Of the outline, which runs between the same pixels as it would in `pixels`.
    """
    above = pixels > level
    filled = ndimage.binary_fill_holes(above)
    parts, count = ndimage.label(filled)
    sizes = np.bincount(parts.ravel(), minlength=count + 1)
    sizes[0] = 0
    speck = (sizes < _LEAST_PART * sizes.max())[parts] & above
    field = np.where(filled & ~above, np.float32(2.0 * level), pixels)
    return np.where(speck, np.float32(0.0), field)


def deepest_point(ct: Image) -> Point:
    """Find the place farthest from air in the middle slice: in the trunk near its middle, else in one of two legs."""
    k = ct.geometry.shape[0] // 2
    values: NDArray[np.int16] = np.asarray(ct.array[k])
    body = np.pad(ndimage.binary_fill_holes(values > BODY_HU), 1)
    depth = ndimage.distance_transform_edt(body, sampling=ct.geometry.spacing_mm[1:])[1:-1, 1:-1]
    j, i = divmod(int(depth.argmax()), depth.shape[1])
    return _centre(ct, (k, j, i))


def _on_voxel(ct: Image, point: Point) -> Point:
    """Take a point to the centre of its voxel, so that both are cut at the same place; inside, where it is not."""
    return _centre(ct, index_of(ct, point))


def _centre(ct: Image, index: tuple[int, int, int]) -> Point:
    x, y, z = (float(v) for v in ct.geometry.to_lps(index))
    return x, y, z


def _smooth(image: Image) -> Image:
    sigma_mm = OUTLINE_FWHM_MM / np.sqrt(8.0 * np.log(2.0))
    array: Floats = np.asarray(image.array, dtype=np.float32)
    return Image(smoothed(array, image.geometry, [sigma_mm] * 3), image.geometry, image.unit)


def sampled(
    image: Image, shown: Picture, plane: Plane, point: Point, to_image: NDArray[np.float64], outside: float = 0.0
) -> Picture:
    """Sample a volume, linearly, at every pixel of a slice."""
    points = slice_points_mm(shown, plane, point[THROUGH[plane]])
    index = np.moveaxis(image.geometry.to_index(points @ to_image[:3, :3].T + to_image[:3, 3]), -1, 0)
    values: Floats = np.asarray(image.array, dtype=np.float32)
    pixels = ndimage.map_coordinates(values, index, order=1, mode="constant", cval=outside)
    return Picture(np.asarray(pixels, dtype=np.float32), shown.extent_mm, shown.letters)


def body_edge(emission: Image, ct: Image, matrix: NDArray[np.float64]) -> float:
    """Find the uptake that marks the body's edge: half of the median in the body, as the CT shows it.

    Parameters
    ----------
    emission, ct : Image
    matrix : (4, 4) array
        Takes LPS mm of the emission to LPS mm of the CT.
    """
    hu: NDArray[np.int16] = np.asarray(
        resample(ct, emission.geometry, fixed_to_moving=matrix, interpolation="nearest", outside=-1024.0).array
    )
    values: Floats = np.asarray(emission.array, dtype=np.float32)
    inside = values[hu > BODY_HU]
    return 0.5 * float(np.median(inside)) if inside.size else 0.0
