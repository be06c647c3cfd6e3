"""Pictures: which way up, on which scale, at which place."""

from __future__ import annotations

import io
import itertools
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.image import imread
from numpy.typing import NDArray

from leukospect.data import AcquisitionHeader, EnergyWindow, Geometry, Image, PlanarImages
from leukospect.errors import GeometryError
from leukospect.quantification.measurements import Interval, Measurement, Region
from leukospect.report.content import PlanarPictures, ReportContent, SpectPictures
from leukospect.report.figures_canvas import plain, png
from leukospect.report.figures_focus import focus_of
from leukospect.report.figures_fused import fused_slices, hot_over_grey
from leukospect.report.figures_metal import metal_reduction, metal_slice
from leukospect.report.figures_mip import mip_angles, mip_series, projected
from leukospect.report.figures_orientation import Picture, axial, canonical, coronal, edges_mm, sagittal
from leukospect.report.figures_planar import planar_rate, planar_series
from leukospect.report.figures_regions import slice_points_mm

SHAPE = (5, 6, 8)
SPACING = (4.0, 3.0, 2.5)


def made(shape: tuple[int, int, int] = SHAPE) -> Image:
    """Number every voxel of a standard grid, highest at the left-anterior-head corner."""
    array = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    array[-1, 0, -1] = 1000.0
    return Image(array, Geometry.axial(shape, SPACING, (-10.0, 7.0, 30.0)), "counts/s/mL")


def turned(image: Image, order: tuple[int, ...], flips: tuple[bool, ...]) -> Image:
    """Store the same volume with its axes permuted and some of them reversed, at the same place."""
    array = image.array.transpose(order)
    affine = np.eye(4)
    affine[:3, :3] = image.geometry.affine[:3, list(order)]
    affine[:3, 3] = image.geometry.affine[:3, 3]
    for axis in range(3):
        if flips[axis]:
            affine[:3, 3] += affine[:3, axis] * (array.shape[axis] - 1)
            affine[:3, axis] *= -1
            array = np.flip(array, axis)
    return Image(array, Geometry((array.shape[0], array.shape[1], array.shape[2]), affine), image.unit)


GRIDS = list(itertools.product(itertools.permutations(range(3)), itertools.product((False, True), repeat=3)))


@pytest.mark.parametrize(("order", "flips"), GRIDS)
def test_every_grid_comes_to_the_same_orientation_exactly(order: tuple[int, ...], flips: tuple[bool, ...]) -> None:
    straight = made()
    same = canonical(turned(straight, order, flips))
    np.testing.assert_array_equal(same.array, straight.array)
    np.testing.assert_allclose(same.geometry.affine, straight.geometry.affine, atol=1e-9)


def test_an_oblique_grid_keeps_its_places() -> None:
    angle = np.deg2rad(20.0)
    affine = np.eye(4)
    turn = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
    affine[:3, :3] = turn @ Geometry.axial((20, 24, 30), (3.0, 2.5, 2.0), (0, 0, 0)).affine[:3, :3]
    affine[:3, 3] = (-12.0, 5.0, 40.0)
    geometry = Geometry((20, 24, 30), affine)
    array = np.zeros((20, 24, 30), np.float32)
    array[12:15, 4:7, 21:24] = 1.0
    result = canonical(Image(array, geometry, "counts/s/mL"))
    index = np.indices(result.array.shape).reshape(3, -1).T
    weights = result.array.ravel() / result.array.sum()
    np.testing.assert_allclose(weights @ result.geometry.to_lps(index), geometry.to_lps((13, 5, 22)), atol=0.4)


