"""Whole jobs: read, compute, and write a folder that appears complete or not at all."""

from __future__ import annotations

import math
import os
import warnings
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, time
from pathlib import Path
from typing import Any

from leukospect import __version__
from leukospect.data import Acquisition, CtSeries, Projections, Radiopharmaceutical, Study
from leukospect.dicom.read.ct import read_ct
from leukospect.dicom.read.entries import refuse_files_of_several_patients
from leukospect.dicom.read.study import RECONSTRUCTED_ALREADY, read_projections
from leukospect.errors import AssumptionWarning, InputError
from leukospect.examination import refuse_unsummed
from leukospect.files.interfile import read_interfile
from leukospect.files.nifti import read_nifti
from leukospect.files.results import results_document, write_results
from leukospect.files.sidecar import is_nifti
from leukospect.interpretation.flag import StudyFlag
from leukospect.pipeline import reconstruct_spect, run_study
from leukospect.protocol import Protocol
from leukospect.provenance import digest_of, provenance_document, write_provenance
from leukospect.report.html import write_report
from leukospect.run_folder import write_dicom, write_images
from leukospect.study_input import read_any_study
from leukospect.study_report import reconstruction_content, study_content
from leukospect.study_result import SpectResult, StudyResult
from leukospect.whole_files import whole_folder

Progress = Callable[[str, float], None]


_FARTHEST_AXIS_MM = 1000.0
_LARGEST_DOSE_MBQ = 1e5


def _silent(stage: str, fraction: float) -> None:
    """Report progress to nobody."""


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """What a job tells its caller: every warning, and the flag where a study was run."""

    output: Path
    warnings: tuple[str, ...]
    flag: StudyFlag | None = None
    result: StudyResult | SpectResult | None = None


@contextmanager
def collected_assumptions(texts: list[str]) -> Iterator[None]:
    """Gather the assumptions that are warned of in the block, each once, in the order they come."""
    with warnings.catch_warnings():
        previous = warnings.showwarning
        warnings.simplefilter("always", AssumptionWarning)

        def show(message: Warning | str, category: type[Warning], *place: Any, **more: Any) -> None:
            if issubclass(category, AssumptionWarning):
                if str(message) not in texts:
                    texts.append(str(message))
            else:
                previous(message, category, *place, **more)

        warnings.showwarning = show
        yield


def _assumptions_of(acquisitions: Iterable[Acquisition]) -> list[str]:
    return list(dict.fromkeys(text for a in acquisitions for text in a.header.assumptions))


def _inputs_of(acquisitions: Iterable[Acquisition], *more: Path | None) -> list[Path]:
    files = [path for a in acquisitions for path in a.header.sources]
    return files + [path for path in more if path is not None]


def run_job(
    study_path: Path,
    output: Path,
    protocol: Protocol,
    *,
    regions_file: Path | None = None,
    threads: int | None = None,
    progress: Progress = _silent,
) -> Outcome:
    """Take a study's folder to a run's folder.

    Parameters
    ----------
    study_path : Path
        A folder of DICOM files, or of NIfTI volumes with sidecars; see `files.sidecar`.
    output : Path
        Appears whole; an earlier run's folder is replaced.
    protocol : Protocol
    regions_file : Path or None
    threads : int or None
    progress : function of a stage's name and the fraction of it done

    Returns
    -------
    Outcome
    """
    if regions_file is not None and not regions_file.is_file():
        raise InputError(f"There is no region file '{regions_file.name}'; check the path.")
    with whole_folder(output, command="run", inputs=[study_path, regions_file]) as folder:
        progress("reading the study", 0.0)
        study = read_any_study(study_path, regions_file=regions_file)
        progress("reading the study", 1.0)
        texts = [*_assumptions_of(study.acquisitions), *study.problems]
        with collected_assumptions(texts):
            result = run_study(study, protocol, regions_file=regions_file, threads=threads, progress=progress)
            progress("writing the results", 0.0)
            _write_study(folder, result, texts, _inputs_of(study.acquisitions, regions_file), threads)
            progress("writing the results", 1.0)
        texts += [text for text in result.flag.warnings if text not in texts]
    return Outcome(output, tuple(texts), result.flag, result)


def _write_study(folder: Path, result: StudyResult, texts: list[str], inputs: list[Path], threads: int | None) -> None:
    settings = result.protocol.model_dump(mode="json")
    notes: dict[str, Any] = {**result.notes, **_write_each_spect(folder, result, digest_of(settings), threads)}
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
    )
    write_results(document, folder / "results.json")
    write_report(study_content(result, texts), folder / "report.html")
    write_provenance(provenance_document(settings, inputs, texts, notes), folder / "provenance.json")


