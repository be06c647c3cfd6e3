"""How the project's loops are compiled: without the global lock, kept on disk where possible, deterministic.

Only contraction of a product and a sum into one instruction is allowed beyond strict arithmetic, so no sum is reordered
and results do not depend on the number of threads.

Loops that loops call are inlined. As functions of their own they would be compiled twice, by themselves and with their
caller, where the compiler may contract otherwise: the process that compiles runs the one, those that find the caller
on disk the other, and the last bits would differ between the first run and later ones.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from numba import njit

Function = TypeVar("Function", bound=Callable[..., Any])


def compiled(function: Function) -> Function:
    """Compile a loop over arrays; it runs without the global interpreter lock.

    Where no folder can be written, neither the program's nor the user's, it is compiled anew in each process.
    """

    def made(*, cache: bool) -> Function:
        loop: Function = njit(nogil=True, cache=cache, fastmath={"contract"}, error_model="numpy", forceinline=True)(
            function
        )
        return loop

    try:
        return made(cache=True)
    except RuntimeError:  # numba's, at once and not in the first call: no place for a cache
        return made(cache=False)
