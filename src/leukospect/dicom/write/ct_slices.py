"""A CT volume as CT Image Storage, a file for each slice."""

from __future__ import annotations

import copy
from collections.abc import Callable
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

_HIGHEST_SIGNED_HU = 32767 + INTERCEPT_HU


def derived_scale(image: Image) -> tuple[bool, int]:
    """Choose signed or unsigned pixels, and the intercept, so that every HU of an image is held as it is.

    Signed ones with -1024 HU reach 31743 HU; above that unsigned ones begin at the lowest HU.

    Returns
    -------
    signed : bool
    intercept_hu : int
    """
    if not float(image.array.max()) > _HIGHEST_SIGNED_HU:
        return True, INTERCEPT_HU
    low = float(image.array.min())
    return False, min(INTERCEPT_HU, round(low)) if np.isfinite(low) else INTERCEPT_HU


def ct_slice_pixels(
    image: Image, *, signed: bool, intercept_hu: int = INTERCEPT_HU
) -> NDArray[np.int16] | NDArray[np.uint16]:
    """Turn HU into stored 16-bit values, HU = stored + intercept; unsigned ones hold nothing below the intercept.

    Parameters
    ----------
    image : Image, HU
    signed : bool
    intercept_hu : int

    Raises
    ------
    InputError
        A value is not finite or beyond what 16 bits hold.
    """
    limits = np.iinfo(np.int16 if signed else np.uint16)
    shape = image.array.shape
    stored: NDArray[np.int16] | NDArray[np.uint16]
    stored = np.empty(shape, np.int16) if signed else np.empty(shape, np.uint16)
    ends: list[int] = []
    for k, plane in enumerate(image.array):  # a slice at a time: wider numbers of the whole volume fill the memory
        if not np.all(np.isfinite(plane)):
            raise InputError("A CT with values that are not finite cannot be written as DICOM.")
        values = np.rint(plane.astype(np.float32)).astype(np.int32) - intercept_hu
        if not signed:
            np.maximum(values, 0, out=values)
        ends += [int(values.min()), int(values.max())]
        stored[k] = values.astype(stored.dtype)
    low, high = min(ends), max(ends)
    if low < limits.min or high > limits.max:
        found = f"{low + intercept_hu} to {high + intercept_hu} HU"
        held = f"{limits.min + intercept_hu} to {limits.max + intercept_hu}"
        raise InputError(f"The CT runs from {found}, where 16-bit pixels hold {held}; clip it first.")
    return stored


def write_slices(
    template: Dataset,
    stored: NDArray[np.int16] | NDArray[np.uint16],
    geometry: Geometry,
    folder: Path,
    *,
    thickness_mm: float,
    intercept_hu: int = INTERCEPT_HU,
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
    intercept_hu : int
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
            ds.RescaleIntercept, ds.RescaleSlope, ds.RescaleType = decimal(intercept_hu), decimal(1), "HU"
            if complete is not None:
                complete(ds, k)
            add_pixels(ds, stored[k], stored.shape[1:], (spacing[1], spacing[2]))
            save_instance(ds, partial / f"{k + 1:04d}.dcm")
