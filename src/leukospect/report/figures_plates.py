"""Which figures a report has, each with its caption; a figure whose data are missing is replaced by a sentence."""

from __future__ import annotations

import base64
from dataclasses import dataclass, replace

from matplotlib.figure import Figure

from leukospect.report.content import ReportContent, SpectPictures, driving_lesion, when
from leukospect.report.figures_alignment import OUTLINE_FWHM_MM, alignment_check
from leukospect.report.figures_canvas import png
from leukospect.report.figures_correction import correction_beside
from leukospect.report.figures_effect import metal_effect
from leukospect.report.figures_focus import Focus, focus_of, focus_on, in_time_order
from leukospect.report.figures_fused import fused_slices
from leukospect.report.figures_metal import metal_reduction
from leukospect.report.figures_mip import decay_factors, mip_angles, mip_series
from leukospect.report.figures_planar import planar_series
from leukospect.report.figures_ratios import ratio_curves
from leukospect.report.figures_rendered import rendered_views
from leukospect.report.figures_streaks import streaks_by_slice
from leukospect.report.rendered_scene import BONE_HU, UPTAKE_FWHM_MM
from leukospect.report.rendering import UPTAKE_BEHIND, UPTAKE_HALVED_MM


@dataclass(frozen=True, slots=True)
class Plate:
    """A figure as it stands in the page: a PNG data URI (empty: nothing to show) and its caption."""

    uri: str
    caption: str
    title: str


def _plate(figure: Figure, title: str, caption: str) -> Plate:
    return Plate("data:image/png;base64," + base64.b64encode(png(figure)).decode("ascii"), caption, title)


def _nothing(title: str, why: str) -> Plate:
    return Plate("", why, title)


def planar_plates(content: ReportContent) -> tuple[Plate, ...]:
    """Give the planar series."""
    title = "Planar images"
    if not content.planar:
        return (_nothing(title, "No planar images were given."),)
    planar_in_order = in_time_order(content.planar)
    caption = "One intensity scale for every picture; rates are decay-corrected to the injection."
    if all(p.decay_to_injection == 1.0 for p in content.planar):
        caption = "One intensity scale for every picture; rates are not decay-corrected, as no injection time is known."
    caption += " Pixels hotter than the 99.8th percentile of the series are black."
    plain = _plate(planar_series(planar_in_order), title, caption)
    if not any(masks for one in content.planar for masks in one.masks.values()):
        return (plain,)
    where = "The same, with where each region was measured: lesions solid, references dashed"
    likely = any(region.role == "physiological" for region in content.regions)
    where += ", what is physiological dotted and without its name." if likely else "."
    return plain, _plate(planar_series(planar_in_order, content.regions), "Where planar images were measured", where)


def spect_plates(content: ReportContent) -> tuple[Plate, ...]:
    """Give projections, rendered views, fused slices, alignment, metal reduction and its effect, and the correction."""
    if not content.spect:
        return (_nothing("SPECT", "No SPECT was given."),)
    spect = in_time_order(content.spect)
    latest = spect[-1]
    focus = focus_of(content, latest)
    return (
        *_mips(content),
        *_rendered(content, spect, focus),
        *_fused(content, latest, focus),
        *_alignment(content, spect),
        _metal(spect),
        *_effect(spect),
        _correction(latest, focus),
    )


def marrow_plates(content: ReportContent) -> tuple[Plate, ...]:
    """Give the planar views, projections and slices of a marrow scan, on scales of their own."""
    marrow = content.marrow
    if marrow is None:
        return ()
    own = replace(
        content, spect=marrow.spect, planar=marrow.planar, measurements=marrow.measurements, only_ratios="", flag=None
    )
    plates = planar_plates(own) if own.planar else ()
    for one in in_time_order(own.spect):
        alone = replace(own, spect=(one,))
        plates += (*_mips(alone), *_fused(alone, one, focus_of(alone, one)))
    return tuple(replace(plate, title=f"Marrow scan: {plate.title}") for plate in plates)


def streak_plates(content: ReportContent) -> tuple[Plate, ...]:
    """Give the streaks around metal by slice."""
    figure = streaks_by_slice(in_time_order(content.spect)) if content.spect else None
    if figure is None:
        return ()
    caption = (
        "Root mean square of soft tissue 2.5 to 60 mm from the metal about its mean over 6 mm, of each slice with "
        "metal, before and after; one point where the slice was left unchanged."
    )
    return (_plate(figure, "Streaks by slice", caption),)


