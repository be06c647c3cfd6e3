"""Saturation is told where counts stand at the top of their type, and nowhere else."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from leukospect.consistency import find_saturation


def views(peak: float, seed: int = 3) -> NDArray[np.float32]:
    """Count two windows, three views of a spot that is hottest off the middle."""
    y, x = np.mgrid[:40, :50]
    spot = peak * np.exp(-((y - 12) ** 2 + (x - 33) ** 2) / 60.0) + 3.0
    scale = np.array([[0.2, 1.0, 0.1], [0.05, 0.1, 0.05]])
    counts = np.random.default_rng(seed).poisson(scale[..., None, None] * spot)
    return np.asarray(counts, dtype=np.float32)


@pytest.mark.parametrize("top", [255, 4095, 16383, 32767, 65535])
def test_clipped_counts_are_told_with_their_view(top: int) -> None:
    counts = views(1.6 * top)
    clipped = np.minimum(counts, np.float32(top))
    (found,) = find_saturation(clipped)
    assert (found.top, found.views) == (top, (2,))
    assert found.pixels == int((counts >= top).sum())
    assert f"View 2 has {found.pixels} pixels at {top} counts" in found.sentence()
    assert find_saturation(counts) == ()


@pytest.mark.parametrize("peak", [254.0, 300.0, 4090.0, 16400.0, 32760.0, 65530.0])
@pytest.mark.parametrize("seed", range(5))
def test_counts_near_the_top_are_no_saturation(peak: float, seed: int) -> None:
    counts = views(peak, seed)
    counts[counts == 32767] -= 1  # that single ones at the top of 15 and 16 bits are told is meant
    counts[counts == 65535] -= 1
    assert find_saturation(counts) == ()


def test_one_pixel_at_the_top_of_16_bits_is_enough() -> None:
    counts = views(40000.0)
    counts[0, 1, 12, 33] = 65535
    (found,) = find_saturation(counts)
    assert (found.views, found.pixels) == ((2,), 1)
    assert "has a pixel at 65535" in found.sentence()
