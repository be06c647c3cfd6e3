"""Pixel values as they were meant: decoded, all frames, rescaled."""

from __future__ import annotations

import struct

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from leukospect.dicom.elements import named, number, numbers
from leukospect.errors import GeometryError, InputError

UNREADABLE = (
    ValueError,
    AttributeError,
    KeyError,
    TypeError,
    NotImplementedError,
    RuntimeError,
    EOFError,
    OSError,
    struct.error,
)
"""What pydicom and its decoders raise on broken or unknown pixel data and files."""


_WIDEST_MM = 100.0


def pixel_values(dataset: Dataset) -> NDArray[np.float32]:
    """Decode all frames and apply Rescale Slope and Intercept.

    Returns
    -------
    (frames, rows, columns) float32 array

    Raises
    ------
    InputError
        There are no pixels, they are cut off, in colour, or in a compression that cannot be decoded.
    """
    if not any(keyword in dataset for keyword in ("PixelData", "FloatPixelData", "DoubleFloatPixelData")):
        raise InputError("The file holds no pixel data.")
    try:
        decoded = np.asarray(dataset.pixel_array)
    except UNREADABLE:
        raise InputError(
            "The pixel data cannot be decoded: they are cut off, damaged or in an unknown compression."
        ) from None
    rows, columns = int(dataset.Rows), int(dataset.Columns)
    if decoded.size % (rows * columns) or decoded.shape[-2:] != (rows, columns):
        raise InputError("The pixel data are not in one grey channel.")
    values = decoded.reshape(-1, rows, columns).astype(np.float32)
    slope, intercept = number(dataset, "RescaleSlope"), number(dataset, "RescaleIntercept")
    if slope is not None and slope != 1:
        values *= np.float32(slope)
    if intercept:
        values += np.float32(intercept)
    return values


def counts(dataset: Dataset, frames: int) -> NDArray[np.float32]:
    """Decode counts.

    Returns
    -------
    (frames, rows, columns) float32 array, none negative

    Raises
    ------
    InputError
        The pixels do not fit the number of frames, or some are negative.
    """
    values = pixel_values(dataset)
    if values.shape[0] != frames:
        raise InputError(f"The pixel data hold {values.shape[0]} frames where {frames} are announced.")
    if values.min() < 0:
        raise InputError(
            f"Some counts are negative (down to {values.min():g}); raw counts cannot be, so the file is not raw."
        )
    return values


def pixel_spacing_mm(dataset: Dataset) -> tuple[float, float]:
    """Give Pixel Spacing: (between rows, between columns), mm.

    Raises
    ------
    GeometryError
        It is missing or not positive.
    """
    found = numbers(dataset, "PixelSpacing")
    if len(found) != 2 or min(found) <= 0:
        raise GeometryError(f"{named('PixelSpacing')} is missing or not positive; sizes cannot be known.")
    if max(found) > _WIDEST_MM:
        raise GeometryError(f"{named('PixelSpacing')} of {max(found):g} mm cannot be; correct it in the file.")
    return found[0], found[1]
