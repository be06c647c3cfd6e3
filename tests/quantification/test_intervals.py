"""Intervals against analytic values, and their coverage in simulated experiments."""

from __future__ import annotations

import math

import numpy as np
import pytest

from leukospect.quantification.intervals import (
    counts_interval,
    counts_of,
    counts_ratio,
    draws,
    quotient,
    resampled_interval,
    scaled,
    unknown,
)
from leukospect.quantification.measurements import Interval

EXPERIMENTS = 400


def test_poisson_limits_are_the_published_ones() -> None:
    # Garwood's table for 0, 1 and 10 counts.
    assert (counts_interval(0).low, counts_interval(0).high) == pytest.approx((0.0, 3.6889), abs=1e-4)
    assert (counts_interval(1).low, counts_interval(1).high) == pytest.approx((0.0253, 5.5716), abs=1e-4)
    assert (counts_interval(10).low, counts_interval(10).high) == pytest.approx((4.7954, 18.3904), abs=1e-4)


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


def test_a_ratio_of_few_counts_is_the_exact_binomial_one() -> None:
    # Clopper-Pearson for 8 of 10: 0.4439 to 0.9748.
    ratio = counts_ratio(counts_interval(8), scaled(counts_interval(2), 0.5))
    assert ratio.value == pytest.approx(8.0)
    assert (ratio.low, ratio.high) == pytest.approx((2 * 0.4439 / 0.5561, 2 * 0.9748 / 0.0252), rel=2e-3)


def test_a_ratio_without_counts_is_not_made_up() -> None:
    assert counts_ratio(counts_interval(5), counts_interval(0)).high == math.inf
    assert counts_ratio(counts_interval(0), counts_interval(5)).low == 0.0
    assert math.isnan(counts_ratio(counts_interval(0), counts_interval(0)).value)


@pytest.mark.parametrize(("means", "least", "most"), [((2000.0, 900.0), 0.92, 0.98), ((12.0, 7.0), 0.945, 1.0)])
def test_counting_intervals_cover_the_true_ratio(means: tuple[float, float], least: float, most: float) -> None:
    pairs = np.random.default_rng(11).poisson(means, size=(EXPERIMENTS, 2))
    true = means[0] / means[1]
    ratios = [counts_ratio(counts_interval(n), counts_interval(m)) for n, m in pairs]
    assert least <= np.mean([r.low <= true <= r.high for r in ratios]) <= most


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
    assert math.isnan(quotient(Interval(0.0, 0.0, 1.0, 0.5), Interval(2.0, 1.0, 3.0, 0.5)).value)
    assert draws(unknown(3.0), 10, seed=1).size == 0
