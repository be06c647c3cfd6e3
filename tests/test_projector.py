"""The system model: an exact adjoint, linear, the same on any threads, and seen alike by an independent projector."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from numpy.typing import NDArray

from leukospect.data import Image
from leukospect.operators import LinearOperator
from leukospect.projector import SpectProjector, counts_of_views, runs_of_image, system_model
from tests.reference_projector import distance, lehr_sigma_mm, reference_view
from tests.smooth_object import TC_HALF_LIFE_S, projector_of, sigma_mm, smooth_activity, soft_body
from tests.spot_acquisition import acquisition
from tests.whole_projector import whole_projector

Array = NDArray[np.float32]
Float64 = NDArray[np.float64]


def _projector(
    n: int,
    slices: int,
    angles_deg: list[float],
    *,
    response: bool = True,
    attenuated: bool = True,
    pixel_mm: tuple[float, float] = (6.1, 4.3),
    radii_mm: list[float] | None = None,
    offsets_px: list[float] | None = None,
    threads: int = 1,
    seed: int = 4,
) -> SpectProjector:
    """Make a projector of random attenuation up to that of bone, every voxel taking part."""
    views = len(angles_deg)
    _, transverse = pixel_mm
    radii = np.array(radii_mm) if radii_mm else np.full(views, 0.7 * n * transverse)
    integral = np.random.default_rng(seed).uniform(0.0, 0.3 * transverse / 10, (n, n, slices)).astype(np.float32)
    return whole_projector(
        (n, n, slices),
        np.array(angles_deg),
        pixel_mm=pixel_mm,
        radii_mm=radii,
        sigma_mm=sigma_mm if response else None,
        integral=integral if attenuated else None,
        offsets_px=np.array(offsets_px) if offsets_px else None,
        threads=threads,
    )


def _adjoint_gap(operator: LinearOperator, seed: int, signed: bool) -> float:
    """|<Ax, y> - <x, A'y>| / (|Ax| |y|) for random x and y."""
    random = np.random.default_rng(seed)
    low = -1.0 if signed else 0.0
    x = random.uniform(low, 1.0, operator.in_shape).astype(np.float32)
    y = random.uniform(low, 1.0, operator.out_shape).astype(np.float32)
    ax, aty = operator.forward(x).astype(np.float64), operator.adjoint(y).astype(np.float64)
    return float(abs(np.vdot(ax, y) - np.vdot(x, aty)) / (np.linalg.norm(ax) * np.linalg.norm(y)))


ANGLES = [0.0, 17.3, 90.0, 143.7, 180.0, 251.1, 315.0]
RADII = [61.0, 75.0, 52.0, 90.0, 66.0, 71.0, 83.0]
OFFSETS = [0.0, 1.3, -0.7, 0.4, 2.0, -1.6, 0.25]


@pytest.mark.parametrize(("response", "attenuated", "signed"), list(product([False, True], repeat=3)))
@pytest.mark.parametrize(("n", "slices"), [(16, 9), (11, 23)])
def test_adjoint(n: int, slices: int, response: bool, attenuated: bool, signed: bool) -> None:
    plain = _projector(n, slices, ANGLES, response=response, attenuated=attenuated)
    shifted = _projector(
        n, slices, ANGLES, response=response, attenuated=attenuated, radii_mm=RADII, offsets_px=OFFSETS
    )
    assert _adjoint_gap(plain, 1, signed) <= 1e-6
    assert _adjoint_gap(shifted, 2, signed) <= 1e-6


def test_adjoint_of_the_whole_model_and_its_subsets() -> None:
    angles = np.array(ANGLES)
    empty = acquisition(
        angles, (13, 20), (6.1, 4.3), radii_mm=np.array(RADII), offset_mm=4.3 * np.array(OFFSETS),
        start_s=np.arange(7.0) * 900, duration_s=np.linspace(10, 40, 7), axis_mm=(12.0, -40.0), first_row_z_mm=31.0,
    )  # fmt: skip
    model = system_model(projector_of(empty, soft_body(empty)), empty, TC_HALF_LIFE_S)
    for signed in (False, True):
        assert _adjoint_gap(model, 3, signed) <= 1e-6
        assert _adjoint_gap(model.subset(np.array([5, 2, 0])), 4, signed) <= 1e-6


@pytest.mark.parametrize("pixel_mm", [4.8, 6.4])
def test_adjoint_with_a_cobalt_chromium_stem_in_the_body(pixel_mm: float) -> None:
    angles = np.array(ANGLES)
    empty = acquisition(angles, (7, 40), (6.1, pixel_mm), radii_mm=np.full(7, 150.0))
    body = soft_body(empty)
    array = np.array(body.array)
    array[:, 14:20, 22:27] = 1.88
    model = projector_of(empty, Image(array, body.geometry, "1/cm"))
    for signed in (False, True):
        assert _adjoint_gap(model, 6, signed) <= 1e-6


