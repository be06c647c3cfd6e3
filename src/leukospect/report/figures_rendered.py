"""SPECT/CT as a body to look at: bone and metal as surfaces, uptake over them, from four sides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from matplotlib.cm import ScalarMappable
from matplotlib.figure import Figure

from leukospect.quantification.measurements import Region
from leukospect.report.content import SpectPictures
from leukospect.report.figures_canvas import HOT_IRON, colour_bar, frame, picture_grid, show
from leukospect.report.figures_mip import mip_scale
from leukospect.report.rendered_scene import scene_of, smooth_uptake
from leukospect.report.rendering import rendered


def rendered_views(pictures: SpectPictures, regions: Sequence[Region], side: str) -> Figure:
    """Draw the rendered SPECT/CT of one time from the front, the left front, a side and the back.

    Parameters
    ----------
    pictures : SpectPictures
        With a CT.
    regions : sequence of Region
        The scale of the uptake reaches to the hottest lesion.
    side : ``left`` or ``right``
        Of the patient, for the lateral view.
    """
    lateral = ("right lateral", 270.0) if side == "right" else ("left lateral", 90.0)
    angles = (("anterior", 180.0), ("left anterior oblique", 135.0), lateral, ("posterior", 0.0))
    pictures = replace(pictures, recon=smooth_uptake(pictures.recon))
    scale = mip_scale((pictures,), regions)
    scene = scene_of(pictures)
    seen = [rendered(scene, angle, scale) for _, angle in angles]
    figure, axes = picture_grid([[p.size_mm for p in seen]], [name for name, _ in angles], tallest_in=7.0)
    for panel, picture in zip(axes[0], seen, strict=True):
        if panel is not None:
            show(panel, picture, dark=True)
            frame(panel, picture)
    colour_bar(figure, ScalarMappable(scale, HOT_IRON), pictures.recon.unit, extend="max")
    return figure
