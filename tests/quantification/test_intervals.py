"""Intervals against analytic values, and their coverage in simulated experiments."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from leukospect.quantification.intervals import (
    counts_interval,
    counts_of,
    counts_ratio,
    difference,
    draws,
    geometric_mean,
    quotient,
    resampled_interval,
    scaled,
    unknown,
    widened,
)
from leukospect.quantification.measurements import Interval

EXPERIMENTS = 400


def test_poisson_limits_leave_half_of_what_was_seen_to_either_side() -> None:
    # By definition P(fewer) + P(as many) / 2 is 2.5 % at one limit and 97.5 % at the other.
    assert (counts_interval(0).low, counts_interval(0).high) == pytest.approx((0.0, -math.log(0.05)))
    for counts in (1, 10, 250):
        for limit, tail in ((counts_interval(counts).low, 0.975), (counts_interval(counts).high, 0.025)):
            below = stats.poisson.cdf(counts - 1, limit) + stats.poisson.pmf(counts, limit) / 2
            assert below == pytest.approx(tail, abs=1e-9)


@pytest.mark.parametrize(("least", "most"), [(3.0, 8.0), (8.0, 30.0), (90.0, 120.0)])
def test_limits_of_a_mean_cover_it(least: float, most: float) -> None:
    # Over neighbouring means, since counts are whole numbers and the coverage jumps from mean to mean.
    counts = np.arange(int(most + 8 * math.sqrt(most) + 8))
    limits = [counts_interval(float(each)) for each in counts]
    low, high = (np.array([getattr(one, name) for one in limits]) for name in ("low", "high"))
    means = np.linspace(least, most, 200)[:, None]
    held = np.sum(stats.poisson.pmf(counts, means) * (low <= means) * (means <= high), axis=1)
    assert 0.945 <= held.mean() <= 0.96
    assert held.min() > 0.91


@pytest.mark.parametrize("counts", [0.0, 1.0, 57.0, 12345.0])
def test_a_rate_tells_the_counts_behind_it(counts: float) -> None:
    assert counts_of(scaled(counts_interval(counts), 0.037)) == pytest.approx((counts, 0.037))


def test_a_ratio_of_many_counts_is_log_normal() -> None:
    ratio = counts_ratio(scaled(counts_interval(900), 0.5), scaled(counts_interval(400), 0.25))
    spread = math.sqrt(1 / 900 + 1 / 400)
    assert ratio.value == pytest.approx(4.5)
    assert (ratio.low, ratio.high) == pytest.approx(
        (4.5 * math.exp(-1.96 * spread), 4.5 * math.exp(1.96 * spread)), 1e-4
    )
    assert ratio.standard_deviation == pytest.approx(4.5 * spread)


def test_a_ratio_of_few_counts_is_the_binomial_one_of_their_sum() -> None:
    ratio = counts_ratio(counts_interval(8), scaled(counts_interval(2), 0.5))
    assert ratio.value == pytest.approx(8.0)
    for limit, tail in ((ratio.low, 0.025), (ratio.high, 0.975)):
        part = limit / 2 / (1 + limit / 2)
        at_least = stats.binom.sf(8, 10, part) + stats.binom.pmf(8, 10, part) / 2
        assert at_least == pytest.approx(tail, abs=1e-9)
    # Narrower than Clopper and Pearson's 0.4439 to 0.9748.
    assert ratio.low > 2 * 0.4439 / 0.5561
    assert ratio.high < 2 * 0.9748 / 0.0252


def test_a_ratio_without_counts_is_not_made_up() -> None:
    assert counts_ratio(counts_interval(5), counts_interval(0)).high == math.inf
    assert counts_ratio(counts_interval(0), counts_interval(5)).low == 0.0
    assert math.isnan(counts_ratio(counts_interval(0), counts_interval(0)).value)


@pytest.mark.parametrize("means", [(4.0, 4.0), (5.0, 15.0), (20.0, 6.0), (90.0, 110.0)])
def test_counting_intervals_cover_the_true_ratio(means: tuple[float, float]) -> None:
    # Over every pair of counts that can be seen, so that no chance is left in the coverage.
    true, held, total = means[0] / means[1], 0.0, 0.0
    seen = [np.arange(max(0, int(m - 3.5 * math.sqrt(m))), int(m + 3.5 * math.sqrt(m) + 5)) for m in means]
    step = 1 if max(means) < 50 else 6
    for n in seen[0][::step]:
        for m in seen[1][::step]:
            if n + m > 0:
                ratio = counts_ratio(counts_interval(n), counts_interval(m))
                weight = stats.poisson.pmf(n, means[0]) * stats.poisson.pmf(m, means[1])
                total += weight
                held += weight * (ratio.low <= true <= ratio.high)
    assert 0.94 <= held / total <= 0.966


def test_resampled_intervals_cover_with_few_replicates() -> None:
    generator = np.random.default_rng(12)
    measured = np.exp(generator.normal(np.log(3.0), 0.08, size=EXPERIMENTS))
    replicates = measured[:, None] * np.exp(generator.normal(0.0, 0.08, size=(EXPERIMENTS, 6)))
    intervals = [resampled_interval(float(v), r) for v, r in zip(measured, replicates, strict=True)]
    assert 0.92 <= np.mean([i.low <= 3.0 <= i.high for i in intervals]) <= 0.98


def test_a_quotient_of_counting_ratios_covers_the_true_change() -> None:
    counts = np.random.default_rng(13).poisson((800.0, 500.0, 400.0, 500.0), size=(EXPERIMENTS, 4))
    intervals = [
        quotient(
            counts_ratio(counts_interval(a), counts_interval(b)), counts_ratio(counts_interval(c), counts_interval(d))
        )
        for a, b, c, d in counts
    ]
    assert 0.92 <= np.mean([i.low <= 2.0 <= i.high for i in intervals]) <= 0.98


@pytest.mark.parametrize("means", [(4.0, 5.0, 6.0, 5.0), (10.0, 30.0, 20.0, 30.0)])
def test_a_quotient_of_few_counts_covers_the_true_change_even_where_none_were_seen(means: tuple[float, ...]) -> None:
    counts = np.random.default_rng(14).poisson(means, size=(EXPERIMENTS, 4))
    first, second = (
        [counts_ratio(counts_interval(n), counts_interval(m)) for n, m in counts[:, at : at + 2]] for at in (0, 2)
    )
    true = means[2] / means[3] / (means[0] / means[1])
    intervals = [quotient(later, earlier) for later, earlier in zip(second, first, strict=True)]
    assert 0.925 <= np.mean([i.low <= true <= i.high for i in intervals]) <= 0.985


def test_the_geometric_mean_halves_the_spread_of_logarithms() -> None:
    result = geometric_mean(counts_interval(400), counts_interval(900))
    assert result.value == pytest.approx(600.0)
    assert result.standard_deviation == pytest.approx(300.0 * math.hypot(1 / 20, 1 / 30))
    reach = 1.959964 * math.hypot(1 / 20, 1 / 30) / 2
    assert (math.log(600 / result.low), math.log(result.high / 600)) == pytest.approx((reach, reach), rel=0.03)
    none = geometric_mean(counts_interval(0), counts_interval(9))
    assert (none.value, none.low) == (0.0, 0.0)
    assert 0 < none.high < math.sqrt(3 * 16)


def test_a_difference_of_counts_covers_the_true_one() -> None:
    pairs = np.random.default_rng(15).poisson((40.0, 12.0), size=(2 * EXPERIMENTS, 2))
    intervals = [difference(counts_interval(n), scaled(counts_interval(m), 2.0)) for n, m in pairs]
    assert 0.925 <= np.mean([i.low <= 16.0 <= i.high for i in intervals]) <= 0.975
    assert intervals[0].standard_deviation == pytest.approx(math.sqrt(pairs[0][0] + 4 * pairs[0][1]))


def test_an_error_of_alignment_widens_by_its_variance() -> None:
    reach = math.exp(1.959964 * 0.03)
    found = widened(Interval(2.0, 2.0 / reach, 2.0 * reach, 0.06), 0.04)
    assert (found.value, found.standard_deviation) == pytest.approx((2.0, 0.1))
    assert math.log(found.high / 2.0) == pytest.approx(1.959964 * 0.05)
    assert widened(found, math.nan) == found


def test_a_quotient_of_log_normals_adds_their_variances() -> None:
    def log_normal(value: float, spread: float) -> Interval:
        reach = math.exp(1.959964 * spread)
        return Interval(value, value / reach, value * reach, value * spread)

    result = quotient(log_normal(6.0, 0.03), log_normal(4.0, 0.04))
    assert result.value == pytest.approx(1.5)
    assert result.standard_deviation == pytest.approx(1.5 * 0.05)
    assert result.high == pytest.approx(1.5 * math.exp(1.959964 * 0.05), rel=1e-6)
    drawn = draws(result, 20_000, seed=1)
    assert np.quantile(drawn, (0.025, 0.5, 0.975)) == pytest.approx((result.low, 1.5, result.high), rel=0.01)
    assert np.array_equal(drawn, draws(result, 20_000, seed=1))


def test_what_is_not_known_stays_so() -> None:
    assert math.isnan(resampled_interval(2.0, [2.1]).low)
    assert math.isnan(resampled_interval(2.0, [2.1, 0.0, 1.9]).high)
    half = quotient(unknown(3.0), Interval(2.0, 1.0, 3.0, 0.5))
    assert half.value == 1.5
    assert math.isnan(half.low)
    none = Interval(0.0, 0.0, 1.0, 0.5)
    assert math.isnan(quotient(none, none).value)
    assert math.isnan(quotient(Interval(-1.0, -2.0, 1.0, 0.5), Interval(2.0, 1.0, 3.0, 0.5)).value)
    assert draws(unknown(3.0), 10, seed=1).size == 0
