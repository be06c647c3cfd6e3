"""What the report of a study, or of a single reconstruction, is told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from leukospect import __version__
from leukospect.ct.metal_summary import metal_summary
from leukospect.data import AcquisitionHeader, Image, PlanarImages
from leukospect.interpretation.marrow import discordances
from leukospect.interpretation.rule import Rule
from leukospect.joint_peaks import shares_in_words
from leukospect.physics.decay import decay_factor
from leukospect.physics.nuclides import nuclide
from leukospect.physics.tracers import TRACER_WORDS
from leukospect.physics.windows import find_photopeaks
from leukospect.protocol import Protocol
from leukospect.report.content import MarrowShown, PlanarPictures, ReportContent, SpectPictures
from leukospect.study_result import MarrowScan, MeasuredCounts, SpectResult, StudyResult, ViewMasks

_SOFTWARE = f"leukospect {__version__}"


def study_content(result: StudyResult, warnings: Sequence[str]) -> ReportContent:
    """Gather the report of a whole study."""
    facts = _facts_of_all(result.spect)
    if result.spect:
        facts["SPECT at"] = ", ".join(_when(spect.hours) for spect in result.spect)
    if result.study.planar:
        facts["Planar views at"] = ", ".join(_when(p.header.hours_after_injection) for p in result.study.planar)
    for name, note in result.notes.items():
        facts[name[:1].upper() + name[1:]] = note
    labels: Sequence[Image | None] = result.labels if result.spect else ()
    return ReportContent(
        title="Labelled-leukocyte study",
        facts=facts,
        spect=tuple(spect_pictures(spect, label) for spect, label in zip(result.spect, labels, strict=True)),
        planar=_planar_series(result.study.planar, result.planar_masks, result.protocol),
        regions=result.regions,
        measurements=result.measurements,
        ratios=result.ratios,
        changes=result.changes,
        flag=result.flag,
        rule=_rule_facts(result.rule),
        warnings=tuple(warnings),
        settings=flat_settings(result.protocol),
        software=_SOFTWARE,
        only_ratios=result.only_ratios,
        effect=result.effect,
        sensitivity=result.sensitivity,
        locations=result.locations,
        marrow=None if result.marrow is None else _marrow_shown(result.marrow, result),
    )


def _marrow_shown(marrow: MarrowScan, result: StudyResult) -> MarrowShown:
    """Gather what the report shows of a marrow scan, apart from the leukocytes."""
    labels: Sequence[Image | None] = marrow.labels or (None,) * len(marrow.spect)
    facts = _facts_of_all(marrow.spect)
    if marrow.spect:
        facts["SPECT at"] = ", ".join(f"{_when(one.hours)} after the colloid" for one in marrow.spect)
    if marrow.planar:
        hours = [_when(one.header.hours_after_injection) for one in marrow.planar]
        facts["Planar views at"] = ", ".join(f"{one} after the colloid" for one in hours)
    facts |= {name[:1].upper() + name[1:]: note for name, note in marrow.notes.items()}
    return MarrowShown(
        facts=facts,
        spect=tuple(spect_pictures(one, label) for one, label in zip(marrow.spect, labels, strict=True)),
        planar=_planar_series(marrow.planar, marrow.planar_masks, result.protocol.model_copy(update={"nuclide": None})),
        measurements=marrow.measurements,
        compared=discordances(result.ratios, marrow.ratios),
    )


def reconstruction_content(result: SpectResult, protocol: Protocol, warnings: Sequence[str]) -> ReportContent:
    """Gather the report of a single reconstruction."""
    return ReportContent(
        title="SPECT reconstruction",
        facts=spect_facts(result),
        spect=(spect_pictures(result, None),),
        warnings=tuple(warnings),
        settings=flat_settings(protocol),
        software=_SOFTWARE,
    )


def _facts_of_all(spect: Sequence[SpectResult]) -> dict[str, str]:
    """Tell what the acquisitions have in common once, and what differs with its time."""
    each = [(f"{_when(one.hours)}: ", spect_facts(one)) for one in spect]
    names = dict.fromkeys(name for _, facts in each for name in facts)
    together: dict[str, str] = {}
    for name in names:
        values = [facts.get(name, "none") for _, facts in each]
        alike = len(set(values)) == 1
        parts = [when + value for (when, _), value in zip(each, values, strict=True)]
        together[name] = values[0] if alike else "; ".join(part.rstrip(".") for part in parts)
    return together


def _when(hours: float | None) -> str:
    return "an unknown time" if hours is None else f"{hours:.1f} h"


def spect_facts(result: SpectResult) -> dict[str, str]:
    """Tell in words what was acquired and reconstructed."""
    injected = result.header.radiopharmaceutical
    facts = {"Nuclide": result.nuclide.name if result.nuclide else "not recorded"}
    if injected is not None and (injected.nuclide or injected.tracer != "unknown"):
        words = (injected.nuclide, "" if injected.tracer == "unknown" else TRACER_WORDS[injected.tracer])
        facts["Radiopharmaceutical"] = ", ".join(word for word in words if word)
    if injected is not None and injected.dose_mbq is not None:
        facts["Injected activity"] = f"{injected.dose_mbq:g} MBq"
    if result.counts is not None:
        facts |= _facts_of_counts(result.counts)
    else:
        facts["Reconstructed by"] = _camera(result.header)
        facts["Unit"] = result.recon.unit
    facts["Collimator"] = result.header.collimator or "not recorded"
    facts["Corrections"] = ", ".join(result.corrections) or "none recorded"
    if result.ct is not None:
        kvp = "unknown" if result.ct.kvp is None else f"{result.ct.kvp:g} kV"
        facts["CT"] = f"{result.ct.image.geometry.shape[0]} slices, {kvp}"
    if result.reduction is not None:
        facts["Metal reduction"] = metal_summary(result.reduction).sentence()
    facts["Alignment to CT"] = result.registration_note
    return facts


def _facts_of_counts(measured: MeasuredCounts) -> dict[str, str]:
    views = measured.projections.orbit.views
    rows, columns = measured.projections.counts.shape[2:]
    axial, transverse = measured.projections.pixel_mm
    facts = {
        "Projections": f"{views} views of {rows} x {columns} pixels of {axial:.2f} x {transverse:.2f} mm",
        "Photopeak counts": f"{float(measured.peak.counts.sum(dtype=np.float64)):,.0f}",
        "Scatter": measured.peak.scatter_method,
    }
    shares = shares_in_words(measured.peak, measured.reconstructor.shares)
    return facts | ({"Photopeaks' shares of the counts": shares} if shares else {})


def _camera(header: AcquisitionHeader) -> str:
    named = " ".join(part for part in (header.manufacturer, header.model) if part)
    return f"the camera's own software ({named})" if named else "others, before it came here"


def spect_pictures(result: SpectResult, labels: Image | None) -> SpectPictures:
    """Hand one time point's volumes to the report."""
    return SpectPictures(
        time_point=result.time_point or "SPECT",
        hours=float("nan") if result.hours is None else result.hours,
        recon=result.recon,
        recon_nac=None if result.recon_nac is result.recon else result.recon_nac,
        ct=None if result.ct is None else result.ct.image,
        ct_reduced=None if result.reduction is None else result.reduction.image,
        metal=None if result.reduction is None else result.reduction.metal,
        recon_on_ct=result.recon_on_ct(),
        regions=labels,
        registration=result.registration_note,
        decay_to_injection=result.decay_to_injection,
        spect_to_ct=result.spect_to_ct,
        refers_to=result.refers_to,
        mu_map=result.mu_map,
        mu_map_as_scanned=None if result.as_scanned is None else result.as_scanned.mu_map,
        recon_as_scanned=None if result.as_scanned is None else result.as_scanned.recon,
        metal_summary=None if result.reduction is None else metal_summary(result.reduction),
    )


