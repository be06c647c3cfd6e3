"""What filled the slices of a CT outside the field of view before it was taken as air, to be put back into files."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class PaddedPixels:
    """The pixels of a slice that hold one padding value.

    Parameters
    ----------
    slice_index : int
    value_hu : float
    packed : uint8 array
        A bit for each pixel, rows by columns, as `numpy.packbits` gives them.
    """

    slice_index: int
    value_hu: float
    packed: NDArray[np.uint8]

    @classmethod
    def of(cls, slice_index: int, value_hu: float, mask: NDArray[np.bool_]) -> PaddedPixels:
        """Pack the mask of one slice, rows by columns."""
        return cls(slice_index, value_hu, np.packbits(mask))

    def mask(self, shape: tuple[int, int]) -> NDArray[np.bool_]:
        """Give the pixels as a mask of rows by columns."""
        bits = np.unpackbits(self.packed, count=shape[0] * shape[1])
        return np.asarray(bits.reshape(shape), dtype=np.bool_)
