"""Hot spheres: recovery by diameter and place, with each correction on or off, and contrast against noise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from leukospect.benchmark.accuracy_bench import Bench, Extent, conditions, recorder
from leukospect.benchmark.accuracy_cases import Case
from leukospect.benchmark.accuracy_reconstruction import (
    ALL,
    ALL_TRUE_SCATTER,
    NO_ATTENUATION,
    NO_RESOLUTION,
    NO_SCATTER,
    NOTHING,
    Corrections,
    Reconstruction,
)
from leukospect.benchmark.accuracy_regions import (
    Weights,
    even_region,
    mean_in,
    sphere_name,
    spheres_of,
    total_of,
    variation_in,
    weights_of,
)
from leukospect.benchmark.accuracy_results import NOISE_FREE, Conditions, Measure, averaged
from leukospect.data import Image
from leukospect.spect_study import post_filter

RECOVERY, CURVES, DEPTHS = "recovery", "contrast against noise", "depth"
IEC, SPHERE_DEPTHS = "iec-body", "sphere-depths"
TRUTH_ON_VOXELS = "none: the truth itself, on voxels"
BACKGROUND = "background, 20 mm from all else"
PLACES = ("centre", "half way", "edge")
POST_FILTER_MM = 8.0
DIAMETERS_MM = (37, 28, 22, 17, 13, 10)
_MARGIN_MM = 20.0
_NEAR_CENTRE_MM, _NEAR_EDGE_MM = 20.0, 90.0


@dataclass(frozen=True, slots=True, eq=False)
class SphereRegions:
    """Weights of each sphere by name, the background's mask, and what is true there, counts/s/mL."""

    spheres: dict[str, Weights]
    background: NDArray[np.bool_]
    hot: float
    warm: float

    @classmethod
    def of(cls, case: Case, *, by_place: bool = False) -> SphereRegions:
        """Weigh the spheres of a phantom with compartments ``hot`` and ``background``."""
        spheres = {}
        for sphere in spheres_of(case):
            x, y, _ = sphere.center_mm
            name = sphere_name(sphere) + (f", {place_of(float(np.hypot(x, y)))}" if by_place else "")
            spheres[name] = weights_of(case, sphere)
        return cls(spheres, even_region(case, _MARGIN_MM), case.level("hot"), case.level("background"))

    def measures(self, study: str, under: Conditions, image: Image) -> list[Measure]:
        """Measure an image: recovery (mean in the true sphere over its true value) and contrast recovery."""
        found: list[Measure] = []
        record = recorder(study, under, found)
        background = mean_in(image, self.background)
        record(BACKGROUND, "mean relative to truth", background / self.warm, "1")
        record(BACKGROUND, "variation between voxels", variation_in(image, self.background), "1")
        for name, weights in self.spheres.items():
            mean = mean_in(image, weights)
            record(name, "recovery", mean / self.hot, "1")
            record(name, "contrast recovery", (mean / background - 1.0) / (self.hot / self.warm - 1.0), "1")
        return found


def place_of(from_axis_mm: float) -> str:
    """Name the place of a sphere of the phantom `sphere-depths`."""
    if from_axis_mm < _NEAR_CENTRE_MM:
        return PLACES[0]
    return PLACES[1] if from_axis_mm < _NEAR_EDGE_MM else PLACES[2]


def _truth_conditions(made: Reconstruction) -> Conditions:
    known = conditions(made)
    return Conditions(known.phantom, known.nuclide, known.orbit, known.arc_deg, TRUTH_ON_VOXELS, NOISE_FREE, 0, 0)


def study_recovery(bench: Bench) -> list[Measure]:
    """Measure the IEC phantom without noise: each correction on or off, and after many iterations."""
    case = bench.case(IEC)
    regions = SphereRegions.of(case)
    found: list[Measure] = []
    kinds = (ALL_TRUE_SCATTER, ALL, NO_SCATTER, NO_ATTENUATION, NO_RESOLUTION, NOTHING)
    for number, corrections in enumerate(kinds):
        bench.tell("IEC body: recovery", number / (len(kinds) + 1))
        made = bench.reconstruction(case, corrections)
        image = made.image()
        found += regions.measures(RECOVERY, conditions(made), image)
        recorder(RECOVERY, conditions(made), found)(
            "whole field", "total relative to truth", total_of(image) / total_of(case.truth), "1"
        )
    bench.tell("IEC body: recovery", len(kinds) / (len(kinds) + 1))
    made = bench.reconstruction(case, ALL_TRUE_SCATTER, "many")
    found += regions.measures(RECOVERY, conditions(made), made.image())
    return found + regions.measures(RECOVERY, _truth_conditions(made), case.truth)


def study_depths(bench: Bench) -> list[Measure]:
    """Measure spheres of one diameter at the centre, half way and at the edge, without noise."""
    case = bench.case(SPHERE_DEPTHS)
    regions = SphereRegions.of(case, by_place=True)
    found: list[Measure] = []
    for number, extent in enumerate(get_args(Extent)):
        bench.tell("spheres at three depths", (0.0, 0.05, 0.2)[number])
        made = bench.reconstruction(case, ALL_TRUE_SCATTER, extent)
        image = made.image()
        found += regions.measures(DEPTHS, conditions(made), image)
        under = conditions(made, post_filter_fwhm_mm=POST_FILTER_MM)
        found += regions.measures(DEPTHS, under, post_filter(image, POST_FILTER_MM))
    return found + regions.measures(DEPTHS, _truth_conditions(made), case.truth)


def study_curves(bench: Bench) -> list[Measure]:
    """Measure contrast recovery and noise along the iterations: corrections at one count level, all levels with all."""
    case = bench.case(IEC)
    regions, chosen = SphereRegions.of(case), bench.settings
    reference = reference_millions(chosen.millions)
    todo: list[tuple[Corrections, float]] = [(ALL, millions) for millions in chosen.millions]
    todo += [(other, reference) for other in (NO_SCATTER, NO_ATTENUATION, NO_RESOLUTION, NOTHING)]
    found: list[Measure] = []
    draws = max(1, chosen.realisations // 3)
    for number, (corrections, millions) in enumerate(todo):
        made = bench.reconstruction(case, corrections)
        for draw in range(draws):
            bench.tell("IEC body: contrast against noise", (number + draw / draws) / len(todo))
            level = chosen.millions.index(millions)
            drawn = case.draw(millions, (chosen.seed, 100 + level, draw))
            for iterations in chosen.curve:
                image = made.image(drawn, iterations)
                under = conditions(made, millions=millions, iterations=iterations)
                found += regions.measures(CURVES, under, image)
    return averaged(found)


def reference_millions(millions: tuple[float, ...]) -> float:
    """Give the count level at which corrections are compared: the one nearest 10 million."""
    return min(millions, key=lambda level: abs(level - 10.0))
