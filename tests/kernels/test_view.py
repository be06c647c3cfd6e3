"""One view: where voxels land, its transpose, and what takes no part."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from numpy.typing import NDArray

from leukospect.kernels.view import occupied_columns
from leukospect.projector import SpectProjector
from leukospect.support import Support
from leukospect.view_plan import bordered
from tests.whole_projector import backproject, project, whole_projector

N, SLICES = 13, 8
SHAPE = (N, N, SLICES)
Array = NDArray[np.float32]


def _projector(
    degrees: float,
    *,
    offset_px: float = 0.0,
    integral: Array | None = None,
    mask: NDArray[np.bool_] | None = None,
    blurred: bool = False,
) -> SpectProjector:
    """Make a projector of one view; blurred, by a response that grows from 0.5 to 2 pixels."""
    return whole_projector(
        SHAPE,
        np.array([degrees]),
        radii_mm=np.array([6.0]),
        sigma_mm=(lambda z: 0.5 + z / 8) if blurred else None,
        integral=integral,
        offsets_px=np.array([offset_px]),
        mask=mask,
    )


@pytest.mark.parametrize(("degrees", "column"), [(0.0, 6 - 3), (90.0, 6 + 2), (180.0, 6 + 3), (270.0, 6 - 2)])
def test_a_voxel_lands_where_the_convention_puts_it(degrees: float, column: int) -> None:
    """Voxel at 3 pixels to the left and 2 to the back: u = (-cos t, sin t)."""
    image = np.zeros(SHAPE, np.float32)
    image[6 + 2, 6 + 3, 5] = 1.0
    plane = project(_projector(degrees), image)[0]
    expected = np.zeros((N, SLICES), np.float32)
    expected[column, 5] = 1.0
    np.testing.assert_allclose(plane, expected, atol=1e-6)
    moved = project(_projector(degrees, offset_px=2.0), image)[0]
    np.testing.assert_allclose(moved, np.roll(expected, 2, axis=0), atol=1e-6)


@pytest.mark.parametrize("degrees", [12.0, 77.7, 163.0, 208.0, 330.0])
def test_a_soft_spot_lands_at_its_column_at_any_angle(degrees: float) -> None:
    places = np.arange(N) - 6.0
    x, y = 1.4, -2.3
    spot = np.exp(-((places[None] - x) ** 2 + (places[:, None] - y) ** 2) / (2 * 1.0**2))
    image = np.repeat(spot[:, :, None], SLICES, axis=2).astype(np.float32)
    profile = project(_projector(degrees, offset_px=0.6), image)[0, :, 3].astype(np.float64)
    t = np.deg2rad(degrees)
    assert np.average(places, weights=profile) == pytest.approx(-x * np.cos(t) + y * np.sin(t) + 0.6, abs=0.03)
    assert profile.sum() == pytest.approx(spot.sum(), rel=0.01)


def test_the_near_side_is_the_detectors() -> None:
    """Behind a shield at the back (+y) a voxel is dim from the back (0) and bright from the front (180)."""
    image, integral = np.zeros((2, *SHAPE), np.float32)
    image[6, 6, 4] = 1.0
    integral[9] = 0.5
    assert project(_projector(0.0, integral=integral), image).sum() == pytest.approx(np.exp(-0.5), rel=1e-5)
    assert project(_projector(180.0, integral=integral), image).sum() == pytest.approx(1.0, rel=1e-5)


def test_matter_that_holds_no_activity_attenuates() -> None:
    image, integral = np.zeros((2, *SHAPE), np.float32)
    image[6, 6, 4] = 1.0
    integral[9] = 0.5
    integral[11] = 0.25
    mask = np.zeros((N, N), np.bool_)
    mask[5:8, 5:8] = True
    shielded = project(_projector(0.0, integral=integral, mask=mask), image)
    assert shielded.sum() == pytest.approx(np.exp(-0.75), rel=1e-5)


@pytest.mark.parametrize(("attenuated", "blurred", "signed"), list(product([False, True], repeat=3)))
@pytest.mark.parametrize(("degrees", "offset_px"), [(0.0, 0.0), (37.0, 0.0), (180.0, 1.4), (251.3, -2.1)])
def test_backprojection_is_the_transpose(
    attenuated: bool, blurred: bool, signed: bool, degrees: float, offset_px: float
) -> None:
    random = np.random.default_rng(17)
    low = -1.0 if signed else 0.0
    integral = random.uniform(0, 0.3, SHAPE).astype(np.float32)
    integral[random.uniform(size=(N, N)) > 0.5] = 0.0
    mask = random.uniform(size=(N, N)) > 0.3
    projector = _projector(
        degrees, offset_px=offset_px, integral=integral if attenuated else None, mask=mask, blurred=blurred
    )
    image = random.uniform(low, 1, projector.in_shape).astype(np.float32)
    view = random.uniform(low, 1, (1, N, SLICES)).astype(np.float32)
    forward, back = projector.forward(image).astype(np.float64), projector.adjoint(view).astype(np.float64)
    gap = abs(np.vdot(forward, view) - np.vdot(image, back))
    assert gap <= 1e-6 * np.linalg.norm(forward) * np.linalg.norm(view)
    assert np.linalg.norm(forward) > 0


@pytest.mark.parametrize("degrees", [0.0, 33.0, 90.0, 214.5])
def test_a_support_gives_what_the_whole_grid_gives_for_an_image_inside_it(degrees: float) -> None:
    """With holes and separate parts in the support, and the blur of planes without any run put off."""
    random = np.random.default_rng(8)
    mask = np.zeros((N, N), np.bool_)
    mask[1:4, 2:5] = mask[8:11, 6:12] = True
    mask[9, 8] = False
    integral = random.uniform(0, 0.3, SHAPE).astype(np.float32)
    integral[4:8] = 0.0
    image = random.uniform(0.5, 1, SHAPE).astype(np.float32) * mask[:, :, None]
    for matter in (None, integral):
        some = project(_projector(degrees, integral=matter, mask=mask), image)
        whole = project(_projector(degrees, integral=matter), image)
        np.testing.assert_allclose(some, whole, rtol=1e-5, atol=1e-6)
        view = random.uniform(0, 1, (1, N, SLICES)).astype(np.float32)
        some = backproject(_projector(degrees, integral=matter, mask=mask), view)
        whole = backproject(_projector(degrees, integral=matter), view)
        np.testing.assert_allclose(some[mask], whole[mask], rtol=1e-5, atol=1e-6)
        assert not some[~mask].any()


def test_occupied_columns_hold_every_place_that_meets_a_run() -> None:
    mask = np.zeros((N, N), np.bool_)
    mask[2, 9] = mask[7, 3] = True
    occupied = np.full((N, 2), -1, np.int64)
    occupied_columns(bordered(Support(mask)), np.array([1.0, 0.0, 0.0]), occupied)
    # Seen from the back columns run against i; a place meets a run within one place of it.
    assert occupied[2].tolist() == [12 - 9, 12 - 9 + 2]
    assert occupied[7].tolist() == [12 - 3, 12 - 3 + 2]
    assert occupied[1].tolist() == [12 - 9, 12 - 9 + 2]
    assert occupied[4].tolist() == [0, 0]
