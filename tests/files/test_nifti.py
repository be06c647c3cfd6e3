from __future__ import annotations

from pathlib import Path

import nibabel
import numpy as np
import pytest
import SimpleITK
from numpy.typing import DTypeLike, NDArray

from leukospect.data import Geometry, Image
from leukospect.errors import AssumptionWarning, GeometryError, InputError
from leukospect.files.nifti import read_nifti, write_nifti

SHAPE = (4, 5, 7)


def oblique_affine(handed: int = 1) -> NDArray[np.float64]:
    """Not axial, not cubic; `handed` -1 makes k run against the normal."""
    angle = np.deg2rad(20.0)
    i = np.array([np.cos(angle), np.sin(angle), 0.0])
    j = np.array([0.0, 0.0, -1.0])
    k = handed * np.cross(i, j)
    affine = np.eye(4)
    affine[:3, :3] = np.column_stack([6.0 * k, 2.5 * j, 4.0 * i])
    affine[:3, 3] = -31.0, 12.0, 140.0
    return affine


def asymmetric(affine: NDArray[np.float64], dtype: DTypeLike = np.float32, unit: str = "counts/s/mL") -> Image:
    array = np.arange(np.prod(SHAPE), dtype=np.float64).reshape(SHAPE).astype(dtype)
    return Image(array, Geometry(SHAPE, affine), unit)


@pytest.mark.parametrize("handed", [1, -1])
def test_simpleitk_finds_each_voxel_at_its_lps_place(tmp_path: Path, handed: int) -> None:
    image = asymmetric(oblique_affine(handed))
    path = tmp_path / "image.nii.gz"
    write_nifti(image, path)
    other = SimpleITK.ReadImage(str(path))
    for k, j, i in [(0, 0, 0), (3, 1, 6), (1, 4, 2)]:
        place = image.geometry.to_lps((k, j, i))
        index = other.TransformPhysicalPointToIndex(tuple(map(float, place)))
        assert other.GetPixel(index) == image.array[k, j, i]
        np.testing.assert_allclose(other.TransformIndexToPhysicalPoint(index), place, atol=1e-3)


@pytest.mark.parametrize("handed", [1, -1])
def test_round_trip_keeps_voxels_places_and_unit(tmp_path: Path, handed: int) -> None:
    image = asymmetric(oblique_affine(handed))
    path = tmp_path / "image.nii.gz"
    write_nifti(image, path)
    back = read_nifti(path)
    assert back.geometry.same_grid(image.geometry)
    np.testing.assert_array_equal(back.array, image.array)
    assert back.unit == "counts/s/mL"


@pytest.mark.parametrize(
    ("dtype", "stored"),
    [
        (np.float32, np.float32),
        (np.float64, np.float32),
        (np.int16, np.int16),
        (np.uint8, np.uint8),
        (np.uint16, np.uint16),
        (np.int32, np.int32),
        (np.bool_, np.uint8),
    ],
)
def test_voxel_types(tmp_path: Path, dtype: DTypeLike, stored: DTypeLike) -> None:
    image = asymmetric(oblique_affine(), dtype)
    write_nifti(image, tmp_path / "image.nii")
    header = nibabel.load(tmp_path / "image.nii").header
    assert header.get_data_dtype() == np.dtype(stored)
    back = read_nifti(tmp_path / "image.nii")
    assert back.array.dtype == np.dtype(stored)
    np.testing.assert_array_equal(back.array, image.array.astype(stored))


def test_header_codes_and_bytes_are_stable(tmp_path: Path) -> None:
    image = asymmetric(oblique_affine(), np.int16, "HU")
    write_nifti(image, tmp_path / "one.nii.gz")
    write_nifti(image, tmp_path / "two.nii.gz")
    header = nibabel.load(tmp_path / "one.nii.gz").header
    assert (int(header["sform_code"]), int(header["qform_code"])) == (1, 1)
    assert header.get_xyzt_units()[0] == "mm"
    first, second = ((tmp_path / name).read_bytes() for name in ("one.nii.gz", "two.nii.gz"))
    assert first == second
    assert first[4:8] == b"\0\0\0\0"  # no time in the gzip header


