"""A cobalt-chrome piece beside titanium attenuates as itself where the CT's scale shows it."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from leukospect.ct.attenuation_map import smooth_to_resolution
from leukospect.ct.coefficients import KnownMatter, coefficients_of_ct
from leukospect.ct.dense_metal import dense_part, metals_of_ct
from leukospect.data import Geometry, Image
from leukospect.physics.attenuation import hu_to_mu, metal_ct_number_hu, metal_mu_per_cm

TC, KVP, TISSUE_HU, BLUR_MM = 140.511, 120.0, 40.0, 1.2
PIXEL_MM, SLICES, SIZE, FINE = 0.9, 5, 96, 6
TITANIUM_MM, COBALT_MM = 12.0, 16.0


def rods(apart_mm: float, top_hu: float = np.inf) -> tuple[Image, Image]:
    """Give the CT of a titanium rod and, towards +x, a cobalt-chrome one, and where it exceeds 3000 HU."""
    place = ((np.arange(SIZE * FINE) + 0.5) / FINE - 0.5 - (SIZE - 1) / 2) * PIXEL_MM
    fine = np.full((SIZE * FINE, SIZE * FINE), TISSUE_HU, np.float32)
    for material, at, diameter in (("titanium_alloy", -14.0, TITANIUM_MM), ("cobalt_chrome", None, COBALT_MM)):
        x = at if at is not None else -14.0 + 0.5 * (TITANIUM_MM + COBALT_MM) + apart_mm
        inside = np.hypot(place[:, None] - 2.0, place[None] - x) < diameter / 2
        # Beam hardening takes a fifth of it in thick metal.
        fine[inside] = 0.8 * metal_ct_number_hu(material, KVP)
    blurred = gaussian_filter(fine, BLUR_MM / 2.3548 / PIXEL_MM * FINE)
    hu = blurred.reshape(SIZE, FINE, SIZE, FINE).mean(axis=(1, 3))
    array = np.minimum(np.repeat(hu[None], SLICES, axis=0), top_hu).astype(np.float32)
    image = Image(array, Geometry.axial(array.shape, (2.0, PIXEL_MM, PIXEL_MM), (0, 0, 0)), "HU")
    return image, Image((array > 3000).astype(np.uint8), image.geometry, "1")


def excess_per_mm(mu: NDArray[np.float32], geometry: Geometry) -> float:
    smooth = smooth_to_resolution(Image(mu, geometry), 8.0).array[2].astype(np.float64)
    return float((smooth - mu[2, 3:8].mean(dtype=np.float64))[14:-14, 14:-14].sum() * PIXEL_MM**2)


@pytest.mark.parametrize("apart_mm", [0.0, 8.0])
def test_each_rod_attenuates_as_its_metal(apart_mm: float) -> None:
    ct, metal = rods(apart_mm)
    found = metals_of_ct(ct, metal, KVP, "titanium_alloy")
    assert [one.material for one in found] == ["titanium_alloy", "cobalt_chrome"]
    tissue = hu_to_mu(np.array([TISSUE_HU]), KVP, TC)[0]
    true = sum(
        (metal_mu_per_cm(material, TC) - tissue) * np.pi * diameter**2 / 4
        for material, diameter in (("titanium_alloy", TITANIUM_MM), ("cobalt_chrome", COBALT_MM))
    )
    mapped = excess_per_mm(coefficients_of_ct(ct, KVP, TC, known=KnownMatter(found)), ct.geometry)
    assert mapped == pytest.approx(true, rel=0.04)
    as_titanium = metals_of_ct(Image(np.minimum(ct.array, 12000.0), ct.geometry, "HU"), metal, KVP, "titanium_alloy")
    assert len(as_titanium) == 1
    alone = excess_per_mm(coefficients_of_ct(ct, KVP, TC, known=KnownMatter(as_titanium)), ct.geometry)
    assert alone < 0.7 * true  # what is avoided


def test_dense_metal_is_on_its_own_side() -> None:
    ct, metal = rods(8.0)
    dense = dense_part(ct, metal, KVP)
    x_mm = (np.arange(SIZE) - (SIZE - 1) / 2) * PIXEL_MM
    rod = (metal.array != 0) & (x_mm > -2.0 * PIXEL_MM)  # its edge is at 0, the other's at -8 mm
    np.testing.assert_array_equal(dense, rod)


def test_a_scale_that_cuts_metal_off_tells_nothing() -> None:
    ct, metal = rods(8.0, top_hu=3071.0)
    assert not dense_part(ct, metal, KVP).any()
    assert [one.material for one in metals_of_ct(ct, metal, KVP, "titanium")] == ["titanium"]


def test_a_told_dense_metal_stands() -> None:
    ct, metal = rods(8.0)
    assert [one.material for one in metals_of_ct(ct, metal, KVP, "steel_316l")] == ["steel_316l"]
