"""`leukospect bench`: from its options to the benchmarks, each loaded only where it is run."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from leukospect.cli_progress import TerminalProgress
from leukospect.cli_telling import DONE, tell_notes


def run_benchmarks(options: argparse.Namespace, progress: TerminalProgress) -> int:
    """Run the benchmark that was asked for, or all of them, each into its own folder."""
    parts = (options.part,) if options.part else tuple(_BENCHMARKS)
    for part in parts:
        alone = options.output or Path(f"leukospect-bench-{part}")
        together = (options.output or Path("leukospect-bench")) / part
        _BENCHMARKS[part](options, alone if options.part else together, progress)
    return DONE


def _bench_accuracy(options: argparse.Namespace, output: Path, progress: TerminalProgress) -> None:
    from leukospect.benchmark.accuracy import run_accuracy
    from leukospect.benchmark.accuracy_results import QUICK, AccuracySettings

    settings = replace(QUICK if options.quick else AccuracySettings(), seed=options.seed)
    results = run_accuracy(output, settings, threads=options.threads, progress=progress)
    progress.close()
    tell_notes(results.assumptions, options)
    lines = [f"{target.verdict:6s} {target.asked}: {target.found}" for target in results.targets]
    _tell_report(lines, output / "accuracy.html", options)


def _bench_speed(options: argparse.Namespace, output: Path, progress: TerminalProgress) -> None:
    from leukospect.benchmark.speed import SpeedPlan, run_speed
    from leukospect.benchmark.speed_report import as_text

    results = run_speed(output, SpeedPlan(threads=options.threads), progress=progress)
    progress.close()
    _tell_report((as_text(results),), output / "speed.md", options)


def _bench_metal(options: argparse.Namespace, output: Path, progress: TerminalProgress) -> None:
    from leukospect.benchmark.metal import run_metal
    from leukospect.benchmark.metal_report import as_text
    from leukospect.benchmark.metal_results import QUICK, MetalSettings

    settings = replace(QUICK if options.quick else MetalSettings(), seed=options.seed)
    results = run_metal(output, settings, anatomy=options.anatomy, threads=options.threads, progress=progress)
    progress.close()
    tell_notes(results.assumptions, options)
    _tell_report((as_text(results),), output / "metal.html", options)


def _bench_registration(options: argparse.Namespace, output: Path, progress: TerminalProgress) -> None:
    from leukospect.benchmark.registration import run_registration
    from leukospect.benchmark.registration_report import as_text
    from leukospect.benchmark.registration_results import QUICK, RegistrationSettings

    settings = replace(QUICK if options.quick else RegistrationSettings(), seed=options.seed)
    found = run_registration(output, settings, threads=options.threads, progress=progress)
    progress.close()
    _tell_report((as_text(found),), output / "registration.html", options)


def _bench_uncertainty(options: argparse.Namespace, output: Path, progress: TerminalProgress) -> None:
    from leukospect.benchmark.uncertainty import run_uncertainty
    from leukospect.benchmark.uncertainty_report import as_text
    from leukospect.benchmark.uncertainty_results import QUICK, UncertaintySettings

    settings = replace(QUICK if options.quick else UncertaintySettings(), seed=options.seed)
    found = run_uncertainty(output, settings, threads=options.threads, progress=progress)
    progress.close()
    _tell_report((as_text(found),), output / "uncertainty.html", options)


def _bench_lesions(options: argparse.Namespace, output: Path, progress: TerminalProgress) -> None:
    from leukospect.benchmark.lesions import run_lesions
    from leukospect.benchmark.lesions_report import as_text
    from leukospect.benchmark.lesions_results import QUICK, LesionSettings

    settings = replace(QUICK if options.quick else LesionSettings(), seed=options.seed)
    found = run_lesions(output, settings, threads=options.threads, progress=progress)
    progress.close()
    _tell_report((as_text(found),), output / "lesions.html", options)


def _tell_report(lines: Sequence[str], report: Path, options: argparse.Namespace) -> None:
    if options.quiet:
        return
    for line in lines:
        print(line)
    print(f"Report: {report}")


_BENCHMARKS: dict[str, Callable[[argparse.Namespace, Path, TerminalProgress], None]] = {
    "accuracy": _bench_accuracy,
    "speed": _bench_speed,
    "metal": _bench_metal,
    "registration": _bench_registration,
    "uncertainty": _bench_uncertainty,
    "lesions": _bench_lesions,
}
