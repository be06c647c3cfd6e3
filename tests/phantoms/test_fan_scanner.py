"""The simulated fan beam: everything at its place, HU as in a parallel beam, and what metal, scatter and edges do."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from leukospect.errors import ProtocolError
from leukospect.phantoms.acquisitions import CtAcquisition
from leukospect.phantoms.ct_scanner import CtScanner
from leukospect.phantoms.metal_scan import MetalScan
from leukospect.phantoms.scene import scene_of
from tests.phantoms.made_phantom import make

ROWS, COLUMNS, DY, DX = 100, 120, 1.9, 1.6
CYLINDER = """
[[shape]]
kind = "cylinder"
from_mm = [{x}, {y}, {low}]
to_mm = [{x}, {y}, 80.0]
radius_mm = {radius}
material = "{material}"
"""
WATER = CYLINDER.format(x=6.0, y=-9.0, low=-60.0, radius=70.0, material="water")


def rod(x: float, y: float, radius: float, material: str, low: float = -60.0) -> str:
    return CYLINDER.format(x=x, y=y, low=low, radius=radius, material=material)


def acquisition(**changed: Any) -> CtAcquisition:
    given: dict[str, Any] = {
        "kind": "CT",
        "time_point": "late",
        "hours": 24.0,
        "matrix": (ROWS, COLUMNS),
        "pixel_mm": (DY, DX),
        "slices": 1,
        "slice_spacing_mm": 5.0,
        "kvp": 120.0,
        "beam": "fan",
        "views": 360,
        "element_mm": 2.0,
        "hann_cutoff_per_mm": 0.4,
    }
    return CtAcquisition(**{**given, **changed})


def scanned(shapes: str, seed: int | None = None, threads: int = 1, **changed: Any) -> MetalScan:
    noise = None if seed is None else lambda block: np.random.default_rng([seed, block])
    return CtScanner(scene_of(make(shapes)), acquisition(**changed)).metal_scan(noise, threads)


def around(x: float, y: float) -> NDArray[np.float64]:
    """Distance of each pixel from a place, mm."""
    rows, columns = (np.arange(ROWS) - (ROWS - 1) / 2.0) * DY, (np.arange(COLUMNS) - (COLUMNS - 1) / 2.0) * DX
    return np.asarray(np.hypot(rows[:, None] - y, columns[None, :] - x))


@pytest.mark.parametrize(
    ("material", "low", "high"),
    [
        ("water", -3, 3),
        ("soft_tissue", 48, 58),
        ("adipose", -90, -72),
        ("spongiosa", 290, 350),
        ("cortical_bone", 1450, 1650),
        ("contrast_blood_300", 285, 345),
        ("contrast_blood_800", 770, 890),
        ("dentine", 1850, 2150),
        ("polyethylene", -100, -70),
    ],
)
def test_a_material_reads_its_hu(material: str, low: float, high: float) -> None:
    hu = scanned(WATER + rod(30.0, -20.0, 12.0, material), views=180).truth_hu[0]
    assert low <= hu[around(30.0, -20.0) < 7.0].mean() <= high
    assert abs(hu[around(-25.0, 5.0) < 15.0].mean()) < 8.0


def test_a_fan_gives_what_parallel_rays_give() -> None:
    # Water alone: its own hardening is corrected, so both readings are those of one energy.
    shapes = WATER + rod(-30.0, 17.0, 14.0, "air") + rod(45.0, -30.0, 9.0, "adipose")
    fan = scanned(shapes, element_mm=1.5, views=720, hann_cutoff_per_mm=0.25).truth_hu[0].astype(np.float64)
    parallel = scanned(shapes, beam="parallel", views=360, hann_cutoff_per_mm=0.25).truth_hu[0].astype(np.float64)
    inside = around(6.0, -9.0) < 62.0
    edges = (np.abs(around(-30.0, 17.0) - 14.0) < 5.0) | (np.abs(around(45.0, -30.0) - 9.0) < 5.0)
    assert np.abs(fan - parallel)[inside & ~edges].max() < 12.0
    assert abs((fan - parallel)[inside].mean()) < 1.0


def test_an_asymmetric_object_lies_where_it_was_put_and_is_not_mirrored() -> None:
    hu = scanned(WATER + rod(-41.0, 13.0, 6.0, "cortical_bone") + rod(20.0, -52.0, 4.0, "cortical_bone")).truth_hu[0]
    rows, columns = np.indices(hu.shape)
    for x, y, radius in ((-41.0, 13.0, 6.0), (20.0, -52.0, 4.0)):
        weight = np.where(around(x, y) < radius + 6.0, np.maximum(hu.astype(np.float64), 0.0), 0.0)
        assert (weight * columns).sum() / weight.sum() == pytest.approx(x / DX + (COLUMNS - 1) / 2.0, abs=0.15)
        assert (weight * rows).sum() / weight.sum() == pytest.approx(y / DY + (ROWS - 1) / 2.0, abs=0.15)


def dark_between(material: str) -> float:
    scan = scanned(WATER + rod(-24.0, -9.0, 6.0, material) + rod(36.0, -9.0, 6.0, material))
    difference = scan.scanned_hu[0].astype(np.float64) - scan.truth_hu[0]
    return float(difference[around(6.0, -9.0) < 8.0].mean())


def test_steel_darkens_what_lies_between_two_rods_more_than_titanium() -> None:
    steel, titanium = dark_between("steel_316l"), dark_between("titanium_alloy")
    assert steel < 1.5 * titanium < 0.0


def test_the_truth_is_the_scan_where_there_is_no_metal() -> None:
    shapes = WATER + rod(30.0, -20.0, 12.0, "cortical_bone") + rod(-20.0, 0.0, 5.0, "steel_316l", low=2.0)
    scan = scanned(shapes, slices=3)
    np.testing.assert_array_equal(scan.scanned_hu[:1], scan.truth_hu[:1])
    assert not scan.metal[:2].any()
    assert scan.truth_hu[2].max() < 2000 < scan.scanned_hu[2].max()
    area = np.count_nonzero(scan.metal[2]) * DX * DY
    assert area == pytest.approx(np.pi * 5.0**2, rel=0.15)


def test_rays_along_a_screw_starve() -> None:
    screw = """
