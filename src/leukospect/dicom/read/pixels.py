"""Pixel values as they were meant: decoded, all frames, rescaled."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.pixels.utils import pixel_array

from leukospect.dicom.elements import UNREADABLE, library_warnings_silenced, named, number, numbers
from leukospect.dicom.read.compressed import decoded, is_compressed
from leukospect.dicom.read.limits import PixelLayout, pixel_layout, refuse_other_length
from leukospect.errors import GeometryError, InputError

_PIXELS = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")
_NARROWEST_MM, _WIDEST_MM = 0.01, 100.0


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
    keyword = next((one for one in _PIXELS if one in dataset), None)
    if keyword is None:
        raise InputError("The file holds no pixel data.")
    layout = pixel_layout(dataset)
    stored = _stored_values(dataset, keyword, layout)
    if stored.size != layout.frames * layout.rows * layout.columns:
        raise InputError("The pixel data are not in one grey channel.")
    return _rescaled(dataset, stored.reshape(layout.frames, layout.rows, layout.columns))


def _stored_values(dataset: Dataset, keyword: str, layout: PixelLayout) -> NDArray[np.generic]:
    try:
        with library_warnings_silenced():
            if is_compressed(dataset):
                return decoded(dataset, layout)
            refuse_other_length(layout, len(dataset[keyword].value))
            return np.asarray(pixel_array(dataset, raw=True))
    except UNREADABLE:
        raise InputError(
            "The pixel data cannot be decoded: they are cut off, damaged or in an unknown compression."
        ) from None


def _rescaled(dataset: Dataset, stored: NDArray[np.generic]) -> NDArray[np.float32]:
    slope, intercept = number(dataset, "RescaleSlope"), number(dataset, "RescaleIntercept")
    if slope == 0:
        raise InputError(f"{named('RescaleSlope')} is 0, so all values would be the same; correct it in the file.")
    with np.errstate(over="ignore", invalid="ignore"):
        values = stored.astype(np.float32)
        if slope is not None and slope != 1:
            values *= np.float32(slope)
        if intercept:
            values += np.float32(intercept)
    if not np.all(np.isfinite(values)):
        raise InputError(
            f"Some pixel values are not finite numbers, as stored or after {named('RescaleSlope')} and "
            f"{named('RescaleIntercept')}."
        )
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
        It is missing, not positive or beyond reason.
    """
    found = numbers(dataset, "PixelSpacing")
    if len(found) != 2 or min(found) <= 0:
        raise GeometryError(f"{named('PixelSpacing')} is missing or not positive; sizes cannot be known.")
    for size in (max(found), min(found)):
        if not _NARROWEST_MM <= size <= _WIDEST_MM:
            raise GeometryError(f"{named('PixelSpacing')} of {size:g} mm cannot be; correct it in the file.")
    return found[0], found[1]
