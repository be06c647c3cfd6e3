"""Metal's attenuation: the smoothed integral of a rod is right whatever the CT's scale does to its numbers."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from leukospect.ct.attenuation_map import smooth_to_resolution
from leukospect.ct.coefficients import KnownMatter, coefficients_of_ct
from leukospect.ct.metal_content import metal_content
from leukospect.data import Geometry, Image
from leukospect.errors import GeometryError, InputError
from leukospect.physics.attenuation import METALS, hu_to_mu, metal_ct_number_hu, metal_mu_per_cm, water_mu_per_cm

TC, IN_LOW, IN_HIGH = 140.511, 171.28, 245.35
PIXEL_MM, SLICE_MM, SIZE, FINE = (0.9, 1.0), 2.0, (60, 72), 8
TISSUE_HU, BLUR_MM = 40.0, 1.2


def rod(diameter_mm: float, metal_hu: float, top_hu: float | None = None) -> tuple[Image, Image]:
    """Give the CT of a rod off the middle in soft tissue, blurred as by a scanner, and where it exceeds 2500 HU."""
    rows, columns = (n * FINE for n in SIZE)
    y = ((np.arange(rows) + 0.5) / FINE - 0.5 - (SIZE[0] - 1) / 2 - 0.3)[:, None] * PIXEL_MM[0]
    x = ((np.arange(columns) + 0.5) / FINE - 0.5 - (SIZE[1] - 1) / 2 + 4.4)[None] * PIXEL_MM[1]
    inside = (np.hypot(y, x) < diameter_mm / 2).astype(np.float32)
    blurred = gaussian_filter(inside, [BLUR_MM / 2.3548 / step * FINE for step in PIXEL_MM])
    part = blurred.reshape(SIZE[0], FINE, SIZE[1], FINE).mean(axis=(1, 3))
    hu = np.repeat((TISSUE_HU + part * (metal_hu - TISSUE_HU))[None], 5, axis=0)
    hu += np.random.default_rng(4).normal(0, 15, hu.shape)
    hu = np.minimum(hu, np.inf if top_hu is None else top_hu).astype(np.float32)
    image = Image(hu, Geometry.axial(hu.shape, (SLICE_MM, *PIXEL_MM), (-5, 3, 9)), "HU")
    return image, Image((hu > 2500).astype(np.uint8), image.geometry, "1")


def excess_per_mm(mu: NDArray[np.float32], geometry: Geometry, fwhm_mm: float = 8.0) -> float:
    """Integrate a map over the middle slice after smoothing, less that of the tissue around, 1/cm mm2."""
    smooth = smooth_to_resolution(Image(mu, geometry), fwhm_mm).array[2].astype(np.float64)
    tissue = mu[:, 2:9].mean(dtype=np.float64)
    return float((smooth - tissue)[12:-12, 12:-12].sum() * np.prod(PIXEL_MM))


@pytest.mark.parametrize("energy_kev", [TC, IN_LOW, IN_HIGH])
@pytest.mark.parametrize(("top_hu", "tolerance"), [(None, 0.02), (3071.0, 0.12)])
@pytest.mark.parametrize("diameter_mm", [7.0, 12.0])
def test_the_integral_of_a_titanium_rod(
    diameter_mm: float, top_hu: float | None, tolerance: float, energy_kev: float
) -> None:
    ct, metal = rod(diameter_mm, 9500.0, top_hu)
    content = metal_content(ct, metal, 120.0, "titanium_alloy")
    assert content.saturated == (top_hu is not None)
    known = KnownMatter((content,))
    tissue = hu_to_mu(np.array([TISSUE_HU]), 120.0, energy_kev)[0]
    true = (metal_mu_per_cm("titanium_alloy", energy_kev) - tissue) * np.pi * diameter_mm**2 / 4
    mapped = excess_per_mm(coefficients_of_ct(ct, 120.0, energy_kev, known=known), ct.geometry)
    assert mapped == pytest.approx(true, rel=tolerance)
    by_numbers = excess_per_mm(coefficients_of_ct(ct, 120.0, energy_kev), ct.geometry)
    assert abs(by_numbers / true - 1) > 0.15  # what is avoided: too low where cut off, too high where not


@pytest.mark.parametrize(("material", "metal_hu"), [("cobalt_chrome", 22000.0), ("steel_316l", 18000.0)])
@pytest.mark.parametrize("top_hu", [None, 3071.0])
def test_heavier_metals(material: str, metal_hu: float, top_hu: float | None) -> None:
    ct, metal = rod(14.0, metal_hu, top_hu)
    content = metal_content(ct, metal, 120.0, material)
    true_ml = np.pi * 14.0**2 / 4 * 5 * SLICE_MM / 1000
    assert content.volume_ml == pytest.approx(true_ml, rel=0.02 if top_hu is None else 0.12)
    mu = coefficients_of_ct(ct, 120.0, TC, known=KnownMatter((content,)))
    assert mu.max() == pytest.approx(metal_mu_per_cm(material, TC), rel=1e-5)
    assert mu.max() > 2 * metal_mu_per_cm("titanium_alloy", TC)


def test_the_plateau_of_metal_is_told_only_where_it_shows() -> None:
    assert metal_content(*rod(12.0, 9500.0), 120.0, "titanium").plateau_hu == pytest.approx(9500, rel=0.02)
    assert metal_content(*rod(12.0, 9500.0, 3071.0), 120.0, "titanium").plateau_hu is None
    assert metal_content(*rod(3.0, 9500.0), 120.0, "titanium").plateau_hu is None


def test_nothing_changes_away_from_metal_nor_without_it() -> None:
    ct, metal = rod(10.0, 9500.0, 3071.0)
    plain = coefficients_of_ct(ct, 120.0, TC)
    np.testing.assert_array_equal(plain, hu_to_mu(ct.array.astype(np.float32), 120.0, TC))
    content = metal_content(ct, metal, 120.0, "titanium_alloy")
    known = coefficients_of_ct(ct, 120.0, TC, known=KnownMatter((content,)), threads=1)
    far = np.ones(ct.array.size, np.bool_)
    far[content.voxels] = False
    np.testing.assert_array_equal(known.ravel()[far], plain.ravel()[far])
    empty = metal_content(ct, Image(np.zeros_like(metal.array), ct.geometry), 120.0, "titanium_alloy")
    assert (empty.voxels.size, empty.volume_ml) == (0, 0.0)
    np.testing.assert_array_equal(coefficients_of_ct(ct, 120.0, TC, known=KnownMatter((empty,))), plain)


@pytest.mark.parametrize(
    ("material", "energy_kev", "mu"),
    [("titanium", TC, 0.79), ("titanium_alloy", TC, 0.77), ("titanium_alloy", IN_LOW, 0.65),
     ("titanium_alloy", IN_HIGH, 0.51), ("steel_316l", TC, 1.75), ("steel_316l", IN_LOW, 1.38),
     ("steel_316l", IN_HIGH, 1.01), ("cobalt_chrome", TC, 1.88), ("cobalt_chrome", IN_LOW, 1.45),
     ("cobalt_chrome", IN_HIGH, 1.04)],
)  # fmt: skip
def test_published_coefficients_of_metals(material: str, energy_kev: float, mu: float) -> None:
    assert metal_mu_per_cm(material, energy_kev) == pytest.approx(mu, abs=0.006)
    counted = metal_mu_per_cm(material, energy_kev, coherent_counted=True)
    # Heavier atoms scatter a larger part coherently than water does.
    assert counted / metal_mu_per_cm(material, energy_kev) < water_mu_per_cm(
        energy_kev, coherent_counted=True
    ) / water_mu_per_cm(energy_kev)


def test_ct_numbers_of_metals_fall_with_the_voltage_and_rise_with_the_atoms() -> None:
    for material in METALS:
        assert (
            metal_ct_number_hu(material, 80.0)
            > metal_ct_number_hu(material, 115.0)
            > metal_ct_number_hu(material, 140.0)
        )
    assert metal_ct_number_hu("steel_316l", 120.0) > 2 * metal_ct_number_hu("titanium_alloy", 120.0)


def test_what_does_not_fit_is_refused() -> None:
    ct, metal = rod(10.0, 9500.0)
    moved = Image(metal.array, Geometry.axial(ct.geometry.shape, (SLICE_MM, *PIXEL_MM), (0, 0, 0)))
    with pytest.raises(GeometryError, match="does not lie on the grid"):
        metal_content(ct, moved, 120.0, "titanium")
    with pytest.raises(InputError, match="no metal 'gold'"):
        metal_content(ct, metal, 120.0, "gold")
    with pytest.raises(GeometryError, match="does not fit a CT"):
        coefficients_of_ct(ct, 120.0, TC, known=KnownMatter(water=np.zeros((2, 3, 4), np.bool_)))