@pytest.mark.parametrize(("order", "flips"), GRIDS[::7])
def test_the_left_anterior_head_corner_is_where_readers_look_for_it(
    order: tuple[int, ...], flips: tuple[bool, ...]
) -> None:
    volume = canonical(turned(made(), order, flips))
    k, j, i = (int(n) for n in np.unravel_index(np.argmax(volume.array), volume.array.shape))
    expected = {
        "axial": (axial(volume, k), (0, -1), ("R", "L", "A", "P")),
        "coronal": (coronal(volume, j), (0, -1), ("R", "L", "H", "F")),
        "sagittal": (sagittal(volume, i), (0, 0), ("A", "P", "H", "F")),
    }
    for picture, corner, letters in expected.values():
        assert picture.pixels[corner] == 1000.0
        assert picture.letters == letters


def test_pixels_lie_at_their_place_in_mm() -> None:
    volume = canonical(made())
    points = slice_points_mm(coronal(volume, 2), "coronal", volume.geometry.to_lps((0, 2, 0))[1])
    np.testing.assert_allclose(points[0, -1], volume.geometry.to_lps((4, 2, 7)))
    np.testing.assert_allclose(points[-1, 0], volume.geometry.to_lps((0, 2, 0)))
    assert edges_mm(volume, 2) == pytest.approx((-11.25, 8.75))


@pytest.mark.parametrize(
    ("angle", "letters", "column"),
    [(180.0, ("R", "L"), -1), (0.0, ("L", "R"), 0), (90.0, ("A", "P"), 0), (270.0, ("P", "A"), -1)],
)
def test_projections_are_as_a_detector_sees_them(angle: float, letters: tuple[str, str], column: int) -> None:
    picture = projected(canonical(made()), angle)
    assert picture.letters == (*letters, "H", "F")
    assert picture.pixels[0, column] == 1000.0


def test_an_oblique_projection_finds_a_point_along_the_detector() -> None:
    array = np.zeros((4, 40, 30), np.float32)
    array[1, 8, 21] = 1.0
    volume = Image(array, Geometry.axial(array.shape, (5.0, 2.0, 3.0), (-50.0, -30.0, 0.0)))
    picture = projected(volume, 135.0)
    x, y, z = volume.geometry.to_lps((1, 8, 21))
    across, down = picture.centres_mm()
    row, column = np.unravel_index(np.argmax(picture.pixels), picture.pixels.shape)
    assert across[column] == pytest.approx((x + y) / np.sqrt(2.0), abs=2.0)
    assert down[row] == pytest.approx(z)
    assert picture.letters == ("RA", "LP", "H", "F")


def planar(time: str, hours: float, rate: float, duration: float, factor: float, mm: float = 4.0) -> PlanarPictures:
    """Make two windows of two views; only window 1 holds counts, with a hot pixel at the right shoulder in front."""
    counts = np.zeros((2, 2, 10, 7), np.float32)
    counts[1, 0, 1, 1] = rate * duration
    counts[1, 1, 1, 5] = rate * duration
    windows = (EnergyWindow(((90.0, 120.0),)), EnergyWindow(((130.0, 150.0),)))
    images = PlanarImages(
        counts, windows, ("posterior", "anterior"), (mm, mm / 2), np.full(2, duration), AcquisitionHeader("STATIC")
    )
    return PlanarPictures(time, hours, images, 1, factor)


def test_planar_series_has_one_scale_and_decay_corrected_rates() -> None:
    series = [planar("delayed", 4.0, 8.0, 600.0, 1.5), planar("late", 24.0, 2.0, 1800.0, 16.0)]
    figure = planar_series(series)
    drawn = [image for axes in figure.axes for image in axes.images]
    assert len(drawn) == 4
    assert len({image.get_clim() for image in drawn}) == 1
    assert planar_rate(series[0], 0, per_cm2=False).max() == pytest.approx(12.0)
    assert planar_rate(series[1], 0, per_cm2=False).max() == pytest.approx(32.0)


def test_planar_views_of_different_pixels_are_compared_per_area() -> None:
    small, large = planar("delayed", 4.0, 1.0, 10.0, 1.0, mm=4.0), planar("late", 24.0, 4.0, 10.0, 1.0, mm=8.0)
    assert planar_rate(small, 0, per_cm2=True).max() == pytest.approx(planar_rate(large, 0, per_cm2=True).max())
    figure = planar_series([small, large])
    assert any("cm²" in axes.get_ylabel() for axes in figure.axes)


