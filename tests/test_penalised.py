"""Maximum a posteriori: how near it comes to an optimum found by other means, and what must never happen."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from leukospect.errors import InputError
from leukospect.penalised import Pass, maximum_a_posteriori, mean_activity, sensitivity_of
from leukospect.penalty import RelativeDifferencePenalty
from leukospect.reconstruction import OrderedSubsets, osem, poisson_log_likelihood, prepare_subsets, subset_views
from tests.dense_spect import SPACING_MM, DenseCase, DenseViews, PairwisePenalty, dense_case, optimum

Array = NDArray[np.float32]


def _prepared(
    case: DenseCase, strength: float, subsets: int
) -> tuple[OrderedSubsets, RelativeDifferencePenalty, PairwisePenalty]:
    divided = prepare_subsets(case.model, subset_views(case.angles_deg, subsets))
    gain = np.sqrt(sensitivity_of(divided))
    epsilon = 0.01 * mean_activity(divided, case.counts, case.scatter)
    penalty = RelativeDifferencePenalty(
        case.support, SPACING_MM, gain, strength=strength, epsilon=epsilon, gamma=2.0, threads=1
    )
    slow = PairwisePenalty(case.support, gain.astype(np.float64), strength, epsilon, 2.0, SPACING_MM)
    return divided, penalty, slow


def _objective(case: DenseCase, penalty: PairwisePenalty, image: NDArray[np.floating]) -> float:
    flat = image.ravel().astype(np.float64)
    mean = case.model.flat @ flat + case.scatter.ravel()
    return float(np.sum(case.counts.ravel() * np.log(mean) - mean) - penalty(flat)[0])


@pytest.mark.parametrize(("mean_counts", "strength"), [(15.0, 0.003), (3.0, 0.01)])
def test_fifteen_passes_reach_the_optimum(mean_counts: float, strength: float) -> None:
    case = dense_case(views=60, mean_counts=mean_counts)
    divided, penalty, slow = _prepared(case, strength, 10)
    best, residual = optimum(case, slow, osem(divided, case.counts, case.scatter, iterations=2))
    assert residual < 1e-2, "the reference has converged: its gradient is a hundredth of a count at most"
    image = maximum_a_posteriori(divided, penalty, case.counts, case.scatter, passes=15)
    top = _objective(case, slow, best)
    reached = _objective(case, slow, image)
    # From the start of one pass of OSEM, which has come most of the way from a uniform image.
    start = _objective(case, slow, osem(divided, case.counts, case.scatter, iterations=1))
    assert (reached - start) / (top - start) >= 0.999
    for name, region in case.regions.items():
        assert image[region].mean() == pytest.approx(best[region].mean(), rel=0.01), name
    assert np.linalg.norm(image - best) < 0.03 * np.linalg.norm(best)


def test_the_record_climbs_and_tells_what_was_reached() -> None:
    case = dense_case()
    divided, penalty, slow = _prepared(case, 0.003, 8)
    told: list[Pass] = []
    image = maximum_a_posteriori(divided, penalty, case.counts, case.scatter, passes=15, record=told.append)
    silent = maximum_a_posteriori(divided, penalty, case.counts, case.scatter, passes=15)
    np.testing.assert_array_equal(image, silent)
    assert [one.passes for one in told] == sorted({one.passes for one in told})
    assert told[0].passes == 1
    assert told[-1].passes < 15
    assert told[-1].objective == pytest.approx(_objective(case, slow, image), rel=1e-6)
    likelihood = poisson_log_likelihood(case.counts, case.model.forward(image) + case.scatter)
    assert told[-1].log_likelihood == pytest.approx(likelihood, rel=1e-6)
    assert told[-1].penalty == pytest.approx(penalty.value(image))
    gains = np.diff([one.objective for one in told])
    assert gains[:2].min() > 0
    assert gains.min() > -1e-3 * gains.max()


def test_stronger_penalties_make_smoother_images() -> None:
    case = dense_case()
    roughness = []
    for strength in (0.001, 0.01, 0.1):
        divided, penalty, slow = _prepared(case, strength, 8)
        image = maximum_a_posteriori(divided, penalty, case.counts, case.scatter, passes=15)
        cost, gradient = slow(image.ravel().astype(np.float64))
        roughness.append(cost / strength)
        # At the optimum no scaling of the image helps: what the likelihood would gain by it, the penalty would lose.
        primary = case.model.forward(image).astype(np.float64)
        gain = float(np.sum(primary * (case.counts / (primary + case.scatter) - 1)))
        assert gain == pytest.approx(float(np.vdot(image, gradient)), rel=0.02, abs=1e-4 * float(case.counts.sum()))
    assert roughness[0] > 1.3 * roughness[1] > 1.3 * 1.3 * roughness[2]


def test_the_result_does_not_depend_on_the_unit() -> None:
    case = dense_case()
    divided, penalty, _ = _prepared(case, 0.003, 8)
    image = maximum_a_posteriori(divided, penalty, case.counts, case.scatter, passes=8)
    per_litre = replace(case, model=DenseViews(case.model.matrix / 1000, 18, (case.support.places, 5)))
    divided, penalty, _ = _prepared(per_litre, 0.003, 8)
    other = maximum_a_posteriori(divided, penalty, case.counts, case.scatter, passes=8)
    np.testing.assert_allclose(other / 1000, image, rtol=1e-3, atol=1e-4 * image.max())


def test_it_stops_early_where_the_image_stands_still() -> None:
    case = dense_case()
    divided, penalty, _ = _prepared(case, 0.01, 8)
    told: list[Pass] = []
    early = maximum_a_posteriori(
        divided, penalty, case.counts, case.scatter, passes=40, stop_below=5e-3, record=told.append
    )
    assert told[-1].passes < 20
    late = maximum_a_posteriori(divided, penalty, case.counts, case.scatter, passes=40)
    assert np.linalg.norm(early - late) < 0.02 * np.linalg.norm(late)


def test_it_is_nowhere_worse_than_its_start() -> None:
    """Two views a subset and no scatter: the subsets differ as much as they can."""
    case = dense_case(views=24, mean_counts=1.0)
    case = replace(case, scatter=np.zeros_like(case.scatter))
    divided, penalty, _ = _prepared(case, 0.01, 12)
    told: list[Pass] = []
    image = maximum_a_posteriori(divided, penalty, case.counts, passes=12, record=told.append)
    assert told[-1].objective > told[0].objective
    assert np.all(np.isfinite(image))
    assert image.min() >= 0


@pytest.mark.parametrize("passes", [5, 6, 7, 8, 11, 15])
def test_no_more_passes_are_made_than_were_given(passes: int) -> None:
    case = dense_case(views=20, columns=12, slices=2)
    divided, penalty, _ = _prepared(case, 0.003, 4)
    done = {"forward": 0, "adjoint": 0}
    for operator in divided.operators:
        for name in done:
            _count(operator, name, done)
    maximum_a_posteriori(divided, penalty, case.counts, case.scatter, passes=passes)
    # The uniform start of OSEM is projected too, which is no pass of an update.
    assert done["adjoint"] / 4 <= passes
    assert (done["forward"] / 4 - 1 + done["adjoint"] / 4) / 2 <= passes
    assert done["adjoint"] / 4 >= passes - 1


def _count(operator: object, name: str, done: dict[str, int]) -> None:
    made = getattr(operator, f"_{name}")

    def counted(x: Array) -> Array:
        done[name] += 1
        result: Array = made(x)
        return result

    setattr(operator, f"_{name}", counted)


def test_zero_counts_give_zero() -> None:
    case = dense_case(views=12, columns=12, slices=2)
    divided, penalty, _ = _prepared(case, 0.003, 3)
    image = maximum_a_posteriori(divided, penalty, np.zeros_like(case.counts), case.scatter)
    np.testing.assert_array_equal(image, 0.0)


@pytest.mark.parametrize("counts", ["hot", "single"])
def test_extreme_counts_stay_finite_and_are_not_negative(counts: str) -> None:
    case = dense_case(views=12, columns=12, slices=2, mean_counts=2.0)
    measured = case.counts.copy() if counts == "hot" else np.zeros_like(case.counts)
    measured[5, 6, 1] = 1e9 if counts == "hot" else 1.0
    for scatter in (None, case.scatter):
        divided, penalty, _ = _prepared(case, 0.003, 3)
        image = maximum_a_posteriori(divided, penalty, measured, scatter, passes=8)
        assert np.all(np.isfinite(image))
        assert image.min() >= 0
        assert scatter is not None or image.max() > 0, "scatter may explain them all"


def test_one_view_gives_an_image() -> None:
    case = dense_case(views=1, columns=12, slices=3)
    divided, penalty, _ = _prepared(case, 0.003, 1)
    image = maximum_a_posteriori(divided, penalty, case.counts, case.scatter, passes=8)
    assert np.all(np.isfinite(image))
    assert image.min() >= 0


def test_uneven_subsets_reach_the_same_image() -> None:
    case = dense_case(views=40)
    images = []
    for subsets in (8, 7):
        divided, penalty, _ = _prepared(case, 0.005, subsets)
        images.append(maximum_a_posteriori(divided, penalty, case.counts, case.scatter, passes=20))
    assert np.linalg.norm(images[0] - images[1]) < 0.01 * np.linalg.norm(images[0])


def test_inputs_are_left_alone() -> None:
    case = dense_case(views=12, columns=12, slices=2)
    divided, penalty, _ = _prepared(case, 0.003, 3)
    counts, scatter = case.counts.copy(), case.scatter.copy()
    maximum_a_posteriori(divided, penalty, counts, scatter, passes=5)
    np.testing.assert_array_equal(counts, case.counts)
    np.testing.assert_array_equal(scatter, case.scatter)


def test_too_few_passes_are_refused() -> None:
    case = dense_case(views=12, columns=12, slices=2)
    divided, penalty, _ = _prepared(case, 0.003, 3)
    with pytest.raises(InputError, match="at least 5 passes; found 4"):
        maximum_a_posteriori(divided, penalty, case.counts, passes=4)
