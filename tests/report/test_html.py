"""The page: what it says on top, that it needs nothing else, that it trusts no text."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from leukospect.data import AcquisitionHeader, EnergyWindow, Geometry, Image, PlanarImages
from leukospect.interpretation.flag import FlagValue, LesionFlag, OtherMap, StudyFlag
from leukospect.interpretation.map_effect import AttenuationEffect, MapEffect
from leukospect.quantification.measurements import Change, Interval, Measurement, Ratio, Region
from leukospect.report.content import PlanarPictures, ReportContent, SpectPictures
from leukospect.report.html import answer, number, percent, probability, render, write_report

HOSTILE = "<script>alert('$x$')</script>"


def content(lesion: str = "right plate", flag: FlagValue = "positive", change: float = 0.64) -> ReportContent:
    """Make a small study with two times, a lesion and its reference, everything present."""
    grid = Geometry.axial((10, 12, 14), (6.0, 5.0, 5.0), (-32.0, -28.0, -27.0))
    array = np.full(grid.shape, 0.2, np.float32)
    array[6, 4, 3] = 3.0
    labels = np.zeros(grid.shape, np.uint8)
    labels[5:8, 3:6, 2:5] = 1
    labels[5:8, 3:6, 9:12] = 2
    recon, regions = Image(array, grid, "counts/s/mL"), Image(labels, grid)
    hu = Image(np.full(grid.shape, 40, np.int16), grid, "HU")
    metal = Image((labels == 1).astype(np.uint8), grid)
    times = (("delayed", 4.0, 1.6), ("late", 24.0, 16.0))
    spect = tuple(
        SpectPictures(t, h, recon, recon, hu, hu, metal, recon, regions, "Taken as aligned.", f) for t, h, f in times
    )
    counts = np.arange(160, dtype=np.float32).reshape(1, 2, 10, 8)
    views = PlanarImages(
        counts,
        (EnergyWindow(((130.0, 150.0),)),),
        ("anterior", "posterior"),
        (4.0, 5.0),
        np.array([60.0, 60.0]),
        AcquisitionHeader("STATIC"),
    )
    grown = Interval(change, change - 0.1, change + 0.1, 0.05)
    ratio = Interval(2.5, 2.3, 2.7, 0.1)
    return ReportContent(
        title="Leukocytes",
        facts={"Nuclide": "Tc-99m"},
        spect=spect,
        planar=tuple(PlanarPictures(t, h, views, 0, f) for t, h, f in times),
        regions=(
            Region(1, lesion, "lesion", "marrow", 12.0, (-15.0, -8.0, 9.0), "right", "drawn"),
            Region(2, "marrow", "reference", "", 12.0, (18.0, -8.0, 9.0), "left", "drawn"),
        ),
        measurements=(
            Measurement(lesion, "late", 24.0, "spect", "counts/s/mL", ratio, 3.0, (-17.0, -8.0, 9.0), 0.1, 9.0, "mL"),
        ),
        ratios=(
            Ratio(lesion, "marrow", "delayed", 4.0, "spect", Interval(1.5, 1.4, 1.6, 0.05)),
            Ratio(lesion, "marrow", "late", 24.0, "spect", ratio),
        ),
        changes=(Change(lesion, "marrow", "spect", "delayed", "late", grown, grown, math.nan, False, (change,)),),
        flag=StudyFlag(
            flag, (LesionFlag(lesion, flag, "spect", "delayed", "late", 0.9731, "Because."),), "a-rule", ("From flag.",)
        ),
        rule={
            "name": "a-rule",
            "title": "grows",
            "criterion": "change > 20 %",
            "source": "PMC0000001",
            "sensitivity": 66.7,
            "specificity": 85.4,
            "accuracy": 80.3,
            "evidence": "Others disagree.",
        },
        warnings=("Something was assumed.",),
        settings={"iterations": "5"},
        software="leukospect 0.0",
    )


class Page(HTMLParser):
    """Gathers tags, attributes and text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.words = ""
        self.style = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.style = tag == "style"
        self.links += [value or "" for name, value in attrs if name in ("src", "href", "data", "srcset", "action")]

    def handle_data(self, data: str) -> None:
        if not self.style:
            self.words += " " + data

    def handle_endtag(self, tag: str) -> None:
        self.style = False


@pytest.fixture(scope="module")
def full() -> str:
    return render(content(HOSTILE))


def test_the_page_needs_nothing_else(full: str) -> None:
    page = Page(full)
    pictures = [link for link in page.links if link.startswith("data:image/png;base64,")]
    assert len(pictures) == page.tags.count("img") >= 7
    assert all(link.startswith(("data:", "#")) for link in page.links)
    assert not set(page.tags) & {"script", "iframe", "object", "link", "embed"}
    style = re.findall(r"<style>(.*?)</style>", full, re.DOTALL)
    assert len(style) == 1
    assert "url(" not in style[0]
    assert "@import" not in style[0]
    assert "http" not in re.sub(r"http-equiv", "", full.replace("data:image", ""))
    assert len(full) < 6_000_000


def test_a_hostile_name_stays_text(full: str) -> None:
    assert "<script" not in full
    assert HOSTILE in Page(full).words


@pytest.mark.parametrize("flag", ["positive", "negative", "equivocal", "not assessable"])
def test_the_flag_stands_on_top_in_a_word(flag: FlagValue) -> None:
    quick = replace(content(flag=flag), spect=(), planar=(), ratios=())
    words = " ".join(Page(render(quick)).words.split())
    top = words[: words.index(" Study ")]
    assert f" {flag} " in top
    others = {"positive", "negative", "equivocal", "not assessable"} - {flag}
    assert not any(f" {other} The rule" in top for other in others)
    for needed in ("right plate", "+64", "+54 to +74", "0.973", "a-rule", "PMC0000001", "66.7 %", "85.4 %", "80.3 %"):
        assert needed in top
    assert "Research tool, not a diagnosis" in top
    assert "Others disagree." in top


