"""How the project's loops are compiled: without the global lock, kept on disk, deterministic.

Only contraction of a product and a sum into one instruction is allowed beyond strict arithmetic, so no sum is reordered
and results do not depend on the number of threads.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from numba import njit

Function = TypeVar("Function", bound=Callable[..., Any])


def compiled(function: Function) -> Function:
    """Compile a loop over arrays; it runs without the global interpreter lock."""
    made: Function = njit(nogil=True, cache=True, fastmath={"contract"}, error_model="numpy")(function)
    return made
