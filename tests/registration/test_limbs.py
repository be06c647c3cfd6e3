"""Each femur comes back from where it was put, metal or not; what does not match is refused; bits stay the same."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from leukospect.data import Geometry, Image
from leukospect.errors import GeometryError, InputError
from leukospect.phantoms.moved_limbs import angle_between_deg, rigid_matrix, target_errors_mm
from leukospect.registration import LimbAlignment, nearest_part, register_limbs, resample_by_part
from leukospect.time_alignment import spect_through_limbs
from tests.registration.moved_thighs import AXES, motion, surface_mm, thighs

LATE = {"right": motion((2.0, -1.0, 3.0), (0.5, 1.0, -1.0), "right"), "left": motion((0, 0, 0), (1.0, 0, 2.0), "left")}
EARLY = {
    "right": motion((14.0, -12.0, -11.0), (5.0, -4.0, 9.0), "right"),
    "left": motion((20.0, 9.0, -6.0), (-6.0, 3.0, -8.0), "left"),
}
LATE_GRID, EARLY_GRID = (2.6, 1.8, 1.8), (3.0, 2.0, 2.0)


def _truth(side: str) -> NDArray[np.float64]:
    return np.asarray(EARLY[side] @ np.linalg.inv(LATE[side]))


def _metal(ct: Image) -> Image:
    return Image((np.asarray(ct.array) > 2500.0).astype(np.uint8), ct.geometry, "1")


@pytest.fixture(scope="module")
def scans() -> tuple[Image, Image]:
    return thighs(LATE_GRID, LATE, seed=1), thighs(EARLY_GRID, EARLY, seed=2)


@pytest.fixture(scope="module")
def found(scans: tuple[Image, Image]) -> LimbAlignment:
    return register_limbs(*scans, threads=1)


def _check(found: LimbAlignment, tolerance_mm: float, tolerance_deg: float) -> None:
    assert [part.part for part in found.parts] == ["right", "left"]
    for part in found.parts:
        assert part.accepted, part.reason
        errors = target_errors_mm(part.matrix, _truth(part.part), surface_mm(part.part, LATE[part.part]))
        assert np.percentile(errors, 95) < tolerance_mm, part.part
        assert angle_between_deg(part.matrix, _truth(part.part)) < tolerance_deg


def test_each_femur_comes_back_from_where_it_was_put(found: LimbAlignment) -> None:
    _check(found, 0.3, 0.3)
    for part in found.parts:
        assert part.correlation_after > max(0.9, part.correlation_before)
        assert part.edge_mm < 0.5
        assert part.uncertainty_mm < 0.3


def test_left_is_the_patients_left(found: LimbAlignment) -> None:
    labels = np.asarray(found.labels.array)
    x = [found.labels.geometry.to_lps(np.argwhere(labels == n + 1))[:, 0].mean() for n in range(2)]
    assert x[0] < 0 < x[1]


def test_streaks_of_metal_do_not_mislead() -> None:
    late = thighs(LATE_GRID, LATE, nail=True, streaks=90.0, seed=3)
    early = thighs(EARLY_GRID, EARLY, nail=True, streaks=90.0, seed=4)
    _check(register_limbs(late, early, late_metal=_metal(late)), 0.5, 1.2)


def test_any_number_of_threads_gives_the_same_bits(scans: tuple[Image, Image], found: LimbAlignment) -> None:
    again = register_limbs(*scans, threads=2)
    for one, other in zip(found.parts, again.parts, strict=True):
        np.testing.assert_array_equal(one.matrix, other.matrix)
        assert (one.correlation_after, one.uncertainty_mm) == (other.correlation_after, other.uncertainty_mm)


def test_what_is_not_the_same_bone_keeps_the_identity(scans: tuple[Image, Image]) -> None:
    late, early = scans
    water = np.where(np.asarray(early.array) > -500.0, 30.0, -1000.0)
    noise = np.random.default_rng(5).normal(0.0, 40.0, water.shape)
    rod = np.asarray(early.geometry.to_lps(np.moveaxis(np.indices(early.geometry.shape), 0, -1)))
    crossing = np.hypot(rod[..., 1], rod[..., 2] - 10.0) < 20.0
    for array in (water + noise, np.where(crossing, 900.0, water) + noise):
        refused = register_limbs(late, replace(early, array=array.astype(np.float32)))
        for part in refused.parts:
            assert not part.accepted
            assert not part.aligned
            assert "identity was kept" in part.reason
            np.testing.assert_array_equal(part.matrix, np.eye(4))


def test_what_lies_alike_keeps_exactly_the_identity(scans: tuple[Image, Image]) -> None:
    again = thighs(EARLY_GRID, LATE, seed=6)
    for part in register_limbs(scans[0], again).parts:
        assert part.aligned or np.abs(part.matrix - np.eye(4)).max() < 0.3
        if part.aligned:
            np.testing.assert_array_equal(part.matrix, np.eye(4))


def test_values_that_are_not_finite_are_refused(scans: tuple[Image, Image]) -> None:
    broken = np.asarray(scans[0].array).copy()
    broken[0, 0, 0] = np.nan
    with pytest.raises(InputError, match="late CT"):
        register_limbs(replace(scans[0], array=broken), scans[1])
    with pytest.raises(InputError, match="positive"):
        register_limbs(*scans, maximum_rotation_deg=0.0)


def test_a_focus_in_each_thigh_is_carried_to_its_place_and_kept(found: LimbAlignment) -> None:
    """Early SPECT to early CT to late CT to late SPECT, each SPECT lying elsewhere than its CT."""
    late_to_ct = rigid_matrix(np.array([3.0, 1.0, -2.0]), np.array([0.0, 1.0, 2.0]), np.zeros(3))
    early_to_ct = rigid_matrix(np.array([-2.0, 4.0, 1.0]), np.array([1.0, 0.0, -2.0]), np.zeros(3))
    grid = Geometry.axial((64, 56, 88), (4.0, 4.0, 4.4), (-190.0, -110.0, -130.0))
    places = grid.to_lps(np.moveaxis(np.indices(grid.shape), 0, -1))
    matrices = spect_through_limbs(found, late_to_ct, early_to_ct)
    which = nearest_part(found, grid, early_to_ct)
    for number, side in enumerate(("right", "left")):
        own = np.array([*AXES[side], 20.0, 1.0])
        late_place = (np.linalg.inv(late_to_ct) @ LATE[side] @ own)[:3]
        early_place = (np.linalg.inv(early_to_ct) @ EARLY[side] @ own)[:3]
        focus = np.exp(-np.sum((places - late_place) ** 2, axis=-1) / (2.0 * 9.0**2)).astype(np.float32)
        moved = np.asarray(resample_by_part(Image(focus, grid), grid, which, matrices).array, np.float64)
        centre = np.sum(places * moved[..., None], axis=(0, 1, 2)) / moved.sum()
        assert np.linalg.norm(centre - early_place) < 0.7
        assert moved.sum() == pytest.approx(float(focus.sum(dtype=np.float64)), rel=0.02)
        assert which[tuple(np.rint(grid.to_index(early_place)).astype(int))] == number


def test_a_voxel_without_a_transform_is_refused() -> None:
    image = Image(np.zeros((2, 2, 2), np.float32), Geometry.axial((2, 2, 2), (1, 1, 1), (0, 0, 0)))
    with pytest.raises(GeometryError, match="one of the transforms"):
        resample_by_part(image, image.geometry, np.ones((2, 2, 2), np.uint8), [np.eye(4)])


def test_one_thigh_alone_is_registered_as_a_whole() -> None:
    late, early = (
        thighs((3.0, 2.0, 2.0), {"left": poses["left"]}, seed=7 + n) for n, poses in enumerate((LATE, EARLY))
    )
    whole = register_limbs(late, early).parts
    assert [part.part for part in whole] == ["whole"]
    assert whole[0].accepted, whole[0].reason
    errors = target_errors_mm(whole[0].matrix, _truth("left"), surface_mm("left", LATE["left"]))
    assert np.percentile(errors, 95) < 0.4
