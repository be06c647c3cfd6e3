"""The prior: each class one value, bone as it is, nothing of noise and streaks."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from leukospect.ct.metal_trace import MetalTrace, beam_of_slice
from leukospect.ct.tissue_prior import PriorSettings, smoothed_prior
from leukospect.ct.tissue_prior import denoised_prior as denoised_prior_by


def denoised_prior(trace: MetalTrace, hu: NDArray[np.float32]) -> NDArray[np.float32]:
    return denoised_prior_by(trace, hu, PriorSettings(bone_from_hu=300.0, variation_hu=80.0))


def _slice(noise_hu: float = 0.0) -> tuple[MetalTrace, NDArray[np.float32]]:
    """Draw muscle in fat in air, with an air bubble, a bone and metal; 1.0 mm by 1.4 mm pixels."""
    y, x = np.indices((90, 80)) * np.array([1.0, 1.4])[:, None, None]
    hu = np.full(y.shape, -1000.0)
    hu[np.hypot(y - 45, x - 55) < 38] = -95.0
    body = hu > -500
    hu[np.hypot(y - 47, x - 53) < 30] = 55.0
    hu[np.hypot(y - 60, x - 66) < 8] = 900.0
    hu[np.hypot(y - 35, x - 40) < 6] = -990.0
    metal = np.hypot(y - 50, x - 45) < 4
    hu = hu + noise_hu * np.random.default_rng(5).standard_normal(hu.shape)
    hu[metal] = 3071.0
    values = hu.astype(np.float32)
    return MetalTrace(beam_of_slice((90, 80), (1.0, 1.4)), values, metal, body), values


@pytest.mark.parametrize("prior_of", [smoothed_prior, denoised_prior])
@pytest.mark.parametrize("noise_hu", [0.0, 30.0])
def test_classes_have_their_values(
    prior_of: Callable[[MetalTrace, NDArray[np.float32]], NDArray[np.float32]], noise_hu: float
) -> None:
    trace, noisy = _slice(noise_hu)
    given = noisy.copy()
    prior = prior_of(trace, noisy)
    at = {"air": (3, 3), "fat": (45, 15), "muscle": (47, 55), "bubble": (35, 29), "bone": (60, 47)}
    assert prior[at["air"]] == prior[at["bubble"]] == -1000.0
    assert prior[at["fat"]] == -100.0
    assert prior[at["muscle"]] == 50.0
    assert prior[at["bone"]] == pytest.approx(900.0, abs=3.0 * noise_hu + 1.0 + 60.0 * (prior_of is denoised_prior))
    y, x = np.indices(prior.shape) * np.array([1.0, 1.4])[:, None, None]
    no_bone = (np.hypot(y - 60, x - 66) > 13) & ~trace.rim & (np.hypot(y - 50, x - 45) > 9)
    assert set(np.unique(prior[no_bone])) == {-1000.0, -100.0, 50.0}
    np.testing.assert_array_equal(noisy, given)


def test_streaks_of_noise_do_not_reach_the_denoised_prior() -> None:
    trace, noisy = _slice(60.0)
    clean = denoised_prior(trace, _slice()[1])
    wrong = np.mean(denoised_prior(trace, noisy)[trace.body] != clean[trace.body])
    by_value = np.where(noisy < -40.0, -100.0, 50.0)
    soft = trace.body & ((clean == -100.0) | (clean == 50.0))
    assert np.mean(denoised_prior(trace, noisy)[soft] != clean[soft]) < 0.3 * np.mean(by_value[soft] != clean[soft])
    assert wrong < 0.25


def test_what_is_smoothed_away_and_what_counts_as_bone_is_asked_for() -> None:
    trace, values = _slice()
    values[30:60, 38:40] = 400.0  # a thin sheet of bone in muscle
    found = {
        settings: denoised_prior_by(trace, values, PriorSettings(*settings))[45, 38]
        for settings in ((200.0, 40.0), (380.0, 40.0), (200.0, 240.0))
    }
    # Total variation takes twice its weight from a sheet, spread over its width.
    assert found[200.0, 40.0] == pytest.approx(400.0 - 2 * 40.0 / 2, abs=0.01)
    assert found[380.0, 40.0] == found[200.0, 240.0] == 50.0


def test_dark_streaks_at_the_rim_are_no_air_there() -> None:
    trace, values = _slice()
    dark = values.copy()
    dark[trace.rim] = -1000.0
    for prior_of in (smoothed_prior, denoised_prior):
        prior = prior_of(trace, dark)
        assert np.all(prior[trace.rim] > -500.0)
        assert prior[35, 29] == -1000.0


def test_without_a_body_there_is_air() -> None:
    trace, values = _slice()
    nothing = MetalTrace(
        trace.beam, np.full_like(values, -1000.0), np.zeros_like(trace.metal), np.zeros_like(trace.body)
    )
    np.testing.assert_array_equal(denoised_prior(nothing, nothing.slice_hu), nothing.slice_hu)
