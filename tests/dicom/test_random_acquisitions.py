"""Whatever valid acquisition is drawn, written and read: orbit, windows, times and counts are what was drawn."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import SimpleITK
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pydicom.dataset import FileDataset

from leukospect.data import AcquisitionHeader, EnergyWindow, PlanarImages, Projections, ReconstructedSeries
from leukospect.dicom.read.ct import read_ct
from leukospect.dicom.read.nm import read_nm
from leukospect.dicom.read.study import read_projections
from leukospect.errors import AssumptionWarning
from tests.dicom.acquisitions import ct_slices, save
from tests.dicom.generator.random import Injected, decimals, injections, orientations, planars, recon_tomos, tomos
from tests.dicom.generator.tomo import Tomo
from tests.dicom.generator.volume import ReconTomo


def examples(number: int) -> settings:
    """Always the same ones, however slow the machine."""
    return settings(
        max_examples=number,
        derandomize=True,
        deadline=None,
        database=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )


@contextmanager
def on_disk(*datasets: FileDataset) -> Iterator[Path]:
    """Write files into a folder that goes again; what their reader assumes is not asked here."""
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore", AssumptionWarning)
        yield save(Path(folder), *datasets)


def read_back(dataset: FileDataset) -> Projections | PlanarImages | ReconstructedSeries:
    with on_disk(dataset) as folder:
        return read_nm(next(folder.iterdir()))


def check_header(header: AcquisitionHeader, drawn: Injected) -> None:
    assert header.start == drawn.start
    injected = header.radiopharmaceutical
    assert injected is not None
    assert injected.nuclide == drawn.nuclide
    assert injected.injection_time == drawn.injection
    assert injected.dose_mbq == drawn.dose_mbq
    assert injected.date_recorded is drawn.with_date


def check_windows(windows: tuple[EnergyWindow, ...], drawn: object) -> None:
    assert tuple(window.ranges_kev for window in windows) == drawn


def in_the_order_read(read: Projections, drawn: Tomo) -> tuple[list[int], list[int]]:
    """Give which heads and windows of those drawn were read one after another: several files have no order."""
    starts = read.orbit.angles_deg[:: len(drawn.view_starts_s())]
    apart = np.abs((np.array(drawn.start_angles_deg) - starts[:, None] + 180.0) % 360.0 - 180.0)
    assert drawn.window_ranges_kev is not None
    windows = [drawn.window_ranges_kev.index(window.ranges_kev) for window in read.energy_windows]
    heads: list[int] = apart.argmin(axis=1).tolist()
    return heads, windows


def check_tomo(read: Projections, drawn: Tomo, injected: Injected, *, in_order: bool) -> None:
    heads, windows = in_the_order_read(read, drawn)
    numbers = list(range(len(drawn.start_angles_deg))), list(range(drawn.window_count))
    assert (sorted(heads), sorted(windows)) == numbers
    if in_order:
        assert (heads, windows) == numbers
    angles = np.concatenate([drawn.angles_deg(head) for head in heads])
    apart = (read.orbit.angles_deg - angles + 180.0) % 360.0 - 180.0
    np.testing.assert_allclose(apart, 0.0, atol=1e-5)
    radii = [drawn.radii_of_head(head) for head in heads]
    if radii[0] is None:
        assert read.orbit.radii_mm is None
    else:
        assert read.orbit.radii_mm is not None
        np.testing.assert_allclose(read.orbit.radii_mm, np.concatenate([r for r in radii if r is not None]))
    offset = 0.0 if drawn.offset_corrected else drawn.centre_offset_mm
    found = read.orbit.centre_offset_mm
    np.testing.assert_allclose(np.zeros(angles.size) if found is None else found, offset)
    np.testing.assert_allclose(read.view_start_s, np.tile(drawn.view_starts_s(), len(heads)))
    np.testing.assert_allclose(read.view_duration_s, np.tile(drawn.view_durations_s(), len(heads)))
    assert read.pixel_mm == drawn.pixel_mm
    half = (drawn.shape[0] - 1) / 2 * drawn.pixel_mm[0]
    np.testing.assert_allclose(read.axis_mm, drawn.axis_mm if drawn.positions else (0.0, 0.0), atol=1e-4)
    assert read.first_row_z_mm == pytest.approx(drawn.first_row_z_mm if drawn.positions else half, abs=1e-5)
    counts = drawn.counts()[windows][:, heads]
    np.testing.assert_array_equal(read.counts.reshape(counts.shape), counts)
    assert read.summed_frames == drawn.rr_intervals * drawn.time_slots
    assert (read.header.patient_position, read.header.collimator) == (drawn.gantry, "LEHR")
    check_header(read.header, injected)


def tomo_round_trip(data: st.DataObject) -> None:
    injected = data.draw(injections())
    drawn = data.draw(tomos(injected))
    files = data.draw(st.sampled_from(("one", "one", "one a head", "one a window")))
    written = {
        "one": lambda: [drawn.dataset()],
        "one a head": lambda: drawn.files("head"),
        "one a window": lambda: drawn.files("window"),
    }[files]()
    with on_disk(*written) as folder:
        check_tomo(read_projections(folder), drawn, injected, in_order=files == "one")


@given(st.data())
@examples(120)
def test_tomo(data: st.DataObject) -> None:
    tomo_round_trip(data)


@pytest.mark.exhaustive
@given(st.data())
@settings(examples(6000), derandomize=False)
def test_many_tomos(data: st.DataObject) -> None:
    tomo_round_trip(data)


@given(st.data())
@examples(60)
def test_planar_of_every_kind(data: st.DataObject) -> None:
    injected = data.draw(injections())
    drawn = data.draw(planars(injected))
    read = read_back(drawn.dataset())
    assert isinstance(read, PlanarImages)
    assert (read.header.kind, read.view_names, read.pixel_mm) == (drawn.kind, drawn.views, drawn.pixel_mm)
    np.testing.assert_array_equal(read.counts, drawn.counts.sum(axis=2).astype(np.float32))
    assert read.summed_frames == sum(drawn.repeats)
    check_windows(read.energy_windows, drawn.window_ranges_kev)
    in_view_s = drawn.seconds()
    if drawn.scan_velocity_mm_s is not None:
        assert drawn.field_length_mm is not None
        in_view_s = drawn.field_length_mm / drawn.scan_velocity_mm_s
    np.testing.assert_allclose(read.view_duration_s, in_view_s)
    if drawn.positions:
        assert read.first_pixel_mm is not None
        first = [drawn.first_pixel_mm(head) for head in range(len(drawn.views))]
        np.testing.assert_allclose(read.first_pixel_mm, np.array(first), atol=1e-5)
    else:
        assert read.first_pixel_mm is None
    check_header(read.header, injected)


def check_places(made: ReconTomo, values: NDArray[np.generic], places_mm: NDArray[np.float64]) -> None:
    """Every voxel has its drawn value at its drawn place."""
    np.testing.assert_allclose(np.asarray(values, np.float64), made.values(), rtol=1e-6)
    np.testing.assert_allclose(places_mm, made.places_mm(), atol=1e-4)


@given(recon_tomos())
@examples(60)
def test_recon_tomo_with_slices_either_way(drawn: ReconTomo) -> None:
    read = read_back(drawn.dataset())
    assert isinstance(read, ReconstructedSeries)
    assert read.image.array.shape == drawn.shape
    indices = np.moveaxis(np.indices(drawn.shape), 0, -1)
    check_places(drawn, read.image.array, read.image.geometry.to_lps(indices))


@given(st.data())
@examples(40)
def test_ct_slices(data: st.DataObject) -> None:
    slices, rows, columns = (data.draw(st.integers(2, 8)) for _ in range(3))
    cosines = np.array(data.draw(orientations())).reshape(2, 3)
    normal = np.cross(*cosines)
    first = np.array([data.draw(decimals(-900.0, 900.0)) for _ in range(3)])
    spacing = data.draw(decimals(0.5, 6.0))
    positions = np.round(first + spacing * np.arange(slices)[:, None] * normal, 6)
    array = np.random.default_rng(data.draw(st.integers(0, 1000))).integers(-1000, 2500, (slices, rows, columns))
    mixed = data.draw(st.permutations(range(slices)))
    written = ct_slices(array[mixed].astype(np.int16), positions[mixed], tuple(cosines.ravel().tolist()))
    with on_disk(*written) as folder:
        read = read_ct(folder)
    indices = np.moveaxis(np.indices(array.shape), 0, -1)
    k, j, i = np.moveaxis(indices[..., None], -2, 0)
    due = first + k * spacing * normal + j * 1.5 * cosines[1] + i * 1.25 * cosines[0]  # as `ct_slices` spaces pixels
    at = np.rint(read.image.geometry.to_index(due)).astype(int)
    np.testing.assert_allclose(read.image.geometry.to_lps(at), due, atol=1e-3)
    np.testing.assert_array_equal(read.image.array[at[..., 0], at[..., 1], at[..., 2]], array)


@given(recon_tomos())
@examples(25)
def test_simpleitk_places_recon_tomo_alike(drawn: ReconTomo) -> None:
    """What is drawn means to SimpleITK what it means here: an opinion from outside on the sign of the spacing."""
    with on_disk(drawn.dataset()) as folder:
        image = SimpleITK.ReadImage(str(next(folder.iterdir())))
    place = np.moveaxis(np.indices(drawn.shape), 0, -1)[..., ::-1].reshape(-1, 3)
    places = np.array([image.TransformIndexToPhysicalPoint(index) for index in place.tolist()]).reshape(*drawn.shape, 3)
    order = drawn.slice_order
    assert order is not None
    stored = drawn.values()[list(order)]
    np.testing.assert_allclose(places, drawn.places_mm(), atol=1e-4)
    np.testing.assert_allclose(SimpleITK.GetArrayFromImage(image), stored, rtol=1e-6)
