"""Points keep their places through every conversion; known shifts come back; what is aligned stays."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pydicom
import pytest
import SimpleITK
from numpy.typing import NDArray
from scipy import ndimage

from leukospect.data import Geometry, Image
from leukospect.errors import GeometryError, InputError
from leukospect.registration import from_simpleitk, register_rigid, resample, to_simpleitk


def _rotation(degrees: tuple[float, float, float]) -> NDArray[np.float64]:
    a, b, c = np.deg2rad(degrees)
    about_x = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])
    about_y = np.array([[np.cos(b), 0, np.sin(b)], [0, 1, 0], [-np.sin(b), 0, np.cos(b)]])
    about_z = np.array([[np.cos(c), -np.sin(c), 0], [np.sin(c), np.cos(c), 0], [0, 0, 1]])
    turned: NDArray[np.float64] = about_z @ about_y @ about_x
    return turned


def _rigid(
    shift_mm: tuple[float, float, float],
    degrees: tuple[float, float, float],
    about_mm: tuple[float, float, float] | NDArray[np.float64],
) -> NDArray[np.float64]:
    matrix = np.eye(4)
    matrix[:3, :3] = _rotation(degrees)
    matrix[:3, 3] = np.array(about_mm) + shift_mm - matrix[:3, :3] @ np.array(about_mm)
    return matrix


def _oblique() -> Geometry:
    """A left-handed grid: the slices' axis points to the feet, everything turned."""
    affine = np.eye(4)
    affine[:3, :3] = _rotation((10, -20, 35)) @ np.array([[0, 0, 1.5], [0, 2.0, 0], [-3.5, 0, 0]])
    affine[:3, 3] = (40, -70, 120)
    return Geometry((7, 9, 12), affine, "1.2.3")


GRIDS = {
    "towards the head": Geometry.axial((7, 9, 12), (3.5, 2.0, 1.5), (40, -70, 120)),
    "towards the feet": Geometry.axial((7, 9, 12), (-3.5, 2.0, 1.5), (40, -70, 120)),
    "oblique and left-handed": _oblique(),
}


@pytest.mark.parametrize("grid", GRIDS.values(), ids=GRIDS.keys())
def test_simpleitk_sees_every_voxel_at_its_place(grid: Geometry) -> None:
    array = np.random.default_rng(4).random(grid.shape).astype(np.float32)
    converted = to_simpleitk(Image(array, grid, "HU"))
    for k, j, i in ((0, 0, 0), (6, 2, 11), (3, 8, 5)):
        assert converted.GetPixel((i, j, k)) == array[k, j, i]
        place = converted.TransformIndexToPhysicalPoint((i, j, k))
        np.testing.assert_allclose(place, grid.to_lps((k, j, i)), atol=1e-9)
    back = from_simpleitk(converted, "HU", grid.frame_of_reference_uid)
    np.testing.assert_array_equal(back.array, array)
    assert back.geometry.same_grid(grid, 1e-9)
    assert (back.unit, back.geometry.frame_of_reference_uid) == ("HU", grid.frame_of_reference_uid)


def test_what_is_no_volume_of_single_values_is_refused() -> None:
    with pytest.raises(InputError, match="2 dimensions"):
        from_simpleitk(SimpleITK.Image([4, 5], SimpleITK.sitkFloat32))
    with pytest.raises(InputError, match="3 values"):
        from_simpleitk(SimpleITK.Image([4, 5, 6], SimpleITK.sitkVectorFloat32, 3))


def _linear_field(points_mm: NDArray[np.float64]) -> NDArray[np.float64]:
    field: NDArray[np.float64] = points_mm @ np.array([0.7, -0.4, 1.1]) + 5.0
    return field


def _places(grid: Geometry) -> NDArray[np.float64]:
    return grid.to_lps(np.moveaxis(np.indices(grid.shape), 0, -1))


