"""Threads that share work: everything is done once, errors come out, partial images never hold what is left over."""

from __future__ import annotations

import numpy as np
import pytest

from leukospect.errors import InputError
from leukospect.workers import Workers


@pytest.mark.parametrize("threads", [1, 2, 3, 8])
@pytest.mark.parametrize("items", [1, 2, 7])
def test_every_item_is_done_once(threads: int, items: int) -> None:
    done: list[int] = []
    Workers(threads, (2, 3)).share(done.extend, items)
    assert sorted(done) == list(range(items))


@pytest.mark.parametrize("threads", [1, 2, 4])
def test_an_error_in_any_share_is_raised(threads: int) -> None:
    def fails_at_3(numbers: range) -> None:
        if 3 in numbers:
            raise ValueError("three")

    with pytest.raises(ValueError, match="three"):
        Workers(threads, (2, 3)).share(fails_at_3, 5)


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_parts_are_added_up_and_emptied(threads: int) -> None:
    workers = Workers(threads, (3, 4))
    with workers.parts(3) as parts:
        assert not parts.any()
        for number in range(3):
            parts[number] = number + 1
        np.testing.assert_array_equal(workers.sum_of(parts), np.full((3, 4), 6.0))
    with workers.parts(3) as parts:
        assert not parts.any()


def test_parts_left_half_filled_are_not_lent_again() -> None:
    workers = Workers(2, (3, 4))

    def interrupted() -> None:
        with workers.parts(2) as parts:
            parts[:] = 3.0
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    with workers.parts(2) as parts:
        assert not parts.any()


def test_no_thread_is_refused() -> None:
    with pytest.raises(InputError, match="found 0"):
        Workers(0, (2, 3))