def test_the_adjoints_matrix_is_the_transposed_one() -> None:
    projector = _projector(6, 4, [0.0, 33.0, 228.0], radii_mm=[14.0, 18.0, 25.0], offsets_px=[0.0, 0.6, -0.9])
    voxels, bins = int(np.prod(projector.in_shape)), int(np.prod(projector.out_shape))
    columns = [projector.forward(unit.reshape(projector.in_shape)).ravel() for unit in np.eye(voxels, dtype=np.float32)]
    rows = [projector.adjoint(unit.reshape(projector.out_shape)).ravel() for unit in np.eye(bins, dtype=np.float32)]
    matrix = np.column_stack(columns)
    assert np.linalg.matrix_rank(matrix) > bins // 2  # not an empty agreement
    np.testing.assert_allclose(np.array(rows), matrix, rtol=2e-6, atol=1e-8 * matrix.max())
    assert not np.allclose(matrix, np.roll(matrix, 1, axis=1), atol=0.1 * matrix.max())
    assert matrix.min() >= 0


def test_the_projector_is_linear_and_leaves_its_input_alone() -> None:
    projector = _projector(12, 7, ANGLES)
    random = np.random.default_rng(9)
    a, b = random.uniform(-1, 1, (2, *projector.in_shape)).astype(np.float32)
    kept = a.copy()
    together = projector.forward(2 * a - 3 * b)
    apart = 2 * projector.forward(a) - 3 * projector.forward(b)
    assert distance(together, apart) < 1e-6
    np.testing.assert_array_equal(a, kept)
    y = random.uniform(-1, 1, projector.out_shape).astype(np.float32)
    kept = y.copy()
    projector.adjoint(y)
    np.testing.assert_array_equal(y, kept)


def test_a_subset_computes_those_views_in_that_order() -> None:
    projector = _projector(12, 7, ANGLES, radii_mm=RADII, offsets_px=OFFSETS)
    x = np.random.default_rng(2).uniform(0, 1, projector.in_shape).astype(np.float32)
    chosen = np.array([4, 0, 6])
    np.testing.assert_array_equal(projector.subset(chosen).forward(x), projector.forward(x)[chosen])


def test_any_number_of_threads_gives_the_same_bits() -> None:
    random = np.random.default_rng(5)
    one = _projector(14, 9, ANGLES, radii_mm=RADII, offsets_px=OFFSETS)
    x = random.uniform(0, 1, one.in_shape).astype(np.float32)
    y = random.uniform(0, 1, one.out_shape).astype(np.float32)
    for threads in (2, 3, 4, 8):
        several = _projector(14, 9, ANGLES, radii_mm=RADII, offsets_px=OFFSETS, threads=threads)
        assert several.forward(x).tobytes() == one.forward(x).tobytes()
        assert several.adjoint(y).tobytes() == one.adjoint(y).tobytes()


# --- against the reference ---

SMOOTH = acquisition(
    np.array([0.0, 23.0, 131.0, 180.0, 248.0, 337.5]), (28, 40), (4.6, 4.0),
    radii_mm=np.array([110.0, 140.0, 95.0, 125.0, 160.0, 100.0]),
    offset_mm=np.array([0.0, 0.0, 5.0, -3.0, 0.0, 2.0]),
)  # fmt: skip


def _reference(view: int, mu: Image | None, response: bool, turn_deg: float = 0.0, mirror: bool = False) -> Float64:
    orbit = SMOOTH.orbit
    assert orbit.radii_mm is not None
    assert orbit.centre_offset_mm is not None
    return reference_view(
        np.asarray(smooth_activity(SMOOTH).array, dtype=np.float64),
        None if mu is None else np.asarray(mu.array, dtype=np.float64),
        angle_deg=(-1 if mirror else 1) * float(orbit.angles_deg[view]) + turn_deg,
        pixel_mm=SMOOTH.pixel_mm,
        radius_mm=float(orbit.radii_mm[view]),
        sigma_mm=lehr_sigma_mm if response else None,
        offset_mm=float(orbit.centre_offset_mm[view]),
    )


def _fast(mu: Image | None, response: bool) -> Array:
    """Project the smooth object: (views, rows, columns), rows head to feet."""
    projector = projector_of(SMOOTH, mu, response)
    return counts_of_views(projector.forward(runs_of_image(smooth_activity(SMOOTH), projector.support)))


@pytest.mark.parametrize(("attenuated", "response"), list(product([False, True], repeat=2)))
def test_the_reference_projector_sees_the_same_within_a_hundredth(attenuated: bool, response: bool) -> None:
    mu = soft_body(SMOOTH) if attenuated else None
    views = _fast(mu, response)
    for v in range(SMOOTH.orbit.views):
        assert distance(views[v], _reference(v, mu, response)) < 0.01, f"view {v}"


def test_other_readings_of_the_geometry_do_not_agree() -> None:
    mu = soft_body(SMOOTH)
    views = _fast(mu, True)
    for v in (1, 2, 4):
        right = _reference(v, mu, True)
        for wrong in (
            right[::-1],
            right[:, ::-1],
            np.roll(right, 1, axis=0),
            np.roll(right, 1, axis=1),
            _reference(v, mu, True, mirror=True),
            _reference(v, mu, True, turn_deg=180.0),
            _reference(v, mu, True, turn_deg=90.0),
        ):
            assert distance(views[v], wrong) > 0.1
    assert distance(views[1], _reference(1, None, True)) > 0.1
    assert distance(views[1], _reference(1, mu, False)) > 0.03
