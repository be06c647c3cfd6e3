"""How far a job is, on a terminal."""

from __future__ import annotations

import sys
import time
from typing import Any

from tqdm import tqdm


class TerminalProgress:
    """Bars on standard error for stages over two seconds, on a terminal only."""

    def __init__(self, *, quiet: bool, verbose: bool) -> None:
        self._quiet, self._verbose = quiet, verbose
        self._stage, self._began = "", time.monotonic()
        self._bar: tqdm[Any] | None = None

    def __call__(self, stage: str, fraction: float) -> None:
        """Show a stage's name and the fraction of it done."""
        if stage != self._stage:
            self.close()
            self._stage, self._began = stage, time.monotonic()
            self._bar = tqdm(
                total=100,
                desc=stage,
                leave=False,
                delay=2,
                disable=True if self._quiet else None,
                bar_format="{desc}: {percentage:3.0f} % |{bar}| {elapsed}",
            )
        if self._bar is not None:
            self._bar.update(max(0, round(100 * fraction) - self._bar.n))

    def close(self) -> None:
        """End the bar of the last stage."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None
            if self._verbose and not self._quiet:
                print(f"{self._stage}: {time.monotonic() - self._began:.1f} s", file=sys.stderr)