def _planar_series(
    planar: Sequence[PlanarImages], masks: Sequence[ViewMasks], protocol: Protocol
) -> tuple[PlanarPictures, ...]:
    shown = masks or ({},) * len(planar)
    return tuple(planar_pictures(one, protocol, where) for one, where in zip(planar, shown, strict=True))


def planar_pictures(planar: PlanarImages, protocol: Protocol, masks: ViewMasks) -> PlanarPictures:
    """Hand one time point's planar views to the report, with where regions were measured in them."""
    recorded = planar.header.radiopharmaceutical
    named = protocol.nuclide or (recorded.nuclide if recorded else None)
    hours = planar.header.hours_after_injection
    window, decay = 0, 1.0
    if named is not None:
        source = nuclide(named)
        window = find_photopeaks(planar.energy_windows, source)[-1].peak
        if hours is not None:
            decay = 1.0 / decay_factor(source.half_life_s, hours * 3600.0)
    return PlanarPictures(
        "planar" if hours is None else protocol.time_point(hours),
        float("nan") if hours is None else hours,
        planar,
        window,
        decay,
        masks,
    )


def _rule_facts(rule: Rule) -> Mapping[str, object]:
    return {
        "name": rule.name,
        "title": rule.title,
        "criterion": _criterion(rule),
        "source": rule.source,
        "sensitivity": rule.sensitivity,
        "specificity": rule.specificity,
        "accuracy": rule.accuracy,
        "evidence": rule.evidence,
        "from_time": rule.from_time,
        "to_time": rule.to_time,
    }


def _criterion(rule: Rule) -> str:
    if rule.marrow:
        return (
            f"positive when the leukocytes' ratio to the reference exceeds the colloid's by more than "
            f"{rule.threshold:.0%}, interval and all; negative when it does not, or where there is no uptake above the "
            f"reference; else equivocal. The {rule.to_time} leukocyte images are compared"
        )
    if rule.ratio_above is not None:
        return (
            f"positive when the lesion-to-reference ratio of the {rule.to_time} images is above {rule.ratio_above:g}, "
            f"interval and all: bone where it grew from the {rule.from_time} ones, soft tissue where it did not; "
            "negative when it is not above and did not grow; else equivocal"
        )
    negative = "negative when it falls by more, or where there is no uptake above the reference"
    if rule.cut_off:
        negative = "negative when it does not, interval and all"
    return (
        f"positive when the lesion-to-reference ratio grows by more than {rule.threshold:.0%} from the "
        f"{rule.from_time} to the {rule.to_time} images, interval and all; {negative}; else equivocal"
    )


def flat_settings(protocol: Protocol) -> dict[str, str]:
    """Lay a protocol out as ``section.key`` to text."""
    flat = {}
    for name, value in protocol.model_dump().items():
        if isinstance(value, dict):
            flat.update({f"{name}.{key}": str(inner) for key, inner in value.items()})
        else:
            flat[name] = str(value)
    return flat
