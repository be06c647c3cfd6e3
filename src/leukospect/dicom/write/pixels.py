"""Pixels as 16-bit unsigned integers, with the scale that gives their values back."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Context

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from leukospect.dicom.write.elements import decimals
from leukospect.errors import InputError

_LARGEST = 65535


@dataclass(frozen=True, slots=True)
class RescaleRecord:
    """How values were stored: value = slope * stored + intercept.

    Parameters
    ----------
    slope, intercept : float
        Exactly as written in the file, in `unit`.
    unit : str
    largest_error : float
        Largest difference between a value and what the file gives back; at most half of `slope`.
    """

    slope: float
    intercept: float
    unit: str
    largest_error: float


def quantise(values: NDArray[np.generic], unit: str) -> tuple[NDArray[np.uint16], RescaleRecord]:
    """Store values as uint16: whole numbers up to 65535 as they are, others on the finest scale that holds them.

    Parameters
    ----------
    values : array of any shape
    unit : str

    Returns
    -------
    uint16 array of the same shape, RescaleRecord

    Raises
    ------
    InputError
        A value is not finite.
    """
    exact = np.asarray(values, dtype=np.float64)
    if not np.all(np.isfinite(exact)):
        raise InputError("An image with values that are not finite cannot be written as DICOM.")
    low, high = min(0.0, float(exact.min())), max(0.0, float(exact.max()))
    if low == 0.0 and high <= _LARGEST and not np.any(exact % 1.0):
        return exact.astype(np.uint16), RescaleRecord(1.0, 0.0, unit, 0.0)
    # Rounded outwards to what 16 characters of a decimal string hold, so the file states the very numbers used here.
    intercept = _rounded(low, ROUND_FLOOR)
    slope = _rounded((high - intercept) / _LARGEST, ROUND_CEILING)
    stored = np.clip(np.rint((exact - intercept) / slope), 0, _LARGEST)
    error = float(np.abs(stored * slope + intercept - exact).max())
    return stored.astype(np.uint16), RescaleRecord(slope, intercept, unit, error)


def _rounded(value: float, rounding: str) -> float:
    return float(Context(prec=9, rounding=rounding).create_decimal_from_float(value))


def add_frames(dataset: Dataset, stored: NDArray[np.uint16], pixel_mm: tuple[float, float]) -> None:
    """Put a (frames, rows, columns) uint16 array into a multi-frame dataset.

    Parameters
    ----------
    dataset : Dataset
    stored : (frames, rows, columns) uint16 array
    pixel_mm : (between rows, between columns)
    """
    dataset.NumberOfFrames = stored.shape[0]
    add_pixels(dataset, stored, stored.shape[1:], pixel_mm)


def add_pixels(
    dataset: Dataset,
    stored: NDArray[np.uint16] | NDArray[np.int16],
    shape: tuple[int, ...],
    pixel_mm: tuple[float, float],
) -> None:
    """Put 16-bit pixels, signed or unsigned, into a dataset.

    Parameters
    ----------
    dataset : Dataset
    stored : uint16 or int16 array
    shape : (rows, columns)
    pixel_mm : (between rows, between columns)
    """
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.Rows, dataset.Columns = shape
    dataset.PixelSpacing = decimals(pixel_mm)
    dataset.BitsAllocated = 16
    dataset.BitsStored = 16
    dataset.HighBit = 15
    dataset.PixelRepresentation = int(stored.dtype.kind == "i")
    little_endian = stored.dtype.newbyteorder("<")
    dataset.add_new("PixelData", "OW", np.ascontiguousarray(stored, dtype=little_endian).tobytes())
