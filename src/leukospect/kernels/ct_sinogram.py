"""What is done to the sinogram of a CT slice whatever way its rays run: bridging a shadow, convolving the views."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from leukospect.kernels.compiling import compiled

_Values = Any


def bridge(sinogram: NDArray[np.float32], trace: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Replace each run of marked bins of a view by the straight line between its two unmarked neighbours.

    Parameters
    ----------
    sinogram : (views, bins) array
    trace : (views, bins) bool array
        A run that reaches the detector's end takes the value of its only neighbour; a view marked throughout is zero.

    Returns
    -------
    (views, bins) float32 array
    """
    bridged = np.array(sinogram, dtype=np.float32)
    _bridge(bridged, np.ascontiguousarray(trace))
    return bridged


def convolved(sinogram: NDArray[np.float32], kernel: NDArray[np.float64]) -> NDArray[np.float32]:
    """Convolve each view with an even kernel.

    Parameters
    ----------
    sinogram : (views, bins) array
        Zero beyond its ends.
    kernel : (bins,) array
        At distances of 0, 1, 2 ... bins.
    """
    bins = sinogram.shape[1]
    length = scipy.fft.next_fast_len(2 * bins, real=True)
    both = np.zeros(length)
    both[:bins] = kernel
    both[-1:-bins:-1] = kernel[1:]
    spectrum = scipy.fft.rfft(np.asarray(sinogram, dtype=np.float32), length, axis=1)
    spectrum *= scipy.fft.rfft(both).real.astype(np.float32)
    filtered: NDArray[np.float32] = scipy.fft.irfft(spectrum, length, axis=1)[:, :bins].astype(np.float32, copy=False)
    return filtered


@compiled
def _bridge(sinogram: _Values, trace: _Values) -> None:
    views, bins = sinogram.shape
    for view in range(views):
        b = 0
        while b < bins:
            if not trace[view, b]:
                b += 1
                continue
            start = b
            while b < bins and trace[view, b]:
                b += 1
            left = sinogram[view, start - 1] if start > 0 else np.float32(0.0)
            right = sinogram[view, b] if b < bins else left
            if start == 0:
                left = right
            for n in range(start, b):
                sinogram[view, n] = left + (right - left) * (n - start + 1) / (b - start + 1)
