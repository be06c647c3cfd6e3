"""What is in a study, for a physicist to believe or to doubt: facts, a table, small pictures. No name, no date."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from leukospect.consistency.views import views_of_heads
from leukospect.ct.reduced_before import by_whom
from leukospect.data import (
    Acquisition,
    AcquisitionHeader,
    CtSeries,
    Geometry,
    PlanarImages,
    Projections,
    ReconstructedSeries,
    Study,
)
from leukospect.physics.windows import window_roles
from leukospect.report.inspection_consistency import (
    consistency_facts,
    consistency_lines,
    planar_consistency_facts,
    planar_consistency_lines,
)
from leukospect.report.inspection_studies import ExaminationFacts
from leukospect.report.thumbnails import write_thumbnails

__all__ = ["describe", "table", "write_thumbnails"]

Facts = dict[str, object]


def describe(study: Study, examinations: Sequence[ExaminationFacts] = ()) -> list[dict[str, object]]:
    """Describe each acquisition in values that JSON can hold.

    Parameters
    ----------
    study : Study
    examinations : sequence of ExaminationFacts
        Adds whose each is, its time point, and the CT of a SPECT acquisition.

    Returns
    -------
    list of dict
        In the study's order. Every one has `number`, `kind`, `hours_after_injection`, `nuclide` and `assumptions`;
        units are in the names; what is not known is None.
    """
    return [
        {
            "number": number,
            **_belonging(number, examinations),
            **_common(acquisition.header),
            **_particular(acquisition),
            **_assumed(acquisition.header),
        }
        for number, acquisition in enumerate(study.acquisitions, start=1)
    ]


def _belonging(number: int, examinations: Sequence[ExaminationFacts]) -> Facts:
    for one in examinations:
        if number in one.acquisitions:
            facts: Facts = {
                "patient": one.patient,
                "examination": one.examination,
                "time_point": one.time_points.get(number),
            }
            return facts | ({"ct": one.ct_of[number]} if number in one.ct_of else {})
    return {}


def _common(header: AcquisitionHeader) -> Facts:
    injected = header.radiopharmaceutical
    return {
        "kind": header.kind,
        "hours_after_injection": _rounded(header.hours_after_injection, 3),
        "nuclide": injected.nuclide if injected else None,
        "tracer": injected.tracer if injected else None,
        "dose_mbq": _rounded(injected.dose_mbq, 3) if injected else None,
        "manufacturer": header.manufacturer or None,
        "model": header.model or None,
        "patient_position": header.patient_position or None,
        "corrections": list(header.corrections),
        "files": len(header.sources),
    }


def _assumed(header: AcquisitionHeader) -> Facts:
    return {"assumptions": list(header.assumptions)}


def _particular(acquisition: Acquisition) -> Facts:
    if isinstance(acquisition, Projections):
        return _projections(acquisition)
    if isinstance(acquisition, PlanarImages):
        return _planar(acquisition)
    if isinstance(acquisition, CtSeries):
        return _ct(acquisition)
    return _reconstructed(acquisition)


def _projections(acquisition: Projections) -> Facts:
    orbit, header = acquisition.orbit, acquisition.header
    heads = views_of_heads(acquisition)
    steps = [(np.diff(orbit.angles_deg[head]) + 180.0) % 360.0 - 180.0 for head in heads]
    step = float(np.median(np.abs(np.concatenate(steps)))) if any(part.size for part in steps) else 0.0
    turning = {int(np.sign(value)) for part in steps for value in part if value}
    radii = orbit.radii_mm
    z_top = acquisition.first_row_z_mm
    z_bottom = z_top - (acquisition.counts.shape[2] - 1) * acquisition.pixel_mm[0]
    end = acquisition.view_start_s + acquisition.view_duration_s
    return {
        "collimator": header.collimator or None,
        "windows": _windows(acquisition),
        "summed_frames": acquisition.summed_frames,
        "heads": len(heads),
        "views": orbit.views,
        "start_angles_deg": [_rounded(float(orbit.angles_deg[head[0]]), 2) for head in heads],
        "step_deg": _rounded(step, 3),
        "arc_per_head_deg": _rounded(max(step * head.size for head in heads), 2),
        "direction": {1: "CC", -1: "CW"}.get(turning.pop() if len(turning) == 1 else 0, "mixed"),
        "radius_mm": None if radii is None else [_rounded(float(radii.min()), 1), _rounded(float(radii.max()), 1)],
        "matrix": list(acquisition.counts.shape[2:]),
        "pixel_mm": [_rounded(value, 4) for value in acquisition.pixel_mm],
        "seconds_per_view": _rounded(float(np.median(acquisition.view_duration_s)), 3),
        "duration_s": _rounded(float(end.max() - acquisition.view_start_s.min()), 2),
        "axis_mm": [_rounded(value, 2) for value in acquisition.axis_mm],
        "rows_z_mm": [_rounded(z_top, 2), _rounded(z_bottom, 2)],
        "centre_offset_mm": None
        if orbit.centre_offset_mm is None
        else sorted({float(v) for v in orbit.centre_offset_mm}),
        "frame_of_reference": header.frame_of_reference_uid is not None,
        **consistency_facts(acquisition),
    }


def _planar(acquisition: PlanarImages) -> Facts:
    return {
        "collimator": acquisition.header.collimator or None,
        "windows": _windows(acquisition),
        "summed_frames": acquisition.summed_frames,
        "view_names": list(acquisition.view_names),
        "counts_per_view": [float(value) for value in acquisition.counts[0].sum(axis=(1, 2), dtype=np.float64)],
        "matrix": list(acquisition.counts.shape[2:]),
        "pixel_mm": [_rounded(value, 4) for value in acquisition.pixel_mm],
        "duration_s": _rounded(float(acquisition.view_duration_s.max()), 3),
        "placed": acquisition.first_pixel_mm is not None,
        **planar_consistency_facts(acquisition),
    }


def _ct(acquisition: CtSeries) -> Facts:
    return {
        "kvp": acquisition.kvp,
        "kernel": acquisition.kernel or None,
        "slice_thickness_mm": acquisition.slice_thickness_mm,
        "saturated_voxels": acquisition.saturated_voxels,
        "metal_reduction": acquisition.metal_reduction or None,
        **_volume(acquisition.image.geometry),
        "range_hu": [float(acquisition.image.array.min()), float(acquisition.image.array.max())],
    }


def _reconstructed(acquisition: ReconstructedSeries) -> Facts:
    return {
        "collimator": acquisition.header.collimator or None,
        "unit": acquisition.image.unit or None,
        **_volume(acquisition.image.geometry),
        "maximum": float(acquisition.image.array.max()),
        "frame_duration_s": acquisition.frame_duration_s,
        "counting_time_s": acquisition.counting_time_s,
        "attenuation": {True: "corrected", False: "not corrected", None: None}[acquisition.attenuation_corrected],
        "decay_corrected_to": acquisition.decay_reference,
    }


def _volume(geometry: Geometry) -> Facts:
    corners = np.array([[k, j, i] for k in (0, 1) for j in (0, 1) for i in (0, 1)]) * (np.array(geometry.shape) - 1)
    points = geometry.to_lps(corners)
    extent = {
        axis: [_rounded(float(points[:, n].min()), 2), _rounded(float(points[:, n].max()), 2)]
        for n, axis in enumerate("xyz")
    }
    return {
        "slices": geometry.shape[0],
        "matrix": list(geometry.shape[1:]),
        "spacing_mm": [_rounded(value, 4) for value in geometry.spacing_mm],
        "extent_mm": extent,
        "frame_of_reference": geometry.frame_of_reference_uid is not None,
    }


def _windows(acquisition: Projections | PlanarImages) -> list[Facts]:
    windows, header = acquisition.energy_windows, acquisition.header
    totals = acquisition.counts.sum(axis=(1, 2, 3), dtype=np.float64)
    injected = [header.radiopharmaceutical, *header.other_radiopharmaceuticals]
    roles = window_roles(windows, tuple(one.nuclide for one in injected if one is not None and one.nuclide))
    return [
        {
            "ranges_kev": [list(limits) for limits in window.ranges_kev] if window.is_recorded else [],
            "counts": float(total),
            "role": role or None,
        }
        for window, total, role in zip(windows, totals, roles, strict=True)
    ]


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(float(value), digits) + 0.0


@dataclass(frozen=True, slots=True)
class _Line:
    label: str
    words: Callable[[Any], str]


_LINES = {
    "collimator": _Line("collimator", str),
    "dose_mbq": _Line("dose", lambda dose: f"{dose:g} MBq"),
    "patient_position": _Line("position", str),
    "view_names": _Line("views", ", ".join),
    "summed_frames": _Line("frames", lambda frames: f"{frames} gates or time frames, added up here"),
    "kvp": _Line("tube voltage", lambda kvp: f"{kvp:g} kV"),
    "kernel": _Line("kernel", str),
    "slice_thickness_mm": _Line("thickness", lambda thickness: f"{thickness:g} mm"),
    "extent_mm": _Line(
        "extent", lambda e: ", ".join(f"{a} {low:g} to {high:g}" for a, (low, high) in e.items()) + " mm"
    ),
    "saturated_voxels": _Line("cut off", lambda voxels: f"{voxels:,} voxels at the top of a 12-bit scale"),
    "metal_reduction": _Line("metal", lambda name: f"artefacts reduced {by_whom(name)}"),
    "range_hu": _Line("values", lambda limits: f"{limits[0]:g} to {limits[1]:g} HU"),
    "unit": _Line("unit", str),
    "frame_duration_s": _Line("frame", lambda duration: f"{duration:g} s"),
    "counting_time_s": _Line("counted for", lambda duration: f"{duration:g} s"),
    "attenuation": _Line("attenuation", str),
    "corrections": _Line("corrected for", ", ".join),
    "axis_mm": _Line("axis", lambda axis: f"x {axis[0]:g}, y {axis[1]:g} mm"),
    "rows_z_mm": _Line("rows", lambda rows: f"z {rows[0]:g} (first) to {rows[1]:g} mm"),
}


def table(study: Study, examinations: Sequence[ExaminationFacts] = ()) -> str:
    """Lay out a study as plain text: each acquisition's facts, what will be assumed for it, and then the problems."""
    headings = {one.acquisitions[0]: "\n".join(one.lines()) for one in examinations}
    blocks = []
    for number, facts in enumerate(describe(study, examinations), start=1):
        blocks += [headings[number]] if number in headings else []
        blocks.append(_block(facts))
    if study.problems:
        blocks.append("\n".join(["Problems", *(f"  ! {problem}" for problem in study.problems)]))
    return "\n\n".join(blocks) + "\n"


