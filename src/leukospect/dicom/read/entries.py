"""What lies in a folder: DICOM images by kind, and everything else, named by its position and never by its name."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import pydicom
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError
from pydicom.uid import UID, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from leukospect.data import Kind
from leukospect.dicom.elements import text, texts
from leukospect.dicom.read.pixels import UNREADABLE
from leukospect.errors import InputError
from leukospect.whole_files import PROVENANCE, recorded_contents

_RESULTS = "dicom"  # the folder in which a run puts its derived objects
_NM = "1.2.840.10008.5.1.4.1.1.20"
_PET = "1.2.840.10008.5.1.4.1.1.128"
_DIRECTORY = "1.2.840.10008.1.3.10"
_MULTIFRAME_CT = "1.2.840.10008.5.1.4.1.1.2.1"
_IMPLICIT_START = b"\x08\x00"  # group 0008, as files without a preamble begin


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """A DICOM file: where it is, its place among the files, its header without pixels, and what it is.

    `kind` is ``CT``, ``PET``, Image Type value 3 of nuclear medicine, or ``""`` for what is not an acquisition.
    """

    path: Path
    position: int
    dataset: Dataset
    kind: str
    what: str


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """The DICOM files of a folder, how many files there are, and the positions of those that are not DICOM.

    `results` counts the DICOM files of earlier runs into a folder below; they were not looked at.
    """

    entries: tuple[Entry, ...]
    files: int
    foreign: tuple[int, ...]
    single: bool
    results: int = 0

    def summary(self) -> str:
        """Say in a few words what was found."""
        if self.single:
            return f"the file is {self.entries[0].what}" if self.entries else "the file is not a DICOM file"
        if not self.files:
            return "the folder is empty"
        kinds = Counter(entry.what for entry in self.entries)
        parts = [f"{number} of {what}" for what, number in kinds.items()]
        if self.foreign:
            parts.append(f"{len(self.foreign)} that are not DICOM")
        return f"the folder has {self.files} files, " + ", ".join(parts)

    def place(self, entry: Entry) -> str:
        """Name a file without its name."""
        return "The file" if self.single else f"File {entry.position} of {self.files}"


def find_entries(path: Path, aside: Collection[Path] = ()) -> Found:
    """Look through a folder and all below it, or at one file, reading headers only.

    Parameters
    ----------
    path : Path
    aside : collection of Path
        Files that somebody else reads; they keep their positions and are not told as foreign.

    Raises
    ------
    InputError
        `path` does not exist.
    """
    if not path.exists():
        raise InputError(f"There is nothing at '{path}'; check the path.")
    single = path.is_file()
    paths, results = ([path], 0) if single else files_below(path)
    entries, foreign = [], []
    for position, one in enumerate(paths, start=1):
        if one in aside:
            continue
        dataset = _header(one)
        if dataset is None:
            foreign.append(position)
            continue
        kind, what = _kind(dataset)
        entries.append(Entry(one, position, dataset, kind, what))
    return Found(tuple(entries), len(paths), tuple(foreign), single, results)


def files_below(folder: Path) -> tuple[list[Path], int]:
    """List the files of a folder without the DICOM results that runs put into folders below, and count those."""
    found: list[Path] = []
    results: set[Path] = set()
    for parent, folders, names in os.walk(folder):
        folders.sort()
        found.extend(Path(parent) / name for name in sorted(names))
        if PROVENANCE in names and Path(parent) != folder:
            written = (Path(parent) / name for name in recorded_contents(Path(parent)))
            results.update(path for path in written if _RESULTS in path.relative_to(parent).parts)
    kept = [path for path in found if path.is_file() and path not in results]
    return kept, sum(path in results for path in found)


def _header(path: Path) -> Dataset | None:
    """Read a file's header; None for what is not DICOM or is broken before its header ends."""
    try:
        try:
            return pydicom.dcmread(path, stop_before_pixels=True)
        except InvalidDicomError:
            with path.open("rb") as stream:
                if stream.read(2) != _IMPLICIT_START:
                    return None
            dataset = pydicom.dcmread(path, stop_before_pixels=True, force=True)
            return dataset if text(dataset, "SOPClassUID") else None
    except UNREADABLE:
        return None


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


def number_of_patients(entries: Iterable[Entry]) -> int:
    """Count patients: those whose ID differs, or whose name does under one ID or none; nothing recorded counts not."""

    def plain(words: str) -> str:
        return " ".join(words.replace("^", " ").split()).casefold()

    people = {(plain(text(e.dataset, "PatientID")), plain(text(e.dataset, "PatientName"))) for e in entries}
    identifiers = {identifier for identifier, _ in people if identifier}
    names = {name for _, name in people if name}
    return max(len(identifiers), len(names))


def refuse_several_patients(entries: Iterable[Entry]) -> None:
    """Refuse images of different patients where those of one are needed."""
    patients = number_of_patients(entries)
    if patients > 1:
        raise InputError(f"The images are of {patients} patients; give those of one patient.")


def refuse_files_of_several_patients(files: Iterable[Path]) -> None:
    """Refuse DICOM files of different patients; files that are not DICOM tell no patient."""
    refuse_several_patients(entry for path in files for entry in find_entries(path).entries)


def load(entry: Entry) -> Dataset:
    """Read a file with its pixels.

    Raises
    ------
    InputError
        It is cut off or damaged.
    """
    try:
        dataset = pydicom.dcmread(entry.path, force=True)
        if "TransferSyntaxUID" not in dataset.file_meta:  # a file without a preamble: uncompressed, as it was parsed
            implicit, _ = dataset.original_encoding
            dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian if implicit else ExplicitVRLittleEndian
        return dataset
    except UNREADABLE:
        raise InputError("The file is cut off or damaged.") from None
