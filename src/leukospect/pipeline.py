"""The order of the stages, and nothing else knows it.

acquisitions -> scatter -> uncorrected SPECT -> CT: metal reduction -> register SPECT to CT -> mu map
-> corrected SPECT -> late to early alignment -> regions -> uptake at each time -> rule -> flag
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np

from leukospect.consistency import find_motion, find_non_uniformity
from leukospect.ct.attenuation_map import is_truncated
from leukospect.ct.metal import MetalReduction, reduce_metal
from leukospect.data import CtSeries, Geometry, Image, Projections, Study
from leukospect.errors import AssumptionWarning, InputError, MissingInformationError
from leukospect.examination import corrects_alike, pair_ct, refuse_several_injections
from leukospect.interpretation.decision import apply_rule
from leukospect.interpretation.rules import load_rule
from leukospect.projector import reconstruction_geometry
from leukospect.protocol import Protocol
from leukospect.quantification.comparison import all_changes, all_ratios
from leukospect.registration import Registration, register_rigid, resample
from leukospect.spect_study import (
    PhotopeakCounts,
    Reconstructor,
    attenuation_map,
    collimator_of,
    photopeak_counts,
    prepare_reconstruction,
)
from leukospect.study_measurement import measure_planar_views, measure_spect_times, regions_of_study
from leukospect.study_result import SpectResult, StudyResult

Progress = Callable[[str, float], None]


def _silent(stage: str, fraction: float) -> None:
    """Report progress to nobody."""


def reconstruct_spect(
    projections: Projections,
    ct: CtSeries | None,
    protocol: Protocol,
    *,
    mu: Image | None = None,
    threads: int | None = None,
    progress: Progress = _silent,
) -> SpectResult:
    """Take one SPECT acquisition to its images.

    Parameters
    ----------
    projections : Projections
    ct : CtSeries or None
    protocol : Protocol
    mu : Image or None
        An attenuation map in 1/cm on any grid, instead of a CT.
    threads : int or None
    progress : function of a stage's name and the fraction of it done
    """
    settings = protocol.reconstruction
    peak = photopeak_counts(
        projections,
        scatter=settings.scatter,
        scatter_k=settings.scatter_k,
        scatter_smoothing_fwhm_mm=settings.scatter_smoothing_fwhm_mm,
        nuclide_name=protocol.nuclide,
    )
    _check_nuclide(projections, protocol)
    _warn_of_inconsistencies(projections)
    reconstructor = _prepare(projections, peak, None, protocol, threads)
    nac = reconstructor.image(peak, progress=lambda done: progress("reconstructing without attenuation", done))
    reduction = _reduced(ct, protocol, threads, progress)
    corrected_ct = None if ct is None else ct.image if reduction is None else reduction.image
    registration, note = _registered(nac, corrected_ct, protocol, progress)
    mu_map = _mu_map(projections, peak, ct, corrected_ct, registration, mu, protocol)
    recon = nac
    if mu_map is not None:
        reconstructor = _prepare(projections, peak, mu_map, protocol, threads)
        recon = reconstructor.image(peak, progress=lambda done: progress("reconstructing with attenuation", done))
    hours = projections.header.hours_after_injection
    return SpectResult(
        projections, peak, reconstructor, recon, nac, mu_map, ct, reduction, registration, note,
        None if hours is None else protocol.time_point(hours), hours, _corrections(peak, mu_map, protocol),
    )  # fmt: skip


def _check_nuclide(projections: Projections, protocol: Protocol) -> None:
    recorded = projections.header.radiopharmaceutical
    if protocol.nuclide and recorded and recorded.nuclide and recorded.nuclide != protocol.nuclide:
        raise InputError(
            f"The acquisition records {recorded.nuclide}, but the protocol '{protocol.name}' is for "
            f"{protocol.nuclide}; choose another --protocol."
        )


def _warn_of_inconsistencies(projections: Projections) -> None:
    """Tell of motion, lost views and defects of a detector: they are reconstructed as they are."""
    hours = projections.header.hours_after_injection
    which = "" if hours is None else f"SPECT at {hours:.1f} h: "
    sentences = [finding.sentence() for finding in find_motion(projections)]
    sentences += [finding.sentence() for finding in find_non_uniformity(projections)]
    for sentence in sentences:
        warnings.warn(f"{which}{sentence} Nothing was corrected.", AssumptionWarning, stacklevel=3)


def _prepare(
    projections: Projections, peak: PhotopeakCounts, mu: Image | None, protocol: Protocol, threads: int | None
) -> Reconstructor:
    settings = protocol.reconstruction
    # A name that was given is looked up even where it is not needed: a wrong one must not pass.
    named = collimator_of(projections, settings.collimator) if settings.resolution or settings.collimator else None
    return prepare_reconstruction(
        projections,
        peak,
        mu,
        named if settings.resolution else None,
        iterations=settings.iterations,
        subsets=1 if settings.algorithm == "mlem" else settings.subsets,
        post_filter_fwhm_mm=settings.post_filter_fwhm_mm,
        calibration_cps_per_mbq=settings.calibration_cps_per_mbq,
        threads=threads,
    )


def _reduced(ct: CtSeries | None, protocol: Protocol, threads: int | None, progress: Progress) -> MetalReduction | None:
    if ct is None or not protocol.metal.enabled:
        return None
    return reduce_metal(
        ct,
        method=protocol.metal.method,
        threshold_hu=protocol.metal.threshold_hu,
        threads=threads,
        progress=lambda done: progress("reducing metal artefacts", done),
    )


def _registered(
    nac: Image, ct: Image | None, protocol: Protocol, progress: Progress
) -> tuple[Registration | None, str]:
    if ct is None:
        return None, "There is no CT to register to."
    if not protocol.registration.enabled:
        return None, "The scanner's own alignment of SPECT and CT was taken; no registration was asked for."
    progress("registering SPECT to CT", 0.0)
    found = register_rigid(
        nac,
        ct,
        maximum_shift_mm=protocol.registration.maximum_shift_mm,
        maximum_rotation_deg=protocol.registration.maximum_rotation_deg,
    )
    progress("registering SPECT to CT", 1.0)
    return found, found.reason


def _mu_map(
    projections: Projections,
    peak: PhotopeakCounts,
    ct: CtSeries | None,
    corrected: Image | None,
    registration: Registration | None,
    given: Image | None,
    protocol: Protocol,
) -> Image | None:
    geometry = reconstruction_geometry(projections)
    if not protocol.attenuation.enabled:
        return None
    if given is not None:
        return _given_map(given, geometry)
    if ct is None or corrected is None:
        return None
    if is_truncated(corrected):
        warnings.warn(
            "The body reaches the edge of the CT's field of view: the attenuation map is incomplete there.",
            AssumptionWarning,
            stacklevel=2,
        )
    found = attenuation_map(
        corrected,
        ct.kvp,
        peak.energy_for("attenuation correction from CT"),
        geometry,
        spect_to_ct=None if registration is None else registration.matrix,
        smoothing_fwhm_mm=protocol.attenuation.smoothing_fwhm_mm,
        hu_table=protocol.attenuation.hu_table,
        coherent_counted=protocol.attenuation.coherent_counted,
    )
    if float(found.array.max()) <= 0:
        raise InputError(
            "The CT shows no body where the SPECT lies, so it cannot correct attenuation; check that they belong "
            "together."
        )
    return found


def _given_map(given: Image, geometry: Geometry) -> Image:
    """Bring an attenuation map that the user made to the reconstruction's grid."""
    if not np.all(np.isfinite(given.array)) or float(given.array.min()) < -0.01:
        raise InputError(
            "The attenuation map holds values below 0 or that are no numbers; give one in 1/cm, not in HU."
        )
    found = np.maximum(resample(given, geometry).array.astype(np.float32), np.float32(0))
    if float(found.max()) <= 0:
        raise InputError(
            "The attenuation map is empty where the SPECT lies; check that they belong together and its millimetres."
        )
    return Image(found, geometry, "1/cm")


