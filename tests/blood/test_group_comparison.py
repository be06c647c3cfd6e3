"""Statistics of two groups against textbooks, brute force and simulation."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from numpy.typing import ArrayLike

from leukospect.blood.categories import compare_category, fisher_p
from leukospect.blood.effect_sizes import hedges_g, odds_ratio
from leukospect.blood.group_comparison import Comparison, compare, describe, holm
from leukospect.blood.other_columns import Category, Marker
from leukospect.blood.roc import roc_of, score_interval, wilson
from leukospect.interpretation.flag import FlagValue

# The sleep of Student's ten patients (1908), as in R's data set `sleep`.
SLEEP = ([0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0], [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4])


def scans(positive: int, negative: int) -> list[FlagValue]:
    flags: tuple[FlagValue, FlagValue] = ("positive", "negative")
    return [flags[0]] * positive + [flags[1]] * negative


def compared(positive: ArrayLike, negative: ArrayLike) -> Comparison:
    one, two = np.asarray(positive, np.float64), np.asarray(negative, np.float64)
    return compare(Marker("marker", "", np.concatenate([one, two])), scans(len(one), len(two)))


def test_t_tests_are_those_of_students_sleep() -> None:
    """R: t.test(extra ~ group, sleep) gives t = -1.8608, df = 17.776, p = 0.07939; with equal variances 0.07919."""
    found = compared(*SLEEP)
    assert found.tests.welch_t == pytest.approx(-1.8608, abs=5e-5)
    assert found.tests.welch_freedom == pytest.approx(17.776, abs=5e-4)
    assert found.tests.welch_p == pytest.approx(0.07939, abs=5e-6)
    assert found.tests.student_p == pytest.approx(0.07919, abs=5e-6)
    assert found.chosen == "Student's t"
    assert found.mean_difference == pytest.approx(-1.58)


def test_the_test_follows_normality_and_variances() -> None:
    quantiles = np.array([-1.9, -1.2, -0.8, -0.4, -0.1, 0.1, 0.4, 0.8, 1.2, 1.9])
    assert compared(quantiles, quantiles + 1).chosen == "Student's t"
    wide = compared(8 * quantiles, quantiles + 1)
    assert wide.chosen == "Welch's t"
    assert wide.p == wide.tests.welch_p != wide.tests.student_p
    skew = compared(np.exp(2 * quantiles), quantiles)
    assert skew.chosen == "Mann-Whitney U"
    assert skew.p == skew.tests.mann_whitney_p
    assert "rejected in the positive group" in skew.reason


def test_mann_whitney_is_exact_in_small_groups() -> None:
    """Wholly apart, 3 of 6 can be chosen in 20 ways, 4 of 8 in 70; twice one of them is p, ties or none."""
    assert compared([4, 5, 6], [1, 2, 3]).tests.mann_whitney_p == pytest.approx(2 / 20)
    assert compared([2, 2, 2, 2], [1, 1, 1, 1]).p == pytest.approx(2 / 70)


@pytest.mark.parametrize(
    ("positive", "negative"), [([], [1, 2, 3]), ([1, 2], [3, 4, 5]), ([2, 2, 2], [2, 2, 2]), ([1], [2])]
)
def test_too_few_or_equal_values_are_said_and_not_tested(positive: list[float], negative: list[float]) -> None:
    found = compared(positive, negative)
    assert not found.chosen
    assert found.reason.startswith("not tested")
    assert math.isnan(found.p)


def test_missing_and_equivocal_values_are_counted_apart() -> None:
    flags: list[FlagValue] = ["positive", "positive", "equivocal", "negative"]
    found = compare(Marker("x", "", np.array([1.0, np.nan, 5.0, 2.0])), flags)
    assert (found.descriptions["positive"].n, found.descriptions["positive"].missing) == (1, 1)
    assert found.descriptions["equivocal"].mean == 5.0
    assert "not assessable" not in found.descriptions


def test_a_group_is_described() -> None:
    found = describe(np.array([2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0]))
    assert (found.mean, found.median, found.minimum, found.maximum) == (5.0, 4.5, 2.0, 9.0)
    assert found.standard_deviation == pytest.approx(math.sqrt(32 / 7))
    assert describe(np.array([3.0])).n == 1


def test_hedges_g_and_the_interval_that_defines_it() -> None:
    """At each end of the interval, the observed t has 2.5 % beyond it: by simulation of the noncentral t."""
    found = compared(*SLEEP)
    g = found.hedges_g
    assert g is not None
    assert g.value == pytest.approx(found.tests.student_t * math.sqrt(0.2) * (1 - 3 / (4 * 18 - 1)), rel=1e-3)
    rng = np.random.default_rng(5)
    normal, chi = rng.normal(size=400_000), np.sqrt(rng.chisquare(18, 400_000) / 18)
    unbiased = g.value / (found.tests.student_t * math.sqrt(0.2))
    for end, beyond in ((g.low, 0.975), (g.high, 0.025)):
        t = (normal + end / unbiased / math.sqrt(0.2)) / chi
        assert np.mean(t < found.tests.student_t) == pytest.approx(beyond, abs=0.001)


def test_hedges_g_of_what_does_not_vary_is_none() -> None:
    assert hedges_g((1.0, 2.0), (0.0, 0.0), (4, 4)) is None


def test_area_and_delongs_error_are_those_of_all_pairs() -> None:
    rng = np.random.default_rng(2)
    positive, negative = np.round(rng.normal(1, 1, 14), 1), np.round(rng.normal(0, 1, 17), 1)
    wins = (positive[:, None] > negative) + 0.5 * (positive[:, None] == negative)
    error = math.sqrt(wins.mean(axis=1).var(ddof=1) / 14 + wins.mean(axis=0).var(ddof=1) / 17)
    found = roc_of(positive, negative)
    assert found.area.value == pytest.approx(wins.mean())
    assert found.standard_error == pytest.approx(error)
    assert np.trapezoid(found.true_positive, found.false_positive) == pytest.approx(wins.mean())
    assert found.area.low < wins.mean() < found.area.high


@pytest.mark.parametrize(("m", "n"), [(6, 8), (16, 20)])
def test_intervals_of_the_area_cover_it(m: int, n: int) -> None:
    rng = np.random.default_rng(9)
    shift = 1.19  # two normal distributions with an area of 0.8
    areas = [roc_of(rng.normal(shift, 1, m), rng.normal(0, 1, n)).area for _ in range(1500)]
    covered = np.mean([area.low <= 0.8 <= area.high for area in areas])
    assert 0.93 <= covered <= 0.985


@pytest.mark.parametrize("area", [0.0, 1.0])
def test_groups_wholly_apart_leave_room_for_doubt(area: float) -> None:
    low, high = score_interval(area, 5, 6)
    assert 0.2 < high - low < 0.6
    assert area in (low, high)
    assert score_interval(1.0, 50, 60)[0] > score_interval(1.0, 5, 6)[0]


@pytest.mark.parametrize("sign", [1, -1])
def test_the_cut_off_has_the_largest_youden_index(sign: int) -> None:
    positive, negative = sign * np.array([3.0, 5, 6, 7]), sign * np.array([1.0, 2, 4, 2.5])
    cut_off = roc_of(positive, negative).cut_off
    assert cut_off is not None
    assert cut_off.positive_above is (sign > 0)
    assert cut_off.value == sign * 4.5
    assert (cut_off.sensitivity.value, cut_off.specificity.value, cut_off.youden) == (0.75, 1.0, 0.75)


def test_wilsons_interval() -> None:
    """Newcombe (1998), table I: 81 of 263 gives 0.2553 to 0.3662; none of 20 gives 0 to 0.1611."""
    assert (wilson(81, 263).low, wilson(81, 263).high) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert (wilson(0, 20).low, wilson(0, 20).high) == pytest.approx((0.0, 0.1611), abs=5e-5)


def test_holm_steps_down_and_leaves_what_was_not_tested() -> None:
    assert holm([0.01, math.nan, 0.04, 0.03, 0.005]) == pytest.approx([0.03, math.nan, 0.06, 0.06, 0.02], nan_ok=True)
    assert holm([0.6, 0.7]) == [1.0, 1.0]


def test_fishers_exact_test() -> None:
    """The lady tasting tea with three right of four: 34 of 70; a table of three levels by listing all of its kin."""
    assert fisher_p(np.array([[3, 1], [1, 3]])) == pytest.approx(34 / 70)
    assert fisher_p(np.array([[3, 1], [1, 3], [0, 0]])) == pytest.approx(34 / 70)
    counts = np.array([[5, 1], [2, 4], [0, 3]])
    sizes, wanted = counts.sum(axis=1), counts[:, 0].sum()
    ways = {
        first: math.prod(math.comb(int(size), one) for size, one in zip(sizes, first, strict=True))
        for first in itertools.product(*(range(size + 1) for size in sizes))
        if sum(first) == wanted
    }
    own = ways[tuple(counts[:, 0].tolist())]
    assert fisher_p(counts) == pytest.approx(sum(way for way in ways.values() if way <= own) / sum(ways.values()))


def test_counts_are_tested_by_their_expected_size() -> None:
    def tested(a: int, b: int, c: int, d: int) -> tuple[str, float]:
        sex = Category("sex", ("f",) * (a + b) + ("m",) * (c + d), ("f", "m"))
        found = compare_category(sex, scans(a, b) + scans(c, d))
        return found.chosen, found.p

    few, p = tested(3, 1, 1, 3)
    assert few == "Fisher's exact"
    assert p == pytest.approx(34 / 70)
    many, p = tested(30, 20, 20, 30)
    assert many == "chi-square"
    assert p == pytest.approx(math.erfc(math.sqrt(4 / 2)))  # four cells of 5^2 / 25, one degree of freedom
    assert not tested(3, 0, 2, 0)[0]


def test_odds_ratio_with_woolfs_interval() -> None:
    found = odds_ratio(((20, 80), (10, 90)))
    half = 1.959964 * math.sqrt(1 / 20 + 1 / 80 + 1 / 10 + 1 / 90)
    assert found.value == pytest.approx(2.25)
    assert (found.low, found.high) == pytest.approx((2.25 * math.exp(-half), 2.25 * math.exp(half)))
    assert odds_ratio(((5, 0), (2, 4))).high < math.inf
