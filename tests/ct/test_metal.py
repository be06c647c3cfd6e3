"""Metal is found inside the patient, its streaks fall, and nothing else changes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pydicom
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from leukospect.ct.body import body_outline
from leukospect.ct.metal import reduce_metal
from leukospect.data import AcquisitionHeader, CtSeries, Geometry, Image
from leukospect.errors import GeometryError, InputError
from tests.ct.polychromatic_slice import NAILS, Ellipse, thigh_slice

PIXEL_MM = 1.1


def _ct(array: NDArray[np.generic], spacing_mm: tuple[float, float, float] = (2.0, PIXEL_MM, PIXEL_MM)) -> CtSeries:
    shape = (array.shape[0], array.shape[1], array.shape[2])
    geometry = Geometry.axial(shape, spacing_mm, (-110.0, -240.0, 55.0))
    return CtSeries(Image(array, geometry, "HU"), AcquisitionHeader("CT"), kvp=110.0)


def _thigh_on_a_couch() -> NDArray[np.int16]:
    """Two thighs of unlike size over a thin shell, a wire beside the skin; int16, two slices, 1 mm by 1.5 mm pixels."""
    y, x = np.meshgrid(np.arange(160) * 1.0, np.arange(200) * 1.5, indexing="ij")
    hu = np.full((160, 200), -1000, dtype=np.int16)
    hu[np.hypot(x - 80, y - 70) < 55] = 40
    hu[np.hypot(x - 215, y - 75) < 42] = 40
    hu[(np.abs(y - 140) < 2) & (x > 20) & (x < 280)] = 200
    return np.stack([hu, hu])


def test_the_body_is_filled_and_leaves_the_couch_out() -> None:
    array = _thigh_on_a_couch()
    array[:, 60:80, 40:60] = -900
    body = body_outline(_ct(array, (2.0, 1.0, 1.5)).image)
    thighs = (_thigh_on_a_couch() == 40).sum()
    assert body[:, 60:80, 40:60].all()
    assert not body[:, 135:].any()
    assert body.sum() == pytest.approx(thighs, rel=0.05)


def test_streaks_fall_where_they_are_and_other_slices_keep_every_bit() -> None:
    seen, truth, metal = thigh_slice(NAILS)
    clean, _, _ = thigh_slice(())
    stack = np.stack([clean, seen, clean])
    reduction = reduce_metal(_ct(stack), threads=2)
    reduced = reduction.image.array.astype(np.float32)
    assert reduction.image.array.dtype == np.float32

    assert reduction.slices == (1,)
    assert reduction.method == "linear"
    np.testing.assert_array_equal(reduced[[0, 2]], stack[[0, 2]])
    (measure,) = reduction.measures
    assert measure.corrected
    assert measure.after_hu < 0.93 * measure.before_hu

    found = np.asarray(reduction.metal.array[1], dtype=bool)
    assert 2.0 * np.sum(found & metal) / (found.sum() + metal.sum()) > 0.9
    np.testing.assert_array_equal(reduced[1][found], seen[found])
    outside = ~body_outline(reduction.image)[1]
    np.testing.assert_array_equal(reduced[1][outside], seen[outside])

    # Against the truth, away from the skin and from the metal's own blurred edge.
    flat = ndimage.binary_erosion(truth == 40, iterations=3)
    between = flat & (np.abs(_distance_to_line(flat.shape)) < 6.0)

    def error(values: NDArray[np.float32], where: NDArray[np.bool_]) -> float:
        return float(np.sqrt(np.mean((values[where] - truth[where]) ** 2)))

    floor = error(clean, flat)
    assert error(reduced[1], flat) - floor < 0.4 * (error(seen, flat) - floor)
    assert error(reduced[1], between) < 0.5 * error(seen, between)


def _distance_to_line(shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Distance of each pixel from the line through both nails, mm."""
    (x0, y0), (x1, y1) = NAILS[0].centre_mm, NAILS[1].centre_mm
    rows, columns = np.indices(shape)
    y, x = (rows - shape[0] // 2) * PIXEL_MM, (columns - shape[1] // 2) * PIXEL_MM
    distance: NDArray[np.float64] = ((x - x0) * (y1 - y0) - (y - y0) * (x1 - x0)) / np.hypot(x1 - x0, y1 - y0)
    return distance


def test_a_slice_that_does_not_gain_stays_as_it_was() -> None:
    """Metal drawn into a clean image has no streaks; tissue in line with it would only be blurred."""
    array = np.full((1, 160, 160), -1000.0, dtype=np.float32)
    y, x = np.meshgrid(np.arange(160) - 80.0, np.arange(160) - 75.0, indexing="ij")
    array[0, np.hypot(y, x) < 60] = 30.0
    array[0, (np.hypot(y, x) < 50) & (np.hypot(y, x) > 42)] = 900.0
    array[0, np.hypot(y - 12, x) < 5] = 3071.0
    reduction = reduce_metal(_ct(array))
    np.testing.assert_array_equal(reduction.image.array, array)
    assert reduction.slices == ()
    (measure,) = reduction.measures
    assert not measure.corrected
    assert measure.after_hu >= measure.before_hu


def test_the_result_does_not_depend_on_threads_or_on_the_neighbours() -> None:
    one, _, _ = thigh_slice(NAILS, size=128, pixel_mm=1.6)
    other, _, _ = thigh_slice((Ellipse((10.0, 20.0), (6.0, 9.0), "metal", 8000.0),), size=128, pixel_mm=1.6)
    spacing = (3.0, 1.6, 1.6)
    fractions: list[float] = []
    single = reduce_metal(_ct(np.stack([one, other, one]), spacing), threads=1, progress=fractions.append)
    double = reduce_metal(_ct(np.stack([one, other, one]), spacing), threads=3)
    np.testing.assert_array_equal(single.image.array, double.image.array)
    np.testing.assert_array_equal(single.image.array[0], single.image.array[2])
    assert single.slices == (0, 1, 2)
    assert fractions == pytest.approx([1 / 3, 2 / 3, 1.0])


def test_non_square_pixels_are_handled() -> None:
    seen, truth, _ = thigh_slice(NAILS, size=192)
    # Every two rows averaged: the same slice with pixels twice as high.
    low, low_truth = (image.reshape(96, 2, 192).mean(axis=1) for image in (seen, truth))
    reduction = reduce_metal(_ct(low[None].astype(np.float32), (2.0, 2.2, 1.1)))
    flat = ndimage.binary_erosion(low_truth == 40, iterations=3)
    before, after = low[flat] - 40.0, reduction.image.array[0][flat].astype(np.float64) - 40.0
    assert reduction.slices == (0,)
    assert np.std(after) < 0.75 * np.std(before)


def test_what_cannot_be_reduced_is_refused() -> None:
    ct = _ct(np.zeros((2, 8, 8), dtype=np.float32))
    with pytest.raises(InputError, match="linear"):
        reduce_metal(ct, method="magic")
    sagittal = np.array([[2.0, 0, 0, 0], [0, 0, 1.0, 0], [0, -1.0, 0, 0], [0, 0, 0, 1]])
    with pytest.raises(GeometryError, match="axial"):
        reduce_metal(
            CtSeries(Image(ct.image.array, Geometry(ct.image.geometry.shape, sagittal), "HU"), ct.header, kvp=120.0)
        )


@pytest.mark.real_data
def test_an_abdomen_without_metal_is_unchanged(real_data: Path) -> None:
    slices = [pydicom.dcmread(path) for path in sorted((real_data / "ct" / "siemens_mct_abdomen").iterdir())]
    slices.sort(key=lambda d: float(d.ImagePositionPatient[2]))
    array = np.stack([d.pixel_array * float(d.RescaleSlope) + float(d.RescaleIntercept) for d in slices])
    reduction = reduce_metal(_ct(array.astype(np.float32), (2.0, 0.9765625, 0.9765625)))
    assert not reduction.metal.array.any()
    assert not reduction.slices
    assert not reduction.measures
    np.testing.assert_array_equal(reduction.image.array, array)
