"""What choosing a region in a noisy image puts on its mean, and that resampled images tell it."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from leukospect.data import Geometry, Image
from leukospect.quantification.comparison import change, ratio
from leukospect.quantification.labels import label_image, region_of_label
from leukospect.quantification.measurements import Region
from leukospect.quantification.selection import excesses, grown_regions, smoothed_for_growing
from tests.quantification.making import planar_measurement

GRID = Geometry.axial((14, 16, 16), (-5.0, 5.0, 5.0), (0.0, 0.0, 0.0))


def truth() -> NDArray[np.float64]:
    places = np.indices(GRID.shape) - np.array([7, 8, 8])[:, None, None, None]
    return np.asarray(2.0 + 4.0 * np.exp(-0.5 * (places**2).sum(axis=0) / 2.0**2), np.float64)


def noisy(mean: NDArray[np.float64], rng: np.random.Generator, size: float) -> Image:
    """Noise that neighbours share, in proportion to the root of the mean, as a reconstruction's."""
    shared = ndimage.gaussian_filter(rng.normal(size=GRID.shape), 0.8)
    array = mean + size * np.sqrt(np.maximum(mean, 0.0)) * shared / shared.std()
    return Image(np.maximum(array, 0.0).astype(np.float32), GRID, "counts/s/mL")


def found(image: Image) -> tuple[Image, tuple[Region, ...]]:
    """Take what hangs together with the hottest place above two fifths of its height."""
    smooth = smoothed_for_growing(image)
    peak = np.unravel_index(int(smooth.argmax()), smooth.shape)
    parts, _ = ndimage.label(smooth > 0.6 * smooth[peak])
    labels = label_image((parts == parts[peak]).astype(np.uint16), GRID)
    return labels, (region_of_label(labels, 1, name="plate", role="lesion", reference="marrow"),)


@pytest.mark.parametrize("size", [0.2, 0.8])
def test_resampled_images_tell_what_choosing_the_region_put_on_its_mean(size: float) -> None:
    rng, put_on, told, elsewhere = np.random.default_rng(2), [], [], []
    mean = truth()
    for _ in range(40):
        image = noisy(mean, rng, size)
        labels, regions = found(image)
        inside = labels.array == 1
        put_on.append(math.log(image.array[inside].mean() / mean[inside].mean()))
        elsewhere.append(math.log(noisy(mean, rng, size).array[inside].mean() / mean[inside].mean()))
        grown = grown_regions(image, labels, regions)
        replicates = [noisy(image.array.astype(float), rng, size) for _ in range(8)]
        told.append(float(np.mean([excesses(grown, each)["plate"] for each in replicates])))
    error = float(np.std(put_on)) / math.sqrt(len(put_on))
    assert np.mean(put_on) > 3 * error
    assert abs(np.mean(elsewhere)) < np.mean(put_on) / 2
    allowed = 0.4 * float(np.mean(put_on)) + 2 * error
    assert float(np.mean(told)) == pytest.approx(float(np.mean(put_on)), abs=allowed)


def test_growing_again_without_noise_gives_the_same_region() -> None:
    image = Image(truth().astype(np.float32), GRID, "counts/s/mL")
    labels, regions = found(image)
    grown = grown_regions(image, labels, regions)["plate"]
    assert grown.excess(smoothed_for_growing(image), np.asarray(image.array)) == 0.0
    twice = replace(image, array=2 * np.asarray(image.array, np.float32))
    assert excesses({"plate": grown}, twice)["plate"] == pytest.approx(math.log(2.0))
    reference = replace(regions[0], role="reference")
    assert grown_regions(image, labels, (reference,)) == {}


def test_the_bias_is_taken_off_the_ratio_and_the_change_and_widens_them() -> None:
    lesion, marrow = planar_measurement("plate", "late", 9000.0), planar_measurement("marrow", "late", 9000.0)
    chosen = replace(lesion, selection_bias=math.log(1.25))
    plain, unbiased = ratio(lesion, marrow), ratio(chosen, marrow)
    assert unbiased.ratio.value == pytest.approx(plain.ratio.value / 1.25)
    added = 1.959964 * 0.4 * math.log(1.25)
    reach, before = (math.log(one.ratio.high / one.ratio.value) for one in (unbiased, plain))
    assert reach == pytest.approx(math.hypot(before, added))
    early, early_marrow = (
        planar_measurement("plate", "delayed", 9000.0),
        planar_measurement("marrow", "delayed", 9000.0),
    )
    grown = change(ratio(early, early_marrow), unbiased, early, chosen)
    assert grown.change.value == pytest.approx(1 / 1.25 - 1)
    assert grown.own_change.value == pytest.approx(1 / 1.25 - 1)
