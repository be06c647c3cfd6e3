"""Uptake beside metal: the volumes lie where they should, the maps hold the true metal, biases are told as found."""

from __future__ import annotations

import numpy as np
import pytest

from leukospect.benchmark.metal_spect import (
    SpectBias,
    SpectFound,
    SpectPicture,
    judged_periprosthetic,
    map_without_artefacts,
    true_map,
)
from leukospect.benchmark.metal_spect_cases import CASES, QUICK_CASES, SpectCase, late_scans
from leukospect.benchmark.metal_spect_figure import spect_figure
from leukospect.benchmark.metal_spect_volumes import LATERAL, MEDIAL, SHELL, metal_fillings, periprosthetic_volumes
from leukospect.data import Geometry
from leukospect.errors import ProtocolError
from leukospect.phantoms import Phantom, phantom_from_toml, read_phantom
from leukospect.phantoms.acquisitions import CtAcquisition
from leukospect.phantoms.materials import METALS
from leukospect.protocol import load_protocol

ROD = """
title = "Rods of metal in a trunk"
[injection]
nuclide = "Tc-99m"
compound = "HMPAO leukocytes"
dose_mbq = 300
time = 2020-01-01T08:00:00
[camera]
collimator = "LEHR"
hole_mm = 1.11
hole_length_mm = 24.05
intrinsic_fwhm_mm = 3.8
energy_resolution_percent = 9.5
sensitivity_cps_per_mbq = 90
[compartment]
tissue = { late = 2.0 }
[[shape]]
kind = "elliptic_cylinder"
from_mm = [0.0, 0.0, -95.0]
to_mm = [0.0, 0.0, 95.0]
radii_mm = [110.0, 80.0]
material = "water"
compartment = "tissue"
[[shape]]
kind = "cylinder"
from_mm = [-50.0, 10.0, -40.0]
to_mm = [-50.0, 10.0, 40.0]
radius_mm = 10
material = "titanium_alloy"
[[shape]]
kind = "cylinder"
from_mm = [-50.0, 10.0, -41.0]
to_mm = [-50.0, 10.0, 41.0]
radius_mm = 6
material = "water"
[[acquisition]]
kind = "SPECT"
time_point = "late"
hours = 24.0
matrix = [16, 32]
pixel_mm = [10.0, 10.0]
stops = 4
seconds = 10
[[acquisition.window]]
name = "peak"
lower_kev = 126.0
upper_kev = 154.0
[[acquisition]]
kind = "CT"
time_point = "late"
hours = 24.0
matrix = [64, 64]
pixel_mm = [5.0, 5.0]
slices = 13
slice_spacing_mm = 10.0
kvp = 110
views = 90
[[region]]
name = "beside"
role = "lesion"
reference = "far"
[[region.sphere]]
center_mm = [-66.0, 10.0, 0.0]
radius_mm = 12
[[region]]
name = "far"
role = "reference"
[[region.sphere]]
center_mm = [60.0, 0.0, 0.0]
radius_mm = 15
"""
GRID = Geometry.axial((24, 32, 40), (5.0, 6.0, 6.0), (-117.0, -93.0, -57.5))


@pytest.fixture(scope="module")
def rod() -> Phantom:
    """A hollow rod of titanium on the patient's right, 80 mm long, radii 6 and 10 mm, in water."""
    return phantom_from_toml(ROD, "rod")


def test_the_shell_has_its_volume_and_its_sides(rod: Phantom) -> None:
    metal, volumes = periprosthetic_volumes(rod, GRID)
    ml = {name: float(part.sum()) * GRID.voxel_volume_ml for name, part in volumes.items()}
    assert float(metal.sum()) * GRID.voxel_volume_ml == pytest.approx(np.pi * (100 - 36) * 80 / 1000, rel=0.08)
    # Around the side from 13 to 25 mm of the axis, within it from 3 mm inwards, and round the ends.
    side, bore = np.pi * (25.0**2 - 13.0**2) * 80 / 1000, np.pi * 3.0**2 * 80 / 1000
    assert side + bore < ml[SHELL] < side + bore + 2 * np.pi * 25.0**2 * 15 / 1000
    assert ml[MEDIAL] + ml[LATERAL] <= ml[SHELL] + 1e-3
    x = GRID.to_lps(np.moveaxis(np.indices(GRID.shape), 0, -1))[..., 0]
    places = {name: float((x * part).sum() / part.sum()) for name, part in volumes.items()}
    assert places[LATERAL] < -52.0 < -48.0 < places[MEDIAL]
    assert set(volumes) == {SHELL, MEDIAL, LATERAL, "beside"}
    # The metal is left out of what was drawn over it.
    assert ml["beside"] < 4 / 3 * np.pi * 12**3 / 1000 - 0.5


def test_a_later_shape_takes_the_place_of_metal(rod: Phantom) -> None:
    grid = Geometry.axial((1, 41, 41), (4.0, 1.0, 1.0), (-70.0, -10.0, 0.0))
    [filled] = metal_fillings(rod, grid).values()
    radius = np.hypot(*np.meshgrid(np.arange(41) - 20.0, np.arange(41) - 20.0))
    assert np.all(filled[0][(radius > 7) & (radius < 9)] == 1)
    assert np.all(filled[0][radius < 5] == 0)
    assert np.all(filled[0][radius > 11] == 0)


