"""Phantom files: what is valid is read, what is not is refused by name, regions come back from their text."""

from __future__ import annotations

import tomllib
from pathlib import Path

import numpy as np
import pytest

from leukospect.data import Geometry
from leukospect.errors import InputError, ProtocolError
from leukospect.phantoms import attenuation_map, phantom_from_toml, read_phantom, regions_toml
from leukospect.phantoms.scene import activity_kbq_per_ml
from leukospect.phantoms.solids import Sphere, solids_of
from leukospect.resources import shipped
from tests.phantoms.made_phantom import HALF_LIFE_S, HEAD, ball, make, spect_text

VALID = HEAD.format(finest_mm=2.4, rays=1) + ball((1.0, 2.0, 3.0), 4.0) + spect_text()


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ("radius_mm = 4.0", "radius_mm = 4.0\ncolour = 3", "colour"),
        ("[camera]", "[camera]\nweight_kg = 3", "weight_kg"),
        ("title =", "subtitle = 'x'\ntitle =", "subtitle"),
        ("stops = 4", "stops = 4\nviews = 3", "views"),
        ('compartment = "hot"', 'compartment = "cold"', "cold"),
        ('compartment = "hot"', 'material = "wood"', "wood"),
        ('compartment = "hot"', "", "material"),
        ("radius_mm = 4.0", "radius_mm = -4.0", "radius_mm"),
        ("radius_mm = 4.0", "radius_mm = nan", "radius_mm"),
        ('kind = "sphere"', 'kind = "torus"', "torus"),
        ('direction = "CC"', 'direction = "left"', "direction"),
        ("lower_kev = 126.45", "lower_kev = 156.45", "lower_kev"),
        ("sensitivity_cps_per_mbq = 90", "sensitivity_cps_per_mbq = 90\nline_efficiency = [1, 2]", "line_efficiency"),
        ('"Tc-99m"', '"Xx-1"', "Xx-1"),
        ("hours = [0.0]", "hours = [0.0, 1.0]", "hours"),
        ("early = 3.0", "early = 3.0, hours = [0.0]", "early"),
        ("stops = 4", "stops = 4\nstops = 5", "TOML"),
    ],
)
def test_what_is_not_valid_is_refused_by_name(old: str, new: str, named: str) -> None:
    assert old in VALID
    with pytest.raises(ProtocolError, match=named) as refused:
        phantom_from_toml(VALID.replace(old, new, 1), "mine")
    assert "'mine'" in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_lesion_must_name_a_reference_that_exists() -> None:
    region = '[[region]]\nname = "a"\nrole = "lesion"\nreference = "b"\nsphere = [{center_mm=[0,0,0], radius_mm=1}]\n'
    with pytest.raises(ProtocolError, match="'b'"):
        phantom_from_toml(VALID + region, "mine")


def test_an_unknown_name_lists_the_phantoms_that_ship() -> None:
    with pytest.raises(InputError, match="femoral-nail"):
        read_phantom("no-such-phantom")


def test_a_file_is_read_from_its_path(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(VALID, encoding="utf-8")
    assert read_phantom(path).name == "mine"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ProtocolError, match="text"):
        read_phantom(path)


def test_concentrations_are_interpolated_and_decay() -> None:
    values = activity_kbq_per_ml(make(ball((0, 0, 0), 3)), (0.0, 2.5, 14.0, 30.0), HALF_LIFE_S)
    decay = 2.0 ** (-np.array([0.0, 2.5, 14.0, 30.0]) / 6.0072)
    np.testing.assert_allclose(values[:, 2], np.array([3.0, 2.5, 1.5, 1.0]) * decay)
    np.testing.assert_array_equal(values[:, 0], 0.0)


@pytest.mark.parametrize("name", shipped("phantoms"))
def test_the_phantoms_that_ship_are_valid_and_their_regions_come_back(name: str) -> None:
    phantom = read_phantom(name)
    regions = tomllib.loads(regions_toml(phantom))
    assert set(regions) == {"region"}
    for written, region in zip(regions["region"], phantom.region, strict=True):
        assert (written["name"], written["role"]) == (region.name, region.role)
        assert written.get("reference", "") == region.reference
        for kind in ("sphere", "cylinder", "box"):
            expected = [shape.model_dump(mode="json") for shape in getattr(region, kind)]
            assert written.get(kind, []) == expected
    assert any(region.role == "lesion" for region in phantom.region)


def test_the_infection_is_on_the_right_and_grows_while_marrow_falls() -> None:
    phantom = read_phantom("femoral-nail")
    growing, marrow = phantom.compartment["infection_hottest"], phantom.compartment["marrow"]
    assert growing.concentration_kbq_per_ml(24) > 1.3 * growing.concentration_kbq_per_ml(4)
    assert marrow.concentration_kbq_per_ml(24) < marrow.concentration_kbq_per_ml(4)
    for shape in phantom.shape:
        if shape.compartment in ("infection", "infection_hottest", "sinus"):
            assert solids_of(shape)[0].centre_mm[0] < -100.0


def test_the_iec_body_has_the_outline_of_the_standard() -> None:
    phantom = read_phantom("iec-body")
    grid = Geometry.axial((1, 150, 160), (4.0, 2.0, 2.0), (-159.0, -149.0, 50.0))
    made = np.asarray(attenuation_map(phantom, 140.511, grid).array[0], dtype=np.float64) > 0
    y, x = np.meshgrid(-149.0 + 2.0 * np.arange(150) - 35.0, -159.0 + 2.0 * np.arange(160), indexing="ij")
    # In front of y = 0 a half circle of 147 mm; behind it quarter circles of 77 mm at both sides of 140 mm.
    front = (y <= 0) & (np.hypot(x, y) <= 147.0)
    back = (y > 0) & (y <= 77.0) & ((np.abs(x) <= 70.0) | (np.hypot(np.abs(x) - 70.0, y) <= 77.0))
    assert np.count_nonzero(made != (front | back)) < 0.015 * np.count_nonzero(made)


def test_the_iec_spheres_are_as_the_standard_has_them() -> None:
    phantom = read_phantom("iec-body")
    spheres = [shape for shape in phantom.shape if isinstance(shape, Sphere)]
    assert [2 * sphere.radius_mm for sphere in spheres] == [37, 28, 22, 17, 13, 10]
    places = np.array([sphere.center_mm for sphere in spheres])
    np.testing.assert_allclose(np.hypot(places[:, 0], places[:, 1]), 57.2, atol=0.01)
    hot, warm = (phantom.compartment[name].concentration_kbq_per_ml(1.0) for name in ("hot", "background"))
    assert hot / warm == 8.0


def test_spheres_at_three_depths_do_not_touch_and_lie_inside() -> None:
    spheres = [shape for shape in read_phantom("sphere-depths").shape if isinstance(shape, Sphere)]
    assert len(spheres) == 18
    for number, one in enumerate(spheres):
        assert abs(one.center_mm[0]) + one.radius_mm <= 147.0 - 15.0
        assert abs(one.center_mm[2]) + one.radius_mm <= 160.0 - 15.0
        for other in spheres[:number]:
            gap = np.linalg.norm(np.subtract(one.center_mm, other.center_mm)) - one.radius_mm - other.radius_mm
            assert gap >= 18.5
