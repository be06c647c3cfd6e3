"""A CT of a tilted gantry becomes a volume at right angles, with everything where it was in the patient."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom.dataset import FileDataset

from leukospect.data import CtSeries
from leukospect.dicom.read.ct import read_ct
from leukospect.errors import AssumptionWarning, GeometryError
from tests.dicom.acquisitions import ct_slices, save

PIXEL_MM = (1.5, 1.25)  # of ct_slices
ROWS, COLUMNS, SLICES, STEP_MM = 44, 52, 24, 3.0
# LPS offsets from the middle of the stack, mm, and strengths, HU above air: no symmetry maps them onto each other.
BLOBS = ((14.0, -9.0, 11.0, 1900.0), (-17.0, 6.0, -14.0, 1400.0), (5.0, 13.0, 17.0, 900.0))
SIGMA_MM = 3.5
Float64 = NDArray[np.float64]


class Tilted:
    """A stack whose slices are tilted by some degrees about the patient's left-right axis, or the table is."""

    def __init__(self, tilt_deg: float, *, turned: bool = False, table: bool = False, slices: int = SLICES) -> None:
        c, s = np.cos(np.deg2rad(tilt_deg)), np.sin(np.deg2rad(tilt_deg))
        self.row = np.array([-1.0 if turned else 1.0, 0.0, 0.0])
        self.column = np.array([0.0, 1.0, 0.0]) if table else np.array([0.0, c, s])
        way = np.array([0.0, -s, c]) if table else np.array([0.0, 0.0, 1.0])
        corner = -(COLUMNS - 1) / 2 * PIXEL_MM[1] * self.row - (ROWS - 1) / 2 * PIXEL_MM[0] * self.column
        self.middle = np.array([3.0, -120.0, 400.0])
        steps = (np.arange(slices) - (slices - 1) / 2) * STEP_MM
        self.positions = self.middle + corner + steps[:, None] * way

    def places_mm(self) -> Float64:
        """LPS of every voxel, (slices, rows, columns, 3)."""
        rows = np.arange(ROWS)[:, None, None] * PIXEL_MM[0] * self.column
        columns = np.arange(COLUMNS)[None, :, None] * PIXEL_MM[1] * self.row
        return np.asarray(self.positions[:, None, None, :] + (rows + columns)[None])

    def hu(self) -> NDArray[np.int16]:
        places = self.places_mm() - self.middle
        values = np.full(places.shape[:3], -1000.0)
        for x, y, z, strength in BLOBS:
            distance2 = ((places - [x, y, z]) ** 2).sum(axis=-1)
            values += strength * np.exp(-distance2 / (2 * SIGMA_MM**2))
        return np.rint(values).astype(np.int16)

    def datasets(self, tilt: float | None = None, array: NDArray[np.int16] | None = None) -> list[FileDataset]:
        values = self.hu() if array is None else array
        made = ct_slices(values, self.positions, (*self.row, *self.column))
        for one in made:
            if tilt is not None:
                one.GantryDetectorTilt = tilt
        return made


def read(folder: Path, *datasets: FileDataset) -> CtSeries:
    with pytest.warns(AssumptionWarning, match="gantry was tilted"):
        return read_ct(save(folder, *datasets))


def all_places_mm(ct: CtSeries) -> Float64:
    return ct.image.geometry.to_lps(np.moveaxis(np.indices(ct.image.geometry.shape), 0, -1))


def mass(array: NDArray[np.generic], voxel_mm3: float) -> float:
    return float((array.astype(np.float64) + 1000.0).sum() * voxel_mm3)


@pytest.mark.parametrize("table", [False, True])
@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("tilt_deg", [12.0, -12.0, 27.5])
def test_everything_is_where_it_was(tilt_deg: float, turned: bool, table: bool, tmp_path: Path) -> None:
    stack = Tilted(tilt_deg, turned=turned, table=table)
    datasets = stack.datasets(tilt=abs(tilt_deg))
    ct = read(tmp_path, *datasets[1::2], *datasets[::2])
    geometry = ct.image.geometry
    places = all_places_mm(ct)
    for x, y, z, strength in BLOBS:
        true = stack.middle + np.array([x, y, z])
        near = np.linalg.norm(places - true, axis=-1) < 4 * SIGMA_MM
        weight = ct.image.array[near].astype(np.float64) + 1000.0
        found = (weight[:, None] * places[near]).sum(axis=0) / weight.sum()
        np.testing.assert_allclose(found, true, atol=0.15)  # a tenth of the smallest voxel's side
        true_mass = strength * (2 * np.pi) ** 1.5 * SIGMA_MM**3
        assert weight.sum() * geometry.voxel_volume_ml * 1000 == pytest.approx(true_mass, rel=0.03)
    # Upright: the slices' normal is the patient's long axis, and rows and columns are the patient's.
    np.testing.assert_allclose(np.abs(geometry.affine[:3, :3]).sum(axis=0), geometry.spacing_mm, atol=1e-9)
    along = STEP_MM * (np.cos(np.deg2rad(tilt_deg)) if table else 1.0)
    np.testing.assert_allclose(geometry.spacing_mm, (along, *PIXEL_MM), rtol=1e-6)
    assert f"tilted by {abs(tilt_deg):g} degrees" in " ".join(ct.header.assumptions)


