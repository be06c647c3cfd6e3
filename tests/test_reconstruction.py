"""OSEM: subsets, and what expectation maximisation promises of every update."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from leukospect.data import Image
from leukospect.errors import InputError
from leukospect.operators import ViewOperator
from leukospect.physics.collimators import find_collimator
from leukospect.projector import reconstruction_geometry, spect_projector, system_model
from leukospect.reconstruction import OrderedSubsets, osem, poisson_log_likelihood, prepare_subsets, subset_views
from tests.spot_acquisition import acquisition, orbit

TC_KEV = 140.511
Array = NDArray[np.float32]

# --- subsets ---


@pytest.mark.parametrize(("views", "subsets"), [(60, 7), (60, 15), (60, 60), (120, 15), (1, 1), (5, 2), (17, 4)])
def test_subsets_hold_each_view_once_and_are_of_even_size(views: int, subsets: int) -> None:
    angles = orbit(77.0, "CW", views)
    parts = subset_views(angles, subsets)
    assert len(parts) == subsets
    assert sorted(np.concatenate(parts).tolist()) == list(range(views))
    sizes = [part.size for part in parts]
    assert max(sizes) - min(sizes) <= 1


@pytest.mark.parametrize("order", ["blocks", "interleaved", "right angles", "falling"])
def test_a_subset_looks_from_equally_spread_angles_whatever_the_order_of_the_views(order: str) -> None:
    first, second = orbit(10.0, "CC", 30, 180.0), orbit(190.0, "CC", 30, 180.0)
    angles = {
        "blocks": np.concatenate([first, second]),
        "interleaved": np.stack([first, second], axis=1).ravel(),
        "right angles": np.concatenate([first[:15], first[:15] + 90, first[:15] + 180, first[:15] - 90]),
        "falling": orbit(300.0, "CW", 60),
    }[order]
    for part in subset_views(angles, 15):
        np.testing.assert_allclose(np.diff(np.sort(angles[part] % 360.0)), 90.0)


def test_successive_subsets_are_not_neighbours() -> None:
    angles = orbit(0.0, "CC", 120)
    firsts = np.array([angles[part].min() for part in subset_views(angles, 15)])
    steps = np.abs(np.diff(firsts)) / 3.0
    assert np.minimum(steps, 15 - steps).min() >= 3


@pytest.mark.parametrize("subsets", [0, -1, 9])
def test_more_subsets_than_views_are_refused(subsets: int) -> None:
    with pytest.raises(InputError, match="8 views cannot be divided"):
        subset_views(orbit(0.0, "CC", 8), subsets)


# --- what expectation maximisation promises ---


def _case(seed: int = 1, views: int = 20, response: bool = True) -> tuple[ViewOperator, Array, Array]:
    """A model with attenuation and response, a true image and its expected counts."""
    angles = orbit(20.0, "CC", views)
    empty = acquisition(angles, (9, 18), (6.0, 4.7), radii_mm=np.full(views, 62.0), duration_s=np.full(views, 5.0))
    geometry = reconstruction_geometry(empty)
    places = (np.arange(18) - 8.5) * 4.7
    y, x = np.meshgrid(places, places, indexing="ij")
    body = np.hypot(x / 30, y / 24) <= 1
    mu = Image(np.repeat((0.15 * body[None]).astype(np.float32), 9, axis=0), geometry, "1/cm")
    lehr = find_collimator("LEHR", "Siemens") if response else None
    projector = spect_projector(empty, mu, lehr, TC_KEV, threads=1)
    model = system_model(projector, empty, None)
    truth = np.zeros((18, 18, 9), np.float32)
    truth[body] = 1.0
    truth[6:9, 10:13, 2:6] = 8.0
    truth[11, 5:8, 4:8] = 0.0
    truth *= 30.0 * np.random.default_rng(seed).uniform(0.9, 1.1)
    runs = projector.support.runs(truth)
    return model, runs, model.forward(runs)


def _one_subset(model: ViewOperator) -> OrderedSubsets:
    return prepare_subsets(model, (np.arange(model.views),))


def test_mlem_keeps_the_counts_and_climbs_the_likelihood() -> None:
    model, _, mean = _case()
    counts = np.random.default_rng(8).poisson(mean).astype(np.float32)
    subsets, image = _one_subset(model), None
    likelihoods = []
    for _ in range(12):
        image = osem(subsets, counts, iterations=1, start=image)
        expected = model.forward(image)
        assert expected.sum(dtype=np.float64) == pytest.approx(counts.sum(dtype=np.float64), rel=2e-4)
        likelihoods.append(poisson_log_likelihood(counts, expected))
    steps = np.diff(likelihoods)
    assert np.all(steps > -1e-6 * np.abs(likelihoods[-1]))
    assert steps[0] > 0
    assert likelihoods[-1] <= poisson_log_likelihood(counts, counts)


def test_mlem_climbs_the_likelihood_with_scatter_too() -> None:
    model, _, mean = _case()
    scatter = np.full(model.out_shape, 0.3 * mean.mean(), np.float32)
    counts = np.random.default_rng(9).poisson(mean + scatter).astype(np.float32)
    subsets, image = _one_subset(model), None
    likelihoods = []
    for _ in range(8):
        image = osem(subsets, counts, scatter, iterations=1, start=image)
        likelihoods.append(poisson_log_likelihood(counts, model.forward(image) + scatter))
    assert np.all(np.diff(likelihoods) > -1e-6 * np.abs(likelihoods[-1]))


def test_three_iterations_at_once_are_three_in_turn() -> None:
    model, _, counts = _case(views=8)
    subsets = prepare_subsets(model, (np.array([0, 2, 4, 6]), np.array([1, 3, 5, 7])))
    at_once = osem(subsets, counts, iterations=3)
    in_turn: Array | None = None
    for _ in range(3):
        in_turn = osem(subsets, counts, iterations=1, start=in_turn)
    np.testing.assert_array_equal(at_once, in_turn)


def test_the_truth_is_a_fixed_point_of_noise_free_counts() -> None:
    model, truth, counts = _case()
    again = osem(_one_subset(model), counts, iterations=1, start=truth)
    assert np.linalg.norm(again - truth) < 2e-4 * np.linalg.norm(truth)


def test_osem_comes_near_the_truth() -> None:
    model, truth, counts = _case()
    subsets = prepare_subsets(model, subset_views(orbit(20.0, "CC", 20), 5))
    errors = [float(np.linalg.norm(osem(subsets, counts, iterations=n) - truth)) for n in (1, 4, 16)]
    assert errors[0] > errors[1] > errors[2]
    assert errors[2] < 0.35 * float(np.linalg.norm(truth))


def test_values_are_finite_never_negative_and_zero_where_nothing_is_seen() -> None:
    model, _, mean = _case()
    counts = np.random.default_rng(3).poisson(0.02 * mean).astype(np.float32)  # many empty bins
    assert (counts == 0).mean() > 0.2
    image = osem(prepare_subsets(model, subset_views(orbit(20.0, "CC", 20), 10)), counts, iterations=6)
    assert np.all(np.isfinite(image))
    assert image.min() >= 0.0
    assert image.max() > 0.0


class _HalfBlind(ViewOperator):
    """Each view adds up the seen half of a line of voxels; the other half is seen by none."""

    def __init__(self, views: int) -> None:
        self.in_shape, self.out_shape = (6,), (views,)

    def _forward(self, x: Array) -> Array:
        return np.full(self.out_shape, x[:3].sum(), np.float32)

    def _adjoint(self, y: Array) -> Array:
        return np.concatenate([np.full(3, y.sum()), np.zeros(3)]).astype(np.float32)

    def subset(self, views: NDArray[np.intp]) -> _HalfBlind:
        return _HalfBlind(views.size)


def test_a_voxel_that_no_view_sees_is_zero() -> None:
    model = _HalfBlind(4)
    subsets = prepare_subsets(model, (np.array([0, 1]), np.array([2, 3])))
    counts = np.full(4, 9.0, np.float32)
    np.testing.assert_allclose(osem(subsets, counts, iterations=2), [3, 3, 3, 0, 0, 0], rtol=1e-6)
    started = osem(subsets, counts, iterations=1, start=np.full(6, 5.0, np.float32))
    np.testing.assert_array_equal(started[3:], 0.0)


class _Sliced(ViewOperator):
    """A model whose results are parts of larger arrays, so not in one piece of memory."""

    def __init__(self, model: ViewOperator) -> None:
        self.model, self.in_shape, self.out_shape = model, model.in_shape, model.out_shape

    def _forward(self, x: Array) -> Array:
        return np.asarray(np.pad(self.model.forward(x), ((0, 0), (2, 2), (1, 1)))[:, 2:-2, 1:-1])

    def _adjoint(self, y: Array) -> Array:
        return np.asarray(np.pad(self.model.adjoint(y), 1)[1:-1, 1:-1])

    def subset(self, views: NDArray[np.intp]) -> _Sliced:
        return _Sliced(self.model.subset(views))


def test_an_operator_may_give_arrays_that_are_not_in_one_piece() -> None:
    model, _, counts = _case(views=8)
    views = (np.array([0, 2, 4, 6]), np.array([1, 3, 5, 7]))
    whole = osem(prepare_subsets(model, views), counts, iterations=2)
    np.testing.assert_array_equal(osem(prepare_subsets(_Sliced(model), views), counts, iterations=2), whole)


def test_no_counts_give_an_empty_image() -> None:
    model, _, _ = _case(views=6)
    image = osem(prepare_subsets(model, subset_views(orbit(0.0, "CC", 6), 3)),
                 np.zeros(model.out_shape, np.float32), iterations=2)  # fmt: skip
    np.testing.assert_array_equal(image, 0.0)
    scatter = np.full(model.out_shape, 2.0, np.float32)
    image = osem(_one_subset(model), np.zeros(model.out_shape, np.float32), scatter, iterations=1)
    np.testing.assert_array_equal(image, 0.0)


def test_one_view_is_explained() -> None:
    model, _, mean = _case(views=1)
    subsets = prepare_subsets(model, subset_views(np.array([20.0]), 1))
    expected = model.forward(osem(subsets, mean, iterations=30))
    assert np.linalg.norm(expected - mean) < 0.05 * np.linalg.norm(mean)


def test_uneven_subsets_reconstruct() -> None:
    model, truth, counts = _case()
    even = osem(prepare_subsets(model, subset_views(orbit(20.0, "CC", 20), 5)), counts, iterations=7)
    uneven = osem(prepare_subsets(model, subset_views(orbit(20.0, "CC", 20), 7)), counts, iterations=5)
    assert np.linalg.norm(uneven - even) < 0.1 * np.linalg.norm(truth)


def test_scatter_in_the_model_comes_nearer_the_truth_than_scatter_ignored() -> None:
    model, truth, mean = _case()
    slices, columns = np.arange(9) - 4.0, np.arange(18) - 8.5
    broad = np.exp(-(columns[:, None] ** 2) / 72 - slices[None] ** 2 / 50)
    scatter = np.broadcast_to(0.5 * mean.max() * broad, model.out_shape).astype(np.float32)
    counts = mean + scatter
    subsets = prepare_subsets(model, subset_views(orbit(20.0, "CC", 20), 5))
    with_it = np.linalg.norm(osem(subsets, counts, scatter, iterations=8) - truth)
    without = np.linalg.norm(osem(subsets, counts, iterations=8) - truth)
    assert with_it < 0.5 * without
    total = osem(subsets, counts, scatter, iterations=8).sum(dtype=np.float64)
    assert total == pytest.approx(truth.sum(dtype=np.float64), rel=0.02)


def test_inputs_are_left_alone() -> None:
    model, _, mean = _case(views=6)
    counts, scatter, start = mean.copy(), np.ones_like(mean), np.ones(model.in_shape, np.float32)
    osem(_one_subset(model), counts, scatter, iterations=2, start=start)
    np.testing.assert_array_equal(counts, mean)
    np.testing.assert_array_equal(scatter, 1.0)
    np.testing.assert_array_equal(start, 1.0)


def test_progress_rises_to_one() -> None:
    model, _, counts = _case(views=6)
    seen: list[float] = []
    subsets = prepare_subsets(model, subset_views(orbit(0.0, "CC", 6), 3), seen.append)
    osem(subsets, counts, iterations=2, progress=seen.append)
    assert seen == pytest.approx([1 / 3, 2 / 3, 1, 1 / 6, 2 / 6, 3 / 6, 4 / 6, 5 / 6, 1])


def test_no_iteration_is_refused() -> None:
    model, _, counts = _case(views=2)
    with pytest.raises(InputError, match="at least one iteration"):
        osem(_one_subset(model), counts, iterations=0)


def test_the_likelihood_is_highest_at_the_expectation() -> None:
    counts = np.array([[4.0, 0.0], [7.0, 2.0]], np.float32)
    best = poisson_log_likelihood(counts, counts)
    assert best == pytest.approx(4 * np.log(4) + 7 * np.log(7) + 2 * np.log(2) - 13)
    for wrong in (counts * 1.1, counts * 0.9, counts + 0.5):
        assert poisson_log_likelihood(counts, wrong.astype(np.float32)) < best
