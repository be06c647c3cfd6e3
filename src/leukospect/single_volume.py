"""One volume from whatever holds it: a NIfTI file, a CT series, or a SPECT or PET that somebody reconstructed."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from leukospect.data import CtSeries, Image, ReconstructedSeries
from leukospect.dicom.read.study import read_study
from leukospect.errors import AssumptionWarning, InputError
from leukospect.files.nifti import read_nifti
from leukospect.jobs import inputs_of

# Values as scanners store a CT, 1024 above HU: so much of the body is then tissue about water's number.
_STORED_ABOVE_HU = 1024
_TISSUE_HU, _LEAST_TISSUE, _BODY_FROM, _BODY_HU, _LEAST_BODY = (-50, 100), 0.05, 500, (-175, 175), 0.5


@dataclass(frozen=True, slots=True, eq=False)
class SingleVolume:
    """A volume, the files it was read from, and whether it is corrected for attenuation (None: not known)."""

    image: Image
    files: tuple[Path, ...]
    attenuation_corrected: bool | None = None


def read_single_volume(path: Path) -> SingleVolume:
    """Read one volume: NIfTI, a CT series, or a reconstructed SPECT or PET in DICOM.

    Raises
    ------
    InputError
        There is no volume, or more than one, or a NIfTI file holds a CT in other numbers than HU.
    """
    if not path.exists():
        raise InputError("There is nothing at the path given; check it.")
    if path.is_file() and path.name.lower().endswith((".nii", ".nii.gz")):
        return SingleVolume(_with_unit(read_nifti(path)), (path,))
    volumes = [a for a in read_study(path).acquisitions if isinstance(a, CtSeries | ReconstructedSeries)]
    if len(volumes) != 1:
        raise InputError(f"An input holds {len(volumes)} volumes; give one series, or a NIfTI file.")
    corrected = volumes[0].attenuation_corrected if isinstance(volumes[0], ReconstructedSeries) else None
    return SingleVolume(volumes[0].image, tuple(inputs_of(volumes)), corrected)


def read_volume(path: Path) -> Image:
    """Read one volume's image; see `read_single_volume`."""
    return read_single_volume(path).image


def _with_unit(image: Image) -> Image:
    """Tell a CT in HU by its values; NIfTI says of no unit."""
    values = np.asarray(image.array, np.float32)
    if float(np.min(values)) < -200:
        warnings.warn("A NIfTI volume with values below -200 is taken as a CT in HU.", AssumptionWarning, stacklevel=2)
        return replace(image, unit="HU")
    if _is_stored_ct(values):
        raise InputError(
            f"A NIfTI volume looks like a CT whose numbers lie {_STORED_ABOVE_HU} above HU, as scanners store them; "
            f"subtract {_STORED_ABOVE_HU} and give it again."
        )
    return image


def _is_stored_ct(values: np.ndarray[tuple[int, ...], np.dtype[np.float32]]) -> bool:
    """Tell a CT without its intercept: whole numbers, and hardly anything but air and tissue about water's number."""
    if not np.array_equal(values, np.rint(values)):
        return False
    shifted = values - np.float32(_STORED_ABOVE_HU)
    tissue = np.count_nonzero((shifted >= _TISSUE_HU[0]) & (shifted <= _TISSUE_HU[1]))
    body = np.count_nonzero(values >= _BODY_FROM)
    like_body = np.count_nonzero((shifted >= _BODY_HU[0]) & (shifted <= _BODY_HU[1]))
    return bool(tissue >= _LEAST_TISSUE * values.size and like_body >= _LEAST_BODY * body)
