"""One view: where voxels land, its transpose, and the attenuation of whole rays."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from numpy.typing import NDArray

from leukospect.kernels.view import backproject_view, project_view, sum_attenuation

N, SLICES = 13, 8
Array = NDArray[np.float32]


def _angle(degrees: float, offset_px: float = 0.0) -> NDArray[np.float64]:
    t = np.deg2rad(degrees)
    return np.array([np.cos(t), np.sin(t), offset_px])


def _work() -> Array:
    return np.zeros((5, SLICES + 2), np.float32)


def _plan(blurred: bool, seed: int = 0) -> tuple[Array, Array, NDArray[np.int64]]:
    random = np.random.default_rng(seed)
    columns, slices = random.uniform(0.02, 0.25, (2, N + 1)).astype(np.float32)
    passes = random.integers(0, 3, N + 1) if blurred else np.zeros(N + 1, np.int64)
    return columns, slices, passes.astype(np.int64)


def _rays(integral: Array, active: NDArray[np.uint8], angle: NDArray[np.float64]) -> NDArray[np.float64]:
    path = np.empty((N, SLICES))
    sum_attenuation(integral, active, angle, _work(), path)
    return path


def _project(
    image: Array, integral: Array | None, active: NDArray[np.uint8], angle: NDArray[np.float64], blurred: bool = False
) -> Array:
    if integral is None:
        rays, integral = np.zeros((0, 0), np.float32), np.zeros_like(image)
    else:
        rays = np.exp(-_rays(integral, active, angle)).astype(np.float32)
    plane = np.empty((N, SLICES), np.float32)
    project_view(
        image, integral, rays, active, angle, *_plan(blurred), np.empty((N, SLICES), np.float32), _work(), plane
    )
    return plane


def _backproject(
    view: Array, integral: Array | None, active: NDArray[np.uint8], angle: NDArray[np.float64], blurred: bool = False
) -> Array:
    image = np.zeros((N, N, SLICES), np.float32)
    path = np.zeros_like(image) if integral is None else integral
    transmission, plane = np.empty((2, N, SLICES), np.float32)
    backproject_view(
        view, path, integral is not None, active, angle, *_plan(blurred), transmission, _work(), plane, image
    )
    return image


EVERYWHERE = np.ones((N, N), np.uint8)


@pytest.mark.parametrize(("degrees", "column"), [(0.0, 6 - 3), (90.0, 6 + 2), (180.0, 6 + 3), (270.0, 6 - 2)])
def test_a_voxel_lands_where_the_convention_puts_it(degrees: float, column: int) -> None:
    """Voxel at 3 pixels to the left and 2 to the back: u = (-cos t, sin t)."""
    image = np.zeros((N, N, SLICES), np.float32)
    image[6 + 2, 6 + 3, 5] = 1.0
    plane = _project(image, None, EVERYWHERE, _angle(degrees))
    expected = np.zeros((N, SLICES), np.float32)
    expected[column, 5] = 1.0
    np.testing.assert_allclose(plane, expected, atol=1e-6)
    moved = _project(image, None, EVERYWHERE, _angle(degrees, offset_px=2.0))
    np.testing.assert_allclose(moved, np.roll(expected, 2, axis=0), atol=1e-6)


@pytest.mark.parametrize("degrees", [12.0, 77.7, 163.0, 208.0, 330.0])
def test_a_soft_spot_lands_at_its_column_at_any_angle(degrees: float) -> None:
    places = np.arange(N) - 6.0
    x, y = 1.4, -2.3
    spot = np.exp(-((places[None] - x) ** 2 + (places[:, None] - y) ** 2) / (2 * 1.0**2))
    image = np.repeat(spot[:, :, None], SLICES, axis=2).astype(np.float32)
    profile = _project(image, None, EVERYWHERE, _angle(degrees, 0.6))[:, 3].astype(np.float64)
    t = np.deg2rad(degrees)
    assert np.average(places, weights=profile) == pytest.approx(-x * np.cos(t) + y * np.sin(t) + 0.6, abs=0.03)
    assert profile.sum() == pytest.approx(spot.sum(), rel=0.01)


def test_the_near_side_is_the_detectors() -> None:
    """Behind a shield at the back (+y) a voxel is dim from the back (0) and bright from the front (180)."""
    image, integral = np.zeros((2, N, N, SLICES), np.float32)
    image[6, 6, 4] = 1.0
    integral[9] = 0.5
    assert _project(image, integral, EVERYWHERE, _angle(0.0)).sum() == pytest.approx(np.exp(-0.5), rel=1e-5)
    assert _project(image, integral, EVERYWHERE, _angle(180.0)).sum() == pytest.approx(1.0, rel=1e-5)


@pytest.mark.parametrize(("attenuated", "blurred", "signed"), list(product([False, True], repeat=3)))
@pytest.mark.parametrize(("degrees", "offset_px"), [(0.0, 0.0), (37.0, 0.0), (180.0, 1.4), (251.3, -2.1)])
def test_backprojection_is_the_transpose(
    attenuated: bool, blurred: bool, signed: bool, degrees: float, offset_px: float
) -> None:
    random = np.random.default_rng(17)
    low = -1.0 if signed else 0.0
    image = random.uniform(low, 1, (N, N, SLICES)).astype(np.float32)
    view = random.uniform(low, 1, (N, SLICES)).astype(np.float32)
    integral = random.uniform(0, 0.3, image.shape).astype(np.float32) if attenuated else None
    active = (random.uniform(size=(N, N)) > 0.3).astype(np.uint8)
    angle = _angle(degrees, offset_px)
    forward = _project(image, integral, active, angle, blurred).astype(np.float64)
    back = _backproject(view, integral, active, angle, blurred).astype(np.float64)
    gap = abs(np.vdot(forward, view) - np.vdot(image, back))
    assert gap <= 1e-6 * np.linalg.norm(forward) * np.linalg.norm(view)
    assert np.linalg.norm(forward) > 0


def test_backprojection_adds_to_the_image() -> None:
    view = np.random.default_rng(3).uniform(0, 1, (N, SLICES)).astype(np.float32)
    once = _backproject(view, None, EVERYWHERE, _angle(37.0))
    twice = once.copy()
    backproject_view(
        view, np.zeros_like(once), False, EVERYWHERE, _angle(37.0), *_plan(False),
        np.empty((N, SLICES), np.float32), _work(), np.empty((N, SLICES), np.float32), twice,
    )  # fmt: skip
    np.testing.assert_allclose(twice, 2 * once, rtol=1e-5, atol=1e-6)


def test_inactive_places_take_no_part() -> None:
    image = np.random.default_rng(8).uniform(0.5, 1, (N, N, SLICES)).astype(np.float32)
    active = np.zeros((N, N), np.uint8)
    np.testing.assert_array_equal(_project(image, None, active, _angle(33.0), blurred=True), 0.0)
    np.testing.assert_array_equal(_backproject(image[0], None, active, _angle(33.0), blurred=True), 0.0)
    active[4:9, 5:8] = 1
    inside = image * active[:, :, None]
    # Only neighbours of the active places contribute besides them.
    surely_out = np.zeros((N, N), bool)
    surely_out[:3], surely_out[10:] = True, True
    outside = image * surely_out[:, :, None]
    np.testing.assert_array_equal(
        _project(inside + outside, None, active, _angle(33.0)), _project(inside, None, active, _angle(33.0))
    )


def test_whole_rays_add_up_the_attenuation() -> None:
    integral = np.zeros((N, N, SLICES), np.float32)
    integral[2:8, 3:6] = 0.11
    through_rows = _rays(integral, EVERYWHERE, _angle(180.0))
    through_columns = _rays(integral, EVERYWHERE, _angle(90.0))
    expected = np.zeros((N, SLICES))
    expected[3:6] = 6 * 0.11
    np.testing.assert_allclose(through_rows, expected, atol=1e-6)
    expected[:] = 0.0
    expected[2:8] = 3 * 0.11
    np.testing.assert_allclose(through_columns, expected, atol=1e-6)
