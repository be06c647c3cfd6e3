"""Where the axis of rotation lies, from the places of the heads at their start views.

The centre of a head's matrix lies at axis + R n: along the columns it tells where the axis is, along n only where R is
recorded. What nothing tells is the isocentre, said as an assumption; some cameras put the table's height there.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from leukospect.dicom.elements import named
from leukospect.dicom.read.orientation import column_direction, outward_direction

_FARTHEST_MM = 100.0  # no camera rotates about an axis farther from its isocentre: a table height, or R left out
_AGREED_MM = 5.0


@dataclass(frozen=True, slots=True, eq=False)
class HeadPlace:
    """A head at its start view: the patient's angle, the radius, and the LPS centre of the middle of its matrix."""

    angle_deg: float
    radius_mm: float | None
    centre_mm: NDArray[np.float64]


def matrix_centre_mm(
    first_pixel_mm: NDArray[np.float64],
    orientation: NDArray[np.float64],
    shape: tuple[int, int],
    pixel_mm: tuple[float, float],
) -> NDArray[np.float64]:
    """Give the middle of a matrix from its first stored pixel, whichever way rows and columns run.

    Parameters
    ----------
    first_pixel_mm : (3,) array, LPS
    orientation : (6,) array
        Cosines along the columns' and the rows' direction.
    shape : (rows, columns)
    pixel_mm : (between rows, between columns)
    """
    rows, columns = shape
    along_columns = orientation[:3] * (columns - 1) / 2 * pixel_mm[1]
    along_rows = orientation[3:] * (rows - 1) / 2 * pixel_mm[0]
    return np.asarray(first_pixel_mm + along_columns + along_rows, dtype=np.float64)


def axis_of_rotation_mm(heads: list[HeadPlace], assumptions: list[str]) -> tuple[float, float]:
    """Find x and y of the axis of rotation, LPS mm, by least squares over all heads.

    Parameters
    ----------
    heads : list of HeadPlace
        Those whose place is recorded; may be empty.
    assumptions : list of str
        What was assumed is added to it.
    """
    if not heads:
        assumptions.append(
            f"{named('ImagePositionPatient')} or {named('ImageOrientationPatient')} of the heads is not recorded; the "
            "axis of rotation is taken at x = y = 0."
        )
        return 0.0, 0.0
    across = [(column_direction(h.angle_deg)[:2], float(h.centre_mm @ column_direction(h.angle_deg))) for h in heads]
    outward = [
        (outward_direction(h.angle_deg)[:2], float(h.centre_mm @ outward_direction(h.angle_deg)) - h.radius_mm)
        for h in heads
        if h.radius_mm is not None
    ]
    for equations, said in (
        (across + outward, ""),
        (across, "along the columns only, since distances to the heads contradict it or are too long"),
    ):
        found = _solve(equations)
        if found is None:
            continue
        axis, determined = found
        if said and outward:
            assumptions.append(f"The heads' places tell the axis of rotation {said}.")
        if not determined:
            assumptions.append(
                "The heads' places tell the axis of rotation in one direction; it is taken as 0 in the other."
            )
        return axis
    assumptions.append(
        f"{named('ImagePositionPatient')} of the heads cannot be their place (the axis of rotation would lie more than "
        f"{_FARTHEST_MM:g} mm off, or differ between heads); the axis is taken at x = y = 0."
    )
    return 0.0, 0.0


def _solve(equations: list[tuple[NDArray[np.float64], float]]) -> tuple[tuple[float, float], bool] | None:
    """Solve for the axis; None where the equations contradict each other or place it impossibly far."""
    matrix = np.array([direction for direction, _ in equations])
    values = np.array([value for _, value in equations])
    axis, _, _, singular = np.linalg.lstsq(matrix, values, rcond=1e-3)
    residual = np.abs(matrix @ axis - values).max()
    if residual > _AGREED_MM or np.linalg.norm(axis) > _FARTHEST_MM:
        return None
    x, y = (0.0 if abs(value) < 1e-6 else float(value) for value in axis)
    return (x, y), bool(singular.size == 2 and singular[1] > 1e-3 * singular[0])


def first_row_z_mm(heads: list[HeadPlace], rows: int, row_spacing_mm: float, assumptions: list[str]) -> float:
    """Find z of the centre of row 0, LPS mm; rows run from head to feet, so it is the highest."""
    half = (rows - 1) / 2 * row_spacing_mm
    if not heads:
        assumptions.append("The place of the rows along the patient is not recorded; their middle is taken as z = 0.")
        return half
    middles = np.array([head.centre_mm[2] for head in heads])
    if np.ptp(middles) > row_spacing_mm / 2:
        assumptions.append(
            f"The heads' places differ by {np.ptp(middles):.1f} mm along the patient; their mean is taken."
        )
    return float(middles.mean()) + half