def test_a_ct_without_metal_and_the_true_metal_come_to_the_true_map(rod: Phantom) -> None:
    protocol = load_protocol("tc99m-hmpao-spect-ct", ["attenuation.hu_table=icru-bone"])
    ct = Geometry.axial((13, 64, 64), (10.0, 5.0, 5.0), (-157.5, -157.5, -60.0))
    true = np.asarray(true_map(rod, ct, GRID, protocol).array, np.float64)
    made = np.asarray(map_without_artefacts(rod, GRID, protocol, threads=1).array, np.float64)
    x, y, z = np.moveaxis(GRID.to_lps(np.moveaxis(np.indices(GRID.shape), 0, -1)), -1, 0)
    body = (np.hypot(x / 110.0, y / 80.0) < 0.8) & (np.abs(z) < 30.0)
    assert true.max() > 0.25  # the metal is in it
    assert abs(made[body].mean() / true[body].mean() - 1.0) < 0.01
    np.testing.assert_allclose(made[body], true[body], rtol=0.08)


def bias(volume: str, before: float, after: float, without_metal: float = 0.0) -> SpectBias:
    return SpectBias("rod", volume, 10.0, before, after, without_metal, -0.7)


def test_the_worst_volume_decides_whatever_its_sign() -> None:
    met, told = judged_periprosthetic(SpectFound((bias("a", 0.18, 0.019), bias("b", -0.09, -0.0199)), (), ()))
    assert met.met
    assert "+18.0% before (a), -2.0% after (b)" in met.found
    assert told.met is None
    missed, _ = judged_periprosthetic(SpectFound((bias("a", 0.01, 0.001), bias("b", 0.02, -0.03)), (), ()))
    assert missed.met is False


def test_what_the_conversion_does_is_not_the_metals() -> None:
    one = bias("a", 0.9 * 0.97 - 1, 0.99 * 0.97 - 1, -0.03)
    assert one.before_from_metal == pytest.approx(-0.1)
    assert one.after_from_metal == pytest.approx(-0.01)
    judged, told = judged_periprosthetic(SpectFound((one,), (), ()))
    assert judged.met
    assert "-4.0% after" in told.found


def test_the_figure_shows_every_volume() -> None:
    image = np.full((12, 20), 0.15, np.float32)
    metal = np.zeros_like(image)
    metal[5, 6:9] = 1
    picture = SpectPicture("rod", (image,) * 3, (image - 0.1, image * np.nan), metal, (5.0, 4.0))
    figure = spect_figure(SpectFound((bias("a", 0.1, 0.01), bias("b", -0.1, 0.0)), (picture,), ()))
    bars = next(axes for axes in figure.axes if axes.get_xlabel().startswith("bias"))
    assert [label.get_text() for label in bars.get_yticklabels()] == ["rod: a", "rod: b"]


def test_a_phantom_without_a_ct_is_refused(rod: Phantom) -> None:
    with pytest.raises(ProtocolError, match="needs a SPECT and a CT"):
        late_scans(rod.model_copy(update={"acquisition": rod.acquisition[:1]}))


def test_the_hip_has_metal_on_the_right_and_uptake_beside_it() -> None:
    hip = late_scans(read_phantom("hip-prosthesis"), 4)
    grid = Geometry.axial((32, 40, 64), (9.6, 9.6, 9.6), (-302.0, -187.0, -58.0))
    metal, volumes = periprosthetic_volumes(hip, grid)
    x = grid.to_lps(np.moveaxis(np.indices(grid.shape), 0, -1))[..., 0]
    assert float(x[metal > 0].max()) < 0
    assert {"behind the cup", "right neck", "right stem, medial", "right stem, lateral"} < set(volumes)


def test_a_case_is_made_of_what_it_says() -> None:
    steel = SpectCase(
        "femoral-nail-small", "steel_316l", {"titanium_alloy": "steel_316l"}, top_hu=30710.0, coarsening=2
    )
    drawn = steel.drawn()
    plain, scanned = late_scans(read_phantom("femoral-nail-small"), 2), drawn.acquisition[1]
    assert {shape.material for shape in drawn.shape} & METALS == {"steel_316l"}
    assert steel.name == "femoral-nail-small, all steel 316l, extended scale"
    assert isinstance(scanned, CtAcquisition)
    assert (scanned.beam, scanned.top_hu, scanned.views % 2) == ("fan", 30710.0, 0)
    assert scanned.matrix == plain.acquisition[1].matrix == (64, 64)


def test_every_case_tells_the_material_that_most_of_its_metal_is() -> None:
    assert all(len({case.name for case in cases}) == len(cases) for cases in (CASES, QUICK_CASES))
    for case in CASES:
        metals = [shape.material for shape in case.drawn().shape if shape.material in METALS]
        assert max(set(metals), key=metals.count) == case.metal_material
    assert {case.top_hu for case in CASES} == {3071.0, 30710.0}
