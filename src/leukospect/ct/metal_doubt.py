"""Pieces of metal that may be bone brightened by other metal's streaks: looked at again once those are reduced."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from leukospect.ct.linear_interpolation import linear
from leukospect.ct.metal_trace import Mask, MetalTrace
from leukospect.ct.normalised import normalised
from leukospect.ct.tissue_prior import smoothed_prior

# A piece that reaches the top of a short scale is metal; one below is believed if it stays denser than cortical bone.
_CERTAIN_HU, _DENSER_THAN_BONE_HU = 3000.0, 1900.0


def confirmed(trace: MetalTrace) -> Mask:
    """Leave out pieces that fall to bone's numbers once the streaks of the certain metal are reduced.

    Returns
    -------
    (rows, columns) bool array
        The metal of `trace`, or part of it.
    """
    labels, count = ndimage.label(trace.metal, structure=np.ones((3, 3)))
    pieces = np.arange(1, count + 1)
    highest = np.full(count, -np.inf, dtype=np.float32)
    np.maximum.at(highest, labels[trace.metal] - 1, trace.slice_hu[trace.metal])
    doubtful = pieces[highest < _CERTAIN_HU]
    if doubtful.size in (0, count):
        return trace.metal
    certain = MetalTrace(trace.beam, trace.slice_hu, np.isin(labels, pieces[highest >= _CERTAIN_HU]), trace.body)
    without_streaks = normalised(certain, smoothed_prior(certain, linear(certain)))
    typical = ndimage.median(without_streaks, labels, doubtful)
    kept = doubtful[np.asarray(typical) >= _DENSER_THAN_BONE_HU]
    return np.asarray(certain.metal | np.isin(labels, kept), dtype=np.bool_)
