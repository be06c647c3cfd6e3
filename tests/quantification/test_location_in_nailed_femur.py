"""Regions of the nailed femur, located with the phantom's own activity, blurred, and its own CT numbers."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from leukospect.data import Geometry, Image
from leukospect.phantoms import attenuation_map, concentration_map, read_phantom
from leukospect.phantoms.materials import linear_attenuation_per_cm
from leukospect.quantification.ct_tissues import Surfaces, tissues_of_ct
from leukospect.quantification.location import locate
from leukospect.quantification.measurements import Location
from leukospect.quantification.regions import RegionDefinition, rasterise
from leukospect.quantification.shapes import Cylinder, Shape, Sphere

SPECT = Geometry.axial((80, 64, 84), (-4.8, 4.8, 4.8), (-200.0, -150.0, 150.0))
# Down to below the nail's end at z = -252 mm.
CT = Geometry.axial((190, 150, 200), (-2.4, 2.0, 2.0), (-200.0, -150.0, 191.2))
KEV = 80.0
SCREWS = {n: (-139.9 + 2.9 * (n - 1), 4.6 - 0.8 * (n - 1), 32.4 - 40.0 * (n - 1)) for n in range(1, 6)}


@pytest.fixture(scope="module")
def places() -> dict[str, Location]:
    phantom = read_phantom("femoral-nail")
    activity = np.asarray(concentration_map(phantom, 24.0, SPECT, 2).array, dtype=np.float64)
    uptake = Image(ndimage.gaussian_filter(activity, 12.0 / 2.355 / 4.8), SPECT, "kBq/mL")
    water = float(linear_attenuation_per_cm("water", KEV))
    hu = 1000.0 * (np.asarray(attenuation_map(phantom, KEV, CT, 2).array) / water - 1.0)
    metal = Image((hu > 2500.0).astype(np.uint8), CT)
    surfaces = Surfaces(tissues_of_ct(Image(np.clip(hu, -1000.0, 3071.0).astype(np.float32), CT, "HU"), metal))
    shapes: dict[str, Shape] = {f"screw {n}": Sphere(centre, 15.0) for n, centre in SCREWS.items()}
    shapes["sinus tract"] = Cylinder((-133.5, 4.1, -159.4), (-154.0, 12.6, -194.3), 12.0)
    shapes["left nail"] = Cylinder((112.6, 5.8, -25.0), (105.0, 3.9, -145.0), 18.0)
    definitions = [RegionDefinition(name, "reference", "", (shape,)) for name, shape in shapes.items()]
    labels, regions = rasterise(definitions, SPECT)
    members = {region.name: np.asarray(labels.array) == region.label for region in regions}
    return {
        region.name: locate(uptake, members[region.name], surfaces, name=region.name, side=region.side)
        for region in regions
    }


@pytest.mark.parametrize("screw", SCREWS)
def test_screws_are_at_the_implant_and_bone_cannot_be_told_from_it(places: dict[str, Location], screw: int) -> None:
    place = places[f"screw {screw}"]
    assert place.tissue == "implant"
    assert "bone" in place.or_beside
    assert place.side == "right"
    assert place.hottest_to_metal_mm < 6.0
    assert not place.elongated


def test_the_sinus_is_a_tract_in_soft_tissue_that_reaches_the_skin(places: dict[str, Location]) -> None:
    place = places["sinus tract"]
    assert (place.tissue, place.side) == ("soft tissue", "right")
    assert place.elongated
    assert place.reaches_skin
    axis = np.array([-28.4, 11.8, -48.4])
    assert abs(np.dot(place.direction, axis)) / np.linalg.norm(axis) > 0.9
    assert place.hottest_to_metal_mm > 15.0


def test_remodelling_along_the_left_nail_is_in_bone_or_at_the_nail(places: dict[str, Location]) -> None:
    place = places["left nail"]
    assert place.side == "left"
    assert {place.tissue, *place.or_beside} == {"bone", "implant"}
    assert place.elongated
    assert not place.reaches_skin
    assert abs(place.direction[2]) > 0.95


def test_levels_count_from_the_metal_s_ends(places: dict[str, Location]) -> None:
    # The right nail, and what touches it, reaches from z = 132 to -252 mm.
    assert places["screw 1"].level.endswith("mm below the upper end of the metal")
    assert float(places["screw 1"].level.split()[0]) == pytest.approx(132.0 - 32.4, abs=15.0)
    assert places["sinus tract"].level.endswith("mm above the lower end of the metal")
    assert float(places["sinus tract"].level.split()[0]) == pytest.approx(252.0 - 172.0, abs=15.0)
