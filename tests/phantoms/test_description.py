"""Phantom files: what is valid is read, what is not is refused by name, regions come back from their text."""

from __future__ import annotations

import tomllib
from pathlib import Path

import numpy as np
import pytest

from leukospect.errors import InputError, ProtocolError
from leukospect.phantoms import phantom_from_toml, read_phantom, regions_toml
from leukospect.phantoms.scene import activity_kbq_per_ml
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
        ('"Tc-99m"', '"In-111"', "In-111"),
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
            assert shape.solid().centre_mm[0] < -100.0
