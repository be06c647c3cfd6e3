"""Defects of a detector are found at their place; bodies, however they lie and turn, raise no alarm."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from leukospect.consistency import find_non_uniformity
from leukospect.consistency.views import views_of_heads
from leukospect.data import Projections
from leukospect.dicom.read.study import read_projections
from tests.consistency.blobs import Body, Scan, empty_scan, filled, mean_counts, random_body

SCAN = Scan(size=(48, 80), pixel_mm=(6.0, 5.0))


def body_at_rest(seed: int, total: float = 3e6, scan: Scan = SCAN, length_mm: float = 300.0) -> Projections:
    rng = np.random.default_rng(seed)
    empty = empty_scan(scan)
    return filled(empty, mean_counts(random_body(rng, length_mm=length_mm), empty, total), rng)


def with_defect(acquisition: Projections, head: int, rows: slice, columns: slice, factor: float) -> Projections:
    """Let a place of one head count only a part of what it should."""
    counts = acquisition.counts.copy()
    views = views_of_heads(acquisition)[head - 1]
    seen = counts[:, views, rows, columns]
    rng = np.random.default_rng(0)
    kept = rng.binomial(seen.astype(int), min(factor, 1.0)) + rng.poisson(np.maximum(factor - 1.0, 0.0) * seen)
    counts[:, views, rows, columns] = kept
    return replace(acquisition, counts=counts)


@pytest.mark.parametrize("head", [1, 2])
def test_a_dead_pixel(head: int) -> None:
    (found,) = find_non_uniformity(with_defect(body_at_rest(1), head, slice(20, 21), slice(50, 51), 0.0))
    assert (found.head, found.row, found.column, found.rows, found.columns) == (head, 21, 51, 1, 1)
    assert found.deviation_percent == pytest.approx(-100.0, abs=1.0)
    assert f"Head {head} counts 100 +- " in found.sentence()
    assert "one pixel" in found.sentence()


def test_a_dead_pixel_on_the_axis_of_rotation() -> None:
    (found,) = find_non_uniformity(with_defect(body_at_rest(2), 1, slice(25, 26), slice(39, 40), 0.0))
    assert (found.row, found.column) == (26, 40)


@pytest.mark.parametrize("factor", [0.6, 1.5])
def test_a_block_that_counts_too_little_or_too_much(factor: float) -> None:
    (found,) = find_non_uniformity(with_defect(body_at_rest(3), 2, slice(21, 24), slice(28, 31), factor))
    assert (found.head, found.rows, found.columns) == (2, 3, 3)
    assert abs(found.row - 23) <= 1
    assert abs(found.column - 30) <= 1
    assert found.deviation_percent == pytest.approx(100 * (factor - 1), abs=4 * found.uncertainty_percent + 3)
    assert found.uncertainty_percent < 5


def test_near_the_axis_a_weak_defect_is_not_told_from_a_feature() -> None:
    assert find_non_uniformity(with_defect(body_at_rest(4), 1, slice(25, 28), slice(39, 42), 0.7)) == ()


def test_the_axis_is_where_the_offset_says() -> None:
    defect = with_defect(body_at_rest(5, 1e7), 1, slice(21, 24), slice(24, 27), 0.82)
    assert [found.head for found in find_non_uniformity(defect)] == [1]
    aside = replace(defect.orbit, centre_offset_mm=np.full(60, (25 - 39.5) * 5.0))  # the axis runs through the defect
    assert find_non_uniformity(replace(defect, orbit=aside)) == ()


@pytest.mark.parametrize(
    "scan", [SCAN, Scan(stops=48, heads=1, arc_deg=360.0), Scan(stops=32, apart_deg=90, arc_deg=90)]
)
@pytest.mark.parametrize("total", [1e5, 1e6, 1e7])
def test_no_alarm_without_a_defect(scan: Scan, total: float) -> None:
    for seed in range(30, 34):
        assert find_non_uniformity(body_at_rest(seed, total, scan, length_mm=700.0 if seed % 2 else 240.0)) == ()


@pytest.mark.parametrize("total", [1e6, 1e7])
def test_a_round_body_about_the_axis_is_no_defect(total: float) -> None:
    """Its outline, and a hot rod along the axis, stay in their columns in every view."""
    rng = np.random.default_rng(6)
    angle, part = rng.uniform(0, 2 * np.pi, 1200), np.sqrt(rng.uniform(0, 1, 1200))
    place = np.stack([90 * part * np.cos(angle), 90 * part * np.sin(angle), rng.uniform(-100, 100, 1200)], axis=1)
    rod = np.stack([np.zeros(30), np.zeros(30), np.linspace(-40, 40, 30)], axis=1)
    sigma = np.concatenate([np.full(1200, 8.0), np.full(30, 4.0)])
    body = Body(np.concatenate([place, rod]), sigma, np.concatenate([np.ones(1200), np.full(30, 4.0)]), (100.0, 100.0))
    empty = empty_scan(SCAN)
    assert find_non_uniformity(filled(empty, mean_counts(body, empty, total), rng)) == ()


def test_few_views_or_counts_say_nothing() -> None:
    dead = with_defect(body_at_rest(1, total=1e4), 1, slice(20, 21), slice(50, 51), 0.0)
    assert find_non_uniformity(dead) == ()
    assert find_non_uniformity(empty_scan(SCAN)) == ()
    assert find_non_uniformity(body_at_rest(1, scan=replace(SCAN, stops=8))) == ()


FINE = Scan(size=(64, 96), pixel_mm=(4.4, 4.8), radius_mm=None)


def fine_body(total: float = 6e6) -> Projections:
    return body_at_rest(7, total, FINE, length_mm=500.0)


@pytest.mark.parametrize("total", [5e5, 6e6])
@pytest.mark.parametrize(("rows", "columns"), [(slice(30, 31), slice(None)), (slice(None), slice(47, 48))])
def test_a_dead_row_or_column(rows: slice, columns: slice, total: float) -> None:
    (found,) = find_non_uniformity(with_defect(fine_body(total), 2, rows, columns, 0.0))
    assert found.head == 2
    assert (found.rows, found.columns) == ((1, 96) if columns == slice(None) else (64, 1))
    assert (found.row == 31) if found.rows == 1 else (found.column == 48)
    assert found.deviation_percent == pytest.approx(-100.0, abs=0.5)
    assert f"all along {'row 31' if found.rows == 1 else 'column 48'} than around it" in found.sentence()


def test_a_weak_row_is_told_and_not_the_rows_beside_it() -> None:
    (found,) = find_non_uniformity(with_defect(fine_body(), 1, slice(30, 31), slice(None), 0.7))
    assert (found.head, found.row, found.rows, found.columns) == (1, 31, 1, 96)
    assert found.deviation_percent == pytest.approx(-30.0, abs=3.0)


@pytest.mark.parametrize(("row", "column"), [(32, 47), (25, 60), (5, 4)])
def test_a_hot_pixel_on_the_axis_beside_it_and_outside_the_body(row: int, column: int) -> None:
    acquisition = fine_body()
    views = views_of_heads(acquisition)[1]
    counts = acquisition.counts.copy()
    counts[:, views, row, column] += 200.0
    (found,) = find_non_uniformity(replace(acquisition, counts=counts))
    assert (found.head, found.row, found.column, found.rows, found.columns) == (2, row + 1, column + 1, 1, 1)
    assert found.deviation_percent > 100.0


@pytest.mark.parametrize("factor", [0.0, 0.5])
@pytest.mark.parametrize("width", [3, 8])
def test_a_block_on_the_axis_of_rotation(width: int, factor: float) -> None:
    place = slice(28, 28 + width), slice(44, 44 + width)
    (found,) = find_non_uniformity(with_defect(fine_body(), 1, *place, factor))
    middle = (width - 1) // 2
    assert (found.row, found.column, found.rows, found.columns) == (29 + middle, 45 + middle, width, width)
    assert found.deviation_percent == pytest.approx(100.0 * (factor - 1.0), abs=6.0)


def test_a_dead_pixel_of_few_counts() -> None:
    acquisition = fine_body(5e5)
    seen = acquisition.counts[0, views_of_heads(acquisition)[0], 30, 47].sum()
    assert 20 < seen < 150
    (found,) = find_non_uniformity(with_defect(acquisition, 1, slice(30, 31), slice(47, 48), 0.0))
    assert (found.row, found.column, found.rows, found.columns) == (31, 48, 1, 1)


@pytest.mark.parametrize("scan", [FINE, Scan(size=(40, 48), pixel_mm=(9.6, 9.6))])
@pytest.mark.parametrize("total", [1e5, 3e6])
def test_points_on_the_axis_and_gaps_are_no_defects(scan: Scan, total: float) -> None:
    rng = np.random.default_rng(8)
    empty = empty_scan(scan)
    points = np.array([[0.0, 0.0, 0.0], [0.0, 0.0, 41.0], [0.0, 3.0, -39.0], [31.0, 18.0, 9.0]])
    body = Body(points, np.array([1.0, 1.0, 1.0, 2.0]), np.array([1.0, 3.0, 0.5, 4.0]), (100.0, 80.0))
    assert find_non_uniformity(filled(empty, mean_counts(body, empty, total), rng)) == ()
    number, gap_mm = 3000, 8.0
    along = rng.uniform(gap_mm / 2.0 + 1.5, 70.0, number) * rng.choice([-1.0, 1.0], number)
    place = np.stack([rng.uniform(-90, 90, number), rng.uniform(-70, 70, number), along + 1.0], axis=1)
    halves = Body(place, np.full(number, 1.5), np.ones(number), (100.0, 80.0))
    assert find_non_uniformity(filled(empty, mean_counts(halves, empty, total), rng)) == ()


@pytest.mark.real_data
@pytest.mark.parametrize("head", [1, 2])
@pytest.mark.parametrize(
    ("rows", "columns", "factor"),
    [
        (slice(64, 65), slice(0, 128), 0.0),
        (slice(0, 128), slice(64, 65), 0.0),
        (slice(60, 63), slice(62, 65), 0.5),
        (slice(58, 66), slice(58, 66), 0.5),
        (slice(56, 64), slice(50, 58), 0.0),
        (slice(46, 50), slice(40, 44), 0.0),  # at the edge of the body
    ],
)
def test_defects_of_monte_carlo_projections(
    real_data: Path, head: int, rows: slice, columns: slice, factor: float
) -> None:
    acquisition = read_projections(real_data / "spect_monte_carlo" / "iec" / "tomo.dcm")
    (found,) = find_non_uniformity(with_defect(acquisition, head, rows, columns, factor))
    assert (found.head, found.row, found.column) == (head, (rows.start + rows.stop + 1) // 2,
                                                     (columns.start + columns.stop + 1) // 2)  # fmt: skip
    assert (found.rows, found.columns) == (rows.stop - rows.start, columns.stop - columns.start)
    assert found.deviation_percent == pytest.approx(100.0 * (factor - 1.0), abs=3.0)


@pytest.mark.real_data
@pytest.mark.parametrize(("row", "column"), [(64, 64), (60, 50), (10, 10)])
def test_a_hot_pixel_of_monte_carlo_projections(real_data: Path, row: int, column: int) -> None:
    acquisition = read_projections(real_data / "spect_monte_carlo" / "iec" / "tomo.dcm")
    counts = acquisition.counts.copy()
    counts[:, :, row, column] = 300.0
    found = find_non_uniformity(replace(acquisition, counts=counts))
    assert [(place.head, place.row, place.column) for place in found] == [
        (1, row + 1, column + 1),
        (2, row + 1, column + 1),
    ]
    assert all(place.rows == place.columns == 1 for place in found)


@pytest.mark.real_data
def test_monte_carlo_projections(real_data: Path) -> None:
    acquisition = read_projections(real_data / "spect_monte_carlo" / "iec" / "tomo.dcm")
    assert find_non_uniformity(acquisition) == ()
    (found,) = find_non_uniformity(with_defect(acquisition, 2, slice(60, 65), slice(45, 50), 0.7))
    assert (found.head, found.rows) == (2, 5)
    assert (abs(found.row - 63) <= 1, abs(found.column - 48) <= 1) == (True, True)
    assert found.deviation_percent == pytest.approx(-30.0, abs=6.0)


def test_the_small_phantom_is_uniform(small_spect: Path) -> None:
    acquisition = read_projections(small_spect)
    assert find_non_uniformity(acquisition) == ()
    (found,) = find_non_uniformity(with_defect(acquisition, 1, slice(27, 28), slice(24, 25), 0.0))
    assert (found.row, found.column) == (28, 25)


@pytest.mark.real_data
def test_a_detector_with_many_dead_places_is_told_of(real_data: Path) -> None:
    whole = read_projections(real_data / "spect_monte_carlo" / "iec" / "tomo.dcm")
    counts = whole.counts.copy()
    places = [(row, column) for row in (52, 58, 64, 70) for column in (50, 56, 62, 68, 74)]
    first = slice(0, whole.orbit.views // 2)
    for row, column in places:
        counts[:, first, row : row + 2, column : column + 2] = 0
    found = find_non_uniformity(replace(whole, counts=counts))
    assert len([one for one in found if one.head == 1 and one.deviation_percent < -90]) >= 10