@pytest.mark.parametrize("interpolation", ["linear", "bspline"])
@pytest.mark.parametrize("grid", GRIDS.values(), ids=GRIDS.keys())
def test_a_linear_field_is_sampled_exactly_wherever_the_new_grid_lies(grid: Geometry, interpolation: str) -> None:
    image = Image(_linear_field(_places(grid)), grid, "1/cm")
    transform = _rigid((2.0, -1.5, 3.0), (4, -6, 8), grid.to_lps((3, 4, 6)))
    onto = Geometry.axial((4, 5, 3), (-1.3, 1.7, 0.9), tuple(grid.to_lps((3, 4, 6)) - 2.0), "1.9")
    moved = resample(
        image,
        onto,
        fixed_to_moving=transform,
        interpolation="linear" if interpolation == "linear" else "bspline",
        outside=-1000.0,
    )
    points = _places(onto) @ transform[:3, :3].T + transform[:3, 3]
    inside = np.all((grid.to_index(points) >= 1) & (grid.to_index(points) <= np.array(grid.shape) - 2), axis=-1)
    assert inside.sum() > 30
    # A cubic spline bends a ramp where it is mirrored at the image's edge, and that rings inwards.
    tolerance = 1e-3 if interpolation == "linear" else 1.0
    np.testing.assert_allclose(moved.array[inside].astype(float), _linear_field(points)[inside], atol=tolerance)
    assert moved.unit == "1/cm"
    assert moved.geometry is onto


def test_labels_stay_labels_and_outside_is_what_was_asked_for() -> None:
    labels = np.zeros((6, 8, 10), dtype=np.uint8)
    labels[2:5, 3, 7] = 7
    fine = Geometry.axial((6, 8, 10), (-4.0, 2.0, 3.0), (10, 20, 30))
    onto = Geometry.axial((3, 16, 20), (-4.0, 1.0, 3.0), (10 - 3.0 * 5, 20, 30 - 4.0 * 2))
    moved = resample(Image(labels, fine), onto, interpolation="nearest", outside=9.0)
    assert moved.array.dtype == np.uint8
    assert set(np.unique(moved.array.astype(int))) == {0, 7, 9}
    assert np.all(moved.array[:, :, :5] == 9)
    assert np.all(moved.array[:, 6, 12] == 7)


def test_going_coarser_keeps_the_mean_of_a_fine_pattern() -> None:
    """Stripes as wide as a fine voxel: sampled at points they would alias, smoothed they are their mean."""
    fine = Geometry.axial((12, 40, 60), (2.0, 1.0, 1.0), (-30, -20, 5))
    stripes = np.zeros(fine.shape, dtype=np.float32)
    stripes[:, :, ::4] = 1.0
    coarse = Geometry.axial((4, 8, 12), (4.0, 4.0, 4.0), (-24.0, -16.0, 8.0))
    smooth = resample(Image(stripes, fine), coarse).array
    np.testing.assert_allclose(smooth.astype(float), 0.25, atol=0.06)
    aliased = resample(Image(stripes, fine), coarse, anti_alias=False).array
    assert abs(float(aliased.astype(float).mean()) - 0.25) > 0.2


def test_the_content_of_an_object_is_kept_going_coarser() -> None:
    fine = Geometry.axial((40, 60, 72), (1.5, 1.0, 1.2), (0, 0, 0))
    array = np.zeros(fine.shape, dtype=np.float32)
    array[13:22, 20:33, 25:50] = 3.0
    array[20:24, 33:35, 30:33] = 40.0
    coarse = Geometry.axial((12, 13, 18), (-5.0, 4.7, 4.9), (1.0, 0.5, 58.0))
    moved = resample(Image(array, fine), coarse).array
    content = float(array.sum(dtype=np.float64)) * fine.voxel_volume_ml
    assert float(moved.astype(float).sum()) * coarse.voxel_volume_ml == pytest.approx(content, rel=0.01)


def test_a_transform_that_is_none_is_refused() -> None:
    image = Image(np.zeros((2, 2, 2), dtype=np.float32), Geometry.axial((2, 2, 2), (1, 1, 1), (0, 0, 0)))
    for matrix in (np.eye(3), np.zeros((4, 4)), np.full((4, 4), np.nan)):
        with pytest.raises(GeometryError, match="invertible 4x4"):
            resample(image, image.geometry, fixed_to_moving=matrix)


def _body(points_mm: NDArray[np.float64]) -> tuple[NDArray[np.bool_], NDArray[np.bool_], NDArray[np.bool_]]:
    """An asymmetric body with an organ and a bone, centred about (12, -20, 60) mm."""
    x, y, z = np.moveaxis(points_mm - (12.0, -20.0, 60.0), -1, 0)
    body = (x / 70) ** 2 + (y / 48) ** 2 + (z / 62) ** 2 < 1
    body |= ((x - 55) / 25) ** 2 + ((y + 15) / 20) ** 2 + ((z + 20) / 30) ** 2 < 1
    organ = ((x - 22) / 24) ** 2 + ((y + 10) / 18) ** 2 + ((z - 18) / 22) ** 2 < 1
    bone = ((x + 28) / 9) ** 2 + ((y - 12) / 11) ** 2 < 1
    return body, organ & body, bone & body


