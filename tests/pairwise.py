"""A small selection of cases in which every pair of levels of any two factors occurs."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

Case = dict[str, str]
Factors = Mapping[str, Sequence[str]]
Pair = tuple[tuple[str, str], tuple[str, str]]


def product(factors: Factors, allowed: Callable[[Case], bool] = lambda case: True) -> list[Case]:
    """Give every combination of levels that is allowed."""
    cases = (dict(zip(factors, levels, strict=True)) for levels in itertools.product(*factors.values()))
    return [case for case in cases if allowed(case)]


def pairs_of(case: Case) -> set[Pair]:
    """Give the pairs of levels that a case holds."""
    return set(itertools.combinations(case.items(), 2))


def pairwise(factors: Factors, allowed: Callable[[Case], bool] = lambda case: True) -> list[Case]:
    """Choose cases, always the same ones, so that every pair that can occur does.

    Greedy: each case starts from a pair that is still missing and takes, factor by factor, the level that adds most
    missing pairs, of equal ones the least used, with a step back where nothing is allowed. `allowed` is also asked of
    cases that lack factors yet, and must refuse only what no further level can mend.
    """
    missing: dict[Pair, None] = {}
    for (one, levels), (other, more) in itertools.combinations(factors.items(), 2):
        missing.update(dict.fromkeys(((one, a), (other, b)) for a in levels for b in more))
    chosen: list[Case] = []
    used: Counter[tuple[str, str]] = Counter()
    while missing:
        seed = next(iter(missing))
        case = _completed(dict(seed), factors, missing, used, allowed)
        if case is None:
            del missing[seed]  # a pair that no allowed case holds
            continue
        for pair in pairs_of(case):
            missing.pop(pair, None)
        used.update(case.items())
        chosen.append(case)
    return chosen


def _completed(
    begun: Case,
    factors: Factors,
    missing: Mapping[Pair, None],
    used: Counter[tuple[str, str]],
    allowed: Callable[[Case], bool],
) -> Case | None:
    if not allowed(begun):
        return None
    name = next((factor for factor in factors if factor not in begun), None)
    if name is None:
        return {factor: begun[factor] for factor in factors}

    def gain(level: str) -> tuple[int, int]:
        extended = {factor: {**begun, name: level}[factor] for factor in factors if factor in begun or factor == name}
        return sum(pair in missing for pair in pairs_of(extended)), -used[name, level]

    for level in sorted(factors[name], key=gain, reverse=True):
        case = _completed({**begun, name: level}, factors, missing, used, allowed)
        if case is not None:
            return case
    return None
