"""Coarse phantoms run from their simulated study to the flag, without files: what a whole run decides, in seconds."""

from __future__ import annotations

import warnings
from pathlib import Path

from leukospect.data import CtSeries, PlanarImages, Projections, Study
from leukospect.errors import AssumptionWarning
from leukospect.phantoms import read_phantom, regions_toml, simulate_study
from leukospect.pipeline import run_study
from leukospect.protocol import load_protocol
from leukospect.study_result import StudyResult
from tests.coarse_phantoms import write_coarse

FAST = (
    "attenuation.hu_table=icru-bone",
    "metal.enabled=false",
    "reconstruction.iterations=2",
    "registration.enabled=false",  # nobody moved; how times are aligned is tested elsewhere
    "registration.sensitivity=false",
    "uncertainty.replicates=10",
)


def simulated(
    name: str, folder: Path, *, only: tuple[str, ...] = ("PLANAR", "SPECT", "CT"), without: tuple[str, ...] = ()
) -> tuple[Study, Path]:
    """Simulate a coarse phantom's study, and write the regions a reader would draw."""
    phantom = read_phantom(write_coarse(name, folder, only=only, without=without))
    regions = folder / f"{name}-regions.toml"
    regions.write_text(regions_toml(phantom), encoding="utf-8")
    return simulate_study(phantom, seed=1).study, regions


def part_of(study: Study, *kinds: type[Projections | PlanarImages | CtSeries]) -> Study:
    """Keep some kinds of acquisitions."""
    return Study(tuple(one for one in study.acquisitions if isinstance(one, kinds)))


def run(study: Study, regions: Path, rule: str, protocol: str = "tc99m-hmpao-spect-ct") -> StudyResult:
    """Take a study to its flag, with fast settings."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AssumptionWarning)
        settings = (*FAST, f"rule={rule}")
        return run_study(study, load_protocol(protocol, settings), regions_file=regions)