def test_scaling_is_applied_and_axes_of_others_are_kept(tmp_path: Path) -> None:
    stored = np.arange(24, dtype=np.int16).reshape(2, 3, 4)
    ras = np.array([[0.0, 3.0, 0.0, 5.0], [-2.0, 0.0, 0.0, 6.0], [0.0, 0.0, 4.0, 7.0], [0.0, 0.0, 0.0, 1.0]])
    nifti = nibabel.Nifti1Image(stored, ras)
    nifti.header.set_xyzt_units("mm")
    nifti.header.set_slope_inter(0.5, -3.0)
    nibabel.save(nifti, tmp_path / "scaled.nii")
    written = nibabel.load(tmp_path / "scaled.nii")
    back = read_nifti(tmp_path / "scaled.nii")
    assert back.array.dtype == np.float32
    i, j, k = 1, 2, 3
    assert back.array[k, j, i] == pytest.approx(written.get_fdata()[i, j, k])
    x, y, z = (ras @ [i, j, k, 1])[:3]
    np.testing.assert_allclose(back.geometry.to_lps((k, j, i)), [-x, -y, z])


def test_metres_become_millimetres(tmp_path: Path) -> None:
    nifti = nibabel.Nifti1Image(np.zeros((2, 3, 4), np.float32), np.diag([0.002, 0.003, 0.004, 1.0]))
    nifti.header.set_xyzt_units("meter")
    nibabel.save(nifti, tmp_path / "metres.nii")
    assert read_nifti(tmp_path / "metres.nii").geometry.spacing_mm == pytest.approx((4.0, 3.0, 2.0))


def test_what_the_file_does_not_say_is_a_warning(tmp_path: Path) -> None:
    nifti = nibabel.Nifti1Image(np.zeros((2, 3, 4), np.float32), np.diag([2.0, 3.0, 4.0, 1.0]))
    nibabel.save(nifti, tmp_path / "no_unit.nii")
    with pytest.warns(AssumptionWarning, match="unit of length"):
        read_nifti(tmp_path / "no_unit.nii")


def test_unusable_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no file"):
        read_nifti(tmp_path / "missing.nii.gz")
    (tmp_path / "text.nii.gz").write_text("not an image")
    with pytest.raises(InputError, match="not a readable NIfTI"):
        read_nifti(tmp_path / "text.nii.gz")
    write_nifti(asymmetric(oblique_affine()), tmp_path / "cut.nii")
    whole = (tmp_path / "cut.nii").read_bytes()
    (tmp_path / "cut.nii").write_bytes(whole[:-50])
    with pytest.raises(InputError, match="cut short"):
        read_nifti(tmp_path / "cut.nii")
    write_nifti(asymmetric(oblique_affine()), tmp_path / "cut.nii.gz")
    packed = (tmp_path / "cut.nii.gz").read_bytes()
    (tmp_path / "cut.nii.gz").write_bytes(packed[:-20])
    with pytest.raises(InputError, match=r"cut short|not a readable"):
        read_nifti(tmp_path / "cut.nii.gz")
    nibabel.save(nibabel.Nifti1Image(np.zeros((2, 3, 4, 5), np.float32), np.eye(4)), tmp_path / "four.nii")
    with pytest.raises(InputError, match=r"\(2, 3, 4, 5\)"):
        read_nifti(tmp_path / "four.nii")


def test_unusable_geometry_is_refused(tmp_path: Path) -> None:
    sheared = np.eye(4)
    sheared[0, 1] = 0.3
    nifti = nibabel.Nifti1Image(np.zeros((2, 3, 4), np.float32), sheared)
    nifti.header.set_xyzt_units("mm")
    nifti.set_qform(None, code=0)
    nibabel.save(nifti, tmp_path / "sheared.nii")
    with pytest.raises(GeometryError, match="right angles"):
        read_nifti(tmp_path / "sheared.nii")
    nifti.set_sform(None, code=0)
    nibabel.save(nifti, tmp_path / "nowhere.nii")
    with pytest.raises(GeometryError, match="neither"):
        read_nifti(tmp_path / "nowhere.nii")


def test_a_refused_image_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="int64"):
        write_nifti(asymmetric(oblique_affine(), np.int64), tmp_path / "image.nii.gz")
    with pytest.raises(InputError, match=r"\.nii"):
        write_nifti(asymmetric(oblique_affine()), tmp_path / "image.mha")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.real_data
def test_a_ct_of_others_lies_where_simpleitk_sees_it(real_data: Path) -> None:
    path = real_data / "ct" / "abdomen_low_resolution.nii.gz"
    with pytest.warns(AssumptionWarning, match="unit of length"):
        ours = read_nifti(path)
    other = SimpleITK.ReadImage(str(path))
    k, j, i = (n // 3 for n in ours.geometry.shape)
    np.testing.assert_allclose(
        ours.geometry.to_lps((k, j, i)), other.TransformIndexToPhysicalPoint((i, j, k)), atol=1e-2
    )
    assert float(ours.array[k, j, i]) == pytest.approx(other.GetPixel(i, j, k))
