"""Metal put into the bone of given slices."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from leukospect.errors import InputError
from leukospect.phantoms.anatomy_drawing import IMPLANT, Drawing
from leukospect.phantoms.metal_in_slices import draw_metal_into, scan_in_anatomy

_PIXEL = (2.0, 2.4)


def _slices(bone: bool = True) -> tuple[NDArray[np.int16], NDArray[np.bool_]]:
    """A thigh off the middle with a femur of its own."""
    y, x = np.indices((64, 72))
    hu = np.full((2, 64, 72), -1000, dtype=np.int16)
    body = np.hypot((y - 30) * _PIXEL[0], (x - 40) * _PIXEL[1]) < 52.0
    hu[:, body] = 50
    from_axis = np.hypot((y - 26) * _PIXEL[0], (x - 47) * _PIXEL[1])
    if bone:
        hu[:, from_axis < 16.0] = 1200
        hu[:, from_axis < 8.0] = -20
    return hu, np.repeat(body[None], 2, axis=0)


def test_metal_lies_in_or_at_the_bone_and_streaks_its_surroundings() -> None:
    hu, body = _slices()
    scan = scan_in_anatomy(hu, _PIXEL, 3.0, body, 4)
    assert scan.metal.any()
    near = ndimage.binary_dilation(hu[0] > 900, iterations=7)
    assert not np.any(scan.metal[0] & ~near)
    assert scan.geometry.spacing_mm == pytest.approx((3.0, *_PIXEL))
    inside = ndimage.binary_erosion(body[0] & (hu[0] == 50), iterations=3) & ~near
    # Scanned again, the slices keep their HU, and only metal makes streaks.
    assert np.mean(scan.truth_hu[0][inside]) == pytest.approx(50.0, abs=25.0)
    errors = [np.std(image[0][inside] - scan.truth_hu[0][inside]) for image in (scan.scanned_hu, scan.without_metal_hu)]
    assert errors[0] > 1.1 * errors[1] > 0.0


def test_the_same_seed_draws_the_same_and_bone_is_needed() -> None:
    hu, body = _slices()
    drawn = []
    for seed in (1, 1, 2):
        drawing = Drawing((seed,))
        draw_metal_into(drawing, hu[0], body[0], _PIXEL)
        assert all(shape.compartment == IMPLANT for shape in drawing.shapes)
        drawn.append(drawing.shapes)
    assert drawn[0] == drawn[1] != drawn[2]
    hu, body = _slices(bone=False)
    with pytest.raises(InputError, match="no bone"):
        draw_metal_into(Drawing((1,)), hu[0], body[0], _PIXEL)
