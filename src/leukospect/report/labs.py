"""The page of `leukospect labs`: one HTML file that needs nothing else."""

from __future__ import annotations

import base64
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from matplotlib.figure import Figure

from leukospect import __version__
from leukospect.blood.cohort import METHODS, Cohort
from leukospect.blood.effect_sizes import Estimate
from leukospect.blood.group_comparison import GROUPS, Comparison
from leukospect.blood.patients import CONVENTION
from leukospect.blood.summary_statistics import SUMMARY_METHODS, SummaryTest
from leukospect.report.figures_blood import MOST_PANELS, effect_sizes, marker_values, roc_curves
from leukospect.report.figures_canvas import png
from leukospect.report.figures_plates import Plate
from leukospect.report.html import DISCLAIMER, number

_MOST_PATIENTS = 200
_INDICES = 3
_MOST_EFFECTS = 40


@dataclass(frozen=True, slots=True)
class Table:
    """A table of texts; columns from `numeric` on are set as numbers, except `texts`."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numeric: int = 1
    texts: tuple[int, ...] = ()


def cohort_page(cohort: Cohort, warnings: Sequence[str]) -> str:
    """Make the page of a cohort: groups, tests, figures, the patients by row, and how it was computed."""
    patients = cohort.patients
    convention = CONVENTION if patients.neutrophils_are_wbc else "Neutrophils are those of the table."
    sizes = ", ".join(f"{size} {group}" for group, size in cohort.group_sizes.items())
    told = f"Patients: {len(patients.row_numbers)}; scans: {sizes or 'no flags told'}."
    return _page(
        title="Blood indices and the flag of the scan",
        lead=(told, f"NLR = N/L, PLR = P/L, SII = P N/L in 10^9/L. {convention}"),
        alert=patients.neutrophils_are_wbc,
        tables=_cohort_tables(cohort),
        plates=_cohort_plates(cohort),
        methods=METHODS if cohort.comparisons else (),
        warnings=warnings,
    )


def summary_page(tests: Sequence[SummaryTest], warnings: Sequence[str]) -> str:
    """Make the page of tests from printed figures."""
    header = ("marker", "positive", "negative", "Student's t: p", "Holm", "Welch's t: p", "Holm", "sounder")
    rows = tuple(
        (
            t.marker,
            *(f"{g.mean:g} ± {g.standard_deviation:g} (n {g.n})" for g in (t.positive, t.negative)),
            _rounded_p(t.student_p),
            p_value(t.student_p_holm),
            _rounded_p(t.welch_p),
            p_value(t.welch_p_holm),
            t.sounder,
        )
        for t in tests
    )
    effects = [(t.marker, t.hedges_g) for t in tests if t.hedges_g is not None]
    return _page(
        title="Groups from printed means",
        lead=(f"{len(tests)} markers of positive and negative scans, from means, standard deviations and sizes.",),
        alert=False,
        tables=(
            ("Tests: p, and what the rounding of the printed figures leaves open", Table(header, rows, texts=(7,))),
            ("Effect sizes", _printed_effects(tests)),
        ),
        plates=_effect_plates(effects),
        methods=SUMMARY_METHODS,
        warnings=warnings,
    )


def p_value(p: float) -> str:
    """Write a p value to three digits after the point, or two figures where it is smaller."""
    if not math.isfinite(p):
        return "–"
    if p < 1e-4:
        return "< 0.0001"
    return f"{p:.2g}" if p < 0.001 else f"{p:.3f}"


def _page(**content: Any) -> str:
    environment = Environment(
        loader=PackageLoader("leukospect.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("labs.html").render(
        disclaimer=DISCLAIMER, software=f"leukospect {__version__}", **content
    )


def _cohort_tables(cohort: Cohort) -> tuple[tuple[str, Table], ...]:
    tables = []
    if cohort.comparisons:
        tables.append(("Positive against negative scans", _test_table(cohort)))
        tables.append(("Effect sizes", _effect_table(cohort.comparisons)))
        tables.append(("Groups", _group_table(cohort.comparisons)))
        tables.append(("Cut-offs", _roc_table(cohort.comparisons)))
    if cohort.categories:
        tables.append(("Counts", _category_table(cohort)))
    tables.append(("Patients", _patient_table(cohort)))
    return tuple((title, table) for title, table in tables if table.rows)


def _test_table(cohort: Cohort) -> Table:
    header = ("marker", "test", "p", "p (Holm)", "Student", "Welch", "Mann-Whitney", "why this test")
    rows = tuple(
        (
            found.marker.title,
            found.chosen or "none",
            *(p_value(p) for p in (found.p, found.p_holm)),
            *(p_value(p) for p in (found.tests.student_p, found.tests.welch_p, found.tests.mann_whitney_p)),
            found.reason,
        )
        for found in cohort.comparisons
    )
    return Table(header, rows, numeric=2, texts=(7,))


def _effect_table(comparisons: Sequence[Comparison]) -> Table:
    header = ("marker", "difference of means", "Hedges' g", "rank-biserial", "AUC", "interval of the AUC")
    rows = tuple(
        (
            found.marker.title,
            number(found.mean_difference),
            _span(found.hedges_g),
            _span(found.rank_biserial),
            _span(found.roc.area),
            found.roc.interval_method,
        )
        for found in comparisons
        if found.roc is not None
    )
    return Table(header, rows, texts=(5,))


def _group_table(comparisons: Sequence[Comparison]) -> Table:
    header = ("marker", "scan", "n", "mean", "SD", "median", "quartiles", "range", "Shapiro-Wilk p", "normality")
    rows = tuple(
        (
            found.marker.title if place == 0 else "",
            group,
            str(d.n),
            number(d.mean),
            number(d.standard_deviation),
            number(d.median),
            f"{number(d.first_quartile)} to {number(d.third_quartile)}",
            f"{number(d.minimum)} to {number(d.maximum)}",
            p_value(d.shapiro_p),
            d.normality,
        )
        for found in comparisons
        for place, (group, d) in enumerate((g, found.descriptions[g]) for g in GROUPS if g in found.descriptions)
    )
    return Table(header, rows, numeric=2, texts=(9,))


def _roc_table(comparisons: Sequence[Comparison]) -> Table:
    header = ("marker", "positive when", "sensitivity", "specificity", "Youden's index")
    rows = []
    for found in comparisons:
        cut_off = found.roc.cut_off if found.roc else None
        if found.roc is not None and cut_off is not None:
            side = ">" if cut_off.positive_above else "<"
            rows.append(
                (
                    found.marker.title,
                    f"{side} {number(cut_off.value)}",
                    _span(cut_off.sensitivity),
                    _span(cut_off.specificity),
                    f"{cut_off.youden:.2f}",
                )
            )
    return Table(header, tuple(rows))


def _category_table(cohort: Cohort) -> Table:
    header = (
        "category",
        "level",
        "positive",
        "negative",
        "not compared",
        "test",
        "p",
        "p (Holm)",
        "odds ratio",
        "Cramér's V",
        "why",
    )
    rows = []
    for found in cohort.categories:
        for place, level in enumerate(found.category.levels):
            counts = (*map(str, found.counts[place]), str(found.others[place]))
            tested = (
                found.chosen or "none",
                p_value(found.p),
                p_value(found.p_holm),
                _span(found.odds_ratio),
                number(found.cramers_v),
                found.reason,
            )
            rows.append(
                (found.category.name if place == 0 else "", level, *counts, *(tested if place == 0 else ("",) * 6))
            )
    return Table(header, tuple(rows), numeric=2, texts=(5, 10))


def _patient_table(cohort: Cohort) -> Table:
    patients = cohort.patients
    if len(patients.row_numbers) > _MOST_PATIENTS:
        return Table((), ())
    markers = patients.markers[:_INDICES]
    header = ("row of the table", "flag", *(marker.title for marker in markers))
    flags = patients.flags or ("–",) * len(patients.row_numbers)
    rows = tuple(
        (str(row), flags[index], *(number(marker.values[index]) for marker in markers))
        for index, row in enumerate(patients.row_numbers)
    )
    return Table(header, rows, numeric=2)


def _cohort_plates(cohort: Cohort) -> tuple[Plate, ...]:
    if not cohort.comparisons or cohort.patients.flags is None:
        return ()
    first = f" The first {MOST_PANELS} markers." if len(cohort.comparisons) > MOST_PANELS else ""
    plates = [
        _plate(
            marker_values(cohort.comparisons, cohort.patients.flags),
            "Values",
            "Every patient (of more than 300 in a group, none), with median, quartiles and whiskers to 1.5 times their "
            f"distance.{first}",
        )
    ]
    curves = roc_curves(cohort.comparisons)
    if curves is not None:
        caption = (
            "Higher values speak for a positive scan; the ring is the cut-off with the largest Youden index." + first
        )
        plates.append(_plate(curves, "ROC curves", caption))
    effects = [(found.marker.name, found.hedges_g) for found in cohort.comparisons if found.hedges_g is not None]
    return (*plates, *_effect_plates(effects))


def _plate(figure: Figure, title: str, caption: str) -> Plate:
    return Plate("data:image/png;base64," + base64.b64encode(png(figure)).decode("ascii"), caption, title)


def _effect_plates(effects: Sequence[tuple[str, Estimate]]) -> tuple[Plate, ...]:
    if not effects:
        return ()
    caption = "Difference of the means in pooled standard deviations, without the bias of small groups; 95 % intervals."
    return (_plate(effect_sizes(effects[:_MOST_EFFECTS]), "Effect sizes", caption),)


def _span(estimate: Estimate | None) -> str:
    if estimate is None:
        return "–"
    return f"{_two(estimate.value)} ({_two(estimate.low)} to {_two(estimate.high)})"


def _two(value: float) -> str:
    text = f"{value:.2f}" if abs(value) < 100 else number(value)
    return text.replace("-0.00", "0.00").replace("-", "−")


def _printed_effects(tests: Sequence[SummaryTest]) -> Table:
    header = ("marker", "difference of means", "Hedges' g", "F test of equal variances: p")
    return Table(
        header,
        tuple(
            (t.marker, number(t.positive.mean - t.negative.mean), _span(t.hedges_g), p_value(t.variances_p))
            for t in tests
        ),
    )


def _rounded_p(estimate: Estimate) -> str:
    return f"{estimate.value:.3g} ({estimate.low:.3g} to {estimate.high:.3g})"
