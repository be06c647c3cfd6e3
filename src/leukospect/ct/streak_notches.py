"""Tissue that dark streaks hide from the body's outline: beside much metal they reach the skin and read as air."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy import ndimage
from skimage.morphology import convex_hull_image

from leukospect.ct.body import BODY_THRESHOLD_HU
from leukospect.ct.linear_interpolation import linear
from leukospect.ct.metal_trace import Mask, MetalTrace

_FEWEST_PIXELS = 30
_FINEST_MM = 3.0


def with_notches_filled(trace: MetalTrace) -> MetalTrace:
    """Add to the body what lies in hollows of its outline and is tissue once the metal's shadow is bridged.

    Hollows are those of each piece of the body by itself: the air between two thighs belongs to neither.

    Parameters
    ----------
    trace : MetalTrace

    Returns
    -------
    MetalTrace
        With the larger body; the same one where there is nothing to add.
    """
    hollows = _hollows(trace)
    if np.count_nonzero(hollows) < _FEWEST_PIXELS:
        return trace
    wide = replace(trace, body=trace.body | hollows)
    tissue = (linear(wide) > BODY_THRESHOLD_HU) & hollows
    pixels = max(1, round(_FINEST_MM / min(trace.beam.pixel_mm)))
    whole = ndimage.binary_opening(trace.body | tissue, iterations=pixels) & hollows
    if np.count_nonzero(whole) < _FEWEST_PIXELS:
        return trace
    return replace(trace, body=np.asarray(trace.body | whole, dtype=np.bool_))


def _hollows(trace: MetalTrace) -> Mask:
    """Mark what the convex hull of each piece of the body with metal in it adds to it."""
    labels, _ = ndimage.label(trace.body)
    boxes, hollows = ndimage.find_objects(labels), np.zeros_like(trace.body)
    for number in np.unique(labels[trace.metal]):
        if number:
            box = boxes[number - 1]
            hollows[box] |= convex_hull_image(labels[box] == number)
    return np.asarray(hollows & ~trace.body, dtype=np.bool_)
