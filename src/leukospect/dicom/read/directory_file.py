"""A DICOMDIR: the files that it names, below its own folder and nowhere else.

Its records point at each other by offsets, which can lead in circles or astray. They are not followed: the records are
read one after another as they lie in the file (DICOM PS3.3 F.3, PS3.10 8.6).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, cast

from pydicom.charset import default_encoding
from pydicom.dataset import Dataset, FileDataset
from pydicom.filereader import read_sequence_item

from leukospect.dicom.elements import UNREADABLE, library_warnings_silenced, texts
from leukospect.dicom.read.parsing import file_meta, opened, parse_until, unpacked
from leukospect.dicom.read.streams import DAMAGED, BoundedStream
from leukospect.errors import InputError

NAME = "DICOMDIR"
_CLASS = 0x0002
_DIRECTORY_CLASS = "1.2.840.10008.1.3.10"
_RECORDS = 0x00041220
_RECORDS_TAG = b"\x04\x00\x20\x12"  # as it lies in the file
_UNDEFINED = 0xFFFFFFFF
_MOST_READS = 600_000  # some forty for the record of an image
_MOST_FILES = 100_000

MISSING = "missing, though the DICOM directory names them"
OUTSIDE = "outside the DICOM directory's folder, so they are not opened"


@dataclass(slots=True)
class _Folders:
    """Names of the entries below a root, found whether upper or lower case; each folder is listed once."""

    root: Path
    listed: dict[Path, dict[str, Path]] = field(default_factory=dict)

    def find(self, parts: tuple[str, ...]) -> Path | None:
        """Find what lies at these parts of a name; None where nothing does, or nothing that can be reached."""
        place = self.root
        try:
            for part in parts:
                direct = place / part
                found = direct if direct.exists() else self._entries(place).get(_plain(part))
                if found is None or not found.exists():
                    return None
                place = found
        except OSError:
            return None
        return place

    def _entries(self, folder: Path) -> dict[str, Path]:
        if folder not in self.listed:
            below = sorted(folder.iterdir(), reverse=True) if folder.is_dir() else []
            self.listed[folder] = {_plain(path.name): path for path in below}
        return self.listed[folder]


def _plain(name: str) -> str:
    """Give a name as it is compared: CDs show IM1 as im1, IM1. or IM1;1."""
    return name.casefold().partition(";")[0].rstrip(".")


def is_directory_file(path: Path) -> bool:
    """Tell whether a DICOM file is a DICOMDIR: by its name or its media storage class."""
    if path.name.upper() == NAME:
        return True
    with opened(path) as stream:
        return file_meta(stream)[0].get(_CLASS) == _DIRECTORY_CLASS


def referenced_files(path: Path) -> list[tuple[Path, str]]:
    """List what a DICOMDIR names: each file once, with why it is not to be opened, empty where it is.

    Raises
    ------
    InputError
        The directory is damaged, or names no files.
    """
    root = path.resolve().parent
    folders = _Folders(root)
    found: dict[Path, str] = {}
    for parts in _file_ids(path):
        if not _is_below(parts):
            # The name only tells such entries apart; nothing is looked for there.
            found.setdefault(root.joinpath(f"outside {len(found)}"), OUTSIDE)
            continue
        place = folders.find(parts)
        if place is None:
            found.setdefault(root.joinpath(*parts), MISSING)
        elif not place.resolve().is_relative_to(root):
            found.setdefault(place, OUTSIDE)
        elif place.resolve() != path.resolve():
            found.setdefault(place, "" if place.is_file() else MISSING)
        if len(found) > _MOST_FILES:
            raise InputError(f"The DICOM directory names more than {_MOST_FILES} files; give the folder of one study.")
    if not found:
        raise InputError("The DICOM directory names no files; give the folder that it lies in.")
    return list(found.items())


def _is_below(parts: tuple[str, ...]) -> bool:
    """Tell whether a file's name parts lead down from the root: no drive, no root, no way up."""
    return all(part not in ("", ".", "..") and not set(part) & set("/\\:\0") for part in parts)


def _file_ids(path: Path) -> list[tuple[str, ...]]:
    """Read the Referenced File ID of every record; one whose parts are joined by slashes is taken apart."""
    found = []
    with library_warnings_silenced():
        try:
            with opened(path) as file:
                stream = unpacked(file)
                stream.most_reads = _MOST_READS
                header = parse_until(stream, lambda tag, vr, length: tag >= _RECORDS)
                for record in _records(stream, header):
                    parts = texts(record, "ReferencedFileID")
                    if parts:
                        found.append(tuple(piece for part in parts for piece in part.split("/")))
        except InputError:
            raise
        except UNREADABLE:
            raise InputError(f"The DICOM directory cannot be read. {DAMAGED}") from None
    return found


def _records(stream: BoundedStream, header: FileDataset) -> Iterator[Dataset]:
    """Give one record after another, from where the sequence of them begins in the stream; none is kept."""
    implicit, little = header.original_encoding
    if implicit is None or little is None:
        raise InputError(f"The DICOM directory cannot be read. {DAMAGED}")
    begin = stream.read(8 if implicit else 12)
    tag, length = struct.unpack("<4s4xL" if len(begin) == 12 else "<4sL", begin)
    if tag != _RECORDS_TAG:
        return
    end = None if length == _UNDEFINED else stream.tell() + length
    while end is None or stream.tell() < end:
        record = read_sequence_item(cast(BinaryIO, stream), implicit, little, default_encoding)
        if record is None:
            return
        if not record:
            raise InputError(f"The DICOM directory cannot be read. {DAMAGED}")
        yield record
