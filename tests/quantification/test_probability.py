"""The probability of a change: Bayes with what changes are expected, in closed form and in simulated studies."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from leukospect.quantification.intervals import counts_interval, counts_ratio, quotient, unknown
from leukospect.quantification.measurements import Interval
from leukospect.quantification.probability import EXPECTED, likely_changes

PRIOR = stats.norm(math.log1p(EXPECTED.median), EXPECTED.log_deviation)


def log_normal(value: float, spread: float) -> Interval:
    reach = math.exp(1.959964 * spread)
    return Interval(value, value / reach, value * reach, value * spread)


@pytest.mark.parametrize("spread", [0.01, 0.1, 0.6])
def test_measurement_and_expectation_are_weighed_by_their_precision(spread: float) -> None:
    # Two normal distributions multiplied: means weighed by 1/variance, precisions added.
    precision = 1 / spread**2 + 1 / EXPECTED.log_deviation**2
    mean = (math.log(1.4) / spread**2 + math.log1p(EXPECTED.median) / EXPECTED.log_deviation**2) / precision
    changes = likely_changes(log_normal(1.4, spread), 20_001)
    assert np.log1p(np.median(changes)) == pytest.approx(mean, abs=2e-4)
    assert np.log1p(changes).std() == pytest.approx(precision**-0.5, rel=0.01)
    assert np.all(np.diff(changes) >= 0)


def test_without_any_knowledge_it_is_what_is_expected() -> None:
    changes = likely_changes(log_normal(3.0, 50.0), 20_001)
    assert np.mean(changes > 0.1) == pytest.approx(PRIOR.sf(math.log(1.1)), abs=2e-3)


def test_changes_of_the_published_cohort_are_within_what_is_expected() -> None:
    # Exceeding 10, 20 and 30 %: means of sensitivity and 1 - specificity.
    for threshold, part in ((0.1, (0.722 + 0.333) / 2), (0.2, (0.667 + 0.146) / 2), (0.3, (0.333 + 0.062) / 2)):
        assert PRIOR.sf(math.log1p(threshold)) == pytest.approx(part, abs=0.07)


def test_none_seen_at_one_time_speaks_for_one_direction_only() -> None:
    none, some = counts_interval(0), counts_interval(40)
    grown = quotient(counts_ratio(some, some), counts_ratio(none, some))
    fallen = quotient(counts_ratio(none, some), counts_ratio(some, some))
    assert grown.value == math.inf
    assert grown.low > 5
    assert fallen.value == 0.0
    assert fallen.high < 0.2
    assert np.mean(likely_changes(grown, 1001) > 0.1) > 0.99
    assert np.mean(likely_changes(fallen, 1001) > 0.1) < 0.01


def test_what_is_not_known_has_no_probability() -> None:
    assert likely_changes(unknown(1.5), 100).size == 0


def test_a_measurement_by_itself_would_be_sure_and_wrong_with_few_counts() -> None:
    # True changes evenly from -30 to +60 %, ten counts in each region.
    rng = np.random.default_rng(5)
    true = rng.uniform(-0.3, 0.6, 1500)
    counts = rng.poisson(np.stack([np.full(1500, 10.0)] * 2 + [10.0 * (1 + true), np.full(1500, 10.0)], axis=1))
    predicted, alone = [], []
    for a, b, c, d in counts:
        grown = quotient(
            counts_ratio(counts_interval(c), counts_interval(d)), counts_ratio(counts_interval(a), counts_interval(b))
        )
        predicted.append(float(np.mean(likely_changes(grown, 500) > 0.1)))
        spread = (math.log(grown.high) - math.log(max(grown.low, 1e-9))) / 3.92 if 0 < grown.value < math.inf else 1.0
        alone.append(float(stats.norm.sf((math.log(1.1) - math.log(max(grown.value, 0.05))) / spread)))
    above = true > 0.1
    for low, high in ((0.25, 0.45), (0.45, 0.55), (0.55, 0.85)):
        within = (np.array(predicted) > low) & (np.array(predicted) <= high)
        assert np.mean(above[within]) == pytest.approx(np.mean(np.array(predicted)[within]), abs=0.09)
    sure = np.array(alone) > 0.9
    assert np.mean(above[sure]) < 0.88
