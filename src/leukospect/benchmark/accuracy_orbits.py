"""The same phantom with Tc-99m and In-111, on a circle and along the body, over 180 and 360 degrees."""

from __future__ import annotations

from itertools import product
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from leukospect.benchmark.accuracy_bench import Bench, conditions, recorder
from leukospect.benchmark.accuracy_cases import Case, OrbitKind, Scanning
from leukospect.benchmark.accuracy_reconstruction import ALL, ALL_TRUE_SCATTER
from leukospect.benchmark.accuracy_regions import even_region, mean_in, places_mm, total_of
from leukospect.benchmark.accuracy_results import Measure
from leukospect.benchmark.accuracy_spheres import BACKGROUND, IEC

STUDY = "orbits"
NUCLIDES = ("Tc-99m", "In-111")
ARCS_DEG = (360, 180)
_MARGIN_MM = 20.0
_SIDE_MM, _FRONT_MM = 45.0, 30.0


def large_regions(case: Case) -> dict[str, NDArray[np.bool_]]:
    """Divide the background, 20 mm from spheres, insert and edge: all of it, and its four sides."""
    whole = even_region(case, _MARGIN_MM)
    places = places_mm(case)
    x, y = places[..., 0], places[..., 1]
    sides = {"left": x > _SIDE_MM, "right": x < -_SIDE_MM, "front": y < -_FRONT_MM, "back": y > _FRONT_MM}
    return {BACKGROUND: whole} | {f"{name} of it": whole & side for name, side in sides.items()}


def study_orbits(bench: Bench) -> list[Measure]:
    """Measure large regions of the IEC phantom for every nuclide, orbit and arc, with the true scatter and with TEW."""
    found: list[Measure] = []
    ways = [Scanning(n, o, a) for n, o, a in product(NUCLIDES, get_args(OrbitKind), ARCS_DEG)]
    for number, way in enumerate(ways):
        bench.tell("nuclides, orbits, arcs", number / len(ways))
        case = bench.case(IEC, way)
        for corrections in (ALL_TRUE_SCATTER, ALL):
            made = bench.reconstruction(case, corrections)
            image = made.image()
            record = recorder(STUDY, conditions(made), found)
            for name, mask in large_regions(case).items():
                record(name, "mean relative to truth", mean_in(image, mask) / case.level(), "1")
            record("whole field", "total relative to truth", total_of(image) / total_of(case.truth), "1")
    return found
