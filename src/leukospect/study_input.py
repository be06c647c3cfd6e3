"""What a user gives as a study: a folder of DICOM files, of NIfTI volumes with sidecars, or of both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

from leukospect.data import Acquisition, Study
from leukospect.dicom.read.entries import files_below, find_entries
from leukospect.dicom.read.study import in_time_order, read_study
from leukospect.dicom.read.unused import unused_files
from leukospect.errors import InputError, LeukospectError
from leukospect.files.sidecar import SidecarVolume, is_nifti, read_with_sidecar, sidecar_of
from leukospect.whole_files import PROVENANCE, recorded_contents

_NO_DATE = datetime(1900, 1, 1)
"""Stands for an injection of which only the hours since are told; nothing shows it."""


@dataclass(frozen=True, slots=True)
class _Volume:
    """A NIfTI file, its sidecar if it has one, its place among the files, and how errors name it."""

    path: Path
    sidecar: Path | None
    position: int
    called: str


def read_any_study(path: Path, *, to_measure: bool = True, regions_file: Path | None = None) -> Study:
    """Read all acquisitions of a folder, DICOM and NIfTI with sidecars, or of one file.

    Parameters
    ----------
    path : Path
    to_measure : bool
        Refuse images of different patients, and a sidecar that is not complete. False lists what can be read, with
        problems that say so: for looking at what is there.
    regions_file : Path or None
        Is no acquisition, though it may be NIfTI or DICOM and lie in the folder.

    Raises
    ------
    InputError
        Nothing usable is there, images of different patients are, or a sidecar lacks what it must have.
    """
    volumes = _nifti_volumes(path, regions_file)
    regions = _below(path, regions_file)
    if not volumes:
        return read_study(path, one_patient=to_measure, aside=regions)
    described = [volume for volume in volumes if volume.sidecar is not None]
    aside = {file for volume in volumes for file in (volume.path, volume.sidecar) if file is not None} | regions
    found = find_entries(path, aside)
    if any(entry.kind for entry in found.entries):
        study = read_study(path, one_patient=to_measure, aside=aside)
    elif described:
        study = Study((), tuple(unused_files(found)))
    else:
        raise InputError(
            f"{volumes[0].called} is NIfTI without a sidecar: put a .json of the same name beside it, see the README "
            "for its keys."
        )
    read, refused = _read_each(described, raising=to_measure)
    if not read and not study.acquisitions:
        raise InputError(refused[0])
    problems = [*study.problems, *refused, *_without_sidecar(volumes)]
    if read and study.acquisitions:
        problems.append("NIfTI files do not say whose they are; they are taken as the patient's of the DICOM images.")
    joined = _joined(study.acquisitions, read)
    if study.places:  # of several patients or examinations nothing tells which the NIfTI are of
        last = max(patient for patient, _ in study.places) + 1
        return Study(tuple(joined), tuple(problems), study.places + ((last, 1),) * len(read))
    return Study(tuple(in_time_order(joined)), tuple(problems))


def _below(folder: Path, regions_file: Path | None) -> set[Path]:
    """Give the region file as the folder lists it, where it lies in there."""
    if regions_file is None or not folder.is_dir() or not regions_file.resolve().is_relative_to(folder.resolve()):
        return set()
    return {folder / regions_file.resolve().relative_to(folder.resolve())}


def _nifti_volumes(path: Path, regions_file: Path | None) -> list[_Volume]:
    if not path.exists():
        return []
    if path.is_file():
        return [_Volume(path, sidecar_of(path), 1, "The file")] if is_nifti(path) else []
    files, _ = files_below(path)
    earlier = {one.parent / name for one in files if one.name == PROVENANCE for name in recorded_contents(one.parent)}
    return [
        _Volume(one, sidecar_of(one), position, f"File {position} of {len(files)}")
        for position, one in enumerate(files, start=1)
        if is_nifti(one) and one not in earlier and not (regions_file and one.samefile(regions_file))
    ]


def _read_each(volumes: Sequence[_Volume], *, raising: bool) -> tuple[list[SidecarVolume], list[str]]:
    read, refused = [], []
    for volume in volumes:
        try:
            read.append(read_with_sidecar(volume.path, volume.called))
        except LeukospectError as error:
            if raising:
                raise
            refused.append(str(error))
    return read, refused


def _without_sidecar(volumes: Sequence[_Volume]) -> list[str]:
    alone = [str(volume.position) for volume in volumes if volume.sidecar is None]
    if not alone:
        return []
    files = "file" if len(alone) == 1 else "files"
    return [
        f"NIfTI without a sidecar is not used ({files} {', '.join(alone)}): put a .json of the same name beside it."
    ]


def _joined(dicom: Sequence[Acquisition], read: Sequence[SidecarVolume]) -> list[Acquisition]:
    """Put acquisitions together; where only hours are told, the injection is the one that the others record."""
    joined = [*dicom, *(volume.acquisition for volume in read)]
    known = [
        injected.injection_time
        for one in joined
        if (injected := one.header.radiopharmaceutical) is not None and injected.injection_time is not None
    ]
    injection = min(known, default=_NO_DATE)
    placed = {id(volume.acquisition): _at(volume, injection) for volume in read if volume.hours is not None}
    return [placed.get(id(one), one) for one in joined]


def _at(volume: SidecarVolume, injection: datetime) -> Acquisition:
    header = volume.acquisition.header
    injected = header.radiopharmaceutical
    if injected is None or volume.hours is None:
        return volume.acquisition
    start = injection + timedelta(hours=volume.hours)
    timed = replace(header, start=start, radiopharmaceutical=replace(injected, injection_time=injection))
    return replace(volume.acquisition, header=timed)
