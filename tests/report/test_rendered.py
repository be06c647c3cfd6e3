"""Rendered SPECT/CT: what is seen from where, what hides what, and in which colour."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
import SimpleITK
from matplotlib.colors import Normalize
from numpy.typing import NDArray

from leukospect.data import Geometry, Image
from leukospect.quantification.measurements import Region
from leukospect.report.content import ReportContent, SpectPictures
from leukospect.report.figures_orientation import Picture
from leukospect.report.figures_plates import spect_plates
from leukospect.report.figures_rendered import rendered_views
from leukospect.report.figures_turned import turned
from leukospect.report.rendered_scene import BONE_HU, Scene, scene_of
from leukospect.report.rendering import UPTAKE_BEHIND, first_surface, rendered, strongest_uptake

CT = Geometry.axial((30, 40, 56), (4.0, 3.0, 3.0), (-82.5, -58.5, 20.0))  # x -84 to 84, y -60 to 60, z 18 to 138
NM = Geometry.axial((24, 24, 32), (6.0, 6.0, 6.0), (-93.0, -69.0, 9.0))
ANTERIOR, LEFT, POSTERIOR, RIGHT = 180.0, 90.0, 0.0, 270.0
SCALE = Normalize(0.0, 10.0)
Box = tuple[tuple[float, float], tuple[float, float], tuple[float, float]]


def within(grid: Geometry, box: Box) -> NDArray[np.bool_]:
    """Tell which voxel centres lie in a box of LPS mm."""
    points = grid.to_lps(np.moveaxis(np.indices(grid.shape), 0, -1))
    return np.asarray(np.all([(points[..., a] > box[a][0]) & (points[..., a] < box[a][1]) for a in range(3)], axis=0))


def pictures(bones: tuple[Box, ...] = (), metals: tuple[Box, ...] = (), hot: tuple[Box, ...] = ()) -> SpectPictures:
    """Make a body with a couch below it, bone, metal and uptake in boxes."""
    hu = np.full(CT.shape, -1000, np.int16)
    hu[within(CT, ((-75, 75), (-45, 40), (0, 200)))] = 40
    hu[within(CT, ((-80, 80), (48, 54), (0, 200)))] = 600  # a couch
    metal = np.zeros(CT.shape, np.uint8)
    for box in bones:
        hu[within(CT, box)] = 900
    for box in metals:
        hu[within(CT, box)] = 3000
        metal[within(CT, box)] = 1
    uptake = np.zeros(NM.shape, np.float32)
    for box in hot:
        uptake[within(NM, box)] = 10.0
    recon, ct = Image(uptake, NM, "counts/s/mL"), Image(hu, CT, "HU")
    on_ct = Image(np.zeros(CT.shape, np.float32), CT, "counts/s/mL")
    return SpectPictures("late", 24.0, recon, ct=ct, ct_reduced=ct, metal=Image(metal, CT), recon_on_ct=on_ct)


def colour(picture: Picture, across_mm: float, down_mm: float) -> NDArray[np.float32]:
    """Look up the colour of the pixel at a place of the picture."""
    across, down = picture.centres_mm()
    pixel: NDArray[np.float32] = picture.pixels[np.abs(down - down_mm).argmin(), np.abs(across - across_mm).argmin()]
    return pixel


def hot_place(seen: Picture) -> tuple[float, float]:
    """Find the middle of the picture's red, as fractions of it from the left and from the top."""
    red = np.clip(seen.pixels[..., 0] - 1.6 * seen.pixels[..., 2], 0.0, None)
    rows, columns = np.indices(red.shape)
    return float((red * columns).sum() / red.sum() / red.shape[1]), float((red * rows).sum() / red.sum() / red.shape[0])


