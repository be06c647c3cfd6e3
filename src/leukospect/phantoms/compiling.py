"""How the loops of the simulation are compiled: kept on disk where a folder can be written, else anew each time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from numba import njit

Function = TypeVar("Function", bound=Callable[..., Any])


def compiled(**options: Any) -> Callable[[Function], Function]:
    """Compile a loop with options of numba's."""

    def compile_one(function: Function) -> Function:
        def made(*, cache: bool) -> Function:
            loop: Function = njit(cache=cache, **options)(function)
            return loop

        try:
            return made(cache=True)
        except RuntimeError:  # numba's, at once and not in the first call: no place for a cache
            return made(cache=False)

    return compile_one
