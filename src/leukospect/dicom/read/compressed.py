"""Compressed pixel data: looked at before they are decoded, and decoded where a decoder's failure does no harm."""

from __future__ import annotations

import struct

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.encaps import generate_frames
from pydicom.pixels.utils import pixel_array
from pydicom.uid import UID, RLELossless

from leukospect.dicom.elements import count, number, text
from leukospect.dicom.read.decoding import decode_frame
from leukospect.dicom.read.limits import PixelLayout, refuse_bloated
from leukospect.errors import InputError

_START = b"\xff\xd8"
_JPEG_2000 = b"\xff\x4f\xff\x51"
_NO_FRAME_HEADER = (0xC4, 0xC8, 0xCC)  # tables among the markers C0 to CF
_JPEG_LS = 0xF7
_RLE_HEADER = 64


def is_compressed(dataset: Dataset) -> bool:
    """Tell whether the pixel data are encapsulated, by the transfer syntax; False where none is recorded."""
    syntax = UID(str(getattr(dataset, "file_meta", Dataset()).get("TransferSyntaxUID", "")))
    return bool(syntax) and syntax.is_transfer_syntax and syntax.is_encapsulated


def decoded(dataset: Dataset, layout: PixelLayout) -> NDArray[np.generic]:
    """Decode compressed pixel data, each frame of which must have the size that the header says.

    Raises
    ------
    InputError
        They cannot hold what the header says.
    """
    encoded = dataset.PixelData
    refuse_bloated(layout, len(encoded))
    run_length = dataset.file_meta.TransferSyntaxUID == RLELossless
    for frame in generate_frames(encoded, number_of_frames=layout.frames):
        if run_length:
            # Runs of one are the worst case: 129 bytes for 128. Anything longer would only decode to excess.
            fits = len(frame) <= layout.frame_bytes * 129 // 128 + 2 * _RLE_HEADER
        else:
            fits = image_size(frame) == (layout.rows, layout.columns)
        if not fits:
            raise InputError(
                "The compressed pixel data are damaged, or of another size than the header says; export the file again."
            )
    if run_length:
        return np.asarray(pixel_array(dataset, raw=True, decoding_plugin="pydicom"))
    return _decoded_elsewhere(dataset, layout)


def _decoded_elsewhere(dataset: Dataset, layout: PixelLayout) -> NDArray[np.generic]:
    """Decode frame by frame in another process, whose answers are checked for their size."""
    syntax = str(dataset.file_meta.TransferSyntaxUID)
    elements: dict[str, object] = {
        "Rows": layout.rows,
        "Columns": layout.columns,
        "SamplesPerPixel": 1,
        "PhotometricInterpretation": text(dataset, "PhotometricInterpretation") or "MONOCHROME2",
        "BitsAllocated": layout.bits,
        "BitsStored": count(dataset, "BitsStored", default=layout.bits),
        "HighBit": count(dataset, "BitsStored", default=layout.bits) - 1,
        "PixelRepresentation": int(number(dataset, "PixelRepresentation") or 0),
    }
    frames = []
    for frame in generate_frames(dataset.PixelData, number_of_frames=layout.frames):
        values = decode_frame(frame, syntax, elements)
        if values.size != layout.rows * layout.columns:
            raise InputError("The compressed pixel data are damaged; export the file again.")
        frames.append(values)
    return np.stack(frames)


def image_size(frame: bytes) -> tuple[int, int] | None:
    """Give (rows, columns) by the header of a JPEG, JPEG-LS or JPEG 2000 stream; None where it has none."""
    place = frame.find(_JPEG_2000, 0, 1024)
    if place >= 0 and len(frame) >= place + 24:
        right, bottom, left, top = struct.unpack(">4L", frame[place + 8 : place + 24])
        return bottom - top, right - left
    if not frame.startswith(_START):
        return None
    place = 2
    while place + 9 <= len(frame) and frame[place] == 0xFF:
        marker = frame[place + 1]
        if marker == 0xFF:  # a fill byte
            place += 1
        elif marker == _JPEG_LS or (0xC0 <= marker <= 0xCF and marker not in _NO_FRAME_HEADER):
            rows, columns = struct.unpack(">2H", frame[place + 5 : place + 9])
            return rows, columns
        else:
            place += 2 + struct.unpack(">H", frame[place + 2 : place + 4])[0]
    return None
