"""`leukospect bench metal`: what the metal artefact reduction makes of scans whose truth is known.

The anatomies are drawn from seeds from 1000 up; nothing was tuned on them (tuning takes seeds below 1000). The truth is
what the same simulated scanner makes of the same anatomy without metal and without noise.
"""

from __future__ import annotations

import inspect
import os
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path

import numpy as np

from leukospect.benchmark.metal_cases import measured_slices, picture_of, reduced, same_outside_body
from leukospect.benchmark.metal_figures import drawn
from leukospect.benchmark.metal_measures import BoneEdge
from leukospect.benchmark.metal_process import LargeCt, reduce_in_process
from leukospect.benchmark.metal_real import real_anatomies
from leukospect.benchmark.metal_report import MetalResults, write_files
from leukospect.benchmark.metal_results import (
    MetalMeasures,
    MetalSettings,
    Picture,
    SliceMeasure,
    Volume,
)
from leukospect.benchmark.metal_spect import SpectFound, SpectSettings, judged_periprosthetic, study_periprosthetic
from leukospect.benchmark.metal_spect_figure import spect_figure
from leukospect.benchmark.metal_targets import judged
from leukospect.benchmark.speed_machine import machine
from leukospect.ct.metal import METHODS, reduce_metal
from leukospect.errors import AssumptionWarning
from leukospect.phantoms.metal_in_slices import REAL
from leukospect.phantoms.scanned_anatomy import ScannedAnatomy, scan_of
from leukospect.provenance import provenance_document, write_provenance
from leukospect.whole_files import whole_folder

Progress = Callable[[str, float], None]


