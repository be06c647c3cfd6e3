"""Half-lives, and what decay does between times and over a frame."""

from __future__ import annotations

import numpy as np
import pytest

from leukospect.errors import InputError
from leukospect.physics.decay import decay_factor, frame_start_factor
from leukospect.physics.nuclides import nuclide

HOUR_S, DAY_S = 3600.0, 86400.0


def test_published_half_lives_and_photons() -> None:
    technetium, indium = nuclide("Tc-99m"), nuclide("In-111")
    assert technetium.half_life_s == pytest.approx(6.0072 * HOUR_S, rel=1e-4)
    assert indium.half_life_s == pytest.approx(2.8047 * DAY_S, rel=1e-4)
    np.testing.assert_allclose(technetium.photons, [(140.511, 89.1)])
    np.testing.assert_allclose(indium.photons, [(171.28, 90.7), (245.35, 94.1)])


@pytest.mark.parametrize("name", ["", "tc99m", "I-131"])
def test_an_unknown_nuclide_is_refused(name: str) -> None:
    with pytest.raises(InputError, match=r"known are Tc-99m, In-111"):
        nuclide(name)


def test_half_is_left_after_a_half_life() -> None:
    assert decay_factor(100.0, 100.0) == pytest.approx(0.5)
    assert decay_factor(100.0, 0.0) == 1.0
    assert decay_factor(100.0, -200.0) == pytest.approx(4.0)
    np.testing.assert_allclose(decay_factor(100.0, np.array([0.0, 200.0, 300.0])), [1.0, 0.25, 0.125])


def test_from_four_to_twenty_four_hours_technetium_falls_tenfold() -> None:
    assert 1 / decay_factor(nuclide("Tc-99m").half_life_s, 20 * HOUR_S) == pytest.approx(10.05, abs=0.005)


def test_twenty_minutes_of_technetium_measure_two_per_cent_less_than_their_start() -> None:
    assert frame_start_factor(nuclide("Tc-99m").half_life_s, 1200.0) == pytest.approx(1.0194, abs=5e-5)


def test_the_frames_factor_is_the_mean_of_the_decay_over_it() -> None:
    half_life = 500.0
    for length in (3.0, 700.0, 5000.0):
        instants = (np.arange(20000) + 0.5) / 20000 * length
        mean = float(decay_factor(half_life, instants).mean())
        assert frame_start_factor(half_life, length) == pytest.approx(1 / mean, rel=1e-6)


def test_a_frame_of_no_length_needs_no_factor() -> None:
    assert frame_start_factor(500.0, 0.0) == 1.0
    np.testing.assert_allclose(frame_start_factor(500.0, np.array([0.0, 1e-6])), 1.0)
    # One half-life: ln 2 / (1 - 1/2).
    np.testing.assert_allclose(frame_start_factor(500.0, np.array([0.0, 500.0])), [1.0, 2 * np.log(2)])
