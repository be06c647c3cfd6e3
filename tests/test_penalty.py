"""The relative difference penalty against its definition: pairs, derivatives, bounds, scaling, support."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from leukospect.errors import InputError
from leukospect.penalty import RelativeDifferencePenalty, neighbour_weights
from leukospect.support import Support
from tests.dense_spect import PairwisePenalty

Array = NDArray[np.float32]
SPACING = (5.0, 3.0, 4.0)
STRENGTH, EPSILON = 0.3, 0.02


def _support() -> Support:
    """Give a support that is neither convex nor symmetric, with a hole and a place of its own."""
    mask = np.zeros((6, 7), bool)
    mask[0:4, 1:5] = True
    mask[1, 2] = False
    mask[5, 6] = True
    return Support(mask)


def _case(gamma: float = 2.0, slices: int = 4) -> tuple[RelativeDifferencePenalty, PairwisePenalty, Array]:
    support = _support()
    random = np.random.default_rng(4)
    gain = random.uniform(0.5, 2, (support.places, slices)).astype(np.float32)
    image = random.gamma(1.0, 1.0, gain.shape).astype(np.float32)
    image[3, 1:3] = 0.0
    image[4, :2] = image[5, :2]
    penalty = RelativeDifferencePenalty(
        support, SPACING, gain, strength=STRENGTH, epsilon=EPSILON, gamma=gamma, threads=1
    )
    return penalty, PairwisePenalty(support, gain.astype(float), STRENGTH, EPSILON, gamma, SPACING), image


@pytest.mark.parametrize("slices", [1, 2, 9])
@pytest.mark.parametrize("gamma", [0.0, 2.0])
def test_value_and_gradient_are_those_of_the_pairs(gamma: float, slices: int) -> None:
    penalty, pairs, image = _case(gamma, slices)
    value, gradient = pairs(image.ravel().astype(np.float64))
    assert penalty.value(image) == pytest.approx(value, rel=1e-5)
    np.testing.assert_allclose(penalty.gradient(image).ravel(), gradient, atol=2e-5 * np.abs(gradient).max())


def test_the_gradient_is_the_slope_of_the_value() -> None:
    _, pairs, image = _case()
    flat = image.ravel().astype(np.float64) + 0.01
    step = np.random.default_rng(5).normal(size=flat.size) * 1e-5
    rise = (pairs(flat + step)[0] - pairs(flat - step)[0]) / 2
    penalty, _, _ = _case()
    slope = float(np.vdot(penalty.gradient(flat.reshape(image.shape).astype(np.float32)), step))
    assert slope == pytest.approx(rise, rel=2e-4)


@pytest.mark.parametrize("gamma", [0.0, 2.0])
def test_the_curvature_bounds_the_second_derivatives(gamma: float) -> None:
    penalty, pairs, image = _case(gamma)
    flat = image.ravel().astype(np.float64) + 0.05
    n, step = flat.size, 1e-5
    hessian = np.empty((n, n))
    for i in range(n):
        move = np.zeros(n)
        move[i] = step
        hessian[i] = (pairs(flat + move)[1] - pairs(flat - move)[1]) / (2 * step)
    bound = penalty.curvature(flat.reshape(image.shape).astype(np.float32)).ravel()
    np.testing.assert_allclose(bound, np.abs(hessian).sum(axis=1), rtol=2e-3)
    spread = np.linalg.eigvalsh((hessian + hessian.T) / 2)
    assert spread[0] > -1e-6 * spread[-1], "the penalty is convex"
    assert np.linalg.eigvalsh(np.diag(bound) - (hessian + hessian.T) / 2)[0] > -1e-3 * spread[-1]


def test_the_penalty_scales_with_the_unit() -> None:
    support = _support()
    _, _, image = _case()
    gain = np.ones_like(image)
    in_one = RelativeDifferencePenalty(support, SPACING, gain, strength=1.0, epsilon=EPSILON)
    in_other = RelativeDifferencePenalty(support, SPACING, gain, strength=1.0, epsilon=1000 * EPSILON)
    large = 1000 * image
    assert in_other.value(large) == pytest.approx(1000 * in_one.value(image), rel=1e-5)
    np.testing.assert_allclose(in_other.gradient(large), in_one.gradient(image), atol=1e-4)
    np.testing.assert_allclose(1000 * in_other.curvature(large), in_one.curvature(image), rtol=1e-4)


def test_a_uniform_image_costs_nothing_also_at_the_edge_of_the_support() -> None:
    penalty, _, image = _case()
    flat = np.full_like(image, 7.0)
    assert penalty.value(flat) == 0.0
    np.testing.assert_array_equal(penalty.gradient(flat), 0.0)


def test_a_place_of_its_own_has_neighbours_along_the_axis_only() -> None:
    penalty, _, image = _case()
    image[-1] = 2.0
    before = penalty.gradient(image)
    image[-1] = 9.0
    after = penalty.gradient(image)
    np.testing.assert_array_equal(before[-1], 0.0)
    np.testing.assert_array_equal(before[:-1], after[:-1])


def test_weights_follow_the_distance_in_mm() -> None:
    weights = neighbour_weights((5.0, 3.0, 4.0))
    rows, columns, slices, within = weights[1 + 3, 0], weights[5, 1], weights[1, 1], weights[2, 1]
    assert (rows, columns, slices, within) == pytest.approx((3 / 5, 3 / 4, 1.0, 3 / 5))
    assert weights[4, 1] == 0.0
    assert weights[0, 0] == pytest.approx(3 / np.sqrt(50))


def test_edges_cost_less_with_gamma() -> None:
    smooth, _, image = _case(gamma=0.0)
    edges, _, _ = _case(gamma=2.0)
    assert edges.value(image) < smooth.value(image)
    # What differs little costs the same.
    nearly = (1 + 1e-3 * image / image.max()).astype(np.float32)
    assert edges.value(nearly) == pytest.approx(smooth.value(nearly), rel=2e-3)


def test_voxels_without_gain_take_no_part() -> None:
    support = _support()
    _, _, image = _case()
    gain = np.ones_like(image)
    gain[5, 2] = 0.0
    penalty = RelativeDifferencePenalty(support, SPACING, gain, strength=1.0, epsilon=EPSILON)
    before = penalty.value(image), penalty.gradient(image)
    image[5, 2] = 50.0
    assert penalty.value(image) == before[0]
    np.testing.assert_array_equal(penalty.gradient(image), before[1])


def test_the_same_bits_for_any_number_of_threads() -> None:
    mask = np.hypot(*np.meshgrid(np.arange(40) - 19.5, np.arange(36) - 17.5)) < 17
    support = Support(mask)
    image = np.random.default_rng(2).random((support.places, 21), np.float32)
    results = []
    for threads in (1, 2, 5):
        penalty = RelativeDifferencePenalty(
            support, SPACING, np.ones_like(image), strength=1.0, epsilon=1e-3, threads=threads
        )
        results.append((penalty.value(image), penalty.gradient(image), penalty.curvature(image)))
    for value, gradient, curvature in results[1:]:
        assert value == results[0][0]
        np.testing.assert_array_equal(gradient, results[0][1])
        np.testing.assert_array_equal(curvature, results[0][2])


def test_values_stay_finite_at_zero_and_at_extremes() -> None:
    penalty, _, image = _case()
    for level in (0.0, 1e-20, 1e9):
        image[:] = level
        image[2, 1] = 1e9
        assert np.isfinite(penalty.value(image))
        assert np.all(np.isfinite(penalty.gradient(image)))
        assert np.all(np.isfinite(penalty.curvature(image)))


@pytest.mark.parametrize(("strength", "epsilon", "gamma"), [(-1, 1, 2), (1, 0, 2), (1, 1, -1), (np.nan, 1, 2)])
def test_impossible_values_are_refused(strength: float, epsilon: float, gamma: float) -> None:
    support = _support()
    gain = np.ones((support.places, 3), np.float32)
    with pytest.raises(InputError, match="relative difference penalty needs"):
        RelativeDifferencePenalty(support, SPACING, gain, strength=strength, epsilon=epsilon, gamma=gamma)


def test_arrays_that_do_not_fit_are_refused() -> None:
    penalty, _, image = _case()
    with pytest.raises(InputError, match="was given one of"):
        penalty.value(image[:-1])
    with pytest.raises(InputError, match="runs of voxels needs"):
        RelativeDifferencePenalty(_support(), SPACING, image[:-1], strength=1.0, epsilon=1.0)
    with pytest.raises(InputError, match="spacing of voxels"):
        RelativeDifferencePenalty(_support(), (5.0, 0.0, 4.0), image, strength=1.0, epsilon=1.0)
