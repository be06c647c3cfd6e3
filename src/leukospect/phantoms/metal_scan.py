"""What a simulated scan of metal gives: the scan, the truth to judge a metal reduction by, and where the metal is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from leukospect.data import Geometry
from leukospect.errors import InputError


@dataclass(frozen=True, slots=True, eq=False)
class MetalScan:
    """One object scanned with its metal, and by the same scanner without it.

    Parameters
    ----------
    scanned_hu : (slices, rows, columns) int16 array
        With metal and noise.
    truth_hu : (slices, rows, columns) int16 array
        Without metal and without noise, on the same pixels. The beam hardening and scatter of tissue are in it.
    metal : (slices, rows, columns) bool array
        Pixels of which more than half is metal.
    geometry : Geometry
    kvp : float
    """

    scanned_hu: NDArray[np.int16]
    truth_hu: NDArray[np.int16]
    metal: NDArray[np.bool_]
    geometry: Geometry
    kvp: float

    def __post_init__(self) -> None:
        shapes = {self.scanned_hu.shape, self.truth_hu.shape, self.metal.shape, tuple(self.geometry.shape)}
        if len(shapes) != 1:
            raise InputError(f"The parts of a scan of metal must have one shape; they have {sorted(shapes)}.")
