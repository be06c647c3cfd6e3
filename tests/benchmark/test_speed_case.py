"""The problem of the speed benchmark is what it is said to be, and what is measured of images is their truth."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from leukospect.benchmark.speed_accuracy import background_region, measure, relative_difference
from leukospect.benchmark.speed_case import (
    BODY_CENTRE_MM,
    BODY_HALF_AXES_MM,
    CONTRAST,
    SpeedCase,
    body_places,
    plain_case,
    simulated_case,
)


@pytest.fixture(scope="module")
def small() -> SpeedCase:
    return simulated_case(32, 8, 4e5)


def test_plain_counts_are_those_of_the_body() -> None:
    case = plain_case(64, 12)
    in_views = case.counts.sum(axis=(1, 2), dtype=np.float64)
    assert in_views == pytest.approx(np.full(12, case.truth.sum()), rel=0.02)


def test_plain_counts_lie_where_the_body_is_seen() -> None:
    case = plain_case(64, 12)
    columns = (np.arange(64) - 31.5) * case.pixel_mm
    found = (case.counts.sum(axis=1) * columns).sum(axis=1) / case.counts.sum(axis=(1, 2))
    t = np.deg2rad(case.angles_deg)
    assert found == pytest.approx(-BODY_CENTRE_MM[0] * np.cos(t) + BODY_CENTRE_MM[1] * np.sin(t), abs=0.5)


def test_body_places_are_the_plain_case_s() -> None:
    case = plain_case(48, 4)
    a, b, _ = BODY_HALF_AXES_MM
    assert body_places(48) * 48 == case.voxels_in_body
    assert body_places(48) * case.pixel_mm**2 == pytest.approx(np.pi * a * b, rel=0.03)


def test_simulated_counts_and_scatter(small: SpeedCase) -> None:
    assert small.counts.sum() == pytest.approx(4e5, abs=5 * np.sqrt(4e5))
    assert np.array_equal(small.counts, np.rint(small.counts))
    assert 0.1 < small.scatter.sum() / small.counts.sum() < 0.5
    # Attenuation takes most of what every view would count without it.
    primary = (small.counts - small.scatter).sum(axis=(1, 2))
    assert np.all(primary < 0.5 * small.truth.sum())
    assert np.all(primary > 0.1 * small.truth.sum())


def test_simulated_map(small: SpeedCase) -> None:
    assert small.mu.max() == pytest.approx(0.151, abs=0.001)
    assert np.array_equal(small.body, (small.mu > 0).any(axis=0))


def test_case_comes_back_from_its_file(small: SpeedCase, tmp_path: Path) -> None:
    small.save(tmp_path / "case.npz")
    again = SpeedCase.load(tmp_path / "case.npz")
    assert np.array_equal(again.counts, small.counts)
    assert (again.radius_mm, again.pixel_mm, again.size, again.views) == (250.0, 19.2, 32, 8)


@pytest.fixture(scope="module")
def fine(small: SpeedCase) -> SpeedCase:
    """Give a case of finer voxels that holds no counts: only the truth is measured."""
    from leukospect.benchmark import speed_case
    from leukospect.phantoms import concentration_map

    plain = plain_case(96, 2)
    truth = concentration_map(speed_case._phantom(96, 2), 0.0, plain.geometry).array
    return replace(plain, truth=np.asarray(truth, np.float32))


def test_contrast_is_the_stated_one(fine: SpeedCase) -> None:
    assert fine.truth.max() / fine.truth[background_region(fine)].mean() == pytest.approx(CONTRAST, rel=1e-3)


def test_truth_itself_measures_well(fine: SpeedCase) -> None:
    found = measure(fine.truth, fine)
    recovery = [value for _, value in found.recovery]
    assert [diameter for diameter, _ in found.recovery] == [37, 28, 22, 17, 13, 10]
    # Voxels that the contour cuts hold background too, the more the smaller the sphere.
    assert recovery[0] > 0.85
    assert recovery == sorted(recovery, reverse=True)
    assert found.background_bias == pytest.approx(0.0, abs=1e-5)
    assert found.background_cv == pytest.approx(0.0, abs=1e-5)
    assert found.misplaced_mm < 0.3


def test_level_noise_and_place_are_seen(fine: SpeedCase) -> None:
    true = measure(fine.truth, fine)
    louder = measure(fine.truth * np.float32(1.1), fine)
    assert louder.background_bias == pytest.approx(0.1, abs=1e-4)
    assert louder.recovery[0][1] == pytest.approx(1.1 * true.recovery[0][1], rel=1e-4)
    grain = np.random.default_rng(0).normal(1.0, 0.2, fine.truth.shape).astype(np.float32)
    assert measure(fine.truth * grain, fine).background_cv == pytest.approx(0.2, abs=0.01)
    assert measure(np.roll(fine.truth, 1, axis=0), fine).misplaced_mm == pytest.approx(fine.pixel_mm, rel=0.1)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_mirrored_image_does_not_pass(fine: SpeedCase, axis: int) -> None:
    mirrored = measure(np.ascontiguousarray(np.flip(fine.truth, axis)), fine)
    true = measure(fine.truth, fine)
    assert all(
        wrong < 0.8 * right for (_, wrong), (_, right) in zip(mirrored.recovery[:1], true.recovery[:1], strict=True)
    )
    assert mirrored.misplaced_mm > 3.0


def test_relative_difference(fine: SpeedCase) -> None:
    assert relative_difference(fine.truth * np.float32(1.1), fine.truth, fine) == pytest.approx(0.1, abs=1e-5)
