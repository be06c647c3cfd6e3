"""The order in which a volume's voxels are stored: the same voxels, upright, whatever way the file had them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from leukospect.data import Geometry, Image

_UPRIGHT = {0: 2, 1: 1, 2: 0}  # index axis k, j, i to the LPS axis it should follow: z, y, x


def upright(image: Image) -> Image:
    """Order the voxels so that k runs to the head, j to the back and i to the patient's left, each as nearly as can be.

    Axes change places and direction, nothing is resampled: every value stays at its place in mm. What looks at a volume
    slice by slice can then take the slices for axial ones.

    Parameters
    ----------
    image : Image

    Returns
    -------
    Image
    """
    geometry = image.geometry
    order = _axes_along(geometry)
    steps = geometry.affine[:3, :3][:, order]
    signs = np.array([1 if steps[_UPRIGHT[axis], axis] > 0 else -1 for axis in range(3)])
    shape = tuple(geometry.shape[axis] for axis in order)
    corner = np.where(signs > 0, 0, np.array(shape) - 1)
    affine = np.eye(4)
    affine[:3, :3] = steps * signs
    affine[:3, 3] = geometry.affine[:3, 3] + steps @ corner
    flips = tuple(slice(None, None, int(sign)) for sign in signs)
    array = np.ascontiguousarray(image.array.transpose(order)[flips])
    made = Geometry((shape[0], shape[1], shape[2]), affine, geometry.frame_of_reference_uid)
    return replace(image, array=array, geometry=made)


def _axes_along(geometry: Geometry) -> list[int]:
    """Give the index axes that run most along z, y and x, each one once."""
    cosines = np.abs(geometry.affine[:3, :3]) / np.array(geometry.spacing_mm)
    order: list[int] = []
    for axis in range(3):
        along = cosines[_UPRIGHT[axis]].copy()
        along[order] = -1.0
        order.append(int(np.argmax(along)))
    return order
