"""The measures of a metal slice, against what they must be."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage, special

from leukospect.benchmark.metal_measures import bone_edge, edge_of, outside_metal, rmse_hu, similarity

_PIXEL = (0.8, 1.1)
_SIGMA_MM = 0.9


def _radius() -> NDArray[np.float64]:
    y, x = np.indices((150, 120))
    return np.asarray(np.hypot((y - 70) * _PIXEL[0], (x - 55) * _PIXEL[1]))


def _shaft(radius_mm: float, sigma_mm: float) -> NDArray[np.float32]:
    """Bone of 1250 HU up to a radius round (70, 55), in soft tissue of 50 HU, with a Gaussian edge."""
    return np.asarray(50.0 + 1200.0 * special.ndtr((radius_mm - _radius()) / sigma_mm), dtype=np.float32)


def test_metal_and_its_neighbours_are_left_out() -> None:
    body = np.ones((9, 11), dtype=bool)
    body[0] = False
    metal = np.zeros_like(body)
    metal[4, 5:7] = True
    where = outside_metal(body, metal)
    assert where.sum() == body.sum() - 3 * 4
    truth = np.zeros(body.shape, dtype=np.float32)
    values = np.where(where, 3.0, 900.0).astype(np.float32)
    assert rmse_hu(values, truth, where) == pytest.approx(3.0)


def test_similarity_is_one_for_the_truth_and_blind_to_metal_and_to_what_the_window_hides() -> None:
    rng = np.random.default_rng(2)
    truth = rng.normal(40.0, 60.0, (60, 50)).astype(np.float32)
    truth[:, 40:] = 900.0
    body = np.zeros(truth.shape, dtype=bool)
    body[5:50, 8:48] = True
    metal = np.zeros_like(body)
    metal[20:24, 20:23] = True
    where = outside_metal(body, metal)
    with_metal = np.where(metal | ~body, np.float32(3071.0), truth)
    with_metal[:, 42:] = 1500.0
    assert similarity(with_metal, truth, body, where) == pytest.approx(1.0)
    noisy = (truth + rng.normal(0.0, 20.0, truth.shape)).astype(np.float32)
    noisier = (truth + rng.normal(0.0, 60.0, truth.shape)).astype(np.float32)
    assert 1.0 > similarity(noisy, truth, body, where) > similarity(noisier, truth, body, where)


def test_the_place_and_width_of_a_gaussian_edge() -> None:
    x = np.arange(-12.0, 12.01, 0.25)
    profile = 40.0 + 960.0 * special.ndtr((1.3 - x) / 0.7)
    place, width = edge_of(x, profile, 1000.0, 40.0)
    assert place == pytest.approx(1.3, abs=0.01)
    assert width == pytest.approx(2 * 1.2816 * 0.7, rel=0.02)
    assert np.isnan(edge_of(x, np.full_like(x, 500.0), 1000.0, 40.0)[0])


def test_the_edge_of_bone_beside_metal_is_found_shifted_and_blurred() -> None:
    truth = _shaft(14.0, _SIGMA_MM)
    after = _shaft(14.6, 2 * _SIGMA_MM)
    metal = _radius() < 5.0
    before = np.where(metal, np.float32(3071.0), truth)
    edge = bone_edge(truth, before, after, metal, _PIXEL)
    assert edge is not None
    place, width = edge.place_and_width_mm(edge.truth)
    assert edge.directions > 80
    assert place == pytest.approx(0.0, abs=0.05)
    assert width == pytest.approx(2.563 * _SIGMA_MM, rel=0.12)
    np.testing.assert_allclose(edge.place_and_width_mm(edge.before), (place, width))
    moved, wider = edge.place_and_width_mm(edge.after)
    assert moved == pytest.approx(0.6, abs=0.12)
    assert wider == pytest.approx(2.563 * 2 * _SIGMA_MM, rel=0.12)


def test_there_is_no_edge_without_bone_or_without_metal() -> None:
    truth = _shaft(14.0, _SIGMA_MM)
    nothing = np.zeros(truth.shape, dtype=bool)
    assert bone_edge(truth, truth, truth, nothing, _PIXEL) is None
    flat = np.full_like(truth, 50.0)
    assert bone_edge(flat, flat, flat, _radius() < 5.0, _PIXEL) is None
    # Metal all round the bone: its edge is not bone's.
    ring = ndimage.binary_dilation(_radius() < 15.0, iterations=2)
    assert bone_edge(truth, truth, truth, ring, _PIXEL) is None
