"""Cold inserts: what is left in them of the background, with and without scatter correction."""

from __future__ import annotations

from leukospect.benchmark.accuracy_bench import EXTENTS, Bench, conditions, recorder
from leukospect.benchmark.accuracy_reconstruction import ALL, ALL_TRUE_SCATTER, NO_SCATTER
from leukospect.benchmark.accuracy_regions import even_region, mean_in, shrunk, weights_of
from leukospect.benchmark.accuracy_results import Measure
from leukospect.benchmark.accuracy_spheres import IEC
from leukospect.phantoms import Phantom, read_phantom
from leukospect.phantoms.description import NO_ACTIVITY
from leukospect.phantoms.solids import Cylinder

STUDY = "cold insert"
LUNG, WATER = "insert of 0.3 g/cm3", "insert of water"
RESIDUAL = "residual relative to measured background"
_VOI_RADIUS_MM, _ENDS_MM = 15.0, 30.0
_MARGIN_MM = 20.0


def insert_of(phantom: Phantom) -> Cylinder:
    """Give the phantom's cold cylinder."""
    [insert] = [s for s in phantom.shape if isinstance(s, Cylinder) and s.compartment == NO_ACTIVITY]
    return insert


def with_water_insert(phantom: Phantom) -> Phantom:
    """Give the phantom with its cold insert full of cold water."""
    insert = insert_of(phantom)
    shapes = tuple(s.model_copy(update={"material": "water"}) if s is insert else s for s in phantom.shape)
    return phantom.model_copy(update={"shape": shapes, "name": f"{phantom.name}, insert of water"})


def study_scatter(bench: Bench) -> list[Measure]:
    """Measure the mean within 15 mm of the insert's axis, 30 mm from its ends, over the mean of the background."""
    found: list[Measure] = []
    kinds = (ALL_TRUE_SCATTER, ALL, NO_SCATTER)
    original = read_phantom(IEC)
    phantoms = ((LUNG, original), (WATER, with_water_insert(original)))
    for place, (name, phantom) in enumerate(phantoms):
        case = bench.case(phantom)
        inside = weights_of(case, shrunk(insert_of(case.phantom), _VOI_RADIUS_MM, _ENDS_MM))
        background = even_region(case, _MARGIN_MM)
        for number, corrections in enumerate(kinds):
            for extent in EXTENTS:
                done = (place + (number + 0.2 * (extent == "many")) / len(kinds)) / len(phantoms)
                bench.tell("cold insert: scatter", done)
                made = bench.reconstruction(case, corrections, extent)
                image = made.image()
                record = recorder(STUDY, conditions(made), found)
                residual = mean_in(image, inside)
                record(name, RESIDUAL, residual / mean_in(image, background), "1")
                record(name, "residual relative to true background", residual / case.level(), "1")
    return found
