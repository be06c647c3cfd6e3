"""Grids in patient space, and values that cannot be."""

from __future__ import annotations

import dataclasses
from datetime import datetime

import numpy as np
import pytest
from numpy.typing import NDArray

from leukospect.data import (
    AcquisitionHeader,
    CtSeries,
    EnergyWindow,
    Geometry,
    Image,
    Orbit,
    PlanarImages,
    Radiopharmaceutical,
    Study,
)
from leukospect.errors import GeometryError, InputError
from tests.spot_acquisition import PHOTOPEAK, acquisition

AXIAL = Geometry.axial((5, 7, 9), (6.0, 4.5, 3.0), (-11.0, 23.0, 140.0), "1.2.3")


def _oblique() -> Geometry:
    """A grid turned about two axes, its slices running to the feet."""
    a, b = np.deg2rad([25.0, -40.0])
    about_z = np.array([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]])
    about_x = np.array([[1, 0, 0], [0, np.cos(b), -np.sin(b)], [0, np.sin(b), np.cos(b)]])
    affine = np.eye(4)
    # Columns are the steps of k, j and i.
    affine[:3, :3] = (about_z @ about_x)[:, [2, 1, 0]] * np.array([-6.0, 4.5, 3.0])
    affine[:3, 3] = 10.0, -20.0, 30.0
    return Geometry((5, 7, 9), affine)


# --- geometry ---


def test_an_axial_grid_runs_to_the_left_the_back_and_the_head() -> None:
    np.testing.assert_allclose(AXIAL.to_lps([0, 0, 0]), [-11, 23, 140])
    np.testing.assert_allclose(AXIAL.to_lps([1, 0, 0]), [-11, 23, 146])
    np.testing.assert_allclose(AXIAL.to_lps([0, 1, 0]), [-11, 27.5, 140])
    np.testing.assert_allclose(AXIAL.to_lps([0, 0, 1]), [-8, 23, 140])
    assert AXIAL.spacing_mm == pytest.approx((6.0, 4.5, 3.0))
    assert AXIAL.voxel_volume_ml == pytest.approx(0.081)


def test_slices_that_run_to_the_feet_have_a_negative_step_and_a_positive_spacing() -> None:
    grid = Geometry.axial((5, 7, 9), (-6.0, 4.5, 3.0), (0.0, 0.0, 140.0))
    np.testing.assert_allclose(grid.to_lps([2, 0, 0]), [0, 0, 128])
    assert grid.spacing_mm == pytest.approx((6.0, 4.5, 3.0))
    assert grid.voxel_volume_ml == pytest.approx(0.081)


@pytest.mark.parametrize("grid", [AXIAL, _oblique()], ids=["axial", "oblique"])
def test_indices_go_to_patient_space_and_back(grid: Geometry) -> None:
    indices = np.random.default_rng(1).uniform(-3, 12, (4, 6, 3))
    np.testing.assert_allclose(grid.to_index(grid.to_lps(indices)), indices, atol=1e-9)
    assert grid.spacing_mm == pytest.approx((6.0, 4.5, 3.0))


def test_the_same_grid_is_known_by_its_places() -> None:
    assert AXIAL.same_grid(Geometry.axial((5, 7, 9), (6.0, 4.5, 3.0), (-11.0, 23.0, 140.0)))
    assert not AXIAL.same_grid(Geometry.axial((5, 7, 9), (6.0, 4.5, 3.0), (-11.0, 23.01, 140.0)))
    assert not AXIAL.same_grid(Geometry.axial((5, 9, 7), (6.0, 4.5, 3.0), (-11.0, 23.0, 140.0)))
    assert not AXIAL.same_grid(_oblique())


def _affine(row: int, column: int, value: float) -> NDArray[np.float64]:
    affine = np.eye(4)
    affine[row, column] = value
    return affine


@pytest.mark.parametrize(
    ("affine", "message"),
    [
        (np.eye(3), "4x4"),
        (_affine(0, 3, np.nan), "finite"),
        (_affine(3, 0, 1.0), "last row"),
        (_affine(1, 1, 0.0), "zero"),
        (_affine(0, 1, 0.2), "right angles"),
    ],
)
def test_an_impossible_affine_is_refused(affine: NDArray[np.float64], message: str) -> None:
    with pytest.raises(GeometryError, match=message):
        Geometry((2, 2, 2), affine)


@pytest.mark.parametrize("shape", [(2, 2), (0, 2, 2), (2, -1, 2)])
def test_an_impossible_shape_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(GeometryError, match="three positive sizes"):
        Geometry(shape, np.eye(4))  # type: ignore[arg-type]


def test_a_grid_keeps_its_affine_whatever_is_done_to_the_callers() -> None:
    affine = np.eye(4)
    grid = Geometry((2, 2, 2), affine)
    affine[0, 3] = 99.0
    assert grid.affine[0, 3] == 0.0
    with pytest.raises(ValueError, match="read-only"):
        grid.affine[0, 3] = 1.0


# --- images and projections ---


def test_an_image_is_contiguous_and_cannot_be_written() -> None:
    image = Image(np.zeros((9, 7, 5), np.float32).T, AXIAL, "1/cm")
    assert image.array.flags.c_contiguous
    with pytest.raises(ValueError, match="read-only"):
        image.array[0, 0, 0] = 1.0
    with pytest.raises(GeometryError, match="does not fit"):
        Image(np.zeros((7, 5, 9)), AXIAL)


def test_an_image_leaves_the_callers_array_writable() -> None:
    array = np.zeros((5, 7, 9), np.float32)
    Image(array, AXIAL)
    array[0, 0, 0] = 1.0