def ratio_plates(content: ReportContent) -> tuple[Plate, ...]:
    """Give the ratios against time."""
    if not content.ratios:
        return ()
    caption = "Ratio of each lesion to its reference with 95 % intervals; dashed: equal to the reference."
    return (_plate(ratio_curves(content.ratios, content.regions), "Ratios over time", caption),)


def _mips(content: ReportContent) -> list[Plate]:
    title = "Maximum intensity projections"
    outlines = " Outlines: lesions solid, references dashed." if content.regions else ""
    if any(region.role == "physiological" for region in content.regions):
        outlines = " Outlines: lesions solid, references dashed, what is physiological dotted and without its name."
    several = len(content.spect) > 1
    if several and content.only_ratios:
        return _mips_apart(content, outlines)
    if not several:
        scale = f"Rates as at {content.spect[0].refers_to}."
    elif decay_factors(content.spect) is None:
        scale = "One intensity scale; each time point is decay-corrected to the start of its own acquisition only."
    else:
        scale = "One intensity scale for every picture; rates are decay-corrected to the injection."
    plates = []
    if several:
        plates.append(_plate(mip_series(content.spect, content.regions), title, scale + outlines))
        title, scale = "Latest time point from four sides", "On the scale of the series above."
        outlines = outlines.replace(" Outlines:", " Outlines, named above:")
    plates.append(_plate(mip_angles(content.spect, content.regions), title, scale + outlines))
    return plates


def _mips_apart(content: ReportContent, outlines: str) -> list[Plate]:
    """Show each time on a scale of its own, the latest first."""
    plates = []
    for one in reversed(in_time_order(content.spect)):
        title = f"Maximum intensity projections, {when(one.time_point, one.hours)}"
        caption = f"On a scale of its own: the times cannot be compared by values, as {content.only_ratios}."
        plates.append(_plate(mip_angles((one,), content.regions), title, caption + outlines))
    return plates


def _fused(content: ReportContent, latest: SpectPictures, focus: Focus) -> list[Plate]:
    what = f"the hottest voxel of {focus.lesion}" if focus.lesion else "the hottest voxel of the volume"
    x, y, z = focus.point_mm
    place = f"x {x:.0f}, y {y:.0f}, z {z:.0f} mm".replace("-", "−")
    where = f"Through {what}, {when(latest.time_point, latest.hours)}; in the SPECT at {place} (LPS)."
    title = "SPECT/CT"
    if latest.ct is None:
        title, where = "SPECT slices", where + " No CT was given."
    elif latest.recon_on_ct is None:
        title, where = "SPECT slices", where + " The SPECT was not brought onto the CT, so it is shown alone."
    else:
        where += f" {latest.registration} The lower the uptake the more of the CT shows; CT from −250 to 750 HU."
    where += f" Uptake as at {latest.refers_to}."
    whole = _plate(fused_slices(latest, focus, content.regions, close_up=False), title, where.strip())
    caption = "The same slices close up" + (", with the regions' outlines." if latest.regions is not None else ".")
    plates = [whole, _plate(fused_slices(latest, focus, content.regions, close_up=True), title + ", close up", caption)]
    driver = driving_lesion(content)
    other = focus_on(content, latest, driver.lesion) if driver is not None and driver.lesion != focus.lesion else None
    if other is not None:
        caption = (
            f"Through the hottest voxel of {other.lesion}, which drives the flag without being the hottest lesion."
        )
        close_up = fused_slices(latest, other, content.regions, close_up=True)
        plates.append(_plate(close_up, "The lesion that drives the flag", caption))
    return plates


