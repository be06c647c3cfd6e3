"""Files of the metal benchmark: tables as JSON and CSV, figures as PNG, and a page that shows them."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from leukospect import __version__
from leukospect.benchmark.metal_results import (
    MetalMeasures,
    MetalSettings,
    Picture,
    SliceMeasure,
    Target,
    median_of,
)
from leukospect.benchmark.metal_spect import SpectFound
from leukospect.benchmark.page import drawn_figures, write_page

TRUTH = (
    "Digital truth: random anatomies of analytic solids, scanned by a simulated CT of its own code with several photon "
    "energies, starved rays and noise; the truth is the same scanner's image of the same anatomy without metal and "
    "without noise. The anatomies' seeds start at 1000; nothing was tuned on them."
)
CAPTIONS = {
    "slices": "Before, after and truth at one window (-160 to 240 HU): of each family the slice with the largest error "
    "before, and its median one. R and L are the patient's right and left.",
    "bone-edge": "The outer edge of bone beside metal, averaged over rays outwards from the metal and over slices.",
    "errors": "RMSE outside metal of every slice, before and after; below the line it fell.",
    "methods": "RMSE outside metal of every slice by method.",
    "spect": "SPECT beside metal: attenuation maps (1/cm) and the changes of uptake relative to the true map in the "
    "slice with most metal of each phantom, and what the CT's metal adds to the mean uptake of each volume beside it.",
}


@dataclass(frozen=True, slots=True, eq=False)
class MetalResults:
    """What a run found; `spect` is None where no SPECT was asked for."""

    settings: MetalSettings
    measures: MetalMeasures
    spect: SpectFound | None
    targets: tuple[Target, ...]
    pictures: tuple[Picture, ...]
    machine: dict[str, str | int | float]
    assumptions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ShownTable:
    """A table of the page."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def tables_of(results: MetalResults) -> tuple[ShownTable, ...]:
    """Lay out methods, the default method by family and by material, and the bias of SPECT beside metal."""
    tables = _tables_of_slices(results.measures)
    return tables if results.spect is None else (*tables, _table_of_spect(results.spect))


def _table_of_spect(found: SpectFound) -> ShownTable:
    rows = [
        (one.phantom, one.volume, f"{one.volume_ml:.0f}",
         *(f"{100 * value:+.1f}" for value in (one.before_from_metal, one.after_from_metal,
                                              one.before, one.after, one.without_metal, one.without)))
        for one in found.biases
    ]  # fmt: skip
    head = ("phantom", "volume", "mL", "from metal, as scanned", "from metal, reduced", "as scanned", "reduced",
            "CT without metal", "no correction")  # fmt: skip
    return ShownTable("SPECT beside metal: bias of mean uptake, %", head, tuple(rows))


def _tables_of_slices(measures: MetalMeasures) -> tuple[ShownTable, ...]:
    head = ("slices", "RMSE before", "RMSE after", "without metal", "falls by", "artefact falls by",
            "rises in", "at most by", "SSIM before", "SSIM after", "edge off", "width / truth's")  # fmt: skip
    by_method = [(_named(measures, method), measures.of(method)) for method in measures.methods]
    each: list[tuple[str, str, Callable[[SliceMeasure], str]]] = [
        ("family", "By family, default method", lambda one: one.family),
        ("metal", "By metal, default method", lambda one: one.metals.replace("_", " ").replace("+", " + ")),
    ]
    tables = [
        ShownTable(
            "Methods (medians over slices; RMSE in HU, edge in mm)",
            ("method", *head),
            tuple((name, *_summary(of)) for name, of in by_method),
        )
    ]
    for what, by, key in each:
        found = dict.fromkeys(key(one) for one in measures.of())
        groups = {name: tuple(one for one in measures.of() if key(one) == name) for name in found}
        summaries = tuple((name, *_summary(of)) for name, of in groups.items())
        tables.append(ShownTable(by, (what, *head), summaries))
    families: tuple[tuple[str, ...], ...] = tuple(
        (name, *(f"{_fall(measures.of(method, family=name)):.1%}" for method in measures.methods))
        for name in dict.fromkeys(one.family for one in measures.of())
    )
    names = tuple(_named(measures, method) for method in measures.methods)
    tables.append(ShownTable("Median fall of RMSE by family and method", ("family", *names), families))
    return tuple(tables)


