"""Radioactive decay: from one time to another, and over the length of a frame."""

from __future__ import annotations

from math import log
from typing import overload

import numpy as np
from numpy.typing import NDArray


@overload
def decay_factor(half_life_s: float, elapsed_s: float) -> float: ...
@overload
def decay_factor(half_life_s: float, elapsed_s: NDArray[np.float64]) -> NDArray[np.float64]: ...
def decay_factor(half_life_s: float, elapsed_s: float | NDArray[np.float64]) -> float | NDArray[np.float64]:
    """Tell what fraction of the activity is left after `elapsed_s`: exp(-lambda t)."""
    left = np.exp(-log(2.0) / half_life_s * np.asarray(elapsed_s, dtype=np.float64))
    return float(left) if np.ndim(elapsed_s) == 0 else left


@overload
def frame_start_factor(half_life_s: float, duration_s: float) -> float: ...
@overload
def frame_start_factor(half_life_s: float, duration_s: NDArray[np.float64]) -> NDArray[np.float64]: ...
def frame_start_factor(half_life_s: float, duration_s: float | NDArray[np.float64]) -> float | NDArray[np.float64]:
    """Take the mean rate over a frame to the rate at its start: lambda T / (1 - exp(-lambda T)), 1 for T = 0.

    Parameters
    ----------
    half_life_s : float
    duration_s : float or array
        Length T of the frame.
    """
    exponent = np.asarray(log(2.0) / half_life_s * np.asarray(duration_s, dtype=np.float64))
    safe = np.where(exponent > 0, exponent, 1.0)
    factor = np.where(exponent > 0, safe / -np.expm1(-safe), 1.0)
    return float(factor) if np.ndim(duration_s) == 0 else factor