def _ct(geometry: Geometry) -> Image:
    body, organ, bone = _body(_places(geometry))
    array = np.where(bone, 700.0, np.where(organ, 70.0, np.where(body, 20.0, -1000.0)))
    noise = np.random.default_rng(5).normal(0.0, 15.0, array.shape)
    return Image((array + noise).astype(np.float32), geometry, "HU")


def _emission(geometry: Geometry, truth: NDArray[np.float64]) -> Image:
    """What a camera of 10 mm resolution would show if the body lay such that `truth` takes its points to CT's."""
    points = _places(geometry) @ truth[:3, :3].T + truth[:3, 3]
    body, organ, bone = _body(points)
    activity = np.where(organ, 12.0, np.where(bone, 5.0, np.where(body, 1.0, 0.0)))
    blurred = ndimage.gaussian_filter(activity, [10.0 / 2.355 / s for s in geometry.spacing_mm])
    counts = np.random.default_rng(6).poisson(blurred * 40) / 40.0
    return Image(ndimage.gaussian_filter(counts, 0.8).astype(np.float32), geometry, "counts/s/mL")


SPECT_GRID = Geometry.axial((38, 40, 48), (-4.8, 4.4, 4.8), (-110.0, -110.0, 150.0))
CT_GRID = Geometry.axial((60, 80, 110), (3.0, 2.0, 2.0), (-100.0, -100.0, -30.0))
CENTRE = (12.0, -20.0, 60.0)


