"""The command line: thin; it turns options into a job, and errors into exit codes."""

from __future__ import annotations

import argparse
import io
import json
import logging
import os
import sys
import traceback
import warnings
from collections.abc import Callable, Sequence

from leukospect.cli_bench import run_benchmarks
from leukospect.cli_interrupts import ignore_signals, stopped_by_signals
from leukospect.cli_options import parser
from leukospect.cli_progress import TerminalProgress
from leukospect.cli_telling import DONE, tell, tell_notes, why_no_file
from leukospect.errors import LeukospectError

DEFECT, USAGE, REFUSED, SOME_FAILED = 1, 2, 3, 4


def _demo(options: argparse.Namespace, progress: TerminalProgress) -> int:
    from leukospect.demonstration import demonstrate

    outcome = demonstrate(options.output, threads=options.threads, progress=progress)
    progress.close()
    tell(outcome, options)
    return DONE


def _inspect(options: argparse.Namespace, progress: TerminalProgress) -> int:
    from leukospect.inspection_job import inspect_path
    from leukospect.report.inspection import describe, table, write_thumbnails
    from leukospect.report.thumbnails import refuse_foreign_pictures
    from leukospect.study_overview import overview

    if options.thumbnails is not None:
        refuse_foreign_pictures(options.thumbnails)
    study = inspect_path(options.path)
    examinations = overview(study)
    if options.json:
        document = {
            "acquisitions": describe(study, examinations),
            "examinations": [one.as_values() for one in examinations],
            "problems": study.problems,
        }
        print(json.dumps(document, indent=2))
    else:
        print(table(study, examinations), end="")
    if options.thumbnails is not None:
        write_thumbnails(study, options.thumbnails)
    return DONE


def _recon(options: argparse.Namespace, progress: TerminalProgress) -> int:
    from leukospect.cli_protocols import recon_protocol
    from leukospect.reading_options import InjectionOptions, ReadingOptions, read_any_projections

    protocol = recon_protocol(options)
    reading = ReadingOptions(
        axis_mm=tuple(options.axis_mm) if options.axis_mm else None,
        start_angle_deg=options.start_angle_deg,
        direction=options.direction,
        injection=InjectionOptions(options.injection_time, options.dose_mbq),
        no_decay=options.no_decay,
    )
    # What cannot be read is refused before the parts that compute are loaded: reading takes little time and memory.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        read_any_projections(options.projections, reading)
    from leukospect.jobs import recon_job

    outcome = recon_job(
        options.projections,
        options.output,
        protocol,
        ct_path=options.ct,
        mu_path=options.mu,
        options=reading,
        threads=options.threads,
        progress=progress,
    )
    progress.close()
    tell(outcome, options)
    return DONE


def _calibrate(options: argparse.Namespace, progress: TerminalProgress) -> int:
    from leukospect.calibration_job import KnownActivity, calibration_job
    from leukospect.cli_protocols import calibration_protocol

    known = KnownActivity(
        options.activity_mbq, options.assayed_at, options.volume_ml, options.activity_uncertainty_percent
    )
    made, notes = calibration_job(
        options.acquisition,
        options.output,
        calibration_protocol(options),
        known,
        ct_path=options.ct,
        mu_path=options.mu,
        view=options.view,
        threads=options.threads,
        progress=progress,
    )
    progress.close()
    tell_notes(notes, options)
    if not options.quiet:
        print(made.sentence())
    return DONE


def _mar(options: argparse.Namespace, progress: TerminalProgress) -> int:
    from leukospect.metal_job import mar_job

    summary, notes = mar_job(
        options.ct,
        options.output,
        method=options.method,
        threshold_hu=options.metal_threshold_hu,
        threads=options.threads,
        progress=progress,
    )
    progress.close()
    tell_notes(notes, options)
    if not options.quiet:
        print(summary.found)
        print(summary.sentence())
        print("CT: ct_mar.nii.gz in the output folder (-o)")
    return DONE


def _register(options: argparse.Namespace, progress: TerminalProgress) -> int:
    from leukospect.registration_job import register_job

    found, notes = register_job(options.fixed, options.moving, options.output, progress=progress)
    progress.close()
    tell_notes([note for note in notes if note != found.reason], options)
    if not options.quiet:
        print(found.reason)
        print("Transform: fixed_to_moving.tfm in the output folder (-o); look at alignment.png beside it")
    return DONE


