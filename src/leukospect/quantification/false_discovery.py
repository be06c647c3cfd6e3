"""How likely noise alone makes a peak so high, and which of many peaks to believe."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def peak_probability(heights: ArrayLike, above: float) -> NDArray[np.float64]:
    """Return the probability that a local maximum of smooth Gaussian noise is so high, given that it exceeds a level.

    The expected number of maxima of a three-dimensional Gaussian random field above u falls as (u^2 - 1) exp(-u^2 / 2),
    however smooth it is; a maximum is far higher than a voxel chosen blindly (Chumbley et al., NeuroImage 49 (2010)
    3057: topological false-discovery rate).

    Parameters
    ----------
    heights : array
        In standard deviations; none below `above`.
    above : float
        The level at which maxima begin to count, at least 1.8, where the expression begins to fall.

    Returns
    -------
    array of the same shape
    """
    heights = np.asarray(heights, dtype=np.float64)
    relative = (heights**2 - 1.0) / (above**2 - 1.0) * np.exp(-0.5 * (heights**2 - above**2))
    return np.asarray(np.clip(relative, 0.0, 1.0), dtype=np.float64)


def false_discovery_rates(probabilities: ArrayLike) -> NDArray[np.float64]:
    """Return for each test the least false-discovery rate at which it is believed (Benjamini and Hochberg 1995).

    Parameters
    ----------
    probabilities : (tests,) array

    Returns
    -------
    (tests,) array
        min over the ranks i >= its own of p_(i) tests / i.
    """
    p = np.asarray(probabilities, dtype=np.float64)
    order = np.argsort(p, kind="stable")
    rates = p[order] * p.size / np.arange(1, p.size + 1)
    rates = np.minimum.accumulate(rates[::-1])[::-1]
    result = np.empty(p.size, dtype=np.float64)
    result[order] = np.minimum(rates, 1.0)
    return result
