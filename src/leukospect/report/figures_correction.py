"""Reconstruction with attenuation correction beside the one without."""

from __future__ import annotations

from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from leukospect.data import Image
from leukospect.report.content import SpectPictures
from leukospect.report.figures_canvas import colour_bar, frame, picture_grid, show, upper_limit
from leukospect.report.figures_focus import Focus
from leukospect.report.figures_orientation import Box, body_level, box_above, canonical, cropped, index_of, orthogonal


def correction_beside(pictures: SpectPictures, focus: Focus) -> Figure:
    """Draw axial and coronal slices through the focus, corrected beside uncorrected, each to its own maximum there.

    The two differ in level by what the body takes away, so that one scale for both would hide the weaker.

    Raises
    ------
    ValueError
        There is no uncorrected reconstruction; a caller asks first.
    """
    if pictures.recon_nac is None:
        raise ValueError("correction_beside needs the uncorrected reconstruction")
    volumes = [canonical(pictures.recon), canonical(pictures.recon_nac)]
    box = _frame(volumes[0], focus)
    slices = [orthogonal(cropped(v, box), focus.point_mm)[:2] for v in volumes]
    scales = [Normalize(0.0, max(upper_limit(p.pixels, 99.9) for p in row)) for row in slices]
    names = ("corrected", "uncorrected")
    order = [(which, plane) for plane in range(2) for which in range(2)]
    figure, axes = picture_grid(
        [[slices[w][p].size_mm for w, p in order]],
        [f"{('axial', 'coronal')[p]}, {names[w]}" for w, p in order],
        tallest_in=5.0,
    )
    drawn = {}
    for panel, (which, plane) in zip(axes[0], order, strict=True):
        if panel is not None:
            drawn[which] = show(panel, slices[which][plane], "gray_r", scales[which])
            frame(panel, slices[which][plane])
    for which, mappable in drawn.items():
        colour_bar(figure, mappable, f"{names[which]}\n{pictures.recon.unit}", (which, 2), extend="max")
    return figure


def _frame(volume: Image, focus: Focus) -> Box:
    box = box_above(volume, body_level(volume, upper_limit(volume.array, 99.95)), 12.0)
    k, j, i = (
        slice(min(s.start, n), max(s.stop, n + 1)) for s, n in zip(box, index_of(volume, focus.point_mm), strict=True)
    )
    return k, j, i
