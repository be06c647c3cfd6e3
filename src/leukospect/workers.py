"""Threads that share the views of a projector, and the partial images they fill; results do not depend on how many."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
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
        self._pool = ThreadPoolExecutor(threads) if threads > 1 else None

    def run(self, task: Callable[[int], None], items: Sequence[int]) -> None:
        """Do a task for each item, on all threads; an error of any of them is raised."""
        if self._pool is None or len(items) == 1:
            for item in items:
                task(item)
        else:
            list(self._pool.map(task, items))

    @contextmanager
    def parts(self, number: int) -> Iterator[Array]:
        """Lend empty partial images (number, places, slices), to one caller at a time; `sum_of` empties them again."""
        with self._parts_taken:
            if len(self._parts) < number:
                self._parts = np.zeros((number, *self._shape), np.float32)
            yield self._parts[:number]

    def sum_of(self, parts: Array) -> Array:
        """Add up partial images in their order, and empty them."""
        total = np.empty(self._shape, np.float32)
        edges = np.linspace(0, self._shape[0], self.threads + 1).astype(int)
        self.run(lambda n: take_sum(parts, edges[n], edges[n + 1], total), range(self.threads))
        return total
