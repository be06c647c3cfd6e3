"""A small picture of each acquisition, patient left on the viewer's right where it is seen from the front."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from leukospect.data import Acquisition, CtSeries, PlanarImages, Projections, Study
from leukospect.report.figures_orientation import canonical, coronal
from leukospect.whole_files import whole_file

_SOFT_TISSUE_HU = (-160.0, 240.0)
_ANTERIOR_DEG = 180.0


def write_thumbnails(study: Study, folder: Path) -> list[Path]:
    """Write one PNG an acquisition.

    Projections show the view nearest to the anterior one, planar images all their views, CT its middle coronal slice
    and reconstructed volumes their maximum from the front. Names and pictures hold nothing of the patient.

    Parameters
    ----------
    study : Study
    folder : Path
        Made if missing.

    Returns
    -------
    list of Path
        In the study's order.
    """
    written = []
    for number, acquisition in enumerate(study.acquisitions, start=1):
        path = folder / f"{number:02d}-{acquisition.header.kind.lower().replace(' ', '-')}.png"
        figure = _figure(acquisition)
        with whole_file(path) as partial:
            figure.savefig(partial, format="png", metadata={"Software": None})
        written.append(path)
    return written


def pictures(acquisition: Acquisition) -> list[tuple[str, NDArray[np.float32], float]]:
    """Choose what shows an acquisition: title, (rows, columns) array from the top, height over width of a pixel."""
    if isinstance(acquisition, Projections):
        away = np.abs((acquisition.orbit.angles_deg - _ANTERIOR_DEG + 180.0) % 360.0 - 180.0)
        view = int(np.argmin(away))
        title = f"view at {acquisition.orbit.angles_deg[view]:.0f} degrees"
        return [(title, acquisition.counts[0, view], acquisition.pixel_mm[0] / acquisition.pixel_mm[1])]
    if isinstance(acquisition, PlanarImages):
        aspect = acquisition.pixel_mm[0] / acquisition.pixel_mm[1]
        return [(name, acquisition.counts[0, view], aspect) for view, name in enumerate(acquisition.view_names)]
    upright = canonical(acquisition.image)
    aspect = upright.geometry.spacing_mm[0] / upright.geometry.spacing_mm[2]
    if isinstance(acquisition, CtSeries):
        middle = coronal(upright, upright.geometry.shape[1] // 2)
        return [("coronal", np.asarray(middle.pixels, dtype=np.float32), aspect)]
    from_front = np.asarray(upright.array, dtype=np.float32).max(axis=1)[::-1]
    return [("maximum from the front", from_front, aspect)]


def _figure(acquisition: Acquisition) -> Figure:
    shown = pictures(acquisition)
    figure = Figure(figsize=(2.6 * len(shown), 2.8), dpi=100, layout="constrained")
    is_ct = isinstance(acquisition, CtSeries)
    for place, (title, pixels, aspect) in enumerate(shown, start=1):
        axes = figure.add_subplot(1, len(shown), place)
        # Counts are shown dark on light, as planar scintigrams are read; the brightest thousandth may saturate.
        high = max(float(np.quantile(pixels, 0.999)), 1e-6)
        low, top = _SOFT_TISSUE_HU if is_ct else (0.0, high)
        axes.imshow(
            pixels, cmap="gray" if is_ct else "gray_r", vmin=low, vmax=top, aspect=aspect, interpolation="nearest"
        )
        axes.set_title(f"{acquisition.header.kind}, {title}", fontsize=7)
        axes.set_axis_off()
    return figure
