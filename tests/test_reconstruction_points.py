"""Points at known places in the patient come back at those places, whatever the orbit."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from numpy.typing import NDArray

from leukospect.data import Image, Projections
from leukospect.physics.collimators import Collimator, find_collimator
from leukospect.projector import (
    image_of_runs,
    reconstruction_geometry,
    spect_projector,
    support_of,
    system_model,
    views_of_counts,
)
from leukospect.reconstruction import osem, prepare_subsets, subset_views
from tests.spot_acquisition import acquisition, orbit, spot_counts, with_counts

TC_KEV = 140.511
Float64 = NDArray[np.float64]

AXIS_MM = (14.0, -63.0)
FIRST_ROW_Z_MM = 187.0
PIXEL_MM = (5.2, 4.1)
SIZE = (25, 34)
# Relative to the axis in x and y, to the middle row in z; no symmetry and no place on a voxel's centre.
OFFSETS_MM = [(27.3, -15.9, 21.7), (-20.2, 30.5, -8.8), (6.1, 38.4, -33.1)]
POINTS_MM = [
    (AXIS_MM[0] + x, AXIS_MM[1] + y, FIRST_ROW_Z_MM - (SIZE[0] - 1) / 2 * PIXEL_MM[0] + z) for x, y, z in OFFSETS_MM
]
STRENGTHS = [1.0, 0.6, 0.35]


def reconstruct(filled: Projections, collimator: Collimator | None = None, updates: tuple[int, int] = (4, 4)) -> Image:
    projector = spect_projector(filled, None, collimator, TC_KEV, threads=2)
    model = system_model(projector, filled, None)
    views = subset_views(filled.orbit.angles_deg, updates[1])
    runs = osem(prepare_subsets(model, views), views_of_counts(filled.counts[0]), iterations=updates[0])
    return image_of_runs(runs, projector.support, reconstruction_geometry(filled), "counts/s/mL")


def _peaks_mm(image: Image, number: int) -> tuple[Float64, Float64, Float64]:
    """Find the hottest peaks apart from each other: their hottest voxels and centroids in LPS, and their sums."""
    rest = np.array(image.array, dtype=np.float64)
    hottest, centroids, sums = [], [], []
    for _ in range(number):
        peak = np.unravel_index(int(rest.argmax()), rest.shape)
        window = tuple(slice(max(p - 3, 0), p + 4) for p in peak)
        indices = np.stack(list(np.mgrid[window]), axis=-1).reshape(-1, 3)
        weights = rest[window].ravel()
        hottest.append(image.geometry.to_lps(np.array(peak)))
        centroids.append(np.average(image.geometry.to_lps(indices), axis=0, weights=weights))
        sums.append(weights.sum())
        rest[window] = 0.0
    return np.array(hottest), np.array(centroids), np.array(sums)


def _assert_points_are_found(image: Image) -> None:
    hottest, centroids, sums = _peaks_mm(image, len(POINTS_MM))
    order = np.argsort(-sums)  # told apart by strength, never by place
    voxel = np.array([PIXEL_MM[1], PIXEL_MM[1], PIXEL_MM[0]])
    expected = np.array(POINTS_MM)
    assert np.abs((hottest[order] - expected) / voxel).max() <= 0.55  # a hottest voxel's centre is half a voxel off
    assert np.abs((centroids[order] - expected) / voxel).max() < 0.2
    rates = sums[order] * image.geometry.voxel_volume_ml
    np.testing.assert_allclose(rates / 1000.0, STRENGTHS, rtol=0.05)


def measured_points(
    angles_deg: Float64, *, radii_mm: Float64 | None = None, offset_mm: Float64 | None = None
) -> Projections:
    """Measure the points without attenuation: 1000 counts/s from the strongest, 20 s a view."""
    empty = acquisition(
        angles_deg, SIZE, PIXEL_MM, axis_mm=AXIS_MM, first_row_z_mm=FIRST_ROW_Z_MM, radii_mm=radii_mm,
        offset_mm=offset_mm, duration_s=np.full(angles_deg.size, 20.0),
    )  # fmt: skip
    return with_counts(empty, spot_counts(empty, POINTS_MM, [20_000 * strength for strength in STRENGTHS], 3.4))


@pytest.mark.parametrize(("start_deg", "direction"), list(product([0.0, 45.0, 180.0, 293.0], ["CC", "CW"])))
def test_points_come_back_at_their_places(start_deg: float, direction: str) -> None:
    _assert_points_are_found(reconstruct(measured_points(orbit(start_deg, direction))))


def test_points_come_back_from_half_a_turn() -> None:
    _assert_points_are_found(reconstruct(measured_points(orbit(100.0, "CW", arc_deg=180.0))))


def test_points_come_back_from_two_heads_in_blocks_and_interleaved() -> None:
    first, second = (orbit(start, "CC", views=16, arc_deg=180.0) for start in (30.0, 210.0))
    _assert_points_are_found(reconstruct(measured_points(np.concatenate([first, second]))))
    _assert_points_are_found(reconstruct(measured_points(np.stack([first, second], axis=1).ravel())))


def test_points_come_back_with_an_offset_of_the_centre_of_rotation() -> None:
    angles = orbit(180.0, "CW")
    offset = 6.0 + 2.0 * np.sin(np.deg2rad(angles))
    _assert_points_are_found(reconstruct(measured_points(angles, offset_mm=offset)))


def test_points_come_back_from_a_contour_orbit_with_the_response() -> None:
    angles = orbit(0.0, "CC")
    radii = 95.0 + 25.0 * np.sin(np.deg2rad(angles + 20.0)) ** 2
    _assert_points_are_found(reconstruct(measured_points(angles, radii_mm=radii), find_collimator("LEHR", "Siemens")))


def test_a_wrong_reading_of_the_orbit_misplaces_themeasured_points() -> None:
    right = measured_points(orbit(45.0, "CC"))
    for wrong in (orbit(45.0, "CW"), orbit(225.0, "CC"), orbit(135.0, "CC"), orbit(-45.0, "CC")):
        read = acquisition(
            wrong, SIZE, PIXEL_MM, counts=right.counts, axis_mm=AXIS_MM, first_row_z_mm=FIRST_ROW_Z_MM,
            duration_s=right.view_duration_s,
        )  # fmt: skip
        with pytest.raises(AssertionError):
            _assert_points_are_found(reconstruct(read))


def test_any_number_of_threads_gives_the_same_bits() -> None:
    points = measured_points(orbit(10.0, "CC", views=12), radii_mm=np.full(12, 110.0))
    results = []
    for threads in (1, 2, 3, 4, 8):
        projector = spect_projector(points, None, find_collimator("LEHR", "Siemens"), TC_KEV, threads=threads)
        subsets = prepare_subsets(projector, subset_views(points.orbit.angles_deg, 2))
        results.append(osem(subsets, views_of_counts(points.counts[0]), iterations=2).tobytes())
    assert len(set(results)) == 1


def test_the_support_shuts_out_what_lies_beyond_the_detector() -> None:
    angles = orbit(0.0, "CC", 16)
    radii = np.full(16, 45.0)
    points = measured_points(angles, radii_mm=radii)
    image = reconstruct(points, find_collimator("LEHR", "Siemens"))
    outside = ~support_of(angles, radii, SIZE[1], PIXEL_MM[1])
    assert outside.any()
    assert np.all(np.asarray(image.array)[:, outside] == 0)
