"""What lies in a folder, an archive or a DICOMDIR: images by kind, all else by position, never by name."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from pydicom.dataset import Dataset
from pydicom.uid import UID

from leukospect.data import Kind
from leukospect.dicom.elements import text, texts
from leukospect.dicom.read.archive import RESULTS, archive_kind, list_archive, member_at
from leukospect.dicom.read.directory_file import is_directory_file, referenced_files
from leukospect.dicom.read.parsing import HEAD, is_dicom, opened, read_all, read_header
from leukospect.errors import InputError
from leukospect.whole_files import PROVENANCE, recorded_contents

_NM = "1.2.840.10008.5.1.4.1.1.20"
_PET = "1.2.840.10008.5.1.4.1.1.128"
_DIRECTORY = "1.2.840.10008.1.3.10"
_MULTIFRAME_CT = "1.2.840.10008.5.1.4.1.1.2.1"
_IDENTITY = ("PatientID", "PatientName", "SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID")

DAMAGED = "cut off or damaged in the header"
UNOPENED = "that cannot be opened; check who may read them"
UNREAD_METHOD = "packed by a method that is not read"


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """A DICOM file: where it is, its place among the files, its header without pixels, and what it is.

    `kind` is ``CT``, ``PET``, Image Type value 3 of nuclear medicine, or ``""`` for what is not an acquisition. The
    `dataset` is empty for a file that could not be read at all, and `what` then says why.
    """

    path: Path
    position: int
    dataset: Dataset
    kind: str
    what: str


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """The DICOM files of a folder, how many files there are, and those that are not DICOM.

    `foreign` holds the position of each of these and its path.
    `results` counts the DICOM files of earlier runs into a folder below; they were not looked at. `place_name` is what
    the files lie in: ``file``, ``folder``, ``zip archive`` or ``DICOM directory``.
    """

    entries: tuple[Entry, ...]
    files: int
    foreign: Mapping[int, Path]
    single: bool
    results: int = 0
    place_name: str = "folder"

    def summary(self) -> str:
        """Say in a few words what was found."""
        if self.single:
            if not self.entries:
                return "the file is not a DICOM file"
            return f"the file is {self.entries[0].what}"
        if not self.files:
            return f"the {self.place_name} is empty"
        kinds = Counter((entry.what, "" if not entry.dataset else "of ") for entry in self.entries)
        parts = [f"{number} {of}{what}" for (what, of), number in kinds.items()]
        if self.foreign:
            parts.append(f"{len(self.foreign)} that {'is' if len(self.foreign) == 1 else 'are'} not DICOM")
        return f"the {self.place_name} has {self.files} file{'s' * (self.files > 1)}, " + ", ".join(parts)

    def place(self, entry: Entry) -> str:
        """Name a file without its name."""
        return "The file" if self.single else f"File {entry.position} of {self.files}"


def find_entries(path: Path, aside: Collection[Path] = ()) -> Found:
    """Look through a folder and all below it, a zip archive, a DICOMDIR, or one file, reading headers only.

    Parameters
    ----------
    path : Path
    aside : collection of Path
        Files that somebody else reads; they keep their positions and are not told as foreign.

    Raises
    ------
    InputError
        `path` does not exist, is neither file nor folder, or an archive or a DICOMDIR that cannot be read.
    """
    place_name, files, results = ("file", [(path, "")], 0) if path in aside else _listed_files(path)
    entries: list[Entry] = []
    foreign: dict[int, Path] = {}
    for position, (one, left_out) in enumerate(files, start=1):
        if one in aside:
            continue
        if place_name == "file":
            entry = entry_of(one, position)
        else:
            entry = Entry(one, position, Dataset(), "", left_out) if left_out else _entry_or_why(one, position)
        if entry is None:
            foreign[position] = one
        else:
            entries.append(entry)
    return Found(tuple(entries), len(files), foreign, place_name == "file", results, place_name)


def _listed_files(path: Path) -> tuple[str, list[tuple[Path, str]], int]:
    """List what to look at: the sort of place, the files each with why it is left out, and the results of runs."""
    if member_at(path) is not None:
        return "file", [(path, "")], 0
    if not path.exists():
        raise InputError("There is nothing at the path given; check it.")
    if path.is_dir():
        below, results, closed = _walked(path)
        return "folder", [*((one, "") for one in below), *((one, UNOPENED) for one in closed)], results
    with opened(path) as stream:
        head = stream.bytes_at(0, HEAD)
    archive = archive_kind(head)
    if archive == "zip":
        listing = list_archive(path)
        members = [(place, "" if m.is_read else UNREAD_METHOD) for place, m in listing.members.items()]
        return "zip archive", members, listing.results
    if archive:
        raise InputError(f"The file is a {archive} archive, which is not opened; unpack it and give the folder.")
    if is_dicom(head) and is_directory_file(path):
        return "DICOM directory", referenced_files(path), 0
    return "file", [(path, "")], 0


def files_below(folder: Path) -> tuple[list[Path], int]:
    """List the files of a folder without the DICOM results that runs put into folders below, and count those."""
    files, results, _ = _walked(folder)
    return files, results


def _walked(folder: Path) -> tuple[list[Path], int, list[Path]]:
    """List the files of a folder, the number of results left out, and the folders that cannot be opened."""
    found: list[Path] = []
    results: set[Path] = set()
    closed: list[Path] = []
    left = [folder]
    while left:  # without recursion: folders may be nested deeper than functions may
        parent = left.pop()
        try:
            with os.scandir(parent) as listing:
                entries = sorted(listing, key=lambda entry: entry.name)
        except OSError:
            closed.append(parent)
            continue
        folders = [parent / entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
        left.extend(reversed(folders))
        found.extend(parent / entry.name for entry in entries if not entry.is_dir(follow_symlinks=False))
        if parent != folder and any(entry.name == PROVENANCE for entry in entries):
            written = (parent / name for name in recorded_contents(parent))
            results.update(path for path in written if RESULTS in path.relative_to(parent).parts)
    # Regular files only: a pipe or a device could block for ever.
    kept = [path for path in found if path.is_file() and path not in results]
    return kept, sum(path in results for path in found), closed


def _entry_or_why(path: Path, position: int) -> Entry | None:
    """Read a file's header; an entry that says why for one that cannot be read, and None for what is not DICOM."""
    try:
        return entry_of(path, position)
    except InputError:
        return Entry(path, position, Dataset(), "", DAMAGED)
    except OSError:
        return Entry(path, position, Dataset(), "", UNOPENED)


