"""SPECT acquisitions of a list of files: each file read, parts of one acquisition joined."""

from __future__ import annotations

from collections.abc import Sequence

from leukospect.data import Projections
from leukospect.dicom.read.entries import Entry, load
from leukospect.dicom.read.tomo import ToldOrbit, projections_of
from leukospect.dicom.read.tomo_file import TomoFile, read_tomo_file
from leukospect.dicom.read.tomo_parts import grouped_parts
from leukospect.errors import LeukospectError

TOMO_KINDS = ("TOMO", "GATED TOMO")
Failure = tuple[Entry, LeukospectError]


def tomo_acquisitions(
    entries: Sequence[Entry], told: ToldOrbit | None = None
) -> tuple[list[Projections], list[Failure]]:
    """Read TOMO files, and join those that are parts of one acquisition.

    Parameters
    ----------
    entries : sequence of Entry
        TOMO or GATED TOMO, no object twice.
    told : ToldOrbit or None

    Returns
    -------
    acquisitions : list of Projections
        In the order of their first files.
    failures : list of (Entry, LeukospectError)
        What cannot be read, and why.
    """
    told = told or ToldOrbit()
    parts: list[tuple[Entry, TomoFile, list[str]]] = []
    failures: list[Failure] = []
    for entry in entries:
        said: list[str] = []
        try:
            part = read_tomo_file(
                load(entry), said, start_angle_known=told.start_angle_deg is not None, direction=told.direction
            )
        except LeukospectError as error:
            failures.append((entry, error))
        else:
            parts.append((entry, part, said))
    acquisitions: list[Projections] = []
    for whole, members in grouped_parts([part for _, part, _ in parts]):
        texts = told.sentences() + [sentence for number in members for sentence in parts[number][2]]
        if len(members) > 1:
            texts.append(
                f"The acquisition is stored in {len(members)} files, {len(whole.heads)} head(s) and "
                f"{len(whole.windows)} energy window(s) together; they are joined."
            )
        try:
            sources = [parts[number][0].path for number in members]
            acquisitions.append(projections_of(whole, texts, sources, told))
        except LeukospectError as error:
            failures.append((parts[members[0]][0], error))
    return acquisitions, failures
