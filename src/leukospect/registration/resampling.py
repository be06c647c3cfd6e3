"""Sampling an image at the voxels of another grid, without aliasing."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np
import SimpleITK
from numpy.typing import NDArray
from scipy import ndimage

from leukospect.data import Geometry, Image
from leukospect.errors import GeometryError
from leukospect.registration.conversion import Matrix, as_transform, to_simpleitk

Interpolation = Literal["linear", "nearest", "bspline"]

_INTERPOLATORS = {
    "linear": SimpleITK.sitkLinear,
    "nearest": SimpleITK.sitkNearestNeighbor,
    "bspline": SimpleITK.sitkBSpline,
}
_FWHM_PER_SIGMA = np.sqrt(8.0 * np.log(2.0))


def resample(
    image: Image,
    onto: Geometry,
    *,
    fixed_to_moving: Matrix | None = None,
    interpolation: Interpolation = "linear",
    outside: float = 0.0,
    anti_alias: bool = True,
) -> Image:
    """Sample an image at the voxels of another grid.

    Parameters
    ----------
    image : Image
    onto : Geometry
        The grid of the result, and its frame of reference.
    fixed_to_moving : (4, 4) array, optional
        Takes points of `onto`'s space to points of the image's, LPS mm; the identity without it.
    interpolation : ``linear``, ``nearest`` or ``bspline``
        ``nearest`` for labels: it keeps the data type and is never smoothed. The others give float32.
    outside : float
        Value where the image has none.
    anti_alias : bool
        Smooth first, along each axis whose voxels are finer than the new grid's, to the new grid's voxel size
        (a Gaussian of FWHM sqrt(new^2 - old^2)); the image is taken to go on beyond its edge as it ends there.

    Returns
    -------
    Image

    Raises
    ------
    GeometryError
        The transform is not a finite, invertible 4x4 matrix.
    """
    matrix = np.eye(4) if fixed_to_moving is None else np.asarray(fixed_to_moving, dtype=np.float64)
    if matrix.shape != (4, 4) or not np.all(np.isfinite(matrix)) or abs(np.linalg.det(matrix)) < 1e-9:
        raise GeometryError("A transform must be a finite, invertible 4x4 matrix.")
    if interpolation != "nearest":
        array = np.asarray(image.array, dtype=np.float32)
        if anti_alias:
            array = smoothed(array, image.geometry, _coarsening_sigmas(image.geometry, onto, matrix))
        image = replace(image, array=array)
    moved = SimpleITK.Resample(
        to_simpleitk(image),
        list(onto.shape[::-1]),
        as_transform(matrix),
        _INTERPOLATORS[interpolation],
        onto.affine[:3, 3].tolist(),
        onto.spacing_mm[::-1],
        (onto.affine[:3, 2::-1] / onto.spacing_mm[::-1]).ravel().tolist(),
        float(outside),
    )
    array = SimpleITK.GetArrayFromImage(moved)
    return Image(array.astype(image.array.dtype, copy=False), onto, image.unit)


def _coarsening_sigmas(fine: Geometry, coarse: Geometry, matrix: Matrix) -> list[float]:
    """Find the standard deviations, mm along (k, j, i), that bring fine voxels to the size of coarse ones."""
    directions = fine.affine[:3, :3] / fine.spacing_mm
    new_mm = np.abs(directions.T @ matrix[:3, :3] @ coarse.affine[:3, :3]).max(axis=1)
    widths = np.sqrt(np.maximum(new_mm**2 - np.square(fine.spacing_mm), 0.0))
    return [float(width / _FWHM_PER_SIGMA) for width in widths]


def smoothed(array: NDArray[np.float32], geometry: Geometry, sigmas_mm: list[float]) -> NDArray[np.float32]:
    """Convolve with a Gaussian of the given standard deviations along (k, j, i); edges go on as they end."""
    for axis, (sigma, spacing) in enumerate(zip(sigmas_mm, geometry.spacing_mm, strict=True)):
        if sigma > 0.05 * spacing and array.shape[axis] > 1:
            array = ndimage.gaussian_filter1d(array, sigma / spacing, axis=axis, mode="nearest")
    return array
