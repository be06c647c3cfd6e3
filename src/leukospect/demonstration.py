"""Phantom studies as DICOM, and the demonstration that takes one all the way."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from leukospect.data import CtSeries, PlanarImages, Projections
from leukospect.dicom.write.acquisition import write_ct, write_planar, write_projections
from leukospect.dicom.write.identity import PhantomIdentity
from leukospect.files.nifti import write_nifti
from leukospect.jobs import Outcome, run_job
from leukospect.phantoms.acquisitions import SpectAcquisition
from leukospect.phantoms.description import Phantom, read_phantom
from leukospect.phantoms.regions import regions_toml
from leukospect.phantoms.simulate import SimulatedStudy, simulate_study
from leukospect.projector import reconstruction_geometry
from leukospect.protocol import load_protocol
from leukospect.provenance import provenance_document, write_provenance
from leukospect.whole_files import whole_folder

Progress = Callable[[str, float], None]

DEMONSTRATION_PHANTOM = "femoral-nail"


def make_phantom(name: str, output: Path, *, seed: int = 0, progress: Progress | None = None) -> None:
    """Simulate a phantom's study and write it as a hospital's archive would hold it.

    Parameters
    ----------
    name : str
        A phantom that ships with the program, or a TOML file.
    output : Path
        Appears whole: ``study/`` with the DICOM files, ``regions.toml`` with what a reader would draw, ``truth/`` with
        the true activity on the reconstruction's grid, provenance.json.
    seed : int
        Of the counting statistics.
    progress : function of a stage's name and the fraction of it done
    """
    with whole_folder(output, command="phantom make") as folder:
        _fill(folder, read_phantom(name), seed, progress)
        settings = {"phantom": name, "seed": seed}
        write_provenance(provenance_document(settings, (), (), {}), folder / "provenance.json")


def _fill(folder: Path, phantom: Phantom, seed: int, progress: Progress | None) -> None:
    simulated = simulate_study(phantom, seed, progress)
    if progress:
        progress("writing the study", 0.0)
    _write_study(folder, simulated, phantom)
    if phantom.region:
        (folder / "regions.toml").write_text(regions_toml(phantom), encoding="utf-8")
    if progress:
        progress("writing the study", 1.0)


def _write_study(folder: Path, simulated: SimulatedStudy, phantom: Phantom) -> None:
    identity = PhantomIdentity(
        name=f"PHANTOM^{phantom.name.upper()}",
        patient_id=f"phantom-{phantom.name}",
        study_start=phantom.injection.time,
    )
    places = folder / "study"
    pairs = zip(simulated.study.acquisitions, simulated.scans, strict=True)
    for number, (acquisition, scan) in enumerate(pairs, start=1):
        hours = (phantom.start(scan) - phantom.injection.time).total_seconds() / 3600.0
        stem = f"{number:02d}-{hours:04.1f}h"
        if isinstance(acquisition, Projections) and isinstance(scan, SpectAcquisition):
            write_projections(acquisition, places / f"{stem}-spect.dcm", identity, heads=scan.heads)
            grid = reconstruction_geometry(acquisition)
            if scan.tracer != "colloid":
                write_nifti(simulated.truth(scan.time_point, grid), folder / "truth" / f"{stem}-activity.nii.gz")
            if scan.tracer != "leukocytes":
                truth = simulated.truth(scan.time_point, grid, tracer="colloid")
                write_nifti(truth, folder / "truth" / f"{stem}-colloid-activity.nii.gz")
        elif isinstance(acquisition, PlanarImages):
            write_planar(acquisition, places / f"{stem}-planar.dcm", identity)
        elif isinstance(acquisition, CtSeries):
            write_ct(acquisition, places / f"{stem}-ct", identity)


def demonstrate(output: Path, *, threads: int | None = None, progress: Progress | None = None) -> Outcome:
    """Make the femoral-nail study and run it; the run's folder also holds the study that it is made from."""
    report = progress or (lambda stage, fraction: None)
    with whole_folder(output, command="demo") as folder:
        phantom = read_phantom(DEMONSTRATION_PHANTOM)
        _fill(folder, phantom, 0, report)
        outcome = run_job(
            folder / "study",
            folder / "run",
            load_protocol("tc99m-hmpao-spect-ct", ["attenuation.hu_table=icru-bone"]),
            regions_file=folder / "regions.toml",
            threads=threads,
            progress=report,
        )
        for path in (folder / "run").iterdir():
            path.rename(folder / path.name)
        (folder / "run").rmdir()
    return Outcome(output, outcome.warnings, outcome.flag, outcome.result)
