"""Frequency split: fine detail beside the metal from the slice as scanned, the rest from the reduced one.

E. Meyer, R. Raupach, M. Lell, B. Schmidt and M. Kachelriess, Med. Phys. 39 (2012) 1904-1916. Streaks are long and
mostly smooth, the edge of bone is short: near the metal, where interpolation loses it, the scan still shows it.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from leukospect.ct.metal_trace import Floats, MetalTrace

_SPLIT_MM = 2.0
_REACH_MM = 10.0


def frequency_split(trace: MetalTrace, reduced_hu: Floats) -> Floats:
    """Give a reduced slice the fine detail of the scanned one near the metal.

    Parameters
    ----------
    trace : MetalTrace
    reduced_hu : (rows, columns) float32 array

    Returns
    -------
    (rows, columns) float32 array, HU
    """
    width = [_SPLIT_MM / mm for mm in trace.beam.pixel_mm]
    # The metal and its rim are no detail: without them their edge would ring beyond the rim.
    scanned = np.where(trace.rim, reduced_hu, trace.slice_hu)
    lost = scanned - reduced_hu
    fine = lost - ndimage.gaussian_filter(lost, width)
    distance = np.asarray(ndimage.distance_transform_edt(~trace.metal, sampling=trace.beam.pixel_mm))
    near = np.exp(-distance / _REACH_MM).astype(np.float32)
    split: Floats = (reduced_hu + near * fine).astype(np.float32)
    return split
