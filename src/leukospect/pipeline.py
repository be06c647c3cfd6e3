"""The order of the stages, and nothing else knows it.

acquisitions -> scatter -> uncorrected SPECT -> CT: metal reduction -> register SPECT to CT -> mu map
-> corrected SPECT -> late to early alignment -> regions -> uptake at each time -> marrow scan in the same regions
-> rule -> flag
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

from leukospect.acquisition_checks import check_nuclide, field_as_recorded, warn_of_inconsistencies
from leukospect.alignment_sensitivity import deviations_of_ratios, sensitivity_to_alignment
from leukospect.attenuation_effect import effect_on_study, with_ct_as_scanned
from leukospect.ct_stages import (
    attenuation_maps_for,
    field_with_body,
    metal_of_ct,
    outline_of_ct,
    reduced_ct,
    refuse_without_effective_mu,
    registered_to_ct,
)
from leukospect.data import CtSeries, Image, Projections, Study
from leukospect.drawn_regions import open_regions
from leukospect.errors import AssumptionWarning, InputError, LeukospectError, MissingInformationError
from leukospect.examination import comparable, marrow_of, pair_ct, refuse_several_injections, with_tracers_apart
from leukospect.field_of_view import find_field_of_view
from leukospect.interpretation.decision import apply_rule
from leukospect.interpretation.map_effect import mark_dependence
from leukospect.interpretation.rules import load_rule
from leukospect.joint_peaks import say_shares
from leukospect.marrow_scan import carried_to_marrow, colloid_protocol, measure_marrow_views
from leukospect.physics.acquisition_time import TIMINGS
from leukospect.physics.decay import decay_factor
from leukospect.physics.nuclides import nuclide
from leukospect.planar_checks import PLANAR, check_planar
from leukospect.protocol import Protocol
from leukospect.quantification.comparison import all_changes, all_ratios
from leukospect.reconstructed_spect import decay_to_injection, taken_image, values_refer_to
from leukospect.resampling import counted_peaks
from leukospect.spect_algorithms import ReconstructionLog
from leukospect.spect_settings import corrections_made, prepared, takes_effective_mu
from leukospect.spect_sources import (
    SpectSource,
    VendorSpect,
    corrected_alike,
    only_ratios,
    say_what_differs,
    spect_sources,
    when,
)
from leukospect.study_measurement import PlacedRegions, measure_planar_views, measure_spect_times, regions_of_study
from leukospect.study_overview import timing_of_kinds
from leukospect.study_result import MarrowScan, MeasuredCounts, SpectResult, StudyResult

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
    settings, effective = protocol.reconstruction, takes_effective_mu(protocol, ct, mu)
    peak = counted_peaks(projections, protocol, scatter_stays=effective)
    if effective:
        refuse_without_effective_mu(peak)
    check_nuclide(projections.header, protocol)
    warn_of_inconsistencies(projections)
    # A quick look takes the columns as they are: without them filtered views would end in steps all the same.
    quick = settings.algorithm == "fbp"
    field = field_as_recorded(projections, peak) if quick else find_field_of_view(projections, peak)
    reconstructor = prepared(projections, peak, None, field, protocol, threads)
    log = ReconstructionLog(settings.objective)
    nac = reconstructor.image(peak, progress=lambda done: progress("reconstructing without attenuation", done), log=log)
    reduction = reduced_ct(ct, protocol, threads, progress)
    corrected_ct = None if ct is None else ct.image if reduction is None else reduction.image
    registration, note = registered_to_ct(nac, corrected_ct, protocol, threads, progress)
    if not quick:
        field = field_with_body(projections, field, corrected_ct, registration, mu, protocol)
    made = attenuation_maps_for(
        field.widened(projections), peak, ct, corrected_ct, registration, mu, protocol,
        metal=None if mu is not None else metal_of_ct(ct, reduction, protocol), nac=nac,
    )  # fmt: skip
    recon, mu_map, as_scanned = nac, None, None
    if made is not None:
        mu_map = field.cropped(made.maps[peak.main])
        reconstructor = prepared(projections, peak, made.maps, field, protocol, threads)
        log = ReconstructionLog(settings.objective)
        recon = reconstructor.image(
            peak, progress=lambda done: progress("reconstructing with attenuation", done), log=log
        )
        if mu is None:
            as_scanned = with_ct_as_scanned(
                projections, peak, ct, reduction, registration, (recon, made.maps), field, protocol,
                nac=nac, threads=threads, progress=progress,
            )  # fmt: skip
    if not quick:
        say_shares(peak, reconstructor.shares)
    hours = projections.header.hours_after_injection
    decay = None
    if hours is not None and peak.half_life_s is not None:
        decay = 1.0 / decay_factor(peak.half_life_s, hours * 3600.0)
    return SpectResult(
        header=projections.header,
        recon=recon,
        recon_nac=nac,
        mu_map=mu_map,
        anatomy=mu_map,
        ct=ct,
        reduction=reduction,
        registration=registration,
        registration_note=note,
        time_point=None if hours is None else protocol.time_point(hours),
        hours=hours,
        corrections=corrections_made(peak, mu_map, protocol),
        nuclide=peak.nuclide,
        decay_to_injection=decay,
        counts=MeasuredCounts(projections, peak, reconstructor, () if made is None else tuple(made.maps)),
        log=log,
        map_notes={} if made is None else made.notes,
        as_scanned=as_scanned,
    )


def take_vendor_spect(
    vendor: VendorSpect,
    ct: CtSeries | None,
    protocol: Protocol,
    *,
    threads: int | None = None,
    progress: Progress = _silent,
) -> SpectResult:
    """Take one SPECT acquisition as its camera reconstructed it, and bring it together with its CT.

    Parameters
    ----------
    vendor : VendorSpect
    ct : CtSeries or None
        For fusion, the body's outline and the alignment of times; attenuation is corrected already or not at all.
    protocol : Protocol
    threads : int or None
    progress : function of a stage's name and the fraction of it done
    """
    series, header = vendor.series, vendor.header
    at, hours = when(header), header.hours_after_injection
    check_nuclide(header, protocol)
    recorded = header.radiopharmaceutical.nuclide if header.radiopharmaceutical else None
    name = protocol.nuclide or recorded
    source = None if name is None else nuclide(name)
    warnings.warn(
        f"The SPECT {at} is taken as its camera reconstructed it: the settings of reconstruction do not apply to it, "
        "and without projections its uncertainty is not known, so that no rule can decide by its ratios.",
        AssumptionWarning,
        stacklevel=2,
    )
    recon = taken_image(series, at)
    nac = recon if series.attenuation_corrected is False else None
    if vendor.uncorrected is not None:
        nac = taken_image(vendor.uncorrected, f"{at} without attenuation correction")
    reduction = reduced_ct(ct, protocol, threads, progress)
    corrected_ct = None if ct is None else ct.image if reduction is None else reduction.image
    registration, note = registered_to_ct(
        recon if nac is None else nac, corrected_ct, protocol, threads, progress,
        attenuated=nac is not None or not series.attenuation_corrected,
    )  # fmt: skip
    corrections = tuple(c for c in header.corrections if c != "ATTN")
    return SpectResult(
        header=header,
        recon=recon,
        recon_nac=nac,
        mu_map=None,
        anatomy=None if ct is None else outline_of_ct(ct, corrected_ct, registration, recon.geometry, source, protocol),
        ct=ct,
        reduction=reduction,
        registration=registration,
        registration_note=note,
        time_point=None if hours is None else protocol.time_point(hours),
        hours=hours,
        corrections=(*corrections, "ATTN") if series.attenuation_corrected else corrections,
        nuclide=source,
        decay_to_injection=decay_to_injection(series, source, hours, at),
        refers_to=values_refer_to(series),
    )


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
        Regions that a reader drew, in the frame of the last SPECT or on its CT; None finds them in the last SPECT.
    threads : int or None
        The result does not depend on it.
    progress : function of a stage's name and the fraction of it done

    Raises
    ------
    InputError
        The study holds nothing that can be measured.
    """
    study = with_tracers_apart(study)
    colloid = marrow_of(study, sum_frames=protocol.sum_frames)
    study = comparable(study, sum_frames=protocol.sum_frames)
    sources = spect_sources(study, protocol)
    if not sources and not study.planar:
        raise InputError(
            "The study holds no SPECT, raw or reconstructed, and no planar images; there is nothing to measure."
        )
    refuse_several_injections([one.header for one in (*sources, *study.planar)])
    drawn = None if regions_file is None else open_regions(regions_file)
    rule = load_rule(protocol.rule)
    spect = _each_spect(study, sources, protocol, threads, progress)
    relative = only_ratios(spect)
    if relative:
        warnings.warn(
            f"The SPECT of several times is compared by ratios only: {relative}. A lesion's own change and the change "
            "of its size are not given.",
            AssumptionWarning,
            stacklevel=2,
        )
    placed = regions_of_study(study, spect, protocol, drawn, progress)
    measurements, samples = measure_spect_times(spect, placed, protocol, progress, same_scale=not relative)
    of_planar = measure_planar_views(study, placed, protocol)
    measurements += of_planar.measurements
    alignments = (*placed.alignments, *of_planar.alignments)
    sensitivity = sensitivity_to_alignment(spect, placed, protocol, threads, progress, of_planar=of_planar.effects)
    deviations = deviations_of_ratios(sensitivity, spect, placed, of_planar.alignments)
    ratios = all_ratios(measurements, placed.regions, samples, deviations)
    apart = [*(["spect"] if relative else []), *(PLANAR if check_planar(study.planar, placed, protocol) else [])]
    changes = all_changes(ratios, measurements, only_ratios=apart)
    marrow = None if colloid is None else _marrow_scan(colloid, study, spect, placed, protocol, threads, progress)
    of_marrow = () if marrow is None else marrow.ratios
    flag = apply_rule(rule, changes, ratios, placed.regions, of_marrow)
    effect = effect_on_study(
        spect, placed, samples, measurements, rule,
        same_scale=not relative, marrow=of_marrow, deviations=deviations,
    )  # fmt: skip
    if effect is not None:
        flag = mark_dependence(flag, effect.flags)
    return StudyResult(
        study, protocol, spect, placed.labels, placed.regions, measurements, ratios, changes, rule, flag,
        {**placed.notes, **{one.name: one.note for one in of_planar.alignments}, **_timing_notes(study)}, relative,
        effect, sensitivity, tuple(one.values for one in alignments), marrow, placed.locations, of_planar.masks,
    )  # fmt: skip


