"""What metal in the CT does to the attenuation map and to the uptake, at the slice with most metal."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy import ndimage

from leukospect.data import Geometry, Image
from leukospect.report.content import SpectPictures
from leukospect.report.figures_canvas import ACCENT, INK, colour_bar, frame, picture_grid, show
from leukospect.report.figures_orientation import Picture, axial, box_above, canonical, cropped, edges_mm

_TISSUE_PER_CM = 0.05
_LEAST_OF_MAXIMUM = 0.02
"""Where uptake is below this part of the slice's maximum its relative change is not shown: noise over nothing."""
_TITLES = ("CT as scanned", "metal reduced", "scanned − reduced", "change of uptake")
_LEAST_SPAN_PER_CM, _LEAST_SPAN_PERCENT = 0.01, 2.0


def metal_on_spect(pictures: SpectPictures, onto: Geometry) -> NDArray[np.float32]:
    """Carry the metal to the grid of the SPECT: how much lies in each voxel, mL.

    Parameters
    ----------
    pictures : SpectPictures
        Its metal lies on the grid of its CT.
    onto : Geometry

    Returns
    -------
    (slices, rows, columns) float32 array
    """
    total: NDArray[np.float32] = np.zeros(onto.shape, np.float32)
    if pictures.metal is None:
        return total
    places = pictures.metal.geometry.to_lps(np.argwhere(pictures.metal.array))
    to_spect = np.eye(4) if pictures.spect_to_ct is None else np.linalg.inv(pictures.spect_to_ct)
    indices = np.rint(onto.to_index(places @ to_spect[:3, :3].T + to_spect[:3, 3])).astype(int)
    inside = indices[np.all((indices >= 0) & (indices < onto.shape), axis=1)]
    np.add.at(total, tuple(inside.T), np.float32(pictures.metal.geometry.voxel_volume_ml))
    return total


def metal_effect(pictures: SpectPictures) -> tuple[Figure, float]:
    """Draw the map of the CT as scanned, the corrected one, their difference and the change of uptake in per cent.

    Differences are as scanned minus corrected. Give the slice's place too, LPS z in mm.

    Raises
    ------
    ValueError
        There is no reconstruction with the CT as scanned; a caller asks first.
    """
    images = (pictures.mu_map_as_scanned, pictures.mu_map, pictures.recon_as_scanned, pictures.recon)
    if any(image is None for image in images):
        raise ValueError("metal_effect needs the maps and reconstructions of both CTs")
    scanned, corrected, other, recon = (canonical(image) for image in images if image is not None)
    metal = metal_on_spect(pictures, recon.geometry)
    k = int(np.argmax(metal.sum(axis=(1, 2))))
    one = (slice(k, k + 1), slice(0, recon.geometry.shape[1]), slice(0, recon.geometry.shape[2]))
    whole = [cropped(volume, one) for volume in (scanned, corrected, other, recon)]
    box = box_above(whole[1], _TISSUE_PER_CM, 8.0)
    before, after, changed, uptake = (axial(cropped(slab, box), 0) for slab in whole)
    difference = _like(before, before.pixels - after.pixels)
    relative = _like(before, _percent(changed.pixels, uptake.pixels, after.pixels > _TISSUE_PER_CM))
    panels = (before, after, difference, relative)
    pairs = [panels[:2], panels[2:]]
    figure, axes = picture_grid([[picture.size_mm for picture in pair] for pair in pairs])
    where = axial(cropped(Image(metal[k : k + 1], whole[0].geometry), box), 0).pixels > 0
    top = max(0.2, float(np.percentile(after.pixels, 99.9)))
    scales = (
        Normalize(0.0, top),
        Normalize(0.0, top),
        _symmetric(difference.pixels, _LEAST_SPAN_PER_CM),
        _symmetric(relative.pixels, _LEAST_SPAN_PERCENT),
    )
    drawn = []
    for n, (panel, picture) in enumerate(zip([*axes[0], *axes[1]], panels, strict=True)):
        if panel is None:
            continue
        drawn.append(show(panel, picture, "gray" if n < 2 else "RdBu_r", scales[n], dark=n < 2))
        if where.any() and min(where.shape) > 1:
            across, down = picture.centres_mm()
            panel.contour(across, down, where.astype(np.float32), levels=[0.5], colors=[ACCENT], linewidths=0.9)
        frame(panel, picture)
        colour = "white" if n < 2 else INK
        panel.text(
            0.015, 0.965, _TITLES[n], transform=panel.transAxes, va="top", fontsize=9.5, weight="bold", color=colour
        )
    if len(drawn) == len(panels):
        colour_bar(figure, drawn[0], "map, 1/cm", (0, 3), extend="max")
        colour_bar(figure, drawn[2], "difference, 1/cm", (1, 3), extend="both")
        colour_bar(figure, drawn[3], "uptake, %", (2, 3), extend="both")
    low, _ = edges_mm(whole[0], 0)
    return figure, low + whole[0].geometry.spacing_mm[0] / 2


def _like(picture: Picture, pixels: NDArray[Any]) -> Picture:
    return Picture(np.asarray(pixels, np.float32), picture.extent_mm, picture.letters)


def _percent(changed: NDArray[Any], uptake: NDArray[Any], body: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Relative change, per cent; not a number where there is hardly any uptake, or no body."""
    smooth = ndimage.uniform_filter(uptake.astype(np.float32), 3)
    worth = body & (uptake > 0) & (smooth > _LEAST_OF_MAXIMUM * float(smooth.max(initial=0.0)))
    values = np.full(uptake.shape, np.nan, np.float32)
    values[worth] = 100.0 * (changed[worth] / uptake[worth] - 1.0)
    return values


def _symmetric(values: NDArray[np.float32], least: float) -> Normalize:
    known = np.abs(values[np.isfinite(values)])
    reach = max(least, float(np.percentile(known, 99.5)) if known.size else 0.0)
    return Normalize(-reach, reach)
