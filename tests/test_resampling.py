"""Resampled counts: what is drawn, that scatter's noise is in the spread, and that intervals hold the truth."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from leukospect.benchmark.uncertainty_cases import CoarseScan, coarse_scan
from leukospect.photopeaks import resampled_projections
from leukospect.protocol import load_protocol
from leukospect.quantification.comparison import all_ratios
from leukospect.quantification.spect import SpectSamples, measure_spect, region_means
from leukospect.resampling import resampled_means

LESIONS = 6


@cache
def scan() -> CoarseScan:
    """Six lesions, ten updates of the image."""
    protocol = load_protocol("tc99m-hmpao-spect-ct", ["reconstruction.subsets=5", "reconstruction.iterations=2"])
    return coarse_scan(protocol, LESIONS, threads=1)


def test_the_shipped_number_of_replicates_is_fifty() -> None:
    assert load_protocol("tc99m-hmpao-spect-ct").uncertainty.replicates == 50


def test_every_window_is_drawn_around_what_was_measured_and_the_same_for_a_seed() -> None:
    measured = scan().measured.projections
    drawn = resampled_projections(measured, 5)
    np.testing.assert_array_equal(drawn.counts, resampled_projections(measured, 5).counts)
    assert not np.array_equal(drawn.counts, resampled_projections(measured, 6).counts)
    for window in range(3):
        mean, differs = measured.counts[window], drawn.counts[window] - measured.counts[window]
        assert float((differs**2).sum() / mean.sum()) == pytest.approx(1.0, abs=0.05)
        assert np.all(drawn.counts[window] == np.round(drawn.counts[window]))


def test_the_noise_of_the_scatter_windows_is_in_the_spread() -> None:
    # Scatter windows with far fewer counts than the photopeak, as a narrow one has, hold noise of their own.
    made = scan()
    expected = made.expected(np.ones(LESIONS), LESIONS * 250_000.0)
    counted = made.counted(expected)
    seeds = range(12)
    together = np.array(resampled_means(counted, made.labels, made.regions, made.protocol, seeds))
    peak_alone = []
    for seed in seeds:
        drawn = resampled_projections(counted.projections, seed)
        without = replace(counted.peak, counts=made.counted(drawn.counts).peak.counts)
        image = made.image(replace(counted, peak=without))
        peak_alone.append(region_means(image.array, made.labels.array, made.regions))
    assert not np.allclose(together, peak_alone, rtol=1e-3)
    assert np.log(together).std(axis=0).mean() > 1.01 * np.log(peak_alone).std(axis=0).mean()


def test_intervals_of_resampled_counts_hold_the_truth() -> None:
    made, held = scan(), []
    expected = made.expected(np.linspace(0.8, 2.4, LESIONS), LESIONS * 60_000.0)
    true = [
        one.ratio.value
        for one in all_ratios(
            measure_spect(made.image(made.counted(expected)), made.labels, made.regions, time_point="late", hours=24.0),
            made.regions,
        )
    ]
    for seed in range(12):
        counted = made.counted(np.random.default_rng(seed).poisson(expected).astype(np.float32))
        means = resampled_means(counted, made.labels, made.regions, made.protocol, range(1000 * seed, 1000 * seed + 10))
        measured = measure_spect(
            made.image(counted), made.labels, made.regions, time_point="late", hours=24.0, replicates=means
        )
        ratios = all_ratios(measured, made.regions, {"late": SpectSamples.collect(made.regions, means)})
        held += [one.ratio.low <= value <= one.ratio.high for one, value in zip(ratios, true, strict=True)]
    # Of 72, at 95 %: 62 or fewer in less than 1 of 2000 runs.
    assert sum(held) > 62


def test_a_maximum_is_not_what_a_ratio_rests_on() -> None:
    # The hottest voxel of a noisy image reads too high, the mean over a drawn region does not.
    made = scan()
    expected = made.expected(np.full(LESIONS, 1.5), LESIONS * 10_000.0)
    truth = measure_spect(made.image(made.counted(expected)), made.labels, made.regions, time_point="late", hours=24.0)
    maxima, means = [], []
    for seed in range(8):
        counted = made.counted(np.random.default_rng([seed, 4]).poisson(expected).astype(np.float32))
        measured = measure_spect(made.image(counted), made.labels, made.regions, time_point="late", hours=24.0)
        maxima += [one.maximum / true.maximum for one, true in zip(measured, truth, strict=True)]
        means += [one.mean.value / true.mean.value for one, true in zip(measured, truth, strict=True)]
        hotter = [replace(one, maximum=10.0 * one.maximum) for one in measured]
        assert all_ratios(hotter, made.regions) == all_ratios(measured, made.regions)
    assert np.mean(means) == pytest.approx(1.0, abs=0.05)
    assert np.mean(maxima) > 1.1
