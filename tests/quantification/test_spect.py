"""Uptake in a reconstruction with known values."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from leukospect.data import Geometry, Image
from leukospect.errors import GeometryError, InputError
from leukospect.physics.decay import decay_factor
from leukospect.quantification.comparison import ratio
from leukospect.quantification.labels import region_of_label
from leukospect.quantification.spect import SpectSamples, common_thresholds, measure_spect, region_means

GRID = Geometry.axial((3, 4, 5), (-5.0, 4.0, 2.0), (-4.0, -6.0, 20.0), "1.2")


def labels_and_image() -> tuple[Image, Image]:
    labels = np.zeros(GRID.shape, dtype=np.uint8)
    labels[1, 1:3, 1:3] = 1
    labels[2, 0, 3:] = 2
    values = np.zeros(GRID.shape, dtype=np.float32)
    values[1, 1, 1], values[1, 1, 2], values[1, 2, 1], values[1, 2, 2] = 2.0, 4.0, 10.0, 8.0
    values[2, 0, 3:] = 3.0
    return Image(labels, GRID, "label"), Image(values, GRID, "counts/s/mL")


def test_mean_maximum_place_and_size_are_the_known_ones() -> None:
    labels, image = labels_and_image()
    regions = (
        region_of_label(labels, 1, name="plate", role="lesion", reference="marrow"),
        region_of_label(labels, 2, name="marrow", role="reference"),
    )
    factor = 1 / decay_factor(6.0072 * 3600, 4 * 3600)
    plate, marrow = measure_spect(
        image,
        labels,
        regions,
        time_point="delayed",
        hours=4.0,
        decay_to_injection=factor,
        common_threshold_fraction=0.5,
    )
    assert plate.mean.value == pytest.approx(6.0 * 2 ** (4 / 6.0072))
    assert plate.raw_mean == pytest.approx(6.0)
    assert plate.maximum == pytest.approx(10.0 * factor)
    assert plate.hottest_mm == pytest.approx((-4.0 + 2.0, -6.0 + 8.0, 20.0 - 5.0))
    assert plate.size == pytest.approx(2 * 0.040)
    assert (plate.unit, plate.size_unit, plate.modality) == ("counts/s/mL", "mL", "spect")
    assert math.isnan(plate.mean.low)
    assert marrow.raw_mean == pytest.approx(3.0)
    assert ratio(plate, marrow).ratio.value == pytest.approx(2.0)


def test_sizes_at_two_times_share_one_decay_corrected_threshold() -> None:
    labels, late = labels_and_image()
    regions = (region_of_label(labels, 1, name="plate", role="lesion"),)
    thresholds = common_thresholds(late, labels, regions, decay_to_injection=10.0, fraction=0.4)
    assert thresholds == {"plate": pytest.approx(40.0)}
    # The raw early image is hotter, but once decay is taken out only two voxels reach the threshold.
    early = Image(np.asarray(late.array) * 2.5, GRID, late.unit)
    (at_early,) = measure_spect(
        early, labels, regions, time_point="early", hours=1.0, decay_to_injection=2.0, thresholds=thresholds
    )
    (at_late,) = measure_spect(
        late, labels, regions, time_point="late", hours=24.0, decay_to_injection=10.0, thresholds=thresholds
    )
    assert at_early.size == pytest.approx(2 * 0.040)
    assert at_late.size == pytest.approx(3 * 0.040)
    (without,) = measure_spect(late, labels, regions, time_point="late", hours=24.0, thresholds={})
    assert math.isnan(without.size)


def test_noise_shared_by_lesion_and_reference_leaves_the_ratio() -> None:
    labels, image = labels_and_image()
    regions = (
        region_of_label(labels, 1, name="plate", role="lesion", reference="marrow"),
        region_of_label(labels, 2, name="marrow", role="reference"),
    )
    generator = np.random.default_rng(3)
    shared = np.exp(generator.normal(0.0, 0.2, size=12))
    own = np.exp(generator.normal(0.0, 0.01, size=12))
    replicates = [np.array([6.0 * s * o, 3.0 * s]) for s, o in zip(shared, own, strict=True)]
    plate, marrow = measure_spect(image, labels, regions, time_point="late", hours=24.0, replicates=replicates)
    result = ratio(plate, marrow, SpectSamples.collect(regions, replicates)).ratio
    spread = float(np.log(own).std(ddof=1))
    assert result.standard_deviation == pytest.approx(2.0 * spread)
    assert result.high == pytest.approx(2.0 * math.exp(float(stats.t.ppf(0.975, 11)) * spread))
    assert plate.mean.standard_deviation > 10 * result.standard_deviation


def test_region_means_follow_the_regions_order() -> None:
    labels, image = labels_and_image()
    regions = (
        region_of_label(labels, 2, name="marrow", role="reference"),
        region_of_label(labels, 1, name="plate", role="lesion"),
    )
    assert region_means(image.array, labels.array, regions) == pytest.approx([3.0, 6.0])


def test_what_does_not_fit_is_refused() -> None:
    labels, image = labels_and_image()
    regions = (region_of_label(labels, 1, name="plate", role="lesion"),)
    other = Geometry.axial(GRID.shape, (-5.0, 4.0, 2.0), (-3.0, -6.0, 20.0))
    with pytest.raises(GeometryError, match="different grids"):
        measure_spect(Image(image.array, other), labels, regions, time_point="late", hours=24.0)
    with pytest.raises(InputError, match="decay factor"):
        measure_spect(image, labels, regions, time_point="late", hours=24.0, decay_to_injection=0.0)
    with pytest.raises(InputError, match="2 means do not fit 1 regions"):
        measure_spect(image, labels, regions, time_point="late", hours=24.0, replicates=[np.ones(2)])
