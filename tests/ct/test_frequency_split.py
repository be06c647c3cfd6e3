"""Frequency split: fine detail comes from the scan near the metal only, broad differences from the reduction."""

from __future__ import annotations

import numpy as np
import pytest

from leukospect.ct.frequency_split import frequency_split
from leukospect.ct.metal_trace import MetalTrace, beam_of_slice


def _scanned(pixel_mm: tuple[float, float] = (0.7, 0.9)) -> MetalTrace:
    y, x = np.indices((120, 100)) * np.array(pixel_mm)[:, None, None]
    metal = np.hypot(y - 40, x - 40) < 4
    hu = np.where(metal, 3000.0, 50.0)
    return MetalTrace(beam_of_slice(metal.shape, pixel_mm), hu.astype(np.float32), metal, np.ones_like(metal))


def test_equal_images_stay() -> None:
    trace = _scanned()
    np.testing.assert_array_equal(frequency_split(trace, trace.slice_hu), trace.slice_hu)


def test_a_broad_difference_is_the_reductions() -> None:
    trace = _scanned()
    reduced = trace.slice_hu - np.float32(60.0)
    interior = ~trace.rim
    interior[:12] = interior[-12:] = interior[:, :10] = interior[:, -10:] = False
    split = frequency_split(trace, np.where(trace.rim, trace.slice_hu, reduced))
    # Near the rim, where the difference begins, there is an edge; beyond it nothing of the scan is left.
    distance = np.hypot(*((np.indices(interior.shape) * np.array([0.7, 0.9])[:, None, None]) - 40.0))
    far = interior & (distance > 4 + 2 + 3 * 2)
    np.testing.assert_allclose(split[far], reduced[far], atol=0.6)


def test_fine_detail_comes_back_the_nearer_the_more() -> None:
    trace = _scanned()
    reduced = trace.slice_hu.copy()
    gain = []
    for column in (52, 62, 80):  # 3, 12 and 28 mm from the metal
        scanned = trace.slice_hu.copy()
        scanned[50:65, column] += 300.0
        with_detail = MetalTrace(trace.beam, scanned, trace.metal, trace.body)
        gain.append(float(frequency_split(with_detail, reduced)[57, column] - 50.0))
    assert gain[0] > gain[1] > gain[2] > 0
    # A line of one pixel is nearly all fine; the share kept falls by e in 10 mm.
    distances = [52 * 0.9 - 40.0 - 4.0, 62 * 0.9 - 44.0, 80 * 0.9 - 44.0]
    assert gain[1] / gain[0] == pytest.approx(np.exp(-(distances[1] - distances[0]) / 10.0), rel=0.1)
    assert gain[2] / gain[0] == pytest.approx(np.exp(-(distances[2] - distances[0]) / 10.0), rel=0.1)


def test_the_metals_edge_is_no_detail() -> None:
    """Scan and reduction differ in the metal and its rim only: nothing may ring beside."""
    trace = _scanned()
    reduced = np.where(trace.rim, np.float32(50.0), trace.slice_hu)
    split = frequency_split(trace, reduced)
    np.testing.assert_array_equal(split, reduced)
