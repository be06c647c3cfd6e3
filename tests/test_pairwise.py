"""The selection of cases covers every pair that can occur, and is always the same."""

from __future__ import annotations

import itertools

from tests.pairwise import Case, pairs_of, pairwise, product

FACTORS = {"a": ("1", "2", "3"), "b": ("1", "2"), "c": ("1", "2", "3", "4"), "d": ("1", "2"), "e": ("1", "2", "3")}


def _allowed(case: Case) -> bool:
    return {"a": "3", "d": "2"}.items() - case.items() != set() and {"b": "2", "e": "1"}.items() - case.items() != set()


def test_every_pair_occurs() -> None:
    chosen = pairwise(FACTORS)
    covered = set().union(*(pairs_of(case) for case in chosen))
    for (one, levels), (other, more) in itertools.combinations(FACTORS.items(), 2):
        assert {((one, a), (other, b)) for a in levels for b in more} <= covered
    assert 12 <= len(chosen) <= 18 < len(product(FACTORS))  # 3 levels x 4 levels is the least there can be


def test_pairs_that_cannot_occur_are_left_out_and_all_others_occur() -> None:
    chosen = pairwise(FACTORS, _allowed)
    possible = set().union(*(pairs_of(case) for case in product(FACTORS, _allowed)))
    assert all(_allowed(case) for case in chosen)
    assert set().union(*(pairs_of(case) for case in chosen)) == possible
    assert (("a", "3"), ("d", "2")) not in possible


def test_the_selection_is_always_the_same() -> None:
    assert pairwise(FACTORS, _allowed) == pairwise(FACTORS, _allowed)
