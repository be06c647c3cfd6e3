"""NIfTI images: the one place where LPS (k, j, i) meets RAS (i, j, k)."""

from __future__ import annotations

import gzip
import math
import warnings
import zlib
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
from nibabel.filebasedimages import ImageFileError
from nibabel.spatialimages import HeaderDataError
from numpy.typing import NDArray

from leukospect.data import Geometry, Image
from leukospect.errors import AssumptionWarning, GeometryError, InputError
from leukospect.whole_files import whole_file

_KEPT_TYPES = (np.float32, np.int16, np.int32, np.uint8, np.uint16)
_MM_PER_UNIT = {"mm": 1.0, "meter": 1000.0, "micron": 0.001}
_SCANNER = 1
_UNPACKED_BYTES = 2**28  # label images on a CT grid pack a thousandfold
_MOST_PACKED = 50
_UNIT_LABEL = "unit: "
_BROKEN_FILE = (OSError, EOFError, ValueError, OverflowError, MemoryError, zlib.error, ImageFileError, HeaderDataError)


def swap_convention(affine: NDArray[np.float64]) -> NDArray[np.float64]:
    """Take an affine of (k, j, i) indices to LPS mm to one of (i, j, k) indices to RAS mm, or the other way round.

    Both steps (x and y change sign, the first and last index change places) undo themselves, so one function serves
    both directions.

    Parameters
    ----------
    affine : (4, 4) array

    Returns
    -------
    (4, 4) array
    """
    flipped = np.array(affine, dtype=np.float64)
    flipped[:2] *= -1.0
    return flipped[:, [2, 1, 0, 3]]


def write_nifti(image: Image, path: Path) -> None:
    """Write an image as NIfTI-1; the file appears whole or not at all, and its bytes depend on the image only.

    float32, int16, int32, uint8 and uint16 voxels are kept as they are, float64 is rounded to float32 and bool becomes
    uint8.
    Both the sform and the qform say where the voxels lie (scanner coordinates, mm).

    Parameters
    ----------
    image : Image
    path : Path
        Ends in ``.nii.gz`` or ``.nii``.

    Raises
    ------
    InputError
        The name ends otherwise, or the voxels are of another type.
    """
    if not path.name.endswith((".nii.gz", ".nii")):
        raise InputError(f"A NIfTI file's name ends in .nii.gz or .nii; '{path.name}' does not.")
    affine = swap_convention(image.geometry.affine)
    nifti = nibabel.Nifti1Image(_storable(image.array).transpose(2, 1, 0), affine)
    nifti.set_sform(affine, code=_SCANNER)
    nifti.set_qform(affine, code=_SCANNER)
    nifti.header.set_xyzt_units(xyz="mm")
    nifti.header["descrip"] = (_UNIT_LABEL + image.unit).encode("ascii", "replace")[:79] if image.unit else b""
    with whole_file(path) as partial, partial.open("wb") as stream:
        if path.name.endswith(".gz"):
            # No name and no time in the gzip header: equal images make equal files.
            with gzip.GzipFile(filename="", mode="wb", fileobj=stream, mtime=0, compresslevel=3) as packed:
                nifti.to_stream(packed)
        else:
            nifti.to_stream(stream)


def _storable(array: NDArray[np.generic]) -> NDArray[np.generic]:
    if array.dtype.type in _KEPT_TYPES:
        return array.astype(array.dtype.newbyteorder("<"), copy=False)
    if array.dtype == np.float64:
        return array.astype(np.float32)
    if array.dtype == np.bool_:
        return array.astype(np.uint8)
    raise InputError(f"Voxels of type {array.dtype} are not written as NIfTI; convert them to float32 or int16 first.")


