"""How the times of a study were acquired: each for the same time, or longer by the decay since the first."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

Timing = Literal["fixed time", "decay-corrected time", "neither", "not known"]
TIMINGS: dict[Timing, str] = {
    "fixed time": "every time counted equally long (fixed time)",
    "decay-corrected time": "later times counted longer by the decay (decay-corrected time)",
    "neither": "later times counted neither equally long nor longer by the decay",
}
"""The kinds in words, those that are known."""

_SAME = 0.05
_NEAR_DECAY = 0.15  # durations are rounded to full minutes


def timing_of(hours: Sequence[float], durations_s: Sequence[float], half_life_s: float) -> Timing:
    """Tell the kind of protocol from durations and times.

    Parameters
    ----------
    hours : sequence of float
        After injection, of acquisitions of one kind (planar or SPECT).
    durations_s : sequence of float
        How long each counted, of a view or of the whole.
    half_life_s : float

    Returns
    -------
    Timing
        ``decay-corrected time`` where later ones count longer by exp(lambda dt), as the EANM guideline of 2018 asks
        for; ``not known`` with one time only, or where the times are so near that both come to the same.
    """
    if len(hours) < 2:
        return "not known"
    ordered = sorted(zip(hours, durations_s, strict=True))
    first_hours, first_s = ordered[0]
    longer = [duration / first_s for _, duration in ordered[1:]]
    decayed = [math.exp(math.log(2.0) * (hour - first_hours) * 3600.0 / half_life_s) for hour, _ in ordered[1:]]
    if max(decayed) - 1.0 <= _NEAR_DECAY:
        return "not known"
    if all(abs(ratio - 1.0) <= _SAME for ratio in longer):
        return "fixed time"
    if all(abs(ratio / factor - 1.0) <= _NEAR_DECAY for ratio, factor in zip(longer, decayed, strict=True)):
        return "decay-corrected time"
    return "neither"
