"""The simulated CT: calibrated on water, everything at its place, streaks and starvation around metal."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from leukospect.phantoms.ct_readings import detected_spectrum
from leukospect.phantoms.ct_scanner import CtScanner
from leukospect.phantoms.scene import scene_of
from tests.phantoms.made_phantom import ct_of, make

CT = """
[[acquisition]]
kind = "CT"
time_point = "delayed"
hours = 4.0
matrix = [110, 130]
pixel_mm = [2.0, 1.8]
slices = 5
slice_spacing_mm = 6.0
center_z_mm = 9.0
kvp = 110
views = 220
"""
WATER = """
[[shape]]
kind = "cylinder"
from_mm = [9.0, -14.0, -60.0]
to_mm = [9.0, -14.0, 80.0]
radius_mm = 80.0
material = "water"
"""
ROD = """
[[shape]]
kind = "cylinder"
from_mm = [{x}, {y}, {low}]
to_mm = [{x}, {y}, 80.0]
radius_mm = {radius}
material = "{material}"
"""


def hounsfield(shapes: str, seed: int | None = None, threads: int = 2) -> NDArray[np.int16]:
    phantom = make(shapes, CT)
    noise: Callable[[int], np.random.Generator] | None = None
    if seed is not None:
        noise = lambda block: np.random.default_rng([seed, block])  # noqa: E731
    return CtScanner(scene_of(phantom), ct_of(phantom)).scan_hu((noise,), threads)[0]


def places() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    y, x = np.meshgrid((np.arange(110) - 54.5) * 2.0, (np.arange(130) - 64.5) * 1.8, indexing="ij")
    return x, y


def test_water_reads_zero_from_the_rim_to_the_middle() -> None:
    hu = hounsfield(WATER)
    assert hu.shape == (5, 110, 130)
    x, y = places()
    distance = np.hypot(x - 9.0, y + 14.0)
    for inner, outer in ((0.0, 20.0), (30.0, 50.0), (55.0, 70.0)):
        ring = hu[:, (distance >= inner) & (distance < outer)]
        assert abs(float(ring.mean())) < 4.0
    assert hu[:, distance > 88.0].mean() < -985.0


def test_noise_is_centred_and_moderate() -> None:
    x, y = places()
    inside = np.hypot(x - 9.0, y + 14.0) < 60.0
    noisy = hounsfield(WATER, seed=3)[:, inside]
    assert abs(float(noisy.mean())) < 4.0
    assert 1.0 < noisy.std() < 30.0


def test_a_bone_rod_lies_where_it_was_put() -> None:
    hu = hounsfield(WATER + ROD.format(x=-31.0, y=22.0, low=7.0, radius=8.0, material="cortical_bone"))
    x, y = places()
    weight = np.where(hu[3] > 500, hu[3], 0).astype(np.float64)
    assert (weight * x).sum() / weight.sum() == pytest.approx(-31.0, abs=0.4)
    assert (weight * y).sum() / weight.sum() == pytest.approx(22.0, abs=0.4)
    # Slices lie at -3, 3, 9, 15, 21 mm: the rod begins between the second and the third.
    rod = np.hypot(x + 31.0, y - 22.0) < 5.0
    assert hu[:2, rod].max() < 100
    assert hu[2:, rod].min() > 1000


def test_metal_saturates_and_throws_dark_streaks_between_two_rods() -> None:
    rods = "".join(ROD.format(x=x, y=-14.0, low=-60.0, radius=7.0, material="titanium_alloy") for x in (-31.0, 49.0))
    hu = hounsfield(WATER + rods)
    x, y = places()
    metal = (np.hypot(x + 31.0, y + 14.0) < 4.0) | (np.hypot(x - 49.0, y + 14.0) < 4.0)
    assert hu.max() == 3071
    assert hu[:, metal].min() == 3071
    between = (np.abs(x - 9.0) < 15.0) & (np.abs(y + 14.0) < 2.0)
    beside = (np.abs(x - 9.0) < 15.0) & (np.abs(y - 26.0) < 2.0)
    assert hu[:, between].mean() < hu[:, beside].mean() - 60.0


def test_threads_change_no_value() -> None:
    rod = WATER + ROD.format(x=-31.0, y=22.0, low=7.0, radius=8.0, material="titanium_alloy")
    np.testing.assert_array_equal(hounsfield(rod, seed=1, threads=1), hounsfield(rod, seed=1, threads=3))


def test_the_spectrum_ends_at_the_tube_voltage_and_its_mean_is_a_scanner_s() -> None:
    energies, share = detected_spectrum(ct_of(make(WATER, CT)))
    assert share.sum() == pytest.approx(1.0)
    assert energies.max() < 110.0
    assert 55.0 < float(energies @ share) < 75.0