def test_planar_views_are_drawn_anterior_first_with_the_sides_named() -> None:
    figure = planar_series([planar("late", 24.0, 2.0, 100.0, 1.0)])
    panels = [axes for axes in figure.axes if axes.images]
    letters = [[text.get_text() for text in axes.texts][:2] for axes in panels]
    assert letters == [["R", "L"], ["L", "R"]]


def test_planar_views_show_where_each_region_was_measured() -> None:
    shown = planar("late", 24.0, 2.0, 100.0, 1.0)
    mask = np.zeros((10, 7), dtype=np.bool_)
    mask[4:8, 3:6] = True
    region = Region(1, "knee", "lesion", "", 1.0, (0.0, 0.0, 0.0), "left", "drawn")
    figure = planar_series([replace(shown, masks={1: {"knee": mask}})], [region])
    anterior, posterior = [axes for axes in figure.axes if axes.images]
    corners = np.concatenate([path.vertices for drawn in anterior.collections for path in drawn.get_paths()])
    # Between the middles of the pixels at its edge and those beyond; rows are 4 mm, columns 2 mm.
    assert corners.min(axis=0) == pytest.approx([6.0, 16.0], abs=1e-6)
    assert corners.max(axis=0) == pytest.approx([12.0, 32.0], abs=1e-6)
    assert "knee" in [text.get_text() for text in anterior.texts]
    assert not posterior.collections
    assert not planar_series([shown], [region]).axes[0].collections


def values(axes: Axes) -> NDArray[np.float64]:
    """Give the numbers that a panel draws."""
    return np.asarray(axes.images[0].get_array(), dtype=np.float64)


def spect(time: str, hours: float, level: float, factor: float | None) -> SpectPictures:
    """Make a body with a hot spot on the patient's left, in front, towards the head."""
    array = np.full((20, 24, 28), 0.1, np.float32)
    array[14:16, 5:7, 20:22] = level
    labels = np.zeros(array.shape, np.uint8)
    labels[13:17, 4:8, 19:23] = 4
    grid = Geometry.axial((20, 24, 28), (5.0, 4.0, 4.5), (-60.0, -48.0, -50.0))
    return SpectPictures(
        time, hours, Image(array, grid, "counts/s/mL"), regions=Image(labels, grid), decay_to_injection=factor
    )


LESION = Region(4, "left shaft", "lesion", "marrow", 10.0, (32.0, -26.0, 22.0), "left", "drawn")


def test_projections_of_all_times_share_one_scale_that_holds_the_lesion() -> None:
    pictures = [spect("late", 24.0, 3.0, 16.0), spect("delayed", 4.0, 9.0, 1.6)]
    figure = mip_series(pictures, (LESION,))
    limits = {image.get_clim() for axes in figure.axes for image in axes.images if axes.texts}
    assert limits == {(0.0, 48.0)}
    drawn = [float(values(axes).max()) for axes in figure.axes if axes.images and axes.texts]
    assert drawn == pytest.approx([14.4, 48.0, 14.4, 48.0])  # in time order, whatever the order given


def test_without_all_decay_factors_none_is_applied() -> None:
    figure = mip_series([spect("delayed", 4.0, 9.0, 1.6), spect("late", 24.0, 3.0, None)], (LESION,))
    panel = next(axes for axes in figure.axes if axes.images)
    assert float(values(panel).max()) == pytest.approx(9.0)


