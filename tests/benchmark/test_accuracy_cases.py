"""The benchmark's cases: what is simulated is what is said, and regions hold what they are named after."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from leukospect.benchmark.accuracy_cases import Case, Scanning, scanned, simulated_case
from leukospect.benchmark.accuracy_reconstruction import ALL_TRUE_SCATTER, NO_SCATTER, Reconstruction
from leukospect.benchmark.accuracy_regions import (
    even_region,
    mean_in,
    places_mm,
    shortened,
    shrunk,
    spheres_of,
    total_of,
    variation_in,
    weights_of,
)
from leukospect.benchmark.accuracy_rods import cold_weights
from leukospect.benchmark.accuracy_scatter import insert_of, with_water_insert
from leukospect.benchmark.accuracy_spheres import SphereRegions
from leukospect.benchmark.accuracy_uniform import CENTRE, ENDS, RIM, WHOLE, CylinderRegions
from leukospect.errors import ProtocolError
from leukospect.phantoms import read_phantom
from leukospect.phantoms.solids import Rods
from leukospect.physics.nuclides import nuclide
from leukospect.physics.windows import find_photopeaks
from leukospect.projector import counts_of_views

COARSE = 3


@cache
def case(name: str, way: Scanning | None = None) -> Case:
    return simulated_case(read_phantom(name), way, coarsening=COARSE, threads=1)


def test_the_truth_holds_the_activity_of_the_phantom() -> None:
    cylinder = case("uniform-cylinder")
    # 8 kBq/mL in a cylinder of 108 x 200 mm, 90 cps/MBq, an hour after the injection.
    expected = 8e-3 * np.pi * 10.8**2 * 20.0 * 90.0 * 2.0 ** (-1.0 / 6.0072)
    assert total_of(cylinder.truth) == pytest.approx(expected, rel=2e-3)
    assert cylinder.level() == pytest.approx(expected / (np.pi * 10.8**2 * 20.0), rel=1e-6)


@pytest.mark.parametrize("arc_deg", [360, 180])
def test_an_arc_of_180_degrees_lies_in_front(arc_deg: int) -> None:
    made = case("uniform-cylinder", Scanning(arc_deg=arc_deg)).projections
    front = np.cos(np.deg2rad(made.orbit.angles_deg)) < 1e-6
    assert front.mean() == pytest.approx(1.0 if arc_deg == 180 else 0.5, abs=0.06)


def test_a_body_contour_follows_the_body() -> None:
    phantom = read_phantom("iec-body")
    radii = simulated_case(phantom, Scanning(orbit="body contour"), coarsening=6, threads=1).projections.orbit.radii_mm
    assert radii is not None
    # 224 mm high, its corners of 77 mm round (70, 35); 15 mm away, whatever solids the outline is made of.
    assert radii.max() == pytest.approx(np.hypot(70, 35) + 77 + 15, abs=2.0)
    assert radii.min() == pytest.approx(112 + 15, abs=1.0)


def test_indium_has_two_photopeaks_with_their_scatter_windows() -> None:
    made = case("uniform-cylinder", Scanning(nuclide="In-111"))
    peaks = find_photopeaks(made.projections.energy_windows, nuclide("In-111"))
    assert [peak.energy_kev for peak in peaks] == [171.28, 245.35]
    assert None not in [index for peak in peaks for index in (peak.lower_scatter, peak.upper_scatter)]
    low, high = (made.projections.counts[i].sum() - made.scattered[i].sum() for i in made.photopeak_windows)
    # By yield and crystal, and 171 keV is attenuated more.
    assert 0.7 * 90.7 * 0.72 / (94.1 * 0.42) < low / high < 90.7 * 0.72 / (94.1 * 0.42)
    # What 245 keV scatters falls into the windows of 171 keV, above it too.
    above = made.scattered[peaks[0].upper_scatter or 0].sum()
    assert above > 20 * made.scattered[peaks[1].upper_scatter or 0].sum()


def test_a_phantom_without_spect_is_refused() -> None:
    phantom = read_phantom("uniform-cylinder")
    only_ct = phantom.model_copy(update={"acquisition": phantom.acquisition[1:]})
    with pytest.raises(ProtocolError, match="SPECT"):
        scanned(only_ct, Scanning())


def test_a_draw_has_the_counts_asked_for_and_the_variance_of_counting() -> None:
    cylinder = case("uniform-cylinder")
    draw = cylinder.draw(2.0, (1, 2))
    drawn, mean = draw.projections.counts[0], cylinder.projections.counts[0] * draw.scale
    assert drawn.sum() / 1e6 == pytest.approx(2.0, rel=5e-3)
    assert ((drawn - mean) ** 2).sum() / mean.sum() == pytest.approx(1.0, abs=0.05)
    np.testing.assert_array_equal(drawn, cylinder.draw(2.0, (1, 2)).projections.counts[0])
    assert np.any(drawn != cylinder.draw(2.0, (1, 3)).projections.counts[0])


def test_weights_hold_the_volume_and_the_centre_of_the_true_sphere() -> None:
    body = case("iec-body")
    spheres = spheres_of(body)
    assert [2 * sphere.radius_mm for sphere in spheres] == [37, 28, 22, 17, 13, 10]
    for sphere in spheres:
        weights = weights_of(body, sphere)
        volume = weights.sum() * body.truth.geometry.voxel_volume_ml
        assert volume == pytest.approx(4 / 3 * np.pi * (sphere.radius_mm / 10) ** 3, rel=0.04)
        centroid = (weights[..., None] * places_mm(body)).sum(axis=(0, 1, 2)) / weights.sum()
        np.testing.assert_allclose(centroid, sphere.center_mm, atol=1.5)
        assert weights.max() <= 1.0 + 1e-9


def test_the_background_keeps_its_distance_from_everything_else() -> None:
    body = case("iec-body")
    region = even_region(body, 20.0)
    assert region.sum() > 30
    assert np.asarray(body.truth.array)[region] == pytest.approx(body.level())
    places = places_mm(body)[region]
    for sphere in spheres_of(body):
        assert np.linalg.norm(places - sphere.center_mm, axis=-1).min() >= sphere.radius_mm + 20.0
    insert = insert_of(body.phantom)
    assert np.hypot(places[:, 0], places[:, 1]).min() >= insert.radius_mm + 20.0
    assert np.abs(places[:, 2]).max() <= 100.0 - 20.0
    assert np.abs(places[:, 0]).max() <= 147.0 - 20.0


def test_the_truth_s_own_recovery_is_the_best_that_voxels_allow() -> None:
    body = case("iec-body")
    regions = SphereRegions.of(body)
    assert regions.hot == pytest.approx(8 * regions.warm)
    recovery = [mean_in(body.truth, weights) / regions.hot for weights in regions.spheres.values()]
    assert recovery == sorted(recovery, reverse=True)
    assert 0.5 < recovery[0] < 1.0


def test_the_cylinder_s_regions_lie_where_they_are_named_after() -> None:
    cylinder = simulated_case(read_phantom("uniform-cylinder"), coarsening=2, threads=1)
    masks = CylinderRegions.of(cylinder).masks
    offset = places_mm(cylinder) - (6.0, -4.0, 4.0)  # the phantom's middle
    radius, z = np.hypot(offset[..., 0], offset[..., 1]), np.abs(offset[..., 2])
    assert radius[masks[WHOLE]].max() <= 78.0
    assert z[masks[WHOLE]].max() <= 70.0
    assert radius[masks[CENTRE]].max() < 30.0
    assert radius[masks[RIM]].min() > 58.0
    assert z[masks[ENDS]].min() > 50.0
    assert masks[WHOLE].sum() * cylinder.truth.geometry.voxel_volume_ml == pytest.approx(np.pi * 7.8**2 * 14, rel=0.05)


def test_cold_regions_lie_within_cold_solids() -> None:
    jaszczak = case("jaszczak")
    assert len(cold_weights(jaszczak)) == 12
    rods = [shape for shape in jaszczak.phantom.shape if isinstance(shape, Rods)]
    inside = weights_of(jaszczak, shortened(rods[-1], 10.0))
    assert (inside.sum() * jaszczak.truth.geometry.voxel_volume_ml) == pytest.approx(
        len(rods[-1].centres_mm()) * np.pi * (rods[-1].diameter_mm / 20) ** 2 * 6.8, rel=0.06
    )
    insert = insert_of(read_phantom("iec-body"))
    core = shrunk(insert, 15.0, 30.0)
    assert (core.radius_mm, core.from_mm[2], core.to_mm[2]) == (15.0, -70.0, 70.0)


def test_the_insert_can_be_filled_with_water() -> None:
    original = read_phantom("iec-body")
    changed = with_water_insert(original)
    assert insert_of(original).material == "lung"
    assert insert_of(changed).material == "water"
    assert len(changed.shape) == len(original.shape)


def test_the_true_scatter_is_that_of_the_counts_that_are_reconstructed() -> None:
    cylinder = case("uniform-cylinder")
    made = Reconstruction(cylinder, ALL_TRUE_SCATTER, 2, 5, threads=1)
    peak = made._peak(cylinder.projections, 1.0)
    assert peak.scatter is not None
    np.testing.assert_array_equal(counts_of_views(peak.scatter), cylinder.scattered[0])


def test_the_uniform_cylinder_keeps_its_activity_and_scatter_adds_to_it() -> None:
    cylinder = case("uniform-cylinder")
    inside = even_region(cylinder, 30.0)
    made = Reconstruction(cylinder, ALL_TRUE_SCATTER, 4, 10, threads=1)
    corrected = made.image()
    assert total_of(corrected) == pytest.approx(total_of(cylinder.truth), rel=0.02)
    without = Reconstruction(cylinder, NO_SCATTER, 4, 10, threads=1).image()
    assert mean_in(without, inside) > 1.2 * mean_in(corrected, inside)
    # Noise falls with the counts, and images of any count level are on the scale of the truth.
    few, many = (made.image(cylinder.draw(millions, (1,))) for millions in (1.0, 16.0))
    assert variation_in(few, inside) > 2.5 * variation_in(many, inside)
    assert mean_in(few, inside) == pytest.approx(mean_in(corrected, inside), rel=0.03)
