"""How signals end a job: as an exception, so that nothing half written stays, and once only."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_GRACE_S = 5.0
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def stopped_by_signals() -> Iterator[None]:
    """Let Ctrl-C, and the signal that ends a job on a cluster, end the block with `KeyboardInterrupt`.

    For some seconds more of them are ignored: an impatient second Ctrl-C must not stop the first from clearing away.
    After that they count again, since the first may have been lost in code that swallows exceptions.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    first: list[float] = []

    def stop(_signal: int, _frame: FrameType | None) -> None:
        now = time.monotonic()
        if first and now - first[-1] < _GRACE_S:
            return
        first.append(now)
        raise KeyboardInterrupt

    before = {one: signal.getsignal(one) for one in _SIGNALS}
    for one, handler in before.items():
        # What a shell starts in the background ignores Ctrl-C, which is meant for others.
        if handler is not signal.SIG_IGN or one is signal.SIGTERM:
            signal.signal(one, stop)
    try:
        yield
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)


def ignore_signals() -> None:
    """Ignore more of them while the process ends, which joins threads."""
    if threading.current_thread() is threading.main_thread():
        for one in _SIGNALS:
            signal.signal(one, signal.SIG_IGN)
