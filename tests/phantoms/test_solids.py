"""A ray meets a solid where points of the ray lie inside it; painted volumes are the analytic ones."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from leukospect.data import Geometry
from leukospect.phantoms import concentration_map, filling_map
from leukospect.phantoms.kernels_rays import meet
from leukospect.phantoms.solids import (
    UNIT_SOLIDS,
    Box,
    Cylinder,
    Ellipsoid,
    EllipticCylinder,
    Rods,
    Shape,
    Solid,
    Sphere,
    solids_of,
)
from tests.phantoms.made_phantom import make

SOLIDS: dict[str, Shape] = {
    "sphere": Sphere(kind="sphere", center_mm=(4, -7, 2), radius_mm=11, compartment="hot"),
    "ellipsoid": Ellipsoid(
        kind="ellipsoid", center_mm=(3, 1, -2), radii_mm=(9, 5, 14), along=(1, 0.5, 2), across=(0, 1, 0), material="air"
    ),
    "box": Box(kind="box", center_mm=(-3, 6, 1), size_mm=(12, 20, 9), along=(0.3, -1, 1), material="air"),
    "cylinder": Cylinder(kind="cylinder", from_mm=(-8, 3, 10), to_mm=(9, -4, -12), radius_mm=6, material="air"),
    "cone": Cylinder(
        kind="cylinder", from_mm=(-8, 3, 10), to_mm=(9, -4, -12), radius_mm=3, to_radius_mm=12, material="air"
    ),
    "elliptic cone": EllipticCylinder(
        kind="elliptic_cylinder", from_mm=(0, 2, 9), to_mm=(3, 1, -13), radii_mm=(12, 5), to_scale=0.3, material="air"
    ),
}


def inside(solid: Solid, points: NDArray[np.float64]) -> NDArray[np.bool_]:
    x, y, z = np.moveaxis((points - solid.centre_mm) @ np.linalg.inv(solid.half_axes_mm).T, -1, 0)
    if solid.unit == "ball":
        return np.asarray(x**2 + y**2 + z**2 <= 1.0)
    if solid.unit == "cube":
        return np.asarray((np.abs(x) <= 1) & (np.abs(y) <= 1) & (np.abs(z) <= 1))
    return np.asarray((np.hypot(x, y) <= 1.0 + solid.taper * z) & (np.abs(z) <= 1))


@pytest.mark.parametrize("name", SOLIDS)
def test_a_ray_meets_a_solid_where_its_points_lie_inside(name: str) -> None:
    [solid] = solids_of(SOLIDS[name])
    inverse = np.linalg.inv(solid.half_axes_mm)
    rng = np.random.default_rng(5)
    places = np.arange(-60.0, 60.0, 0.02)
    met: list[bool] = []
    for _ in range(60):
        direction = rng.standard_normal(3)
        direction /= np.linalg.norm(direction)
        origin = rng.uniform(-8, 8, 3)
        start, end = meet(
            UNIT_SOLIDS[solid.unit], solid.taper, inverse @ (origin - solid.centre_mm), inverse @ direction
        )
        length = 0.02 * np.count_nonzero(inside(solid, origin + places[:, None] * direction))
        assert max(end - start, 0.0) == pytest.approx(length, abs=0.05)
        met.append(bool(length > 0))
    assert sum(met) > 20


@pytest.mark.parametrize("name", SOLIDS)
def test_a_solid_lies_within_its_extent_and_nearly_fills_it(name: str) -> None:
    [solid] = solids_of(SOLIDS[name])
    points = np.random.default_rng(1).uniform(-25, 25, (200_000, 3))
    points = points[inside(solid, points)]
    for direction in (np.array([1.0, 0, 0]), np.array([0, 0.6, -0.8]), np.array([0.48, 0.6, 0.64])):
        reached = np.abs((points - solid.centre_mm) @ direction).max()
        assert reached <= solid.extent_mm(direction) + 1e-9
        assert solid.extent_mm(direction) < 2.0 * reached


VOLUMES = {
    'kind = "ellipsoid"\ncenter_mm = [1.0, 2.0, 3.0]\nradii_mm = [12.0, 7.0, 18.0]\nalong = [1.0, 2.0, 3.0]': (
        4 / 3 * np.pi * 12 * 7 * 18
    ),
    'kind = "box"\ncenter_mm = [1.0, 2.0, 3.0]\nsize_mm = [12.0, 7.0, 18.0]\nalong = [1.0, 2.0, 3.0]': 12 * 7 * 18,
    'kind = "cylinder"\nfrom_mm = [0.0, 8.0, 3.0]\nto_mm = [3.0, -9.0, -4.0]\nradius_mm = 5.0\nto_radius_mm = 11.0': (
        np.pi * np.sqrt(9 + 289 + 49) * (25 + 55 + 121) / 3
    ),
}


@pytest.mark.parametrize("shape", VOLUMES)
def test_the_painted_activity_has_the_solid_s_volume(shape: str) -> None:
    phantom = make(f'[[shape]]\n{shape}\ncompartment = "hot"\n')
    grid = Geometry.axial((24, 27, 31), (2.9, 2.3, 1.9), (-30.0, -31.0, -33.0))
    image = concentration_map(phantom, 5.0, grid)
    assert image.array.sum() * grid.voxel_volume_ml == pytest.approx(VOLUMES[shape], rel=0.005)


def test_a_later_shape_wins_and_metal_holds_no_activity() -> None:
    shapes = """
