"""`leukospect bench uncertainty`: whether 95 % intervals cover the truth, and probabilities come true."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from leukospect.benchmark.uncertainty_figures import drawn
from leukospect.benchmark.uncertainty_planar import planar_replicate
from leukospect.benchmark.uncertainty_report import write_files
from leukospect.benchmark.uncertainty_results import (
    LEVELS,
    Replicate,
    UncertaintyFound,
    UncertaintySettings,
    judged_uncertainty,
)
from leukospect.benchmark.uncertainty_spect import PROTOCOL, spect_replicates
from leukospect.protocol import load_protocol
from leukospect.provenance import provenance_document, write_provenance
from leukospect.whole_files import whole_folder

Progress = Callable[[str, float], None]


def _silent(stage: str, fraction: float) -> None:
    """Report progress to nobody."""


def measure_uncertainty(
    settings: UncertaintySettings, *, threads: int | None = None, progress: Progress | None = None
) -> UncertaintyFound:
    """Draw truths and counts, measure them as the program does, and put the truth beside.

    Parameters
    ----------
    settings : UncertaintySettings
    threads : int or None
        The result does not depend on it.
    progress : function of a stage's name and the fraction of it done
    """
    report = progress or _silent
    found: list[Replicate] = []
    for at, level in enumerate(LEVELS):
        for number in range(settings.planar_replicates):
            report("counting planar views", (at + number / settings.planar_replicates) / len(LEVELS))
            found += planar_replicate(settings, level, number)
    report("counting planar views", 1.0)
    found += spect_replicates(settings, threads, lambda done: report("resampling SPECT", done))
    found.sort(key=lambda one: (one.modality, LEVELS.index(one.level), one.number))
    shipped = load_protocol(PROTOCOL).uncertainty.replicates
    return UncertaintyFound(settings, settings.resamples or shipped, tuple(found))


def run_uncertainty(
    output: Path,
    settings: UncertaintySettings | None = None,
    *,
    threads: int | None = None,
    progress: Progress | None = None,
) -> UncertaintyFound:
    """Measure, and write uncertainty.json, uncertainty.csv, uncertainty.html and the figures.

    Parameters
    ----------
    output : Path
        Folder that appears whole.
    settings : UncertaintySettings or None
        None takes the defaults.
    threads : int or None
    progress : function of a stage's name and the fraction of it done
    """
    chosen = settings or UncertaintySettings()
    with whole_folder(output, command="bench uncertainty") as folder:
        found = measure_uncertainty(chosen, threads=threads, progress=progress)
        write_files(folder, found, judged_uncertainty(found), drawn(found))
        write_provenance(provenance_document(asdict(chosen), (), (), {}), folder / "provenance.json")
    return found
