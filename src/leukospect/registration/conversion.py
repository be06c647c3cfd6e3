"""Images to and from SimpleITK: LPS on both sides, one function each way."""

from __future__ import annotations

from typing import Any

import numpy as np
import SimpleITK
from numpy.typing import NDArray

from leukospect.data import Geometry, Image
from leukospect.errors import InputError

Matrix = NDArray[np.float64]


def to_simpleitk(image: Image) -> Any:
    """Make a SimpleITK image of an Image: same voxels at the same LPS places, left-handed grids included."""
    array = image.array.astype(np.uint8) if image.array.dtype == np.bool_ else image.array
    made = SimpleITK.GetImageFromArray(np.ascontiguousarray(array))
    place(made, image.geometry)
    return made


def from_simpleitk(image: Any, unit: str = "", frame_of_reference_uid: str | None = None) -> Image:
    """Make an Image of a SimpleITK image.

    Raises
    ------
    InputError
        It is not a volume of one value a voxel.
    """
    if image.GetDimension() != 3 or image.GetNumberOfComponentsPerPixel() != 1:
        raise InputError(
            f"A volume of one value a voxel is needed; found {image.GetDimension()} dimensions and "
            f"{image.GetNumberOfComponentsPerPixel()} values."
        )
    steps = np.reshape(image.GetDirection(), (3, 3)) * np.array(image.GetSpacing())
    affine = np.eye(4)
    affine[:3, :3] = steps[:, ::-1]
    affine[:3, 3] = image.GetOrigin()
    array = SimpleITK.GetArrayFromImage(image)
    return Image(array, Geometry(array.shape, affine, frame_of_reference_uid), unit)


def place(image: Any, geometry: Geometry) -> None:
    """Give a SimpleITK image the place of a grid; a left-handed one has a direction matrix of determinant -1."""
    spacing = geometry.spacing_mm[::-1]
    image.SetSpacing(spacing)
    image.SetOrigin(geometry.affine[:3, 3].tolist())
    image.SetDirection((geometry.affine[:3, 2::-1] / spacing).ravel().tolist())


def as_transform(matrix: Matrix) -> Any:
    """Make a SimpleITK transform of a 4x4 matrix in LPS mm."""
    transform = SimpleITK.AffineTransform(3)
    transform.SetMatrix(matrix[:3, :3].ravel().tolist())
    transform.SetTranslation(matrix[:3, 3].tolist())
    return transform
