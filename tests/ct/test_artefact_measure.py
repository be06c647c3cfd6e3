"""The measure that needs no truth: it falls with the streaks, and tells a smoothed image from a better one."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from leukospect.ct.artefact_measure import SliceJudge
from leukospect.ct.metal_trace import MetalTrace
from tests.ct.hardened_slice import BONE, METAL, SECOND_METAL, HardenedSlice, hardened_slice


@pytest.fixture(scope="module")
def made() -> HardenedSlice:
    return hardened_slice((METAL, SECOND_METAL))


def test_the_measure_falls_with_the_streaks(made: HardenedSlice) -> None:
    streaks = made.scanned_hu - made.truth_hu
    images = [made.truth_hu + np.float32(share) * streaks for share in (1.0, 0.7, 0.4, 0.1)]
    judge = SliceJudge(made.trace, images)
    measures = [judge.measure(image) for image in images]
    for name in ("streaks_hu", "tissue_hu"):
        values = [getattr(one, name) for one in measures]
        assert values == sorted(values, reverse=True)
        assert values[-1] < 0.4 * values[0]
    assert measures[0].edge_agreement == pytest.approx(1.0, abs=1e-6)


def test_all_images_are_judged_on_the_same_pixels_whatever_their_order(made: HardenedSlice) -> None:
    images = [made.scanned_hu, made.truth_hu, made.scanned_hu - np.float32(500.0)]
    one, other = SliceJudge(made.trace, images), SliceJudge(made.trace, images[::-1])
    np.testing.assert_array_equal(one.tissue, other.tissue)
    assert one.measure(images[1]) == other.measure(images[1])
    # An image that hides its tissue does not escape the judgement on what the others call tissue.
    hidden = np.full_like(made.scanned_hu, -600.0)
    alone, joined = (SliceJudge(made.trace, [made.scanned_hu, made.truth_hu, third]) for third in (images[1], hidden))
    assert joined.tissue.sum() > 0.8 * alone.tissue.sum()


def test_smoothing_the_whole_image_lowers_the_agreement_of_edges(made: HardenedSlice) -> None:
    """By streaks alone a smoothed image would pass for a better one."""
    noise = np.random.default_rng(8).normal(0.0, 60.0, made.metal.shape).astype(np.float32)
    trace = MetalTrace(made.trace.beam, made.scanned_hu + noise, made.metal, made.body)
    filled = trace.without_metal - np.float32(1000.0)
    images = [trace.slice_hu, *(ndimage.gaussian_filter(filled, width) for width in (1.5, 4.0))]
    judge = SliceJudge(trace, images)
    scan, soft, softer = (judge.measure(image) for image in images)
    assert soft.streaks_hu < 0.8 * scan.streaks_hu
    assert scan.edge_agreement > 0.999
    assert softer.edge_agreement < soft.edge_agreement - 0.01 < 0.988
    shifted = judge.measure(np.roll(trace.slice_hu, 6, axis=1))
    assert shifted.edge_agreement < 0.7


def test_a_lost_bone_lowers_the_agreement(made: HardenedSlice) -> None:
    without = np.where(made.distance_mm(BONE) < 16.0, np.float32(50.0), made.scanned_hu)
    judge = SliceJudge(made.trace, [made.scanned_hu, without])
    assert judge.measure(without).edge_agreement < judge.measure(made.scanned_hu).edge_agreement - 0.02


def test_skin_alone_does_not_speak_for_the_anatomy(made: HardenedSlice) -> None:
    emptied = np.where(ndimage.binary_erosion(made.body, iterations=5), np.float32(50.0), made.scanned_hu)
    assert SliceJudge(made.trace, [made.scanned_hu, emptied]).measure(emptied).edge_agreement < 0.1


def test_a_body_that_fills_the_slice_is_judged_by_the_same_edges(made: HardenedSlice) -> None:
    filling = MetalTrace(made.trace.beam, made.scanned_hu, made.metal, np.ones_like(made.body))
    gone = np.where(made.distance_mm(BONE) < 16.0, np.float32(50.0), made.scanned_hu)
    shifted = np.roll(made.scanned_hu, 9, axis=0)
    judge = SliceJudge(filling, [made.scanned_hu, gone, shifted])
    assert judge.measure(made.scanned_hu).edge_agreement > 0.999
    assert judge.measure(gone).edge_agreement < 0.999
    assert judge.measure(shifted).edge_agreement < 0.7


def test_it_does_not_depend_on_the_pixels() -> None:
    values = []
    for size, pixel_mm in ((160, 1.0), (228, 0.7)):
        made = hardened_slice((METAL, SECOND_METAL), size=size, pixel_mm=pixel_mm)
        judge = SliceJudge(made.trace, [made.scanned_hu, made.truth_hu])
        values.append(judge.measure(made.scanned_hu).tissue_hu)
    assert values[0] == pytest.approx(values[1], rel=0.15)


def test_where_there_is_too_little_soft_tissue_nothing_is_judged(made: HardenedSlice) -> None:
    bone = np.full_like(made.scanned_hu, 900.0)
    trace = MetalTrace(made.trace.beam, bone, made.metal, made.body)
    assert not SliceJudge(trace, [bone]).can_judge
    assert SliceJudge(made.trace, [made.scanned_hu]).can_judge
    all_metal = MetalTrace(made.trace.beam, bone, np.ones_like(made.metal), made.body)
    assert not SliceJudge(all_metal, [bone]).can_judge


def test_flat_tissue_without_edges_agrees() -> None:
    made = hardened_slice(tissues=())
    flat = np.full_like(made.scanned_hu, 50.0)
    trace = MetalTrace(made.trace.beam, flat, made.metal, np.ones_like(made.body))
    measure = SliceJudge(trace, [flat]).measure(flat)
    assert measure.streaks_hu == pytest.approx(0.0, abs=0.01)
    assert measure.tissue_hu == pytest.approx(0.0, abs=0.01)
    assert measure.edge_agreement == 1.0


def test_far_streaks_are_asked_for_far_from_the_metal(made: HardenedSlice) -> None:
    near = SliceJudge(made.trace, [made.scanned_hu])
    far = SliceJudge(made.trace, [made.scanned_hu], from_mm=15.0)
    assert 0 < far.tissue.sum() < near.tissue.sum()
    assert not np.any(far.tissue & ~near.tissue)
    assert far.measure(made.scanned_hu).streaks_hu < near.measure(made.scanned_hu).streaks_hu
