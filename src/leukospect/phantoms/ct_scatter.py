"""Scatter in the simulated CT: a smooth signal that depends on the object.

The scatter that a ray's photons start is proportional to how many are left and how many were lost, P (-ln P) with P the
transmitted fraction, spread widely over the detector (Ohnesorge, Flohr, Klingenbeck-Regn, Eur. Radiol. 9 (1999) 563;
Sun and Star-Lack, Phys. Med. Biol. 55 (2010) 6695). Here the spread is a Gaussian along the fan, and the strength is
such that scatter over primary has a given value behind the middle of a water cylinder of 300 mm.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import fft

SPREAD_MM = 80.0


def _spread(potential: NDArray[np.float32], bin_mm: float) -> NDArray[np.float32]:
    """Convolve along axis 1 with a Gaussian of unit sum; there is nothing beyond the ends."""
    bins = potential.shape[1]
    size = fft.next_fast_len(bins + int(4.0 * SPREAD_MM / bin_mm), real=True)
    frequency = np.arange(size // 2 + 1) / (size * bin_mm)
    response = np.exp(-2.0 * (np.pi * frequency * SPREAD_MM) ** 2).astype(np.float32)
    return np.asarray(fft.irfft(fft.rfft(potential, size, axis=1) * response[:, None], size, axis=1)[:, :bins])


def _potential(transmitted: NDArray[np.float32]) -> NDArray[np.float32]:
    kept = np.maximum(transmitted, np.float32(1e-30))
    return -kept * np.log(kept)


def scatter_signal(
    transmitted: NDArray[np.float32],
    bin_mm: float,
    scatter_to_primary: float,
    reference: NDArray[np.float64],
    reference_mm: float,
) -> NDArray[np.float32]:
    """Scatter that reaches each bin, as a fraction of the air signal.

    Parameters
    ----------
    transmitted : (views, bins, slices) array
        Fraction of the signal that is left of each ray.
    bin_mm : float
        The bins' distance at the isocentre, mm.
    scatter_to_primary : float
        Of the middle ray of `reference`.
    reference : (n,) array, n odd
        What a water cylinder transmits, at steps of `reference_mm`.
    """
    known = reference.astype(np.float32)[None, :, None]
    middle = reference.size // 2
    gain = scatter_to_primary * reference[middle] / float(_spread(_potential(known), reference_mm)[0, middle, 0])
    return np.asarray(np.maximum(np.float32(gain) * _spread(_potential(transmitted), bin_mm), np.float32(0.0)))