def entry_of(path: Path, position: int) -> Entry | None:
    """Read a file's header; None for what is not DICOM.

    Raises
    ------
    InputError
        It is damaged.
    OSError
        It cannot be opened.
    """
    with opened(path) as stream:
        head = stream.bytes_at(0, HEAD)
        if not is_dicom(head):
            archive = archive_kind(head)
            what = f"a {archive} archive inside, which is not opened"
            return Entry(path, position, Dataset(), "", what) if archive else None
        dataset = read_header(stream)
    if dataset is None:
        return None
    for keyword in _IDENTITY:
        text(dataset, keyword)
    return Entry(path, position, dataset, *_kind(dataset))


def _kind(dataset: Dataset) -> tuple[str, str]:
    """Tell an acquisition's kind and describe the file in words that hold nothing of the patient."""
    sop_class, modality = text(dataset, "SOPClassUID"), text(dataset, "Modality").upper()
    image_type = [value.upper() for value in texts(dataset, "ImageType")]
    third = image_type[2] if len(image_type) > 2 else ""
    if sop_class == _NM or (modality == "NM" and not sop_class):
        known = third if third in get_args(Kind) else "of an unknown kind"
        return third or "UNKNOWN NM", f"nuclear medicine {known}"
    if sop_class == _MULTIFRAME_CT:
        return "", "multi-frame CT"
    if sop_class in ("1.2.840.10008.5.1.4.1.1.2", "") and modality == "CT":
        return ("", "CT localizer") if "LOCALIZER" in image_type else ("CT", "CT")
    if sop_class == _PET or (modality == "PT" and not sop_class):
        return "PET", "PET"
    if sop_class == _DIRECTORY or not sop_class:
        return "", "DICOM directory or without a SOP class"
    return "", UID(sop_class).name if UID(sop_class).name != sop_class else "an unknown DICOM object"


def series_of(entries: Iterable[Entry]) -> list[list[Entry]]:
    """Group slices by series, in the order they were found; an object stored twice is taken once."""
    series: dict[tuple[str, str], list[Entry]] = {}
    seen: set[str] = set()
    for entry in entries:
        instance = text(entry.dataset, "SOPInstanceUID")
        if instance and instance in seen:
            continue
        seen.add(instance)
        uid = text(entry.dataset, "SeriesInstanceUID")
        # De-identified files may have lost the series; then those of one folder belong together.
        series.setdefault((entry.kind, uid or str(entry.path.parent)), []).append(entry)
    return list(series.values())


def load(entry: Entry) -> Dataset:
    """Read a file with its pixels.

    Raises
    ------
    InputError
        It is cut off or damaged, or its sizes cannot be.
    """
    return read_all(entry.path)
