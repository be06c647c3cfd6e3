"""Threads that share the views of a projector, and the partial images they fill; results do not depend on how many."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from leukospect.errors import InputError
from leukospect.kernels.add_up import take_sum

Array = NDArray[np.float32]


class Workers:
    """A pool of threads, and partial images kept from call to call, since new memory costs as much as the sums.

    Parameters
    ----------
    threads : int
    shape : tuple (places, slices) of an image
    """

    def __init__(self, threads: int, shape: tuple[int, int]) -> None:
        if threads < 1:
            raise InputError(f"At least one thread is needed; found {threads}.")
        self.threads = threads
        self._shape = shape
        self._parts = np.zeros((0, *shape), np.float32)
        self._parts_taken = Lock()
        self._pool = ThreadPoolExecutor(threads - 1) if threads > 1 else None

    def share(self, task: Callable[[range], None], items: int) -> None:
        """Give every thread its share of `items` things to do, one in so many; an error of any of them is raised."""
        shares = [range(first, items, self.threads) for first in range(min(self.threads, items))]
        if self._pool is None:
            task(range(items))
            return
        others = [self._pool.submit(task, share) for share in shares[1:]]
        # The calling thread works too, which saves it waiting for one more to wake.
        try:
            for share in shares[:1]:
                task(share)
        finally:
            for other in others:
                other.result()

    @contextmanager
    def parts(self, number: int) -> Iterator[Array]:
        """Lend empty partial images (number, places, slices), to one caller at a time; `sum_of` empties them again."""
        with self._parts_taken:
            if len(self._parts) < number:
                self._parts = np.zeros((number, *self._shape), np.float32)
            try:
                yield self._parts[:number]
            except BaseException:
                self._parts = np.zeros((0, *self._shape), np.float32)  # half filled: never lent again
                raise

    def sum_of(self, parts: Array) -> Array:
        """Add up partial images in their order, and empty them."""
        total = np.empty(self._shape, np.float32)
        edges = np.linspace(0, self._shape[0], self.threads + 1).astype(int)

        def some(shares: range) -> None:
            for n in shares:
                take_sum(parts, edges[n], edges[n + 1], total)

        self.share(some, self.threads)
        return total