[[shape]]
kind = "box"
center_mm = [0.0, 0.0, 0.0]
size_mm = [40.0, 40.0, 40.0]
material = "soft_tissue"
compartment = "warm"
[[shape]]
kind = "box"
center_mm = [-10.0, 0.0, 0.0]
size_mm = [20.0, 40.0, 40.0]
compartment = "hot"
[[shape]]
kind = "box"
center_mm = [-15.0, 0.0, 0.0]
size_mm = [10.0, 40.0, 40.0]
material = "titanium_alloy"
[[shape]]
kind = "box"
center_mm = [15.0, 0.0, 0.0]
size_mm = [10.0, 40.0, 40.0]
material = "cortical_bone"
"""
    grid = Geometry.axial((1, 1, 4), (10.0, 10.0, 10.0), (-15.0, 0.0, 0.0))
    values = np.asarray(concentration_map(make(shapes), 4.0, grid).array, dtype=np.float64)
    np.testing.assert_allclose(values.ravel(), [0.0, 1000.0, 2.0, 2.0])


RODS = Rods(
    kind="rods", from_mm=(5, -3, -20), to_mm=(5, -3, 10), diameter_mm=8, distance_mm=14, outer_mm=70,
    sector_deg=(100, 160), compartment="none",
)  # fmt: skip


def test_rods_stand_apart_within_their_sector() -> None:
    centres = np.array(RODS.centres_mm())
    offset = centres - (5, -3)
    apart = np.linalg.norm(centres[:, None] - centres[None], axis=-1) + 1e9 * np.eye(len(centres))
    np.testing.assert_allclose(apart.min(axis=1), 14.0)
    assert (np.hypot(*offset.T) + 4.0).max() <= 70.0
    angles = np.rad2deg(np.arctan2(offset[:, 1], offset[:, 0]))
    assert 100.0 <= angles.min() < angles.max() <= 160.0
    # On a triangular lattice that is symmetrical about 130 degrees.
    assert angles.mean() == pytest.approx(130.0, abs=0.5)
    assert len(centres) == 13
    for solid in solids_of(RODS):
        assert solid.centre_mm[2] == -5.0
        assert solid.extent_mm(np.array([0.0, 0.0, 1.0])) == pytest.approx(15.0)
        assert solid.extent_mm(np.array([1.0, 0.0, 0.0])) == pytest.approx(4.0)


def test_rods_that_stand_alone_fill_their_volume() -> None:
    grid = Geometry.axial((10, 60, 60), (4.0, 2.0, 2.0), (-80.0, -40.0, -23.0))
    filling = filling_map(make('[[shape]]\nkind = "sphere"\ncenter_mm = [0, 0, 0]\nradius_mm = 9\n'
                               'compartment = "hot"\n'), RODS, grid)  # fmt: skip
    volume = filling.array.sum() * grid.voxel_volume_ml
    assert volume == pytest.approx(13 * np.pi * 0.4**2 * 3.0, rel=0.02)
    assert filling.array.max() <= 1.0 + 1e-9


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"to_mm": (6, -3, 10)}, "along z"),
        ({"distance_mm": 7}, "distance_mm"),
        ({"sector_deg": (160, 100)}, "sector_deg"),
        ({"outer_mm": 15}, "no rod"),
    ],
)
def test_rods_that_cannot_be_are_refused(changes: dict[str, object], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        Rods.model_validate(RODS.model_dump() | changes)
