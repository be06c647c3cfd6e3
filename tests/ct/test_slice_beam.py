"""The fan in slices whose rows and columns run any way: the same rays through the patient, never mirrored."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from leukospect.ct.slice_beam import fan_beam_of_slice
from leukospect.data import FanGeometry, Geometry
from leukospect.errors import GeometryError
from leukospect.kernels.ct_beam import FanBeam, filtered_backprojection, forward

FAN = FanGeometry(400.0, (12.0, -160.0))
AXES = {
    "as usual": ((1, 0), (0, 1)),
    "from the left": ((-1, 0), (0, 1)),
    "from below": ((1, 0), (0, -1)),
    "both": ((-1, 0), (0, -1)),
    "rows to the left": ((0, 1), (1, 0)),
    "turned": ((0, -1), (1, 0)),
}


def volume(axes: str) -> Geometry:
    """Of 2 x 70 x 90 voxels whose columns and rows run so, with its middle at (-5, -150, 30)."""
    along_columns, along_rows = (np.array([*axis, 0.0]) for axis in AXES[axes])
    affine = np.eye(4)
    affine[:3, 1], affine[:3, 2] = along_rows * 1.3, along_columns * 0.9
    affine[:3, 0] = [0.0, 0.0, 4.0]
    affine[:3, 3] = np.array([-5.0, -150.0, 30.0]) - affine[:3, :3] @ [0.5, 34.5, 44.5]
    return Geometry((2, 70, 90), affine)


def drawn(geometry: Geometry) -> NDArray[np.float32]:
    """Draw a slice of two discs, a large and a small, at fixed places in the patient."""
    finer = 5
    _, rows, columns = geometry.shape
    j, i = np.meshgrid(
        (np.arange(rows * finer) + 0.5) / finer - 0.5, (np.arange(columns * finer) + 0.5) / finer - 0.5, indexing="ij"
    )
    points = geometry.to_lps(np.stack([np.zeros_like(i), j, i], axis=-1))
    large = np.hypot(points[..., 0] + 15.0, points[..., 1] + 145.0) < 16.0
    small = np.hypot(points[..., 0] - 11.0, points[..., 1] + 163.0) < 6.0
    fine = large.astype(np.float32) + 2.0 * small
    made: NDArray[np.float32] = fine.reshape(rows, finer, columns, finer).mean(axis=(1, 3)).astype(np.float32)
    return made


def seen_from(beam: FanBeam, geometry: Geometry, source_xy: NDArray[np.float64]) -> int:
    """Give the view in which the source stands at a place in the patient."""
    angles = beam.view_angles_rad
    x = beam.isocentre_mm[0] - beam.source_to_isocentre_mm * np.sin(angles)
    y = beam.isocentre_mm[1] + beam.source_to_isocentre_mm * np.cos(angles)
    row, column = y / 1.3 + 34.5, x / 0.9 + 44.5
    places = geometry.to_lps(np.stack([np.zeros_like(row), row, column], axis=-1))[:, :2]
    return int(np.argmin(np.linalg.norm(places - source_xy, axis=1)))


@pytest.mark.parametrize("axes", list(AXES))
def test_the_source_sees_the_discs_under_their_angles(axes: str) -> None:
    geometry = volume(axes)
    beam = fan_beam_of_slice(geometry, FAN)
    view = seen_from(beam, geometry, np.array([12.0, -160.0 + 400.0]))  # below the patient
    image = drawn(geometry)
    seen = forward(beam, np.where(image > 1.5, image, 0.0).astype(np.float32))[view]
    angle = np.average(beam.fan_angles_rad, weights=seen)
    assert abs(angle) == pytest.approx(abs(np.arctan2(11.0 - 12.0, 403.0)), abs=0.0006)
    # Large and small disc lie on their sides of the middle ray, as far apart as seen from there.
    seen = forward(beam, np.where(image > 1.5, 0.0, image).astype(np.float32))[view]
    apart = np.average(beam.fan_angles_rad, weights=seen) - angle
    assert abs(apart) == pytest.approx(abs(np.arctan2(-15.0 - 12.0, 385.0) - np.arctan2(-1.0, 403.0)), abs=0.003)


@pytest.mark.parametrize("axes", list(AXES))
def test_what_is_projected_comes_back_where_it_was(axes: str) -> None:
    geometry = volume(axes)
    image = drawn(geometry)
    beam = fan_beam_of_slice(geometry, FAN)
    back = filtered_backprojection(beam, forward(beam, image))
    assert np.corrcoef(back.ravel(), image.ravel())[0, 1] > 0.985
    assert back[image == 1.0].mean() == pytest.approx(1.0, abs=0.01)
    rows, columns = np.indices(image.shape)
    weights = np.where(back > 1.5, back - 1.0, 0.0)
    place = geometry.to_lps((0.0, np.average(rows, weights=weights), np.average(columns, weights=weights)))
    assert place[:2] == pytest.approx([11.0, -163.0], abs=0.2)


def test_slices_that_are_not_axial_are_refused() -> None:
    turned = np.array([[1.0, 0, 0, 0], [0, 0, 1.0, 0], [0, 1.0, 0, 0], [0, 0, 0, 1]])
    with pytest.raises(GeometryError, match="not axial"):
        fan_beam_of_slice(Geometry((3, 8, 9), turned), FAN)
    with pytest.raises(GeometryError, match="through the slice"):
        fan_beam_of_slice(volume("as usual"), FanGeometry(400.0, (300.0, 200.0)))
