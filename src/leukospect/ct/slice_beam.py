"""The rays of a CT's slices: a fan from where the source stood, where that is known."""

from __future__ import annotations

import numpy as np

from leukospect.data import FanGeometry, Geometry
from leukospect.errors import GeometryError
from leukospect.kernels.ct_beam import FanBeam

# A slice of n pixels across holds features that about pi n views of a full turn resolve; the difference that metal
# reduction reconstructs is smoother than that.
_VIEWS_PER_PIXEL = 2.0
_FEWEST_VIEWS = 180
_UPRIGHT = float(np.cos(np.deg2rad(1.0)))


def fan_beam_of_slice(geometry: Geometry, fan: FanGeometry) -> FanBeam:
    """Place the fan of rays in the slices of a volume, whichever way its rows and columns run.

    Parameters
    ----------
    geometry : Geometry
        Of axial slices.
    fan : FanGeometry

    Returns
    -------
    FanBeam
        Alike for all slices.

    Raises
    ------
    GeometryError
        The slices are not axial, or the source would run through them.
    """
    normal = geometry.affine[:3, 0] / np.linalg.norm(geometry.affine[:3, 0])
    if abs(normal[2]) < _UPRIGHT:
        raise GeometryError("A CT's rays ran in axial planes; these slices are not axial.")
    (slices, rows, columns), (_, dy, dx) = geometry.shape, geometry.spacing_mm
    z = geometry.to_lps((0.5 * (slices - 1), 0.5 * (rows - 1), 0.5 * (columns - 1)))[2]
    _, row, column = geometry.to_index((*fan.isocentre_mm, z))
    isocentre = (float(column - 0.5 * (columns - 1)) * dx, float(row - 0.5 * (rows - 1)) * dy)
    views = max(_FEWEST_VIEWS, round(_VIEWS_PER_PIXEL * max(rows * dy, columns * dx) / min(dy, dx)))
    return FanBeam.covering((rows, columns), (dy, dx), views, fan.source_to_isocentre_mm, isocentre)
