"""The job of `leukospect labs`: a table of blood counts becomes indices and group statistics."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from leukospect.assumptions import collected_assumptions
from leukospect.blood.categories import CategoryTest
from leukospect.blood.cohort import Cohort, cohort_of
from leukospect.blood.group_comparison import Comparison
from leukospect.blood.patients import columns_by_meaning, flag_of_word, patients_of
from leukospect.blood.summary_statistics import SummaryTest, compare_table
from leukospect.blood.text_table import TextTable, is_missing
from leukospect.errors import InputError
from leukospect.files.cohort_table import read_study_flags
from leukospect.files.delimited import read_delimited
from leukospect.files.labs import (
    categories_csv,
    cohort_document,
    groups_csv,
    indices_csv,
    neutrophils_told,
    summary_csv,
    summary_document,
    write_json,
)
from leukospect.files.results import read_flag
from leukospect.interpretation.flag import FlagValue
from leukospect.provenance import provenance_document, write_provenance
from leukospect.report.labs import cohort_page, summary_page
from leukospect.whole_files import whole_folder

Progress = Callable[[str, float], None]


@dataclass(frozen=True, slots=True, eq=False)
class LabsOutcome:
    """What came out: the cohort, or the tests from printed figures; and every assumption and warning."""

    output: Path
    found: Cohort | tuple[SummaryTest, ...]
    warnings: tuple[str, ...]

    def lines(self) -> list[str]:
        """Say what was found, a line a marker."""
        if isinstance(self.found, tuple):
            return [_printed_line(test) for test in self.found]
        cohort = self.found
        sizes = ", ".join(f"{size} {group}" for group, size in cohort.group_sizes.items())
        counted = f"Patients: {len(cohort.patients.row_numbers)}" + (f" ({sizes})" if sizes else "")
        if cohort.patients.neutrophils_are_wbc:
            counted += "; WBC stands in the neutrophils' place of NLR and SII"
        return [counted, *(_line(found) for found in cohort.comparisons), *(_count_line(c) for c in cohort.categories)]


def labs_job(
    path: Path,
    output: Path,
    *,
    summary: bool = False,
    neutrophils_are_wbc: bool = False,
    cohort: Path | None = None,
    progress: Progress,
) -> LabsOutcome:
    """Compute blood indices beside each scan's flag, and compare positive with negative scans.

    Parameters
    ----------
    path : Path
        CSV: a row a patient; with `summary` a row a marker.
    output : Path
        Appears whole: labs.json, indices.csv, groups.csv, categories.csv (where there are any), report.html and
        provenance.json; with `summary` labs.json, groups.csv, report.html and provenance.json.
    summary : bool
        The table holds means, standard deviations and group sizes.
    neutrophils_are_wbc : bool
        WBC stands in the neutrophils' place.
    cohort : Path or None
        The cohort.csv of a batch: the table's column `study` names each patient's study in it, which gives the flag.
    progress : function of a stage's name and the fraction of it done

    Raises
    ------
    InputError
        The table, or a row of it, cannot be used.
    """
    if summary and neutrophils_are_wbc:
        raise InputError(
            "--neutrophils-are-wbc is for counts of patients; means and deviations (--summary) are taken as printed."
        )
    if summary and cohort is not None:
        raise InputError("--cohort gives the flags of patients; a table of means and deviations (--summary) has none.")
    texts: list[str] = []
    with whole_folder(output, command="labs", inputs=[path, cohort]) as folder, collected_assumptions(texts):
        progress("reading the table", 0.0)
        table = read_delimited(path)
        inputs = [path]
        found: Cohort | tuple[SummaryTest, ...]
        if summary:
            found = compare_table(table)
            _write_summary(folder, found, texts)
        else:
            flags, read = _flags_of_results(table, path) if cohort is None else _flags_of_cohort(table, cohort)
            progress("comparing the groups", 0.0)
            inputs += read
            found = cohort_of(patients_of(table, neutrophils_are_wbc=neutrophils_are_wbc, results_flags=flags))
            progress("writing the results", 0.0)
            _write_cohort(folder, found, texts)
        settings: dict[str, Any] = {
            "command": "labs",
            "summary": summary,
            "neutrophils_are_wbc": neutrophils_are_wbc,
        }
        notes = {} if summary else {"neutrophils": neutrophils_told(neutrophils_are_wbc)}
        write_provenance(provenance_document(settings, inputs, texts, notes), folder / "provenance.json")
    return LabsOutcome(output, found, tuple(texts))


def _flags_of_results(table: TextTable, path: Path) -> tuple[list[FlagValue | None] | None, list[Path]]:
    """Read the flags of the runs that a column `results` names, and which files they came from."""
    index = columns_by_meaning(table).get("results")
    if index is None:
        return None, []
    flags: list[FlagValue | None] = []
    read: list[Path] = []
    for row, cell in enumerate(table.column(index)):
        if is_missing(cell):
            flags.append(None)
            continue
        if flag_of_word(cell) is not None:
            raise InputError(
                f"{table.place(row)}: '{table.header[index]}' holds a flag, not the folder of a run; name it flag."
            )
        file = path.parent / cell.strip()
        file = file if file.suffix == ".json" else file / "results.json"
        try:
            flags.append(read_flag(file))
        except InputError as error:
            raise InputError(f"{table.place(row)}: its results cannot be used. {error}") from error
        except (OSError, ValueError) as error:  # a path with a zero byte is a ValueError
            raise InputError(
                f"{table.place(row)} names a folder of results in which no results.json can be read; the path counts "
                "from the table's folder."
            ) from error
        read.append(file)
    return flags, read


def _flags_of_cohort(table: TextTable, path: Path) -> tuple[list[FlagValue | None], list[Path]]:
    """Look up the flag of each patient's study in a cohort.csv."""
    columns = columns_by_meaning(table)
    if "study" not in columns:
        raise InputError(
            "With --cohort the table needs a column study that names each patient's study as cohort.csv does."
        )
    if "flag" in columns or "results" in columns:
        raise InputError(
            "With --cohort the flags come from cohort.csv; take the column flag or results out of the table."
        )
    known = read_study_flags(path)
    flags: list[FlagValue | None] = []
    for row, cell in enumerate(table.column(columns["study"])):
        study = cell.strip()
        if not is_missing(cell) and study not in known:
            raise InputError(
                f"{table.place(row)} names a study that is not in '{path.name}'; write it as it stands there."
            )
        if not is_missing(cell) and known[study] is None:
            raise InputError(f"{table.place(row)} names a study that failed and has no flag; take the row out.")
        flags.append(None if is_missing(cell) else known[study])
    return flags, [path]