[[shape]]
kind = "box"
center_mm = [6.0, -9.0, 0.0]
size_mm = [70.0, 5.0, 40.0]
material = "steel_316l"
"""
    bare = scanned(WATER + screw)
    noise = scanned(WATER + screw, seed=4, photons_per_ray=1e5).scanned_hu[0].astype(np.float64) - bare.scanned_hu[0]
    beyond = np.abs(around(6.0, -9.0) - 52.0) < 12.0
    y = ((np.arange(ROWS) - (ROWS - 1) / 2.0) * DY)[:, None]
    along, across = beyond & (np.abs(y + 9.0) < 6.0), beyond & (np.abs(y + 9.0) > 45.0)
    assert noise[along].std() > 2.0 * noise[across].std()


def test_scatter_lowers_the_middle_and_its_correction_restores_it() -> None:
    middle = around(6.0, -9.0) < 15.0
    none, all_of_it, corrected = (
        scanned(WATER, scatter_to_primary=ratio, scatter_corrected=share).truth_hu[0][middle].mean()
        for ratio, share in ((0.0, 0.0), (0.3, 0.0), (0.3, 1.0))
    )
    assert all_of_it < none - 10.0
    assert corrected == pytest.approx(none, abs=1.5)


def test_intensities_not_line_integrals_are_averaged_across_an_element() -> None:
    # A plate narrower than an element: the mean of exp(-l) is more than exp of minus the mean, so less metal is read.
    plate = """
[[shape]]
kind = "box"
center_mm = [6.4, -9.0, 0.0]
size_mm = [1.0, 50.0, 40.0]
material = "steel_316l"
"""
    fine = scanned(WATER + plate, element_mm=0.5, views=720, top_hu=30710)
    averaged = scanned(WATER + plate, element_mm=4.0, rays_per_element=7, top_hu=30710)
    column = np.abs((np.arange(COLUMNS) - (COLUMNS - 1) / 2.0) * DX - 6.4) < 6.0
    rows = np.abs((np.arange(ROWS) - (ROWS - 1) / 2.0) * DY + 9.0) < 15.0
    mass = [(s.scanned_hu[0].astype(np.float64) - s.truth_hu[0])[rows][:, column].sum() for s in (fine, averaged)]
    assert 0.0 < mass[1] < 0.95 * mass[0]


def test_a_slice_that_half_holds_a_rod_reads_less_than_half_of_it() -> None:
    half = rod(20.0, -20.0, 8.0, "steel_316l", low=0.0)
    whole = rod(20.0, -20.0, 8.0, "steel_316l")
    inside = around(20.0, -20.0) < 4.0
    readings = [
        scanned(WATER + shapes, rays_per_slice=4, top_hu=30710).scanned_hu[0][inside].mean() for shapes in (half, whole)
    ]
    assert readings[1] > 8000
    assert 0.0 < readings[0] < 0.4 * readings[1]


def test_threads_change_no_value() -> None:
    shapes = WATER + rod(-20.0, 0.0, 5.0, "steel_316l")
    one, three = (
        scanned(shapes, seed=1, threads=n, slices=17, views=60, matrix=(40, 48), pixel_mm=(4.75, 4.0)) for n in (1, 3)
    )
    np.testing.assert_array_equal(one.scanned_hu, three.scanned_hu)
    np.testing.assert_array_equal(one.truth_hu, three.truth_hu)


def test_what_no_scanner_can_do_is_refused() -> None:
    with pytest.raises(ValueError, match="even"):
        acquisition(views=361)
    with pytest.raises(ProtocolError, match="source"):
        scanned(WATER, source_to_isocentre_mm=80.0)