@pytest.mark.parametrize("tilt_deg", [15.0, -15.0])
def test_nothing_of_what_was_scanned_is_lost(tilt_deg: float, tmp_path: Path) -> None:
    stack = Tilted(tilt_deg)
    array = np.full((SLICES, ROWS, COLUMNS), -1000, dtype=np.int16)
    for corner in np.ndindex(2, 2, 2):  # eight unlike voxels at the very corners, where a grid too small would cut
        k, j, i = (-1 if end else 0 for end in corner)
        array[k, j, i] = 200 + 100 * int(np.ravel_multi_index(corner, (2, 2, 2)))
    ct = read(tmp_path, *stack.datasets(tilt_deg, array))
    voxel = STEP_MM * np.cos(np.deg2rad(tilt_deg)) * PIXEL_MM[0] * PIXEL_MM[1]
    total = mass(ct.image.array, ct.image.geometry.voxel_volume_ml * 1000)
    # Linear weights of one voxel sum to its volume only on average over places in the grid.
    assert total == pytest.approx(mass(array, voxel), rel=0.1)
    index = ct.image.geometry.to_index(stack.places_mm()[[0, 0, -1, -1], [0, -1, 0, -1], [0, -1, -1, 0]])
    assert np.all(index > -1e-2)
    assert np.all(index < np.array(ct.image.geometry.shape) - 1 + 1e-2)


def test_a_linear_gradient_is_kept_exactly(tmp_path: Path) -> None:
    stack = Tilted(12.0)
    slope = np.array([2.0, -3.0, 4.0])
    array = np.rint((stack.places_mm() - stack.middle) @ slope).astype(np.int16)
    ct = read(tmp_path, *stack.datasets(array=array))
    inner = np.linalg.norm(all_places_mm(ct) - stack.middle, axis=-1) < 20
    expected = (all_places_mm(ct)[inner] - stack.middle) @ slope
    np.testing.assert_allclose(ct.image.array[inner], expected, atol=0.51)  # HU are rounded
    assert ct.image.array.min() == -1000.0  # where nothing was scanned


def test_outside_is_what_fills_the_field_of_view(tmp_path: Path) -> None:
    stack = Tilted(12.0)
    array = stack.hu()
    y, x = np.ogrid[-1 : 1 : ROWS * 1j, -1 : 1 : COLUMNS * 1j]
    array[:, np.hypot(y, x) > 1] = -1024
    ct = read(tmp_path, *stack.datasets(array=array))
    grid = ct.image.geometry.shape
    assert ct.image.array[0, 0, 0] == ct.image.array[grid[0] - 1, -1, -1] == -1024.0


def test_an_oblique_volume_at_right_angles_stays_as_it_is(tmp_path: Path) -> None:
    stack = Tilted(20.0)
    normal = np.cross(stack.row, stack.column)
    array = stack.hu()
    positions = stack.positions[0] + np.arange(SLICES)[:, None] * 2.0 * normal
    datasets = ct_slices(array, positions, (*stack.row, *stack.column))
    for one in datasets:
        one.GantryDetectorTilt = 20.0
    ct = read_ct(save(tmp_path, *datasets))
    np.testing.assert_array_equal(ct.image.array, array)
    np.testing.assert_allclose(ct.image.geometry.affine[:3, 0], 2.0 * normal, atol=1e-9)


@pytest.mark.parametrize("tilt", [None, 0.0, 12.0, -12.4])
def test_a_tilt_that_agrees_or_is_not_recorded_is_taken(tilt: float | None, tmp_path: Path) -> None:
    assert read(tmp_path, *Tilted(12.0).datasets(tilt)).image.geometry.shape[0] > SLICES


def test_a_tilt_that_contradicts_is_refused(tmp_path: Path) -> None:
    with pytest.raises(GeometryError, match=r"upright slices.*set it to 0"):
        read_ct(save(tmp_path / "upright", *Tilted(0.0).datasets(12.0)))
    with pytest.raises(GeometryError, match=r"by 20 degrees, but .* say 12\.0"):
        read_ct(save(tmp_path / "other", *Tilted(12.0).datasets(20.0)))
    with pytest.raises(GeometryError, match="more than a gantry can tilt"):
        read_ct(save(tmp_path / "much", *Tilted(50.0).datasets()))


def test_too_few_slices_for_a_tilt_do_not_fill_the_memory(tmp_path: Path) -> None:
    stack = Tilted(30.0, slices=10)
    positions = stack.positions[0] + np.arange(10)[:, None] * np.array([0.0, 0.0, 0.1])
    datasets = ct_slices(np.zeros((10, 600, 600), dtype=np.int16), positions, (*stack.row, *stack.column))
    with pytest.raises(GeometryError, match="too few"):
        read_ct(save(tmp_path, *datasets))


def test_the_rounding_of_cosines_is_no_tilt(tmp_path: Path) -> None:
    stack = Tilted(0.0)
    array = stack.hu()
    datasets = ct_slices(array, stack.positions, (1.0, 0.0, 0.0, 0.0, 1.0, 0.002))
    np.testing.assert_array_equal(read_ct(save(tmp_path, *datasets)).image.array, array)
