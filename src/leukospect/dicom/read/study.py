"""A folder of DICOM files to a study, or to the one SPECT acquisition in it."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from pathlib import Path

from leukospect.data import Acquisition, Projections, Study
from leukospect.dicom.elements import library_warnings_silenced
from leukospect.dicom.read.copies import distinct_objects
from leukospect.dicom.read.ct import ct_series
from leukospect.dicom.read.ct_choice import ct_of_study
from leukospect.dicom.read.entries import Entry, Found, find_entries, load, series_of
from leukospect.dicom.read.examinations import examination_numbers
from leukospect.dicom.read.injection import with_one_injection_date
from leukospect.dicom.read.nm import nm_acquisition
from leukospect.dicom.read.pairs import paired_views
from leukospect.dicom.read.patients import by_patient
from leukospect.dicom.read.reconstructed import not_spect, read_pet, read_recon_slices, volumes_of
from leukospect.dicom.read.tomo import ToldOrbit
from leukospect.dicom.read.tomo_acquisitions import TOMO_KINDS, tomo_acquisitions
from leukospect.dicom.read.unused import unused_files
from leukospect.errors import AssumptionWarning, InputError, LeukospectError

RECONSTRUCTED_ALREADY = "What was given is reconstructed already; `leukospect run` takes reconstructed SPECT as it is."
_MOST_PARTS = 32  # files of one acquisition: heads times energy windows


def read_study(path: Path, *, one_patient: bool = True, aside: Collection[Path] = ()) -> Study:
    """Read all acquisitions of a folder, with all below it, or of one file.

    CT and PET slices are grouped by series; each nuclear medicine file is an acquisition, except that an anterior and a
    posterior view of one time become one. Acquisitions are ordered by hours after injection, those without by their
    start, those without any time last; where there are several patients or examinations, each of them by itself. What
    was assumed for each is in its header and is not warned of here.

    Parameters
    ----------
    path : Path
    one_patient : bool
        Refuse images of different patients. False lists them all the same, with a problem that says so: for looking
        at what is there, not for measuring.
    aside : collection of Path
        Files of the folder that somebody else reads.

    Returns
    -------
    Study
        `problems` has a sentence for whatever was not used.

    Raises
    ------
    InputError
        Nothing usable is there, or images of different patients are.
    LeukospectError
        The only acquisition cannot be read: its own error.
    """
    with library_warnings_silenced():
        found = find_entries(path, aside)
        usable = [entry for entry in found.entries if entry.kind]
        if not usable:
            raise InputError(f"No acquisition was found: {found.summary()}. Give a folder with NM, CT or PET images.")
        problems = unused_files(found)
        patients = by_patient(usable)
        if len(patients) > 1:
            if one_patient:
                raise InputError(
                    f"The folder has images of {len(patients)} patients; give the folder of one patient at a time."
                )
            problems.insert(0, f"The images are of {len(patients)} patients; they would be refused as one study.")
        failures: list[tuple[str, LeukospectError]] = []
        placed: list[tuple[Acquisition, tuple[int, int]]] = []
        for patient, entries in enumerate(patients, start=1):
            read, unread = _acquisitions(found, entries, problems)
            failures += unread
            ordered = in_time_order(with_one_injection_date(paired_views(read)))
            numbers = examination_numbers(ordered)
            placed += [(one, (patient, number)) for one, number in zip(ordered, numbers, strict=True)]
    if not placed:
        if len(failures) == 1:
            raise failures[0][1]
        raise InputError(
            f"None of {len(failures)} acquisitions can be read; {failures[0][0].lower()}: {failures[0][1]}"
        )
    problems += [f"{place}: {error}" for place, error in failures]
    problems += not_spect([one for one, _ in placed])
    placed.sort(key=lambda one: one[1])
    places = tuple(place for _, place in placed)
    return Study(tuple(one for one, _ in placed), tuple(problems), places if len(set(places)) > 1 else ())


def read_projections(
    path: Path,
    *,
    axis_mm: tuple[float, float] | None = None,
    start_angle_deg: float | None = None,
    direction: str | None = None,
) -> Projections:
    """Read the one SPECT acquisition of a file or folder.

    Parameters
    ----------
    path : Path
    axis_mm : (x, y) or None
        The axis of rotation, LPS mm, in place of what is recorded.
    start_angle_deg : float or None
        The patient's angle of the first head's first view, in place of what is recorded: 0 at the back, 90 at the left.
    direction : ``cc``, ``cw`` or None
        The patient's direction of rotation, seen from the feet, in place of what is recorded.

    Raises
    ------
    InputError
        There is no SPECT acquisition or more than one; the sentence names what is there.
    GeometryError
        Angles, positions or sizes are missing or contradict each other.

    Warns
    -----
    AssumptionWarning
        What had to be assumed; the same sentences are in the header.
    """
    with library_warnings_silenced():
        found = find_entries(path)
        tomo = [entry for entry in found.entries if entry.kind in TOMO_KINDS]
        unique, refused = distinct_objects(tomo)
        if refused:
            raise refused[0][1]
        if not unique and any(entry.kind in ("RECON TOMO", "PET") for entry in found.entries):
            raise InputError(f"{RECONSTRUCTED_ALREADY} No raw projections were found: {found.summary()}.")
        if not unique:
            raise InputError(f"No raw SPECT projections (nuclear medicine TOMO) were found: {found.summary()}.")
        if len(unique) > _MOST_PARTS:
            raise InputError(f"{len(unique)} SPECT files were found; give the file or the folder of one acquisition.")
        read, failures = tomo_acquisitions(unique, ToldOrbit(axis_mm, start_angle_deg, direction))
    if failures and len(unique) == 1:
        raise failures[0][1]
    if failures:
        raise InputError(f"Of {len(unique)} SPECT files {len(failures)} cannot be read: {failures[0][1]}")
    if len(read) > 1:
        raise InputError(f"{len(read)} SPECT acquisitions were found; give the file of one.")
    projections = read[0]
    for sentence in projections.header.assumptions:
        warnings.warn(sentence, AssumptionWarning, stacklevel=2)
    return projections


def _acquisitions(
    found: Found, usable: list[Entry], problems: list[str]
) -> tuple[list[Acquisition], list[tuple[str, LeukospectError]]]:
    """Read each acquisition; what cannot be read is told with its error, what is not wanted among the problems."""
    acquisitions: list[Acquisition] = []
    failures: list[tuple[str, LeukospectError]] = []
    ct, said = ct_of_study(entry for entry in usable if entry.kind == "CT")
    problems += said
    pet = series_of(entry for entry in usable if entry.kind == "PET")
    files, refused = distinct_objects(entry for entry in usable if entry.kind not in ("CT", "PET"))
    failures += [(found.place(entry), error) for entry, error in refused]
    projections, unread = tomo_acquisitions([entry for entry in files if entry.kind in TOMO_KINDS])
    acquisitions += projections
    failures += [(found.place(entry), error) for entry, error in unread]
    for series in sorted(ct + pet, key=lambda one: one[0].position):
        kind = series[0].kind
        try:
            acquisitions.append(ct_series(series, []) if kind == "CT" else read_pet(series, []))
        except LeukospectError as error:
            failures.append((f"{kind} series of {len(series)} slices (from file {series[0].position})", error))
    for group in volumes_of([entry for entry in files if entry.kind not in TOMO_KINDS]):
        entry = group[0]
        try:
            if len(group) > 1:
                acquisitions.append(read_recon_slices(group, []))
            else:
                acquisitions.append(nm_acquisition(load(entry), [], (entry.path,)))
        except LeukospectError as error:
            more = f", with {len(group) - 1} more of its series" if len(group) > 1 else ""
            failures.append((found.place(entry) + more, error))
    return acquisitions, failures


def in_time_order(acquisitions: Iterable[Acquisition]) -> list[Acquisition]:
    """Order by hours after injection; one that knows no injection, such as a CT, takes that of the others."""
    known = list(acquisitions)
    injections = [a.header.start - timedelta(hours=h) for a in known if a.header.start and (h := _hours(a)) is not None]
    zero = min(injections, default=datetime.min)

    def place(acquisition: Acquisition) -> tuple[bool, float, str]:
        start, hours = acquisition.header.start, _hours(acquisition)
        if hours is None and start is not None:
            hours = (start - zero).total_seconds() / 3600.0
        return hours is None, hours or 0.0, acquisition.header.kind

    return sorted(known, key=place)


def _hours(acquisition: Acquisition) -> float | None:
    return acquisition.header.hours_after_injection
