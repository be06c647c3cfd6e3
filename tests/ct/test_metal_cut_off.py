"""Metal that a 12-bit scale cuts off, beside streaks and bone: neither wider nor narrower than it is."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from leukospect.ct.metal_bloom import fades, with_saddles, without_bloom
from leukospect.ct.metal_segmentation import find_metal
from tests.ct.dense_slice import BODY, Drawn, ct_image, dense_slice, dice, disc

TITANIUM, COBALT_CHROME, STEEL = 8000.0, 20000.0, 25000.0
TOP = 3071.0


def _darkened(array: NDArray[np.int16], row: float, column: float, beyond: float) -> NDArray[np.int16]:
    """Put a dark streak left and right of a metal, some pixels beyond its edge."""
    rows, columns = np.indices(array.shape) + 0.5
    streak = (np.abs(rows - row) < 5.0) & (np.abs(columns - column) > beyond)
    return np.where(streak, np.maximum(array - 700, -1000), array).astype(np.int16)


@pytest.mark.parametrize("diameter", [9.0, 10.0])
def test_a_steel_nail_with_dark_streaks_is_not_as_wide_as_its_contour(diameter: float) -> None:
    array, metal = dense_slice(BODY, disc(62, 75, diameter, STEEL), blur_mm=0.7)
    array = _darkened(array, 62, 75, 0.5 * diameter + 1.0)
    found = find_metal(ct_image(array))[0]
    assert (array >= 3000).sum() > 1.25 * metal.sum()
    assert found.sum() < 1.1 * metal.sum()
    assert dice(found, metal) > 0.92


def test_a_long_screw_in_brightened_bone_is_kept_over_its_whole_length() -> None:
    """Half of its contour is steep, half fades into bone: what the steep half spans is not the screw."""
    screw = Drawn((62.0, 60.0), (3.0, 20.0), TITANIUM, box=True)
    array, metal = dense_slice(BODY, Drawn((62.0, 74.0), (12.0, 18.0), 2400.0, box=True), screw, noise_hu=0.0)
    patch = array.astype(np.float32)
    seed = patch >= 3000.0
    kept = without_bloom(patch, seed, (1.0, 1.0))
    assert fades(patch, seed)
    columns = np.flatnonzero(metal.any(axis=0))
    assert kept[:, columns].any(axis=0).mean() > 0.95
    assert (kept & metal).sum() > 0.75 * metal.sum()


def test_a_starved_saddle_between_thick_parts_of_a_metal_is_metal_and_bone_beside_it_is_not() -> None:
    patch = np.full((60, 80), 40.0, dtype=np.float32)
    patch[20:40, 15:35] = patch[20:40, 41:60] = TOP
    patch[26:34, 35:41] = 2500.0
    patch[34:39, 35:41] = 1500.0
    patch[10:20, 20:30] = 2500.0  # brightened bone on one side only
    found = with_saddles(patch, patch >= 3000.0, (1.0, 1.0))
    assert found[26:34, 35:41].all()
    assert not found[34:39, 35:41].any()
    assert not found[10:20, 20:30].any()


def test_a_wide_head_in_bright_streaks_is_metal_beside_other_metal() -> None:
    """Bright streaks all around hide its edge; beside a cup that is surely metal, what is solid at the top is too."""
    head, cup = disc(62, 60, 22, COBALT_CHROME), disc(62, 100, 8, COBALT_CHROME)
    array, metal = dense_slice(BODY, disc(62, 60, 36, 2200), head, cup, noise_hu=30.0)
    found = find_metal(ct_image(array))[0]
    assert dice(found, metal) > 0.85


def test_bone_brightened_beside_a_tall_metal_stays_below_what_is_cut_from_it() -> None:
    """On an extended scale steel brightens the bone on it to 3500 HU, with peaks beyond what bone alone has."""
    array, metal = dense_slice(BODY, disc(62, 75, 16, STEEL), top_hu=30710.0, noise_hu=0.0)
    hu = array.astype(np.float32)
    hu[52:72, 45:68] = np.maximum(hu[52:72, 45:68], 3500.0)
    hu[58:66, 50:68] = np.maximum(hu[58:66, 50:68], 5500.0)
    found = find_metal(ct_image(hu))[0]
    assert (found & metal).sum() > 0.9 * metal.sum()
    assert not found[52:57, 45:65].any()


@pytest.mark.parametrize("hu", [3100.0, 3300.0])
def test_the_tips_of_three_teeth_are_no_metal_in_thick_slices(hu: float) -> None:
    """They stand apart in soft tissue and reach the top, as a thin wire may; but they are round and wide."""
    teeth = [disc(40 + 16 * n, 60 + 6 * n, size, hu) for n, size in enumerate((4.6, 4.6, 3.4))]
    array, _ = dense_slice(BODY, *teeth, blur_mm=0.6, noise_hu=10.0)
    assert (array >= TOP).any()
    assert not find_metal(ct_image(array, (2.8, 1.0, 1.0))).any()
