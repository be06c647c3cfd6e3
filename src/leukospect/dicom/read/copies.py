"""Files that claim to be the same object: copies count once, and what differs under one identity is refused."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from leukospect.dicom.elements import named, text
from leukospect.dicom.read.entries import Entry, load
from leukospect.errors import InputError, LeukospectError


def by_instance(entries: Iterable[Entry]) -> list[list[Entry]]:
    """Group files that claim to be the same object; one without an identity is alone."""
    groups: dict[str, list[Entry]] = defaultdict(list)
    for entry in entries:
        groups[text(entry.dataset, "SOPInstanceUID") or str(entry.path)].append(entry)
    return list(groups.values())


def distinct_objects(entries: Iterable[Entry]) -> tuple[list[Entry], list[tuple[Entry, LeukospectError]]]:
    """Take each object once.

    Parameters
    ----------
    entries : iterable of Entry

    Returns
    -------
    objects : list of Entry
        The first file of each.
    refused : list of (Entry, LeukospectError)
        The first of files that claim to be one object but hold different pixels or times.
    """
    objects: list[Entry] = []
    refused: list[tuple[Entry, LeukospectError]] = []
    for group in by_instance(entries):
        if len(group) > 1 and len({_content(entry) for entry in group}) > 1:
            error = InputError(
                f"{len(group)} files claim to be one object by {named('SOPInstanceUID')}, but differ in pixels or "
                "time; leave the one that is meant."
            )
            refused.append((group[0], error))
        else:
            objects.append(group[0])
    return objects, refused


def _content(entry: Entry) -> tuple[object, ...]:
    try:
        dataset = load(entry)
    except LeukospectError:
        return ("unreadable", entry.position)
    pixels = dataset.get("PixelData")
    return (pixels, *(text(dataset, keyword) for keyword in ("AcquisitionDate", "AcquisitionTime")))
