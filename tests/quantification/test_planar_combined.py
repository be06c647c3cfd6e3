"""Geometric mean, background, and misplaced regions of planar views with known counts."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from leukospect.data import AcquisitionHeader, EnergyWindow, Geometry, Image, PlanarImages
from leukospect.errors import InputError
from leukospect.quantification.comparison import all_changes, all_ratios
from leukospect.quantification.labels import label_image, region_of_label
from leukospect.quantification.measurements import Measurement
from leukospect.quantification.misalignment import expected_deviations
from leukospect.quantification.planar import measure_planar
from leukospect.quantification.planar_combined import above_background, drawn_background, geometric_means, rings
from leukospect.quantification.planar_misplaced import effects_in_view, effects_on_geometric_mean, frontal_motions
from tests.quantification.making import region

HALF_LIFE_S = 6.0072 * 3600.0
MASKS = {"plate": np.zeros((24, 30), np.bool_), "marrow": np.zeros((24, 30), np.bool_)}
MASKS["plate"][8:12, 5:9] = True
MASKS["marrow"][8:12, 20:24] = True


def planar(counts: NDArray[np.float64]) -> PlanarImages:
    """Two views (2, rows, columns) whose first pixel lies at the patient's right, and left from behind."""
    rows, columns = counts.shape[1:]
    first = np.array(
        [[-4.0 * (columns - 1) / 2, 0.0, 5.0 * (rows - 1) / 2], [4.0 * (columns - 1) / 2, 0.0, 5.0 * (rows - 1) / 2]]
    )
    return PlanarImages(
        counts[None].astype(np.float32), (EnergyWindow(((129.3, 151.7),), "peak"),), ("anterior", "posterior"),
        (5.0, 4.0), np.array([60.0, 60.0]), AcquisitionHeader("STATIC", frame_of_reference_uid="1.2"), first,
    )  # fmt: skip


def measured(counts: NDArray[np.float64], time: str = "late") -> list[Measurement]:
    return [
        one
        for view in (0, 1)
        for one in measure_planar(
            planar(counts), 0, MASKS, view=view, time_point="late" if time == "late" else "delayed",
            half_life_s=HALF_LIFE_S,
        )
    ]  # fmt: skip


def test_the_geometric_mean_does_not_depend_on_depth() -> None:
    # Uptake at depth d of 20 cm: exp(-mu d) in front, exp(-mu (20 - d)) behind.
    ratios = []
    for depth_cm in (3.0, 9.0, 15.0):
        counts = np.zeros((2, 24, 30))
        for view, path in enumerate((depth_cm, 20.0 - depth_cm)):
            counts[view][MASKS["plate"]] = 4000.0 * math.exp(-0.12 * path)
            counts[view][MASKS["marrow"]] = 1000.0 * math.exp(-0.12 * 10.0)
        both = measured(counts)
        mean = [one for one in all_ratios([*both, *geometric_means(both)], REGIONS) if "geometric" in one.modality]
        ratios.append(mean[0].ratio.value)
    assert ratios == pytest.approx([4.0] * 3, rel=1e-3)


REGIONS = (region("plate", reference="marrow"), region("marrow", "reference", label=2))


def test_the_geometric_mean_is_more_precise_than_a_view_by_the_root_of_two() -> None:
    both = measured(np.full((2, 24, 30), 40.0))
    anterior, mean = (
        next(one.ratio for one in all_ratios([*both, *geometric_means(both)], REGIONS) if one.modality == name)
        for name in ("planar anterior", "planar geometric mean")
    )
    assert math.log(mean.high / mean.value) == pytest.approx(
        math.log(anterior.high / anterior.value) / math.sqrt(2), rel=0.02
    )


def test_a_ring_holds_what_is_near_and_no_region() -> None:
    ring = rings(MASKS, (5.0, 4.0))["plate"]
    rows, columns = np.indices(ring.shape)
    away = np.hypot(
        5.0 * np.maximum(np.maximum(8 - rows, rows - 11), 0), 4.0 * np.maximum(np.maximum(5 - columns, columns - 8), 0)
    )
    np.testing.assert_array_equal(ring, (away > 10.0) & (away <= 25.0))
    close = {**MASKS, "third": np.roll(MASKS["plate"], 7, axis=1)}
    assert not np.any(rings(close, (5.0, 4.0))["plate"] & close["third"])


