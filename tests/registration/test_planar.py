"""One motion of the patient explains the views from before and behind; counts and uptake may differ, sides may not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from leukospect.data import AcquisitionHeader, EnergyWindow, Geometry, Image, PlanarImages
from leukospect.errors import InputError, MissingInformationError
from leukospect.phantoms.moved_planar import frontal_motion, planar_target_errors_mm
from leukospect.quantification.measurements import Region
from leukospect.quantification.planar import project_regions
from leukospect.registration import register_planar

Float64 = NDArray[np.float64]
SIGN = {"anterior": 1.0, "posterior": -1.0}
POINTS = np.array([(x, z) for x in (-120.0, -40.0, 50.0, 120.0) for z in (-180.0, -60.0, 60.0, 150.0)])


def _body(x: Float64, z: Float64, lesion: float, marrow: float) -> Float64:
    """Two unlike thighs under a pelvis, brighter marrow in the bones, a focus at the patient's right."""
    thighs = ((x + 85 + 0.08 * z) / 70) ** 2 + ((z + 80) / 190) ** 2 < 1
    thighs |= ((x - 82 + 0.05 * z) / 60) ** 2 + ((z + 70) / 175) ** 2 < 1
    pelvis = ((x - 4) / 160) ** 2 + ((z - 130) / 85) ** 2 < 1
    bones = np.exp(-(((x + 105) / 12) ** 2)) + np.exp(-(((x - 100) / 12) ** 2))
    wings = np.exp(-(((x + 70) / 30) ** 2) - ((z - 150) / 40) ** 2) + np.exp(
        -(((x - 75) / 30) ** 2) - ((z - 145) / 40) ** 2
    )
    focus = np.exp(-(((x + 118) / 14) ** 2) - ((z + 30) / 25) ** 2)
    inside = thighs | pelvis
    return np.where(inside, 1.0 + marrow * (bones * (z < 100) + wings) + lesion * focus, 0.0)


def _planar(
    pose: Float64,
    *,
    level: float,
    lesion: float = 0.0,
    marrow: float = 1.0,
    seed: int = 0,
    shape: tuple[int, int] = (128, 128),
    pixel_mm: tuple[float, float] = (4.0, 4.0),
    names: tuple[str, ...] = ("anterior", "posterior"),
    placed: bool = True,
) -> PlanarImages:
    rows, columns = shape
    views, corners, back = [], [], np.linalg.inv(pose)
    rng = np.random.default_rng(seed)
    for name in names:
        first_x, first_z = -SIGN[name] * (columns - 1) / 2 * pixel_mm[1], (rows - 1) / 2 * pixel_mm[0]
        x = first_x + SIGN[name] * np.arange(columns) * pixel_mm[1]
        z = first_z - np.arange(rows) * pixel_mm[0]
        there = np.stack(np.meshgrid(x, z), axis=-1) @ back[:2, :2].T + back[:2, 2]
        mean = _body(there[..., 0], there[..., 1], lesion if name == "anterior" else 0.4 * lesion, marrow)
        mean = ndimage.gaussian_filter(mean, [4.5 / step for step in pixel_mm])
        views.append(rng.poisson(mean * level * pixel_mm[0] * pixel_mm[1] / 16.0))
        corners.append((first_x, 0.0, first_z))
    return PlanarImages(
        np.array(views, np.float32)[None], (EnergyWindow(((126.0, 154.0),), "peak"),), names, pixel_mm,
        np.full(len(names), 300.0), AcquisitionHeader("STATIC"), np.array(corners) if placed else None,
    )  # fmt: skip


LATE_POSE = frontal_motion(np.array([2.0, -3.0]), 0.7)


@pytest.mark.parametrize(
    ("shift_mm", "degrees", "names", "shape", "pixel_mm"),
    [
        ((22.0, -17.0), 11.0, ("anterior", "posterior"), (128, 128), (4.0, 4.0)),
        ((-28.0, 25.0), -14.0, ("anterior", "posterior"), (128, 128), (4.0, 4.0)),
        ((-15.0, 12.0), -6.0, ("posterior",), (128, 128), (4.0, 4.0)),
        ((12.0, -24.0), 8.0, ("posterior", "anterior"), (240, 110), (2.6, 3.7)),
    ],
    ids=["both views", "the other way", "from behind alone", "a tall strip"],
)
def test_a_known_motion_is_recovered_to_a_pixel(
    shift_mm: tuple[float, float],
    degrees: float,
    names: tuple[str, ...],
    shape: tuple[int, int],
    pixel_mm: tuple[float, float],
) -> None:
    truth = frontal_motion(np.array(shift_mm), degrees)
    late = _planar(LATE_POSE, level=12.0, lesion=6.0, marrow=0.8, seed=1)
    earlier = _planar(
        truth @ LATE_POSE, level=18.0, lesion=0.5, marrow=1.5, seed=2, shape=shape, pixel_mm=pixel_mm, names=names
    )
    found = register_planar(late, earlier)
    assert found.accepted, found.reason
    assert np.percentile(planar_target_errors_mm(found.matrix, truth, POINTS), 95) < 2.0
    assert np.linalg.det(found.matrix) == pytest.approx(1.0)
    assert found.rotation_deg == pytest.approx(degrees, abs=0.6)
    assert found.correlation_after > found.correlation_before


