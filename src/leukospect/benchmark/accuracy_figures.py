"""Figures of the accuracy benchmark."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from leukospect.benchmark import accuracy_orbits, accuracy_rods, accuracy_scatter, accuracy_uniform
from leukospect.benchmark.accuracy_reconstruction import (
    ALL,
    ALL_TRUE_SCATTER,
    NO_ATTENUATION,
    NO_RESOLUTION,
    NO_SCATTER,
    NOTHING,
)
from leukospect.benchmark.accuracy_results import NOISE_FREE, AccuracySettings, Measures, Slice
from leukospect.benchmark.accuracy_scatter import LUNG, RESIDUAL, WATER
from leukospect.benchmark.accuracy_spheres import (
    BACKGROUND,
    CURVES,
    DEPTHS,
    DIAMETERS_MM,
    PLACES,
    RECOVERY,
    TRUTH_ON_VOXELS,
    reference_millions,
)
from leukospect.benchmark.accuracy_targets import MEAN

INK, MUTED, BAND = "#1c2730", "#66737f", "#e3ebf1"
# Apart for colour-blind readers, too (after Okabe and Ito).
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#8c6d1f", "#56b4e9")
MARKERS = ("o", "s", "^", "D", "v", "P")
STYLE: Any = {
    "font.size": 9.0,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.titlesize": 10.0,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.frameon": False,
    "legend.fontsize": 8.0,
    "svg.hashsalt": "leukospect",
    "svg.fonttype": "path",
}
_KINDS = (ALL_TRUE_SCATTER, ALL, NO_SCATTER, NO_ATTENUATION, NO_RESOLUTION, NOTHING)
_COLOUR_OF = {kind.name: (colour, marker) for kind, colour, marker in zip(_KINDS, COLOURS, MARKERS, strict=True)}
Draw = Callable[[Measures, AccuracySettings], Figure]


def _figure(width: float, height: float, panels: int, **options: Any) -> tuple[Figure, list[Axes]]:
    figure = Figure(figsize=(width, height), layout="constrained", facecolor="white")
    return figure, list(np.atleast_1d(figure.subplots(1, panels, **options)).ravel())


def _diameters(panel: Axes) -> None:
    panel.set_xticks(DIAMETERS_MM, [f"{d}" for d in DIAMETERS_MM])
    panel.set_xlabel("sphere diameter (mm)")


def _at_diameters(measures: Measures, suffix: str = "") -> list[float]:
    return [measures.value(region=f"sphere {d} mm{suffix}") for d in DIAMETERS_MM]


def recovery_by_diameter(measures: Measures, settings: AccuracySettings) -> Figure:
    """Draw the recovery of the IEC spheres with each correction on or off, and what voxels allow."""
    figure, (panel,) = _figure(6.2, 4.2, 1)
    found = measures.where(study=RECOVERY, quantity="recovery")
    usual = found.where(iterations=settings.iterations, subsets=settings.subsets)
    panel.plot(DIAMETERS_MM, _at_diameters(found.where(corrections=TRUTH_ON_VOXELS)), color=MUTED, linestyle=":",
               label="the truth itself, on these voxels")  # fmt: skip
    many = found.where(iterations=settings.many_iterations, subsets=settings.many_subsets)
    panel.plot(DIAMETERS_MM, _at_diameters(many), color=COLOURS[0], linestyle="--",
               label=f"all, true scatter, {settings.many_iterations} x {settings.many_subsets}")  # fmt: skip
    for name in usual.each("corrections"):
        colour, marker = _COLOUR_OF[str(name)]
        panel.plot(DIAMETERS_MM, _at_diameters(usual.where(corrections=name)), color=colour, marker=marker,
                   markersize=5, label=str(name))  # fmt: skip
    _diameters(panel)
    panel.set_ylim(0.0, 1.05)
    panel.set_ylabel("recovery (mean in the sphere / truth)")
    panel.set_title(f"IEC body, Tc-99m, noise-free, {settings.iterations} x {settings.subsets}")
    figure.legend(*panel.get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return figure


def recovery_by_place(measures: Measures, settings: AccuracySettings) -> Figure:
    """Draw recovery against diameter at three places, at the usual number of iterations and at convergence."""
    figure, panels = _figure(9.0, 3.9, 3, sharey=True)
    found = measures.where(study=DEPTHS, quantity="recovery")
    usual = found.where(iterations=settings.iterations, subsets=settings.subsets, post_filter_fwhm_mm=0.0)
    deep = found.where(iterations=settings.deep_iterations, subsets=settings.many_subsets)
    filtered = [measure.conditions.post_filter_fwhm_mm for measure in deep.all]
    fwhm = max(filtered)
    shown = (
        (usual, f"{settings.iterations} x {settings.subsets}"),
        (deep.where(post_filter_fwhm_mm=0.0), f"{settings.deep_iterations} x {settings.many_subsets}"),
        (deep.where(post_filter_fwhm_mm=fwhm), f"{settings.deep_iterations} x {settings.many_subsets}, "
                                               f"{fwhm:g} mm filter"),
    )  # fmt: skip
    for panel, (chosen, title) in zip(panels, shown, strict=True):
        for place, colour, marker in zip(PLACES, COLOURS, MARKERS, strict=False):
            values = _at_diameters(chosen, f", {place}")
            panel.plot(DIAMETERS_MM, values, color=colour, marker=marker, markersize=5, label=place)
        _diameters(panel)
        panel.set_title(title)
    panels[0].set_ylim(0.0, 1.05)
    panels[0].set_ylabel("recovery (mean in the sphere / truth)")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    figure.suptitle("Spheres of one diameter at three places; Tc-99m, noise-free, all corrections, true scatter",
                    fontsize=10, color=INK)  # fmt: skip
    return figure


def contrast_against_noise(measures: Measures, settings: AccuracySettings) -> Figure:
    """Draw contrast recovery of a sphere against noise along the iterations: by correction, by count level."""
    figure, panels = _figure(9.0, 4.3, 2, sharey=True)
    found = measures.where(study=CURVES)
    level, sphere = reference_millions(settings.millions), "sphere 22 mm"
    for name in found.where(millions=level).each("corrections"):
        colour, marker = _COLOUR_OF[str(name)]
        _curve(panels[0], found.where(millions=level, corrections=name), sphere, colour, marker, str(name))
    panels[0].set_title(f"Corrections, {level:g} million counts")
    complete = found.where(corrections=ALL.name)
    for number, millions in enumerate(settings.millions):
        chosen = complete.where(millions=millions)
        _curve(panels[1], chosen, sphere, COLOURS[number % 6], MARKERS[number % 6], f"{millions:g} million counts")
    panels[1].set_title("Count levels, all corrections (TEW)")
    for panel in panels:
        panel.set_xlabel("noise: variation between voxels of the background (%)")
        panel.set_xlim(left=0.0)
        panel.set_ylim(0.0, 1.0)
        panel.legend(loc="lower right")
    panels[0].set_ylabel("contrast recovery of the 22 mm sphere")
    told = ", ".join(str(n) for n in settings.curve)
    figure.suptitle(f"IEC body, Tc-99m, {settings.subsets} subsets; points from left to right: {told} iterations",
                    fontsize=10, color=INK)  # fmt: skip
    return figure


def _curve(panel: Axes, measures: Measures, sphere: str, colour: str, marker: str, label: str) -> None:
    noise = 100.0 * measures.values(region=BACKGROUND, quantity="variation between voxels")
    contrast = measures.values(region=sphere, quantity="contrast recovery")
    panel.plot(noise, contrast, color=colour, marker=marker, markersize=4.5, linewidth=1.3, label=label)


def uniform_cylinder(measures: Measures, settings: AccuracySettings) -> Figure:
    """Draw the bias of regions of the uniform cylinder, and noise against counts."""
    figure, panels = _figure(9.0, 3.8, 2)
    found = measures.where(study=accuracy_uniform.STUDY)
    bias = found.where(millions=NOISE_FREE, quantity=MEAN)
    regions = bias.each("region")
    shown = (ALL_TRUE_SCATTER.name, ALL.name, NO_RESOLUTION.name)
    panels[0].axhspan(-1.0, 1.0, color=BAND, zorder=0)
    panels[0].axhline(0.0, color=MUTED, linewidth=0.8)
    for number, name in enumerate(shown):
        colour, marker = _COLOUR_OF[name]
        values = [100.0 * (bias.value(corrections=name, region=region) - 1.0) for region in regions]
        panels[0].plot(np.arange(len(regions)) + 0.12 * (number - 1), values, color=colour, marker=marker,
                       linestyle="none", label=name)  # fmt: skip
    panels[0].set_xticks(range(len(regions)), ["30 mm\ninside", *(str(region) for region in regions[1:])])
    panels[0].set_ylabel("region mean, difference from truth (%)")
    panels[0].set_ylim(-2.0, 5.5)
    panels[0].set_title("Bias without noise (band: ±1 %)")
    panels[0].legend(loc="upper left", ncols=2)
    for quantity, colour, marker, size in (
        ("noise between draws", COLOURS[1], "s", 9),
        ("noise between voxels", COLOURS[0], "o", 5),
    ):
        noise = 100.0 * found.values(quantity=quantity)
        panels[1].plot(settings.millions, noise, color=colour, marker=marker, markersize=size, label=quantity)
    guide = noise[0] * np.sqrt(settings.millions[0] / np.array(settings.millions))
    panels[1].plot(settings.millions, guide, color=MUTED, linestyle=":", label="as 1 / root of the counts")
    panels[1].set(xscale="log", ylim=(0.0, None))
    panels[1].set_xticks(settings.millions, [f"{level:g}" for level in settings.millions])
    panels[1].minorticks_off()
    panels[1].set_xlabel("counts in the photopeak (million)")
    panels[1].set_ylabel("coefficient of variation (%)")
    panels[1].set_title(f"Noise, all corrections (TEW), {settings.iterations} x {settings.subsets}")
    panels[1].legend(loc="upper right")
    figure.suptitle("Uniform cylinder, Tc-99m", fontsize=10, color=INK)
    return figure


def cold_objects(measures: Measures, settings: AccuracySettings) -> Figure:
    """Draw what is left in the cold insert, and the contrast of cold spheres and rods."""
    figure, panels = _figure(10.0, 4.3, 2)
    _residuals(panels[0], measures.where(study=accuracy_scatter.STUDY, quantity=RESIDUAL), settings)
    found = measures.where(study=accuracy_rods.STUDY, quantity="cold contrast")
    for kind, line, marker in (("sphere", "-", "o"), ("rods", "--", "s")):
        for number, (iterations, subsets) in enumerate(_extents(settings)):
            chosen = [m for m in found.where(iterations=iterations, subsets=subsets).all if m.region.startswith(kind)]
            sizes = [float(measure.region.split()[1]) for measure in chosen]
            panels[1].plot(sizes, [measure.value for measure in chosen], color=COLOURS[number], linestyle=line,
                           marker=marker, markersize=4.5, label=f"{'rods' if kind == 'rods' else 'spheres'}, "
                           f"{iterations} x {subsets}")  # fmt: skip
    panels[1].set_xlabel("diameter (mm)")
    panels[1].set_ylabel("cold contrast: 1 - mean inside / background")
    panels[1].set_ylim(0.0, 1.05)
    panels[1].set_title("Jaszczak phantom, true scatter")
    panels[1].legend(loc="lower right")
    figure.suptitle("Cold objects, Tc-99m, noise-free", fontsize=10, color=INK)
    return figure


def _extents(settings: AccuracySettings) -> tuple[tuple[int, int], tuple[int, int]]:
    return (settings.iterations, settings.subsets), (settings.many_iterations, settings.many_subsets)


def _residuals(panel: Axes, found: Measures, settings: AccuracySettings) -> None:
    ticks, names = [], []
    for place, (region, (iterations, subsets)) in enumerate(
        (region, extent) for region in (WATER, LUNG) for extent in _extents(settings)
    ):
        at = found.where(region=region, iterations=iterations, subsets=subsets)
        for number, kind in enumerate((NO_SCATTER, ALL, ALL_TRUE_SCATTER)):
            value = 100.0 * at.value(corrections=kind.name)
            bar = panel.bar(place + 0.26 * (number - 1), value, 0.24, color=_COLOUR_OF[kind.name][0],
                            label=kind.name if place == 0 else None)  # fmt: skip
            panel.bar_label(bar, fmt="%.1f", fontsize=7, color=INK, padding=1)
        ticks.append(place)
        names.append(f"{region.removeprefix('insert of ')}\n{iterations} x {subsets}")
    panel.axhline(5.0, color=INK, linewidth=0.8, linestyle=(0, (4, 3)))
    panel.set_xticks(ticks, names)
    panel.set_ylabel("residual / measured background (%)")
    panel.margins(y=0.12)
    panel.set_title("IEC body, cold insert of 50 mm (line: 5 %)")
    panel.legend(loc="upper right")


def orbits(measures: Measures, settings: AccuracySettings) -> Figure:
    """Draw the means of large regions for every nuclide, orbit and arc."""
    figure, panels = _figure(10.0, 4.2, 2, sharey=True)
    found = measures.where(study=accuracy_orbits.STUDY, quantity=MEAN)
    regions = found.each("region")
    for panel, kind in zip(panels, (ALL_TRUE_SCATTER, ALL), strict=True):
        chosen = found.where(corrections=kind.name)
        middle = 100.0 * (float(np.mean([measure.value for measure in chosen.all])) - 1.0)
        panel.axhspan(middle - 1.0, middle + 1.0, color=BAND, zorder=0)
        panel.axhline(0.0, color=MUTED, linewidth=0.8)
        number = 0
        for nuclide in accuracy_orbits.NUCLIDES:
            for orbit in chosen.each("orbit"):
                for arc in accuracy_orbits.ARCS_DEG:
                    at = chosen.where(nuclide=nuclide, orbit=orbit, arc_deg=arc)
                    values = [100.0 * (at.value(region=region) - 1.0) for region in regions]
                    panel.plot(np.arange(len(regions)) + 0.09 * (number - 3.5), values, linestyle="none",
                               color=COLOURS[accuracy_orbits.NUCLIDES.index(nuclide)],
                               marker=("o" if arc == 360 else "^") if orbit == "circular" else
                               ("s" if arc == 360 else "D"), markersize=5,
                               label=f"{nuclide}, {orbit}, {arc}°")  # fmt: skip
                    number += 1
        panel.set_xticks(range(len(regions)), ["background", *(str(r).removesuffix(" of it") for r in regions[1:])])
        panel.set_title(f"{kind.name}, {settings.iterations} x {settings.subsets} (band: 2 % wide)")
    panels[0].set_ylabel("region mean, difference from truth (%)")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
    figure.suptitle("IEC body, large regions, noise-free", fontsize=10, color=INK)
    return figure


def slices(shown: Sequence[Slice]) -> Figure:
    """Draw slices at one grey scale a row: the truth, without noise, and at each count level."""
    groups = list(dict.fromkeys(one.group for one in shown))
    columns = max(sum(one.group == group for one in shown) for group in groups)
    figure = Figure(figsize=(1.75 * columns + 0.9, 1.6 * len(groups) + 0.5), layout="constrained", facecolor="white")
    panels = figure.subplots(len(groups), columns, squeeze=False)
    for row, group in enumerate(groups):
        chosen = [one for one in shown if one.group == group]
        highest = max(1.5, float(chosen[0].values.max()))
        for panel, one in zip(panels[row], chosen, strict=True):
            half = np.array(one.values.shape) * one.pixel_mm / 2.0
            extent = (-half[1], half[1], half[0], -half[0])
            picture = panel.imshow(one.values, cmap="gray_r", vmin=0.0, vmax=highest, extent=extent)
            panel.set(xticks=[], yticks=[], xlim=(-165, 165), ylim=(135, -125))
            panel.spines[:].set_visible(False)
            if row == 0:
                panel.set_title(one.title, loc="center", fontweight="normal", fontsize=9)
        panels[row][0].set_ylabel(group)
        panels[row][0].plot([-150, -100], [128, 128], color=INK, linewidth=2.5)
        panels[row][0].annotate("50 mm", (-125, 123), ha="center", va="bottom", fontsize=7, color=INK)
        bar = figure.colorbar(picture, ax=panels[row].tolist(), shrink=0.85, aspect=14, pad=0.01)
        bar.set_label("relative to background", fontsize=8)
    figure.suptitle("Transverse slices, Tc-99m, all corrections (TEW)", fontsize=10, color=INK)
    return figure


FIGURES: dict[str, tuple[str, Draw]] = {
    "recovery-by-diameter": (RECOVERY, recovery_by_diameter),
    "recovery-by-place": (DEPTHS, recovery_by_place),
    "contrast-against-noise": (CURVES, contrast_against_noise),
    "uniform-cylinder": (accuracy_uniform.STUDY, uniform_cylinder),
    "cold-objects": (accuracy_rods.STUDY, cold_objects),
    "orbits": (accuracy_orbits.STUDY, orbits),
}
"""File name to the study that a figure shows, and the function that draws it."""


def drawn(measures: Measures, shown: Sequence[Slice], settings: AccuracySettings) -> dict[str, Figure]:
    """Draw every figure."""
    with mpl.rc_context(STYLE):
        figures = {name: draw(measures, settings) for name, (_, draw) in FIGURES.items()}
        if shown:
            figures["slices"] = slices(shown)
    return figures
