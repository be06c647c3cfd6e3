"""A CT taken with a tilted gantry: its slices lie in parallel planes that are not at right angles to the table's way.

The stack is a sheared one. It is resampled once, here, so that everything after has a grid at right angles. The upright
slices are not the planes that the rays ran in, so metal artefacts that lie in the tilted planes cross them.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from scipy import ndimage

from leukospect.data import Geometry
from leukospect.dicom.elements import named, number
from leukospect.dicom.read.slices import Stack
from leukospect.errors import GeometryError

_NO_TILT_DEG = 0.1  # rounding
_AGREES_DEG = 1.0
_UPRIGHT_DEG = 1.0
_MOST_DEG = 35.0  # gantries tilt by up to 30
_WHOLE = 1e-3  # of a voxel: what lies no farther beyond the grid needs no voxel of its own
_MOST_TIMES, _FEW_VOXELS = 4, 5 * 10**7


def gantry_tilt_deg(stack: Stack, slices: Sequence[Dataset]) -> float:
    """Tell by how much the gantry was tilted: the angle between the slices' normal and the way from slice to slice.

    Parameters
    ----------
    stack : Stack
    slices : sequence of Dataset
        Their headers, with Gantry/Detector Tilt where recorded; its sign is not defined alike by all and not used.

    Returns
    -------
    float
        0 for a volume at right angles, upright or oblique.

    Raises
    ------
    GeometryError
        A tilt is recorded that positions and orientation contradict, or they show more than a gantry can tilt.
    """
    aside = stack.aside_deg
    recorded = {abs(number(one, "GantryDetectorTilt") or 0.0) for one in slices}
    tilts = {tilt for tilt in recorded if tilt > _NO_TILT_DEG}
    if aside > _MOST_DEG:
        raise GeometryError(
            f"The slices are shifted sideways from one to the next by {aside:.0f} degrees, more than a gantry can "
            "tilt: their positions or orientation are wrong; send the CT again from the scanner."
        )
    oblique = float(np.degrees(np.arccos(min(1.0, float(np.abs(stack.normal).max())))))
    if tilts and not aside and oblique < _UPRIGHT_DEG:
        raise GeometryError(
            f"{named('GantryDetectorTilt')} says that the gantry was tilted by {max(tilts):g} degrees, but orientation "
            "and positions are of upright slices. If they were resampled, set it to 0 in the files; if not, send them "
            "again from the scanner."
        )
    if aside and any(abs(tilt - aside) > _AGREES_DEG for tilt in tilts):
        raise GeometryError(
            f"{named('GantryDetectorTilt')} says that the gantry was tilted by {max(tilts):g} degrees, but the slices' "
            f"orientation and positions say {aside:.1f}; send the CT again from the scanner."
        )
    return aside


def upright(array: NDArray[np.float32], stack: Stack, outside: float) -> tuple[NDArray[np.float32], Geometry]:
    """Resample a sheared stack to a grid at right angles by linear interpolation.

    The grid's slices step along the table's way, or along the slices' normal where that is nearer to an axis of the
    patient; its spacings are those of the stack. It holds every voxel's centre of the stack.

    Parameters
    ----------
    array : (slices, rows, columns) float32 array
    stack : Stack
    outside : float
        The value where nothing was scanned.

    Returns
    -------
    (slices, rows, columns) float32 array and its Geometry

    Raises
    ------
    GeometryError
        The grid would be many times larger than the stack: too few slices for such a tilt.
    """
    sheared = np.column_stack(
        [stack.step_mm, stack.orientation[3:] * stack.pixel_mm[0], stack.orientation[:3] * stack.pixel_mm[1]]
    )
    axes = _axes_at_right_angles(stack)
    to_grid = np.linalg.inv(axes) @ sheared
    corners = np.array(np.meshgrid(*[(0, size - 1) for size in array.shape])).reshape(3, -1)
    reach = to_grid @ corners
    low = np.floor(reach.min(axis=1) + _WHOLE)
    sizes = np.ceil(reach.max(axis=1) - _WHOLE) - low + 1
    shape = (int(sizes[0]), int(sizes[1]), int(sizes[2]))
    if float(np.prod(sizes)) > max(_MOST_TIMES * array.size, _FEW_VOXELS):
        raise GeometryError(
            f"The gantry was tilted and the {array.shape[0]} slices are too few for a volume at right angles; give a "
            "CT that is not tilted."
        )
    # Rounded, so that an axis which both grids share is not left by a hair.
    matrix = np.round(np.linalg.inv(to_grid), 9)
    offset = np.round(matrix @ low, 9)
    made = np.empty(shape, dtype=np.float32)

    def resample(k: int) -> None:
        ndimage.affine_transform(
            array, matrix, offset + matrix[:, 0] * k, output_shape=(1, *shape[1:]), output=made[k : k + 1],
            order=1, mode="grid-constant", cval=outside, prefilter=False,
        )  # fmt: skip

    with ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool:
        list(pool.map(resample, range(shape[0])))
    affine = np.eye(4)
    affine[:3, :3] = axes
    affine[:3, 3] = stack.first_voxel_mm + axes @ low
    return made, Geometry(shape, affine, stack.frame_of_reference_uid)


def _axes_at_right_angles(stack: Stack) -> NDArray[np.float64]:
    """Give the grid's steps as columns, along slices, rows and columns, mm."""
    way = stack.step_mm / np.linalg.norm(stack.step_mm)
    across = max((way, stack.normal), key=lambda direction: float(np.abs(direction).max()))
    right = stack.orientation[:3] - across * (stack.orientation[:3] @ across)
    right /= np.linalg.norm(right)
    down = np.cross(across, right)
    between_rows, between_columns = stack.pixel_mm
    return np.column_stack([across * (stack.step_mm @ across), down * between_rows, right * between_columns])
