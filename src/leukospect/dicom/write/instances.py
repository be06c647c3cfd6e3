"""DICOM instances: identifiers made from content, and files that appear whole."""

from __future__ import annotations

import hashlib
import io
import uuid
from pathlib import Path

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian

from leukospect import __version__
from leukospect.whole_files import whole_file


def named_uid(*parts: str) -> UID:
    """Make a UID that depends on `parts` only: ``2.25.`` and a UUID taken from their SHA-256 (PS3.5 B.2)."""
    digest = hashlib.sha256()
    for part in parts:
        encoded = part.encode("utf-8")
        digest.update(len(encoded).to_bytes(8, "little") + encoded)
    return UID(f"2.25.{uuid.UUID(bytes=digest.digest()[:16], version=5).int}")


_IMPLEMENTATION = named_uid("leukospect", "implementation class")


def content_digest(dataset: Dataset) -> str:
    """Hash a dataset as it is encoded."""
    encoded = io.BytesIO()
    pydicom.dcmwrite(encoded, dataset, implicit_vr=False, little_endian=True)
    return hashlib.sha256(encoded.getbuffer()).hexdigest()


def array_digest(array: NDArray[np.generic]) -> str:
    """Hash an array: its type, shape and values."""
    digest = hashlib.sha256(f"{array.dtype.str} {array.shape}".encode())
    digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def save_instance(dataset: Dataset, path: Path) -> None:
    """Give an instance its identifiers and write it.

    The SOP Instance UID follows from everything else in the dataset, so no two contents share one and the same content
    always has the same. So does the Series Instance UID, where the dataset has none yet.

    Parameters
    ----------
    dataset : Dataset
        With its SOP Class UID; the two UIDs are added to it.
    path : Path
    """
    if "SeriesInstanceUID" not in dataset:
        dataset.SeriesInstanceUID = named_uid("series", content_digest(dataset))
    dataset.SOPInstanceUID = named_uid("instance", content_digest(dataset))
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID = _IMPLEMENTATION
    meta.ImplementationVersionName = f"LEUKOSPECT {__version__}"[:16]
    dataset.file_meta = meta
    with whole_file(path) as partial:
        pydicom.dcmwrite(partial, dataset, enforce_file_format=True)
