"""Which files of a folder were not used, in sentences that name them by position, never by name."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

from leukospect.dicom.read.copies import by_instance
from leukospect.dicom.read.entries import DAMAGED, UNOPENED, UNREAD_METHOD, Found


def unused_files(found: Found) -> list[str]:
    """Say which files are no acquisitions, those of one sort in one sentence."""
    sorts: dict[str, list[int]] = defaultdict(list)
    for entry in found.entries:
        if not entry.kind:
            sorts[entry.what].append(entry.position)
    if found.foreign:
        sorts["not DICOM"] = list(found.foreign)
    problems = [
        f"{len(positions)} of {found.files} files not used ({what}): {_listed(positions)}."
        for what, positions in sorts.items()
    ]
    if found.results:
        problems.append(f"{found.results} files of earlier results of this program below the folder were not read.")
    copies = sum(len(group) - 1 for group in by_instance(entry for entry in found.entries if entry.kind))
    if copies:
        problems.append(f"{copies} of {found.files} files not used: copies of objects that are already there.")
    return problems


def _listed(positions: list[int]) -> str:
    if len(positions) > 6:
        return f"the first is file {positions[0]}, the last file {positions[-1]}, in alphabetical order"
    return ("file " if len(positions) == 1 else "files ") + ", ".join(str(position) for position in positions)


def unread_slices(found: Found) -> list[str]:
    """Say which files could not be read that may be slices: one at an end of a volume leaves no gap that tells of it.

    A file that is not DICOM counts where it lies beside slices and its name ends as theirs do.
    """
    unread = [entry.position for entry in found.entries if entry.what in (DAMAGED, UNOPENED, UNREAD_METHOD)]
    like_slices = {_place(entry.path) for entry in found.entries if entry.kind == "CT"}
    unread += [position for position, path in found.foreign.items() if _place(path) in like_slices]
    if not unread:
        return []
    verb, they = ("was", "it is") if len(unread) == 1 else ("were", "they are")
    count = f"{len(unread)} of {found.files} files {verb} not read"
    return [
        f"{count} (damaged, not to be opened, or no DICOM: {_listed(sorted(unread))}); what {they} of this CT is "
        "missing: compare the number of slices with the scanner's."
    ]


def _place(path: Path) -> tuple[Path, str]:
    return path.parent, path.suffix.lower()
