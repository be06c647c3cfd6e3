"""Every contestant of the speed benchmark solves the same problem."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from leukospect.benchmark.rivals.sparse_matrix import line_integrals
from leukospect.benchmark.speed_accuracy import relative_difference
from leukospect.benchmark.speed_case import SpeedCase, plain_case, simulated_case
from leukospect.benchmark.speed_contest import CONTESTANTS, Corrections, Settings, Within


@pytest.fixture(scope="module")
def noise_free() -> SpeedCase:
    return plain_case(32, 24)


@pytest.fixture(scope="module")
def simulated() -> SpeedCase:
    return simulated_case(32, 24, 1e7)


def reconstruct(name: str, case: SpeedCase, corrections: Corrections, within: Within) -> NDArray[np.float32]:
    timed = CONTESTANTS[name].driver()(case, Settings(corrections, within, 1, 4, 6))
    assert timed.seconds >= timed.building_s >= 0
    return timed.image


@pytest.mark.parametrize("within", ["body", "field"])
@pytest.mark.parametrize("name", ["leukospect", "sparse matrix"])
def test_a_body_without_attenuation_reads_one(noise_free: SpeedCase, name: str, within: Within) -> None:
    image = reconstruct(name, noise_free, "none", within)
    inside = noise_free.truth > 0
    assert image.shape == noise_free.truth.shape
    assert image[inside].mean() == pytest.approx(1.0, abs=0.05)
    assert image[~inside].mean() < 0.05
    places = np.arange(32) - 15.5
    for axis in range(3):
        others = tuple({0, 1, 2} - {axis})
        centre, true = ((volume.sum(axis=others) * places).sum() / volume.sum() for volume in (image, noise_free.truth))
        assert centre == pytest.approx(true, abs=0.15)


def test_inside_the_body_nothing_is_elsewhere(noise_free: SpeedCase) -> None:
    for name in ("leukospect", "sparse matrix"):
        assert not reconstruct(name, noise_free, "none", "body")[:, ~noise_free.body].any()


def test_line_integrals_of_a_point() -> None:
    size, angles = 20, np.array([0.0, 30.0, 118.0, 200.0, 315.0])
    matrix = line_integrals(angles, size, np.ones((size, size), np.bool_))
    row, column = 5, 13
    plane = np.zeros((size, size), np.float32)
    plane[row, column] = 1.0
    seen = (matrix @ plane.ravel()).reshape(angles.size, size)
    t, middle = np.deg2rad(angles), (size - 1) / 2
    expected = -(column - middle) * np.cos(t) + (row - middle) * np.sin(t) + middle
    assert seen.sum(axis=1) == pytest.approx(np.ones(angles.size), abs=0.2)
    assert (seen * np.arange(size)).sum(axis=1) / seen.sum(axis=1) == pytest.approx(expected, abs=0.3)


def test_line_integrals_leave_out_what_is_outside() -> None:
    inside = np.zeros((20, 20), np.bool_)
    inside[6:13, 4:17] = True
    angles = np.array([10.0, 77.0, 222.0])
    whole, part = (line_integrals(angles, 20, mask) for mask in (np.ones_like(inside), inside))
    plane = np.random.default_rng(1).random((20, 20)).astype(np.float32) * inside
    assert part.shape == (60, 7 * 13)
    assert part @ plane[inside] == pytest.approx(whole @ plane.ravel(), abs=1e-4)


def test_sparse_matrix_agrees_with_ours(simulated: SpeedCase) -> None:
    ours = reconstruct("leukospect", simulated, "none", "field")
    assert relative_difference(reconstruct("sparse matrix", simulated, "none", "field"), ours, simulated) < 0.1


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("corrections", ["none", "attenuation", "all"])
@pytest.mark.parametrize("name", ["PyTomography", "MIRTorch"])
def test_rival_agrees_with_ours(simulated: SpeedCase, name: str, corrections: Corrections) -> None:
    if CONTESTANTS[name].installed_version is None:
        pytest.skip(f"{name} is not installed")
    ours = reconstruct("leukospect", simulated, corrections, "field")
    theirs = reconstruct(name, simulated, corrections, "field")
    apart = relative_difference(theirs, ours, simulated)
    mirrored = [relative_difference(np.flip(theirs, axis), ours, simulated) for axis in range(3)]
    assert apart < 0.08
    assert apart < 0.5 * min(mirrored)
