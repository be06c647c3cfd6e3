"""A study in a zip archive, read in its place: nothing is unpacked to a disk, and no name in it becomes a path.

A member is addressed by numbers below the archive's own path: ``study.zip/0002/00017`` is the 17th file, in the second
folder. Names in an archive may point anywhere and may be a patient's; they are looked at for results of earlier runs
only.
"""

from __future__ import annotations

import json
import struct
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from leukospect.dicom.read.limits import LARGEST_RATIO, MEGABYTE
from leukospect.errors import InputError
from leukospect.whole_files import PROVENANCE

RESULTS = "dicom"
"""The folder in which a run puts its derived objects."""

_SMALL_STUDY = 256 * MEGABYTE  # unpacks to this at any ratio
_LONGEST_LISTING = 16 * MEGABYTE
_LONGEST_RECORD = 16 * MEGABYTE
_MOST_FILES = 100_000
_LOCAL_HEADER = struct.Struct("<4s22x2H")
_ENCRYPTED = 0x1
_DAMAGED = "The zip archive is cut off or damaged; copy it again, or unpack it and give the folder."

_OTHERS = {
    b"\x1f\x8b": "gzip",
    b"BZh": "bzip2",
    b"\xfd7zXZ\0": "xz",
    b"7z\xbc\xaf\x27\x1c": "7z",
    b"Rar!": "rar",
    b"\x28\xb5\x2f\xfd": "zstandard",
}


def archive_kind(head: bytes) -> str:
    """Tell by its first bytes whether a file is an archive: ``zip``, ``gzip``, ``tar`` and so on, or empty."""
    if head[:4] in (b"PK\3\4", b"PK\5\6", b"PK\7\x08"):
        return "zip"
    if head[257:262] == b"ustar":
        return "tar"
    return next((name for start, name in _OTHERS.items() if head.startswith(start)), "")


@dataclass(frozen=True, slots=True)
class ArchiveMember:
    """A file in a zip archive: where its bytes lie, how many they are, packed and not, and its CRC-32.

    `method` is the zip format's number: 0 is stored, 8 deflated, and others are not read.
    """

    archive: Path
    header_at: int
    packed_bytes: int
    size: int
    crc: int
    method: int

    @property
    def deflated(self) -> bool:
        """False where the bytes are stored as they are."""
        return self.method == zipfile.ZIP_DEFLATED

    @property
    def is_read(self) -> bool:
        """False where it is packed by a method that is not read."""
        return self.method in (zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED)

    def start(self, file: BinaryIO) -> int:
        """Find where the bytes begin.

        Raises
        ------
        InputError
            The archive is damaged there.
        """
        file.seek(max(0, self.header_at))
        header = file.read(_LOCAL_HEADER.size)
        if len(header) < _LOCAL_HEADER.size or not header.startswith(b"PK\3\4"):
            raise InputError(_DAMAGED)
        _, name, extra = _LOCAL_HEADER.unpack(header)
        return self.header_at + _LOCAL_HEADER.size + int(name) + int(extra)


@dataclass(frozen=True, slots=True)
class Listing:
    """The files of an archive by the path that stands for them, and how many results of earlier runs were left out."""

    members: dict[Path, ArchiveMember]
    results: int


def on_disk(path: Path) -> Path:
    """Give the file on the disk that a path stands for: the archive for a member of it, else the path itself."""
    return next((one for one in (path, *path.parents) if one.is_file()), path)


def member_at(path: Path) -> ArchiveMember | None:
    """Find the member of an archive that a path stands for; None where it is an ordinary path."""
    if len(path.parents) < 3 or path.exists() or not path.parents[1].is_file():
        return None
    return list_archive(path.parents[1]).members.get(path)


def list_archive(archive: Path) -> Listing:
    """List the files of a zip archive, in the order in which they would be found in a folder.

    Raises
    ------
    InputError
        It is damaged, empty, encrypted, or would unpack to far more than images do.
    """
    status = archive.stat()
    return _listing(archive, status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=2)