def test_every_warning_is_shown_once() -> None:
    quick = replace(content(), spect=(), planar=(), ratios=(), warnings=("Same & same.", "From flag.", "Same & same."))
    words = Page(render(quick)).words
    assert words.count("Same & same.") == 1
    assert words.count("From flag.") == 1


def test_a_bare_reconstruction_has_its_report() -> None:
    whole = content()
    bare = SpectPictures("", math.nan, whole.spect[0].recon)
    words = Page(render(ReportContent("Reconstruction", spect=(bare,)))).words
    for sentence in (
        "No rule was applied",
        "No region was given, found or placed",
        "No planar images",
        "No CT was given",
        "None.",
    ):
        assert sentence in words


def test_planar_alone_has_its_report() -> None:
    words = Page(render(replace(content(), spect=(), ratios=(), flag=None, rule=None))).words
    assert "No SPECT was given." in words


def test_unknown_hours_are_not_shown_as_numbers() -> None:
    whole = content()
    late = whole.spect[-1]
    nowhen = SpectPictures("late", math.nan, late.recon, regions=late.regions)
    ratios = tuple(replace(r, hours=math.nan) for r in whole.ratios)
    text = render(replace(whole, spect=(nowhen,), ratios=ratios, planar=()))
    assert "nan" not in Page(text).words


def test_the_lesion_named_on_top_is_the_one_that_carries_the_flag() -> None:
    whole = content()
    lesions = (
        LesionFlag("left nail", "negative", "spect", "delayed", "late", 0.01, ""),
        LesionFlag("right plate", "positive", "spect", "delayed", "late", 0.98, ""),
        LesionFlag("screw", "positive", "spect", "delayed", "late", 0.96, ""),
    )
    told = answer(replace(whole, flag=StudyFlag("positive", lesions, "a-rule")))
    assert (told.flag, told.lesion) == ("positive", "right plate")
    assert told.value.startswith("+64")


def test_a_fallback_time_is_shown_without_the_published_figures() -> None:
    quick = replace(content(), spect=(), planar=(), ratios=())
    assert quick.rule is not None
    for time, shown in (("delayed", True), ("early", False)):
        words = Page(render(replace(quick, rule={**quick.rule, "from_time": time}))).words
        assert ("85.4 %" in words) is shown
        assert ("no figures are published" in words) is not shown


def test_opposite_directions_are_marked() -> None:
    whole = content()
    odd = replace(whole, changes=(replace(whole.changes[0], disagreement=True),), spect=(), planar=(), ratios=())
    assert Page(render(odd)).words.count("pposite directions") == 2


def test_the_file_appears_under_its_name(tmp_path: Path) -> None:
    path = tmp_path / "out" / "report.html"
    write_report(replace(content(), spect=(), planar=(), ratios=()), path)
    assert path.read_text(encoding="utf-8").lstrip().startswith("<!DOCTYPE html>")
    assert [p.name for p in path.parent.iterdir()] == ["report.html"]


def test_the_same_content_gives_the_same_page() -> None:
    assert render(content()) == render(content())


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0"), (3.14159, "3.14"), (-0.5, "−0.500"), (1234.5, "1234"), (2.5e-6, "2.50e−06"), (math.nan, "–")],
)
def test_numbers(value: float, text: str) -> None:
    assert number(value) == text


def test_probabilities_and_percentages() -> None:
    assert probability(1.0) == "> 0.999"
    assert probability(0.0) == "< 0.001"
    assert probability(0.5) == "0.500"
    assert percent(-0.081) == "−8\N{NO-BREAK SPACE}%"
    assert percent(math.nan) == "–"


def with_effect(dependence: str) -> ReportContent:
    """The small study, its uptake 12.3 % higher and its ratio 4.5 % lower with the CT as scanned."""
    made = content(HOSTILE)
    rows: tuple[tuple[OtherMap, float, float], ...] = (("as scanned", 0.123, -0.045), ("none", -0.7, 0.00004))
    uptake = tuple(
        MapEffect(HOSTILE, "late", 24.0, "counts/s/mL", name, 2.5 * (1 + mean), mean, 2.5 * (1 + ratio), ratio)
        for name, mean, ratio in rows
    )
    assert made.flag is not None
    lesion = replace(made.flag.lesions[0], dependence=dependence)
    effect = AttenuationEffect(uptake, {}, {})
    return replace(made, spect=(), planar=(), flag=replace(made.flag, lesions=(lesion,)), effect=effect)


def test_the_effect_of_metal_is_told_plainly() -> None:
    told = "Depends on the attenuation map: positive with the metal-reduced CT, negative with the CT as scanned."
    page = render(with_effect(told))
    assert "<script" not in page
    words = " ".join(Page(page).words.split())
    assert words.count(told) == 2  # on top, and beside its lesion
    assert f"changes uptake by at most +12.3 % ({HOSTILE}, late) and ratio by at most −4.5 % ({HOSTILE}, late)" in words
    assert f"The flag of {HOSTILE} depends on the attenuation map" in words
    assert f"{HOSTILE} late, 24.0 h 2.50 counts/s/mL +12.3 % −70.0 % 2.50 −4.5 % 0.0 %" in words


def test_no_dependence_is_told_as_well_and_without_metal_nothing() -> None:
    quiet = " ".join(Page(render(with_effect(""))).words.split())
    assert "No flag depends on the attenuation map." in quiet
    assert "Depends on" not in quiet
    without = " ".join(Page(render(replace(with_effect(""), effect=None))).words.split())
    assert "attenuation map" not in without
    assert "metal does to" not in without
