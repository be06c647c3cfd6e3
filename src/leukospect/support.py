"""Where activity can be: the transverse places whose runs of voxels along the axis a reconstruction works on.

A volume (rows, columns, slices) is kept as one run of voxels (places, slices) for each place of the support, so that
air costs neither memory nor time.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from leukospect.errors import GeometryError

Array = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Support:
    """The places of a grid that hold voxels.

    Parameters
    ----------
    mask : (rows, columns) bool array
        At least one place is True.

    Attributes
    ----------
    number : (rows, columns) int32 array
        A place's position among the support's, in the order of rows, then columns; -1 outside.
    """

    mask: NDArray[np.bool_]
    number: NDArray[np.int32] = field(init=False)

    def __post_init__(self) -> None:
        mask = np.ascontiguousarray(self.mask, dtype=np.bool_)
        if mask.ndim != 2 or not mask.any():
            raise GeometryError(f"A support needs a plane with at least one place in it; found shape {mask.shape}.")
        number = np.full(mask.shape, -1, np.int32)
        number[mask] = np.arange(np.count_nonzero(mask), dtype=np.int32)
        object.__setattr__(self, "mask", mask)
        object.__setattr__(self, "number", number)

    @property
    def places(self) -> int:
        """Number of places."""
        return int(self.number.max()) + 1

    def runs(self, volume: Array) -> Array:
        """Take a volume (rows, columns, slices) to its runs (places, slices)."""
        if volume.shape[:2] != self.mask.shape:
            raise GeometryError(f"A volume of shape {volume.shape} does not fit a support of {self.mask.shape}.")
        return np.ascontiguousarray(volume[self.mask], dtype=np.float32)

    def volume(self, runs: Array) -> Array:
        """Take runs (places, slices) to a volume (rows, columns, slices), zero outside the support."""
        if runs.shape[0] != self.places:
            raise GeometryError(f"{runs.shape[0]} runs do not fit a support of {self.places} places.")
        volume = np.zeros((*self.mask.shape, runs.shape[1]), np.float32)
        volume[self.mask] = runs
        return volume
