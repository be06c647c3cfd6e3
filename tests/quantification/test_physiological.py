"""Physiological uptake told from lesions in a trunk with two legs, and what is left a lesion."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from leukospect.data import Geometry, Image
from leukospect.quantification.ct_tissues import CtTissues, Surfaces
from leukospect.quantification.lesions import find_candidates, with_mirrors
from leukospect.quantification.measurements import Region
from leukospect.quantification.physiological import tell_physiological
from leukospect.quantification.physiological_signs import Growth

GRID = Geometry.axial((80, 48, 72), (-5.0, 5.0, 5.0), (-177.5, -117.5, 197.5))
MIDLINE_MM = 4.0

Ball = tuple[tuple[float, float, float], float, float]
"""Centre, radius and uptake."""
BLADDER: Ball = ((4.0, -30.0, 50.0), 25.0, 3.0)
HIPS: tuple[Ball, Ball] = (((-86.0, 5.0, 40.0), 22.0, 4.0), ((94.0, 5.0, 40.0), 22.0, 4.0))
SPINE: tuple[Ball, ...] = tuple(((4.0, 50.0, z), 18.0, 4.0) for z in np.arange(80.0, 200.0, 10.0))
LESION: Ball = ((-70.0, 0.0, -90.0), 15.0, 8.0)


def points() -> NDArray[np.float64]:
    return GRID.to_lps(np.moveaxis(np.indices(GRID.shape), 0, -1))


def body() -> NDArray[np.bool_]:
    x, y, z = np.moveaxis(points(), -1, 0)
    trunk = (((x - MIDLINE_MM) / 165) ** 2 + (y / 100) ** 2 <= 1) & (z >= 0)
    legs = (np.minimum(np.hypot(x - MIDLINE_MM + 82, y), np.hypot(x - MIDLINE_MM - 82, y)) <= 68) & (z < 0)
    return np.asarray(trunk | legs)


def inside(*balls: Ball) -> NDArray[np.bool_]:
    return np.asarray(np.any([np.linalg.norm(points() - ball[0], axis=-1) <= ball[1] for ball in balls], axis=0))


def image(*balls: Ball) -> Image:
    uptake = body().astype(np.float64)
    for ball in balls:
        uptake[inside(ball)] = ball[2]
    blurred = ndimage.gaussian_filter(uptake, 12.0 / 2.355 / 5.0)
    noise = np.random.default_rng(4).gamma(60.0, 1.0 / 60.0, GRID.shape)
    return Image((blurred * noise).astype(np.float32), GRID, "counts/s/mL")


def bones_of(
    *balls: Ball, metal: NDArray[np.bool_] | None = None, gas: tuple[Ball, ...] = (), fat: tuple[Ball, ...] = ()
) -> Surfaces:
    implant = None if metal is None else Image(metal.astype(np.uint8), GRID)
    bone, pockets, adipose = (
        inside(*some) if some else np.zeros(GRID.shape, dtype=np.bool_) for some in (balls, gas, fat)
    )
    return Surfaces(CtTissues(GRID, body(), bone, pockets, adipose, implant))


def told(
    late: Image, surfaces: Surfaces | None = None, growth: float | None = None
) -> tuple[Image, tuple[Region, ...]]:
    labels, found = find_candidates(late, body=body())
    courses = {} if growth is None else {region.name: Growth(growth) for region in found}
    return labels, tell_physiological(late, labels, found, body(), surfaces=surfaces, growth=courses)


def at(regions: tuple[Region, ...], ball: Ball) -> Region:
    near = [region for region in regions if np.linalg.norm(np.subtract(region.centroid_mm, ball[0])) <= ball[1]]
    assert len(near) == 1
    return near[0]


def test_a_bladder_is_told_by_its_place_on_the_midline_of_the_pelvis() -> None:
    _, regions = told(image(BLADDER, LESION))
    bladder = at(regions, BLADDER)
    assert (bladder.role, bladder.likely) == ("physiological", "bladder")
    assert "where the legs part" in bladder.remark
    assert at(regions, LESION).role == "lesion"


def test_what_lies_as_high_but_beside_the_midline_is_no_bladder() -> None:
    beside = ((64.0, -30.0, 50.0), 25.0, 3.0)
    region = at(told(image(beside))[1], beside)
    assert region.role == "lesion"
    assert "bowel" in region.remark


def test_hips_alike_are_marrow_with_and_without_a_ct() -> None:
    for surfaces in (None, bones_of(*HIPS)):
        _, regions = told(image(*HIPS, LESION), surfaces)
        assert {at(regions, hip).likely for hip in HIPS} == {"marrow"}
        assert at(regions, LESION).role == "lesion"


def test_a_hip_twice_as_hot_as_the_other_is_a_lesion() -> None:
    hot = (HIPS[0][0], HIPS[0][1], 8.0)
    _, regions = told(image(hot, HIPS[1]), bones_of(*HIPS))
    assert at(regions, hot).role == "lesion"


def test_the_spine_is_marrow_where_the_ct_shows_bone() -> None:
    _, regions = told(image(*SPINE), bones_of(*SPINE))
    assert regions
    assert {region.likely for region in regions} == {"marrow"}


def test_what_grew_is_a_lesion_though_it_is_symmetric() -> None:
    _, regions = told(image(*HIPS), bones_of(*HIPS), growth=1.6)
    assert {region.role for region in regions} == {"lesion"}
    assert all("grew (+60%)" in region.remark for region in regions)
    _, kept = told(image(*HIPS), bones_of(*HIPS), growth=0.9)
    assert {region.role for region in kept} == {"physiological"}
    assert all("kept its level (-10%)" in region.remark for region in kept)


def test_at_metal_only_marrow_that_is_alike_at_metal_opposite_and_did_not_grow_is_physiological() -> None:
    one, other = (inside((hip[0], 8.0, 0.0)) for hip in HIPS)
    assert at(told(image(*HIPS), bones_of(*HIPS, metal=one), growth=0.9)[1], HIPS[0]).role == "lesion"
    both = bones_of(*HIPS, metal=one | other)
    assert at(told(image(*HIPS), both)[1], HIPS[0]).role == "lesion"
    assert at(told(image(*HIPS), both, growth=1.3)[1], HIPS[0]).role == "lesion"
    kept = at(told(image(*HIPS), both, growth=0.9)[1], HIPS[0])
    assert kept.role == "physiological"
    assert kept.remark.startswith("At metal, but in bone, at most 1.0 times as hot as marrow")


def test_bone_without_its_like_opposite_an_implant_is_marrow_where_it_is_no_hotter() -> None:
    trochanters: tuple[Ball, Ball] = (((-120.0, 5.0, 100.0), 18.0, 4.0), ((128.0, 5.0, 100.0), 18.0, 4.0))
    bones = (*HIPS, *trochanters)
    surfaces = bones_of(*bones, metal=inside((trochanters[0][0], 14.0, 0.0)))
    late = image(*HIPS, trochanters[1])
    assert at(told(late, surfaces)[1], trochanters[1]).likely == "marrow"
    hot = (trochanters[1][0], 18.0, 9.0)
    assert at(told(image(*HIPS, hot), surfaces)[1], hot).role == "lesion"


@pytest.mark.parametrize("mirrored", [False, True])
def test_a_large_hot_place_high_in_the_trunk_is_liver_on_the_right_and_spleen_on_the_left(mirrored: bool) -> None:
    sign = -1.0 if mirrored else 1.0
    x = MIDLINE_MM - sign * 80.0
    organ = ((x, 0.0, 130.0), 55.0, 9.0)
    trunk = np.repeat(body()[:1], GRID.shape[0], axis=0)
    uptake = trunk.astype(np.float64)
    uptake[inside(organ)] = organ[2]
    late = Image(ndimage.gaussian_filter(uptake, 1.0).astype(np.float32), GRID)
    labels, found = find_candidates(late, body=trunk)
    regions = tell_physiological(late, labels, found, trunk)
    assert at(regions, organ).likely == ("spleen" if mirrored else "liver")


def test_physiological_places_are_listed_after_the_lesions_and_lend_marrow_to_their_mirrors() -> None:
    labels, regions = told(image(*HIPS, LESION), bones_of(*HIPS))
    image_, listed = with_mirrors(labels, regions, body())
    assert [region.role for region in listed] == ["lesion", "physiological", "physiological", "reference"]
    assert listed[0].name == "lesion 1 (right)"
    assert {region.name for region in listed[1:3]} == {"marrow 1 (left)", "marrow 2 (right)"} or {
        region.name for region in listed[1:3]
    } == {"marrow 1 (right)", "marrow 2 (left)"}
    for region in listed:
        assert np.count_nonzero(image_.array == region.label) * GRID.voxel_volume_ml == pytest.approx(region.volume_ml)
    # A hip that is judged is compared with the marrow opposite.
    judged = tuple(
        replace(region, role="lesion", likely="") if region.side == "right" else region for region in regions
    )
    _, compared = with_mirrors(labels, judged, body())
    hip = at(tuple(region for region in compared if region.role == "lesion"), HIPS[0])
    [mirror] = [region for region in compared if region.name == hip.reference]
    assert mirror.centroid_mm == pytest.approx(HIPS[1][0], abs=8.0)


def test_marrow_alike_that_stands_out_more_than_it_did_is_a_lesion() -> None:
    late, surfaces = image(*HIPS), bones_of(*HIPS)
    labels, found = find_candidates(late, body=body())

    def role(growth: float, error: float) -> set[str]:
        grown = tuple(
            replace(region, finding=replace(region.finding, growth=growth, growth_error=error))
            for region in found
            if region.finding is not None
        )
        return {region.role for region in tell_physiological(late, labels, grown, body(), surfaces=surfaces)}

    assert role(1.4, 0.1) == {"lesion"}
    assert role(1.4, 0.3) == {"physiological"}
    assert role(1.0, 0.1) == {"physiological"}
    # Marrow keeps its contrast; what likely lost much of it is none.
    assert role(0.7, 0.05) == {"lesion"}
    assert role(0.7, 0.3) == {"physiological"}


def test_what_lies_on_the_midline_in_the_back_of_the_pelvis_is_no_bladder() -> None:
    behind = ((4.0, 35.0, 50.0), 25.0, 3.0)
    region = at(told(image(behind))[1], behind)
    assert (region.role, region.likely) == ("lesion", "")


@pytest.mark.parametrize(("standing_out", "role"), [(0.8, "physiological"), (1.3, "lesion")])
def test_what_fell_outside_of_bone_is_a_vessel_unless_it_stands_out_more(standing_out: float, role: str) -> None:
    sides: tuple[Ball, Ball] = (((-78.0, -20.0, -90.0), 12.0, 4.0), ((86.0, -20.0, -90.0), 12.0, 4.0))
    late, surfaces = image(*sides), bones_of(*HIPS)
    labels, found = find_candidates(late, body=body())
    seen = tuple(
        replace(region, finding=replace(region.finding, growth=standing_out, growth_error=0.25))
        for region in found
        if region.finding is not None
    )
    courses = {region.name: Growth(0.6) for region in found}
    regions = tell_physiological(late, labels, seen, body(), surfaces=surfaces, growth=courses)
    assert {at(regions, side).role for side in sides} == {role}


def test_what_an_implant_left_of_a_bone_is_marrow_where_the_bone_opposite_stands_out_more() -> None:
    implant = inside((HIPS[0][0], 8.0, 0.0))
    left_over = (HIPS[0][0], HIPS[0][1], 3.0)
    surfaces = bones_of(*HIPS, metal=implant)
    assert at(told(image(left_over, HIPS[1]), surfaces, growth=0.9)[1], left_over).likely == "marrow"
    assert at(told(image(left_over, HIPS[1]), surfaces, growth=1.4)[1], left_over).role == "lesion"
    assert at(told(image(left_over, HIPS[1]), surfaces)[1], left_over).role == "lesion"


LOOP: Ball = ((64.0, -50.0, 130.0), 18.0, 5.0)
GAS: Ball = ((64.0, -60.0, 130.0), 8.0, 0.0)


def test_uptake_beside_gas_in_the_front_is_bowel_unless_it_lies_in_fat() -> None:
    loop = at(told(image(LOOP), bones_of(*HIPS, gas=(GAS,)))[1], LOOP)
    assert (loop.role, loop.likely) == ("physiological", "bowel")
    around = (LOOP[0], 30.0, 0.0)
    assert at(told(image(LOOP), bones_of(*HIPS, gas=(GAS,), fat=(around,)))[1], LOOP).role == "lesion"


@pytest.mark.parametrize(
    ("away_mm", "growth", "role"),
    [(0.0, 0.9, "physiological"), (30.0, 0.9, "lesion"), (30.0, 2.0, "physiological"), (70.0, 2.0, "lesion")],
)
def test_uptake_farther_from_gas_is_bowel_only_where_it_came_late(away_mm: float, growth: float, role: str) -> None:
    x, y, z = LOOP[0]
    surfaces = bones_of(*HIPS, gas=(((x, y, z + away_mm), 8.0, 0.0),))
    assert at(told(image(LOOP), surfaces, growth=growth)[1], LOOP).role == role


def test_marrow_alike_far_hotter_than_marrow_inside_bones_is_a_lesion() -> None:
    bones = (*SPINE, *HIPS)
    hot: tuple[Ball, Ball] = ((HIPS[0][0], 16.0, 14.0), (HIPS[1][0], 16.0, 14.0))
    regions = told(image(*SPINE, *hot), bones_of(*bones))[1]
    assert {at(regions, hip).role for hip in hot} == {"lesion"}
    assert {at(told(image(*bones), bones_of(*bones))[1], hip).likely for hip in HIPS} == {"marrow"}


def test_hot_pieces_in_the_upper_trunk_are_an_organ_where_they_are_together_larger_than_lesions() -> None:
    trunk = np.repeat(body()[:1], GRID.shape[0], axis=0)
    x = MIDLINE_MM - 75.0
    pieces: tuple[Ball, ...] = tuple(
        ((x + dx, 0.0, 130.0 + dz), 20.0, 14.0) for dx, dz in ((-30.0, 0.0), (30.0, 0.0), (0.0, -46.0), (0.0, 46.0))
    )

    def likely(*balls: Ball, growth: float) -> set[str]:
        uptake = trunk.astype(np.float64)
        for ball in balls:
            uptake[inside(ball)] = ball[2]
        late = Image(ndimage.gaussian_filter(uptake, 1.0).astype(np.float32), GRID)
        labels, found = find_candidates(late, body=trunk)
        courses = {region.name: Growth(growth) for region in found}
        return {region.likely for region in tell_physiological(late, labels, found, trunk, growth=courses)}

    assert likely(*pieces, growth=1.0) == {"liver"}
    assert likely(pieces[0], growth=1.0) == {""}
    assert likely(*pieces, growth=2.0) == {""}


@pytest.mark.parametrize(("growth", "role"), [(0.5, "physiological"), (1.0, "lesion")])
def test_a_large_pool_that_fell_is_blood(growth: float, role: str) -> None:
    heart = ((14.0, -20.0, 150.0), 32.0, 3.5)
    region = at(told(image(heart), bones_of(*HIPS), growth=growth)[1], heart)
    assert region.role == role
    assert (region.likely == "blood pool") == (role == "physiological")


def test_bones_and_foci_without_uptake_stop_nothing() -> None:
    # Bones mostly where the image shows nothing, and courses that fell to nothing or rose from it.
    late = image(HIPS[0], LOOP)
    empty = np.asarray(late.array) * (points()[..., 2] > -20.0)
    shown = Image(empty.astype(np.float32), GRID, "counts/s/mL")
    below: tuple[Ball, ...] = tuple(((x, 0.0, -110.0), 60.0, 0.0) for x in (-78.0, 86.0))
    surfaces = bones_of(*below, HIPS[0], gas=(GAS,))
    for growth in (0.0, np.inf, 1.0):
        regions = told(shown, surfaces, growth=growth)[1]
        assert {region.role for region in regions} <= {"lesion", "physiological"}
        assert regions


def in_trunk(*balls: Ball) -> tuple[Image, NDArray[np.bool_]]:
    trunk = np.repeat(body()[:1], GRID.shape[0], axis=0)
    uptake = trunk.astype(np.float64)
    for ball in balls:
        uptake[inside(ball)] = ball[2]
    return Image(ndimage.gaussian_filter(uptake, 1.0).astype(np.float32), GRID), trunk


@pytest.mark.parametrize(("growth", "likely"), [(1.0, "liver"), (0.5, ""), (np.nan, "liver")])
def test_what_lies_beside_an_organ_is_of_it_unless_it_changed_otherwise(growth: float, likely: str) -> None:
    organ = ((MIDLINE_MM - 90.0, 0.0, 130.0), 45.0, 9.0)
    beside = ((MIDLINE_MM - 15.0, 0.0, 130.0), 14.0, 11.0)
    late, trunk = in_trunk(organ, beside)
    labels, found = find_candidates(late, body=trunk)
    small = min(found, key=lambda region: region.volume_ml).name
    courses = {region.name: Growth(growth if region.name == small else 1.0, 0.05) for region in found}
    regions = tell_physiological(late, labels, found, trunk, growth=courses)
    assert at(regions, organ).likely == "liver"
    assert at(regions, beside).likely == likely


@pytest.mark.parametrize(("centre", "likely"), [((4.0, -45.0, 50.0), "bladder"), ((4.0, -88.0, 50.0), "")])
def test_a_bladder_lies_deeper_than_the_skin(centre: tuple[float, float, float], likely: str) -> None:
    ball = (centre, 18.0, 5.0)
    assert at(told(image(ball), bones_of(*HIPS))[1], ball).likely == likely


def test_uptake_in_one_bone_alone_is_marrow_only_where_an_implant_explains_the_other_side() -> None:
    bones = (*SPINE, *HIPS)
    late = image(*SPINE, HIPS[1])
    assert at(told(late, bones_of(*bones))[1], HIPS[1]).role == "lesion"
    implant = inside((HIPS[0][0], 8.0, 0.0))
    assert at(told(late, bones_of(*bones, metal=implant))[1], HIPS[1]).likely == "marrow"


def test_uptake_that_reaches_out_of_its_bone_is_no_marrow() -> None:
    bones = (*SPINE, *((hip[0], 13.0, 0.0) for hip in HIPS))
    assert {at(told(image(*SPINE, *HIPS), bones_of(*SPINE, *HIPS))[1], hip).likely for hip in HIPS} == {"marrow"}
    assert {at(told(image(*SPINE, *HIPS), bones_of(*bones))[1], hip).role for hip in HIPS} == {"lesion"}
