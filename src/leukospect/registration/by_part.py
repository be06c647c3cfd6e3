"""Resampling where each part of the body has a transform of its own: every voxel goes with the nearest bone."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from leukospect.data import Geometry, Image
from leukospect.errors import GeometryError
from leukospect.registration.conversion import Matrix
from leukospect.registration.limbs import LimbAlignment
from leukospect.registration.resampling import Interpolation, resample

_BONE_SHARE = 0.25


def nearest_part(alignment: LimbAlignment, onto: Geometry, onto_to_early: Matrix) -> NDArray[np.uint8]:
    """Tell which part's transform holds at each voxel of a grid: that of the nearest bone, as it lies early.

    Parameters
    ----------
    alignment : LimbAlignment
    onto : Geometry
        Of the early SPECT, say.
    onto_to_early : (4, 4) array
        Takes its points to the early CT's, LPS mm.

    Returns
    -------
    (slices, rows, columns) uint8 array
        Number of the part in `alignment.parts`; 0 everywhere where no bone lies in the grid.
    """
    bones = np.zeros(onto.shape, np.uint8)
    for number, part in enumerate(alignment.parts):
        shown = (np.asarray(alignment.labels.array) == number + 1).astype(np.float32)
        to_late = np.linalg.inv(part.matrix) @ onto_to_early
        bone = resample(Image(shown, alignment.labels.geometry, "1"), onto, fixed_to_moving=to_late).array
        bones[(np.asarray(bone) > _BONE_SHARE) & (bones == 0)] = number + 1
    if not bones.any():
        return bones
    nearest = ndimage.distance_transform_edt(
        bones == 0, sampling=onto.spacing_mm, return_distances=False, return_indices=True
    )
    return np.asarray(bones[tuple(nearest)] - 1, dtype=np.uint8)


def resample_by_part(
    image: Image,
    onto: Geometry,
    which: NDArray[np.uint8],
    fixed_to_moving: Sequence[Matrix],
    *,
    interpolation: Interpolation = "linear",
    outside: float = 0.0,
) -> Image:
    """Sample an image at the voxels of another grid, each through the transform of its own part.

    As in `resample` values are densities and keep their level; the transforms are rigid, so a part's content is kept.

    Parameters
    ----------
    image : Image
    onto : Geometry
    which : (slices, rows, columns) array
        Number of the transform at each voxel of `onto`.
    fixed_to_moving : sequence of (4, 4) arrays
        Each takes points of `onto`'s space to points of the image's, LPS mm.
    interpolation, outside
        As in `resample`.

    Raises
    ------
    GeometryError
        `which` is of another shape than the grid, or names a transform that is not there.
    """
    if which.shape != onto.shape or int(which.max(initial=0)) >= len(fixed_to_moving):
        raise GeometryError("Each voxel of the grid needs the number of one of the transforms.")
    made: NDArray[np.generic] | None = None
    for number, matrix in enumerate(fixed_to_moving):
        here = which == number
        if made is not None and not here.any():
            continue
        moved = resample(image, onto, fixed_to_moving=matrix, interpolation=interpolation, outside=outside).array
        made = moved if made is None else np.where(here, moved, made)
    assert made is not None
    return Image(made, onto, image.unit)