def _marrow_scan(
    colloid: Study,
    study: Study,
    spect: tuple[SpectResult, ...],
    placed: PlacedRegions,
    protocol: Protocol,
    threads: int | None,
    progress: Progress,
) -> MarrowScan | None:
    """Take a marrow colloid through the same stages, in the leukocytes' regions; leave out what cannot be measured."""
    own = colloid_protocol(protocol)
    try:
        sources = spect_sources(colloid, own)
        refuse_several_injections([one.header for one in (*sources, *colloid.planar)])
        images = _each_spect(
            colloid, sources, own, threads, lambda stage, done: progress(f"marrow scan: {stage}", done)
        )
        there = carried_to_marrow(placed, spect, images, protocol, progress)
        measurements, samples = measure_spect_times(images if there.labels else (), there, own, progress)
        of_planar = measure_marrow_views(colloid, study, placed, (own, protocol))
    except LeukospectError as error:
        warnings.warn(f"The marrow scan is left out: {error}", AssumptionWarning, stacklevel=2)
        return None
    measurements += of_planar.measurements
    alignments = (*there.alignments, *of_planar.alignments)
    return MarrowScan(
        images, colloid.planar, there.labels, measurements, all_ratios(measurements, placed.regions, samples),
        tuple(one.values for one in alignments), {one.name: one.note for one in alignments}, of_planar.masks,
    )  # fmt: skip


