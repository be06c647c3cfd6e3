"""The metal that is reported is the metal that is left: pieces that prove to be bone are told as such."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from leukospect.ct.metal import reduce_metal
from leukospect.ct.metal_left import with_metal_left
from leukospect.ct.metal_pieces import Reason
from leukospect.ct.metal_segmentation import MetalFinding, metal_finding
from leukospect.data import AcquisitionHeader, CtSeries, Geometry, Image

BONE: Reason = "bone brightened by streaks of other metal"
PIN, SPOT = (60, 45), (80, 90)


def _blob(centre: tuple[int, int], radius: float, height_hu: float) -> NDArray[np.float64]:
    y, x = np.indices((128, 128))
    blurred: NDArray[np.float64] = ndimage.gaussian_filter(
        height_hu * (np.hypot(y - centre[0], x - centre[1]) < radius), 1.0
    )
    return blurred


def _pin_and_spots() -> CtSeries:
    """Three slices of soft tissue: a pin through all, and in the first two a small spot below metal's own height."""
    y, x = np.indices((128, 128))
    plane = np.where(np.hypot(y - 66, x - 64) < 52, 40.0, -1000.0) + _blob(PIN, 4.5, 9000.0)
    spot = _blob(SPOT, 1.1, 4000.0)
    stack = np.stack([plane + spot, plane + spot, plane]).astype(np.float32)
    geometry = Geometry.axial((3, 128, 128), (2.0, 1.0, 1.0), (-64.0, -64.0, 10.0))
    return CtSeries(Image(stack, geometry, "HU"), AcquisitionHeader("CT"), kvp=120.0)


@pytest.fixture(scope="module")
def found() -> MetalFinding:
    return metal_finding(_pin_and_spots().image)


def test_the_reduction_reports_the_metal_of_its_mask(found: MetalFinding) -> None:
    ct = _pin_and_spots()
    assert found.mask[(0, *SPOT)]
    reduction = reduce_metal(ct)
    metal = np.asarray(reduction.metal.array, dtype=bool)
    assert not metal[(0, *SPOT)]
    told = reduction.finding
    assert told is not None
    np.testing.assert_array_equal(told.mask, metal)
    voxel = ct.image.geometry.voxel_volume_ml
    assert sum(one.volume_ml for one in told.components) == pytest.approx(voxel * metal.sum())
    (out,) = [one for one in told.left_out if one.reason == BONE]
    assert out.volume_ml == pytest.approx(voxel * (found.mask & ~metal).sum())
    assert out.slices == 2
    assert f"1 piece of metal, {told.components[0].volume_ml:.2g} mL" in str(told)
    assert f"Not taken for metal: {BONE}, " in str(told)


def test_a_component_keeps_its_measures_and_loses_what_was_dropped(found: MetalFinding) -> None:
    geometry = _pin_and_spots().image.geometry
    pin, spot = found.components
    without_spot = found.mask.copy()
    without_spot[:, SPOT[0] - 5 : SPOT[0] + 6, SPOT[1] - 5 : SPOT[1] + 6] = False
    left = with_metal_left(found, without_spot, BONE, geometry)
    assert left.components == (pin,)
    shorter = without_spot.copy()
    shorter[2] = False
    (part,) = with_metal_left(found, shorter, BONE, geometry).components
    assert part.slices == (0, 1)
    assert part.peak_hu == pytest.approx(pin.peak_hu)
    assert part.centroid_mm == pytest.approx((pin.centroid_mm[0], pin.centroid_mm[1], 11.0))
    assert left.left_out[0].peak_hu == pytest.approx(spot.peak_hu)


def test_what_is_all_kept_is_told_as_it_was(found: MetalFinding) -> None:
    assert with_metal_left(found, found.mask.copy(), BONE, _pin_and_spots().image.geometry) is found


def test_metal_that_is_all_dropped_is_none(found: MetalFinding) -> None:
    told = with_metal_left(found, np.zeros_like(found.mask), BONE, _pin_and_spots().image.geometry)
    assert told.components == ()
    assert str(told).startswith("No metal was found in the patient.")
