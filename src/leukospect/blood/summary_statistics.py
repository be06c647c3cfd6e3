"""Two groups of which only mean, standard deviation and size are printed, as in a paper's table."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from scipy import stats

from leukospect.blood.effect_sizes import Estimate, hedges_g
from leukospect.blood.group_comparison import LEVEL, holm
from leukospect.blood.headings import letters
from leukospect.blood.patients import flag_of_word
from leukospect.blood.text_table import TextTable, is_missing
from leukospect.errors import InputError

SUMMARY_METHODS = (
    "Student's t (equal variances) and Welch's t of the printed means, standard deviations and sizes, two-sided; "
    "nothing printed tells whether the values are normally distributed, which both assume.",
    "The range behind each p is what the rounding of the printed figures leaves open: every figure is taken as "
    "known to half a unit of its last printed place. It is no confidence interval.",
    "Where the F test rejects equal variances (p < 0.05), Welch's t is the sounder of the two.",
    "p (Holm) is adjusted for all markers of the table. Hedges' g with its 95 % interval by the noncentral t.",
)
_FIGURES = ("mean", "sd", "n")
_WORDS = {"mean": "mean", "sd": "standard deviation", "n": "size"}
_STEPS = 5
_WIDE = {f"{figure}{group}": (figure, group) for figure in _FIGURES for group in ("positive", "negative")} | {
    f"{group}{figure}": (figure, group) for figure in _FIGURES for group in ("positive", "negative")
}
_LONG = {
    "marker": "marker",
    "variable": "marker",
    "parameter": "marker",
    "group": "group",
    "flag": "group",
    "scan": "group",
    "mean": "mean",
    "average": "mean",
    "sd": "sd",
    "std": "sd",
    "standarddeviation": "sd",
    "n": "n",
    "size": "n",
}


@dataclass(frozen=True, slots=True)
class PrintedGroup:
    """A group as printed: each figure is known to half a unit of its last place.

    Parameters
    ----------
    mean, standard_deviation : float
    n : int
    mean_half_unit, deviation_half_unit : float
    """

    mean: float
    standard_deviation: float
    n: int
    mean_half_unit: float = 0.0
    deviation_half_unit: float = 0.0


@dataclass(frozen=True, slots=True)
class SummaryTest:
    """Tests from printed figures; every interval of p is what their rounding leaves open.

    Parameters
    ----------
    marker : str
    positive, negative : PrintedGroup
    student_p, welch_p : Estimate
    student_p_holm, welch_p_holm : float
        Adjusted for the table's markers.
    student_t, welch_t, welch_freedom : float
    variances_p : float
        Of the F test of equal variances.
    sounder : str
        ``Welch's t`` where it rejects them, else ``Student's t``.
    hedges_g : Estimate
    """

    marker: str
    positive: PrintedGroup
    negative: PrintedGroup
    student_t: float
    student_p: Estimate
    welch_t: float
    welch_freedom: float
    welch_p: Estimate
    variances_p: float
    sounder: str
    hedges_g: Estimate | None
    student_p_holm: float = math.nan
    welch_p_holm: float = math.nan


def compare_table(table: TextTable) -> tuple[SummaryTest, ...]:
    """Test every marker of a table of summary statistics.

    Parameters
    ----------
    table : TextTable
        A row a marker (marker, mean_positive, sd_positive, n_positive, mean_negative, sd_negative, n_negative), or a
        row a marker and group (marker, group, mean, sd, n).

    Raises
    ------
    InputError
        A column is missing, or a figure cannot be; the sentence names its row.
    """
    tests = [compare_printed(marker, one, two) for marker, (one, two) in _printed(table).items()]
    student, welch = holm([t.student_p.value for t in tests]), holm([t.welch_p.value for t in tests])
    return tuple(
        replace(test, student_p_holm=p, welch_p_holm=q) for test, p, q in zip(tests, student, welch, strict=True)
    )


def compare_printed(marker: str, positive: PrintedGroup, negative: PrintedGroup) -> SummaryTest:
    """Test whether two printed means differ, by Student's and Welch's t."""
    one, two = positive, negative
    student = stats.ttest_ind_from_stats(
        one.mean, one.standard_deviation, one.n, two.mean, two.standard_deviation, two.n
    )
    welch = stats.ttest_ind_from_stats(
        one.mean, one.standard_deviation, one.n, two.mean, two.standard_deviation, two.n, equal_var=False
    )
    largest = max(one.standard_deviation, two.standard_deviation)  # squares of tiny ones would be 0
    parts = ((one.standard_deviation / largest) ** 2 / one.n, (two.standard_deviation / largest) ** 2 / two.n)
    freedom = sum(parts) ** 2 / (parts[0] ** 2 / (one.n - 1) + parts[1] ** 2 / (two.n - 1))
    variances_p = _variances_p(one, two)
    return SummaryTest(
        marker=marker,
        positive=one,
        negative=two,
        student_t=float(student[0]),
        student_p=_with_rounding(float(student[1]), one, two, equal=True),
        welch_t=float(welch[0]),
        welch_freedom=freedom,
        welch_p=_with_rounding(float(welch[1]), one, two, equal=False),
        variances_p=variances_p,
        sounder="Welch's t" if variances_p < LEVEL else "Student's t",
        hedges_g=hedges_g((one.mean, two.mean), (one.standard_deviation, two.standard_deviation), (one.n, two.n)),
    )


def _variances_p(one: PrintedGroup, two: PrintedGroup) -> float:
    if not min(one.standard_deviation, two.standard_deviation) > 0:
        return 0.0
    ratio = (one.standard_deviation / two.standard_deviation) ** 2
    return min(1.0, 2 * float(min(stats.f.cdf(ratio, one.n - 1, two.n - 1), stats.f.sf(ratio, one.n - 1, two.n - 1))))


def _with_rounding(p: float, one: PrintedGroup, two: PrintedGroup, *, equal: bool) -> Estimate:
    """Give p with the least and the largest that unrounded figures could have given."""
    difference = abs(one.mean - two.mean)
    half = one.mean_half_unit + two.mean_half_unit
    found = [p]
    for apart, first, second in itertools.product(
        (max(difference - half, 0.0), difference + half), _steps(one), _steps(two)
    ):
        if first or second:
            found.append(float(stats.ttest_ind_from_stats(apart, first, one.n, 0.0, second, two.n, equal_var=equal)[1]))
    return Estimate(p, min(found), max(found))


def _steps(group: PrintedGroup) -> list[float]:
    least = max(group.standard_deviation - group.deviation_half_unit, 0.0)
    largest = group.standard_deviation + group.deviation_half_unit
    return [least + (largest - least) * step / (_STEPS - 1) for step in range(_STEPS)]


def _printed(table: TextTable) -> dict[str, tuple[PrintedGroup, PrintedGroup]]:
    names = [letters(text.partition("(")[0]) for text in table.header]
    if "group" in [_LONG.get(name) for name in names]:
        return _printed_long(table, [_LONG.get(name, "") for name in names])
    columns = {_WIDE.get(name, (_LONG.get(name, ""), "")): index for index, name in enumerate(names)}
    wanted = [("marker", ""), *((figure, group) for group in ("positive", "negative") for figure in _FIGURES)]
    missing = ["_".join(filter(None, key)) for key in wanted if key not in columns]
    if missing:
        raise InputError(
            f"The table of summary statistics has no column {', '.join(missing)}; it needs marker, mean_positive, "
            "sd_positive, n_positive, mean_negative, sd_negative and n_negative, or marker, group, mean, sd and n."
        )
    found: dict[str, tuple[PrintedGroup, PrintedGroup]] = {}
    for row, cells in enumerate(table.rows):
        marker = _marker(table, row, cells[columns["marker", ""]])
        if marker in found:
            raise InputError(f"{table.place(row)} has the same marker as a row before; keep one.")
        one, two = (
            _group(table, row, {figure: cells[columns[figure, group]] for figure in _FIGURES})
            for group in ("positive", "negative")
        )
        _refuse_constant(table, row, one, two)
        found[marker] = one, two
    return found


def _printed_long(table: TextTable, meanings: Sequence[str]) -> dict[str, tuple[PrintedGroup, PrintedGroup]]:
    missing = [name for name in ("marker", "group", *_FIGURES) if name not in meanings]
    if missing:
        raise InputError(f"The table of summary statistics has no column {', '.join(missing)}; add it.")
    groups: dict[str, dict[str, PrintedGroup]] = {}
    for row, cells in enumerate(table.rows):
        told = {meaning: cells[index] for index, meaning in enumerate(meanings) if meaning}
        marker, flag = _marker(table, row, told["marker"]), flag_of_word(told["group"])
        if flag not in ("positive", "negative"):
            raise InputError(f"{table.place(row)}: the group is neither positive nor negative; write one of these.")
        of_marker = groups.setdefault(marker, {})
        if flag in of_marker:
            raise InputError(f"{table.place(row)} has the same marker and group as a row before; keep one.")
        of_marker[flag] = _group(table, row, told)
        if len(of_marker) == 2:
            _refuse_constant(table, row, of_marker["positive"], of_marker["negative"])
    for marker, of_marker in groups.items():
        if len(of_marker) < 2:
            raise InputError(f"The marker '{marker[:40]}' has one group only; it needs positive and negative.")
    return {marker: (of_marker["positive"], of_marker["negative"]) for marker, of_marker in groups.items()}


def _marker(table: TextTable, row: int, cell: str) -> str:
    marker = " ".join(cell.split())
    if is_missing(marker):
        raise InputError(f"{table.place(row)} names no marker; write one, such as SII.")
    return marker


def _group(table: TextTable, row: int, cells: Mapping[str, str]) -> PrintedGroup:
    values: dict[str, float] = {}
    for name in _FIGURES:
        value = table.number(cells[name])
        if value is None:
            raise InputError(
                f"{table.place(row)}: the {_WORDS[name]} of a group is missing or not a number; write it as printed."
            )
        values[name] = value
    if values["n"] != int(values["n"]) or values["n"] < 2:
        raise InputError(f"{table.place(row)}: a group's n is {values['n']:g}; it must be a whole number, 2 or more.")
    if values["sd"] < 0:
        raise InputError(f"{table.place(row)}: a standard deviation is negative ({values['sd']:g}), which cannot be.")
    halves = {name: _half_unit(cells[name]) for name in ("mean", "sd")}
    return PrintedGroup(values["mean"], values["sd"], int(values["n"]), halves["mean"], halves["sd"])


def _half_unit(cell: str) -> float:
    """Give half a unit of the last printed place: 0.05 of 12.4 and 0.005 of 12.40."""
    exponent = Decimal(cell.strip().replace("−", "-").replace(",", ".")).as_tuple().exponent
    return 0.5 * 10.0 ** int(exponent)


def _refuse_constant(table: TextTable, row: int, one: PrintedGroup, two: PrintedGroup) -> None:
    if one.standard_deviation == 0 and two.standard_deviation == 0:
        raise InputError(f"{table.place(row)}: both standard deviations are 0, so there is no t test; correct them.")
