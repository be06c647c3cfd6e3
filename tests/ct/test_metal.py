"""Metal's streaks fall, nothing else changes, and nothing but the slice itself decides."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pydicom
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from leukospect.ct.body import body_outline
from leukospect.ct.metal import METHODS, reduce_metal
from leukospect.data import AcquisitionHeader, CtSeries, FanGeometry, Geometry, Image
from leukospect.errors import AssumptionWarning, GeometryError, InputError
from leukospect.phantoms.acquisitions import CtAcquisition
from leukospect.phantoms.ct_scanner import CtScanner
from leukospect.phantoms.metal_anatomies import FAMILIES, metal_phantom
from leukospect.phantoms.scanned_anatomy import filled_by_implants
from leukospect.phantoms.scene import scene_of
from tests.ct.hardened_slice import METAL, SECOND_METAL, HardenedSlice, hardened_slice
from tests.ct.polychromatic_slice import NAILS, Ellipse, thigh_slice

PIXEL_MM = 1.1
Array = NDArray[np.generic]


def _ct(array: Array, spacing_mm: tuple[float, float, float] = (2.0, PIXEL_MM, PIXEL_MM)) -> CtSeries:
    shape = (array.shape[0], array.shape[1], array.shape[2])
    geometry = Geometry.axial(shape, spacing_mm, (-110.0, -240.0, 55.0))
    return CtSeries(Image(array, geometry, "HU"), AcquisitionHeader("CT"), kvp=110.0)


def _small(*images: Array, pixel_mm: float = 1.0) -> CtSeries:
    return _ct(np.stack(images), (2.5, pixel_mm, pixel_mm))


def _rms(values: Array) -> float:
    return float(np.sqrt(np.mean(np.asarray(values, dtype=np.float64) ** 2)))


def _thigh_on_a_couch() -> NDArray[np.int16]:
    """Two thighs of unlike size over a thin shell; int16, two slices, 1 mm by 1.5 mm pixels."""
    y, x = np.meshgrid(np.arange(160) * 1.0, np.arange(200) * 1.5, indexing="ij")
    hu = np.full((160, 200), -1000, dtype=np.int16)
    hu[np.hypot(x - 80, y - 70) < 55] = 40
    hu[np.hypot(x - 215, y - 75) < 42] = 40
    hu[(np.abs(y - 140) < 2) & (x > 20) & (x < 280)] = 200
    return np.stack([hu, hu])


@pytest.fixture(scope="module")
def nailed() -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.bool_]]:
    return thigh_slice(NAILS)


@pytest.fixture(scope="module")
def hardened() -> HardenedSlice:
    return hardened_slice((METAL, SECOND_METAL))


def test_the_body_is_filled_and_leaves_the_couch_out() -> None:
    array = _thigh_on_a_couch()
    array[:, 60:80, 40:60] = -900
    body = body_outline(_ct(array, (2.0, 1.0, 1.5)).image)
    thighs = (_thigh_on_a_couch() == 40).sum()
    assert body[:, 60:80, 40:60].all()
    assert not body[:, 135:].any()
    assert body.sum() == pytest.approx(thighs, rel=0.05)


@pytest.mark.parametrize("method", METHODS)
def test_streaks_fall_where_they_are_and_other_slices_keep_every_bit(
    method: str, nailed: tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.bool_]]
) -> None:
    seen, truth, metal = nailed
    clean, _, _ = thigh_slice(())
    stack = np.stack([clean, seen, clean])
    given = stack.copy()
    reduction = reduce_metal(_ct(stack), method=method, threads=2)
    reduced = np.asarray(reduction.image.array, dtype=np.float32)
    np.testing.assert_array_equal(stack, given)
    assert reduction.image.array.dtype == np.float32
    assert reduction.metal.array.dtype == np.uint8
    assert (reduction.slices, reduction.method, reduction.rays) == ((1,), method, "parallel")
    np.testing.assert_array_equal(reduced[[0, 2]], stack[[0, 2]])
    (measure,) = reduction.measures
    assert measure.before is not None
    assert measure.after is not None
    assert measure.after.streaks_hu < 0.95 * measure.before.streaks_hu

    found = np.asarray(reduction.metal.array[1], dtype=bool)
    assert 2.0 * np.sum(found & metal) / (found.sum() + metal.sum()) > 0.9
    np.testing.assert_array_equal(reduced[1][found], seen[found])
    outside = ~body_outline(_ct(stack).image)[1]
    np.testing.assert_array_equal(reduced[1][outside], seen[outside])

    # Against the truth, away from the skin and from the metal's own blurred edge.
    flat = ndimage.binary_erosion(truth == 40, iterations=3)
    between = flat & (np.abs(_distance_to_line(flat.shape)) < 6.0)
    floor = _rms((clean - truth)[flat])
    assert _rms((reduced[1] - truth)[flat]) - floor < 0.6 * (_rms((seen - truth)[flat]) - floor)
    assert _rms((reduced[1] - truth)[between]) < 0.6 * _rms((seen - truth)[between])


def _distance_to_line(shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Distance of each pixel from the line through both nails, mm."""
    (x0, y0), (x1, y1) = NAILS[0].centre_mm, NAILS[1].centre_mm
    rows, columns = np.indices(shape)
    y, x = (rows - shape[0] // 2) * PIXEL_MM, (columns - shape[1] // 2) * PIXEL_MM
    distance: NDArray[np.float64] = ((x - x0) * (y1 - y0) - (y - y0) * (x1 - x0)) / np.hypot(x1 - x0, y1 - y0)
    return distance


def test_whole_numbers_stay_whole_where_nothing_changes(hardened: HardenedSlice) -> None:
    clean = np.rint(hardened.truth_hu).astype(np.int16)
    seen = np.rint(np.clip(hardened.scanned_hu, -1024, 30710)).astype(np.int16)
    stack = np.stack([clean, seen, clean])
    whole, floating = (reduce_metal(_small(*stack.astype(kind))) for kind in (np.int16, np.float32))
    assert whole.slices == (1,)
    np.testing.assert_array_equal(whole.image.array[[0, 2]], stack[[0, 2]])
    np.testing.assert_array_equal(whole.image.array, floating.image.array)


def test_a_slice_that_does_not_gain_stays_as_it_was() -> None:
    """Metal drawn into a clean image has no streaks; tissue in line with it would only be blurred."""
    array = np.full((1, 160, 160), -1000.0, dtype=np.float32)
    y, x = np.meshgrid(np.arange(160) - 80.0, np.arange(160) - 75.0, indexing="ij")
    array[0, np.hypot(y, x) < 60] = 30.0
    array[0, (np.hypot(y, x) < 50) & (np.hypot(y, x) > 42)] = 900.0
    array[0, np.hypot(y - 12, x) < 5] = 3071.0
    for method in METHODS:
        reduction = reduce_metal(_ct(array), method=method)
        np.testing.assert_array_equal(reduction.image.array, array)
        assert reduction.slices == ()
        (measure,) = reduction.measures
        assert not measure.corrected
        assert measure.before == measure.after


@pytest.mark.parametrize("top_hu", [3071.0, 30710.0])
def test_a_short_scale_and_a_long_one_are_both_reduced(hardened: HardenedSlice, top_hu: float) -> None:
    seen = np.clip(hardened.scanned_hu, -1024.0, top_hu)
    reduction = reduce_metal(_small(seen))
    assert reduction.slices == (0,)
    soft = hardened.soft_tissue
    assert hardened.error_hu(reduction.image.array[0], soft) < 0.6 * hardened.error_hu(seen, soft)


def test_the_result_depends_on_the_slice_alone() -> None:
    """Not on threads, on the order of slices, or on the metal of the slices beside."""
    one, _, _ = thigh_slice(NAILS, size=128, pixel_mm=1.6)
    other, _, _ = thigh_slice((Ellipse((10.0, 20.0), (6.0, 9.0), "metal", 8000.0),), size=128, pixel_mm=1.6)
    clean, _, _ = thigh_slice((), size=128, pixel_mm=1.6)
    fractions: list[float] = []

    def reduced(*images: Array, threads: int = 1) -> NDArray[np.float32]:
        fractions.clear()
        reduction = reduce_metal(_small(*images, pixel_mm=1.6), threads=threads, progress=fractions.append)
        return np.asarray(reduction.image.array, dtype=np.float32)

    single = reduced(one, other, one)
    assert fractions == pytest.approx([1 / 3, 2 / 3, 1.0])
    assert np.any(single[0] != one)
    assert np.any(single[1] != other)
    np.testing.assert_array_equal(single, reduced(one, other, one, threads=3))
    np.testing.assert_array_equal(single[0], single[2])
    np.testing.assert_array_equal(single[:2], reduced(other, one)[::-1])
    np.testing.assert_array_equal(single[0], reduced(one)[0])
    np.testing.assert_array_equal(single[0], reduced(clean, one, clean, clean)[1])
    assert fractions == [1.0]


def test_a_fan_and_parallel_rays_give_nearly_the_same() -> None:
    """The rays serve to find and bridge the shadow; the streaks are those of the slice, as it was scanned."""
    made = hardened_slice((METAL, SECOND_METAL), size=128, pixel_mm=1.25)
    parallel = _small(made.scanned_hu, pixel_mm=1.25)
    middle = parallel.image.geometry.to_lps((0.0, 63.5, 63.5))
    fan = dataclasses.replace(parallel, fan=FanGeometry(595.0, (float(middle[0]) + 5.0, float(middle[1]) - 8.0)))
    results = [reduce_metal(series) for series in (parallel, fan)]
    assert [r.rays for r in results] == ["parallel", "fan"]
    soft = made.soft_tissue
    change, apart = (
        _rms((np.asarray(r.image.array[0], dtype=np.float32) - against)[soft])
        for r, against in ((results[0], made.scanned_hu), (results[1], np.asarray(results[0].image.array[0])))
    )
    assert change > 30.0
    assert apart < 0.25 * change
    before = made.error_hu(made.scanned_hu, soft)
    assert all(made.error_hu(np.asarray(r.image.array[0], dtype=np.float32), soft) < 0.6 * before for r in results)


def test_a_source_within_the_slice_leaves_parallel_rays_and_is_said(hardened: HardenedSlice) -> None:
    series = dataclasses.replace(_small(hardened.scanned_hu), fan=FanGeometry(60.0, (-30.0, -160.0)))
    why = r"cannot be placed in its slices, because the source turns 60 mm from .*; parallel rays are taken\.$"
    with pytest.warns(AssumptionWarning, match=why) as said:
        assert reduce_metal(series).rays == "parallel"
    assert len(said) == 1


def test_without_metal_no_rays_are_placed_and_none_missed() -> None:
    empty = np.full((16, 16), 40.0, dtype=np.float32)
    reduction = reduce_metal(dataclasses.replace(_small(empty), fan=FanGeometry(60.0, (-30.0, -160.0))))
    assert (reduction.slices, reduction.measures) == ((), ())


@pytest.mark.parametrize("turned", [False, True])
def test_non_square_pixels_are_handled(turned: bool, hardened: HardenedSlice) -> None:
    # Every two rows averaged: the same slice with pixels twice as high.
    seen, truth, soft = (
        np.asarray(image, dtype=np.float32).reshape(80, 2, 160).mean(axis=1)
        for image in (hardened.scanned_hu, hardened.truth_hu, hardened.soft_tissue)
    )
    image, spacing = (seen.T, (2.0, 1.0, 2.0)) if turned else (seen, (2.0, 2.0, 1.0))
    reduction = reduce_metal(_ct(np.ascontiguousarray(image)[None], spacing))
    after = np.asarray(reduction.image.array[0])
    after = after.T if turned else after
    assert reduction.slices == (0,)
    assert _rms((after - truth)[soft == 1]) < 0.6 * _rms((seen - truth)[soft == 1])


def test_what_cannot_be_reduced_is_refused() -> None:
    ct = _ct(np.zeros((2, 8, 8), dtype=np.float32))
    with pytest.raises(InputError, match="adaptive, linear, normalised, frequency-split, trace-model; 'magic'"):
        reduce_metal(ct, method="magic")
    sagittal = np.array([[2.0, 0, 0, 0], [0, 0, 1.0, 0], [0, -1.0, 0, 0], [0, 0, 0, 1]])
    half, root = 0.5, float(np.sqrt(0.75))  # turned by 60 degrees out of the axial plane
    oblique = np.array([[0, 0, 1.0, 0], [-2.0 * root, half, 0, 0], [2.0 * half, root, 0, 0], [0, 0, 0, 1]])
    for affine in (sagittal, oblique):
        geometry = Geometry(ct.image.geometry.shape, affine)
        with pytest.raises(GeometryError, match="axial"):
            reduce_metal(CtSeries(Image(ct.image.array, geometry, "HU"), ct.header, kvp=120.0))
    for wrong in (np.nan, np.inf, -np.inf):
        values = np.zeros((2, 8, 8), dtype=np.float32)
        values[1, 2, 3] = wrong
        with pytest.raises(InputError, match="not finite"):
            reduce_metal(_ct(values))


def _changed_only_in_the_patient(ct: CtSeries, method: str = "adaptive") -> tuple[NDArray[np.float32], Array]:
    """Reduce, and check what holds for any slice; give the result and the metal."""
    seen = np.asarray(ct.image.array, dtype=np.float32)
    reduction = reduce_metal(ct, method=method)
    after = np.asarray(reduction.image.array, dtype=np.float32)
    metal = np.asarray(reduction.metal.array, dtype=bool)
    assert np.all(np.isfinite(after))
    fixed = metal | ~body_outline(ct.image)
    np.testing.assert_array_equal(after[fixed], seen[fixed])
    unchanged = [k for k in range(len(seen)) if k not in reduction.slices]
    np.testing.assert_array_equal(after[unchanged], seen[unchanged])
    return after, metal


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("shape", [(16, 16), (16, 23), (9, 40)])
def test_tiny_slices(method: str, shape: tuple[int, int]) -> None:
    noise = np.random.default_rng(6).normal(40.0, 30.0, (2, *shape))
    noise[:, 4:6, 7:9] = 6000.0
    _changed_only_in_the_patient(_ct(noise.astype(np.float32), (2.0, 3.0, 3.0)), method)


@pytest.mark.parametrize("where", ["corner", "edge", "one pixel", "all", "all but a corner"])
def test_metal_anywhere(where: str) -> None:
    made = hardened_slice((), (), size=128, pixel_mm=0.9)  # reaches the slice's edge
    seen = np.full((1, 128, 128), 45.0, dtype=np.float32) if "c" in where or where == "edge" else made.scanned_hu[None]
    seen = seen + np.random.default_rng(2).normal(0.0, 12.0, seen.shape).astype(np.float32)
    y, x = np.indices((128, 128))
    metal = {
        "corner": (y < 6) & (x > 121),
        "edge": (x == 0) & (abs(y - 60) < 8),
        "one pixel": (y == 70) & (x == 50),
        "all": y >= 0,
        "all but a corner": (y > 20) | (x > 25),
    }[where]
    seen[0][metal] = 9000.0
    after, _ = _changed_only_in_the_patient(_ct(seen, (2.0, 0.9, 0.9)))
    # None of these has streaks to take: they were drawn.
    assert _rms(np.where(metal, 0.0, after[0] - seen[0])) < 2.0


def test_metal_that_touches_the_skin_is_reduced() -> None:
    plate = Ellipse((-61.0, 5.0), (6.0, 14.0), "metal", 8000.0)
    made = hardened_slice((plate, METAL))
    after, metal = _changed_only_in_the_patient(_small(made.scanned_hu))
    found = np.asarray(metal[0], dtype=bool)
    assert np.sum(found & made.metal) > 0.8 * made.metal.sum()
    where = made.soft_tissue & (made.distance_mm(plate) > 20.0)
    assert made.error_hu(after[0], where) < 0.7 * made.error_hu(made.scanned_hu, where)


def test_a_wire_and_a_couch_outside_are_left_alone(hardened: HardenedSlice) -> None:
    y, x = hardened.places
    wire = np.hypot(y + 65.0, x - 45.0) < 2.0
    couch = (np.abs(y - 73.0) < 2.0) & (np.abs(x) < 60.0)
    clean = hardened.truth_hu.copy()
    clean[couch], clean[wire] = 150.0, 9000.0
    after, metal = _changed_only_in_the_patient(_small(clean, clean))
    assert not np.any(metal)
    np.testing.assert_array_equal(after[0], clean)
    # Beside metal in the patient they keep their values all the same.
    seen = hardened.scanned_hu.copy()
    seen[couch], seen[wire] = 150.0, 9000.0
    after, metal = _changed_only_in_the_patient(_small(seen))
    assert np.any(after[0] != seen)
    assert not np.any(metal[0][wire])
    np.testing.assert_array_equal(after[0][wire | couch], seen[wire | couch])


def test_metal_without_soft_tissue_around_is_left() -> None:
    """A pin in a block of bone: nothing tells streaks from bone."""
    array = np.full((1, 140, 140), 900.0, dtype=np.float32)
    y, x = np.indices((140, 140))
    array[0, np.hypot(y - 60, x - 66) < 5] = 9000.0
    reduction = reduce_metal(_ct(array))
    assert reduction.slices == ()
    np.testing.assert_array_equal(reduction.image.array, array)
    if reduction.measures:
        assert reduction.measures[0].before is None


def _anatomy(family: str, seed: int) -> tuple[CtSeries, NDArray[np.float32], NDArray[np.bool_]]:
    """Scan a slice of a random anatomy with metal; and without, as the scanner shows it; and where the metal is."""
    quick = {"views": 360, "rays_per_element": 1, "rays_per_slice": 1}
    both = [metal_phantom(family, seed, implants=yes, slices=1, matrix=192, scanner=quick) for yes in (True, False)]
    scan = both[0].acquisition[0]
    assert isinstance(scan, CtAcquisition)
    scanners = [CtScanner(scene_of(phantom), scan) for phantom in both]
    seen = scanners[0].scan_hu((lambda block: np.random.default_rng((seed, block)),), 2)[0].astype(np.float32)
    truth = scanners[1].scan_hu((None,), 2)[0].astype(np.float32)
    geometry = Geometry.axial(seen.shape, (scan.slice_spacing_mm, *scan.pixel_mm), scanners[0].first_voxel_mm)
    series = CtSeries(Image(seen, geometry, "HU"), AcquisitionHeader("CT"), kvp=scan.kvp)
    return series, truth, (filled_by_implants(both[0], geometry) >= 0.5)


def test_anatomies_gain_and_none_is_harmed() -> None:
    """One slice of each family, coarse: outside the metal, the error against the scanner's own truth falls."""
    ratios = []
    for family in FAMILIES:
        series, truth, metal = _anatomy(family, 17)
        reduction = reduce_metal(series, threads=2)
        where = ~(metal | np.asarray(reduction.metal.array, dtype=bool)) & (truth > -500.0)
        before = _rms((np.asarray(series.image.array) - truth)[where])
        after = _rms((np.asarray(reduction.image.array) - truth)[where])
        assert after < before + 2.0, family
        ratios.append(after / before)
    assert sum(ratio < 0.85 for ratio in ratios) >= 4


@pytest.mark.real_data
@pytest.mark.parametrize("folder", ["ct/siemens_mct_abdomen", "ct_pet/ct"])
def test_patients_without_metal_are_unchanged(real_data: Path, folder: str) -> None:
    slices = [pydicom.dcmread(path) for path in sorted((real_data / folder).iterdir())]
    slices.sort(key=lambda d: float(d.ImagePositionPatient[2]))
    array = np.stack([d.pixel_array * float(d.RescaleSlope) + float(d.RescaleIntercept) for d in slices])
    reduction = reduce_metal(_ct(array.astype(np.float32), (2.0, 0.9765625, 0.9765625)))
    assert not np.any(reduction.metal.array)
    assert not reduction.slices
    assert not reduction.measures
    np.testing.assert_array_equal(reduction.image.array, array.astype(np.float32))
