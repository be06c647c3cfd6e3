"""One slice: a method's image is used as far as it helps, and no further."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from leukospect.ct.metal_trace import MetalTrace
from leukospect.ct.slice_reduction import METHODS, reduced_slice
from tests.ct.hardened_slice import BONE, METAL, SECOND_METAL, HardenedSlice, hardened_slice

Made = Callable[[MetalTrace], NDArray[np.float32]]


@pytest.fixture(scope="module")
def made() -> HardenedSlice:
    return hardened_slice((METAL, SECOND_METAL))


def _with(monkeypatch: pytest.MonkeyPatch, method: Made) -> None:
    monkeypatch.setitem(METHODS, "told", method)


@pytest.mark.parametrize("method", list(METHODS))
def test_every_method_brings_the_slice_nearer_to_the_truth(made: HardenedSlice, method: str) -> None:
    trace = made.trace
    image, measure = reduced_slice(method, trace, 7)
    assert image.dtype == np.float32
    assert measure.slice_index == 7
    assert measure.metal_pixels == made.metal.sum()
    assert measure.corrected
    assert measure.before is not None
    assert measure.after is not None
    assert measure.after.streaks_hu < measure.before.streaks_hu
    assert made.error_hu(image, made.soft_tissue) < 0.85 * made.error_hu(made.scanned_hu, made.soft_tissue)
    untouched = made.metal | ~made.body
    np.testing.assert_array_equal(image[untouched], made.scanned_hu[untouched])


def test_adaptive_is_no_worse_than_any_of_the_others(made: HardenedSlice) -> None:
    errors = {m: made.error_hu(reduced_slice(m, made.trace, 0)[0], made.soft_tissue) for m in METHODS}
    assert errors["adaptive"] < 1.1 * min(errors.values())
    assert errors["adaptive"] < 0.6 * errors["linear"]


def test_a_worse_image_is_not_used(made: HardenedSlice, monkeypatch: pytest.MonkeyPatch) -> None:
    streaks = made.scanned_hu - made.truth_hu
    _with(monkeypatch, lambda trace: trace.slice_hu + np.float32(0.5) * streaks)
    image, measure = reduced_slice("told", made.trace, 0)
    np.testing.assert_array_equal(image, made.scanned_hu)
    assert measure.strength == 0.0
    assert not measure.corrected
    assert measure.before == measure.after


def test_an_image_that_goes_twice_too_far_is_used_by_half(made: HardenedSlice, monkeypatch: pytest.MonkeyPatch) -> None:
    streaks = made.scanned_hu - made.truth_hu
    _with(monkeypatch, lambda trace: trace.slice_hu - np.float32(1.8) * streaks)
    image, measure = reduced_slice("told", made.trace, 0)
    assert measure.strength == 0.5
    changeable = made.body & ~made.metal
    np.testing.assert_allclose(image[changeable], (made.scanned_hu - 0.9 * streaks)[changeable], atol=0.01)
    _with(monkeypatch, lambda trace: trace.slice_hu - np.float32(0.9) * streaks)
    assert reduced_slice("told", made.trace, 0)[1].strength == 1.0


def test_edges_of_the_strongest_streaks_may_go(monkeypatch: pytest.MonkeyPatch) -> None:
    """A change that takes them is used whole, though the scan's edges are then no longer where they were."""
    made = hardened_slice((METAL, SECOND_METAL))
    seen = made.truth_hu + np.float32(6.0) * (made.scanned_hu - made.truth_hu)
    seen[made.metal] = 8000.0
    _with(monkeypatch, lambda trace: made.truth_hu)
    image, measure = reduced_slice("told", MetalTrace(made.trace.beam, seen, made.metal, made.body), 0)
    assert measure.after is not None
    assert measure.after.edge_agreement < 0.8
    assert measure.strength == 1.0
    assert made.error_hu(image, made.soft_tissue) == 0.0


def test_an_image_whose_anatomy_moved_is_not_used_even_in_part(
    made: HardenedSlice, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though it has no streaks."""
    _with(monkeypatch, lambda trace: np.roll(made.truth_hu, 9, axis=1))
    assert reduced_slice("told", made.trace, 0)[1].strength == 0.0


@pytest.mark.parametrize("method", list(METHODS))
def test_metal_without_streaks_is_not_harmed(method: str) -> None:
    clean = hardened_slice((), (BONE,))
    metal = hardened_slice((METAL, SECOND_METAL)).metal
    scanned = ndimage.gaussian_filter(np.where(metal, np.float32(8000.0), clean.scanned_hu), 0.7)
    image, _ = reduced_slice(method, MetalTrace(clean.trace.beam, scanned, metal, clean.body), 0)
    where = clean.body & ~metal
    assert np.sqrt(np.mean((image - scanned)[where] ** 2)) < 2.0


@pytest.mark.parametrize("method", list(METHODS))
def test_without_soft_tissue_it_cannot_be_judged_and_stays(method: str) -> None:
    made = hardened_slice()
    bone = np.where(made.metal, np.float32(8000.0), np.float32(900.0))
    image, measure = reduced_slice(method, MetalTrace(made.trace.beam, bone, made.metal, made.body), 0)
    np.testing.assert_array_equal(image, bone)
    assert measure.before is measure.after is None
    assert not measure.corrected


@pytest.mark.parametrize("method", list(METHODS))
@pytest.mark.parametrize("body", [False, True])
def test_a_slice_all_metal_stays(method: str, body: bool) -> None:
    made = hardened_slice()
    everywhere = np.ones_like(made.metal)
    trace = MetalTrace(made.trace.beam, np.full_like(made.scanned_hu, 5000.0), everywhere, everywhere & body)
    image, measure = reduced_slice(method, trace, 0)
    np.testing.assert_array_equal(image, trace.slice_hu)
    assert not measure.corrected