def read_nifti(path: Path, called: str = "") -> Image:
    """Read a three-dimensional NIfTI image, whatever way its axes run.

    Voxels keep their type where the file has no scaling; scaled and float64 voxels become float32.

    Parameters
    ----------
    path : Path
    called : str
        How errors and warnings name the file, where its name must not be told; empty takes its name.

    Returns
    -------
    Image
        Indexed (k, j, i) = the file's (z, y, x) axes reversed; its unit where leukospect wrote the file, else empty.

    Raises
    ------
    InputError
        The file is missing, broken, not NIfTI or not a single volume of numbers.
    GeometryError
        The file does not say where its voxels lie, or its axes are not at right angles.
    """
    called = called or f"'{path.name}'"
    nifti = _load(path, called)
    stored = _voxels(nifti, called)
    try:
        geometry = Geometry(stored.shape[::-1], swap_convention(_ras_affine(nifti, called)))
    except GeometryError as error:
        raise GeometryError(f"{called}: {error}") from error
    return Image(np.ascontiguousarray(stored.transpose(2, 1, 0)), geometry, _unit(nifti))


def _load(path: Path, called: str) -> Any:  # nibabel has no types
    if path.is_dir():
        raise InputError(f"{called} is a folder; give a .nii or .nii.gz file.")
    if not path.is_file():
        raise InputError(f"There is no file {called}; check the path.")
    try:
        nifti = nibabel.load(path)
    except _BROKEN_FILE as error:
        raise InputError(f"{called} is not a readable NIfTI file: give a .nii or .nii.gz image.") from error
    if not isinstance(nifti, nibabel.Nifti1Image):
        raise InputError(f"{called} is not a single-file NIfTI image: give a .nii or .nii.gz image.")
    return nifti


def _voxels(nifti: Any, called: str) -> NDArray[Any]:
    shape = tuple(nifti.shape)
    if len(shape) < 3 or any(n != 1 for n in shape[3:]):
        raise InputError(f"{called} has the shape {shape}; a single three-dimensional volume is needed.")
    if nifti.get_data_dtype().kind not in "iuf":
        raise InputError(f"{called} holds colours or complex numbers; a volume of plain numbers is needed.")
    _refuse_impossible_size(nifti, shape, called)
    try:
        scaled = nifti.dataobj.slope != 1 or nifti.dataobj.inter != 0
        stored = nifti.get_fdata(dtype=np.float32) if scaled else np.asarray(nifti.dataobj.get_unscaled())
    except _BROKEN_FILE as error:
        raise InputError(f"{called} holds voxels that cannot be read; it is cut short or damaged.") from error
    native = np.float32 if stored.dtype.kind == "f" else stored.dtype.newbyteorder("=")
    return stored.astype(native, copy=False).reshape(shape[:3], order="F")


def _refuse_impossible_size(nifti: Any, shape: tuple[int, ...], called: str) -> None:
    """Refuse what unpacks to far more than any image of its size on the disk, before it fills the memory."""
    unpacked = math.prod(int(size) for size in shape) * int(nifti.get_data_dtype().itemsize)
    stored = Path(nifti.get_filename()).stat().st_size
    if min(shape) < 1 or unpacked > _UNPACKED_BYTES + _MOST_PACKED * stored:
        raise InputError(
            f"{called} claims {' x '.join(str(size) for size in shape)} voxels in {stored} bytes, which cannot be; "
            "it is damaged."
        )


def _ras_affine(nifti: Any, called: str) -> NDArray[np.float64]:
    sform, qform = nifti.get_sform(coded=True)[0], nifti.get_qform(coded=True)[0]
    if sform is None and qform is None:
        raise GeometryError("the file has neither an sform nor a qform, so nothing says where its voxels lie.")
    if sform is not None and qform is not None and not np.allclose(sform, qform, atol=1e-2):
        text = f"The sform and qform of {called} disagree; the sform is used."
        warnings.warn(text, AssumptionWarning, stacklevel=3)
    affine = np.array(qform if sform is None else sform, dtype=np.float64)
    unit = nifti.header.get_xyzt_units()[0]
    if unit not in _MM_PER_UNIT:
        text = f"{called} does not name its unit of length; millimetres are taken."
        warnings.warn(text, AssumptionWarning, stacklevel=3)
    affine[:3] *= _MM_PER_UNIT.get(unit, 1.0)
    return affine


def _unit(nifti: Any) -> str:
    text = bytes(nifti.header["descrip"].tobytes()).split(b"\0", 1)[0].decode("ascii", "replace")
    return text[len(_UNIT_LABEL) :] if text.startswith(_UNIT_LABEL) else ""