def _timing_notes(study: Study) -> dict[str, str]:
    """Say how the times of each kind of image were counted; rates are decay-corrected whichever it is."""
    kinds = timing_of_kinds(study.acquisitions)
    return {f"times of {kind}": TIMINGS[timing] for kind, timing in kinds.items() if timing in TIMINGS}


def _each_spect(
    study: Study, sources: Sequence[SpectSource], protocol: Protocol, threads: int | None, progress: Progress
) -> tuple[SpectResult, ...]:
    """Take every SPECT acquisition to its images, and check that they can be told apart by time."""
    many = len(sources) > 1
    scans = [pair_ct(source.series if isinstance(source, VendorSpect) else source, study) for source in sources]
    sources, enabled = corrected_alike(sources, scans, protocol.attenuation.enabled)
    if enabled != protocol.attenuation.enabled:
        attenuation = protocol.attenuation.model_copy(update={"enabled": enabled})
        protocol = protocol.model_copy(update={"attenuation": attenuation})
    results: list[SpectResult] = []
    for source, ct in zip(sources, scans, strict=True):
        hours = source.header.hours_after_injection
        if many and hours is None:
            raise MissingInformationError(
                "The study has several SPECT acquisitions but one records no injection time, so their order in time is "
                "unknown; tell it with --injection-time."
            )
        time_point = "" if hours is None else protocol.time_point(hours)
        if many and any(time_point == done.time_point for done in results):
            raise InputError(
                f"Two SPECT acquisitions of the study are both '{time_point}'; set time_points.delayed_from_hours or "
                "time_points.late_from_hours with --set, or take one of them out."
            )

        def report(stage: str, fraction: float, name: str = time_point) -> None:
            progress(f"{name}: {stage}" if name and many else stage, fraction)

        if isinstance(source, Projections):
            results.append(reconstruct_spect(source, ct, protocol, threads=threads, progress=report))
        else:
            results.append(take_vendor_spect(source, ct, protocol, threads=threads, progress=report))
    say_what_differs(results)
    return tuple(results)
