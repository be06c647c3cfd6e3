"""From CT numbers to attenuation: published values, the knee at water, and voltages that are not known."""

from __future__ import annotations

import numpy as np
import pytest

from leukospect.errors import AssumptionWarning, InputError, MissingInformationError
from leukospect.physics.attenuation import bone_slope_per_cm, hu_to_mu, water_mu_per_cm

TC, IN_LOW, IN_HIGH = 140.511, 171.28, 245.35


@pytest.mark.parametrize(("energy", "mu"), [(TC, 0.1536), (IN_LOW, 0.1442), (IN_HIGH, 0.1276)])
def test_water_at_the_photopeaks(energy: float, mu: float) -> None:
    assert water_mu_per_cm(energy) == pytest.approx(mu, rel=2e-4)
    assert hu_to_mu(np.zeros(1), 120.0, energy)[0] == pytest.approx(mu, rel=2e-4)


def test_water_between_the_photopeaks_falls_smoothly() -> None:
    energies = np.linspace(TC, IN_HIGH, 30)
    values = np.array([water_mu_per_cm(float(energy)) for energy in energies])
    assert np.all(np.diff(values) < 0)
    # NIST: 0.1370 cm2/g at 200 keV.
    assert water_mu_per_cm(200.0) == pytest.approx(0.1370, rel=0.01)


@pytest.mark.parametrize("energy", [80.0, 364.0, 511.0])
def test_an_energy_without_a_table_is_refused(energy: float) -> None:
    with pytest.raises(InputError, match="not in the table"):
        water_mu_per_cm(energy)


@pytest.mark.parametrize(
    ("kvp", "low", "high"),
    [(80, 0.76, 0.80), (100, 0.96, 0.96), (110, 0.98, 0.98), (120, 1.04, 1.04), (130, 1.09, 1.09), (140, 1.13, 1.16)],
)
def test_published_slopes_of_scanners(kvp: float, low: float, high: float) -> None:
    assert low - 1e-6 <= bone_slope_per_cm(kvp, TC) * 1e4 <= high + 1e-6


@pytest.mark.parametrize(("energy", "slope"), [(IN_LOW, 0.868e-4), (IN_HIGH, 0.731e-4)])
def test_published_slopes_of_indium_at_110_kv(energy: float, slope: float) -> None:
    assert bone_slope_per_cm(110.0, energy) == pytest.approx(slope, rel=1e-4)


@pytest.mark.parametrize(
    ("kvp", "slope"), [(80, 0.62), (100, 0.74), (110, 0.79), (120, 0.83), (130, 0.88), (140, 0.92)]
)
def test_slopes_calculated_with_icru_bone(kvp: float, slope: float) -> None:
    assert bone_slope_per_cm(kvp, TC, "icru-bone") == pytest.approx(slope * 1e-4, rel=1e-4)


def test_indium_at_another_voltage_keeps_the_ratio_of_110_kv() -> None:
    for kvp in (80.0, 140.0):
        ratio = bone_slope_per_cm(kvp, IN_HIGH) / bone_slope_per_cm(kvp, TC)
        assert ratio == pytest.approx(0.731 / 0.98, rel=1e-4)


def test_a_voltage_between_two_rows_is_interpolated_and_said() -> None:
    with pytest.warns(AssumptionWarning, match="115 kV"):
        slope = bone_slope_per_cm(115.0, TC)
    assert slope == pytest.approx(1.01e-4, rel=1e-3)


@pytest.mark.parametrize(("kvp", "said"), [(None, "tube voltage"), (70.0, "70 kV"), (150.0, "150 kV")])
def test_an_unknown_voltage_is_asked_for(kvp: float | None, said: str) -> None:
    with pytest.raises(MissingInformationError, match=said):
        hu_to_mu(np.zeros(3), kvp, TC)


def test_an_unknown_material_is_refused() -> None:
    with pytest.raises(InputError, match="granite"):
        bone_slope_per_cm(110.0, TC, "granite")


def test_two_straight_lines_with_the_knee_at_water() -> None:
    hu = np.array([-3024.0, -1000.0, -500.0, -100.0, 0.0, 1000.0, 3071.0])
    mu = hu_to_mu(hu, 110.0, TC)
    expected = [0, 0, 0.1536 / 2, 0.9 * 0.1536, 0.1536, 0.1536 + 0.098, 0.1536 + 0.98e-4 * 3071]
    np.testing.assert_allclose(mu, expected, rtol=2e-4, atol=1e-7)
    assert mu.dtype == np.float32


def test_the_map_rises_with_the_ct_number_and_is_never_negative() -> None:
    hu = np.arange(-1100.0, 4000.0).reshape(3, 100, 17)
    kept = hu.copy()
    mu = hu_to_mu(hu, 120.0, IN_LOW)
    assert mu.shape == hu.shape
    assert mu.min() == 0.0
    rising = mu.ravel()[100:]
    assert np.all(np.diff(rising) > 0)
    np.testing.assert_array_equal(hu, kept)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_values_that_are_not_finite_are_refused(bad: float) -> None:
    with pytest.raises(InputError, match="not finite"):
        hu_to_mu(np.array([0.0, bad]), 110.0, TC)


@pytest.mark.parametrize(("energy_kev", "water", "bone"), [(140.511, 0.1509, 0.2817), (245.35, 0.1267, 0.2282)])
def test_photons_scattered_coherently_are_not_lost_to_the_photopeak(
    energy_kev: float, water: float, bone: float
) -> None:
    assert water_mu_per_cm(energy_kev, coherent_counted=True) == pytest.approx(water, abs=2e-4)
    # In the narrow-beam map this CT number is cortical bone; without coherent scattering it must be, too.
    narrow = water_mu_per_cm(energy_kev)
    total = {140.511: 0.293, 245.35: 0.232}[energy_kev]
    hu = np.array([(total - narrow) / bone_slope_per_cm(110.0, energy_kev)])
    assert hu_to_mu(hu, 110.0, energy_kev)[0] == pytest.approx(total, rel=1e-4)
    assert hu_to_mu(hu, 110.0, energy_kev, coherent_counted=True)[0] == pytest.approx(bone, abs=4e-4)
