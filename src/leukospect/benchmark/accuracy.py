"""`leukospect bench accuracy`: what the reconstruction makes of phantoms whose truth is known."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from leukospect.benchmark.accuracy_bench import Bench, Progress
from leukospect.benchmark.accuracy_figures import drawn
from leukospect.benchmark.accuracy_orbits import study_orbits
from leukospect.benchmark.accuracy_report import write_files
from leukospect.benchmark.accuracy_results import AccuracySettings, Measure, Measures, Slice, Target
from leukospect.benchmark.accuracy_rods import study_rods
from leukospect.benchmark.accuracy_scatter import study_scatter
from leukospect.benchmark.accuracy_slices import slices_of
from leukospect.benchmark.accuracy_spheres import study_curves, study_depths, study_recovery
from leukospect.benchmark.accuracy_targets import judged
from leukospect.benchmark.accuracy_uniform import study_uniform
from leukospect.errors import AssumptionWarning
from leukospect.provenance import provenance_document, write_provenance
from leukospect.whole_files import whole_folder

STUDIES: tuple[Callable[[Bench], list[Measure]], ...] = (
    study_uniform,
    study_recovery,
    study_curves,
    study_scatter,
    study_rods,
    study_depths,
    study_orbits,
)
"""In the order in which they run."""


@dataclass(frozen=True, slots=True, eq=False)
class AccuracyResults:
    """What a run found: every measure, the targets, slices to look at, and what the program had to assume."""

    settings: AccuracySettings
    measures: Measures
    targets: tuple[Target, ...]
    slices: tuple[Slice, ...]
    assumptions: tuple[str, ...]


def measure_accuracy(
    settings: AccuracySettings, *, threads: int | None = None, progress: Progress | None = None
) -> AccuracyResults:
    """Simulate, reconstruct and measure; simulated scans are kept in memory for this run only.

    Parameters
    ----------
    settings : AccuracySettings
    threads : int or None
        The result does not depend on it.
    progress : function of a stage's name and the fraction of it done
    """
    bench = Bench(settings, threads, progress)
    found: list[Measure] = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", AssumptionWarning)
        for study in STUDIES:
            found += study(bench)
        shown = slices_of(bench)
    texts = [str(one.message) for one in caught if issubclass(one.category, AssumptionWarning)]
    measures = Measures(found)
    return AccuracyResults(settings, measures, judged(measures, settings), tuple(shown), tuple(dict.fromkeys(texts)))


def run_accuracy(
    output: Path,
    settings: AccuracySettings | None = None,
    *,
    threads: int | None = None,
    progress: Progress | None = None,
) -> AccuracyResults:
    """Measure, and write accuracy.json, accuracy.csv, accuracy.html and the figures.

    Parameters
    ----------
    output : Path
        Folder that appears whole.
    settings : AccuracySettings or None
        None takes the defaults.
    threads : int or None
    progress : function of a stage's name and the fraction of it done
    """
    chosen = settings or AccuracySettings()
    with whole_folder(output, command="bench accuracy") as folder:
        results = measure_accuracy(chosen, threads=threads, progress=progress)
        figures = drawn(results.measures, results.slices, chosen)
        write_files(folder, results.measures, results.targets, chosen, figures)
        document = provenance_document(asdict(chosen), (), results.assumptions, {})
        write_provenance(document, folder / "provenance.json")
    return results
