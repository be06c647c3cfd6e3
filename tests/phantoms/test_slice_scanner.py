"""The simulated CT of voxel slices: it gives back the slices' HU, and the same metal as solids do."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from leukospect.errors import InputError
from leukospect.phantoms.ct_scanner import CtScanner
from leukospect.phantoms.scene import scene_of
from leukospect.phantoms.slice_scanner import CellMetal, SliceScanner, water_and_bone, without_virtual_metal
from tests.phantoms.made_phantom import make
from tests.phantoms.test_fan_scanner import COLUMNS, ROWS, WATER, acquisition, around, rod


def anatomy(slices: int = 1) -> NDArray[np.int16]:
    """Water of 70 mm with fat and bone in it, off the middle and not symmetrical."""
    hu = np.full((ROWS, COLUMNS), -1000)
    hu[around(6.0, -9.0) < 70.0] = 0
    hu[around(35.0, -30.0) < 14.0] = -90
    hu[around(-25.0, 14.0) < 12.0] = 900
    return np.repeat(hu[None], slices, axis=0).astype(np.int16)


def test_water_and_bone_keep_the_hu_and_grow_smoothly() -> None:
    hu = np.arange(-1000, 3000)
    split = water_and_bone(hu, acquisition()).astype(np.float64)
    assert split.min() >= 0.0
    assert np.all(split[:1101, 1] == 0.0)
    assert np.all(np.diff(split[:, 1]) > -1e-6)
    assert np.abs(np.diff(split, axis=0)).max() < 0.01
    dense = split[-1, 1]
    assert split[-1, 0] == pytest.approx(0.0, abs=1e-6)
    # Bone at 2999 HU attenuates four times as much as water, and cortical bone alone reads some 1500 HU.
    assert dense == pytest.approx(4.0 / 2.5, rel=0.1)


def test_the_truth_is_the_anatomy() -> None:
    hu = anatomy()
    scan = SliceScanner(hu, CellMetal(np.zeros((1, 2 * ROWS, 2 * COLUMNS), np.uint8), ("titanium",), 2), acquisition())
    made = scan.metal_scan(None, 1)
    np.testing.assert_array_equal(made.scanned_hu, made.truth_hu)
    assert not made.metal.any()
    for x, y, radius in ((35.0, -30.0, 8.0), (-25.0, 14.0, 6.0), (10.0, 20.0, 12.0)):
        part = around(x, y) < radius
        assert made.truth_hu[0][part].mean() == pytest.approx(
            hu[0][part].mean(), abs=12.0 if hu[0][part][0] < 500 else 60
        )


def test_solids_in_slices_and_solids_in_a_scene_make_the_same_streaks() -> None:
    metal = rod(-20.0, -9.0, 5.0, "steel_316l") + rod(33.0, 1.0, 6.0, "steel_316l")
    scan = acquisition(rays_per_element=3)
    whole = CtScanner(scene_of(make(WATER + metal)), scan).metal_scan(None, 1)
    water = np.where(around(6.0, -9.0) < 70.0, 0, -1000).astype(np.int16)[None]
    parts = SliceScanner(water, scene_of(make(metal)), scan, refine=8).metal_scan(None, 1)
    inside = (around(6.0, -9.0) < 60.0) & (around(-20.0, -9.0) > 9.0) & (around(33.0, 1.0) > 10.0)
    first, second = (m.scanned_hu[0][inside].astype(np.float64) - m.truth_hu[0][inside] for m in (whole, parts))
    assert np.corrcoef(first, second)[0, 1] > 0.98
    assert first.std() == pytest.approx(second.std(), rel=0.1)
    assert np.count_nonzero(whole.metal ^ parts.metal) <= 0.06 * np.count_nonzero(whole.metal)


def test_cement_stays_in_the_truth_and_metal_does_not() -> None:
    implants = scene_of(make(rod(-20.0, 0.0, 9.0, "cement_barium") + rod(-20.0, 0.0, 4.0, "titanium_alloy")))
    made = SliceScanner(anatomy(), implants, acquisition()).metal_scan(None, 1)
    ring = (around(-20.0, 0.0) > 5.5) & (around(-20.0, 0.0) < 7.5)
    assert made.truth_hu[0][ring].mean() > 1000
    assert abs(made.truth_hu[0][around(-20.0, 0.0) < 2.0].mean()) < 400


def test_threads_change_no_value_and_noise_does() -> None:
    cells = np.zeros((2, 2 * ROWS, 2 * COLUMNS), np.uint8)
    cells[1, 80:90, 100:130] = 1
    scanner = SliceScanner(anatomy(2), CellMetal(cells, ("cobalt_chrome",), 2), acquisition(slices=2, views=120))
    one, two = (scanner.metal_scan(lambda k: np.random.default_rng([5, k]), threads) for threads in (1, 2))
    np.testing.assert_array_equal(one.scanned_hu, two.scanned_hu)
    np.testing.assert_array_equal(np.argwhere(one.metal).min(axis=0), (1, 40, 50))
    np.testing.assert_array_equal(np.argwhere(one.metal).max(axis=0), (1, 44, 64))
    assert (one.scanned_hu[0] != one.truth_hu[0]).any()


def test_shapes_that_do_not_agree_are_refused() -> None:
    with pytest.raises(InputError, match="slices"):
        SliceScanner(anatomy(2), CellMetal(np.zeros((1, ROWS, COLUMNS), np.uint8), (), 1), acquisition())
    with pytest.raises(InputError, match="cells"):
        SliceScanner(anatomy(), CellMetal(np.ones((1, ROWS, COLUMNS), np.uint8), (), 1), acquisition())


@pytest.mark.real_data
def test_virtual_metal_gives_way_to_the_tissue_beside_it(real_data: Path) -> None:
    with np.load(real_data / "metal" / "aapm_slices_hu.npz") as slices:
        hu = np.stack([slices[name] for name in slices])
    filled, metal = without_virtual_metal(hu)
    assert np.count_nonzero(metal) == np.count_nonzero(hu == 5000) > 1000
    assert filled.max() < 3000
    assert np.mean(filled != hu) < 0.01
