"""Files of the accuracy benchmark: tables as JSON and CSV, figures as PNG and SVG, and a page that shows them."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from leukospect import __version__
from leukospect.benchmark import accuracy_orbits, accuracy_rods, accuracy_scatter, accuracy_uniform
from leukospect.benchmark.accuracy_results import NOISE_FREE, AccuracySettings, Conditions, Measures, Target
from leukospect.benchmark.accuracy_spheres import CURVES, DEPTHS, RECOVERY
from leukospect.benchmark.page import drawn_figures, write_page

TRUTH = (
    "Digital truth: projections come from an analytic model of solids, finer than the reconstruction and independent "
    "of its projector, with exact attenuation and scatter in energy windows; no camera measured them. Attenuation maps "
    "are the phantoms' own, averaged over each voxel. Nothing depends on the machine."
)
CAPTIONS = {
    "recovery-by-diameter": "Recovery of hot spheres by diameter, each correction on or off. Voxels that a sphere "
    "fills in part count in part, so even the truth on these voxels stays below 1.",
    "recovery-by-place": "Recovery of spheres of one diameter at the centre, half way out and near the edge.",
    "contrast-against-noise": "Contrast recovery against noise along the iterations.",
    "uniform-cylinder": "Bias of large regions of a uniform cylinder, and noise at each count level.",
    "cold-objects": "What is left in a cold insert, and contrast of cold spheres and rods.",
    "orbits": "The same phantom with two nuclides, two orbits and two arcs.",
    "slices": "Slices at each count level.",
}
_STUDIES = (accuracy_uniform.STUDY, RECOVERY, DEPTHS, accuracy_scatter.STUDY, accuracy_rods.STUDY,
            accuracy_orbits.STUDY, CURVES)  # fmt: skip


@dataclass(frozen=True, slots=True)
class ShownTable:
    """A table of the page: regions down, conditions across."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def as_document(measures: Measures, targets: Sequence[Target], settings: AccuracySettings) -> dict[str, object]:
    """Gather what accuracy.json holds."""
    return {
        "schema_version": "1.0",
        "software": {"name": "leukospect", "version": __version__},
        "truth": TRUTH,
        "settings": asdict(settings),
        "targets": [asdict(target) for target in targets],
        "measures": [measure.row() for measure in measures.all],
    }


def as_csv(measures: Measures) -> str:
    """Write every measure as a line."""
    stream = io.StringIO()
    rows = [measure.row() for measure in measures.all]
    writer = csv.DictWriter(stream, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return stream.getvalue()


def tables_of(measures: Measures) -> tuple[ShownTable, ...]:
    """Lay each study's quantities out: a row a region, a column for what else differs."""
    shown = []
    for study in _STUDIES:
        of_study = measures.where(study=study)
        for quantity in of_study.each("quantity"):
            chosen = of_study.where(quantity=quantity)
            names = {measure: _condition_words(measure.conditions, chosen) for measure in chosen.all}
            columns = tuple(dict.fromkeys(names.values()))
            values = {(measure.region, names[measure]): f"{measure.value:.3f}" for measure in chosen.all}
            regions = [str(region) for region in chosen.each("region")]
            rows = tuple((region, *(values.get((region, column), "") for column in columns)) for region in regions)
            shown.append(_upright(ShownTable(f"{study}: {quantity}", ("region", *columns), rows)))
    return tuple(shown)


def _condition_words(conditions: Conditions, among: Measures) -> str:
    """Say in words which of the conditions that differ a measure has."""
    words = [word(getattr(conditions, name)) for name, word in _WORDS.items() if len(among.each(name)) > 1]
    if conditions.iterations and len(among.each("iterations")) > 1:
        words.append(f"{conditions.iterations} x {conditions.subsets}")
    return ", ".join(word for word in words if word) or "value"


_WORDS: dict[str, Callable[[Any], str]] = {
    "nuclide": str,
    "orbit": str,
    "arc_deg": lambda value: f"{value}°",
    "corrections": str,
    "millions": lambda value: "noise-free" if value == NOISE_FREE else f"{value:g} million",
    "post_filter_fwhm_mm": lambda value: f"{value:g} mm filter" if value else "",
}


def _upright(table: ShownTable) -> ShownTable:
    """Turn a table that is wider than long."""
    if len(table.columns) <= max(8, len(table.rows) + 1):
        return table
    turned = tuple(zip(table.columns[1:], *(row[1:] for row in table.rows), strict=True))
    return ShownTable(table.title, ("", *(row[0] for row in table.rows)), turned)


def write_files(
    folder: Path,
    measures: Measures,
    targets: Sequence[Target],
    settings: AccuracySettings,
    figures: Mapping[str, Figure],
) -> None:
    """Write accuracy.json, accuracy.csv, accuracy.html and the figures into a folder."""
    document = json.dumps(as_document(measures, targets, settings), indent=1) + "\n"
    (folder / "accuracy.json").write_text(document, encoding="utf-8")
    (folder / "accuracy.csv").write_text(as_csv(measures), encoding="utf-8")
    shown = drawn_figures(folder, figures, CAPTIONS, dpi=150, vector=True)
    write_page(
        folder / "accuracy.html",
        truth=TRUTH,
        settings=settings,
        targets=targets,
        figures=shown,
        tables=tables_of(measures),
    )
