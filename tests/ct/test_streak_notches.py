"""Hollows of the body's outline: tissue where bridged shadows show tissue, air where they show air."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from leukospect.ct.metal_trace import MetalTrace
from leukospect.ct.streak_notches import with_notches_filled
from tests.ct.hardened_slice import HardenedSlice, hardened_slice
from tests.ct.polychromatic_slice import Ellipse

# At the skin, long across the way to the nearer edge: its own shadow darkens its ends out into the air.
METAL = Ellipse((47.0, 2.0), (14.0, 3.0), "metal", 8000.0)


def _with_strong_streaks(made: HardenedSlice, times: float) -> MetalTrace:
    seen = made.truth_hu + np.float32(times) * (made.scanned_hu - made.truth_hu)
    seen[made.metal] = 8000.0
    body = ndimage.binary_fill_holes(ndimage.binary_opening(seen > -300.0, iterations=2)) & made.body
    return MetalTrace(made.trace.beam, seen, made.metal, body | made.metal)


def test_tissue_that_streaks_cut_out_is_filled_in() -> None:
    made = hardened_slice((METAL,))
    trace = _with_strong_streaks(made, 12.0)
    lost = ndimage.binary_erosion(made.body, iterations=2) & ~trace.body
    assert np.count_nonzero(lost) > 60
    filled = with_notches_filled(trace).body
    assert np.all(filled[trace.body])
    assert np.mean(filled[lost]) > 0.75
    assert not np.any(filled & ~ndimage.binary_dilation(made.body, iterations=2))


def test_a_hollow_of_air_stays_air() -> None:
    made = hardened_slice((METAL,))
    y, x = made.places
    hollow = (np.abs(x + 3.0) < 9.0) & (y < -30.0)
    seen = np.where(hollow & made.body, np.float32(-1000.0), made.scanned_hu)
    trace = MetalTrace(made.trace.beam, seen, made.metal, made.body & ~hollow)
    assert np.mean(with_notches_filled(trace).body[hollow & made.body]) < 0.1


def test_a_body_without_hollows_is_the_same() -> None:
    trace = hardened_slice((METAL,)).trace
    assert with_notches_filled(trace) is trace