@pytest.mark.parametrize(
    ("angle", "nearer", "column"), [(ANTERIOR, 1, -1), (LEFT, 2, 0), (POSTERIOR, -2, 0), (RIGHT, -3, -1)]
)
def test_planes_run_from_near_to_far(angle: float, nearer: int, column: int) -> None:
    array = np.zeros((3, 4, 5), np.float32)
    array[2, 1, -3] = 1.0  # second row from the front, third column from the left side
    array[2, 0, -1] = 2.0
    seen = turned(Image(array, Geometry.axial(array.shape, (4.0, 2.0, 2.0), (0.0, 0.0, 0.0))), angle)
    (plane,), found = np.nonzero((seen.array[2] == 1.0).any(axis=1)), seen.array
    assert plane[0] == (nearer if nearer >= 0 else found.shape[1] + nearer)
    corner = found[2, :, column]
    assert corner.max() == 2.0


def test_an_oblique_viewer_stands_between_front_and_left() -> None:
    array = np.zeros((3, 20, 20), np.float32)
    array[1, 3, 16] = 1.0  # near the left front
    seen = turned(Image(array, Geometry.axial(array.shape, (4.0, 2.0, 2.0), (0.0, 0.0, 0.0))), 135.0, outside=-1.0)
    _, plane, column = np.unravel_index(int(seen.array.argmax()), seen.array.shape)
    assert plane < seen.array.shape[1] // 3
    assert abs(int(column) - seen.array.shape[2] // 2) <= 1
    assert seen.array[0, 0, 0] == -1.0
    assert seen.letters == ("RA", "LP", "H", "F")


def test_the_first_surface_lies_between_voxels_and_faces_the_viewer() -> None:
    field = np.zeros((6, 12, 7), np.float32)
    field[2:5, 4, 1:6], field[2:5, 5:, 1:6] = 0.8, 1.0
    surface = first_surface(field, 0.4)
    assert surface.hit.sum() == 15
    assert surface.depth[2, 3] == pytest.approx(3.5)
    np.testing.assert_allclose(surface.normal[2, 3], (0.0, 0.0, 1.0), atol=1e-6)
    assert surface.normal[1, 3, 1] > 0.2  # its upper edge looks up, its right one to the right
    assert surface.normal[2, 5, 0] > 0.2
    cut = first_surface(np.ones((3, 4, 5), np.float32), 0.4)
    np.testing.assert_array_equal(cut.depth, 0.0)
    np.testing.assert_array_equal(cut.normal, np.broadcast_to((0.0, 0.0, 1.0), (3, 5, 3)))


def test_uptake_behind_a_surface_fades_and_is_not_lost() -> None:
    uptake = np.zeros((40, 60, 3), np.float32)
    uptake[35, 10, 0] = uptake[35, 50, 1] = 4.0
    uptake[35, 10, 2], uptake[35, 50, 2] = 1.0, 5.0
    depth = np.full((40, 3), 20.0, np.float32)
    depth[:, 2] = np.inf
    value, fading = strongest_uptake(uptake, depth, 2.0)
    np.testing.assert_allclose(value[4], (4.0, 4.0, 5.0))
    assert fading[4] == pytest.approx((1.0, UPTAKE_BEHIND + (1 - UPTAKE_BEHIND) * 2.0**-1.5, 1.0), rel=1e-5)


def test_the_patients_left_is_on_the_viewers_right_from_the_front_and_left_from_the_back() -> None:
    scene = scene_of(pictures(hot=(((40, 60), (-30, -10), (100, 120)),)))
    for angle, side in ((ANTERIOR, "right"), (POSTERIOR, "left")):
        across, down = hot_place(rendered(scene, angle, SCALE))
        assert (across > 0.65) if side == "right" else (across < 0.35)
        assert down < 0.4
    assert hot_place(rendered(scene, LEFT, SCALE))[0] < 0.5  # the front is on the left's left


def test_uptake_is_drawn_where_the_registration_puts_it() -> None:
    made = pictures(hot=(((-30, -10), (-30, -10), (60, 80)),))
    moved = np.eye(4)
    moved[:3, 3] = (50.0, 0.0, 30.0)
    before = hot_place(rendered(scene_of(made), ANTERIOR, SCALE))
    scene = scene_of(replace(made, spect_to_ct=moved))
    after = hot_place(rendered(scene, ANTERIOR, SCALE))
    grid = scene.tissue.geometry
    step = grid.spacing_mm[0]
    assert (after[0] - before[0]) * grid.shape[2] * step == pytest.approx(50.0, abs=2.0)
    assert (before[1] - after[1]) * grid.shape[0] * step == pytest.approx(30.0, abs=2.0)


FRONT: Box = ((-30, 30), (-36, -24), (60, 100))
BACK: Box = ((-30, 30), (15, 27), (60, 100))


def test_what_lies_in_front_hides_what_lies_behind() -> None:
    alone = rendered(scene_of(pictures(metals=(FRONT,))), ANTERIOR, SCALE)
    scene = scene_of(pictures(bones=(BACK,), metals=(FRONT,)))
    front, back = rendered(scene, ANTERIOR, SCALE), rendered(scene, POSTERIOR, SCALE)
    np.testing.assert_allclose(colour(front, 0.0, 80.0), colour(alone, 0.0, 80.0), atol=1e-5)
    steel, ivory = colour(front, 0.0, 80.0), colour(back, 0.0, 80.0)
    assert steel[2] > 1.15 * steel[0]  # metal is blue where metal is
    assert ivory[0] > 1.1 * ivory[2]  # and bone ivory
    assert not np.allclose(colour(front, -50.0, 80.0), steel, atol=0.2)


def test_a_nail_shows_through_the_bone_around_it() -> None:
    shaft: Box = ((-18, 18), (-18, 18), (0, 200))
    nail: Box = ((-6, 6), (-6, 6), (0, 80))
    seen = rendered(scene_of(pictures(bones=(shaft,), metals=(nail,))), ANTERIOR, SCALE)
    inside, above = colour(seen, 0.0, 50.0), colour(seen, 0.0, 115.0)
    assert inside[2] / inside[0] > above[2] / above[0] + 0.15


def test_uptake_behind_bone_still_shows_and_less_than_in_front_of_it() -> None:
    focus: Box = ((-10, 10), (-10, 10), (70, 90))
    behind = scene_of(pictures(bones=(FRONT,), hot=(focus,)))
    cold = scene_of(pictures(bones=(FRONT,)))
    drawn = [colour(rendered(scene, angle, Normalize(0.0, 16.0)), 0.0, 80.0)
             for scene in (behind, cold) for angle in (ANTERIOR, POSTERIOR)]  # fmt: skip
    through, in_front = np.abs(drawn[0] - drawn[2]).sum(), np.abs(drawn[1] - drawn[3]).sum()
    assert 0.15 < through < 0.8 * in_front


def test_the_couch_is_left_out() -> None:
    scene = scene_of(pictures(bones=(BACK,)))
    tissue: NDArray[np.float32] = np.asarray(scene.tissue.array, np.float32)
    k, j, i = np.nonzero(tissue > BONE_HU)
    y = scene.tissue.geometry.to_lps(np.stack([k, j, i], axis=-1))[:, 1]
    assert 24 < y.max() < 30


def test_without_a_mask_of_metal_the_ct_alone_tells() -> None:
    made = pictures(metals=(FRONT,))
    scene = scene_of(replace(made, metal=None, ct_reduced=None))
    steel = colour(rendered(scene, ANTERIOR, SCALE), 0.0, 80.0)
    assert steel[2] > 1.15 * steel[0]
    with pytest.raises(ValueError, match="CT"):
        scene_of(SpectPictures("late", 24.0, made.recon))


def test_a_fine_ct_is_coarsened_without_moving() -> None:
    grid = Geometry.axial((40, 120, 150), (1.0, 0.9, 0.9), (-67.0, -53.5, 10.0))
    hu = np.full(grid.shape, -1000, np.int16)
    hu[:, 10:110, 10:140] = 40
    hu[within(grid, ((20, 36), (-30, -18), (22, 38)))] = 1500
    recon = Image(np.zeros(NM.shape, np.float32), NM)
    scene = scene_of(SpectPictures("late", 24.0, recon, ct=Image(hu, grid, "HU")))
    weight = np.clip(np.asarray(scene.tissue.array, np.float64) - 60.0, 0.0, None)
    points = scene.tissue.geometry.to_lps(np.moveaxis(np.indices(weight.shape), 0, -1))
    middle = (weight[..., None] * points).sum(axis=(0, 1, 2)) / weight.sum()
    np.testing.assert_allclose(middle, grid.to_lps(np.argwhere(hu == 1500).mean(axis=0)), atol=0.3)


@pytest.fixture
def threads() -> Iterator[None]:
    before = SimpleITK.ProcessObject.GetGlobalDefaultNumberOfThreads()
    yield
    SimpleITK.ProcessObject.SetGlobalDefaultNumberOfThreads(before)


@pytest.mark.usefixtures("threads")
def test_any_number_of_threads_gives_the_same_picture() -> None:
    made = pictures(bones=(BACK,), metals=(FRONT,), hot=(((40, 60), (-30, -10), (100, 120)),))
    seen = []
    for number in (1, 3):
        SimpleITK.ProcessObject.SetGlobalDefaultNumberOfThreads(number)
        seen.append(rendered(scene_of(made), 135.0, SCALE).pixels)
    np.testing.assert_array_equal(seen[0], seen[1])


@pytest.mark.parametrize("shape", [(1, 8, 9), (2, 1, 6), (3, 4, 1)])
def test_a_volume_of_hardly_any_voxels_is_drawn(shape: tuple[int, int, int]) -> None:
    grid = Geometry.axial(shape, (3.0, 3.0, 3.0), (0.0, 0.0, 0.0))
    some = SpectPictures("late", 24.0, Image(np.ones(shape, np.float32), grid), ct=Image(np.zeros(shape), grid, "HU"))
    scene: Scene = scene_of(some)
    for angle in (ANTERIOR, 135.0, LEFT):
        assert np.isfinite(rendered(scene, angle, SCALE).pixels).all()


def test_every_panel_has_its_letters_and_its_bar() -> None:
    figure = rendered_views(pictures(bones=(BACK,), hot=(((40, 60), (-30, -10), (100, 120)),)), (), "right")
    panels = [axes for axes in figure.axes if axes.images and axes.texts]
    letters = [[text.get_text() for text in axes.texts][:4] for axes in panels]
    assert letters == [["R", "L", "H", "F"], ["RA", "LP", "H", "F"], ["P", "A", "H", "F"], ["L", "R", "H", "F"]]
    assert all(axes.texts[-1].get_text().endswith("cm") for axes in panels)
    assert [text.get_text() for text in figure.texts] == [
        "anterior", "left anterior oblique", "right lateral", "posterior"
    ]  # fmt: skip


def test_the_report_renders_from_the_lesions_side_and_only_with_a_ct() -> None:
    made = pictures(hot=(((-60, -40), (-30, -10), (100, 120)),))
    labels = Image((np.asarray(made.recon.array) > 0).astype(np.uint8), NM)
    lesion = Region(1, "right plate", "lesion", "", 1.0, (-50.0, -20.0, 110.0), "right", "drawn")
    content = ReportContent("t", spect=(replace(made, regions=labels),), regions=(lesion,))
    plate = next(p for p in spect_plates(content) if p.title.startswith("Rendered SPECT/CT, late"))
    assert plate.uri.startswith("data:image/png")
    assert "200 HU" in plate.caption
    for without in (replace(made, recon_on_ct=None), SpectPictures("late", 24.0, made.recon)):
        titles = [p.title for p in spect_plates(ReportContent("t", spect=(without,)))]
        assert not any(title.startswith(("Rendered", "Alignment")) for title in titles)
