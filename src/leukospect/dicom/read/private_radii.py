"""The radius of every view where one camera's maker keeps it: in private elements, an item a frame.

The elements are those of the private creator GEMS_GENIE_1 that pydicom's dictionary of private elements lists: a
sequence with one item a frame, (0055,xx65) or (0013,xx13), whose items hold Radius of Rotation, (0011,xx19).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

_CREATOR = "GEMS_GENIE_1"
_FRAME_SEQUENCES = ((0x0055, 0x65), (0x0013, 0x13))
_RADIUS = (0x0011, 0x19)
_PLAUSIBLE_MM = (50.0, 700.0)


def private_radii_mm(dataset: Dataset, frames: int) -> NDArray[np.float64] | None:
    """Read the radius of every frame from private elements.

    Parameters
    ----------
    dataset : Dataset
    frames : int

    Returns
    -------
    (frames,) array, mm, or None
        None where they are not there, not one a frame, or cannot be millimetres.
    """
    for group, element in _FRAME_SEQUENCES:
        value = _private(dataset, group, element)
        if isinstance(value, Sequence) and len(value) == frames:
            radii = np.array([_radius(item) for item in value])
            if np.all((radii >= _PLAUSIBLE_MM[0]) & (radii <= _PLAUSIBLE_MM[1])):
                return radii
    return None


def _private(dataset: Dataset, group: int, element: int) -> object:
    try:
        return dataset.private_block(group, _CREATOR)[element].value
    except KeyError:
        return None


def _radius(item: Dataset) -> float:
    value = _private(item, *_RADIUS)
    return float(value) if isinstance(value, (int, float)) else float("nan")