def test_what_is_aligned_keeps_exactly_the_identity() -> None:
    found = register_planar(_planar(LATE_POSE, level=12.0, lesion=6.0, seed=3), _planar(LATE_POSE, level=18.0, seed=4))
    assert not found.accepted
    np.testing.assert_array_equal(found.matrix, np.eye(3))
    assert "identity was kept" in found.reason


@pytest.mark.parametrize("names", [("anterior", "posterior"), ("posterior",)])
def test_views_stored_mirrored_are_noticed_and_others_are_not(names: tuple[str, ...]) -> None:
    truth = frontal_motion(np.array([14.0, -9.0]), 4.0)
    late = _planar(LATE_POSE, level=12.0, lesion=6.0, marrow=0.8, seed=11, names=names)
    earlier = _planar(truth @ LATE_POSE, level=18.0, lesion=0.5, marrow=1.5, seed=12, names=names)
    as_taken = register_planar(late, earlier)
    assert as_taken.accepted
    assert not as_taken.mirrored
    for one, other in (
        (replace(late, counts=late.counts[..., ::-1]), earlier),
        (late, replace(earlier, counts=earlier.counts[..., ::-1])),
    ):
        found = register_planar(one, other)
        assert found.mirrored
        assert not found.accepted
        np.testing.assert_array_equal(found.matrix, np.eye(3))
        assert "Mirrored from left to right" in found.reason


def test_what_does_not_match_keeps_the_identity_and_says_why() -> None:
    late = _planar(LATE_POSE, level=12.0, seed=5)
    rng = np.random.default_rng(6)
    noise = rng.poisson(ndimage.gaussian_filter(rng.random((1, 2, 128, 128)), (0, 0, 6, 6)) * 20.0)
    for counts in (noise.astype(np.float32), np.zeros((1, 2, 128, 128), np.float32)):
        other = PlanarImages(
            counts, late.energy_windows, late.view_names, late.pixel_mm, late.view_duration_s, late.header,
            late.first_pixel_mm,
        )  # fmt: skip
        found = register_planar(late, other)
        assert not found.accepted
        assert not found.aligned
        assert "identity was kept" in found.reason
        np.testing.assert_array_equal(found.matrix, np.eye(3))


def test_a_motion_beyond_the_limits_is_not_believed() -> None:
    truth = frontal_motion(np.array([25.0, 0.0]), 0.0)
    late, earlier = _planar(LATE_POSE, level=12.0, seed=7), _planar(truth @ LATE_POSE, level=12.0, seed=8)
    found = register_planar(late, earlier, maximum_shift_mm=12.0)
    assert not found.accepted
    np.testing.assert_array_equal(found.matrix, np.eye(3))


def test_views_apart_from_each_other_are_not_compared() -> None:
    late, earlier = _planar(LATE_POSE, level=12.0, seed=9), _planar(LATE_POSE, level=12.0, seed=10)
    assert earlier.first_pixel_mm is not None
    far = PlanarImages(
        earlier.counts, earlier.energy_windows, earlier.view_names, earlier.pixel_mm, earlier.view_duration_s,
        earlier.header, earlier.first_pixel_mm + np.array([0.0, 0.0, 700.0]),
    )  # fmt: skip
    found = register_planar(late, far)
    assert not found.accepted
    assert "overlap" in found.reason


def test_what_is_missing_is_named() -> None:
    late = _planar(LATE_POSE, level=12.0)
    with pytest.raises(MissingInformationError, match="where they lie"):
        register_planar(late, _planar(LATE_POSE, level=12.0, placed=False))
    front, back = (_planar(LATE_POSE, level=12.0, names=(name,)) for name in SIGN)
    with pytest.raises(InputError, match="no anterior or posterior view in common"):
        register_planar(front, back)


def test_a_region_is_measured_where_its_place_went_and_on_its_own_side() -> None:
    truth = frontal_motion(np.array([20.0, -16.0]), 9.0)
    grid = Geometry.axial((120, 60, 100), (4.0, 4.0, 4.0), (-198.0, -118.0, -238.0))
    labels = np.zeros(grid.shape, np.uint8)
    place = np.array([-118.0, -30.0])
    k, _, i = np.rint(grid.to_index((place[0], 0.0, place[1]))).astype(int)
    labels[k - 3 : k + 4, 25:32, i - 3 : i + 4] = 1
    place = grid.to_lps((k, 28, i))[[0, 2]]
    regions = (Region(1, "focus", "lesion", "", 22.0, (-118.0, 0.0, -30.0), "right", "drawn"),)
    earlier = _planar(truth, level=12.0)
    assert earlier.first_pixel_mm is not None
    back: Float64 = np.linalg.inv(truth).astype(np.float64)
    for view, name in enumerate(earlier.view_names):
        mask = project_regions(Image(labels, grid), regions, earlier, view, view_to_labels=back)["focus"]
        row, column = np.argwhere(mask).mean(axis=0)
        x, _, z = earlier.first_pixel_mm[view]
        there = np.array([x + SIGN[name] * column * 4.0, z - row * 4.0])
        assert np.linalg.norm(there - (truth @ [*place, 1.0])[:2]) < 3.0
        assert mask.sum() * 16.0 == pytest.approx(28.0**2, rel=0.15)
