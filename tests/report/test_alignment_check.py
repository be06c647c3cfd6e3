"""The pictures a person judges the alignment by: tiles that take turns, outlines that follow the registration."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.contour import ContourSet
from matplotlib.figure import Figure
from numpy.typing import NDArray

from leukospect.data import Geometry, Image
from leukospect.interpretation.flag import LesionFlag, StudyFlag
from leukospect.quantification.measurements import Interval, Measurement
from leukospect.report.content import ReportContent, SpectPictures
from leukospect.report.figures_alignment import (
    TILE_MM,
    alignment_check,
    body_edge,
    checkerboard,
    deepest_point,
    outline_field,
)
from leukospect.report.figures_orientation import Picture
from leukospect.report.figures_plates import spect_plates

CT = Geometry.axial((32, 66, 80), (5.0, 3.0, 3.0), (-118.5, -97.5, -77.5))
NM = Geometry.axial((32, 40, 48), (6.0, 6.0, 6.0), (-141.0, -117.0, -93.0))
SHIFT = np.array([12.0, -9.0, 0.0])


def ellipse(grid: Geometry, middle: NDArray[np.float64]) -> NDArray[np.bool_]:
    points = grid.to_lps(np.moveaxis(np.indices(grid.shape), 0, -1)) - middle
    return np.asarray((points[..., 0] / 90) ** 2 + (points[..., 1] / 65) ** 2 < 1)


def pictures(shift: NDArray[np.float64] = SHIFT) -> SpectPictures:
    """Make a body that lies elsewhere in the SPECT than in the CT, and the registration that tells by how much."""
    hu = np.where(ellipse(CT, np.zeros(3)), 40, -1000).astype(np.int16)
    nac = np.where(ellipse(NM, -SHIFT), 2.0, 0.0).astype(np.float32)
    matrix = np.eye(4)
    matrix[:3, 3] = shift
    ct, recon = Image(hu, CT, "HU"), Image(np.full(NM.shape, 7.0, np.float32), NM, "counts/s/mL")
    on_ct = Image(np.zeros(CT.shape, np.float32), CT)
    return SpectPictures("late", 24.0, recon, Image(nac, NM, "counts/s/mL"), ct, recon_on_ct=on_ct,
                         registration="Moved by 15 mm.", spect_to_ct=matrix)  # fmt: skip


def panels(figure: Figure) -> list[Axes]:
    return [axes for axes in figure.axes if axes.images and axes.texts]


def outline(axes: Axes) -> NDArray[np.float64]:
    """Gather the corners of the first outline, (n, 2), mm."""
    drawn: Any = next(c for c in axes.collections if isinstance(c, ContourSet))
    return np.asarray(np.concatenate([path.vertices for path in drawn.get_paths()]), np.float64)


def test_tiles_take_turns_both_ways_and_have_their_size() -> None:
    shown = Picture(np.zeros((60, 80)), (-40.0, 40.0, 30.0, -30.0), ("R", "L", "A", "P"))
    spect = checkerboard(shown, 20.0, (-10.0, 10.0))
    across, down = shown.centres_mm()
    assert {int(n) for n in np.diff(np.flatnonzero(np.diff(spect[0].astype(int))))} == {20}
    at = {(x, y): bool(spect[np.abs(down - y).argmin(), np.abs(across - x).argmin()])
          for x in (-20.0, 0.0, 20.0) for y in (-20.0, 0.0, 20.0)}  # fmt: skip
    for (x, y), tile in at.items():
        assert tile != at.get((x + 20.0, y), not tile)
        assert tile != at.get((x, y + 20.0), not tile)


def test_the_checkerboard_shows_the_spect_on_its_tiles_alone_at_its_registered_place() -> None:
    axial = panels(alignment_check(pictures(), (0.0, 0.0, 0.0)))[0]
    ct, tiles = axial.images
    assert ct.get_extent() == tiles.get_extent()
    colours = np.asarray(tiles.get_array())
    assert set(np.unique(colours[..., 3])) == {0.0, 1.0}
    left, right, bottom, top = tiles.get_extent()
    across = left + (np.arange(colours.shape[1]) + 0.5) * (right - left) / colours.shape[1]
    down = top + (np.arange(colours.shape[0]) + 0.5) * (bottom - top) / colours.shape[0]
    # the point, registered, lies in the middle of a tile, and so do its neighbours
    point = SHIFT[:2]
    for n in (-1, 0, 1):
        row = np.abs(down - point[1]).argmin()
        column = np.abs(across - (point[0] + n * TILE_MM)).argmin()
        assert colours[row, column, 3] == (1.0 if n else 0.0)
    x, y = np.meshgrid(across, down)
    bright = colours[..., 0] > 0.75
    inside = (x / 90) ** 2 + (y / 65) ** 2
    spect = colours[..., 3] > 0
    assert bright[spect & (inside < 0.6)].all()
    assert not bright[spect & (inside > 1.35)].any()


def test_the_outline_follows_the_registration() -> None:
    for shift in (SHIFT, np.zeros(3), np.array([-4.0, -15.0, 0.0])):
        figure = alignment_check(pictures(shift), tuple(-SHIFT))
        axial, coronal = panels(figure)[3:5]
        drawn = outline(axial)
        middle = (drawn.min(axis=0) + drawn.max(axis=0)) / 2
        np.testing.assert_allclose(middle, (shift - SHIFT)[:2], atol=1.5)
        np.testing.assert_allclose(np.ptp(drawn, axis=0), (180, 130), atol=6)
        drawn = outline(coronal)
        assert (drawn[:, 0].min() + drawn[:, 0].max()) / 2 == pytest.approx((shift - SHIFT)[0], abs=1.5)


def test_every_panel_has_its_letters() -> None:
    found = panels(alignment_check(pictures(), None))
    letters = [[text.get_text() for text in axes.texts][:4] for axes in found]
    assert letters == [["R", "L", "A", "P"], ["R", "L", "H", "F"], ["A", "P", "H", "F"]] * 2
    assert all(any(text.get_text().endswith("cm") for text in axes.texts) for axes in found)


def test_the_uncorrected_spect_is_taken_where_there_is_one() -> None:
    made = pictures()
    top = alignment_check(made, None).axes[-1].get_ylim()[1]
    assert top == pytest.approx(2.0, rel=0.05)
    assert alignment_check(replace(made, recon_nac=None), None).axes[-1].get_ylim()[1] == pytest.approx(7.0, rel=0.05)


def test_the_edge_is_half_of_what_the_body_holds_whatever_is_hottest() -> None:
    made = pictures()
    assert made.recon_nac is not None
    assert made.ct is not None
    array = np.array(made.recon_nac.array, np.float32)
    array[16, 15:18, 20:23] = 300.0
    matrix = np.eye(4)
    matrix[:3, 3] = SHIFT
    assert body_edge(Image(array, NM), made.ct, matrix) == pytest.approx(1.0)


def test_holes_and_specks_are_no_outline() -> None:
    pixels = np.zeros((30, 40), np.float32)
    pixels[5:25, 5:30] = 2.0
    pixels[12:15, 12:15] = 0.1
    pixels[2:4, 35:37] = 2.0
    field = outline_field(pixels, 1.0)
    assert (field[5:25, 5:30] > 1.0).all()
    assert (field > 1.0).sum() == 20 * 25
    np.testing.assert_array_equal(field[:, :30][pixels[:, :30] != 0.1], pixels[:, :30][pixels[:, :30] != 0.1])


def test_a_lesion_outside_the_ct_is_cut_at_its_edge_in_both() -> None:
    made = pictures()
    assert made.recon_nac is not None
    only_low = np.array(made.recon_nac.array, np.float32)
    only_low[NM.to_lps(np.argwhere(np.ones(NM.shape[0], bool)) * (1, 0, 0))[:, 2] > 60] = 0.0
    coronal = panels(alignment_check(replace(made, recon_nac=Image(only_low, NM)), (0.0, 0.0, 500.0)))
    assert not any(isinstance(c, ContourSet) for c in coronal[3].collections)  # the topmost axial slice is empty
    assert any(isinstance(c, ContourSet) for c in coronal[4].collections)


def test_the_middle_of_two_legs_lies_in_one() -> None:
    hu = np.full(CT.shape, -1000, np.int16)
    hu[:, 20:46, 8:32], hu[:, 20:46, 48:74] = 40, 40
    x, y, z = deepest_point(Image(hu, CT, "HU"))
    index = np.rint(CT.to_index((x, y, z))).astype(int)
    assert hu[tuple(index)] == 40
    assert index[0] == 16
    assert abs(y) < 6.0


def test_the_report_checks_every_time_through_the_lesion_that_drives_the_flag() -> None:
    late = pictures()
    times = (late, replace(late, time_point="delayed", hours=4.0, registration="Kept where it is."))
    value = Interval(1, 1, 1, 0)
    measured = Measurement("nail", "late", 24.0, "spect", "counts/s/mL", value, 5.0, (-12.0, 9.0, 0.0), 1.0, 1.0, "mL")
    flag = StudyFlag("positive", (LesionFlag("nail", "positive", "spect", "delayed", "late", 0.98, ""),), "a-rule")
    plates = spect_plates(ReportContent("t", spect=times, measurements=(measured,), flag=flag))
    told = {p.title.split(", ")[1]: p.caption for p in plates if p.title.startswith("Alignment of SPECT and CT")}
    assert list(told) == ["delayed", "late"]
    assert told["delayed"].startswith("Kept where it is. Through the middle of the body; the SPECT without attenuation")
    assert told["late"].startswith("Moved by 15 mm. Through the hottest voxel of nail;")
