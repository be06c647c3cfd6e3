"""`leukospect bench registration`: misalignments known to the last digit, of SPECT to CT, limbs and planar views."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from leukospect.benchmark.registration_cases import (
    Matrix,
    Scan,
    errors_mm,
    misplaced,
    random_misalignment,
    scanned,
)
from leukospect.benchmark.registration_figures import drawn
from leukospect.benchmark.registration_moved import measure_limbs, measure_planar
from leukospect.benchmark.registration_moved_results import LimbCase, PlanarCase
from leukospect.benchmark.registration_report import write_files
from leukospect.benchmark.registration_results import (
    Judgement,
    MirroredCase,
    Overlay,
    RegistrationCase,
    RegistrationFound,
    RegistrationSettings,
    judged_registration,
)
from leukospect.provenance import provenance_document, write_provenance
from leukospect.registration import FLAG_MM, Registration, register_emission_to_ct, resample
from leukospect.whole_files import whole_folder

Progress = Callable[[str, float], None]

_LEAST_SHIFT_MM, _LEAST_ROTATION_DEG = 4.0, 2.0
_SCARCE_DRAW = 50


def measure_registration(
    settings: RegistrationSettings, *, threads: int | None = None, progress: Progress | None = None
) -> RegistrationFound:
    """Draw bodies, scan them, misplace their CTs and register.

    Parameters
    ----------
    settings : RegistrationSettings
    threads : int or None
        Only the times depend on it.
    progress : function of a stage's name and the fraction of it done
    """
    cases: list[RegistrationCase] = []
    judged: list[Judgement] = []
    overlays: list[Overlay] = []
    mirrored: list[MirroredCase] = []
    pixel = 0.0
    draws = [(body, settings.first_draw + n, 1.0) for body in settings.bodies for n in range(settings.draws)]
    draws += [(body, settings.first_draw + _SCARCE_DRAW, settings.scarce) for body in settings.bodies]
    for number, (body, seed, part) in enumerate(draws):
        if progress:
            progress("registering SPECT to CT", number / len(draws))
        scan = scanned(body, seed, part_of_counts=part, threads=threads)
        rng = np.random.default_rng([seed, 99])
        pixel = scan.pixel_mm
        for group, truth in _misalignments(scan, settings, rng, scarce=part != 1.0):
            case, found = _registered(scan, truth, group, threads)
            cases.append(case)
            if group == "random starts" and (len(overlays) == 0 or overlays[-1].title.split(",")[0] != body):
                overlays.append(_overlay(scan, truth, found, case))
        judged += _judgements(scan, truth, found, settings, rng)
        mirrored += _mirrored(scan, settings, threads)
    if progress:
        progress("registering SPECT to CT", 1.0)
    limbs, planar = _moved(settings, threads, progress or (lambda stage, fraction: None))
    return RegistrationFound(
        settings, tuple(cases), tuple(judged), tuple(overlays), pixel, FLAG_MM, limbs=limbs, planar=planar,
        mirrored=tuple(mirrored),
    )  # fmt: skip


def _moved(
    settings: RegistrationSettings, threads: int | None, progress: Progress
) -> tuple[tuple[LimbCase, ...], tuple[PlanarCase, ...]]:
    numbers = range(settings.limb_pairs + settings.limb_unmoved)
    pairs = [(implant, n) for implant in settings.implants for n in numbers]
    limbs: list[LimbCase] = []
    for number, (implant, n) in enumerate(pairs):
        share = partial(_share, progress, "registering limbs", number, len(pairs))
        moved, reduced = n < settings.limb_pairs, n < min(settings.limb_pairs, settings.limb_reduced)
        seed = settings.first_draw + n
        limbs += measure_limbs(implant, seed, moved=moved, reduced=reduced, threads=threads, progress=share)
    planar: tuple[PlanarCase, ...] = ()
    if settings.planar_pairs + settings.planar_unmoved > 0:
        share = partial(_share, progress, "registering planar views", 0, 1)
        planar = tuple(
            measure_planar(
                settings.first_draw, settings.planar_pairs, settings.planar_unmoved, threads=threads, progress=share
            )
        )
    return tuple(limbs), planar


def _share(progress: Progress, stage: str, number: int, of: int, fraction: float) -> None:
    progress(stage, (number + fraction) / of)


def run_registration(
    output: Path,
    settings: RegistrationSettings | None = None,
    *,
    threads: int | None = None,
    progress: Progress | None = None,
) -> RegistrationFound:
    """Measure, and write registration.json, registration.csv, registration.html and the figures.

    Parameters
    ----------
    output : Path
        Folder that appears whole.
    settings : RegistrationSettings or None
        None takes the defaults.
    threads : int or None
    progress : function of a stage's name and the fraction of it done
    """
    chosen = settings or RegistrationSettings()
    with whole_folder(output, command="bench registration") as folder:
        found = measure_registration(chosen, threads=threads, progress=progress)
        write_files(folder, found, judged_registration(found), drawn(found))
        write_provenance(provenance_document(asdict(chosen), (), (), {}), folder / "provenance.json")
    return found


def _misalignments(
    scan: Scan, settings: RegistrationSettings, rng: np.random.Generator, *, scarce: bool
) -> list[tuple[str, Matrix]]:
    centre = scan.body_mm.mean(axis=0)
    large = [random_misalignment(rng, centre, settings.shift_mm, settings.rotation_deg) for _ in range(settings.starts)]
    small = [random_misalignment(rng, centre, _LEAST_SHIFT_MM, _LEAST_ROTATION_DEG) for _ in range(settings.aligned)]
    small[:1] = [np.eye(4)] * min(1, settings.aligned)
    if scarce:
        return [("few counts", matrix) for matrix in (*small, *large[: max(1, settings.starts // 3)])]
    return [*(("nearly aligned", matrix) for matrix in small), *(("random starts", matrix) for matrix in large)]


def _registered(scan: Scan, truth: Matrix, group: str, threads: int | None) -> tuple[RegistrationCase, Registration]:
    ct = misplaced(scan.ct, truth)
    start = time.perf_counter()
    found = register_emission_to_ct(scan.emission, ct, scan.outline, threads=threads or 2)
    seconds = time.perf_counter() - start
    before, searched, after = (
        float(errors_mm(scan.body_mm, matrix, truth).mean()) for matrix in (np.eye(4), found.found, found.matrix)
    )
    lesion = float(errors_mm(scan.lesions_mm, found.matrix, truth).max())
    return RegistrationCase(
        group, scan.body, scan.seed, scan.counts, before, searched, after, lesion, found.expected_error_mm,
        found.misalignment_mm, found.accepted, seconds, found.reason, found.mirrored,
    ), found  # fmt: skip


def _mirrored(scan: Scan, settings: RegistrationSettings, threads: int | None) -> list[MirroredCase]:
    """Turn the emission image's voxels round along each axis, misalign the CT, and register."""
    cases = []
    rng = np.random.default_rng([scan.seed, 98])
    for axis, along in enumerate(("head to feet", "front to back", "left to right")):
        emission = replace(scan.emission, array=np.ascontiguousarray(np.flip(scan.emission.array, axis)))
        put = random_misalignment(rng, scan.body_mm.mean(axis=0), settings.shift_mm, settings.rotation_deg)
        found = register_emission_to_ct(emission, misplaced(scan.ct, put), scan.outline, threads=threads or 2)
        cases.append(MirroredCase(scan.body, scan.seed, scan.counts, along, found.mirrored, found.accepted))
    return cases


