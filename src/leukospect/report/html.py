"""The report: one HTML file that needs nothing else, with the answer on top."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from leukospect.quantification.measurements import Interval
from leukospect.report.content import ReportContent, change_behind, driving_lesion, modality_name, when
from leukospect.report.effect_table import effect_shown
from leukospect.report.figures_plates import marrow_plates, planar_plates, ratio_plates, spect_plates, streak_plates
from leukospect.report.metal_table import metal_shown
from leukospect.report.place_table import physiological_rows, place_rows
from leukospect.report.sensitivity_table import sensitivity_shown
from leukospect.whole_files import whole_file

DISCLAIMER = "Research tool, not a diagnosis."
_NONE = "–"
_MEANING = {
    "positive": "The rule calls the study positive for infection.",
    "negative": "The rule calls the study negative for infection.",
    "equivocal": "The rule cannot decide.",
    "not assessable": "The rule could not be applied to these images.",
}


@dataclass(frozen=True, slots=True)
class Answer:
    """The top of the page: the flag in a word, what drives it and the numbers behind it."""

    flag: str
    meaning: str
    lesion: str = ""
    role: str = ""
    value: str = ""
    basis: str = ""
    probability: str = ""
    reason: str = ""
    caution: str = ""
    dependence: str = ""


def write_report(content: ReportContent, path: Path) -> None:
    """Write the report; it appears whole or not at all.

    Parameters
    ----------
    content : ReportContent
    path : Path
        The HTML file.
    """
    text = render(content)
    with whole_file(path) as partial:
        partial.write_text(text, encoding="utf-8")


def render(content: ReportContent) -> str:
    """Make the page: HTML with its style and pictures inside, all text escaped."""
    environment = Environment(
        loader=PackageLoader("leukospect.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(number=number, percent=percent, span=span, change=change_span, probability=probability)
    environment.filters["modality"] = modality_name
    page = environment.get_template("report.html")
    flag_warnings = content.flag.warnings if content.flag else ()
    return page.render(
        content=content,
        answer=answer(content),
        rule=_rule(content),
        disclaimer=DISCLAIMER,
        warnings=tuple(dict.fromkeys((*content.warnings, *flag_warnings))),
        planar=planar_plates(content),
        spect=spect_plates(content),
        ratio_plots=ratio_plates(content),
        ratio_rows=ratio_table(content),
        ratio_columns=ratio_times(content),
        metal=metal_shown(content),
        streaks=streak_plates(content),
        marrow_plates=marrow_plates(content),
        effect=effect_shown(content, number, finer_percent),
        sensitivity=sensitivity_shown(content, finer_percent),
        places=place_rows(content, number),
        physiological=physiological_rows(content, number),
        when=when,
    )


def answer(content: ReportContent) -> Answer:
    """Say the flag and what drives it."""
    flag = content.flag
    if flag is None:
        return Answer("no rule applied", "This report shows images and measurements; no rule was asked to judge them.")
    driver = driving_lesion(content)
    if driver is None:
        return Answer(flag.flag, _MEANING[flag.flag])
    change = change_behind(driver, content.changes)
    value = basis = caution = ""
    if change is not None:
        value = change_span(change.total)
        times = f"from {change.from_time} to {change.to_time}"
        basis = f"change of the ratio to {change.reference} {times}, {modality_name(change.modality)}"
        if change.disagreement:
            caution = "The ratio and the lesion's own uptake point in opposite directions."
    return Answer(
        flag=flag.flag,
        meaning=_MEANING[flag.flag],
        lesion=driver.lesion,
        role="Closest to the threshold:" if flag.flag == "negative" else "Driven by",
        value=value,
        basis=basis,
        probability="" if math.isnan(driver.probability) else probability(driver.probability),
        reason=driver.reason,
        caution=caution,
        dependence=driver.dependence,
    )


def _rule(content: ReportContent) -> dict[str, str] | None:
    rule = content.rule
    if rule is None:
        return None
    texts = {key: _text(rule.get(key)) for key in ("name", "title", "criterion", "source", "evidence")}
    figures = {key: _percentage(rule.get(key)) for key in ("sensitivity", "specificity", "accuracy")}
    # published figures hold for the rule's own times; a fallback is shown without them
    driver = driving_lesion(content)
    fallback = ""
    if driver is not None and driver.from_time and rule.get("from_time") not in (None, driver.from_time):
        fallback = f"this result rests on {driver.from_time} to {driver.to_time}, for which no figures are published"
    elif driver is not None and driver.to_time and rule.get("to_time") not in (None, driver.to_time):
        fallback = f"this result rests on the {driver.to_time} time, for which no figures are published"
    if fallback:
        figures = dict.fromkeys(figures, "")
    return texts | figures | {"fallback": fallback}


def _text(value: object) -> str:
    return "" if value is None else str(value)


def _percentage(value: object) -> str:
    if isinstance(value, int | float) and math.isfinite(value):
        return f"{value:g} %"
    return _text(value)


def number(value: float, digits: int = 3) -> str:
    """Write a number to so many significant digits, without exponent where it reads well; a dash for none."""
    if not math.isfinite(value):
        return _NONE
    if value == 0:
        return "0"
    magnitude = math.floor(math.log10(abs(value)))
    text = f"{value:.{digits - 1}e}"
    if -4 < magnitude < 6:
        text = f"{value:.{max(digits - 1 - magnitude, 0)}f}"
    return text.replace("-", "−")


def percent(value: float) -> str:
    """Write a relative change with its sign: 0.25 is +25 %."""
    if not math.isfinite(value):
        return _NONE
    return f"{100.0 * value:+.0f}\N{NO-BREAK SPACE}%".replace("-", "−")


def finer_percent(value: float) -> str:
    """Write a relative change with its sign and one decimal: 0.0123 is +1.2 %."""
    if not math.isfinite(value):
        return _NONE
    text = f"{100.0 * value:+.1f}".replace("-", "−")
    return f"{'0.0' if text[1:] == '0.0' else text}\N{NO-BREAK SPACE}%"


def probability(value: float) -> str:
    """Write a probability; one beyond what resampling can tell is written as a bound."""
    if not math.isfinite(value):
        return _NONE
    if value > 0.999:
        return "> 0.999"
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def span(interval: Interval) -> str:
    """Write a value with its 95 % interval."""
    return f"{number(interval.value)} ({number(interval.low)} to {number(interval.high)})"


def change_span(interval: Interval) -> str:
    """Write a relative change with its 95 % interval."""
    low, high = percent(interval.low).removesuffix("\N{NO-BREAK SPACE}%"), percent(interval.high)
    return f"{percent(interval.value)} ({low} to {high})"


def ratio_table(content: ReportContent) -> list[tuple[str, str, str, list[str]]]:
    """Give a row for each lesion, reference and modality, with its ratios in the order of `ratio_times`."""
    rows: dict[tuple[str, str, str], dict[str, str]] = {}
    for r in content.ratios:
        rows.setdefault((r.lesion, r.reference, r.modality), {})[r.time_point] = span(r.total)
    times = ratio_times(content)
    return [(*key, [cells.get(t, _NONE) for t in times]) for key, cells in rows.items()]


def ratio_times(content: ReportContent) -> list[str]:
    """Time points at which there are ratios, earliest first."""
    found = {r.time_point for r in content.ratios}
    return [t for t in ("early", "delayed", "late") if t in found]
