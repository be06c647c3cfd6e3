"""Jumps in a sequence: found with their size where they are, and never in noise, slopes or bends."""

from __future__ import annotations

import numpy as np
import pytest

from leukospect.consistency.jumps import find_jumps, reach_views

VIEWS, REACH = 40, 5
t = np.arange(VIEWS)
ONES = np.ones(VIEWS)


def smooth() -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return np.asarray(2.0 * np.sin(t / 9.0) + 0.03 * t)


@pytest.mark.parametrize("size", [-3.0, 1.0, 2.0])
def test_a_step_is_found_at_its_view_with_its_size(size: float) -> None:
    x = smooth() + size * (t >= 17) + np.random.default_rng(1).normal(0, 0.05, VIEWS)
    (jump,) = find_jumps([x], [0.05 * ONES], 0.5, REACH)
    assert (jump.first, jump.end) == (17, VIEWS)
    assert jump.size == pytest.approx(size, abs=4 * jump.sigma + 0.05)
    assert 0.03 < jump.sigma < 0.1


@pytest.mark.parametrize("length", [1, 2, 3, 5])
def test_an_excursion_is_found_from_its_first_to_its_last_view(length: int) -> None:
    x = smooth() + 1.5 * ((t >= 20) & (t < 20 + length)) + np.random.default_rng(2).normal(0, 0.05, VIEWS)
    (jump,) = find_jumps([x], [0.05 * ONES], 0.5, REACH)
    assert (jump.first, jump.end) == (20, 20 + length)
    assert jump.size == pytest.approx(1.5, abs=0.25)


def test_two_steps_far_apart_are_both_found() -> None:
    x = smooth() + 1.0 * (t >= 12) - 2.0 * (t >= 28) + np.random.default_rng(3).normal(0, 0.05, VIEWS)
    found = find_jumps([x], [0.05 * ONES], 0.5, REACH)
    assert [(jump.first, jump.end) for jump in found] == [(12, VIEWS), (28, VIEWS)]
    assert [jump.size for jump in found] == pytest.approx([1.0, -2.0], abs=0.25)


def test_noise_alone_makes_no_jump() -> None:
    rng = np.random.default_rng(4)
    assert sum(len(find_jumps([rng.normal(0, 1.0, VIEWS)], [ONES], 0.5, REACH)) for _ in range(120)) == 0


def test_a_bend_and_a_steep_slope_are_no_jumps() -> None:
    bend = 0.4 * np.maximum(t - 20.0, 0.0)
    slope = 4.0 * np.tanh((t - 20.0) / 2.0)
    for x in (bend, slope):
        assert find_jumps([x], [0.01 * ONES], 0.5, REACH) == []


def test_a_jump_smaller_than_what_matters_is_not_told() -> None:
    x = 0.2 * smooth() + 0.4 * (t >= 17)
    assert find_jumps([x], [0.01 * ONES], 0.5, REACH) == []
    assert len(find_jumps([x], [0.01 * ONES], 0.3, REACH)) == 1


def test_two_sequences_find_together_what_neither_finds_alone() -> None:
    rng = np.random.default_rng(7)
    both = [1.1 * (t >= 17) + rng.normal(0, 0.16, VIEWS) for _ in range(4)]
    assert [jump.first for jump in find_jumps(both, [0.16 * ONES] * 4, 0.5, REACH)] == [17]
    weak = [x - 0.5 * (t >= 17) for x in both]
    assert find_jumps(weak[:1], [0.16 * ONES], 0.3, REACH) == []
    assert [jump.first for jump in find_jumps(weak, [0.16 * ONES] * 4, 0.3, REACH)] == [17]


def test_views_that_tell_nothing_are_passed_over() -> None:
    x, sigma = smooth() + 1.0 * (t >= 17), 0.05 * ONES
    x[25], sigma[25] = 99.0, np.inf
    (jump,) = find_jumps([x], [sigma], 0.5, REACH)
    assert jump.first == 17
    assert find_jumps([x], [np.full(VIEWS, np.inf)], 0.5, REACH) == []


def test_coarse_steps_are_followed_over_fewer_views() -> None:
    assert [reach_views(step) for step in (3.0, -6.0, 10.0, 20.0)] == [5, 5, 3, 3]
