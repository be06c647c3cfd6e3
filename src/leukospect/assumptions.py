"""Gathering the assumptions that stages warn of, so that they reach the report."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from leukospect.errors import AssumptionWarning


@contextmanager
def collected_assumptions(texts: list[str]) -> Iterator[None]:
    """Gather the assumptions that are warned of in the block, each once, in the order they come."""
    with warnings.catch_warnings():
        previous = warnings.showwarning
        warnings.simplefilter("always", AssumptionWarning)

        def show(message: Warning | str, category: type[Warning], *place: Any, **more: Any) -> None:
            if issubclass(category, AssumptionWarning):
                if str(message) not in texts:
                    texts.append(str(message))
            else:
                previous(message, category, *place, **more)

        warnings.showwarning = show
        yield