def _rendered(content: ReportContent, spect: tuple[SpectPictures, ...], focus: Focus) -> tuple[Plate, ...]:
    """Show the latest time that lies on a CT as surfaces, from the side of the lesion too; nothing without a CT."""
    on_ct = _on_ct(spect)
    if not on_ct:
        return ()
    latest, driver = on_ct[-1], driving_lesion(content)
    name = focus.lesion if driver is None else driver.lesion
    side = next((r.side for r in content.regions if r.name == name), "left")
    metal = "metal steel blue, seen through thin bone too"
    if latest.metal is None:
        metal = "what has 3000 HU or more, as metal, steel blue"
    caption = (
        "Surfaces of the CT along parallel rays, darker the deeper they lie: "
        f"bone from {BONE_HU:.0f} HU ivory, {metal}, the skin a faint rim; the couch is left out. Over them uptake, "
        f"smoothed by {UPTAKE_FWHM_MM:.0f} mm: on each ray the hottest, transparent below a fifth of the scale. What "
        f"lies behind a surface shows through it and fades to {UPTAKE_BEHIND:.0%}, half of the way every "
        f"{UPTAKE_HALVED_MM:.0f} mm: colour tells uptake, strength depth. Only the CT's field is shown. For "
        "orientation, not for measuring."
    )
    title = f"Rendered SPECT/CT, {when(latest.time_point, latest.hours)}"
    return (_plate(rendered_views(latest, content.regions, side), title, caption),)


def _alignment(content: ReportContent, spect: tuple[SpectPictures, ...]) -> tuple[Plate, ...]:
    """Show for each time that lies on a CT how well the two fit."""
    driver, plates = driving_lesion(content), []
    for one in _on_ct(spect):
        at = focus_on(content, one, driver.lesion) if driver is not None else None
        which = "" if one.recon_nac is None else " without attenuation correction"
        place = f"the hottest voxel of {at.lesion}" if at is not None else "the middle of the body"
        caption = (
            f"{one.registration} Through {place}; the SPECT{which}, smoothed by {OUTLINE_FWHM_MM:.0f} mm, "
            "at its registered place. Above, tiles of SPECT (square-root scale) and CT take "
            "turns: edges should run on from tile to tile. Below, over the CT: yellow, half of the SPECT's median in "
            "the body, which should run as far from the skin on one side as on the other; red, half of the hottest in "
            "these slices."
        )
        title = f"Alignment of SPECT and CT, {when(one.time_point, one.hours)}"
        plates.append(_plate(alignment_check(one, at.point_mm if at else None), title, caption.strip()))
    return tuple(plates)


def _on_ct(spect: tuple[SpectPictures, ...]) -> tuple[SpectPictures, ...]:
    return tuple(s for s in spect if s.ct is not None and s.recon_on_ct is not None)


def _metal(spect: tuple[SpectPictures, ...]) -> Plate:
    title = "Metal artefact reduction"
    reduced = [s for s in spect if s.ct_reduced is not None]
    if not reduced:
        why = "The CT was used as scanned." if any(s.ct is not None for s in spect) else "No CT was given."
        return _nothing(title, why)
    figure, z_mm = metal_reduction(reduced[-1])
    metal = reduced[-1].metal
    outlined = metal is not None and bool(metal.array.any())
    which = "The slice with most metal" if outlined else "The slice that changed most"
    where = f"{which}, z {z_mm:.0f} mm".replace("-", "−")
    return _plate(figure, title, where + ("; the metal is outlined." if outlined else "."))


def _effect(spect: tuple[SpectPictures, ...]) -> tuple[Plate, ...]:
    """Show what the CT as scanned would do to the uptake; nothing where that was not tried."""
    both = [s for s in spect if s.recon_as_scanned is not None and s.mu_map_as_scanned is not None and s.mu_map]
    if not both:
        return ()
    figure, z_mm = metal_effect(both[-1])
    place = f"z {z_mm:.0f} mm".replace("-", "−")
    caption = (
        "Attenuation maps as the SPECT was corrected with them, at the slice with most metal (outlined), "
        f"{when(both[-1].time_point, both[-1].hours)}, {place}, and by how much the CT as scanned would change "
        "the uptake of the metal-reduced one; left white where there is hardly any."
    )
    return (_plate(figure, "What the CT's metal does to the uptake", caption),)


def _correction(latest: SpectPictures, focus: Focus) -> Plate:
    title = "With and without attenuation correction"
    if latest.recon_nac is None:
        return _nothing(title, "Only one reconstruction was made, so there is nothing to compare.")
    caption = (
        "Each on its own scale, as attenuation lowers the level of the uncorrected one. Uptake beside metal that shows "
        "in the corrected pictures only may be an artefact of the correction."
    )
    return _plate(correction_beside(latest, focus), title, caption)
