"""A CT volume as CT Image Storage, a file for each slice."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.uid import CTImageStorage

from leukospect.data import Geometry, Image
from leukospect.dicom.write.elements import decimal, decimals
from leukospect.dicom.write.instances import save_instance
from leukospect.dicom.write.pixels import add_pixels
from leukospect.errors import InputError
from leukospect.whole_files import whole_folder

INTERCEPT_HU = -1024
"""What scanners usually write: HU = stored + intercept."""

_SIGNED, _STEPS = np.iinfo(np.int16), np.iinfo(np.uint16).max


@dataclass(frozen=True, slots=True)
class Scale:
    """How HU are stored: HU = slope * stored + intercept, in signed or unsigned 16 bits."""

    signed: bool
    intercept_hu: float = INTERCEPT_HU
    slope: float = 1.0


def derived_scale(image: Image, padding_hu: Sequence[float] = (), source: Scale | None = None) -> Scale:
    """Choose pixels, intercept and slope so that every HU of an image is held as it is.

    A slope of the source that is not 1 is kept, where 16 bits span the image with it: what was not changed then has
    the numbers that it had. Whole HU are signed with -1024 HU up to 31743 HU; above that unsigned ones begin at the
    lowest HU, which is that of the padding where 16 bits span both.

    Parameters
    ----------
    image : Image, HU
    padding_hu : sequence of float
        What pixels outside the field of view will be filled with.
    source : Scale or None
        That of all source slices, where they share one.
    """
    low, high = float(image.array.min()), float(image.array.max())
    if not np.isfinite([low, high]).all():
        return Scale(signed=True)
    if source is not None and source.slope != 1.0:
        return _on_the_grid_of(source, low, high, padding_hu)
    return _of_whole_hu(low, high, padding_hu)


def _of_whole_hu(low: float, high: float, padding_hu: Sequence[float]) -> Scale:
    if round(high) - INTERCEPT_HU <= _SIGNED.max:
        return Scale(signed=True)
    lowest = min(INTERCEPT_HU, round(low))
    with_padding = min([lowest, *(round(value) for value in padding_hu)])
    begin = with_padding if round(high) - with_padding <= _STEPS else lowest
    return Scale(signed=False, intercept_hu=begin, slope=max(1, math.ceil((round(high) - begin) / _STEPS)))


def _on_the_grid_of(source: Scale, low: float, high: float, padding_hu: Sequence[float]) -> Scale:
    def step(hu: float) -> int:
        return round((hu - source.intercept_hu) / source.slope)

    first, last = step(low), step(high)
    with_padding = min([first, *(step(value) for value in padding_hu)])
    if with_padding >= _SIGNED.min and last <= _SIGNED.max:
        return Scale(signed=True, intercept_hu=source.intercept_hu, slope=source.slope)
    begin = with_padding if last - with_padding <= _STEPS else first
    if last - begin > _STEPS:
        return _of_whole_hu(low, high, padding_hu)
    return Scale(signed=False, intercept_hu=source.intercept_hu + begin * source.slope, slope=source.slope)


def ct_slice_pixels(image: Image, scale: Scale) -> NDArray[np.int16] | NDArray[np.uint16]:
    """Turn HU into stored 16-bit values; unsigned ones hold nothing below the intercept.

    Parameters
    ----------
    image : Image, HU
    scale : Scale

    Raises
    ------
    InputError
        A value is not finite or beyond what 16 bits hold.
    """
    limits = np.iinfo(np.int16 if scale.signed else np.uint16)
    shape = image.array.shape
    stored: NDArray[np.int16] | NDArray[np.uint16]
    stored = np.empty(shape, np.int16) if scale.signed else np.empty(shape, np.uint16)
    ends: list[int] = []
    for k, plane in enumerate(image.array):  # a slice at a time: wider numbers of the whole volume fill the memory
        if not np.all(np.isfinite(plane)):
            raise InputError("A CT with values that are not finite cannot be written as DICOM.")
        whole = scale.slope == 1.0 and scale.intercept_hu == round(scale.intercept_hu)
        hu = np.rint(plane.astype(np.float64)) if whole else plane.astype(np.float64)  # halves go as they do in NIfTI
        values = np.rint((hu - scale.intercept_hu) / scale.slope).astype(np.int64)
        if not scale.signed:
            np.maximum(values, 0, out=values)
        ends += [int(values.min()), int(values.max())]
        stored[k] = values.astype(stored.dtype)
    low, high = min(ends), max(ends)
    if low < limits.min or high > limits.max:
        found, held = (
            f"{a * scale.slope + scale.intercept_hu:g} to {b * scale.slope + scale.intercept_hu:g}"
            for a, b in ((low, high), (limits.min, limits.max))
        )
        raise InputError(f"The CT runs from {found} HU, where 16-bit pixels hold {held}; clip it first.")
    return stored


def write_slices(
    template: Dataset,
    stored: NDArray[np.int16] | NDArray[np.uint16],
    geometry: Geometry,
    folder: Path,
    *,
    thickness_mm: float,
    scale: Scale,
    complete: Callable[[Dataset, int], None] | None = None,
) -> None:
    """Write slices that share `template`, in the order of k, as ``0001.dcm`` and so on.

    Parameters
    ----------
    template : Dataset
        What all slices share, with its Series Instance UID.
    stored : (slices, rows, columns) int16 or uint16 array
    geometry : Geometry
    folder : Path
        New or empty; it appears whole or not at all.
    thickness_mm : float
    scale : Scale
        With which `stored` was made.
    complete : callable, optional
        Adds to the dataset of slice k what is its own.
    """
    spacing = geometry.spacing_mm
    along_columns = geometry.affine[:3, 2] / spacing[2]
    along_rows = geometry.affine[:3, 1] / spacing[1]
    with whole_folder(folder) as partial:
        for k in range(geometry.shape[0]):
            ds = copy.deepcopy(template)
            ds.SOPClassUID = CTImageStorage
            ds.InstanceNumber = k + 1
            ds.ImagePositionPatient = decimals(geometry.to_lps((k, 0, 0)))
            ds.ImageOrientationPatient = decimals([*along_columns, *along_rows])
            ds.SliceThickness = decimal(thickness_mm)
            ds.RescaleIntercept, ds.RescaleSlope, ds.RescaleType = (
                decimal(scale.intercept_hu),
                decimal(scale.slope),
                "HU",
            )
            if complete is not None:
                complete(ds, k)
            add_pixels(ds, stored[k], stored.shape[1:], (spacing[1], spacing[2]))
            save_instance(ds, partial / f"{k + 1:04d}.dcm")
