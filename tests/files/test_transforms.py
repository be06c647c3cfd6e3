from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import SimpleITK
from numpy.typing import NDArray

from leukospect.errors import GeometryError, InputError
from leukospect.files.transforms import read_transform, write_transform

POINTS = np.array([[0.0, 0.0, 0.0], [13.0, -7.5, 101.25], [-220.0, 38.0, -4.0]])


def moved_by_itk(transform: SimpleITK.Transform) -> NDArray[np.float64]:
    return np.array([transform.TransformPoint(tuple(map(float, p))) for p in POINTS])


def moved_by_matrix(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    return POINTS @ matrix[:3, :3].T + matrix[:3, 3]


def rigid() -> NDArray[np.float64]:
    about_z, about_x = np.deg2rad(11.0), np.deg2rad(-6.0)
    c, s, cx, sx = np.cos(about_z), np.sin(about_z), np.cos(about_x), np.sin(about_x)
    matrix = np.eye(4)
    matrix[:3, :3] = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]]) @ np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    matrix[:3, 3] = 4.5, -12.0, 30.0
    return matrix


@pytest.mark.parametrize("centre", [None, (20.0, -3.0, 55.0)])
def test_itk_moves_points_as_the_matrix_does(tmp_path: Path, centre: tuple[float, float, float] | None) -> None:
    path = tmp_path / "spect_to_ct.tfm"
    write_transform(rigid(), path, centre)
    np.testing.assert_allclose(moved_by_itk(SimpleITK.ReadTransform(str(path))), moved_by_matrix(rigid()), atol=1e-9)
    np.testing.assert_allclose(read_transform(path), rigid(), atol=1e-9)


def itk_transforms() -> list[SimpleITK.Transform]:
    euler = SimpleITK.Euler3DTransform((10.0, 20.0, -30.0), 0.1, -0.2, 0.3, (1.0, 2.0, 3.0))
    zyx = SimpleITK.Euler3DTransform(euler)
    zyx.SetComputeZYX(True)
    versor = SimpleITK.VersorRigid3DTransform((0.3, -0.5, 0.8), 0.4, (5.0, 6.0, 7.0), (-9.0, 8.0, 1.0))
    affine = SimpleITK.AffineTransform(
        (1.1, 0.1, 0.0, -0.2, 0.9, 0.05, 0.0, 0.3, 1.2), (3.0, -4.0, 5.0), (7.0, 8.0, 9.0)
    )
    return [euler, zyx, versor, affine, SimpleITK.TranslationTransform(3, (4.0, 5.0, -6.0))]


@pytest.mark.parametrize("transform", itk_transforms(), ids=lambda t: t.GetName())
def test_what_itk_writes_is_read_the_same(tmp_path: Path, transform: SimpleITK.Transform) -> None:
    path = tmp_path / "itk.tfm"
    SimpleITK.WriteTransform(transform, str(path))
    np.testing.assert_allclose(moved_by_matrix(read_transform(path)), moved_by_itk(transform), atol=1e-6)


def test_what_is_no_linear_transform_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.tfm"
    with pytest.raises(InputError, match="cannot be read"):
        read_transform(path)
    path.write_text("hello\n")
    with pytest.raises(InputError, match="first line"):
        read_transform(path)
    scale = SimpleITK.ScaleTransform(3, (1.0, 2.0, 3.0))
    SimpleITK.WriteTransform(scale, str(path))
    with pytest.raises(InputError, match="only linear"):
        read_transform(path)
    SimpleITK.WriteTransform(SimpleITK.CompositeTransform([scale, scale]), str(path))
    with pytest.raises(InputError, match="exactly one"):
        read_transform(path)
    path.write_text("#Insight Transform File V1.0\nTransform: TranslationTransform_double_3_3\nParameters: 1 x 2\n")
    with pytest.raises(InputError, match="not numbers"):
        read_transform(path)


def test_an_impossible_matrix_leaves_no_file(tmp_path: Path) -> None:
    flat = np.diag([1.0, 1.0, 0.0, 1.0])
    with pytest.raises(GeometryError, match="invertible"):
        write_transform(flat, tmp_path / "flat.tfm")
    with pytest.raises(InputError, match=r"\.tfm"):
        write_transform(np.eye(4), tmp_path / "eye.mat")
    assert list(tmp_path.iterdir()) == []