def _write_cohort(folder: Path, cohort: Cohort, texts: list[str]) -> None:
    write_json(cohort_document(cohort, texts), folder / "labs.json")
    (folder / "indices.csv").write_text(indices_csv(cohort), encoding="utf-8")
    (folder / "groups.csv").write_text(groups_csv(cohort), encoding="utf-8")
    if cohort.categories:
        (folder / "categories.csv").write_text(categories_csv(cohort), encoding="utf-8")
    (folder / "report.html").write_text(cohort_page(cohort, texts), encoding="utf-8")


def _write_summary(folder: Path, tests: tuple[SummaryTest, ...], texts: list[str]) -> None:
    write_json(summary_document(tests, texts), folder / "labs.json")
    (folder / "groups.csv").write_text(summary_csv(tests), encoding="utf-8")
    (folder / "report.html").write_text(summary_page(tests, texts), encoding="utf-8")


def _printed_line(test: SummaryTest) -> str:
    student, welch = test.student_p, test.welch_p
    return (
        f"{test.marker}: Student's t p = {student.value:.3g} ({student.low:.3g} to {student.high:.3g} by rounding), "
        f"Welch's t p = {welch.value:.3g} ({welch.low:.3g} to {welch.high:.3g}); the sounder is {test.sounder}"
    )


def _line(found: Comparison) -> str:
    medians = ", ".join(f"{group} {d.median:.3g} (n {d.n})" for group, d in found.descriptions.items())
    if not found.chosen:
        return f"{found.marker.name}: median {medians}; {found.reason}"
    return f"{found.marker.name}: median {medians}; {found.chosen} p = {found.p:.3g}, Holm {found.p_holm:.3g}"


def _count_line(found: CategoryTest) -> str:
    if not found.chosen:
        return f"{found.category.name}: {found.reason}"
    return f"{found.category.name}: {found.chosen} p = {found.p:.3g}, Holm {found.p_holm:.3g}"