def _listing(archive: Path, size: int, changed_ns: int) -> Listing:
    found = _contents(archive, size)
    files = sorted((info for info in found if not info.filename.endswith("/")), key=lambda info: _order(info.filename))
    if not files:
        raise InputError("The zip archive is empty.")
    if any(info.flag_bits & _ENCRYPTED for info in files):
        raise InputError("The zip archive is encrypted; unpack it with its password and give the folder.")
    _refuse_bloated(files, size)
    results = _results_of_runs(archive, files)
    folders = sorted({PurePosixPath(info.filename).parent for info in files})
    numbers = {folder: number for number, folder in enumerate(folders, start=1)}
    members = {}
    for number, info in enumerate(files, start=1):
        if info.filename not in results:
            folder = numbers[PurePosixPath(info.filename).parent]
            members[archive / f"{folder:04d}" / f"{number:05d}"] = _member(archive, info)
    return Listing(members, len(files) - len(members))


def _order(name: str) -> tuple[tuple[bool, str], ...]:
    """Order names as a folder is walked: its files before the folders in it."""
    *folders, file = PurePosixPath(name).parts or ("",)
    return (*((True, folder) for folder in folders), (False, file))


def _member(archive: Path, info: zipfile.ZipInfo) -> ArchiveMember:
    return ArchiveMember(
        archive, info.header_offset, info.compress_size, info.file_size, info.CRC, int(info.compress_type)
    )


def _contents(archive: Path, size: int) -> list[zipfile.ZipInfo]:
    """Read the archive's own listing, after a look at how long it is."""
    try:
        with archive.open("rb") as file:
            entries, listing_bytes = _listing_size(file, size)
            if entries > _MOST_FILES or listing_bytes > _LONGEST_LISTING:
                raise InputError(
                    f"The zip archive lists {entries} files; more than {_MOST_FILES} are not read. Unpack it and give "
                    "the folder of one study."
                )
            with zipfile.ZipFile(file) as opened:
                return opened.infolist()
    except (zipfile.BadZipFile, struct.error, ValueError, NotImplementedError, EOFError, LookupError):
        raise InputError(_DAMAGED) from None


def _listing_size(file: BinaryIO, size: int) -> tuple[int, int]:
    """Give the number of files and the bytes of the listing, from the record at the archive's end."""
    begin = max(0, size - 2**16 - 100)
    file.seek(begin)
    tail = file.read()
    place = tail.rfind(b"PK\5\6")
    if place < 0:
        raise InputError(_DAMAGED)
    entries, listing_bytes = struct.unpack_from("<HL", tail, place + 10)
    if (entries == 0xFFFF or listing_bytes == 0xFFFFFFFF) and place >= 20:
        (record,) = struct.unpack_from("<8xQ", tail, place - 20)
        file.seek(min(record, size))
        entries, listing_bytes = struct.unpack("<32x2Q", file.read(48))
    return entries, listing_bytes


def _refuse_bloated(files: Sequence[zipfile.ZipInfo], size: int) -> None:
    """Refuse an archive whose files would unpack to far more than images do, or share the same packed bytes."""
    unpacked = sum(info.file_size for info in files)
    if unpacked > max(_SMALL_STUDY, LARGEST_RATIO * size):
        raise InputError(
            f"The zip archive would unpack to {unpacked / MEGABYTE:.0f} MB, {unpacked / size:.0f} times its own size; "
            f"over {_SMALL_STUDY // MEGABYTE} MB no more than {LARGEST_RATIO} times is read. Unpack it and give the "
            "folder."
        )
    if sum(info.compress_size for info in files) > size:
        raise InputError("The files in the zip archive overlap each other; it is not read.")


def _results_of_runs(archive: Path, files: Sequence[zipfile.ZipInfo]) -> set[str]:
    """Give the names of DICOM files that runs of this program wrote into folders of the study, by their records."""
    results: set[str] = set()
    for info in files:
        record = PurePosixPath(info.filename)
        if record.name == PROVENANCE and record.parent != PurePosixPath() and info.file_size <= _LONGEST_RECORD:
            results.update(
                f"{record.parent}/{name}" for name in _outputs(archive, info) if RESULTS in PurePosixPath(name).parts
            )
    return results


def _outputs(archive: Path, info: zipfile.ZipInfo) -> list[str]:
    member = _member(archive, info)
    with archive.open("rb") as file:
        file.seek(member.start(file))
        packed = file.read(min(member.packed_bytes, _LONGEST_RECORD))
    try:
        if member.deflated:
            packed = zlib.decompressobj(-zlib.MAX_WBITS).decompress(packed, _LONGEST_RECORD)
        return [str(name) for name in json.loads(packed)["outputs"]]
    except (zlib.error, ValueError, LookupError, TypeError, RecursionError):
        return []
