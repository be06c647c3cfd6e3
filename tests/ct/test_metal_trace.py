"""The metal's shadow: which rays it takes, what is reconstructed and what is not."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from leukospect.ct.linear_interpolation import linear
from leukospect.ct.metal_trace import MetalTrace, beam_of_slice, dilated_mm
from leukospect.kernels.ct_beam import forward
from tests.ct.hardened_slice import BONE, METAL, hardened_slice


@pytest.mark.parametrize("pixel_mm", [(1.0, 1.0), (1.0, 2.5), (1.7, 0.6)])
@pytest.mark.parametrize("at", [(12, 20), (0, 0), (29, 38), (14, 0)])
def test_widening_is_by_a_distance_in_mm(at: tuple[int, int], pixel_mm: tuple[float, float]) -> None:
    mask = np.zeros((30, 39), dtype=bool)
    mask[at] = True
    y, x = np.indices(mask.shape)
    expected = np.hypot((y - at[0]) * pixel_mm[0], (x - at[1]) * pixel_mm[1]) <= 5.2
    np.testing.assert_array_equal(dilated_mm(mask, 5.2, pixel_mm), expected)
    assert mask.sum() == 1


def test_widening_of_nothing_and_of_all() -> None:
    for mask in (np.zeros((5, 6), dtype=bool), np.ones((5, 6), dtype=bool)):
        np.testing.assert_array_equal(dilated_mm(mask, 3.0, (1.0, 1.0)), mask)


def test_the_trace_holds_the_rays_through_the_metal_and_no_far_ones() -> None:
    made = hardened_slice()
    trace = made.trace
    of_metal = forward(trace.beam, made.metal.astype(np.float32))
    assert trace.trace[of_metal > 0].all()
    assert not np.any(trace.needed < trace.trace)
    wide = forward(trace.beam, dilated_mm(made.metal, 6.0, trace.beam.pixel_mm).astype(np.float32))
    assert not trace.trace[wide == 0].any()
    assert 0.05 < trace.trace.mean() < 0.5


def test_line_integrals_with_tissue_for_metal_differ_by_the_metal() -> None:
    made = hardened_slice(per_mm=0.0, per_tissue_mm=0.0)
    trace = made.trace
    added = trace.integrals[trace.trace] - trace.integrals_without_metal[trace.trace]
    expected = forward(trace.beam, made.metal.astype(np.float32))[trace.trace] * (METAL.hu - trace.tissue_hu)
    assert np.corrcoef(added, expected)[0, 1] > 0.99
    assert np.sum(added, dtype=np.float64) == pytest.approx(np.sum(expected, dtype=np.float64), rel=0.03)
    np.testing.assert_array_equal(trace.integrals_of(trace.slice_hu), trace.integrals)


def test_the_tissue_around_the_metal_is_soft_or_water() -> None:
    made = hardened_slice(per_mm=0.0, per_tissue_mm=0.0)
    assert made.trace.tissue_hu == pytest.approx(50.0, abs=8.0)
    in_air = MetalTrace(made.trace.beam, np.full(made.metal.shape, -1000.0, np.float32), made.metal, made.body)
    assert in_air.tissue_hu == 0.0


def test_nothing_in_excess_changes_nothing_and_what_is_outside_the_trace_does_not_count() -> None:
    trace = hardened_slice().trace
    nothing = np.zeros(trace.trace.shape, dtype=np.float32)
    np.testing.assert_array_equal(trace.changed(trace.above_air, nothing), trace.above_air + np.float32(-1000.0))
    outside = np.where(trace.trace, np.float32(0.0), np.float32(500.0))
    np.testing.assert_array_equal(trace.changed(trace.above_air, outside), trace.above_air + np.float32(-1000.0))


def test_an_object_of_its_rays_is_taken_out() -> None:
    """Known excess: the line integrals of the metal itself, taken from the slice, leave what is beneath."""
    made = hardened_slice((METAL,), (BONE,), per_mm=0.0, per_tissue_mm=0.0)
    trace = made.trace
    smooth = ndimage.gaussian_filter(made.metal.astype(np.float32), 0.8) * np.float32(1000.0)
    start = np.full(made.metal.shape, 1050.0, np.float32) + smooth
    left = trace.changed(start, np.asarray(forward(trace.beam, smooth), dtype=np.float32))
    within = ndimage.binary_erosion(made.body, iterations=4)
    assert np.sqrt(np.mean((left[within] - 50.0) ** 2)) < 0.03 * 1000.0
    assert np.abs(left[within & (made.distance_mm(METAL) > 16)] - 50.0).max() < 15.0
    assert np.all(left[~trace.within] == start[~trace.within] - 1000.0)


@pytest.mark.parametrize(
    ("shape", "pixel_mm"), [((16, 16), (1.0, 1.0)), ((40, 100), (2.0, 0.8)), ((512, 512), (0.8, 0.8))]
)
def test_parallel_rays_cover_the_slice_as_finely_as_its_pixels(
    shape: tuple[int, int], pixel_mm: tuple[float, float]
) -> None:
    beam = beam_of_slice(shape, pixel_mm)
    assert beam.bin_mm <= min(pixel_mm)
    diagonal = np.hypot(shape[0] * pixel_mm[0], shape[1] * pixel_mm[1])
    assert beam.bins * beam.bin_mm >= diagonal
    assert len(beam.angles_rad) >= 90


def test_interpolation_does_not_look_at_what_metal_did_to_its_rays() -> None:
    """In soft tissue alone: the same image whatever the metal's polynomial, but for the rim's blur."""
    weak, strong = (hardened_slice(tissues=(), per_mm=per_mm) for per_mm in (0.05, 0.15))
    one, other = linear(weak.trace), linear(strong.trace)
    soft = weak.soft_tissue
    between = weak.scanned_hu - strong.scanned_hu
    assert np.std((one - other)[soft]) < 0.15 * np.std(between[soft])
    assert strong.error_hu(other, soft) < 0.5 * strong.error_hu(strong.scanned_hu, soft)
