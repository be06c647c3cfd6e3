"""Shapes on grids: volume, place and side, on axes that fall and with voxels that are not cubes."""

from __future__ import annotations

import numpy as np
import pytest

from leukospect.data import Geometry, Image
from leukospect.errors import AssumptionWarning, InputError
from leukospect.quantification.labels import region_of_label, resample_labels
from leukospect.quantification.regions import Box, Cylinder, RegionDefinition, Sphere, rasterise

# Slices fall in z; no two spacings or sizes are alike.
FALLING = Geometry.axial((30, 36, 50), (-3.0, 4.0, 2.5), (-60.0, -70.0, 100.0), "1.2.3")


def lesion(*shapes: Sphere | Cylinder | Box, name: str = "plate") -> RegionDefinition:
    return RegionDefinition(name, "lesion", "", shapes)


@pytest.mark.parametrize("spacing_k", [-3.0, 3.0])
def test_a_sphere_has_its_volume_place_and_side(spacing_k: float) -> None:
    geometry = Geometry.axial((30, 36, 50), (spacing_k, 4.0, 2.5), (-60.0, -70.0, 50.0 - 15 * spacing_k))
    image, (region,) = rasterise([lesion(Sphere((-31.0, 12.0, 43.0), 18.0))], geometry)
    assert region.volume_ml == pytest.approx(4 / 3 * np.pi * 1.8**3, rel=0.02)
    assert region.centroid_mm == pytest.approx((-31.0, 12.0, 43.0), abs=0.4)
    assert region.side == "right"
    assert image.array.dtype == np.uint8
    assert image.geometry.frame_of_reference_uid == geometry.frame_of_reference_uid


def test_an_oblique_cylinder_and_a_box_have_their_volumes() -> None:
    cylinder = lesion(Cylinder((-40.0, -30.0, 30.0), (10.0, 20.0, 80.0), 11.0), name="tract")
    box = lesion(Box((41.25, 40.0, 41.5), (25.0, 24.0, 30.0)), name="box")
    _, regions = rasterise([cylinder, box], FALLING)
    assert regions[0].volume_ml == pytest.approx(np.pi * 1.1**2 * np.sqrt(3) * 5.0, rel=0.03)
    assert regions[0].centroid_mm == pytest.approx((-15.0, -5.0, 55.0), abs=0.5)
    assert regions[1].volume_ml == pytest.approx(2.5 * 2.4 * 3.0)
    assert regions[1].centroid_mm == pytest.approx((41.25, 40.0, 41.5))
    assert regions[1].side == "left"


def test_the_union_of_shapes_counts_shared_voxels_once() -> None:
    one = Sphere((0.0, 0.0, 50.0), 20.0)
    _, (single,) = rasterise([lesion(one)], FALLING)
    _, (double,) = rasterise([lesion(one, Sphere((0.0, 0.0, 50.0), 15.0))], FALLING)
    assert double.volume_ml == single.volume_ml
    assert double.side == "midline"


def test_the_first_of_two_overlapping_regions_has_the_voxels() -> None:
    first, second = lesion(Sphere((0.0, 0.0, 50.0), 15.0), name="a"), lesion(Sphere((12.0, 0.0, 50.0), 15.0), name="b")
    with pytest.warns(AssumptionWarning, match="'a' and 'b' overlap"):
        image, regions = rasterise([first, second], FALLING)
    _, (alone,) = rasterise([first], FALLING)
    assert regions[0].volume_ml == alone.volume_ml
    assert regions[1].volume_ml < alone.volume_ml
    assert set(np.unique(image.array)) == {0, 1, 2}


@pytest.mark.parametrize("shape", [Sphere((500.0, 0.0, 50.0), 10.0), Sphere((1e12, 0.0, 0.0), 1e3)])
def test_a_region_outside_is_refused_by_its_name(shape: Sphere) -> None:
    with pytest.raises(InputError, match=r"'plate'.*outside"):
        rasterise([lesion(shape)], FALLING)


def test_a_region_smaller_than_a_voxel_is_refused_by_its_name() -> None:
    with pytest.raises(InputError, match=r"'plate'.*no voxel"):
        rasterise([lesion(Sphere((0.0, 0.0, 50.0), 0.5))], FALLING)


def test_a_region_hidden_by_an_earlier_one_is_refused() -> None:
    around = lesion(Sphere((0.0, 0.0, 50.0), 15.0), name="a")
    within = lesion(Sphere((0.0, 0.0, 50.0), 9.0), name="b")
    with pytest.warns(AssumptionWarning, match="overlap"), pytest.raises(InputError, match=r"'b' covers no voxel"):
        rasterise([around, within], FALLING)


def test_a_region_that_reaches_out_of_the_image_is_told() -> None:
    with pytest.warns(AssumptionWarning, match="reaches out of the image"):
        rasterise([lesion(Sphere((-60.0, 0.0, 50.0), 15.0))], FALLING)


def test_contradicting_definitions_are_refused() -> None:
    sphere = Sphere((0.0, 0.0, 50.0), 15.0)
    with pytest.raises(InputError, match="Two regions are named 'plate'"):
        rasterise([lesion(sphere), lesion(sphere)], FALLING)
    with pytest.raises(InputError, match="compared with 'marrow'"):
        rasterise([RegionDefinition("plate", "lesion", "marrow", (sphere,))], FALLING)
    with pytest.raises(InputError, match="radius_mm"):
        Sphere((0.0, 0.0, 0.0), -1.0)
    with pytest.raises(InputError, match="must differ"):
        Cylinder((0.0, 0.0, 1.0), (0.0, 0.0, 1.0), 2.0)


def test_labels_keep_their_place_on_another_grid() -> None:
    image, (region,) = rasterise([lesion(Sphere((-31.0, 12.0, 43.0), 18.0))], FALLING)
    other = Geometry.axial((40, 25, 40), (2.0, 5.0, 3.0), (-70.0, -60.0, 5.0))
    moved = region_of_label(resample_labels(image, other), 1, name="plate", role="lesion")
    assert moved.centroid_mm == pytest.approx(region.centroid_mm, abs=0.7)
    assert moved.volume_ml == pytest.approx(region.volume_ml, rel=0.04)


def test_labels_outside_the_label_image_are_no_region() -> None:
    image = Image(np.full((2, 3, 4), 5, dtype=np.uint8), Geometry.axial((2, 3, 4), (2.0, 2.0, 2.0), (0.0, 0.0, 0.0)))
    moved = resample_labels(image, Geometry.axial((4, 3, 4), (2.0, 2.0, 2.0), (0.0, 0.0, -4.0)))
    assert np.array_equal(np.unique(moved.array[:2]), [0])
    assert np.all(moved.array[2:] == 5)
