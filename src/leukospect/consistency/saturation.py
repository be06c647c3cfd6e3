"""Counts at the top of the numbers they are stored in: what was counted beyond it is lost."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_TOPS = {65535: 1, 32767: 1, 16383: 4, 4095: 4, 255: 4}
"""Largest number of 16, 15, 14, 12 and 8 bits, and how many pixels of a view must hold it.

A single pixel may reach a small number by chance; that the hottest of a view all hold the same one does not happen by
counting, whose hottest pixels differ by the square root of their counts.
"""


@dataclass(frozen=True, slots=True)
class Saturation:
    """Pixels of views that hold the largest number that fits.

    Parameters
    ----------
    top : int
    views : tuple of int
        From 1.
    pixels : int
        In all of these views together.
    """

    top: int
    views: tuple[int, ...]
    pixels: int

    def sentence(self) -> str:
        """Tell it in one sentence."""
        which = f"View {self.views[0]} has" if len(self.views) == 1 else f"{len(self.views)} views have"
        pixels = "a pixel" if self.pixels == 1 else f"{self.pixels} pixels"
        return (
            f"{which} {pixels} at {self.top} counts, the largest number that their type of pixel holds: what was "
            "counted beyond it is lost, and uptake there is underestimated."
        )


def find_saturation(counts: NDArray[np.floating]) -> tuple[Saturation, ...]:
    """Find views whose hottest pixels all hold the largest number of a type.

    Parameters
    ----------
    counts : (windows, views, rows, columns) array
        Not rescaled, and not added up from several frames.

    Returns
    -------
    tuple of Saturation
        One a type; empty where no view is saturated.
    """
    hottest = counts.max(axis=(2, 3))
    found = []
    for top, fewest in _TOPS.items():
        reached = np.argwhere(hottest == top)
        pixels = {(w, v): int(np.count_nonzero(counts[w, v] == top)) for w, v in reached.tolist()}
        enough = {place: number for place, number in pixels.items() if number >= fewest}
        if enough:
            views = tuple(sorted({view + 1 for _, view in enough}))
            found.append(Saturation(top, views, sum(enough.values())))
    return tuple(found)
