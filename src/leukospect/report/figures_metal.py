"""CT before and after metal reduction, and their difference, at the slice with most metal."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from numpy.typing import NDArray

from leukospect.data import Image
from leukospect.report.content import SpectPictures
from leukospect.report.figures_canvas import ACCENT, colour_bar, frame, picture_grid, show
from leukospect.report.figures_orientation import Picture, axial, box_above, canonical, cropped, edges_mm

_WINDOW = Normalize(-300.0, 500.0)
_DIFFERENCE = Normalize(-300.0, 300.0)


def metal_slice(ct: Image, reduced: Image, metal: Image | None) -> int:
    """Choose the slice of canonical volumes with most metal; without a mask the one that changed most."""
    if metal is not None and metal.array.any():
        return int(np.argmax(np.count_nonzero(metal.array, axis=(1, 2))))
    before: NDArray[Any] = ct.array
    changed = [float(np.abs(b.astype(np.float32) - a).sum()) for a, b in zip(before, reduced.array, strict=True)]
    return int(np.argmax(changed))


def metal_reduction(pictures: SpectPictures) -> tuple[Figure, float]:
    """Draw the original, the reduced slice and their difference; give the slice's place too, LPS z in mm.

    Raises
    ------
    ValueError
        There is no reduced CT; a caller asks first.
    """
    if pictures.ct is None or pictures.ct_reduced is None:
        raise ValueError("metal_reduction needs a CT and its reduced twin")
    ct, reduced = canonical(pictures.ct), canonical(pictures.ct_reduced)
    metal = None if pictures.metal is None else canonical(pictures.metal)
    k = metal_slice(ct, reduced, metal)
    one = (slice(k, k + 1), slice(None), slice(None))
    whole = cropped(ct, (slice(k, k + 1), slice(0, ct.geometry.shape[1]), slice(0, ct.geometry.shape[2])))
    box = box_above(whole, -400.0, 8.0)
    before = axial(cropped(whole, box), 0)
    after = axial(cropped(Image(reduced.array[one], whole.geometry), box), 0)
    difference = Picture(after.pixels.astype(np.float32) - before.pixels, before.extent_mm, before.letters)
    panels = (before, after, difference)
    figure, axes = picture_grid([[p.size_mm for p in panels]], ("as scanned", "metal reduced", "reduced − scanned"))
    grey = colour = None
    for n, (panel, picture) in enumerate(zip(axes[0], panels, strict=True)):
        if panel is None:
            continue
        if n < 2:
            grey = show(panel, picture, "gray", _WINDOW, dark=True, interpolation="antialiased")
        else:
            colour = show(panel, picture, "RdBu_r", _DIFFERENCE, interpolation="antialiased")
        if n > 0 and metal is not None:
            mask = axial(cropped(Image(metal.array[one], whole.geometry), box), 0).pixels > 0
            if mask.any() and min(mask.shape) > 1:
                across, down = picture.centres_mm()
                panel.contour(across, down, mask.astype(np.float32), levels=[0.5], colors=[ACCENT], linewidths=0.9)
        frame(panel, picture)
    if grey is not None and colour is not None:
        colour_bar(figure, grey, "HU", (0, 2), extend="both")
        colour_bar(figure, colour, "HU", (1, 2), extend="both")
    low, _ = edges_mm(whole, 0)
    return figure, low + whole.geometry.spacing_mm[0] / 2
