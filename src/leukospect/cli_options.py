"""The commands and options of the command line, and nothing of what they do."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from leukospect import __version__


def parser() -> argparse.ArgumentParser:
    """Build the parser; `job` of what it parses names the function of `cli` that does the work."""
    top = argparse.ArgumentParser(
        prog="leukospect",
        description="Labelled-leukocyte SPECT/CT and planar scintigraphy, from raw projections to a quantified answer. "
        "A research tool, no diagnosis.",
        epilog="Exit codes: 0 done; 2 wrong usage; 3 the input was refused; 4 some studies of a batch failed; "
        "1 a defect of the program.",
    )
    top.add_argument("--version", action="version", version=f"leukospect {__version__}")
    _add_global(top, top=True)
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _add_demo(commands)
    _add_inspect(commands)
    _add_recon(commands)
    _add_calibrate(commands)
    _add_volumes(commands)
    _add_run(commands)
    _add_batch(commands)
    _add_labs(commands)
    _add_phantom(commands)
    _add_bench(commands)
    return top


def _add_global(parser: argparse.ArgumentParser, *, top: bool = False) -> None:
    """Add the options that may stand before or after the command."""
    missing = False if top else argparse.SUPPRESS
    parser.add_argument("-v", "--verbose", action="store_true", default=missing, help="tell each stage and its time")
    parser.add_argument("--quiet", action="store_true", default=missing, help="print errors only")
    parser.add_argument("--debug", action="store_true", default=missing, help="show the traceback of an error")


def _command(commands: Any, name: str, text: str, more: str = "") -> argparse.ArgumentParser:
    description = f"{text[0].upper()}{text[1:]}. {more}".strip()
    parser: argparse.ArgumentParser = commands.add_parser(name, help=text, description=description)
    _add_global(parser)
    return parser


def _add_demo(commands: Any) -> None:
    parser = _command(commands, "demo", "make the femoral-nail phantom study as DICOM and take it all the way")
    parser.add_argument("-o", "--output", type=Path, default=Path("leukospect-demo"), metavar="DIR")
    parser.add_argument("--threads", type=_positive, metavar="N")
    parser.set_defaults(job="demo")


def _add_inspect(commands: Any) -> None:
    parser = _command(commands, "inspect", "tell what is in a folder: acquisitions, times, windows, orbits, problems")
    parser.add_argument("path", type=Path, metavar="PATH", help="DICOM file, folder, zip or DICOMDIR; Interfile header")
    parser.add_argument("--json", action="store_true", help="for programs")
    parser.add_argument("--thumbnails", type=Path, metavar="DIR", help="a small picture of each acquisition")
    parser.set_defaults(job="inspect")


def _add_recon(commands: Any) -> None:
    parser = _command(commands, "recon", "reconstruct one SPECT acquisition")
    parser.add_argument(
        "projections", type=Path, metavar="PROJECTIONS", help="DICOM file, folder, zip or DICOMDIR; Interfile header"
    )
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="DIR")
    maps = parser.add_mutually_exclusive_group()
    maps.add_argument("--ct", type=Path, metavar="DIR", help="CT series for attenuation correction")
    maps.add_argument("--mu", type=Path, metavar="FILE", help="attenuation map as NIfTI, 1/cm; for In-111 at 171 keV")
    parser.add_argument("--iterations", type=_positive, default=5)
    parser.add_argument("--subsets", type=_positive, default=15)
    parser.add_argument("--scatter", choices=["auto", "tew", "dew", "none"], default="auto")
    parser.add_argument(
        "--effective-mu",
        action="store_true",
        help="in place of scatter correction: attenuation with water at 0.12/cm (Tc-99m)",
    )
    parser.add_argument(
        "--metal-material",
        choices=["titanium_alloy", "titanium", "cobalt_chrome", "steel_316l", "as-scanned"],
        metavar="NAME",
        help="of metal in the CT: titanium_alloy (taken without it), titanium, cobalt_chrome, steel_316l; "
        "as-scanned: by its CT numbers",
    )
    parser.add_argument(
        "--assumed-kvp", type=float, metavar="V", help="tube voltage of a CT that records none, 80 to 140"
    )
    parser.add_argument("--post-filter-fwhm-mm", type=float, default=0.0, metavar="F")
    parser.add_argument("--axis-mm", type=float, nargs=2, metavar=("X", "Y"), help="axis of rotation, LPS")
    parser.add_argument("--start-angle-deg", type=float, metavar="A", help="0 is the patient's back, 90 the left")
    parser.add_argument("--direction", choices=["cc", "cw"], help="of rotation, seen from the feet")
    parser.add_argument(
        "--algorithm",
        choices=["osem", "mlem", "map", "fbp"],
        default="osem",
        help="mlem: osem with one subset; map: maximum a posteriori with the relative difference prior; fbp: filtered "
        "backprojection, a quick look",
    )
    parser.add_argument("--passes", type=_positive, default=15, help="of map, at most; 5 or more")
    parser.add_argument("--penalty-strength", type=float, default=0.005, metavar="S", help="of map's prior")
    parser.add_argument(
        "--objective",
        action="store_true",
        help="write objective.csv: what the passes gained; of map, those that end with a full gradient",
    )
    _add_injection(parser)
    _add_camera(parser)
    parser.add_argument("--calibration-cps-per-mbq", type=float, metavar="K", help="of one head; gives Bq/mL")
    parser.add_argument(
        "--no-decay", action="store_true", help="the counts hold no decay during the scan (simulated without it)"
    )
    _add_sum_frames(parser)
    parser.add_argument("--mar", action=argparse.BooleanOptionalAction, default=False, help="CT metal reduction")
    parser.add_argument("--register", action=argparse.BooleanOptionalAction, default=False, help="SPECT to CT")
    parser.add_argument("--threads", type=_positive, metavar="N")
    parser.set_defaults(job="recon")


def _add_calibrate(commands: Any) -> None:
    parser = _command(commands, "calibrate", "get a camera's sensitivity from an acquisition of a known activity")
    parser.add_argument(
        "acquisition",
        type=Path,
        metavar="ACQUISITION",
        help="SPECT (TOMO) of a uniform cylinder, or STATIC of a point or flat source in air; DICOM",
    )
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="DIR")
    parser.add_argument("--activity-mbq", type=float, required=True, metavar="A", help="when it was assayed")
    parser.add_argument("--assayed-at", metavar="TIME", help="YYYY-MM-DDTHH:MM, or HH:MM of the acquisition's day")
    parser.add_argument("--activity-uncertainty-percent", type=float, default=0.0, metavar="U", help="one sigma")
    parser.add_argument("--volume-ml", type=float, metavar="V", help="of the cylinder that the activity is in")
    parser.add_argument("--view", metavar="NAME", help="of planar images; without it all are taken")
    maps = parser.add_mutually_exclusive_group()
    maps.add_argument("--ct", type=Path, metavar="DIR", help="CT series of the cylinder")
    maps.add_argument("--mu", type=Path, metavar="FILE", help="its attenuation map as NIfTI, 1/cm")
    parser.add_argument("--iterations", type=_positive, default=5)
    parser.add_argument("--subsets", type=_positive, default=15)
    parser.add_argument(
        "--scatter", choices=["auto", "tew", "dew", "none"], default="auto", help="as in the images to calibrate"
    )
    _add_camera(parser)
    parser.add_argument("--threads", type=_positive, metavar="N")
    parser.set_defaults(job="calibrate")


def _add_volumes(commands: Any) -> None:
    mar = _command(
        commands,
        "mar",
        "reduce the metal artefacts of a CT series",
        "The slices are projected again; what metal spoils of the rays is made anew by normalised interpolation and a "
        "model of the beam hardening in the metal's trace, and the difference is added to the slices. Each slice is "
        "judged, and the correction used wholly, half or not at all; all others stay as they are. The CT as scanned "
        "is written beside.",
    )
    mar.add_argument("ct", type=Path, metavar="CT_DIR")
    mar.add_argument("-o", "--output", type=Path, required=True, metavar="DIR")
    mar.add_argument(
        "--method",
        choices=["adaptive", "linear", "normalised", "frequency-split", "trace-model"],
        default="adaptive",
        metavar="NAME",
        help="adaptive (taken without it): the mean of normalised interpolation and two models of the metal's trace, "
        "weighed for each slice; linear, normalised, frequency-split, trace-model: one by itself",
    )
    mar.add_argument(
        "--metal-threshold-hu",
        type=float,
        metavar="H",
        help="metal lies above, 1000 or more; without it each piece of metal has its own",
    )
    mar.add_argument("--threads", type=_positive, metavar="N", help="slices worked on at a time")
    mar.set_defaults(job="mar")
    register = _command(commands, "register", "register one image to another, rigidly")
    register.add_argument("fixed", type=Path, metavar="FIXED", help="CT series, reconstructed SPECT or NIfTI file")
    register.add_argument("moving", type=Path, metavar="MOVING", help="the same")
    register.add_argument("-o", "--output", type=Path, required=True, metavar="DIR")
    register.set_defaults(job="register")


def _add_run(commands: Any) -> None:
    parser = _command(commands, "run", "take a study all the way to its report and flag")
    parser.add_argument("study", type=Path, metavar="STUDY", help="folder of DICOM files, zip of one, or DICOMDIR")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="DIR")
    parser.add_argument(
        "--regions",
        type=Path,
        metavar="FILE",
        help="TOML of shapes in LPS mm, NIfTI labels, DICOM Segmentation or RT Structure Set",
    )
    _add_protocol(parser)
    _add_injection(parser)
    parser.set_defaults(job="run")


def _add_batch(commands: Any) -> None:
    parser = _command(
        commands,
        "batch",
        "run every study of an archive, a folder each",
        "Writes batch.json with what became of each and cohort.csv with a row for each lesion, beside their folders.",
    )
    parser.add_argument("archive", type=Path, metavar="ARCHIVE")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="DIR")
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--workers", type=_positive, metavar="N", help="processes of a local Dask cluster")
    where.add_argument("--scheduler", metavar="ADDRESS", help="of a Dask scheduler that runs already")
    _add_protocol(parser)
    parser.set_defaults(job="batch")


def _add_labs(commands: Any) -> None:
    parser = _command(
        commands,
        "labs",
        "blood indices (NLR, PLR, SII) and group statistics by the scan's flag",
        "A row a patient with neutrophils, lymphocytes and platelets, better with WBC too, and a flag (positive, "
        "negative, equivocal) or, as results, the folder of the patient's run. Counts are in 10^9/L unless the heading "
        "tells another unit, such as 'WBC (/uL)'. Further numbers and groups, such as CRP and sex, are compared too.",
    )
    parser.add_argument("table", type=Path, metavar="TABLE.csv", help="separated by commas, semicolons or tabs")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="DIR")
    parser.add_argument(
        "--neutrophils-are-wbc",
        action="store_true",
        help="put WBC in the neutrophils' place, as the source paper did; every output says so",
    )
    parser.add_argument(
        "--cohort",
        type=Path,
        metavar="COHORT.csv",
        help="of a batch: gives the flag of the study that each row names in a column study",
    )
    parser.add_argument(
        "--summary",
        action="store_true",
        help="the table holds printed figures: marker, mean_positive, sd_positive, n_positive, mean_negative, "
        "sd_negative, n_negative; or marker, group, mean, sd, n",
    )
    parser.set_defaults(job="labs")


def _add_phantom(commands: Any) -> None:
    parser = _command(commands, "phantom", "list the digital phantoms, or make one's study as DICOM")
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    listing = _command(actions, "list", "list the phantoms that ship with the program")
    listing.set_defaults(job="phantom_list")
    making = _command(actions, "make", "simulate a phantom's study and write it as DICOM")
    making.add_argument("name", metavar="NAME", help="a phantom that ships, or a TOML file")
    making.add_argument("-o", "--output", type=Path, required=True, metavar="DIR")
    making.add_argument("--seed", type=_not_negative, default=0, metavar="N")
    making.set_defaults(job="phantom_make")


def _add_bench(commands: Any) -> None:
    parser = _command(
        commands,
        "bench",
        "measure accuracy, metal reduction, registration, uncertainty and lesions on digital phantoms, and speed here",
    )
    parser.add_argument(
        "part",
        nargs="?",
        choices=["accuracy", "speed", "metal", "registration", "uncertainty", "lesions"],
        help="one of them; left out: all",
    )
    parser.add_argument(
        "-o", "--output", type=Path, metavar="DIR", help="default: leukospect-bench, or -accuracy and so on"
    )
    parser.add_argument(
        "--anatomy", type=Path, metavar="PATH", help="a CT without metal (DICOM folder or .npz) to put metal into"
    )
    parser.add_argument(
        "--quick",
        action="store_true",
        help="fewer iterations, counts, draws, anatomies, implants and starts",
    )
    parser.add_argument(
        "--seed", type=_not_negative, default=1, metavar="N", help="of the noise, and of the anatomies drawn"
    )
    parser.add_argument("--threads", type=_positive, metavar="N")
    parser.set_defaults(job="bench")


def _add_protocol(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--protocol", default="tc99m-hmpao-spect-ct", metavar="NAME_OR_FILE")
    parser.add_argument(
        "--set", action="append", default=[], metavar="section.key=value", dest="settings", type=_setting
    )
    parser.add_argument("--threads", type=_positive, metavar="N")
    _add_sum_frames(parser)
    _add_camera(parser)


def _add_camera(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--nuclide", metavar="NAME", help="Tc-99m or In-111, where the file does not record it")
    parser.add_argument(
        "--collimator", default="", metavar="NAME", help="such as siemens:LEHR, instead of the header's"
    )
    parser.add_argument("--no-resolution", action="store_true", help="leave resolution recovery out")


def _add_injection(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--injection-time", metavar="T", help="YYYY-MM-DDTHH:MM, or HH:MM of the (first) acquisition's day"
    )
    parser.add_argument("--dose-mbq", type=float, metavar="D", help="injected activity")


def _add_sum_frames(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--sum-frames", action="store_true", help="add up the gates or time frames of an acquisition")


def _setting(text: str) -> str:
    if "=" not in text:
        raise argparse.ArgumentTypeError(f"'{text}' is not of the form section.key=value")
    return text


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
