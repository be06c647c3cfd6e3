"""Whole jobs: read, compute, and write a folder that appears complete or not at all."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from leukospect import __version__
from leukospect.assumptions import collected_assumptions
from leukospect.ct.metal_summary import metal_summary
from leukospect.data import Acquisition, CtSeries, Image, Projections, Radiopharmaceutical, Study
from leukospect.dicom.read.archive import on_disk
from leukospect.dicom.read.ct import read_ct
from leukospect.dicom.read.drawn import is_dicom_file
from leukospect.dicom.read.patients import refuse_files_of_several_patients
from leukospect.errors import AssumptionWarning, InputError
from leukospect.examination import refuse_unsummed
from leukospect.files.nifti import read_nifti
from leukospect.files.results import results_document, write_results
from leukospect.interpretation.flag import StudyFlag
from leukospect.marrow_report import marrow_values
from leukospect.pipeline import reconstruct_spect, run_study
from leukospect.protocol import Protocol
from leukospect.provenance import digest_of, provenance_document, write_provenance
from leukospect.quantification.measurements import Location
from leukospect.reading_options import InjectionOptions, ReadingOptions, read_any_projections, study_with_injection
from leukospect.report.html import write_report
from leukospect.run_folder import write_dicom, write_images
from leukospect.study_input import read_any_study
from leukospect.study_report import reconstruction_content, study_content
from leukospect.study_result import SpectResult, StudyResult
from leukospect.whole_files import whole_folder

Progress = Callable[[str, float], None]


def _silent(stage: str, fraction: float) -> None:
    """Report progress to nobody."""


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """What a job tells its caller: every warning, and the flag where a study was run."""

    output: Path
    warnings: tuple[str, ...]
    flag: StudyFlag | None = None
    result: StudyResult | SpectResult | None = None

    @property
    def locations(self) -> tuple[Location, ...]:
        """Where the lesions lie on the CT; empty without one."""
        return self.result.locations if isinstance(self.result, StudyResult) else ()


def _assumptions_of(acquisitions: Iterable[Acquisition]) -> list[str]:
    return list(dict.fromkeys(text for a in acquisitions for text in a.header.assumptions))


def inputs_of(acquisitions: Iterable[Acquisition], *more: Path | None) -> list[Path]:
    """List the files on the disk that acquisitions were read from, an archive in place of what is in it, and `more`."""
    files = [on_disk(path) for a in acquisitions for path in a.header.sources]
    return list(dict.fromkeys(files + [path for path in more if path is not None]))


def run_job(
    study_path: Path,
    output: Path,
    protocol: Protocol,
    *,
    regions_file: Path | None = None,
    injection: InjectionOptions | None = None,
    threads: int | None = None,
    progress: Progress = _silent,
) -> Outcome:
    """Take a study's folder to a run's folder.

    Parameters
    ----------
    study_path : Path
        A folder of DICOM files, a zip archive of one, or a DICOMDIR; or NIfTI volumes with sidecars, see
        `files.sidecar`.
    output : Path
        Appears whole; an earlier run's folder is replaced.
    protocol : Protocol
    regions_file : Path or None
    injection : InjectionOptions or None
        Of the whole study, in place of what is recorded.
    threads : int or None
    progress : function of a stage's name and the fraction of it done

    Returns
    -------
    Outcome
    """
    if regions_file is not None and not regions_file.is_file():
        raise InputError("There is no region file at the path that was given; check it.")
    with whole_folder(output, command="run", inputs=[study_path, regions_file]) as folder:
        progress("reading the study", 0.0)
        study = read_any_study(study_path, regions_file=regions_file)
        _refuse_regions_of_another_patient(study, regions_file)
        study = study_with_injection(study, injection or InjectionOptions())
        progress("reading the study", 1.0)
        texts = [*_assumptions_of(study.acquisitions), *study.problems]
        with collected_assumptions(texts):
            result = run_study(study, protocol, regions_file=regions_file, threads=threads, progress=progress)
            progress("writing the results", 0.0)
            _write_study(folder, result, texts, inputs_of(study.acquisitions, regions_file), threads)
            progress("writing the results", 1.0)
        texts += [text for text in result.flag.warnings if text not in texts]
    return Outcome(output, tuple(texts), result.flag, result)


def _refuse_regions_of_another_patient(study: Study, regions_file: Path | None) -> None:
    sources = [path for one in study.acquisitions for path in one.header.sources[:1]]
    if regions_file is not None and is_dicom_file(regions_file) and sources:
        refuse_files_of_several_patients([*sources[:1], regions_file])


def _write_study(folder: Path, result: StudyResult, texts: list[str], inputs: list[Path], threads: int | None) -> None:
    settings = result.protocol.model_dump(mode="json")
    of_marrow = {} if result.marrow is None else result.marrow.notes
    notes: dict[str, Any] = {
        **result.notes,
        **of_marrow,
        **_write_each_spect(folder, result, digest_of(settings), threads),
    }
    document = results_document(
        regions=result.regions,
        measurements=result.measurements,
        ratios=result.ratios,
        changes=result.changes,
        rule=result.rule,
        flag=result.flag,
        warnings=texts,
        settings=settings,
        software_version=__version__,
        effect=result.effect,
        sensitivity=result.sensitivity,
        ct_alignment=[spect.ct_alignment() for spect in result.spect if spect.ct is not None],
        time_alignment=result.alignments,
        locations=result.locations,
        injected=_injected(result),
        metal_reduction=[_metal_of(spect) for spect in result.spect if spect.reduction is not None],
        marrow=None if result.marrow is None else marrow_values(result.marrow, result.ratios),
    )
    write_results(document, folder / "results.json")
    write_report(study_content(result, texts), folder / "report.html")
    write_provenance(provenance_document(settings, inputs, texts, notes), folder / "provenance.json")


def _injected(result: StudyResult) -> Radiopharmaceutical | None:
    """Give what was injected: as the first acquisition records it, with the nuclide that was reckoned with."""
    recorded = [one.header.radiopharmaceutical for one in result.study.acquisitions if one.header.radiopharmaceutical]
    found = next((one for one in recorded if one.dose_mbq is not None), recorded[0] if recorded else None)
    nuclide = next((spect.nuclide.name for spect in result.spect if spect.nuclide), found.nuclide if found else None)
    return replace(found or Radiopharmaceutical(None), nuclide=nuclide)


def _write_each_spect(folder: Path, result: StudyResult, digest: str, threads: int | None) -> dict[str, Any]:
    """Write the files of every SPECT acquisition; images side by side, as most of that is compression."""
    places = [folder / (s.time_point or "spect") if len(result.spect) > 1 else folder for s in result.spect]
    labels: list[Image | None] = list(result.labels) if result.regions else [None] * len(places)
    names: list[str] = [one.time_point or "spect" for one in result.spect]
    spect = list(result.spect)
    if result.marrow is not None:
        several = len(result.marrow.spect) > 1
        names += [f"marrow {one.time_point}" if several else "marrow" for one in result.marrow.spect]
        places += [folder / name.replace(" ", "-") for name in names[len(spect) :]]
        labels += result.marrow.labels or [None] * len(result.marrow.spect)
        spect += result.marrow.spect
    for place in places:
        place.mkdir(exist_ok=True)
    with ThreadPoolExecutor(max_workers=threads or os.cpu_count() or 1) as pool:
        list(pool.map(write_images, places, spect, labels))
    notes: dict[str, Any] = {}
    for place, name, one in zip(places, names, spect, strict=True):
        notes[name] = {**_notes_of(one), **write_dicom(place / "dicom", one, digest)}
    return notes


def _metal_of(spect: SpectResult) -> dict[str, object]:
    assert spect.reduction is not None
    return {
        "time_point": spect.time_point,
        "hours": spect.hours,
        **metal_summary(spect.reduction).as_values(),
    }


def _notes_of(spect: SpectResult) -> dict[str, Any]:
    metal = {} if spect.reduction is None else {"metal reduction": metal_summary(spect.reduction).as_values()}
    passes = {} if spect.log is None else {"passes over all views": spect.log.passes}
    maps = {f"attenuation map: {part}": sentence for part, sentence in spect.map_notes.items()}
    return {"alignment to CT": spect.registration_note, **maps, **metal, **passes}


def recon_job(
    path: Path,
    output: Path,
    protocol: Protocol,
    *,
    ct_path: Path | None = None,
    mu_path: Path | None = None,
    options: ReadingOptions | None = None,
    threads: int | None = None,
    progress: Progress = _silent,
) -> Outcome:
    """Reconstruct one acquisition into a run's folder.

    Parameters
    ----------
    path : Path
        Projections: a DICOM file, a folder, a zip archive, a DICOMDIR, or an Interfile header.
    output : Path
    protocol : Protocol
    ct_path, mu_path : Path or None
        A CT series' folder, zip archive or DICOMDIR, or a NIfTI attenuation map in 1/cm.
    options : ReadingOptions or None
    threads : int or None
    progress : function of a stage's name and the fraction of it done
    """
    texts: list[str] = []
    inputs = [path, ct_path, mu_path]
    with whole_folder(output, command="recon", inputs=inputs) as folder, collected_assumptions(texts):
        progress("reading", 0.0)
        projections = read_any_projections(path, options or ReadingOptions())
        refuse_unsummed(projections, sum_frames=protocol.sum_frames)
        ct = None if ct_path is None else read_ct(ct_path, beside=projections)
        mu = None if mu_path is None else read_nifti(mu_path)
        progress("reading", 1.0)
        if ct is not None:
            refuse_files_of_several_patients([*projections.header.sources[:1], *ct.header.sources[:1]])
        _check_frames(projections, ct)
        acquisitions: list[Acquisition] = [projections] if ct is None else [projections, ct]
        texts += [text for text in _assumptions_of(acquisitions) if text not in texts]
        result = reconstruct_spect(projections, ct, protocol, mu=mu, threads=threads, progress=progress)
        progress("writing the results", 0.0)
        settings = protocol.model_dump(mode="json")
        write_images(folder, result, None)
        files = write_dicom(folder / "dicom", result, digest_of(settings))
        notes = {**_notes_of(result), **files}
        write_report(reconstruction_content(result, protocol, texts), folder / "report.html")
        document = provenance_document(settings, inputs_of(acquisitions, mu_path), texts, notes)
        write_provenance(document, folder / "provenance.json")
        progress("writing the results", 1.0)
    return Outcome(output, tuple(texts), None, result)


def _check_frames(projections: Projections, ct: CtSeries | None) -> None:
    if ct is None:
        return
    frames = (projections.header.frame_of_reference_uid, ct.header.frame_of_reference_uid)
    if frames[0] != frames[1] or None in frames:
        warnings.warn(
            "The SPECT and the CT given with it do not share a recorded frame of reference; they are taken as aligned "
            "unless a registration (--register) says otherwise.",
            AssumptionWarning,
            stacklevel=2,
        )
