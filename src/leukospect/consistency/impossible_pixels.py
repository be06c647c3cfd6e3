"""Single pixels of a view that no source can explain: the response spreads any source over its neighbours."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import maximum_filter

from leukospect.data import Projections

_TIMES_NEIGHBOURS = 1000.0
_FEWEST_COUNTS = 1e4


@dataclass(frozen=True, slots=True)
class ImpossiblePixel:
    """A pixel that holds over a thousand times what any of its neighbours does.

    Parameters
    ----------
    view, row, column : int
        From 1.
    counts : float
    """

    view: int
    row: int
    column: int
    counts: float

    def sentence(self) -> str:
        """Say it in one sentence."""
        return (
            f"View {self.view} has {self.counts:.3g} counts in one pixel (row {self.row}, column {self.column}), over "
            "a thousand times its neighbours: a defect of the detector or the file, which streaks the image."
        )


def find_impossible_pixels(projections: Projections) -> list[ImpossiblePixel]:
    """Find pixels of any window that stand out of their surroundings more than any source can, the highest first.

    Parameters
    ----------
    projections : Projections

    Returns
    -------
    list of ImpossiblePixel, one a view at most
    """
    ring = np.ones((3, 3), np.bool_)
    ring[1, 1] = False
    found: dict[int, ImpossiblePixel] = {}
    for counts in projections.counts:
        for view in np.flatnonzero(counts.max(axis=(1, 2)) >= _FEWEST_COUNTS):
            neighbours = maximum_filter(counts[view], footprint=ring, mode="constant")
            beyond = np.where(counts[view] > _TIMES_NEIGHBOURS * np.maximum(neighbours, 1.0), counts[view], 0.0)
            row, column = np.unravel_index(int(beyond.argmax()), beyond.shape)
            if beyond[row, column] >= _FEWEST_COUNTS:
                pixel = ImpossiblePixel(int(view) + 1, int(row) + 1, int(column) + 1, float(beyond[row, column]))
                found.setdefault(int(view), pixel)
    return sorted(found.values(), key=lambda pixel: -pixel.counts)