def test_uptake_above_background_has_the_counting_error_of_both() -> None:
    counts = np.full((2, 24, 30), 10.0)
    counts[:, MASKS["plate"]] = 30.0
    both = measured(counts)[:2]
    around = measure_planar(
        planar(counts), 0, rings(MASKS, (5.0, 4.0)), view=0, time_point="late", half_life_s=HALF_LIFE_S
    )
    plate, marrow = above_background(both, {one.region: one for one in around}, "ring")
    assert plate.modality == "planar anterior above ring"
    per_count = both[0].mean.value / 30.0
    assert plate.mean.value == pytest.approx(20.0 * per_count)
    pixels = rings(MASKS, (5.0, 4.0))["plate"].sum()
    assert plate.mean.standard_deviation == pytest.approx(per_count * math.sqrt(30.0 / 16 + 10.0 / pixels), rel=1e-6)
    assert marrow.mean.low < 0 < marrow.mean.high
    with pytest.raises(InputError, match=r"planar\.background"):
        drawn_background(both, "thigh")
    assert set(drawn_background(both, "marrow")) == {"plate"}


def test_changes_above_background_cover_the_true_one() -> None:
    rng, held = np.random.default_rng(8), []
    for _ in range(150):
        everything: list[Measurement] = []
        for time, uptake in (("delayed", 30.0), ("late", 40.0)):
            mean = np.full((2, 24, 30), 12.0)
            mean[:, MASKS["plate"]] += uptake
            mean[:, MASKS["marrow"]] += 20.0
            drawn = rng.poisson(mean).astype(float)
            point = measured(drawn, time)[:2]
            around = measure_planar(
                planar(drawn), 0, rings(MASKS, (5.0, 4.0)), view=0, time_point=point[0].time_point,
                half_life_s=HALF_LIFE_S,
            )  # fmt: skip
            everything += above_background(point, {one.region: one for one in around}, "ring")
        (found,) = all_changes(all_ratios(everything, REGIONS), everything)
        held.append(found.change.low <= 1 / 3 <= found.change.high)
    assert 0.9 <= np.mean(held) <= 0.99


def labels_of_masks() -> Image:
    grid = Geometry.axial((24, 1, 30), (-5.0, 100.0, 4.0), (-58.0, 0.0, 57.5), "1.2")
    labels = np.zeros((24, 30), np.uint16)
    labels[MASKS["plate"]], labels[MASKS["marrow"]] = 1, 2
    return label_image(labels[:, None, :], grid)


def test_a_misplaced_region_reads_the_pixels_beside_it() -> None:
    slope = np.broadcast_to(100.0 + 10.0 * np.arange(30), (24, 30))
    counts = np.stack([slope, slope[:, ::-1]])
    labels = labels_of_masks()
    drawn = (
        region_of_label(labels, 1, name="plate", role="lesion", reference="marrow"),
        region_of_label(labels, 2, name="marrow", role="reference"),
    )
    effects = [one for view in (0, 1) for one in effects_in_view(planar(counts), 0, view, labels, drawn, "delayed")]
    # A step of 5 mm, the longer edge of a pixel, is one column of 4 mm; where it is looked for further left, the
    # region comes from further right.
    moved = {(one.modality, one.motion): one.mean_change for one in effects if one.region == "plate"}
    assert moved["planar anterior", "+5.0 mm along x"] == pytest.approx(-10.0 / 165.0)
    assert moved["planar anterior", "-5.0 mm along x"] == pytest.approx(10.0 / 165.0)
    assert moved["planar posterior", "+5.0 mm along x"] == pytest.approx(-10.0 / 165.0)
    assert moved["planar anterior", "+5.0 mm along z"] == pytest.approx(0.0, abs=1e-12)
    together = {one.motion: one.mean_change for one in effects_on_geometric_mean(effects) if one.region == "plate"}
    assert together["+5.0 mm along x"] == pytest.approx(-10.0 / 165.0)
    assert len(frontal_motions(5.0, (0.0, 0.0))) == 6
    known = expected_deviations(effects, {("regions", "delayed", "planar anterior"): 2.5})
    assert known["plate", "delayed", "planar posterior"] == pytest.approx(
        2 * known["plate", "delayed", "planar anterior"]
    )
