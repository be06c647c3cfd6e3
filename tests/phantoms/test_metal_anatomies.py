"""Random anatomies: metal lies in the patient, sides differ, the same seed draws the same."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from leukospect.ct.body import body_outline
from leukospect.data import Geometry, Image
from leukospect.errors import InputError
from leukospect.phantoms import attenuation_map
from leukospect.phantoms.acquisitions import CtAcquisition
from leukospect.phantoms.anatomy_drawing import IMPLANT
from leukospect.phantoms.description import Phantom
from leukospect.phantoms.materials import METALS
from leukospect.phantoms.metal_anatomies import FAMILIES, metal_phantom, metals_of
from leukospect.phantoms.scanned_anatomy import NOISE_HU, filled_by_implants, scan_of

_SIZE = 96
_WATER_PER_CM = 0.193  # at 70 keV


def _grid(phantom: Phantom) -> Geometry:
    scan = phantom.acquisition[0]
    assert isinstance(scan, CtAcquisition)
    first = -(_SIZE - 1) / 2.0 * scan.pixel_mm[0]
    low = scan.center_z_mm - (scan.slices - 1) / 2.0 * scan.slice_spacing_mm
    return Geometry.axial((scan.slices, _SIZE, _SIZE), (scan.slice_spacing_mm, *scan.pixel_mm), (first, first, low))


def _hu(phantom: Phantom) -> NDArray[np.float64]:
    mu = np.asarray(attenuation_map(phantom, 70.0, _grid(phantom), samples=1).array, dtype=np.float64)
    return 1000.0 * (mu / _WATER_PER_CM - 1.0)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("seed", range(4))
def test_metal_lies_inside_a_body_that_fits_the_field(family: str, seed: int) -> None:
    with_metal = metal_phantom(family, seed, matrix=_SIZE, slices=4)
    geometry = _grid(with_metal)
    without = _hu(metal_phantom(family, seed, matrix=_SIZE, slices=4, implants=False))
    body = body_outline(Image(without, geometry, "HU"))
    metal = filled_by_implants(with_metal, geometry) >= 0.5
    assert metal.any()
    assert not np.any(metal & ~body)
    assert not body[:, 0].any()
    assert not body[:, :, 0].any()
    assert not body[:, :, -1].any()
    assert np.median(_hu(with_metal)[metal]) > 5000.0
    # Without its implants nothing but bone and teeth is dense; fat, soft tissue and bone are all there.
    assert without.max() < 4000.0
    for low, high, share in ((-120.0, -60.0, 0.03), (20.0, 90.0, 0.2), (150.0, 3500.0, 0.002)):
        assert np.mean((without[body] > low) & (without[body] < high)) > share


@pytest.mark.parametrize("family", FAMILIES)
def test_the_same_seed_draws_the_same_and_others_differ(family: str) -> None:
    first, again, other = (metal_phantom(family, seed) for seed in (5, 5, 6))
    assert first == again
    assert first.shape != other.shape
    without = metal_phantom(family, 5, implants=False)
    assert without.shape == tuple(shape for shape in first.shape if shape.compartment != IMPLANT)
    assert set(metals_of(first)) <= METALS
    assert metals_of(without) == ()


@pytest.mark.parametrize("family", FAMILIES)
def test_left_and_right_differ(family: str) -> None:
    metal = filled_by_implants(phantom := metal_phantom(family, 3, matrix=_SIZE, slices=3), _grid(phantom)) >= 0.5
    hu = _hu(phantom)
    assert not np.array_equal(hu, hu[:, :, ::-1])
    assert not np.array_equal(metal, metal[:, :, ::-1])


def test_sides_and_materials_vary_with_the_seed() -> None:
    sides, metals = set(), set()
    for seed in range(10):
        phantom = metal_phantom("plate", seed)
        sides |= {np.sign(shape.center_mm[0]) for shape in phantom.shape
                  if shape.compartment == IMPLANT and shape.kind == "box"}  # fmt: skip
        metals |= set(metals_of(phantom))
    assert sides == {-1.0, 1.0}
    assert metals == {"steel_316l", "titanium_alloy"}


def test_an_unknown_family_is_refused() -> None:
    with pytest.raises(InputError, match="nail, plate, hip, spine, dental"):
        metal_phantom("elbow", 1)


def test_a_scan_has_noise_streaks_and_a_truth_of_its_own() -> None:
    scan = scan_of("nail", 3, slices=2, matrix=128)
    noise = scan.without_metal_hu - scan.truth_hu
    muscle = (scan.truth_hu > 20) & (scan.truth_hu < 80)
    assert NOISE_HU[0] <= scan.noise_hu <= NOISE_HU[1]
    assert np.std(noise[muscle]) == pytest.approx(scan.noise_hu, rel=0.3)
    assert np.std((scan.scanned_hu - scan.truth_hu)[muscle]) > 1.3 * np.std(noise[muscle])
    assert scan.scanned_hu[scan.metal].min() > scan.truth_hu[scan.metal].max()
    assert scan.series.kvp == scan.kvp
    np.testing.assert_array_equal(scan_of("nail", 3, slices=2, matrix=128, threads=3).scanned_hu, scan.scanned_hu)
