"""Normalised interpolation: what the prior knows is kept, what it does not know is bridged."""

from __future__ import annotations

import numpy as np

from leukospect.ct.linear_interpolation import linear
from leukospect.ct.normalised import normalised
from leukospect.ct.tissue_prior import smoothed_prior
from tests.ct.hardened_slice import BONE, METAL, SECOND_METAL, hardened_slice


def test_a_prior_of_the_truth_gives_the_truth_and_a_flat_one_interpolation() -> None:
    made = hardened_slice((METAL, SECOND_METAL))
    trace = made.trace
    knowing = normalised(trace, made.truth_hu)
    where = made.soft_tissue | (made.edge_of(BONE) & ~trace.rim)
    interpolated = linear(trace)
    assert made.error_hu(knowing, where) < 0.4 * made.error_hu(interpolated, where)
    # No prior at all, all air, leaves linear interpolation to the bit.
    np.testing.assert_array_equal(normalised(trace, np.full_like(trace.slice_hu, -1000.0)), interpolated)


def test_the_prior_of_interpolation_keeps_bone_beside_metal_better() -> None:
    made = hardened_slice((METAL, SECOND_METAL))
    trace = made.trace
    interpolated = linear(trace)
    image = normalised(trace, smoothed_prior(trace, interpolated))
    for where in (made.edge_of(BONE) & ~trace.rim, made.soft_tissue):
        assert made.error_hu(image, where) < 0.85 * made.error_hu(interpolated, where)
    assert made.error_hu(image, made.soft_tissue) < 0.6 * made.error_hu(made.scanned_hu, made.soft_tissue)


def test_a_prior_off_by_a_constant_share_of_water_is_forgiven() -> None:
    """What the bridge sees is flat either way: soft tissue of 50 HU in truth, 90 HU in the prior."""
    made = hardened_slice(tissues=())
    prior = np.where(made.body, np.float32(50.0), np.float32(-1000.0))
    off = np.where(made.body, np.float32(90.0), np.float32(-1000.0))
    right, wrong = (normalised(made.trace, one) for one in (prior, off))
    assert np.abs(right - wrong)[made.soft_tissue].mean() < 4.0
