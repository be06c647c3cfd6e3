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
    # What reads as tissue already, and is none of the body, is the couch's or a wire's.
    dark = hollows & (trace.slice_hu < BODY_THRESHOLD_HU)
    if np.count_nonzero(dark) < _FEWEST_PIXELS:
        return trace
    tissue = dark & (linear(replace(trace, body=trace.body | hollows)) > BODY_THRESHOLD_HU)
    if np.count_nonzero(tissue) < _FEWEST_PIXELS:
        return trace
    pixels = max(1, round(_FINEST_MM / min(trace.beam.pixel_mm)))
    closed = ndimage.binary_closing(np.pad(trace.body | tissue, pixels), iterations=pixels)
    whole = ndimage.binary_opening(closed, iterations=pixels)[pixels:-pixels, pixels:-pixels] & hollows
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
