"""The files of a CT with reduced metal artefacts, the CT as scanned beside it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from leukospect.ct.metal import MetalReduction
from leukospect.ct.metal_summary import metal_summary
from leukospect.data import CtSeries, Image
from leukospect.dicom.write.ct_series import write_derived_ct
from leukospect.files.nifti import write_nifti
from leukospect.padded_pixels import PaddedPixels


def write_reduced_ct(folder: Path, ct: CtSeries, reduction: MetalReduction) -> None:
    """Write ``ct.nii.gz`` as scanned, ``ct_mar.nii.gz`` and ``metal_mask.nii.gz``.

    Both CTs hold whole HU, rounded alike: slices that were not changed hold the same numbers in both, and padding its
    own value.
    """
    write_nifti(whole_hu(ct.image, ct.padding), folder / "ct.nii.gz")
    write_nifti(whole_hu(reduction.image, ct.padding), folder / "ct_mar.nii.gz")
    write_nifti(reduction.metal, folder / "metal_mask.nii.gz")


def write_reduced_ct_dicom(folder: Path, ct: CtSeries, reduction: MetalReduction, settings_digest: str) -> None:
    """Write the reduced CT as a derived series into ``folder/ct_mar``."""
    write_derived_ct(
        reduction.image,
        folder / "ct_mar",
        source=ct,
        description="CT, metal artefacts reduced",
        derivation=metal_summary(reduction).derivation(),
        settings_digest=settings_digest,
    )


def holds_whole_hu(image: Image) -> bool:
    """Tell whether all voxels of a CT are whole HU."""
    return all(np.array_equal(plane, np.rint(plane)) for plane in image.array)


def whole_hu(image: Image, padding: Sequence[PaddedPixels] = ()) -> Image:
    """Round a CT to int16, or to int32 where its scale or its padding reaches beyond, and put the padding back.

    A slice at a time: a copy of the volume in floats would take as much memory as the CT.
    """
    if image.array.dtype == np.int16 and not padding:
        return image
    narrow = np.iinfo(np.int16)
    ends = [float(image.array.min()), float(image.array.max()), *(one.value_hu for one in padding)]
    fits = narrow.min <= round(min(ends)) and round(max(ends)) <= narrow.max
    rounded = np.empty(image.array.shape, dtype=np.int16 if fits else np.int32)
    for k, plane in enumerate(image.array):
        rounded[k] = np.rint(plane)
    _, rows, columns = image.geometry.shape
    for one in padding:
        rounded[one.slice_index][one.mask((rows, columns))] = round(one.value_hu)
    return Image(rounded, image.geometry, image.unit)
