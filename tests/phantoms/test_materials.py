"""Attenuation of the simulated materials against published values, and the energy windows' spectra."""

from __future__ import annotations

import numpy as np
import pytest

from leukospect.errors import InputError
from leukospect.phantoms.acquisitions import Window
from leukospect.phantoms.energy_spectrum import window_fractions
from leukospect.phantoms.materials import linear_attenuation_per_cm


@pytest.mark.parametrize(
    ("material", "expected"),
    [
        ("water", (0.1536, 0.1442, 0.1276)),
        ("cortical_bone", (0.293, 0.268, 0.232)),
        ("titanium_alloy", (0.77, 0.65, 0.51)),
        ("steel_316l", (1.75, 1.38, 1.01)),
        ("air", (0.0, 0.0, 0.0)),
    ],
)
def test_attenuation_at_the_photopeaks(material: str, expected: tuple[float, ...]) -> None:
    found = linear_attenuation_per_cm(material, [140.5, 171.3, 245.3])
    np.testing.assert_allclose(found, expected, rtol=0.008)


def test_what_is_not_tabulated_is_refused() -> None:
    with pytest.raises(InputError, match="wood"):
        linear_attenuation_per_cm("wood", 140.5)
    with pytest.raises(InputError, match="keV"):
        linear_attenuation_per_cm("water", 511.0)


def test_all_photons_are_in_a_window_that_holds_every_energy() -> None:
    everything = (Window(name="all", lower_kev=0.0, upper_kev=300.0),)
    np.testing.assert_allclose(window_fractions(140.511, 9.5, everything), 1.0, atol=1e-6)


def test_the_photopeak_holds_the_gaussian_s_share_of_primary_photons() -> None:
    half = 140.511 * 0.095 / 2.0
    window = (Window(name="fwhm", lower_kev=140.511 - half, upper_kev=140.511 + half),)
    # The full width at half maximum of a Gaussian holds erf(sqrt(ln 2)) of it.
    assert window_fractions(140.511, 9.5, window)[0, 0] == pytest.approx(0.7610, abs=2e-4)


def test_scattered_photons_lie_below_and_twice_scattered_ones_lower_still() -> None:
    windows = tuple(
        Window(name="", lower_kev=low, upper_kev=high) for low, high in ((126.5, 154.5), (90, 126.5), (154.5, 190))
    )
    photopeak, lower, upper = window_fractions(140.511, 9.5, windows)
    assert photopeak[0] > photopeak[1] > photopeak[2]
    assert lower[0] < 0.02 < lower[1]
    assert upper[1] < upper[0] < 0.02
