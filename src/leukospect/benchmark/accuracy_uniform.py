"""Uniform cylinder: bias of large regions and of the total, and noise at each count level."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from leukospect.benchmark.accuracy_bench import Bench, conditions, recorder
from leukospect.benchmark.accuracy_cases import Case
from leukospect.benchmark.accuracy_reconstruction import (
    ALL,
    ALL_TRUE_SCATTER,
    NO_ATTENUATION,
    NO_RESOLUTION,
    NO_SCATTER,
)
from leukospect.benchmark.accuracy_regions import mean_in, places_mm, total_of, variation_in
from leukospect.benchmark.accuracy_results import Measure
from leukospect.data import Image
from leukospect.phantoms.solids import Cylinder

STUDY = "uniform"
PHANTOM = "uniform-cylinder"
WHOLE, CENTRE, RIM, ENDS = "30 mm inside the edge", "its centre", "its rim", "its ends"
_MARGIN_MM = 30.0
_CENTRE_MM, _RIM_MM, _ENDS_MM = 30.0, 20.0, 20.0


@dataclass(frozen=True, slots=True, eq=False)
class CylinderRegions:
    """Masks by name: voxels whose centre lies 30 mm or more inside the cylinder's surface."""

    masks: dict[str, NDArray[np.bool_]]

    @classmethod
    def of(cls, case: Case) -> CylinderRegions:
        """Divide the inside: within 30 mm of the axis, the outermost 20 mm, the last 20 mm at both ends."""
        [cylinder] = [shape for shape in case.phantom.shape if isinstance(shape, Cylinder)]
        offset = places_mm(case) - (np.array(cylinder.from_mm) + np.array(cylinder.to_mm)) / 2.0
        half_mm = abs(cylinder.to_mm[2] - cylinder.from_mm[2]) / 2.0
        radius = np.hypot(offset[..., 0], offset[..., 1])
        whole = (radius <= cylinder.radius_mm - _MARGIN_MM) & (np.abs(offset[..., 2]) <= half_mm - _MARGIN_MM)
        rim = whole & (radius > cylinder.radius_mm - _MARGIN_MM - _RIM_MM)
        ends = whole & (np.abs(offset[..., 2]) > half_mm - _MARGIN_MM - _ENDS_MM)
        return cls({WHOLE: whole, CENTRE: whole & (radius < _CENTRE_MM), RIM: rim, ENDS: ends})


def study_uniform(bench: Bench) -> list[Measure]:
    """Measure region means relative to the truth, the total, and the noise, with each correction on or off."""
    case = bench.case(PHANTOM)
    regions = CylinderRegions.of(case)
    found: list[Measure] = []
    kinds = (ALL_TRUE_SCATTER, ALL, NO_SCATTER, NO_ATTENUATION, NO_RESOLUTION)
    for number, corrections in enumerate(kinds):
        bench.tell("uniform cylinder: bias", number / len(kinds))
        made = bench.reconstruction(case, corrections)
        image = made.image()
        record = recorder(STUDY, conditions(made), found)
        for name, mask in regions.masks.items():
            record(name, "mean relative to truth", mean_in(image, mask) / case.level(), "1")
        record(WHOLE, "variation between voxels", variation_in(image, regions.masks[WHOLE]), "1")
        record("whole field", "total relative to truth", total_of(image) / total_of(case.truth), "1")
    return found + _noise(bench, case, regions)


def _noise(bench: Bench, case: Case, regions: CylinderRegions) -> list[Measure]:
    found: list[Measure] = []
    made, chosen, whole = bench.reconstruction(case, ALL), bench.settings, regions.masks[WHOLE]
    steps = len(chosen.millions) * chosen.realisations
    for level, millions in enumerate(chosen.millions):
        images: list[Image] = []
        for draw in range(chosen.realisations):
            bench.tell("uniform cylinder: noise", (level * chosen.realisations + draw) / steps)
            images.append(made.image(case.draw(millions, (chosen.seed, level, draw))))
        record = recorder(STUDY, conditions(made, millions=millions), found)
        values = np.stack([np.asarray(image.array, np.float64)[whole] for image in images])
        record(WHOLE, "mean relative to truth", float(values.mean()) / case.level(), "1")
        record(WHOLE, "noise between voxels", float(np.mean([variation_in(image, whole) for image in images])), "1")
        noise = float(np.sqrt(values.var(axis=0, ddof=1).mean()) / values.mean())
        record(WHOLE, "noise between draws", noise, "1")
    return found
