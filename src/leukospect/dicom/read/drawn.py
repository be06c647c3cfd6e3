"""A DICOM file of drawn regions: a Segmentation or an RT Structure Set."""

from __future__ import annotations

from pathlib import Path

from pydicom.uid import UID

from leukospect.dicom.elements import library_warnings_silenced, text
from leukospect.dicom.read.parsing import HEAD, is_dicom, opened, read_all, read_without_pixels
from leukospect.dicom.read.segmentation import read_segments
from leukospect.dicom.read.structure_set import read_structures
from leukospect.errors import InputError, LeukospectError
from leukospect.quantification.drawn import DrawnRegions

_STRUCTURES = "1.2.840.10008.5.1.4.1.1.481.3"
_SEGMENTS = ("1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.66.7")


def is_dicom_file(path: Path) -> bool:
    """Tell by its first bytes whether a file may be DICOM."""
    try:
        with opened(path) as stream:
            return is_dicom(stream.bytes_at(0, HEAD))
    except OSError:
        return False


def read_drawn_regions(path: Path) -> DrawnRegions:
    """Read the regions of a DICOM Segmentation or RT Structure Set where they were drawn.

    Raises
    ------
    InputError, GeometryError
        It is neither, cannot be read, or contradicts itself.
    """
    called = "The region file"
    try:
        with library_warnings_silenced():
            header = read_without_pixels(path)
            sort = text(header, "SOPClassUID")
            if sort == _STRUCTURES:
                return read_structures(header)
            if sort in _SEGMENTS:
                return read_segments(read_all(path, large_header=True))
            known = UID(sort).name != sort
            what = f"is {UID(sort).name}" if known else "tells no object that is known"
            raise InputError(f"it {what}; a Segmentation or an RT Structure Set is needed.")
    except LeukospectError as error:
        raise type(error)(f"{called} cannot be used: {error}") from error
