"""Location of foci on a CT of known geometry: a limb with a bone, a rod in it, oblique grids, and its mirror image."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from leukospect.data import Geometry, Image
from leukospect.errors import GeometryError, InputError
from leukospect.quantification.ct_tissues import Surfaces, tissues_of_ct
from leukospect.quantification.labels import side_of
from leukospect.quantification.location import locate
from leukospect.quantification.measurements import Location

# A limb of radius 70 mm round the z axis; at one side its bone of radius 16 mm, its canal of radius 9 mm, and in that a
# rod of radius 4 mm.
LIMB_MM, BONE_MM, CANAL_MM, ROD_MM = 70.0, 16.0, 9.0, 4.0
BONE_X_MM = 25.0
ROD_Z_MM = (-45.0, 30.0)
# Takes SPECT points to CT points.
MOVED = np.array([[1.0, 0, 0, 12.0], [0, 1.0, 0, -7.0], [0, 0, 1.0, 20.0], [0, 0, 0, 1.0]])
SPECT = Geometry.axial((48, 40, 40), (-4.4, 4.8, 4.8), (-93.6, -93.6, 103.4))

Points = NDArray[np.float64]


def oblique() -> Geometry:
    """Make a grid turned about x and z, its voxels of three sizes."""
    a, b = np.radians([9.0, 25.0])
    about_x = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])
    about_z = np.array([[np.cos(b), -np.sin(b), 0], [np.sin(b), np.cos(b), 0], [0, 0, 1]])
    affine = np.eye(4)
    # Columns: slices along z, rows along y, columns along x, before the turn.
    affine[:3, :3] = about_z @ about_x @ np.array([[0, 0, 1.6], [0, 2.0, 0], [2.5, 0, 0]])
    shape = (88, 96, 120)
    affine[:3, 3] = MOVED[:3, 3] - affine[:3, :3] @ ((np.array(shape) - 1) / 2.0)
    return Geometry(shape, affine, "1.2.3")


def straight() -> Geometry:
    return Geometry.axial((88, 96, 120), (2.5, 2.0, 1.6), (12.0 - 95.2, -7.0 - 95.0, 20.0 - 108.75), "1.2.3")


def places(grid: Geometry) -> Points:
    return grid.to_lps(np.moveaxis(np.indices(grid.shape), 0, -1))


def surfaces(grid: Geometry, bone_x: float = BONE_X_MM) -> Surfaces:
    x, y, z = np.moveaxis(places(grid) - MOVED[:3, 3], -1, 0)
    to_bone = np.hypot(x - bone_x, y)
    hu = np.where(np.hypot(x, y) <= LIMB_MM, 40.0, -1000.0)
    hu[to_bone <= BONE_MM] = 900.0
    hu[to_bone <= CANAL_MM] = -60.0
    rod = (to_bone <= ROD_MM) & (z >= ROD_Z_MM[0]) & (z <= ROD_Z_MM[1])
    hu[rod] = 8000.0
    ct = Image(hu.astype(np.float32), grid, "HU")
    return Surfaces(tissues_of_ct(ct, Image(rod.astype(np.uint8), grid, "1")), MOVED)


def located(found: Surfaces, uptake: NDArray[np.bool_], registration_error_mm: float = 2.0) -> Location:
    """Locate uptake as SPECT shows it: blurred by 12 mm, cut at 40 %."""
    blurred = ndimage.gaussian_filter(uptake.astype(np.float64), 12.0 / 2.355 / np.asarray(SPECT.spacing_mm))
    region = blurred > 0.4 * blurred.max()
    side = side_of(float(places(SPECT)[region][:, 0].mean()))
    image = Image(blurred, SPECT, "counts/s/mL")
    return locate(image, region, found, name="here", side=side, registration_error_mm=registration_error_mm)


def ball(centre: tuple[float, float, float], radius: float = 12.0) -> NDArray[np.bool_]:
    return np.asarray(np.linalg.norm(places(SPECT) - centre, axis=-1) <= radius)


def rod_of(start: tuple[float, float, float], end: tuple[float, float, float], radius: float) -> NDArray[np.bool_]:
    axis = np.subtract(end, start)
    offset = places(SPECT) - start
    along = np.clip(offset @ axis / (axis @ axis), 0.0, 1.0)
    return np.asarray(np.linalg.norm(offset - along[..., None] * axis, axis=-1) <= radius)


@pytest.fixture(scope="module", params=["straight", "oblique"])
def limb(request: pytest.FixtureRequest) -> Surfaces:
    return surfaces(straight() if request.param == "straight" else oblique())


def test_distances_are_those_of_the_shapes_wherever_the_grid_points(limb: Surfaces) -> None:
    points = np.array([[25.0, 0, 0], [25, 12, 0], [-20, 0, 0], [0, -50, 10], [25, 0, 60], [0, 0, -80]])
    x, y, z = points.T
    axis = np.hypot(x - BONE_X_MM, y)
    beyond = np.maximum(np.maximum(z - ROD_Z_MM[1], ROD_Z_MM[0] - z), 0.0)
    # To half a voxel of the coarser grid of 2 mm, and what an outline is true to.
    assert limb.to_metal_mm(points) == pytest.approx(np.hypot(np.maximum(axis - ROD_MM, 0), beyond), abs=1.8)
    assert limb.to_bone_mm(points)[1:] == pytest.approx(np.maximum(axis - BONE_MM, 0)[1:], abs=2.0)
    assert limb.to_skin_mm(points) == pytest.approx(LIMB_MM - np.hypot(x, y), abs=4.5)
    assert limb.to_skin_mm(np.array([[0.0, 90.0, 0.0]])) == 0.0


def test_metal_s_ends_tell_the_level(limb: Surfaces) -> None:
    below, above = limb.ends_of_metal_mm(np.array([60.0, 0.0, -33.0]))
    assert below == pytest.approx(12.0, abs=2.5)
    assert above == pytest.approx(63.0, abs=2.5)
    found = located(limb, ball((25.0, 0.0, -33.0)))
    assert found.level.endswith("mm above the lower end of the metal")
    assert float(found.level.split()[0]) == pytest.approx(12.0, abs=5.0)
    beyond = located(limb, ball((25.0, 0.0, 50.0)))
    assert beyond.level.endswith("mm above the upper end of the metal")
    assert float(beyond.level.split()[0]) == pytest.approx(20.0, abs=5.0)


def test_uptake_round_the_rod_is_at_the_implant_and_bone_cannot_be_told_from_it(limb: Surfaces) -> None:
    found = located(limb, ball((25.0, 0.0, 0.0)))
    assert found.tissue == "implant"
    assert "bone" in found.or_beside
    assert found.hottest_to_metal_mm <= 3.0
    assert found.side == "left"
    assert sum(found.shares.values()) == pytest.approx(1.0)
    assert "left (or bone beside it" in found.sentence


def test_uptake_in_bone_far_from_metal_is_in_bone(limb: Surfaces) -> None:
    found = located(limb, ball((25.0, 0.0, 72.0), 9.0))
    assert found.tissue == "bone"
    assert "implant" not in found.or_beside
    assert found.hottest_to_metal_mm == pytest.approx(42.0, abs=5.0)
    assert found.hottest_to_bone_mm == 0.0


def test_uptake_in_muscle_is_in_soft_tissue_and_nothing_else(limb: Surfaces) -> None:
    found = located(limb, ball((-22.0, 0.0, 0.0), 9.0))
    assert (found.tissue, found.or_beside) == ("soft tissue", ())
    assert found.hottest_to_bone_mm == pytest.approx(31.0, abs=4.0)
    assert found.edge_to_bone_mm < found.hottest_to_bone_mm
    assert found.hottest_to_skin_mm == pytest.approx(48.0, abs=6.0)
    assert not found.elongated
    assert found.side == "right"


def test_uptake_under_the_skin_is_at_the_skin(limb: Surfaces) -> None:
    found = located(limb, rod_of((-68.0, 0.0, -10.0), (-68.0, 0.0, 10.0), 5.0))
    assert found.tissue == "skin"
    assert found.hottest_to_skin_mm <= 6.0


def test_a_tract_is_elongated_and_is_told_to_reach_the_skin_only_where_it_does(limb: Surfaces) -> None:
    reaching = located(limb, rod_of((-10.0, -5.0, -30.0), (-66.0, -10.0, -50.0), 5.0))
    assert reaching.elongated
    assert reaching.reaches_skin
    assert reaching.tissue == "soft tissue"
    assert reaching.length_mm == pytest.approx(60.0, abs=12.0)
    axis = np.array([56.0, 5.0, 20.0]) / np.linalg.norm([56.0, 5.0, 20.0])
    assert abs(np.dot(reaching.direction, axis)) > 0.97
    assert "reaching the skin" in reaching.sentence
    inside = located(limb, rod_of((-25.0, 0.0, -40.0), (-25.0, 0.0, 30.0), 5.0))
    assert inside.elongated
    assert not inside.reaches_skin
    assert "not seen to reach the skin" in inside.sentence
    assert "along the body" in inside.sentence


def test_the_mirror_image_is_located_alike_on_the_other_side() -> None:
    here = located(surfaces(straight()), ball((45.0, 3.0, -20.0)))
    there = located(surfaces(straight(), bone_x=-BONE_X_MM), ball((-45.0, 3.0, -20.0)))
    assert (here.side, there.side) == ("left", "right")
    assert here.tissue == there.tissue
    assert here.hottest_to_metal_mm == pytest.approx(there.hottest_to_metal_mm, abs=2.0)
    assert here.hottest_mm[0] == pytest.approx(-there.hottest_mm[0], abs=5.0)


def test_a_worse_alignment_tells_less(limb: Surfaces) -> None:
    sure = located(limb, ball((54.0, 0.0, 72.0), 8.0), registration_error_mm=0.0)
    unsure = located(limb, ball((54.0, 0.0, 72.0), 8.0), registration_error_mm=14.0)
    assert sure.tissue == unsure.tissue == "soft tissue"
    assert "bone" in unsure.or_beside
    assert unsure.uncertainty_mm == pytest.approx(np.hypot(14.0, 6.0))


def test_without_metal_the_level_and_distance_say_so() -> None:
    grid = straight()
    x, y, _ = np.moveaxis(places(grid) - MOVED[:3, 3], -1, 0)
    hu = np.where(np.hypot(x, y) <= LIMB_MM, 40.0, -1000.0).astype(np.float32)
    found = located(Surfaces(tissues_of_ct(Image(hu, grid, "HU")), MOVED), ball((0.0, 0.0, 0.0)))
    assert np.isnan(found.hottest_to_metal_mm)
    assert np.isnan(found.hottest_to_bone_mm)
    assert found.level == ""
    assert found.tissue == "soft tissue"
    assert "metal" not in found.sentence


def test_metal_cut_off_by_the_ct_has_no_end_there() -> None:
    grid = straight()
    x, y, _ = np.moveaxis(places(grid) - MOVED[:3, 3], -1, 0)
    rod = np.hypot(x - BONE_X_MM, y) <= ROD_MM
    hu = np.where(np.hypot(x, y) <= LIMB_MM, 40.0, -1000.0).astype(np.float32)
    tissues = tissues_of_ct(Image(hu, grid, "HU"), Image(rod.astype(np.uint8), grid, "1"))
    assert np.isnan(Surfaces(tissues, MOVED).ends_of_metal_mm(np.zeros(3))).all()


def test_a_region_without_uptake_or_on_another_grid_is_refused(limb: Surfaces) -> None:
    image = Image(np.zeros(SPECT.shape, np.float32), SPECT)
    with pytest.raises(InputError, match="no uptake"):
        locate(image, ball((0.0, 0.0, 0.0)), limb, name="here", side="left")
    with pytest.raises(GeometryError, match="grid"):
        locate(image, np.ones((2, 2, 2), bool), limb, name="here", side="left")


def test_fat_is_told_from_muscle_and_from_the_edge_of_gas() -> None:
    grid = straight()
    x, y, z = np.moveaxis(places(grid), -1, 0)
    hu = np.where(np.hypot(x - 12.0, y) <= 80.0, 40.0, -1000.0)
    hu[np.hypot(np.hypot(x - 30.0, y), z) <= 15.0] = -100.0
    hu[np.hypot(np.hypot(x + 20.0, y), z) <= 12.0] = -1000.0
    found = Surfaces(tissues_of_ct(Image(hu.astype(np.float32), grid, "HU")))
    to_fat = found.to_fat_mm(np.array([[30.0, 0.0, 0.0], [30.0, 40.0, 0.0], [-20.0, 0.0, 0.0], [-40.0, 20.0, 0.0]]))
    assert to_fat[0] == 0.0
    assert to_fat[1] == pytest.approx(25.0, abs=3.0)
    assert np.all(to_fat[2:] > 0.0)
