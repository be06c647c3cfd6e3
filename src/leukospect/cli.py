"""The command line: thin; it turns options into a job, and errors into exit codes."""

from __future__ import annotations

import argparse
import io
import json
import logging
import os
import signal
import sys
import threading
import time
import traceback
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

from leukospect import __version__
from leukospect.errors import InputError, LeukospectError

if TYPE_CHECKING:
    from leukospect.jobs import Outcome

DONE, DEFECT, USAGE, REFUSED, SOME_FAILED = 0, 1, 2, 3, 4


class TerminalProgress:
    """Bars on standard error for stages over two seconds, on a terminal only."""

    def __init__(self, *, quiet: bool, verbose: bool) -> None:
        self._quiet, self._verbose = quiet, verbose
        self._stage, self._began = "", time.monotonic()
        self._bar: tqdm[Any] | None = None

    def __call__(self, stage: str, fraction: float) -> None:
        """Show a stage's name and the fraction of it done."""
        if stage != self._stage:
            self.close()
            self._stage, self._began = stage, time.monotonic()
            self._bar = tqdm(
                total=100,
                desc=stage,
                leave=False,
                delay=2,
                disable=True if self._quiet else None,
                bar_format="{desc}: {percentage:3.0f} % |{bar}| {elapsed}",
            )
        if self._bar is not None:
            self._bar.update(max(0, round(100 * fraction) - self._bar.n))

    def close(self) -> None:
        """End the bar of the last stage."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None
            if self._verbose and not self._quiet:
                print(f"{self._stage}: {time.monotonic() - self._began:.1f} s", file=sys.stderr)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="leukospect",
        description="Labelled-leukocyte SPECT/CT and planar scintigraphy, from raw projections to a quantified answer. "
        "A research tool, no diagnosis.",
        epilog="Exit codes: 0 done; 2 wrong usage; 3 the input was refused; 4 some studies of a batch failed; "
        "1 a defect of the program.",
    )
    parser.add_argument("--version", action="version", version=f"leukospect {__version__}")
    _add_global(parser, top=True)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _add_demo(commands)
    _add_inspect(commands)
    _add_recon(commands)
    _add_volumes(commands)
    _add_run(commands)
    _add_batch(commands)
    _add_phantom(commands)
    return parser


def _add_global(parser: argparse.ArgumentParser, *, top: bool = False) -> None:
    """Add the options that may stand before or after the command."""
    missing = False if top else argparse.SUPPRESS
    parser.add_argument("-v", "--verbose", action="store_true", default=missing, help="tell each stage and its time")
    parser.add_argument("--quiet", action="store_true", default=missing, help="print errors only")
    parser.add_argument("--debug", action="store_true", default=missing, help="show the traceback of an error")


def _command(commands: Any, name: str, text: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.")
    _add_global(parser)
    return parser


def _add_demo(commands: Any) -> None:
    parser = _command(commands, "demo", "make the femoral-nail phantom study as DICOM and take it all the way")
    parser.add_argument("-o", "--output", type=Path, default=Path("leukospect-demo"), metavar="DIR")
    parser.add_argument("--threads", type=_positive, metavar="N")
    parser.set_defaults(job=_demo)


def _add_inspect(commands: Any) -> None:
    parser = _command(commands, "inspect", "tell what is in a folder: acquisitions, times, windows, orbits, problems")
    parser.add_argument("path", type=Path, metavar="PATH")
    parser.add_argument("--json", action="store_true", help="for programs")
    parser.add_argument("--thumbnails", type=Path, metavar="DIR", help="a small picture of each acquisition")
    parser.set_defaults(job=_inspect)


def _add_recon(commands: Any) -> None:
    parser = _command(commands, "recon", "reconstruct one SPECT acquisition")
    parser.add_argument("projections", type=Path, metavar="PROJECTIONS", help="DICOM file, folder or Interfile header")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="DIR")
    maps = parser.add_mutually_exclusive_group()
    maps.add_argument("--ct", type=Path, metavar="DIR", help="CT series for attenuation correction")
    maps.add_argument("--mu", type=Path, metavar="FILE", help="attenuation map as NIfTI, 1/cm")
    parser.add_argument("--iterations", type=_positive, default=5)
    parser.add_argument("--subsets", type=_positive, default=15)
    parser.add_argument("--scatter", choices=["auto", "tew", "dew", "none"], default="auto")
    parser.add_argument("--no-resolution", action="store_true", help="leave resolution recovery out")
    parser.add_argument("--post-filter-fwhm-mm", type=float, default=0.0, metavar="F")
    parser.add_argument(
        "--collimator", default="", metavar="NAME", help="such as siemens:LEHR, instead of the header's"
    )
    parser.add_argument("--axis-mm", type=float, nargs=2, metavar=("X", "Y"), help="axis of rotation, LPS")
    parser.add_argument("--start-angle-deg", type=float, metavar="A", help="0 is the patient's back, 90 the left")
    parser.add_argument("--direction", choices=["cc", "cw"], help="of rotation, seen from the feet")
    parser.add_argument(
        "--algorithm",
        choices=["osem", "mlem", "map", "fbp"],
        default="osem",
        help="map and fbp are not in this version",
    )
    parser.add_argument("--injection-time", metavar="T", help="YYYY-MM-DDTHH:MM, or HH:MM of the same day")
    parser.add_argument("--dose-mbq", type=float, metavar="D")
    parser.add_argument("--nuclide", metavar="NAME", help="Tc-99m or In-111, where the file does not record it")
    parser.add_argument("--calibration-cps-per-mbq", type=float, metavar="K", help="of one head; gives Bq/mL")
    parser.add_argument("--mar", action=argparse.BooleanOptionalAction, default=False, help="CT metal reduction")
    parser.add_argument("--register", action=argparse.BooleanOptionalAction, default=False, help="SPECT to CT")
    parser.add_argument("--threads", type=_positive, metavar="N")
    parser.set_defaults(job=_recon)


def _add_volumes(commands: Any) -> None:
    mar = _command(commands, "mar", "reduce the metal artefacts of a CT series")
    mar.add_argument("ct", type=Path, metavar="CT_DIR")
    mar.add_argument("-o", "--output", type=Path, required=True, metavar="DIR")
    mar.add_argument("--threads", type=_positive, metavar="N")
    mar.set_defaults(job=_mar)
    register = _command(commands, "register", "register one image to another, rigidly")
    register.add_argument("fixed", type=Path, metavar="FIXED", help="CT series, reconstructed SPECT or NIfTI file")
    register.add_argument("moving", type=Path, metavar="MOVING", help="the same")
    register.add_argument("-o", "--output", type=Path, required=True, metavar="DIR")
    register.set_defaults(job=_register)


def _add_run(commands: Any) -> None:
    parser = _command(commands, "run", "take a study all the way to its report and flag")
    parser.add_argument("study", type=Path, metavar="STUDY", help="folder of DICOM files")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="DIR")
    parser.add_argument("--regions", type=Path, metavar="FILE", help="TOML of shapes in LPS mm, or NIfTI labels")
    _add_protocol(parser)
    parser.set_defaults(job=_run)


def _add_batch(commands: Any) -> None:
    parser = _command(commands, "batch", "run every study of an archive, a folder each")
    parser.add_argument("archive", type=Path, metavar="ARCHIVE")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="DIR")
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--workers", type=_positive, metavar="N", help="processes of a local Dask cluster")
    where.add_argument("--scheduler", metavar="ADDRESS", help="of a Dask scheduler that runs already")
    _add_protocol(parser)
    parser.set_defaults(job=_batch)


def _add_phantom(commands: Any) -> None:
    parser = _command(commands, "phantom", "list the digital phantoms, or make one's study as DICOM")
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    listing = _command(actions, "list", "list the phantoms that ship with the program")
    listing.set_defaults(job=_phantom_list)
    making = _command(actions, "make", "simulate a phantom's study and write it as DICOM")
    making.add_argument("name", metavar="NAME", help="a phantom that ships, or a TOML file")
    making.add_argument("-o", "--output", type=Path, required=True, metavar="DIR")
    making.add_argument("--seed", type=_not_negative, default=0, metavar="N")
    making.set_defaults(job=_phantom_make)


def _add_protocol(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--protocol", default="tc99m-hmpao-spect-ct", metavar="NAME_OR_FILE")
    parser.add_argument("--set", action="append", default=[], metavar="section.key=value", dest="settings")
    parser.add_argument("--threads", type=_positive, metavar="N")


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("must be 1 or more")
    return value


def _not_negative(text: str) -> int:
    value = int(text)
    if value < 0:
        raise argparse.ArgumentTypeError("must be 0 or more")
    return value


def _demo(options: argparse.Namespace, progress: TerminalProgress) -> int:
    from leukospect.demonstration import demonstrate

    outcome = demonstrate(options.output, threads=options.threads, progress=progress)
    progress.close()
    _tell(outcome, options)
    return DONE


def _inspect(options: argparse.Namespace, progress: TerminalProgress) -> int:
    from leukospect.jobs import inspect_path
    from leukospect.report.inspection import describe, table, write_thumbnails

    study = inspect_path(options.path)
    if options.json:
        print(json.dumps({"acquisitions": describe(study), "problems": study.problems}, indent=2))
    else:
        print(table(study), end="")
    if options.thumbnails is not None:
        write_thumbnails(study, options.thumbnails)
    return DONE


def _recon(options: argparse.Namespace, progress: TerminalProgress) -> int:
    from leukospect.jobs import ReadingOptions, recon_job
    from leukospect.protocol import protocol_of

    if options.algorithm in ("map", "fbp"):
        raise InputError(f"The algorithm '{options.algorithm}' is not in this version; take osem or mlem.")
    if options.ct is None and (options.mar or options.register):
        raise InputError("--mar and --register work on a CT; give it with --ct.")
    protocol = protocol_of(
        {
            "name": "recon",
            "nuclide": options.nuclide,
            "reconstruction": {
                "algorithm": options.algorithm,
                "iterations": options.iterations,
                "subsets": options.subsets,
                "resolution": not options.no_resolution,
                "collimator": options.collimator,
                "scatter": options.scatter,
                "post_filter_fwhm_mm": options.post_filter_fwhm_mm,
                "calibration_cps_per_mbq": options.calibration_cps_per_mbq,
            },
            "metal": {"enabled": options.mar},
            "registration": {"enabled": options.register},
        }
    )
    reading = ReadingOptions(
        axis_mm=tuple(options.axis_mm) if options.axis_mm else None,
        start_angle_deg=options.start_angle_deg,
        direction=options.direction,
        injection_time=options.injection_time,
        dose_mbq=options.dose_mbq,
    )
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
    _tell(outcome, options)
    return DONE


def _mar(options: argparse.Namespace, progress: TerminalProgress) -> int:
    from leukospect.volume_jobs import mar_job

    reduction, notes = mar_job(options.ct, options.output, threads=options.threads, progress=progress)
    progress.close()
    slices = len(reduction.measures)
    _tell_notes(notes, options)
    if not options.quiet:
        print(f"{slices} slices hold metal; {len(reduction.slices)} were corrected, the others are as they were.")
        print(f"CT: {options.output / 'ct_mar.nii.gz'}")
    return DONE


def _register(options: argparse.Namespace, progress: TerminalProgress) -> int:
    from leukospect.volume_jobs import register_job

    found, notes = register_job(options.fixed, options.moving, options.output, progress=progress)
    progress.close()
    _tell_notes(notes, options)
    if not options.quiet:
        print(found.reason)
        print(f"Transform: {options.output / 'fixed_to_moving.tfm'}")
    return DONE


def _run(options: argparse.Namespace, progress: TerminalProgress) -> int:
    from leukospect.jobs import run_job
    from leukospect.protocol import load_protocol

    outcome = run_job(
        options.study,
        options.output,
        load_protocol(options.protocol, options.settings),
        regions_file=options.regions,
        threads=options.threads,
        progress=progress,
    )
    progress.close()
    _tell(outcome, options)
    return DONE


def _batch(options: argparse.Namespace, progress: TerminalProgress) -> int:
    from leukospect.batch import loose_files, run_batch
    from leukospect.protocol import load_protocol

    records = run_batch(
        options.archive,
        options.output,
        load_protocol(options.protocol, options.settings),
        workers=options.workers,
        scheduler=options.scheduler,
        threads=options.threads,
        progress=progress,
    )
    progress.close()
    loose = loose_files(options.archive)
    if loose:
        _tell_notes([f"{loose} files lie in the archive beside the studies' folders; they were not read."], options)
    if not options.quiet:
        for record in records:
            when = "" if record.fresh else " (as before)"
            print(f"{record.study}: {record.status}{when}: {record.reason}")
    failed = sum(record.status == "failed" for record in records)
    if failed:
        print(f"{failed} of {len(records)} studies failed; batch.json holds the reasons.", file=sys.stderr)
    return SOME_FAILED if failed else DONE


def _phantom_list(options: argparse.Namespace, progress: TerminalProgress) -> int:
    from leukospect.phantoms.description import read_phantom
    from leukospect.resources import shipped

    for name in shipped("phantoms"):
        print(f"{name:22s} {read_phantom(name).title}")
    return DONE


def _phantom_make(options: argparse.Namespace, progress: TerminalProgress) -> int:
    from leukospect.demonstration import make_phantom

    make_phantom(options.name, options.output, seed=options.seed, progress=progress)
    progress.close()
    if not options.quiet:
        print(f"{options.output / 'study'}")
    return DONE


def _tell(outcome: Outcome, options: argparse.Namespace) -> None:
    """Print what came out: warnings to standard error, the flag and where the report is to standard output."""
    if options.quiet:
        return
    _tell_notes(outcome.warnings, options)
    if outcome.flag is not None:
        print(f"Flag: {outcome.flag.flag} (rule {outcome.flag.rule}; a research tool, no diagnosis)")
        for lesion in outcome.flag.lesions:
            print(f"  {lesion.lesion}: {lesion.flag}. {lesion.reason}")
    print(f"Report: {outcome.output / 'report.html'}")


def _tell_notes(notes: Sequence[str], options: argparse.Namespace) -> None:
    if not options.quiet:
        for text in notes:
            print(f"note: {text}", file=sys.stderr)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return its exit code."""
    options = _parser().parse_args(arguments)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a path that the terminal cannot show is no defect
    progress = TerminalProgress(quiet=options.quiet, verbose=options.verbose)
    # Messages of the DICOM library can quote a patient's name.
    logging.getLogger("pydicom").setLevel(logging.CRITICAL)
    if not options.debug:
        warnings.simplefilter("ignore")
    try:
        with _stopped_by_sigterm():
            code: int = options.job(options, progress)
    except LeukospectError as error:
        return _refused(str(error), options, progress)
    except BrokenPipeError:
        # Whoever read the output, such as `head`, has seen enough; nothing may be written to it at exit either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    except OSError as error:
        where = f"'{error.filename}'" if error.filename else "A file"
        why = error.strerror or type(error).__name__
        return _refused(
            f"{where} could not be read or written ({why}); check the path and choose another with -o.",
            options,
            progress,
        )
    except KeyboardInterrupt:
        progress.close()
        print("leukospect: stopped; nothing was written.", file=sys.stderr)
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


@contextmanager
def _stopped_by_sigterm() -> Iterator[None]:
    """Let the signal that ends a job on a cluster end it as Ctrl-C does, so that nothing half written stays."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


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
