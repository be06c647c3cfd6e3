"""Jaszczak phantom: contrast of cold spheres and of cold rods."""

from __future__ import annotations

from leukospect.benchmark.accuracy_bench import EXTENTS, Bench, conditions, recorder
from leukospect.benchmark.accuracy_cases import Case
from leukospect.benchmark.accuracy_reconstruction import ALL_TRUE_SCATTER
from leukospect.benchmark.accuracy_regions import (
    Weights,
    even_region,
    mean_in,
    shortened,
    sphere_name,
    spheres_of,
    weights_of,
)
from leukospect.benchmark.accuracy_results import NOISE_FREE, Conditions, Measure
from leukospect.benchmark.accuracy_spheres import BACKGROUND, TRUTH_ON_VOXELS
from leukospect.data import Image
from leukospect.phantoms.solids import Rods

STUDY = "cold contrast"
PHANTOM = "jaszczak"
_MARGIN_MM, _ENDS_MM = 20.0, 10.0


def cold_weights(case: Case) -> dict[str, Weights]:
    """Weigh the cold spheres, and the rods of each sector 10 mm from their ends."""
    spheres = {sphere_name(sphere): weights_of(case, sphere) for sphere in spheres_of(case)}
    rods = [shape for shape in case.phantom.shape if isinstance(shape, Rods)]
    ordered = sorted(rods, key=lambda shape: -shape.diameter_mm)
    return spheres | {
        f"rods {shape.diameter_mm:g} mm": weights_of(case, shortened(shape, _ENDS_MM)) for shape in ordered
    }


def study_rods(bench: Bench) -> list[Measure]:
    """Measure 1 - cold / background without noise, at the usual number of iterations and at many."""
    case = bench.case(PHANTOM)
    weights, background = cold_weights(case), even_region(case, _MARGIN_MM)
    found: list[Measure] = []

    def record(image: Image, under: Conditions) -> None:
        warm = mean_in(image, background)
        tell = recorder(STUDY, under, found)
        tell(BACKGROUND, "mean relative to truth", warm / case.level(), "1")
        for name, inside in weights.items():
            tell(name, "cold contrast", 1.0 - mean_in(image, inside) / warm, "1")

    for extent in EXTENTS:
        bench.tell("Jaszczak: cold contrast", 0.0 if extent == "usual" else 0.2)
        made = bench.reconstruction(case, ALL_TRUE_SCATTER, extent)
        record(made.image(), conditions(made))
    known = conditions(made)
    record(
        case.truth,
        Conditions(known.phantom, known.nuclide, known.orbit, known.arc_deg, TRUTH_ON_VOXELS, NOISE_FREE, 0, 0),
    )
    return found
