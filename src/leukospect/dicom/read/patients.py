"""Whose images they are: files of one patient, told apart by ID and name, which go no further than here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from leukospect.dicom.elements import text
from leukospect.dicom.read.entries import Entry, entry_of
from leukospect.errors import InputError

_Person = tuple[str, str]


def by_patient(entries: Iterable[Entry]) -> list[list[Entry]]:
    """Divide files by patient.

    Two files are of one patient where ID and name agree as far as both record them. Files that record neither belong
    to the only patient there is, or else to nobody that is known.

    Parameters
    ----------
    entries : iterable of Entry

    Returns
    -------
    list of list of Entry
        A list a patient, in the order of their first files.
    """
    listed = list(entries)
    people = [_person(entry) for entry in listed]
    groups = _groups(list(dict.fromkeys(person for person in people if any(person))))
    number = {person: index for index, group in enumerate(groups) for person in group}
    nobody = 0 if len(groups) <= 1 else len(groups)
    divided: dict[int, list[Entry]] = {}
    for entry, person in zip(listed, people, strict=True):
        divided.setdefault(number.get(person, nobody), []).append(entry)
    return list(divided.values())


def refuse_several_patients(entries: Iterable[Entry]) -> None:
    """Refuse images of different patients where those of one are needed."""
    patients = len(by_patient(entries))
    if patients > 1:
        raise InputError(f"The images are of {patients} patients; give those of one patient.")


def refuse_files_of_several_patients(files: Iterable[Path]) -> None:
    """Refuse DICOM files of different patients; files that are not DICOM tell no patient."""
    refuse_several_patients(entry for path in files if (entry := entry_of(path, 1)) is not None)


def _person(entry: Entry) -> _Person:
    identifier, name = text(entry.dataset, "PatientID"), text(entry.dataset, "PatientName")
    return identifier.strip().casefold(), " ".join(name.replace("^", " ").split()).casefold()


def _groups(people: Sequence[_Person]) -> list[list[_Person]]:
    """Join what may be one patient: those who are fully recorded first, so that half a record joins one of them."""
    groups: list[list[_Person]] = []
    for person in sorted(people, key=lambda one: sum(not part for part in one)):
        group = next((group for group in groups if _belongs(person, group)), None)
        if group is None:
            groups.append([person])
        else:
            group.append(person)
    return groups


def _belongs(person: _Person, group: Sequence[_Person]) -> bool:
    """Tell whether a record agrees with one of a group and contradicts none."""
    recorded = [[(a, b) for a, b in zip(person, other, strict=True) if a and b] for other in group]
    return any(recorded) and all(a == b for both in recorded for a, b in both)
