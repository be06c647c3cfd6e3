"""Ratios and changes of known uptake."""

from __future__ import annotations

import math

import numpy as np
import pytest

from leukospect.errors import AssumptionWarning, InputError
from leukospect.quantification.comparison import Deviations, all_changes, all_ratios, change, ratio
from leukospect.quantification.measurements import Change
from tests.quantification.making import planar_measurement, region


def changed(lesion: tuple[float, float], reference: tuple[float, float], hours: float | None = None) -> Change:
    (lesion_1, lesion_2), (reference_1, reference_2) = (
        [planar_measurement(name, "delayed", pair[0], hours=hours), planar_measurement(name, "late", pair[1])]
        for name, pair in (("plate", lesion), ("marrow", reference))
    )
    return change(ratio(lesion_1, reference_1), ratio(lesion_2, reference_2), lesion_1, lesion_2)


def test_a_change_has_its_known_value_and_interval() -> None:
    result = changed((10_000, 15_000), (8_000, 6_000))
    spread = math.sqrt(1 / 10_000 + 1 / 15_000 + 1 / 8_000 + 1 / 6_000)
    assert result.change.value == pytest.approx(1.0)
    assert result.change.low == pytest.approx(2 * math.exp(-1.96 * spread) - 1, rel=1e-3)
    assert result.own_change.value == pytest.approx(0.5)
    assert np.quantile(result.samples, (0.025, 0.975)) == pytest.approx(
        (result.change.low, result.change.high), abs=0.01
    )
    assert result.samples == changed((10_000, 15_000), (8_000, 6_000)).samples
    assert not result.disagreement


def test_a_falling_reference_is_marked_where_the_lesion_falls_too() -> None:
    result = changed((10_000, 8_000), (8_000, 4_000))
    assert result.change.low > 0
    assert result.own_change.high < 0
    assert result.disagreement
    assert not changed((100, 95), (8_000, 4_000)).disagreement


def test_without_the_time_since_injection_there_is_no_own_change() -> None:
    result = changed((10_000, 8_000), (8_000, 4_000), hours=math.nan)
    assert math.isnan(result.own_change.value)
    assert not result.disagreement
    assert result.change.value == pytest.approx(0.6)


def test_no_counts_give_no_change() -> None:
    result = changed((0, 50), (0, 80))
    assert math.isnan(result.change.value)
    assert result.samples == ()


def test_uptake_where_none_was_seen_is_growth_without_an_upper_limit() -> None:
    result = changed((0, 50), (80, 80))
    assert (result.change.value, result.change.high) == (math.inf, math.inf)
    # Three counts are the most that can have been there.
    assert 5 < result.change.low < 50 / 3
    gone = changed((50, 0), (80, 80))
    assert (gone.change.value, gone.change.low) == (-1.0, -1.0)
    assert gone.change.high < -0.8


def test_misalignment_widens_what_rules_rest_on_and_not_the_interval_of_counting() -> None:
    lesion = [planar_measurement("plate", "delayed", 900.0), planar_measurement("plate", "late", 1300.0)]
    marrow = [planar_measurement("marrow", "delayed", 2500.0), planar_measurement("marrow", "late", 2500.0)]
    regions = (region("plate", reference="marrow"), region("marrow", "reference", label=2))
    everything = [*lesion, *marrow]
    errors: Deviations = {("plate", "delayed", "planar anterior"): 0.05, ("plate", "late", "planar anterior"): 0.12}
    plain, moved = (all_ratios(everything, regions, None, each) for each in (None, errors))
    assert [one.ratio for one in moved] == [one.ratio for one in plain]
    (counting,), (total,) = (all_changes(each, everything) for each in (plain, moved))
    assert total.change == counting.change == counting.total
    assert total.alignment_deviation == pytest.approx(0.13)
    assert total.change_total is not None
    up = math.log((1 + total.total.high) / (1 + total.total.value))
    counted = math.log((1 + counting.change.high) / (1 + counting.change.value))
    assert up == pytest.approx(math.hypot(counted, 1.959964 * 0.13))
    assert np.std(total.samples) > np.std(counting.samples)


def test_the_size_s_change_is_beside_it() -> None:
    before, after = (
        planar_measurement("plate", "early", 500, size=4.0),
        planar_measurement("plate", "late", 500, size=5.0),
    )
    marrow_1, marrow_2 = planar_measurement("marrow", "early", 500), planar_measurement("marrow", "late", 500)
    ratios = ratio(before, marrow_1), ratio(after, marrow_2)
    assert change(*ratios, before, after).size_change == pytest.approx(0.25)
    gone = planar_measurement("plate", "early", 500, size=0.0)
    assert math.isnan(change(*ratios, gone, after).size_change)


def test_all_pairs_of_times_are_compared_forwards() -> None:
    regions = [region("plate", reference="marrow"), region("nail"), region("marrow", "reference", label=2)]
    measurements = [
        planar_measurement(name, time, 1000)
        for name in ("plate", "nail", "marrow")
        for time in ("late", "early", "delayed")
    ]
    ratios = all_ratios(measurements, regions)
    assert {(r.lesion, r.time_point) for r in ratios} == {("plate", t) for t in ("early", "delayed", "late")}
    pairs = {(c.from_time, c.to_time) for c in all_changes(ratios, measurements)}
    assert pairs == {("early", "delayed"), ("delayed", "late"), ("early", "late")}


def test_what_cannot_be_compared_is_refused() -> None:
    with pytest.raises(InputError, match="at one time in one modality"):
        ratio(planar_measurement("plate", "late", 10), planar_measurement("marrow", "early", 10))
    regions = [region("plate", reference="marrow")]
    with pytest.raises(InputError, match="measured twice"):
        all_ratios([planar_measurement("plate", "late", 10), planar_measurement("plate", "late", 11)], regions)


def test_a_reference_without_counts_gives_no_ratio_and_says_so() -> None:
    with pytest.warns(AssumptionWarning, match="No counts were seen in 'marrow' at the delayed time"):
        result = changed((800, 900), (0, 900))
    assert math.isnan(result.change.value)
    assert result.samples == ()
    # Where few counts are expected none may be seen by chance: that is a bound.
    few = ratio(planar_measurement("plate", "late", 30), planar_measurement("marrow", "late", 0))
    assert 5 < few.ratio.low < 10
    assert math.isinf(few.ratio.high)
