"""Motion is found where it is, as large as it is; consistent acquisitions raise no alarm, however noisy."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from leukospect.consistency import find_motion
from leukospect.consistency.positions import axial_track, transverse_track
from leukospect.consistency.views import neighbouring_runs, views_of_heads
from leukospect.data import Projections
from leukospect.dicom.read.study import read_projections
from tests.consistency.blobs import Body, Scan, displacement, empty_scan, filled, mean_counts, random_body

TWO_HEADS = Scan()
ONE_HEAD = Scan(stops=48, heads=1, arc_deg=360.0, direction=-1)
AT_90 = Scan(stops=32, apart_deg=90.0, arc_deg=90.0, radius_mm=None)
HALF_TURN = Scan(stops=32, heads=1, start_deg=135.0)


def consistent(scan: Scan, seed: int, total: float, kind: int) -> Projections:
    """A noisy acquisition of a body at rest: filled, with few hot spots, of one point, cut off by the field's ends."""
    rng = np.random.default_rng(seed)
    bodies = (
        lambda: random_body(rng),
        lambda: random_body(rng, hot=6, filling=0.05),
        lambda: random_body(rng, hot=1, filling=0.0),
        lambda: random_body(rng, hot=6, length_mm=700.0),
        lambda: random_body(rng, hot=6, length_mm=400.0, off_mm=90.0),
    )
    empty = empty_scan(scan)
    return filled(empty, mean_counts(bodies[kind](), empty, total), rng)


@pytest.mark.parametrize("scan", [TWO_HEADS, ONE_HEAD, AT_90, HALF_TURN])
@pytest.mark.parametrize("kind", range(5))
def test_no_alarm_without_motion(scan: Scan, kind: int) -> None:
    for seed, total in enumerate((1e5, 1e6, 1e7)):
        assert find_motion(consistent(scan, 20 + seed, total, kind)) == ()


@pytest.mark.parametrize("pixels", [1, 2, -3])
@pytest.mark.parametrize("scan", [TWO_HEADS, ONE_HEAD, AT_90])
def test_a_shift_along_the_axis_is_found_where_it_is_and_as_large(scan: Scan, pixels: int) -> None:
    rng = np.random.default_rng(5)
    empty, body = empty_scan(scan), random_body(rng, hot=5)
    shift_mm = pixels * scan.pixel_mm[0]
    # towards the feet is down in z
    counts = mean_counts(body, empty, 2e6, displaced=displacement(empty, 14, (0.0, 0.0, -shift_mm)))
    (found,) = find_motion(filled(empty, counts, rng))
    assert (found.kind, found.first_view, found.last_view) == ("axial motion", 15, None)
    assert found.heads == tuple(range(1, scan.heads + 1))
    assert found.size == pytest.approx(shift_mm, abs=4 * found.uncertainty + 0.05 * abs(shift_mm))
    assert found.uncertainty < 0.25 * scan.pixel_mm[0]
    assert ("feet" if pixels > 0 else "head") in found.sentence()


@pytest.mark.parametrize("pixels", [1, -2, 3])
@pytest.mark.parametrize("scan", [TWO_HEADS, ONE_HEAD, AT_90])
def test_a_shift_across_the_axis_is_found_where_it_is_and_as_large(scan: Scan, pixels: int) -> None:
    rng = np.random.default_rng(6)
    empty, body = empty_scan(scan), random_body(rng, hot=5)
    angle, shift_mm = np.deg2rad(empty.orbit.angles_deg[14]), pixels * scan.pixel_mm[1]
    along_columns = (-np.cos(angle) * shift_mm, np.sin(angle) * shift_mm, 0.0)
    found = find_motion(
        filled(empty, mean_counts(body, empty, 4e6, displaced=displacement(empty, 14, along_columns)), rng)
    )
    told = [f for f in found if 1 in f.heads]
    assert [(f.kind, f.first_view, f.last_view) for f in told] == [("transverse motion", 15, None)]
    assert told[0].size == pytest.approx(shift_mm, abs=4 * told[0].uncertainty + 0.25 * scan.pixel_mm[1])
    # heads that face each other see it both; at right angles only the first one looks across it
    assert told[0].heads == ((1, 2) if scan.apart_deg == 180.0 and scan.heads == 2 else (1,))
    assert len(found) == 1


def test_who_moves_and_comes_back_is_told_with_the_views() -> None:
    rng = np.random.default_rng(8)
    empty, body = empty_scan(TWO_HEADS), random_body(rng, hot=5)
    away = displacement(empty, 12, (0.0, 0.0, 15.0), until=15)
    (found,) = find_motion(filled(empty, mean_counts(body, empty, 2e6, displaced=away), rng))
    assert (found.kind, found.first_view, found.last_view) == ("axial motion", 13, 15)
    assert found.size == pytest.approx(-15.0, abs=2.0)
    assert "In views 13 to 15, heads 1 and 2" in found.sentence()


def test_what_one_of_two_heads_sees_is_that_heads() -> None:
    rng = np.random.default_rng(9)
    empty, body = empty_scan(TWO_HEADS), random_body(rng, hot=5)
    shifted = displacement(empty, 12, (0.0, 0.0, -24.0))
    shifted[: TWO_HEADS.stops] = 0.0
    (found,) = find_motion(filled(empty, mean_counts(body, empty, 2e6, displaced=shifted), rng))
    assert (found.heads, found.heads_looking, found.first_view) == ((2,), 2, 13)
    assert "the other head does not" in found.sentence()


def test_too_few_counts_say_nothing_and_never_a_wrong_thing() -> None:
    rng = np.random.default_rng(10)
    empty, body = empty_scan(TWO_HEADS), random_body(rng, hot=0, length_mm=700.0)
    counts = mean_counts(body, empty, 2e4, displaced=displacement(empty, 14, (0.0, 0.0, 6.0)))
    assert find_motion(filled(empty, counts, rng)) == ()


