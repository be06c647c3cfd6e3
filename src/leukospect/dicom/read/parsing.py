"""One DICOM file to a dataset, within bounds: first its header, later all of it."""

from __future__ import annotations

import stat
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast

from pydicom.dataelem import RawDataElement
from pydicom.dataset import FileDataset
from pydicom.filereader import data_element_generator, read_partial
from pydicom.tag import BaseTag
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from leukospect.dicom.elements import UNREADABLE, library_warnings_silenced, text
from leukospect.dicom.read.archive import ArchiveMember, member_at
from leukospect.dicom.read.compressed import is_compressed
from leukospect.dicom.read.limits import LARGEST_ELEMENT, pixel_layout, refuse_other_length
from leukospect.dicom.read.streams import BoundedStream, Inflated, Section
from leukospect.errors import InputError

_PREAMBLE = 128
_PREFIX = b"DICM"
_IMPLICIT_START = b"\x08\x00"  # group 0008, as files without a preamble begin
_PIXELS = (0x7FE00010, 0x7FE00009, 0x7FE00008)
_UNDEFINED = 0xFFFFFFFF
_LONG_VR = (b"OB", b"OW", b"UN", b"UT", b"SQ", b"OF", b"OD", b"OL", b"UC", b"UR", b"SV", b"UV", b"OV")
_MOST_META_ELEMENTS = 100
_EXPLICIT_META = (
    bytes(_PREAMBLE) + _PREFIX + struct.pack("<HH2sH", 2, 0x10, b"UI", 20) + ExplicitVRLittleEndian.encode() + b"\0"
)

HEAD = 264
"""How many bytes from the start of a file tell what it is."""

DAMAGED = "The file is cut off or damaged; export it again."

StopWhen = Callable[[BaseTag, str | None, int], bool]


@contextmanager
def opened(path: Path) -> Iterator[BoundedStream]:
    """Open a regular file, or the member of an archive that `path` stands for.

    Raises
    ------
    InputError
        It is a pipe or a device, which could block for ever, or an archive's member that is damaged.
    OSError
        It cannot be opened.
    """
    member = member_at(path)
    if member is not None:
        with member.archive.open("rb") as file:
            yield _member_stream(file, member)
        return
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise InputError("It is neither a file nor a folder.")
    with path.open("rb") as file:
        yield Section(file, 0, status.st_size)


def _member_stream(file: BinaryIO, member: ArchiveMember) -> BoundedStream:
    packed = Section(file, member.start(file), member.packed_bytes)
    return Inflated(packed) if member.deflated else packed


def is_dicom(head: bytes) -> bool:
    """Tell by its first bytes whether a file may be DICOM, with a preamble or without."""
    return head[_PREAMBLE : _PREAMBLE + len(_PREFIX)] == _PREFIX or head.startswith(_IMPLICIT_START)


def read_header(stream: BoundedStream) -> FileDataset | None:
    """Read a header without its pixels; None for what is not DICOM after all.

    Raises
    ------
    InputError
        It is DICOM, but cut off or damaged before its pixels.
    """
    with _refusals(stream):
        stream, dataset = _header(stream)
        has_preamble = dataset.preamble is not None
        if not has_preamble and not text(dataset, "SOPClassUID"):
            return None
        if _is_cut_off(dataset) or not dataset:
            raise InputError(DAMAGED)
    return dataset


def read_all(path: Path) -> FileDataset:
    """Read a file with its pixels, of which no more are read than its header announces.

    Raises
    ------
    InputError
        It is cut off or damaged, or its sizes cannot be.
    """
    try:
        with opened(path) as file, _refusals(file):
            stream, dataset = _header(file)
            if _is_cut_off(dataset):
                raise InputError(DAMAGED)
            with _refusals(stream):
                _add_pixels(stream, dataset)
            member = member_at(path)
            if member is not None and isinstance(file, Inflated) and file.whole() != (member.size, member.crc):
                raise InputError(DAMAGED)
    except OSError:
        raise InputError(DAMAGED) from None
    if "TransferSyntaxUID" not in dataset.file_meta:  # a file without a preamble: uncompressed, as it was parsed
        implicit, _ = dataset.original_encoding
        dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian if implicit else ExplicitVRLittleEndian
    return dataset


@contextmanager
def _refusals(stream: BoundedStream) -> Iterator[None]:
    """Turn whatever the parser raises into one sentence: the stream's own refusal, or that the file is damaged."""
    try:
        with library_warnings_silenced():
            yield
    except InputError:
        raise
    except UNREADABLE:
        raise stream.refusal or InputError(DAMAGED) from None


def _header(file: BoundedStream) -> tuple[BoundedStream, FileDataset]:
    """Parse as far as the pixel data; give the stream, which stands before them, and what was parsed."""
    stream = _inflated(file)
    return stream, parse_until(stream, lambda tag, vr, length: tag in _PIXELS)


def parse_until(stream: BoundedStream, stop_when: StopWhen) -> FileDataset:
    """Parse elements until `stop_when` of tag, VR and length; those too large for a header are passed over."""
    dataset = read_partial(cast(BinaryIO, stream), stop_when=stop_when, defer_size=LARGEST_ELEMENT, force=True)
    dataset.buffer = None  # the stream must not live as long as the dataset
    for tag, element in list(dataset.items()):
        if isinstance(element, RawDataElement) and element.value is None and element.length > LARGEST_ELEMENT:
            del dataset[tag]
    return dataset


def _is_cut_off(dataset: FileDataset) -> bool:
    """Tell whether the value of an element is shorter than the element says, which pydicom passes over."""
    return any(
        isinstance(element, RawDataElement)
        and element.value is not None
        and element.length != _UNDEFINED
        and len(element.value) < element.length
        for element in dataset.values()
    )


def _add_pixels(stream: BoundedStream, dataset: FileDataset) -> None:
    """Read the pixel data, at which the stream stands, after a look at the length they announce."""

    def others(tag: BaseTag, vr: str | None, length: int) -> bool:
        if tag not in _PIXELS:
            return True
        layout = pixel_layout(dataset)
        if length != _UNDEFINED and not is_compressed(dataset):
            refuse_other_length(layout, length)
        if length != _UNDEFINED and not stream.holds(length):
            raise InputError(DAMAGED)
        return False

    implicit, little = dataset.original_encoding
    if implicit is None or little is None:
        return
    elements = data_element_generator(cast(BinaryIO, stream), implicit, little, stop_when=others)
    for element in elements:
        dataset[element.tag] = cast(Any, element)


def _inflated(file: BoundedStream) -> BoundedStream:
    """Unpack a file of the deflated transfer syntax on the way; pydicom would unpack it whole, however large."""
    if file.bytes_at(_PREAMBLE, len(_PREFIX)) != _PREFIX:
        return file
    position, syntax = _PREAMBLE + len(_PREFIX), b""
    for _ in range(_MOST_META_ELEMENTS):
        start = file.bytes_at(position, 12)
        if len(start) < 8 or start[:2] != b"\x02\x00":
            break
        length, size = struct.unpack("<H", start[6:8])[0], 8
        if start[4:6] in _LONG_VR and len(start) == 12:
            length, size = struct.unpack("<L", start[8:])[0], 12
        if start[2:4] == b"\x10\x00":
            syntax = file.bytes_at(position + size, min(length, 64)).rstrip(b"\0 ")
        position += size + length
    if syntax != DeflatedExplicitVRLittleEndian.encode():
        return file
    file.seek(position)
    return Inflated(file, _EXPLICIT_META)