def _judgements(
    scan: Scan, truth: Matrix, found: Registration, settings: RegistrationSettings, rng: np.random.Generator
) -> list[Judgement]:
    """Ask the index about transforms that are wrong by nothing to 25 mm: how far from what was found, and its error."""
    made = []
    centre = scan.body_mm.mean(axis=0)
    for number in range(settings.judged):
        size = 0.85 * number / max(1, settings.judged - 1)
        given = np.asarray(
            random_misalignment(rng, centre, settings.shift_mm * size, settings.rotation_deg * size) @ truth
        )
        apart = float(errors_mm(scan.body_mm, given, found.found).mean())
        error = float(errors_mm(scan.body_mm, given, truth).mean())
        made.append(Judgement(error, float(np.hypot(apart, found.expected_error_mm))))
    return made


def _overlay(scan: Scan, truth: Matrix, found: Registration, case: RegistrationCase) -> Overlay:
    """Cut the SPECT and the CT in the three poses at the body's middle, front to back."""
    grid = scan.emission.geometry
    ct = misplaced(scan.ct, truth)
    row = int(np.clip(np.round(grid.to_index(scan.body_mm.mean(axis=0))[1]), 0, grid.shape[1] - 1))
    cuts: list[NDArray[np.float32]] = []
    for matrix in (np.eye(4), found.matrix, truth):
        moved = resample(ct, grid, fixed_to_moving=matrix, outside=-1000.0)
        cuts.append(np.asarray(moved.array[::-1, row], np.float32))
    spect = np.asarray(scan.emission.array[::-1, row], np.float32)
    title = f"{scan.body}, {case.before_mm:.0f} mm off, {case.after_mm:.1f} mm after"
    return Overlay(title, spect, (cuts[0], cuts[1], cuts[2]), (grid.spacing_mm[0], grid.spacing_mm[2]))