def test_a_lost_view_a_short_view_and_a_dead_head() -> None:
    acquisition = consistent(TWO_HEADS, 3, 2e6, 0)
    counts, rng = acquisition.counts.copy(), np.random.default_rng(11)
    counts[:, 7] = 0.0
    counts[:, 40] = rng.binomial(counts[:, 40].astype(int), 0.6)
    lost, short = find_motion(replace(acquisition, counts=counts))
    assert (lost.kind, lost.heads, lost.first_view, lost.last_view, lost.size) == ("counts", (1,), 8, 8, -100.0)
    assert (short.kind, short.heads, short.first_view, short.last_view) == ("counts", (2,), 11, 11)
    assert short.size == pytest.approx(-40.0, abs=5.0)
    counts[:, 30:] = 0.0
    found = find_motion(replace(acquisition, counts=counts))
    assert [(f.kind, f.heads) for f in found] == [("no counts", (2,)), ("counts", (1,))]


def test_a_view_that_counted_longer_as_recorded_and_decay_are_no_change() -> None:
    rng = np.random.default_rng(12)
    longer = empty_scan(replace(TWO_HEADS, seconds=400.0))  # 3.3 h of Tc-99m: the last views hold a third less
    duration = longer.view_duration_s.copy()
    duration[[20, 50]] *= 2.0
    longer = replace(longer, view_duration_s=duration)
    counts = mean_counts(random_body(rng), longer, 3e6)
    assert find_motion(filled(longer, counts, rng)) == ()
    unrecorded = replace(longer, view_duration_s=np.full(duration.size, 400.0))
    assert [(f.kind, f.heads, f.first_view) for f in find_motion(filled(unrecorded, counts, rng))] == [
        ("counts", (1,), 21),
        ("counts", (2,), 21),
    ]


def test_an_empty_acquisition_says_nothing() -> None:
    assert find_motion(empty_scan(TWO_HEADS)) == ()


def test_positions_are_known_as_well_as_they_say() -> None:
    """Over many draws the tracks scatter by the standard deviation that they give."""
    rng = np.random.default_rng(13)
    empty = empty_scan(Scan(stops=12, heads=1, arc_deg=24.0))
    counts = mean_counts(random_body(rng, hot=4), empty, 4e5)
    for track in (axial_track, transverse_track):
        drawn = [track(rng.poisson(counts).astype(np.float64)) for _ in range(150)]
        steps = np.array([np.diff(one.position) for one in drawn])
        said = np.mean([np.hypot(one.sigma[1:], one.sigma[:-1]) for one in drawn])
        assert float(np.sqrt(steps.var(axis=0).mean())) == pytest.approx(float(said), rel=0.15)


def test_rows_cut_off_at_the_side_are_left_out_of_the_centre_of_mass() -> None:
    body = Body(
        np.array([[0.0, 0.0, 60.0], [225.0, 0.0, -60.0]]), np.array([8.0, 8.0]), np.array([1.0, 9.0]), (300.0, 300.0)
    )
    empty = empty_scan(Scan(stops=20, heads=1, arc_deg=60.0, start_deg=150.0, radius_mm=320.0))
    counts = mean_counts(body, empty, 1e7)
    assert np.abs(transverse_track(counts).position).max() < 0.1
    assert transverse_track(counts).sigma.max() < 0.1
    # of the cut rows alone only a few counts far from the spot are left
    assert transverse_track(counts[:, 24:]).sigma.min() > 3.0


def test_heads_and_runs() -> None:
    assert [list(head[:2]) for head in views_of_heads(empty_scan(TWO_HEADS))] == [[0, 1], [30, 31]]
    untimed = replace(empty_scan(ONE_HEAD), view_start_s=np.zeros(48))
    assert [head.size for head in views_of_heads(untimed)] == [48]
    there_and_back = np.array([350.0, 355.0, 0.0, 5.0, 90.0, 95.0, 100.0])
    assert neighbouring_runs(there_and_back) == (slice(0, 4), slice(4, 7))


@pytest.mark.real_data
@pytest.mark.parametrize(("axis", "pixels", "kind"), [(2, 2, "axial motion"), (3, 1, "transverse motion")])
def test_monte_carlo_projections(real_data: Path, axis: int, pixels: int, kind: str) -> None:
    acquisition = read_projections(real_data / "spect_monte_carlo" / "iec" / "tomo.dcm")
    assert find_motion(acquisition) == ()
    counts = acquisition.counts.copy()
    for number, views in enumerate(views_of_heads(acquisition)):
        opposite = -1 if axis == 3 and number == 1 else 1  # the other head's columns run the other way
        counts[:, views[22:]] = np.roll(counts[:, views[22:]], opposite * pixels, axis=axis)
    (found,) = find_motion(replace(acquisition, counts=counts))
    assert (found.kind, found.heads, found.first_view, found.last_view) == (kind, (1, 2), 23, None)
    assert found.size == pytest.approx(pixels * 4.8, abs=0.5)


def test_the_small_phantom_rests(small_spect: Path) -> None:
    acquisition = read_projections(small_spect)
    assert find_motion(acquisition) == ()
    counts = acquisition.counts.copy()
    for views, sign in zip(views_of_heads(acquisition), (1, -1), strict=True):
        counts[:, views[10:]] = np.roll(counts[:, views[10:]], 2 * sign, axis=3)
    (found,) = find_motion(replace(acquisition, counts=counts))
    assert (found.kind, found.heads, found.first_view) == ("transverse motion", (1, 2), 11)
    assert found.size == pytest.approx(2 * 9.6, abs=2.0)