def _block(facts: Facts) -> str:
    hours, nuclide = facts["hours_after_injection"], facts["nuclide"]
    title = f"{facts['number']}  {facts['kind']}"
    if nuclide:
        title += f"  {nuclide}"
    if facts["tracer"] in ("leukocytes", "colloid"):
        title += f"  {facts['tracer']}"
    if facts["kind"] != "CT" or hours is not None:
        point = f"  {facts['time_point']}," if facts.get("time_point") else ""
        title += "  time after injection unknown" if hours is None else f"{point}  {hours:.2f} h after injection"
    camera = " ".join(str(facts[key]) for key in ("manufacturer", "model") if facts[key])
    lines = [("camera", camera)] if camera else []
    if "views" in facts:
        lines += _orbit_lines(facts)
    lines.append(("matrix", _matrix(facts)))
    for window in _items(facts.get("windows")):
        ranges = " + ".join(f"{low:g}-{high:g}" for low, high in _items(window["ranges_kev"]))
        limits = f"{ranges} keV" if window["ranges_kev"] else "limits not recorded"
        role = f"  {window['role']}" if window["role"] else ""
        lines.append(("window", f"{limits}  {window['counts']:,.0f} counts{role}"))
    if facts.get("duration_s"):
        each = f", {facts['seconds_per_view']:g} s a view" if "seconds_per_view" in facts else ""
        lines.append(("duration", f"{facts['duration_s']:g} s{each}"))
    lines += [
        (line.label, line.words(facts[key]))
        for key, line in _LINES.items()
        if facts.get(key) and (key, facts[key]) != ("summed_frames", 1)
    ]
    if "ct" in facts:
        lines.append(("CT", f"acquisition {facts['ct']}" if facts["ct"] else "none that belongs to it"))
    if "motion" in facts:
        lines += consistency_lines(facts)
    elif "injection_site" in facts:
        lines += planar_consistency_lines(facts)
    lines += [("assumed", str(sentence)) for sentence in _items(facts["assumptions"])]
    return "\n".join([title, *(f"   {label:<14}{words}" for label, words in lines)])


def _items(value: object) -> list[Any]:
    return list(value) if isinstance(value, (list, tuple)) else []


def _matrix(facts: Facts) -> str:
    rows, columns = _items(facts["matrix"])
    if "slices" in facts:
        spacing = " x ".join(f"{value:.4g}" for value in _items(facts["spacing_mm"]))
        return f"{facts['slices']} slices x {rows} rows x {columns} columns, {spacing} mm"
    down, across = _items(facts["pixel_mm"])
    return f"{rows} rows x {columns} columns, {down:g} x {across:g} mm"


def _orbit_lines(facts: Facts) -> list[tuple[str, str]]:
    starts = ", ".join(f"{angle:g}" for angle in _items(facts["start_angles_deg"]))
    radius = _items(facts["radius_mm"])
    if not radius:
        distance = "not recorded"
    else:
        distance = f"{radius[0]:g} mm" if radius[0] == radius[1] else f"{radius[0]:g} to {radius[1]:g} mm"
    return [
        (
            "views",
            f"{facts['views']} by {facts['heads']} head(s), {facts['step_deg']:g} degrees apart, {facts['direction']}",
        ),
        ("orbit", f"{facts['arc_per_head_deg']:g} degrees a head from {starts}; radius {distance}"),
    ]