def _named(measures: MetalMeasures, method: str) -> str:
    return f"{method} (default)" if method == measures.default else method


def _fall(slices: Sequence[SliceMeasure]) -> float:
    return median_of(slices, lambda one: one.reduction)


def _summary(slices: Sequence[SliceMeasure]) -> tuple[str, ...]:
    rises = np.array([one.rise_hu for one in slices])
    return (
        str(len(slices)),
        f"{median_of(slices, lambda one: one.rmse_before_hu):.1f}",
        f"{median_of(slices, lambda one: one.rmse_after_hu):.1f}",
        f"{median_of(slices, lambda one: one.rmse_without_metal_hu):.1f}",
        f"{_fall(slices):.1%}",
        f"{median_of(slices, lambda one: one.artefact_reduction):.1%}",
        f"{np.count_nonzero(rises > 1e-3)}",
        f"{max(float(rises.max()), 0.0):.2f}" if rises.size else "",
        f"{median_of(slices, lambda one: one.ssim_before):.4f}",
        f"{median_of(slices, lambda one: one.ssim_after):.4f}",
        f"{median_of(slices, lambda one: abs(one.edge_after_mm)):.2f}",
        f"{median_of(slices, lambda one: one.width_after_mm / one.width_truth_mm):.3f}",
    )


def as_text(results: MetalResults) -> str:
    """Give targets and tables in plain lines, for a terminal."""
    parts = []
    for table in tables_of(results):
        lines = [table.columns, *table.rows]
        widths = [max(len(line[column]) for line in lines) for column in range(len(table.columns))]
        texts = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in lines]
        parts.append("\n".join([table.title, *(t.rstrip() for t in texts)]))
    parts.append("\n".join(f"{target.verdict:6s} {target.asked}: {target.found}" for target in results.targets))
    return "\n\n".join(parts)


def as_document(results: MetalResults) -> dict[str, object]:
    """Gather what metal.json holds."""
    return {
        "schema_version": "1.0",
        "software": {"name": "leukospect", "version": __version__},
        "truth": TRUTH,
        "settings": asdict(results.settings),
        "machine": results.machine,
        "targets": [{**asdict(target), "verdict": target.verdict} for target in results.targets],
        **results.measures.as_values(),
        "spect": [] if results.spect is None else [one.row() for one in results.spect.biases],
    }


def as_csv(lines: Sequence[Mapping[str, object]]) -> str:
    """Write rows with the same columns as lines; what is not there is empty."""
    stream = io.StringIO()
    writer = csv.DictWriter(stream, list(lines[0]) if lines else [], lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)
    return stream.getvalue()


def write_files(folder: Path, results: MetalResults, figures: Mapping[str, Figure]) -> None:
    """Write metal.json, metal.csv, metal-spect.csv, metal.html and the figures into a folder."""
    document = json.dumps(as_document(results), indent=1, allow_nan=False) + "\n"
    (folder / "metal.json").write_text(document, encoding="utf-8")
    (folder / "metal.csv").write_text(as_csv([one.row() for one in results.measures.slices]), encoding="utf-8")
    if results.spect is not None:
        lines = [one.row() for one in results.spect.biases]
        (folder / "metal-spect.csv").write_text(as_csv(lines), encoding="utf-8")
    shown = drawn_figures(folder, figures, {name: CAPTIONS.get(name, CAPTIONS["slices"]) for name in figures}, dpi=130)
    write_page(
        folder / "metal.html", truth=TRUTH, settings=results.settings, measures=results.measures,
        targets=results.targets, figures=shown, tables=tables_of(results), machine=results.machine,
    )  # fmt: skip