def _corrections(peak: PhotopeakCounts, mu: Image | None, protocol: Protocol) -> tuple[str, ...]:
    done = [] if peak.half_life_s is None else ["DECY"]
    if mu is not None:
        done.append("ATTN")
    if peak.scatter is not None:
        done.append("SCAT")
    if protocol.reconstruction.calibration_cps_per_mbq is not None:
        done.append("DCAL")
    return tuple(done)


def run_study(
    study: Study,
    protocol: Protocol,
    *,
    regions_file: Path | None = None,
    threads: int | None = None,
    progress: Progress = _silent,
) -> StudyResult:
    """Take a whole study all the way to its flag.

    Parameters
    ----------
    study : Study
    protocol : Protocol
    regions_file : Path or None
        Regions that a reader drew, in the frame of the last SPECT; None finds them in the last SPECT.
    threads : int or None
        The result does not depend on it.
    progress : function of a stage's name and the fraction of it done

    Raises
    ------
    InputError
        The study holds nothing that can be measured.
    """
    if not study.projections and not study.planar:
        raise InputError("The study holds no SPECT projections and no planar images; there is nothing to measure.")
    refuse_several_injections(study)
    rule = load_rule(protocol.rule)
    spect = _each_spect(study, protocol, threads, progress)
    placed = regions_of_study(study, spect, protocol, regions_file, progress)
    measurements, samples = measure_spect_times(spect, placed, protocol, progress)
    measurements += measure_planar_views(study, placed, protocol)
    ratios = all_ratios(measurements, placed.regions, samples)
    changes = all_changes(ratios, measurements)
    flag = apply_rule(rule, changes, ratios, placed.regions)
    return StudyResult(
        study, protocol, spect, placed.labels, placed.regions, measurements, ratios, changes, rule, flag, placed.notes
    )


def _each_spect(study: Study, protocol: Protocol, threads: int | None, progress: Progress) -> tuple[SpectResult, ...]:
    """Reconstruct every SPECT acquisition, and check that they can be told apart by time."""
    many = len(study.projections) > 1
    scans = [pair_ct(projections, study) for projections in study.projections]
    if protocol.attenuation.enabled and not corrects_alike(study.projections, scans):
        attenuation = protocol.attenuation.model_copy(update={"enabled": False})
        protocol = protocol.model_copy(update={"attenuation": attenuation})
    results: list[SpectResult] = []
    for projections, ct in zip(study.projections, scans, strict=True):
        hours = projections.header.hours_after_injection
        if many and hours is None:
            raise MissingInformationError(
                "The study has several SPECT acquisitions but one records no injection time, so their order in time is "
                "unknown; reconstruct them one by one with `leukospect recon --injection-time`."
            )
        time_point = "" if hours is None else protocol.time_point(hours)
        if many and any(time_point == done.time_point for done in results):
            raise InputError(
                f"Two SPECT acquisitions of the study are both '{time_point}'; set time_points.delayed_from_hours or "
                "time_points.late_from_hours with --set, or take one of them out."
            )

        def report(stage: str, fraction: float, name: str = time_point) -> None:
            progress(f"{name}: {stage}" if name and many else stage, fraction)

        results.append(reconstruct_spect(projections, ct, protocol, threads=threads, progress=report))
    return tuple(results)
