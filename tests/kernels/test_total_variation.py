"""Total variation denoising: flat stays flat, edges stay, noise goes."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from numpy.typing import NDArray
from skimage.restoration import denoise_tv_chambolle

from leukospect.kernels.total_variation import denoised


def _disc(noise_hu: float = 0.0, shape: tuple[int, int] = (61, 78)) -> NDArray[np.float32]:
    """Draw a disc of 300 HU off the middle of a slice of -100 HU."""
    y, x = np.indices(shape)
    clean = np.where(np.hypot(y - 26, x - 47) < 17.0, 300.0, -100.0)
    noise = np.random.default_rng(4).standard_normal(shape)
    return (clean + noise_hu * noise).astype(np.float32)


def _energy(u: NDArray[np.float32], f: NDArray[np.float32], weight: float) -> float:
    values = u.astype(np.float64)
    down, across = np.zeros_like(values), np.zeros_like(values)
    down[:-1], across[:, :-1] = np.diff(values, axis=0), np.diff(values, axis=1)
    return float(np.sum((values - f) ** 2) / 2.0 + weight * np.sum(np.hypot(down, across)))


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1), (7, 12)])
def test_a_constant_stays(shape: tuple[int, int]) -> None:
    image = np.full(shape, 37.5, dtype=np.float32)
    np.testing.assert_array_equal(denoised(image, 80.0, 20), image)


@pytest.mark.parametrize("shape", [(1, 40), (40, 1), (23, 40)])
def test_the_mean_is_kept_and_the_image_not_written_to(shape: tuple[int, int]) -> None:
    image = np.random.default_rng(1).normal(50.0, 200.0, shape).astype(np.float32)
    kept = image.copy()
    result = denoised(image, 100.0, 25)
    assert result.dtype == np.float32
    assert result.mean(dtype=np.float64) == pytest.approx(image.mean(dtype=np.float64), abs=1e-3)
    assert np.std(result) < 0.7 * np.std(image)
    np.testing.assert_array_equal(image, kept)


def test_the_energy_falls_towards_its_minimum() -> None:
    image = _disc(40.0)
    energies = [_energy(denoised(image, 60.0, steps), image, 60.0) for steps in (0, 2, 5, 15, 60, 300)]
    assert all(later < earlier for earlier, later in itertools.pairwise(energies))
    # Neither a little more nor a little less of the change is better than the minimiser.
    best = denoised(image, 60.0, 300)
    for share in (0.9, 1.1):
        assert _energy(image + np.float32(share) * (best - image), image, 60.0) > energies[-1]


def test_noise_falls_and_the_edge_stays() -> None:
    clean, noisy = _disc(), _disc(25.0)
    result = denoised(noisy, 80.0, 20)
    distance = np.hypot(*(np.indices(clean.shape) - np.array([26, 47])[:, None, None])) - 17.0
    for side in (distance < -4.0, distance > 4.0):
        assert np.std(result[side]) < 0.3 * np.std(noisy[side])
    # Where the disc begins: a smoothing that takes as much noise spreads the step over several pixels.
    steps = np.diff(result[26].astype(np.float64))
    for at in (30, 63):
        assert abs(steps[at]) > 0.75 * 400.0
    # A region a few pixels wide whose height is below the weight vanishes.
    small = np.zeros((21, 21), dtype=np.float32)
    small[9:11, 12:14] = 60.0
    assert denoised(small, 80.0, 200).max() < 6.0


@pytest.mark.parametrize(("weight", "iterations"), [(80.0, 20), (15.0, 7)])
def test_as_scikit_image(weight: float, iterations: int) -> None:
    image = _disc(30.0)
    other = denoise_tv_chambolle(image.astype(np.float64), weight=weight, eps=0.0, max_num_iter=iterations + 1)
    np.testing.assert_allclose(denoised(image, weight, iterations), other, atol=0.02)


def test_turned_and_mirrored_images_give_the_same_but_for_the_grid() -> None:
    image = _disc(20.0)
    np.testing.assert_allclose(
        denoised(np.ascontiguousarray(image.T), 50.0, 20), denoised(image, 50.0, 20).T, atol=1e-3
    )
    view = image[::-1, 3:60]
    np.testing.assert_array_equal(denoised(view, 50.0, 20), denoised(np.ascontiguousarray(view), 50.0, 20))