def _run(options: argparse.Namespace, progress: TerminalProgress) -> int:
    from leukospect.cli_protocols import protocol_with_settings
    from leukospect.jobs import run_job
    from leukospect.reading_options import InjectionOptions

    outcome = run_job(
        options.study,
        options.output,
        protocol_with_settings(options),
        regions_file=options.regions,
        injection=InjectionOptions(options.injection_time, options.dose_mbq),
        threads=options.threads,
        progress=progress,
    )
    progress.close()
    tell(outcome, options)
    return DONE


def _batch(options: argparse.Namespace, progress: TerminalProgress) -> int:
    from leukospect.batch import loose_files, run_batch
    from leukospect.cli_protocols import protocol_with_settings

    records = run_batch(
        options.archive,
        options.output,
        protocol_with_settings(options),
        workers=options.workers,
        scheduler=options.scheduler,
        threads=options.threads,
        progress=progress,
    )
    progress.close()
    loose = loose_files(options.archive)
    if loose:
        tell_notes([f"{loose} files lie in the archive beside the studies' folders; they were not read."], options)
    if not options.quiet:
        for record in records:
            when = "" if record.fresh else " (as before)"
            print(f"{record.study}: {record.status}{when}: {record.reason}")
    failed = sum(record.status == "failed" for record in records)
    if failed:
        print(f"{failed} of {len(records)} studies failed; batch.json holds the reasons.", file=sys.stderr)
    return SOME_FAILED if failed else DONE


def _labs(options: argparse.Namespace, progress: TerminalProgress) -> int:
    from leukospect.labs_job import labs_job

    outcome = labs_job(
        options.table,
        options.output,
        summary=options.summary,
        neutrophils_are_wbc=options.neutrophils_are_wbc,
        cohort=options.cohort,
        progress=progress,
    )
    progress.close()
    tell_notes(outcome.warnings, options)
    if not options.quiet:
        for line in outcome.lines():
            print(line)
        print("A research tool, no diagnosis.")
        if not options.summary:
            print(f"Indices: {options.output / 'indices.csv'}")
        print(f"Report: {options.output / 'report.html'}")
    return DONE


def _phantom_list(options: argparse.Namespace, progress: TerminalProgress) -> int:
    from leukospect.phantoms.description import read_phantom
    from leukospect.resources import shipped

    for name in shipped("phantoms"):
        print(f"{name:32s} {read_phantom(name).title}")
    return DONE


def _phantom_make(options: argparse.Namespace, progress: TerminalProgress) -> int:
    from leukospect.demonstration import make_phantom

    make_phantom(options.name, options.output, seed=options.seed, progress=progress)
    progress.close()
    if not options.quiet:
        print(f"{options.output / 'study'}")
    return DONE


_JOBS: dict[str, Callable[[argparse.Namespace, TerminalProgress], int]] = {
    "demo": _demo,
    "inspect": _inspect,
    "recon": _recon,
    "calibrate": _calibrate,
    "mar": _mar,
    "register": _register,
    "run": _run,
    "batch": _batch,
    "labs": _labs,
    "phantom_list": _phantom_list,
    "phantom_make": _phantom_make,
    "bench": run_benchmarks,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return its exit code."""
    options = parser().parse_args(arguments)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a path that the terminal cannot show is no defect
    progress = TerminalProgress(quiet=options.quiet, verbose=options.verbose)
    # Messages of the DICOM library can quote a patient's name.
    logging.getLogger("pydicom").setLevel(logging.CRITICAL)
    if not options.debug:
        warnings.simplefilter("ignore")
    try:
        with stopped_by_signals():
            code: int = _JOBS[options.job](options, progress)
    except LeukospectError as error:
        return _refused(str(error), options, progress)
    except BrokenPipeError:
        # Whoever read the output, such as `head`, has seen enough; nothing may be written to it at exit either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    except OSError as error:
        return _refused(why_no_file(error, options), options, progress)
    except KeyboardInterrupt:
        ignore_signals()
        progress.close()
        print("leukospect: stopped; nothing was left half written.", file=sys.stderr)
        return 130
    except Exception as error:  # noqa: BLE001 - the last place where a defect can be told in a sentence
        progress.close()
        _trace(options)
        print(
            f"leukospect: a defect of the program ({type(error).__name__}); run it again with --debug and report what "
            "it prints.",
            file=sys.stderr,
        )
        return DEFECT
    return code


def _refused(sentence: str, options: argparse.Namespace, progress: TerminalProgress) -> int:
    progress.close()
    _trace(options)
    print(f"leukospect: {' '.join(sentence.splitlines())}", file=sys.stderr)
    return REFUSED


def _trace(options: argparse.Namespace) -> None:
    if options.debug:
        traceback.print_exc()


if __name__ == "__main__":
    sys.exit(main())
