"""Regions as a reader drew them on an image, before anybody said what part each plays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from leukospect.quantification.mask_stack import MaskStack


@dataclass(frozen=True, slots=True, eq=False)
class DrawnRegion:
    """One region of a file: its number and name there, and what was drawn; None where nothing is."""

    number: int
    name: str
    drawn: MaskStack | None


@dataclass(frozen=True, slots=True, eq=False)
class DrawnRegions:
    """All regions of a file, and the images that they were drawn on.

    Parameters
    ----------
    kind : str
        What such a region is called there, as in ``segment`` or ``ROI``.
    frame_of_reference_uid : str
    regions : sequence of DrawnRegion
    series_uids : frozenset of str
        Of the images drawn on, as far as they are told.
    """

    kind: str
    frame_of_reference_uid: str
    regions: Sequence[DrawnRegion]
    series_uids: frozenset[str] = field(default_factory=frozenset)

    def moved(self, matrix: NDArray[np.float64]) -> DrawnRegions:
        """Move all of them by a rigid transform (4, 4) of LPS points."""
        there = [replace(one, drawn=one.drawn.moved(matrix)) if one.drawn else one for one in self.regions]
        return replace(self, regions=there)