@pytest.mark.parametrize(
    ("value", "name"),
    [(AXIAL, "shape"), (PHOTOPEAK, "ranges_kev"), (acquisition(np.zeros(2), (3, 4), (5.0, 4.0)), "counts")],
)
def test_values_are_frozen(value: object, name: str) -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(value, name, None)


@pytest.mark.parametrize("ranges", [(), ((150.0, 130.0),), ((-1.0, 5.0),), ((140.0, 140.0),), ((np.nan, 140.0),)])
def test_an_impossible_energy_window_is_refused(ranges: tuple[tuple[float, float], ...]) -> None:
    with pytest.raises(InputError, match="energy window"):
        EnergyWindow(ranges, "peak")


def test_the_width_of_a_window_adds_its_ranges() -> None:
    assert EnergyWindow(((154.0, 188.0), (221.0, 270.0))).width_kev == pytest.approx(83.0)


@pytest.mark.parametrize(
    ("angles", "radii", "offsets", "message"),
    [
        ([], None, None, "finite angle"),
        ([0.0, np.nan], None, None, "finite angle"),
        ([[0.0, 1.0]], None, None, "finite angle"),
        ([0.0, 90.0], [200.0], None, "2 views has 1 values in radii_mm"),
        ([0.0, 90.0], [200.0, 0.0], None, "positive"),
        ([0.0, 90.0], [200.0, np.inf], None, "radii_mm"),
        ([0.0, 90.0], None, [1.0, 2.0, 3.0], "2 views has 3 values in centre_offset_mm"),
    ],
)
def test_an_impossible_orbit_is_refused(
    angles: list[float], radii: list[float] | None, offsets: list[float] | None, message: str
) -> None:
    with pytest.raises(GeometryError, match=message):
        Orbit(
            np.array(angles),
            None if radii is None else np.array(radii),
            None if offsets is None else np.array(offsets),
        )


def test_projections_hold_what_they_say() -> None:
    filled = acquisition(np.zeros(2), (3, 4), (5.0, 4.0), counts=np.ones((1, 2, 3, 4), np.uint16))
    assert filled.counts.dtype == np.float32
    assert filled.counts.flags.c_contiguous
    assert filled.orbit.views == 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"counts": np.zeros((2, 3, 4))}, "windows, views, rows, columns"),
        ({"counts": np.full((1, 2, 3, 4), np.nan)}, "not finite"),
        ({"counts": np.full((1, 2, 3, 4), -1.0)}, "negative counts"),
        ({"counts": np.zeros((2, 2, 3, 4))}, "2 windows describe 1"),
        ({"counts": np.zeros((1, 3, 3, 4))}, "3 views have angles for 2"),
        ({"view_start_s": np.zeros(3)}, "view_start_s"),
        ({"view_duration_s": np.array([1.0, np.nan])}, "view_duration_s"),
        ({"view_duration_s": np.array([1.0, 0.0])}, "positive"),
        ({"pixel_mm": (0.0, 4.0)}, "spacing"),
        ({"pixel_mm": (5.0, np.nan)}, "spacing"),
    ],
)
def test_impossible_projections_are_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises((InputError, GeometryError), match=message):
        dataclasses.replace(acquisition(np.zeros(2), (3, 4), (5.0, 4.0)), **change)  # type: ignore[arg-type]


def _planar(**change: object) -> PlanarImages:
    whole = PlanarImages(
        np.zeros((1, 2, 3, 4), np.float32), (PHOTOPEAK,), ("anterior", "posterior"), (2.4, 1.2),
        np.array([300.0, 300.0]), AcquisitionHeader("STATIC"),
    )  # fmt: skip
    return dataclasses.replace(whole, **change)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"view_names": ("anterior",)}, "as many names"),
        ({"view_duration_s": np.array([300.0])}, "as many names and durations"),
        ({"view_duration_s": np.array([300.0, -1.0])}, "positive"),
        ({"energy_windows": (PHOTOPEAK, PHOTOPEAK)}, "1 windows describe 2"),
        ({"pixel_mm": (2.4, -1.2)}, "spacing"),
        ({"first_pixel_mm": np.zeros((1, 3))}, "position of three values"),
        ({"counts": np.full((1, 2, 3, 4), -0.5)}, "negative"),
    ],
)
def test_impossible_planar_images_are_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises((InputError, GeometryError), match=message):
        _planar(**change)


def test_hours_after_injection_need_both_times() -> None:
    injected = Radiopharmaceutical("Tc-99m", injection_time=datetime(2031, 3, 4, 22, 30))
    start = datetime(2031, 3, 5, 2, 45)
    assert AcquisitionHeader("TOMO", start, injected).hours_after_injection == pytest.approx(4.25)
    assert AcquisitionHeader("TOMO", start, Radiopharmaceutical("Tc-99m")).hours_after_injection is None
    assert AcquisitionHeader("TOMO", None, injected).hours_after_injection is None
    assert AcquisitionHeader("TOMO", start).hours_after_injection is None


def test_a_study_gives_each_kind_in_its_order() -> None:
    first, second = (acquisition(np.zeros(2), (3, 4), (5.0, 4.0)) for _ in range(2))
    planar = _planar()
    ct = CtSeries(Image(np.zeros((5, 7, 9), np.int16), AXIAL, "HU"), AcquisitionHeader("CT"), 110.0)
    study = Study((planar, first, ct, second))
    assert study.projections == (first, second)
    assert study.planar == (planar,)
    assert study.ct == (ct,)