class _Run:
    """What a run gathers, anatomy after anatomy; no more than a family's scans are ever in memory."""

    def __init__(
        self, settings: MetalSettings, threads: int, progress: Progress | None, anatomy: Path | None = None
    ) -> None:
        self.settings, self.threads = settings, threads
        self.real = [] if anatomy is None else real_anatomies(anatomy)
        self.families = settings.families if anatomy is None else (*settings.families, REAL)
        self.tell = progress or (lambda stage, fraction: None)
        self.default = str(inspect.signature(reduce_metal).parameters["method"].default)
        self.slices: list[SliceMeasure] = []
        self.volumes: list[Volume] = []
        self.edges: list[tuple[str, BoneEdge]] = []
        self.pictures: list[Picture] = []
        self.large: LargeCt | None = None

    def scans(self, family: str) -> Iterator[ScannedAnatomy]:
        """Simulate a family's anatomies, as many at a time as there are threads."""
        settings = self.settings
        seeds = range(settings.first_anatomy, settings.first_anatomy + settings.volumes)

        def scan(seed: int) -> ScannedAnatomy:
            if family == REAL:
                real = self.real[(seed - settings.first_anatomy) % len(self.real)]
                return real.scanned(seed, settings.slices, 1)
            return scan_of(family, seed, slices=settings.slices, matrix=settings.matrix)

        for first in range(0, len(seeds), self.threads):
            with ThreadPoolExecutor(self.threads) as pool:
                made = list(pool.map(scan, seeds[first : first + self.threads]))
            for count, one in enumerate(made, start=1):
                yield one
                self.tell(f"{family} with metal", (first + count) / len(seeds))

    def measure(self, family: str) -> None:
        """Measure a family's scans with every method, and keep its worst slice and its middle one to look at."""
        shown: list[Picture] = []
        for scan in self.scans(family):
            after, seconds = reduced(scan.series, self.default, self.threads)
            found, edges = measured_slices(scan, after, self.default)
            self.slices += found
            self.edges += [(family, edge) for edge in edges]
            metal_slices = len(found)
            identical = same_outside_body(scan, after)
            self.volumes.append(Volume(family, scan.seed, True, scan.metal.shape[0], metal_slices, seconds, identical))
            shown += [picture_of(scan, after, measure) for measure in found]
            compared = scan.seed < self.settings.first_anatomy + self.settings.compared
            for method in METHODS if compared else ():
                if method != self.default:
                    self.slices += measured_slices(scan, reduced(scan.series, method, self.threads)[0], method)[0]
            self.without_metal(scan)
            if self.large is None and self.settings.large_slices and metal_slices:
                self.measure_large(scan)
        shown.sort(key=lambda picture: picture.rmse_before_hu)
        self.pictures += [shown[-1], shown[len(shown) // 2]] if len(shown) > 1 else shown

    def without_metal(self, scan: ScannedAnatomy) -> None:
        """Look whether the scan without metal comes out as it was."""
        after, seconds = reduced(scan.series_without_metal, self.default, self.threads)
        same = bool(np.array_equal(after.image.array, scan.without_metal_hu))
        self.volumes.append(Volume(scan.family, scan.seed, False, scan.metal.shape[0], 0, seconds, same))

    def measure_large(self, scan: ScannedAnatomy) -> None:
        """Measure time and memory of a whole CT."""
        self.tell("a whole CT", 0.0)
        settings = self.settings
        plan = LargeCt(settings.large_slices, settings.large_metal_slices, self.threads)
        with tempfile.TemporaryDirectory() as folder:
            self.large = reduce_in_process(scan, plan, Path(folder))


def measure_metal(
    settings: MetalSettings,
    *,
    anatomy: Path | None = None,
    threads: int | None = None,
    progress: Progress | None = None,
) -> MetalResults:
    """Draw, scan, reduce and measure.

    Parameters
    ----------
    settings : MetalSettings
    anatomy : Path or None
        Real anatomy to put metal into as well, see `metal_real.real_anatomies`.
    threads : int or None
        Only times depend on it.
    progress : function of a stage's name and the fraction of it done
    """
    described = machine()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", AssumptionWarning)
        run = _Run(settings, threads or os.cpu_count() or 1, progress, anatomy)
        _warm_up(run)
        for family in run.families:
            run.measure(family)
    texts = [str(one.message) for one in caught if issubclass(one.category, AssumptionWarning)]
    measures = MetalMeasures(run.default, tuple(run.slices), tuple(run.volumes), run.large, tuple(run.edges))
    spect = _spect_beside_metal(settings, threads, progress)
    targets = judged(measures) + (() if spect is None else judged_periprosthetic(spect))
    texts += () if spect is None else spect.assumptions
    return MetalResults(settings, measures, spect, targets, tuple(run.pictures), described,
                        tuple(dict.fromkeys(texts)))  # fmt: skip


def _spect_beside_metal(settings: MetalSettings, threads: int | None, progress: Progress | None) -> SpectFound | None:
    if not settings.spect:
        return None
    return study_periprosthetic(SpectSettings(settings.spect, settings.seed), threads=threads, progress=progress)


def _warm_up(run: _Run) -> None:
    """Compile what a reduction needs, so that no scan's time includes it."""
    run.tell("warming up", 0.0)
    began = time.perf_counter()
    scan = scan_of("nail", run.settings.first_anatomy, slices=1, matrix=64)
    for method in dict.fromkeys([run.default, *METHODS]):
        reduce_metal(scan.series, method=method, threads=run.threads)
    run.tell(f"warming up ({time.perf_counter() - began:.0f} s)", 1.0)


def run_metal(
    output: Path,
    settings: MetalSettings | None = None,
    *,
    anatomy: Path | None = None,
    threads: int | None = None,
    progress: Progress | None = None,
) -> MetalResults:
    """Measure, and write metal.json, metal.csv, metal.html and the figures.

    Parameters
    ----------
    output : Path
        Folder that appears whole.
    settings : MetalSettings or None
        None takes the defaults.
    anatomy : Path or None
        As in `measure_metal`.
    threads : int or None
    progress : function of a stage's name and the fraction of it done
    """
    chosen = settings or MetalSettings()
    with whole_folder(output, command="bench metal", inputs=(anatomy,)) as folder:
        results = measure_metal(chosen, anatomy=anatomy, threads=threads, progress=progress)
        figures = drawn(results.measures, results.pictures)
        if results.spect is not None:
            figures["spect"] = spect_figure(results.spect)
        write_files(folder, results, figures)
        write_provenance(provenance_document(asdict(chosen), (), results.assumptions, {}), folder / "provenance.json")
    return results
