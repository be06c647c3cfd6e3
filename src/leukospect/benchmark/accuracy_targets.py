"""What is asked of the reconstruction, and whether the measures meet it."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from leukospect.benchmark import accuracy_orbits, accuracy_scatter, accuracy_uniform
from leukospect.benchmark.accuracy_reconstruction import ALL, ALL_TRUE_SCATTER, NO_SCATTER
from leukospect.benchmark.accuracy_results import NOISE_FREE, AccuracySettings, Measures, Target
from leukospect.benchmark.accuracy_scatter import LUNG, RESIDUAL, WATER
from leukospect.benchmark.accuracy_spheres import DEPTHS, DIAMETERS_MM, PLACES, POST_FILTER_MM, RECOVERY
from leukospect.benchmark.accuracy_uniform import CENTRE, ENDS, RIM, WHOLE

LARGE_MM = 28
"""Spheres so large shall read the same wherever they sit."""
MEAN, TOTAL = "mean relative to truth", "total relative to truth"


def judged(measures: Measures, settings: AccuracySettings) -> tuple[Target, ...]:
    """Compare the measures with what is asked; nothing is judged that was not measured."""
    made = set(measures.each("study"))
    targets: list[Target] = []
    if accuracy_uniform.STUDY in made:
        targets += _uniform(measures.where(study=accuracy_uniform.STUDY, millions=NOISE_FREE))
    if RECOVERY in made:
        targets += _monotonic(measures.where(study=RECOVERY, quantity="recovery"), settings)
    if DEPTHS in made:
        targets += _depths(measures.where(study=DEPTHS, quantity="recovery"), settings)
    if accuracy_scatter.STUDY in made:
        targets += _insert(measures.where(study=accuracy_scatter.STUDY, quantity=RESIDUAL), settings)
    if accuracy_orbits.STUDY in made:
        targets += _orbits(measures.where(study=accuracy_orbits.STUDY, quantity=MEAN))
    return tuple(targets)


def _uniform(measures: Measures) -> list[Target]:
    targets = []
    for corrections, limit, words in ((ALL_TRUE_SCATTER, 0.01, "true scatter"), (ALL, 0.03, "TEW")):
        means = measures.where(corrections=corrections.name, quantity=MEAN)
        by_region = {name: means.value(region=name) for name in (WHOLE, CENTRE, RIM, ENDS)}
        told = ", ".join(f"{_signed(value - 1.0)} {name}" for name, value in by_region.items())
        worst = max(abs(value - 1.0) for value in by_region.values())
        targets.append(
            Target(f"Uniform cylinder, {words}: region means 30 mm inside the edge within {limit:.0%}", told,
                   worst <= limit)
        )  # fmt: skip
        uneven = by_region[CENTRE] / by_region[RIM] - 1.0
        targets.append(
            Target(
                f"Uniform cylinder, {words}: centre against rim of that region within {max(limit, 0.02):.0%}",
                _signed(uneven),
                abs(uneven) <= max(limit, 0.02),
            )
        )
    total = measures.value(corrections=ALL_TRUE_SCATTER.name, quantity=TOTAL)
    targets.append(
        Target("Uniform cylinder, true scatter: total activity within 2%", _signed(total - 1.0), abs(total - 1) <= 0.02)
    )
    return targets


def _monotonic(measures: Measures, settings: AccuracySettings) -> list[Target]:
    targets = []
    for corrections in (ALL_TRUE_SCATTER, ALL):
        usual = measures.where(corrections=corrections.name, iterations=settings.iterations, subsets=settings.subsets)
        values = [measure.value for measure in usual.all]  # the largest sphere first
        told = ", ".join(f"{measure.region.split()[1]} mm {measure.value:.3f}" for measure in usual.all)
        targets.append(
            Target(
                f"IEC spheres at {settings.iterations} x {settings.subsets}, {corrections.name}: "
                "recovery rises with diameter",
                told,
                all(large > small for large, small in pairwise(values)),
            )
        )
    return targets


def _depths(measures: Measures, settings: AccuracySettings) -> list[Target]:
    many = measures.where(iterations=settings.deep_iterations, subsets=settings.many_subsets)
    usual = measures.where(iterations=settings.iterations, subsets=settings.subsets)
    updates = f"{settings.deep_iterations} x {settings.many_subsets}"
    targets = []
    for diameter in DIAMETERS_MM:
        told, spread = _at_places(many.where(post_filter_fwhm_mm=0.0), diameter)
        asked = f"Sphere of {diameter} mm at convergence ({updates}), at the centre, half way and the edge"
        large = diameter >= LARGE_MM
        targets.append(Target(asked + ": within 3 points" * large, told, spread <= 0.03 if large else None))
    for diameter in (d for d in DIAMETERS_MM if d >= LARGE_MM):
        before = _at_places(usual.where(post_filter_fwhm_mm=0.0), diameter)
        after = _at_places(many.where(post_filter_fwhm_mm=POST_FILTER_MM), diameter)
        targets.append(Target(f"The same sphere ({diameter} mm) at {settings.iterations} x {settings.subsets}",
                              before[0], None))  # fmt: skip
        targets.append(Target(f"The same sphere ({diameter} mm) at {updates}, then a Gaussian of "
                              f"{POST_FILTER_MM:g} mm FWHM", after[0], None))  # fmt: skip
    return targets


def _at_places(measures: Measures, diameter: int) -> tuple[str, float]:
    values = [measures.value(region=f"sphere {diameter} mm, {place}") for place in PLACES]
    spread = max(values) - min(values)
    return f"{' / '.join(f'{value:.3f}' for value in values)}: {100 * spread:.1f} points", spread


def _insert(measures: Measures, settings: AccuracySettings) -> list[Target]:
    targets = []
    for name in (WATER, LUNG):
        for iterations, subsets in (
            (settings.many_iterations, settings.many_subsets),
            (settings.iterations, settings.subsets),
        ):
            at = measures.where(region=name, iterations=iterations, subsets=subsets)
            without = at.value(corrections=NO_SCATTER.name)
            tew, true = at.value(corrections=ALL.name), at.value(corrections=ALL_TRUE_SCATTER.name)
            targets.append(
                Target(
                    f"Cold {name} at {iterations} x {subsets}: TEW brings the residual below 5% of the background, "
                    "from more than 15%",
                    f"{100 * tew:.1f}% from {100 * without:.1f}% ({100 * true:.1f}% with the true scatter)",
                    tew < 0.05 and without > 0.15,
                )
            )
    return targets


def _orbits(measures: Measures) -> list[Target]:
    targets = []
    for corrections, words in ((ALL_TRUE_SCATTER, "true scatter"), (ALL, "TEW")):
        worst, where = 0.0, ""
        for region in measures.each("region"):
            values = measures.values(corrections=corrections.name, region=region)
            spread = float(np.ptp(values) / values.mean())
            if spread > worst:
                worst, where = spread, str(region)
        targets.append(
            Target(
                f"IEC body, {words}: Tc-99m and In-111, circular and body-contour orbits, 180 and 360 degrees: the "
                "same in large regions within 2%",
                f"{100 * worst:.1f}% between the most different ({where})",
                worst <= 0.02,
            )
        )
    return targets


def _signed(value: float) -> str:
    return f"{100 * value:+.2f}%"
