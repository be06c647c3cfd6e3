"""The report's part on metal: what was found, how many slices were corrected, which are still bad, where they lie."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from leukospect.ct.artefact_measure import ArtefactMeasure
from leukospect.ct.metal_summary import MetalSummary
from leukospect.ct.slice_reduction import SliceMeasure
from leukospect.data import Geometry, Image
from leukospect.report.content import ReportContent, SpectPictures
from leukospect.report.figures_plates import streak_plates
from leukospect.report.figures_streaks import streaks_by_slice
from leukospect.report.html import render
from leukospect.report.metal_table import metal_shown, slice_z_mm
from tests.report.test_html import Page

GRID = Geometry.axial((6, 8, 10), (-2.5, 1.5, 0.8), (-3.0, -5.0, 47.0))  # k runs to the feet
HOSTILE = "<script>alert('$x$')</script>"


def measure(k: int, strength: float, before: float | None, after: float | None) -> SliceMeasure:
    seen = [None if hu is None else ArtefactMeasure(hu, 2 * hu, 0.97) for hu in (before, after)]
    return SliceMeasure(k, 10 * k, strength, seen[0], seen[1])


MEASURES = (
    measure(1, 1.0, 90.0, 30.0),
    measure(2, 0.5, 50.0, 45.0),
    measure(3, 0.0, 20.0, 20.0),
    measure(4, 0.0, None, None),
    measure(5, 1.0, 40.0, 10.0),
)
SUMMARY = MetalSummary("2 pieces of metal, 17 mL, above 3000 HU.", "adaptive", "fan", 6, MEASURES)
WITHOUT = MetalSummary("No metal was found in the patient.", "adaptive", "", 6, ())


def content(*summaries: MetalSummary | None) -> ReportContent:
    hu, counts = Image(np.zeros(GRID.shape, np.int16), GRID, "HU"), Image(np.ones(GRID.shape, np.float32), GRID)
    times = (("late", 24.0), ("delayed", 4.0))
    spect = tuple(
        SpectPictures(name, hours, counts, ct=hu, metal_summary=one)
        for (name, hours), one in zip(times, summaries, strict=False)
    )
    return ReportContent("Study", spect=spect)


def words(content: ReportContent) -> str:
    return " ".join(Page(render(content)).words.split())


def test_slices_are_counted_by_what_was_done() -> None:
    assert (SUMMARY.with_metal, SUMMARY.wholly, SUMMARY.in_part, SUMMARY.left, SUMMARY.not_judged) == (5, 2, 1, 2, 1)
    assert SUMMARY.streaks_hu == (45.0, 25.0)  # of the four judged ones
    assert [one.slice_index for one in SUMMARY.worst(3)] == [2, 1, 3]
    said = SUMMARY.sentence()
    assert said.startswith(
        "5 slices hold metal, of 6: 2 corrected, 1 in part, 2 left unchanged (1 with too little soft"
    )
    assert "median streaks 45 HU before, 25 HU after; method adaptive, fan rays." in said
    assert "along fan rays through the slices; 3 of 6 slices changed" in SUMMARY.derivation()


def test_a_single_slice_that_cannot_be_judged_has_no_streaks() -> None:
    lone = replace(SUMMARY, measures=(MEASURES[3],))
    assert lone.sentence().startswith("1 slice holds metal, of 6: 0 corrected")
    assert "streaks" not in lone.sentence()
    assert lone.as_values()["median_streaks_hu"] == {"before": None, "after": None}
    assert lone.worst(3) == ()


def test_each_ct_has_its_row_and_its_worst_slices_their_places() -> None:
    page = words(content(SUMMARY, WITHOUT))
    assert "2 pieces of metal, 17 mL, above 3000 HU. adaptive, fan rays 5 of 6 2 1 2 45 25" in page
    assert "No metal was found in the patient. – 0 of 6 0 0 0 – –" in page
    assert "In 1 of the slices left unchanged there is too little soft tissue to judge by." in page
    assert "used in a slice only as far as it lowers the streaks" in page
    assert "late, 24.0 h 42 50 45 0.97 50 %" in page  # slice 2, at 47 - 2 x 2.5 mm
    assert "late, 24.0 h 40 20 20 0.97 not" in page
    assert "late, 24.0 h 44 90 30 0.97 wholly" in page
    assert "late, 24.0 h 34 40 10" not in page


def test_what_was_found_is_escaped() -> None:
    page = render(content(replace(SUMMARY, found=HOSTILE)))
    assert "<script" not in page


def test_without_a_search_for_metal_there_is_no_such_part() -> None:
    assert metal_shown(content(None)) is None
    assert streak_plates(content(None)) == ()
    assert "Metal in the CT" not in words(content(None))


def test_where_nothing_could_be_judged_nothing_is_drawn() -> None:
    lone = content(replace(SUMMARY, measures=(MEASURES[3],)))
    assert streaks_by_slice(lone.spect) is None
    shown = metal_shown(lone)
    assert shown is not None
    assert (shown.worst, shown.not_judged) == ((), 1)


def test_the_figure_shows_each_judged_slice_at_its_place() -> None:
    figure = streaks_by_slice(content(SUMMARY, SUMMARY).spect)
    assert figure is not None
    assert len(figure.axes) == 2
    scanned, reduced = figure.axes[0].get_lines()[:2]
    expected = [47.0 - 2.5 * k for k in (1, 2, 3, 5)]
    assert np.asarray(scanned.get_xdata()) == pytest.approx(expected)
    assert np.asarray(scanned.get_ydata()) == pytest.approx([90, 50, 20, 40])
    assert np.asarray(reduced.get_ydata()) == pytest.approx([30, 45, 20, 10])
    assert figure.axes[0].get_ylim()[0] == 0.0
    [plate] = streak_plates(content(SUMMARY, SUMMARY))
    assert plate.uri.startswith("data:image/png")


def test_the_place_of_a_slice_is_that_of_its_middle() -> None:
    turned = GRID.affine.copy()
    c, s = np.cos(0.2), np.sin(0.2)
    turned[:3, :3] = np.array([[1, 0, 0], [0, c, -s], [0, s, c]]) @ turned[:3, :3]
    tilted = Geometry(GRID.shape, turned)
    middle = tilted.to_lps((2, 3.5, 4.5))
    assert slice_z_mm(tilted, 2) == pytest.approx(middle[2])
    assert slice_z_mm(GRID, 2) == pytest.approx(42.0)