def _write_each_spect(folder: Path, result: StudyResult, digest: str, threads: int | None) -> dict[str, Any]:
    """Write the files of every SPECT acquisition; images side by side, as most of that is compression."""
    places = [folder / (s.time_point or "spect") if len(result.spect) > 1 else folder for s in result.spect]
    labels = result.labels if result.regions else [None] * len(places)
    for place in places:
        place.mkdir(exist_ok=True)
    with ThreadPoolExecutor(max_workers=threads or os.cpu_count() or 1) as pool:
        list(pool.map(write_images, places, result.spect, labels))
    notes: dict[str, Any] = {}
    for place, spect in zip(places, result.spect, strict=True):
        files = write_dicom(place / "dicom", spect, digest)
        notes[spect.time_point or "spect"] = {"alignment to CT": spect.registration_note, **files}
    return notes


@dataclass(frozen=True, slots=True)
class ReadingOptions:
    """What the command line says of projections that their file does not, or says wrongly."""

    axis_mm: tuple[float, float] | None = None
    start_angle_deg: float | None = None
    direction: str | None = None
    injection_time: str | None = None
    dose_mbq: float | None = None


def read_any_projections(path: Path, options: ReadingOptions) -> Projections:
    """Read projections from a DICOM file, a folder, or an Interfile header (.hs, .h00)."""
    if not path.exists():
        raise InputError(f"There is nothing at '{path}'; check the path.")
    _check_finite(options)
    if path.is_file() and is_nifti(path):
        raise InputError(RECONSTRUCTED_ALREADY)
    if path.is_file() and path.suffix.lower() in (".hs", ".h00"):
        found = read_interfile(path, start_angle_deg=options.start_angle_deg, direction=options.direction)
        if options.axis_mm is not None:
            found = replace(found, axis_mm=options.axis_mm)
    else:
        found = read_projections(
            path,
            axis_mm=options.axis_mm,
            start_angle_deg=options.start_angle_deg,
            direction=options.direction,
        )
    return with_injection(found, options)


def _check_finite(options: ReadingOptions) -> None:
    for name, values in (("start-angle-deg", (options.start_angle_deg,)), ("axis-mm", options.axis_mm or ())):
        if not all(value is None or math.isfinite(value) for value in values):
            raise InputError(f"--{name} must be a finite number; give degrees or millimetres.")
    if abs(options.start_angle_deg or 0.0) > 360.0:
        raise InputError(f"--start-angle-deg must lie within -360 to 360; found {options.start_angle_deg:g}.")
    if max(abs(value) for value in options.axis_mm or (0.0,)) > _FARTHEST_AXIS_MM:
        raise InputError(f"--axis-mm must lie within {_FARTHEST_AXIS_MM:g} mm of the isocentre.")
    if options.dose_mbq is not None and not 0 < options.dose_mbq <= _LARGEST_DOSE_MBQ:
        raise InputError(
            f"The injected activity must be positive and at most {_LARGEST_DOSE_MBQ:g} MBq; --dose-mbq "
            f"{options.dose_mbq:g} is not."
        )


def with_injection(projections: Projections, options: ReadingOptions) -> Projections:
    """Replace injection time and dose by what the command line gives."""
    header = projections.header
    if options.injection_time is None and options.dose_mbq is None:
        return projections
    injected = header.radiopharmaceutical or Radiopharmaceutical(None)
    if options.injection_time is not None:
        injected = replace(injected, injection_time=_time_of(options.injection_time, header.start))
    if options.dose_mbq is not None:
        injected = replace(injected, dose_mbq=options.dose_mbq)
    return replace(projections, header=replace(header, radiopharmaceutical=injected))


def _time_of(text: str, start: datetime | None) -> datetime:
    for reading in (datetime.fromisoformat, time.fromisoformat):
        try:
            found = reading(text)
        except ValueError:
            continue
        if isinstance(found, time):
            if start is None:
                break
            found = datetime.combine(start.date(), found)
        if found.tzinfo is not None:
            raise InputError("The injection time must be in the acquisition's own local time, without a time zone.")
        if start is not None and found > start:
            raise InputError("The injection time lies after the start of the acquisition; check --injection-time.")
        return found
    raise InputError(
        f"The injection time '{text}' is not understood; give YYYY-MM-DDTHH:MM, or HH:MM of the acquisition's day."
    )


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
        Projections: a DICOM file, a folder, or an Interfile header.
    output : Path
    protocol : Protocol
    ct_path, mu_path : Path or None
        A CT series' folder, or a NIfTI attenuation map in 1/cm.
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
        notes = {"alignment to CT": result.registration_note, **files}
        write_report(reconstruction_content(result, protocol, texts), folder / "report.html")
        document = provenance_document(settings, _inputs_of(acquisitions, mu_path), texts, notes)
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


def inspect_path(path: Path) -> Study:
    """Read what is in a file or folder, for `leukospect inspect`."""
    if not path.exists():
        raise InputError(f"There is nothing at '{path}'; check the path.")
    if path.is_file() and path.suffix.lower() in (".hs", ".h00"):
        return Study((read_interfile(path),))
    return read_any_study(path, to_measure=False)