def _worst_mm(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """Return the largest distance between where two transforms put points all over the body."""
    corners = np.array(np.meshgrid([-50, 60], [-45, 30], [-40, 45])).reshape(3, -1).T + CENTRE
    there = [corners @ m[:3, :3].T + m[:3, 3] for m in (one, other)]
    return float(np.linalg.norm(there[0] - there[1], axis=1).max())


@pytest.mark.parametrize(
    ("shift_mm", "degrees"),
    [((9.0, -7.0, 12.0), (0.0, 0.0, 0.0)), ((-8.0, 5.0, 6.0), (3.0, -4.0, 5.0))],
    ids=["shift", "shift and rotation"],
)
def test_a_known_motion_is_recovered_to_half_a_voxel(
    shift_mm: tuple[float, float, float], degrees: tuple[float, float, float]
) -> None:
    truth = _rigid(shift_mm, degrees, CENTRE)
    found = register_rigid(_emission(SPECT_GRID, truth), _ct(CT_GRID))
    assert found.accepted, found.reason
    assert _worst_mm(found.matrix, truth) < 2.4
    assert found.mutual_information_after > found.mutual_information_before
    assert found.rotation_deg == pytest.approx(np.degrees(np.arccos((np.trace(_rotation(degrees)) - 1) / 2)), abs=1.0)
    assert found.shift_mm == pytest.approx(np.linalg.norm(shift_mm), abs=2.4)


def test_what_is_aligned_keeps_exactly_the_identity() -> None:
    fractions: list[float] = []
    found = register_rigid(_emission(SPECT_GRID, np.eye(4)), _ct(CT_GRID), progress=fractions.append)
    assert not found.accepted
    np.testing.assert_array_equal(found.matrix, np.eye(4))
    assert "identity was kept" in found.reason
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0


@pytest.mark.parametrize(
    ("degrees", "limits"),
    [((0.0, 0.0, 0.0), (6.0, 10.0)), ((3.0, -4.0, 5.0), (30.0, 4.0))],
    ids=["too far", "turned too much"],
)
def test_an_implausible_motion_keeps_the_identity(
    degrees: tuple[float, float, float], limits: tuple[float, float]
) -> None:
    truth = _rigid((9.0, -7.0, 12.0), degrees, CENTRE)
    found = register_rigid(
        _emission(SPECT_GRID, truth), _ct(CT_GRID), maximum_shift_mm=limits[0], maximum_rotation_deg=limits[1]
    )
    assert not found.accepted
    assert "not plausible" in found.reason
    assert found.shift_mm > limits[0] or found.rotation_deg > limits[1]
    np.testing.assert_array_equal(found.matrix, np.eye(4))


def test_the_result_is_the_same_to_the_bit_for_any_number_of_threads() -> None:
    grid = Geometry.axial((19, 20, 24), (-9.6, 8.8, 9.6), (-110.0, -110.0, 150.0))
    emission, ct = _emission(grid, _rigid((9.0, -7.0, 12.0), (2.0, 0.0, -3.0), CENTRE)), _ct(CT_GRID)
    before = SimpleITK.ProcessObject.GetGlobalDefaultNumberOfThreads()
    results = []
    try:
        for everywhere, threads in ((1, 1), (2, 2), (4, 1)):
            SimpleITK.ProcessObject.SetGlobalDefaultNumberOfThreads(everywhere)
            results.append(register_rigid(emission, ct, threads=threads))
            assert SimpleITK.ProcessObject.GetGlobalDefaultNumberOfThreads() == everywhere
    finally:
        SimpleITK.ProcessObject.SetGlobalDefaultNumberOfThreads(before)
    assert results[0].accepted
    for other in results[1:]:
        np.testing.assert_array_equal(other.matrix, results[0].matrix)
        assert other.mutual_information_after == results[0].mutual_information_after


def test_images_apart_or_empty_keep_the_identity_and_say_why() -> None:
    far = Geometry.axial((38, 40, 48), (4.8, 4.4, 4.8), (900.0, -110.0, 700.0))
    emission = _emission(SPECT_GRID, np.eye(4))
    apart = register_rigid(Image(emission.array, far, emission.unit), _ct(CT_GRID))
    empty = register_rigid(Image(np.zeros_like(emission.array), SPECT_GRID), _ct(CT_GRID))
    for result, word in ((apart, "overlap"), (empty, "nothing")):
        assert not result.accepted
        assert word in result.reason
        np.testing.assert_array_equal(result.matrix, np.eye(4))
        assert np.isnan(result.mutual_information_after)


def test_values_that_are_not_finite_are_refused() -> None:
    emission = _emission(SPECT_GRID, np.eye(4))
    broken = emission.array.astype(np.float32)
    broken[3, 4, 5] = np.nan
    with pytest.raises(InputError, match="fixed image"):
        register_rigid(Image(broken, SPECT_GRID), emission)
    with pytest.raises(InputError, match="positive"):
        register_rigid(emission, emission, maximum_shift_mm=0.0)


def _read(folder: Path, unit: str) -> Image:
    slices = sorted((pydicom.dcmread(p) for p in folder.iterdir()), key=lambda d: float(d.ImagePositionPatient[2]))
    array = np.stack([d.pixel_array * float(d.RescaleSlope) + float(d.RescaleIntercept) for d in slices])
    x, y, z = (float(v) for v in slices[0].ImagePositionPatient)
    step = (float(slices[-1].ImagePositionPatient[2]) - z) / (len(slices) - 1)
    rows, columns = (float(v) for v in slices[0].PixelSpacing)
    shape = (len(slices), array.shape[1], array.shape[2])
    return Image(array.astype(np.float32), Geometry.axial(shape, (step, rows, columns), (x, y, z)), unit)


@pytest.mark.real_data
def test_a_real_pair_stays_as_it_is_and_a_shift_put_on_it_comes_back(real_data: Path) -> None:
    ct, pet = _read(real_data / "ct_pet" / "ct", "HU"), _read(real_data / "ct_pet" / "pet", "Bq/mL")
    as_it_is = register_rigid(pet, ct)
    assert not as_it_is.accepted, as_it_is.reason
    residuals = []
    for shift_mm in ((8.0, -6.0, 10.0), (-12.0, 14.0, -7.0)):
        moved = pet.geometry.affine.copy()
        moved[:3, 3] += shift_mm
        found = register_rigid(Image(pet.array, Geometry(pet.geometry.shape, moved), pet.unit), ct)
        assert found.accepted, found.reason
        residuals.append(found.matrix[:3, 3] + shift_mm if found.rotation_deg == 0 else np.full(3, np.nan))
    # The legs of this patient lie some 7 mm apart in the two scans, mostly along the body; what was put on top of that
    # comes back.
    assert np.ptp(residuals, axis=0).max() < 2.0
    assert np.linalg.norm(residuals, axis=1).max() < 8.0
