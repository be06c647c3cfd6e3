"""The map at SPECT's resolution, and the truncated body."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pydicom
import pytest
from numpy.typing import NDArray

from leukospect.ct.attenuation_map import completed_along_axis, smooth_to_resolution
from leukospect.ct.truncation import is_truncated
from leukospect.data import Geometry, Image
from leukospect.errors import AssumptionWarning, InputError
from leukospect.registration import resample


def test_a_point_becomes_a_gaussian_of_the_width_asked_for_along_every_axis() -> None:
    array = np.zeros((31, 60, 91), dtype=np.float32)
    array[12, 25, 50] = 7.0
    spacing = (3.0, 1.5, 1.0)
    smooth = smooth_to_resolution(Image(array, Geometry.axial(array.shape, spacing, (3, 4, 5)), "1/cm"), 11.0)
    blob = np.asarray(smooth.array, dtype=np.float64)
    assert smooth.unit == "1/cm"
    assert blob.sum() == pytest.approx(7.0, rel=1e-4)
    assert [int(n) for n in np.unravel_index(blob.argmax(), blob.shape)] == [12, 25, 50]
    for axis, step in enumerate(spacing):
        profile = blob.sum(axis=tuple(a for a in range(3) if a != axis))
        place = np.arange(profile.size) * step
        variance = np.average((place - np.average(place, weights=profile)) ** 2, weights=profile)
        assert np.sqrt(8 * np.log(2) * variance) == pytest.approx(11.0, rel=0.01)


def test_the_surroundings_are_air_within_a_slice_and_more_of_the_same_along_the_body() -> None:
    water = np.full((9, 40, 50), 0.15, dtype=np.float32)
    geometry = Geometry.axial((9, 40, 50), (-4.0, 2.0, 1.0), (0, 0, 0))
    smooth = smooth_to_resolution(Image(water, geometry), 8.0).array.astype(np.float64)
    np.testing.assert_allclose(smooth[:, 20, 25], 0.15, rtol=1e-5)
    assert smooth[4, 0, 25] == pytest.approx(0.075, rel=0.3)
    assert smooth[4, 20, 0] == pytest.approx(0.075, rel=0.2)


def test_threads_change_nothing_and_no_width_changes_nothing() -> None:
    array = np.random.default_rng(2).random((7, 20, 30)).astype(np.float32)
    image = Image(array, Geometry.axial((7, 20, 30), (4.0, 2.0, 1.0), (0, 0, 0)))
    one, three = (smooth_to_resolution(image, 9.0, threads=n).array for n in (1, 3))
    np.testing.assert_array_equal(one, three)
    np.testing.assert_array_equal(smooth_to_resolution(image, 0.0).array, array)
    with pytest.raises(InputError, match="-1"):
        smooth_to_resolution(image, -1.0)


def test_the_ends_of_a_short_ct_go_on_along_the_body() -> None:
    """A body that does not change along z has the same map however short its CT, shifted and rotated as it may be."""
    y, x = np.meshgrid((np.arange(60) - 29.5) * 5.0, (np.arange(60) - 29.5) * 5.0, indexing="ij")
    body = (0.15 * np.exp(-(((x - 15) / 90) ** 2) - ((y + 8) / 60) ** 2)).astype(np.float32)
    onto = Geometry.axial((40, 30, 30), (6.0, 8.0, 8.0), (-116.0, -116.0, -120.0))
    matrix = np.eye(4)
    matrix[:3, 3] = (7.0, -4.0, 11.0)
    angle = np.deg2rad(5.0)
    matrix[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]

    def mapped(slices: int, first_z: float) -> NDArray[np.float32]:
        ct = Image(np.repeat(body[None], slices, axis=0), Geometry.axial((slices, 60, 60), (4.0, 5.0, 5.0),
                   (-147.5, -147.5, first_z)))  # fmt: skip
        sampled = resample(ct, onto, fixed_to_moving=matrix, anti_alias=False)
        return np.asarray(completed_along_axis(sampled, ct, matrix).array, np.float32)

    whole = mapped(90, -180.0)
    assert whole[0].max() > 0.14
    with pytest.warns(AssumptionWarning, match=r"does not reach \d+ of the SPECT's 40 slices"):
        short = mapped(10, -30.0)
    np.testing.assert_allclose(short, whole, atol=1e-5)
    assert not np.any(mapped(10, 5000.0))  # nothing shared, nothing completed


@pytest.mark.parametrize("padding_hu", [-1000, -2000])
@pytest.mark.parametrize(("shift_mm", "truncated"), [(0.0, False), (90.0, True)])
def test_a_body_cut_off_by_the_field_of_view_is_noticed(padding_hu: int, shift_mm: float, truncated: bool) -> None:
    y, x = np.meshgrid((np.arange(128) - 63.5) * 3.0, (np.arange(128) - 63.5) * 3.0, indexing="ij")
    hu = np.full((3, 128, 128), -1000.0, dtype=np.float32)
    hu[:, ((x - shift_mm) / 130) ** 2 + (y / 90) ** 2 < 1] = 30.0
    hu[:, 110:112, 10:118] = 100.0  # a couch that runs out of the circle
    hu[:, np.hypot(x, y) > 192] = padding_hu
    image = Image(hu, Geometry.axial((3, 128, 128), (5.0, 3.0, 3.0), (0, 0, 0)), "HU")
    assert is_truncated(image) is truncated


@pytest.mark.parametrize("rows", [100, 124])
def test_an_oval_body_in_a_close_rectangle_is_whole(rows: int) -> None:
    y, x = np.meshgrid(np.arange(rows) - (rows - 1) / 2, np.arange(130) - 64.5, indexing="ij")
    hu = np.full((3, rows, 130), -1000.0, dtype=np.float32)
    hu[:, (x / 61.5) ** 2 + (y / (rows / 2 - 3.5)) ** 2 < 1] = 0.0
    assert not is_truncated(Image(hu, Geometry.axial((3, rows, 130), (2.4, 2.4, 2.4), (0, 0, 0)), "HU"))


@pytest.mark.real_data
def test_an_arm_out_of_the_field_of_view_is_noticed(real_data: Path) -> None:
    slices = [pydicom.dcmread(path) for path in sorted((real_data / "ct" / "siemens_mct_abdomen").iterdir())]
    array = np.stack([d.pixel_array * float(d.RescaleSlope) + float(d.RescaleIntercept) for d in slices])
    geometry = Geometry.axial((len(slices), 512, 512), (2.0, 0.9765625, 0.9765625), (0, 0, 0))
    assert is_truncated(Image(array, geometry, "HU"))
    # The middle of the same slices: the trunk with its air around it, without the arms.
    cropped = np.full_like(array, -1000.0)
    cropped[:, 150:420, 90:410] = array[:, 150:420, 90:410]
    assert not is_truncated(Image(cropped, geometry, "HU"))