def darkest_half(picture: NDArray[np.float32]) -> tuple[str, str]:
    """Tell in which half (across, down) of a panel the darkest mass lies, its rim with the letters left out."""
    rows, columns = picture.shape
    inner = 1.0 - picture[rows // 8 : -rows // 8, columns // 8 : -columns // 8]
    mass = np.where(inner > 0.6, inner, 0.0)
    left, top = mass[:, : mass.shape[1] // 2].sum(), mass[: mass.shape[0] // 2].sum()
    return ("left" if left > mass.sum() / 2 else "right"), ("top" if top > mass.sum() / 2 else "bottom")


def test_the_rendered_projection_shows_the_spot_on_the_viewers_right_and_high() -> None:
    figure = mip_angles([spect("late", 24.0, 5.0, None)], ())
    panel = next(axes for axes in figure.axes if axes.images)
    place = panel.get_position()
    pixels = imread(io.BytesIO(png(figure)))[..., :3].mean(axis=2)
    height, width = pixels.shape
    rows = slice(int((1 - place.y1) * height), int((1 - place.y0) * height))
    columns = slice(int(place.x0 * width), int(place.x1 * width))
    assert darkest_half(pixels[rows, columns]) == ("right", "top")


def test_names_stand_once_where_there_is_room_for_them() -> None:
    late, delayed = spect("late", 24.0, 3.0, 16.0), spect("delayed", 4.0, 9.0, 1.6)

    def names(figure: Figure) -> int:
        return sum(LESION.name in text.get_text() for axes in figure.axes for text in axes.texts)

    assert names(mip_series([delayed, late], (LESION,))) == 1
    assert names(mip_angles([delayed, late], (LESION,))) == 0
    assert names(mip_angles([late], (LESION,))) == 1


def test_panels_keep_true_proportions() -> None:
    figure = mip_angles([spect("late", 24.0, 5.0, None)], ())
    width_in, height_in = figure.get_size_inches()
    for axes in (axes for axes in figure.axes if axes.images and axes.texts):
        left, right, bottom, top = axes.images[0].get_extent()
        place = axes.get_position()
        drawn = place.width * width_in / (place.height * height_in)
        assert drawn == pytest.approx(abs(right - left) / abs(top - bottom), rel=1e-3)


def with_ct(pictures: SpectPictures, shift_mm: tuple[float, float, float]) -> SpectPictures:
    """Add a CT whose patient lies shifted from the SPECT's, and the SPECT brought onto it."""
    grid = Geometry.axial((30, 60, 70), (4.0, 2.0, 2.0), (-70.0, -60.0, -60.0))
    transform = np.eye(4)
    transform[:3, 3] = shift_mm
    points = grid.to_lps(np.moveaxis(np.indices(grid.shape), 0, -1)) - np.array(shift_mm)
    index = np.rint(pictures.recon.geometry.to_index(points)).astype(int)
    inside = np.all((index >= 0) & (index < pictures.recon.array.shape), axis=-1)
    index = np.clip(index, 0, np.array(pictures.recon.array.shape) - 1)
    on_ct = np.where(inside, pictures.recon.array[index[..., 0], index[..., 1], index[..., 2]], 0.0)
    hu = np.full(grid.shape, 40, np.int16)
    metal = np.zeros(grid.shape, np.uint8)
    metal[7, 20:24, 40:45] = 1
    metal[9, 20:24, 40:42] = 1
    hu[metal > 0] = 3000
    return SpectPictures(
        pictures.time_point,
        pictures.hours,
        pictures.recon,
        ct=Image(hu, grid, "HU"),
        ct_reduced=Image(np.where(metal > 0, 3000, hu - 30).astype(np.int16), grid, "HU"),
        metal=Image(metal, grid),
        recon_on_ct=Image(on_ct.astype(np.float32), grid, "counts/s/mL"),
        regions=pictures.regions,
        spect_to_ct=transform,
    )


def test_fused_slices_cut_the_ct_where_the_registration_puts_the_lesion() -> None:
    pictures = with_ct(spect("late", 24.0, 5.0, None), (8.0, -6.0, 12.0))
    focus = focus_of(ReportContent("t", spect=(pictures,), regions=(LESION,)), pictures)
    assert focus.lesion == "left shaft"
    figure = fused_slices(pictures, focus, (LESION,), close_up=True)
    panels = [axes for axes in figure.axes if len(axes.images) == 2]
    assert len(panels) == 3
    for axes, across, down in zip(panels, (0, 0, 1), (1, 2, 2), strict=True):
        colours = np.asarray(axes.images[1].get_array())
        assert colours[..., 3].max() == pytest.approx(0.9)
        rows, columns = np.nonzero(colours[..., 3] > 0.85)
        left, right, bottom, top = axes.images[1].get_extent()
        x = left + (columns.mean() + 0.5) * (right - left) / colours.shape[1]
        y = top + (rows.mean() + 0.5) * (bottom - top) / colours.shape[0]
        spot = np.array([32.25 + 8.0, -26.0 - 6.0, 22.5 + 12.0])  # centre of the hot block, moved
        assert (x, y) == pytest.approx((spot[across], spot[down]), abs=2.5)
        assert any(text.get_text() == "left shaft" for text in axes.texts)


def test_more_uptake_hides_more_of_the_ct() -> None:
    ramp = Picture(np.linspace(0.0, 1.0, 20).reshape(1, 20), (0.0, 20.0, 1.0, 0.0), ("R", "L", "A", "P"))
    alpha = hot_over_grey(ramp, Normalize(0.0, 1.0)).pixels[0, :, 3]
    assert alpha[0] == 0.0
    assert np.all(np.diff(alpha) >= 0)
    assert alpha[-1] > 0.8


def test_the_focus_is_the_hottest_lesion_not_the_hottest_organ() -> None:
    pictures = spect("late", 24.0, 5.0, None)
    array = pictures.recon.array.copy()
    array[2, 20, 3] = 50.0
    pictures = SpectPictures("late", 24.0, Image(array, pictures.recon.geometry), regions=pictures.regions)
    with_lesion = focus_of(ReportContent("t", spect=(pictures,), regions=(LESION,)), pictures)
    np.testing.assert_allclose(with_lesion.point_mm, pictures.recon.geometry.to_lps((14, 5, 20)))
    alone = focus_of(ReportContent("t", spect=(pictures,)), pictures)
    np.testing.assert_allclose(alone.point_mm, pictures.recon.geometry.to_lps((2, 20, 3)))
    measured = Measurement(
        "left shaft", "late", 24.0, "spect", "counts/s/mL", Interval(1, 1, 1, 0), 5.0, (1.0, 2.0, 3.0), 1.0, 1.0, "mL"
    )
    told = focus_of(ReportContent("t", regions=(LESION,), measurements=(measured,)), pictures)
    assert told.point_mm == (1.0, 2.0, 3.0)


def test_metal_reduction_is_shown_where_most_metal_is() -> None:
    pictures = with_ct(spect("late", 24.0, 5.0, None), (0.0, 0.0, 0.0))
    assert pictures.ct is not None
    assert pictures.ct_reduced is not None
    assert metal_slice(pictures.ct, pictures.ct_reduced, pictures.metal) == 7
    figure, z_mm = metal_reduction(pictures)
    assert z_mm == pytest.approx(-60.0 + 7 * 4.0)
    difference = values([axes for axes in figure.axes if axes.images and axes.texts][2])
    assert difference.min() == -30.0


@pytest.mark.parametrize("name", ["recon_nac", "regions", "ct_reduced", "metal", "recon_on_ct"])
def test_a_volume_on_another_grid_is_refused(name: str) -> None:
    whole = with_ct(spect("late", 24.0, 5.0, None), (0.0, 0.0, 0.0))
    change: dict[str, Any] = {name: made()}
    with pytest.raises(GeometryError, match=name):
        replace(whole, **change)


@pytest.mark.parametrize(
    ("text", "drawn"),
    [("cost $5 and $6", r"cost \$5 and \$6"), ("a\nb\tc", "a?b?c"), ("骨", "?"), ("x" * 90, "x" * 35 + "…")],
)
def test_any_name_can_be_drawn(text: str, drawn: str) -> None:
    assert plain(text) == drawn
