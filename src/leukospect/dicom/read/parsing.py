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
from leukospect.dicom.read.limits import (
    LARGEST_ELEMENT,
    LARGEST_HEADER,
    MEGABYTE,
    MOST_READS_OF_LARGE,
    pixel_layout,
    refuse_other_length,
)
from leukospect.dicom.read.streams import DAMAGED, BoundedStream, Inflated, Section
from leukospect.errors import InputError

_PREAMBLE = 128
_PREFIX = b"DICM"
_IMPLICIT_START = b"\x08\x00"  # group 0008, as files without a preamble begin
_PIXELS = (0x7FE00010, 0x7FE00009, 0x7FE00008)
_OWN_GROUPS = (0x0008, 0x0010, 0x0018, 0x0020, 0x0028, 0x0054)  # in which nothing is large
_UNDEFINED = 0xFFFFFFFF
_ITEM, _DELIMITER = b"\xfe\xff\x00\xe0", b"\xfe\xff\xdd\xe0"
_MOST_FRAGMENTS = 1_000_000
_LONG_VR = (b"OB", b"OW", b"UN", b"UT", b"SQ", b"OF", b"OD", b"OL", b"UC", b"UR", b"SV", b"UV", b"OV")
_META_GROUP = b"\x02\x00"
_TRANSFER_SYNTAX = 0x0010
_LONGEST_UID = 64
_MOST_META_ELEMENTS = 100
_EXPLICIT_META = (
    bytes(_PREAMBLE) + _PREFIX + struct.pack("<HH2sH", 2, 0x10, b"UI", 20) + ExplicitVRLittleEndian.encode() + b"\0"
)

HEAD = 264
"""How many bytes from the start of a file tell what it is."""

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
        raise InputError("What was given is a pipe or a device; give a file or a folder.")
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
    has_preamble = stream.bytes_at(_PREAMBLE, len(_PREFIX)) == _PREFIX
    try:
        with _refusals(stream):
            dataset = _header(stream)[1]
            if not has_preamble and not text(dataset, "SOPClassUID"):
                return None
            if _is_cut_off(dataset) or not dataset:
                raise InputError(DAMAGED)
    except InputError:
        if has_preamble:
            raise
        return None
    return dataset


def read_all(path: Path, *, large_header: bool = False) -> FileDataset:
    """Read a file with its pixels, of which no more are read than its header announces.

    Only with `large_header` may the header hold more than that of an image, as a segmentation's of many frames does.

    Raises
    ------
    InputError
        It is cut off or damaged, or its sizes cannot be.
    """
    try:
        with opened(path) as file, _refusals(file):
            stream, dataset = _header(file, large=large_header)
            if _is_cut_off(dataset):
                raise InputError(DAMAGED)
            with _refusals(stream):
                _add_pixels(stream, dataset)
            if not any(tag in dataset for tag in _PIXELS):
                raise InputError("The file holds no pixel data; it is cut off, or was exported without its image.")
            member = member_at(path)
            if member is not None and file.whole() != (member.size, member.crc):
                raise InputError(DAMAGED)
    except OSError:
        raise InputError(DAMAGED) from None
    if "TransferSyntaxUID" not in dataset.file_meta:  # a file without a preamble: uncompressed, as it was parsed
        implicit, _ = dataset.original_encoding
        dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian if implicit else ExplicitVRLittleEndian
    return dataset


def read_without_pixels(path: Path) -> FileDataset:
    """Read a file whose header is all of it and may be large, as contours are.

    Raises
    ------
    InputError
        It is cut off or damaged, or larger than any that is read.
    """
    try:
        with opened(path) as file, _refusals(file):
            if file.holds(LARGEST_HEADER + 1):
                raise InputError(f"The file is larger than {LARGEST_HEADER // MEGABYTE} MB, which is not read.")
            dataset = _header(file, large=True)[1]
            if _is_cut_off(dataset) or not dataset:
                raise InputError(DAMAGED)
    except OSError:
        raise InputError(DAMAGED) from None
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
        raise InputError(stream.refusal or DAMAGED) from None


def _header(file: BoundedStream, *, large: bool = False) -> tuple[BoundedStream, FileDataset]:
    """Parse as far as the pixel data; give the stream, which stands before them, and what was parsed."""
    stream = unpacked(file)
    if large:
        stream.most_reads = MOST_READS_OF_LARGE
    largest = LARGEST_HEADER if large else LARGEST_ELEMENT
    return stream, parse_until(stream, lambda tag, vr, length: tag in _PIXELS, largest)


def parse_until(stream: BoundedStream, stop_when: StopWhen, largest: int = LARGEST_ELEMENT) -> FileDataset:
    """Parse elements until `stop_when` of tag, VR and length; those larger than `largest` bytes are passed over."""
    dataset = read_partial(cast(BinaryIO, stream), stop_when=stop_when, defer_size=largest, force=True)
    dataset.buffer = None  # the stream must not live as long as the dataset
    for tag, element in list(dataset.items()):
        if isinstance(element, RawDataElement) and element.value is None and element.length > largest:
            if tag >> 16 in _OWN_GROUPS or not stream.bytes_at(element.value_tell + element.length - 1, 1):
                raise InputError(DAMAGED)
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
        if length == _UNDEFINED:
            _refuse_open_end(stream, stream.tell())
        elif not is_compressed(dataset):
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


def _refuse_open_end(stream: BoundedStream, place: int) -> None:
    """Follow the fragments of compressed pixel data to their end, so that no parser searches gigabytes for it.

    Raises
    ------
    InputError
        They do not follow each other to a delimiter.
    """
    for _ in range(_MOST_FRAGMENTS):
        start = stream.bytes_at(place, 8)
        if len(start) < 8 or start[:4] not in (_ITEM, _DELIMITER):
            break
        if start[:4] == _DELIMITER:
            return
        place += 8 + struct.unpack("<L", start[4:])[0]
    raise InputError(DAMAGED)


def unpacked(file: BoundedStream) -> BoundedStream:
    """Unpack a file of the deflated transfer syntax on the way; pydicom would unpack it whole, however large."""
    values, end = file_meta(file)
    if values.get(_TRANSFER_SYNTAX) != DeflatedExplicitVRLittleEndian:
        return file
    file.seek(end)
    return Inflated(file, _EXPLICIT_META)


def file_meta(file: BoundedStream) -> tuple[dict[int, str], int]:
    """Read the short values of the file meta information by element number, and where it ends.

    Both are empty for a file without a preamble. The file stands afterwards where it stood before.
    """
    values: dict[int, str] = {}
    position = _PREAMBLE + len(_PREFIX)
    if file.bytes_at(_PREAMBLE, len(_PREFIX)) != _PREFIX:
        return values, 0
    for _ in range(_MOST_META_ELEMENTS):
        start = file.bytes_at(position, 12)
        if len(start) < 8 or start[:2] != _META_GROUP:
            break
        length, size = struct.unpack("<H", start[6:8])[0], 8
        if start[4:6] in _LONG_VR and len(start) == 12:
            length, size = struct.unpack("<L", start[8:])[0], 12
        if length <= _LONGEST_UID:
            value = file.bytes_at(position + size, length).rstrip(b"\0 ")
            values[struct.unpack("<H", start[2:4])[0]] = value.decode("ascii", "replace")
        position += size + length
    return values, position
