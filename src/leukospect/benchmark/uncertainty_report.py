"""Files of the uncertainty benchmark: replicates as JSON and CSV, figures, and a page that shows them."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from leukospect import __version__
from leukospect.benchmark.metal_results import Target
from leukospect.benchmark.page import drawn_figures, write_page
from leukospect.benchmark.uncertainty_results import UncertaintyFound, covered, judged_uncertainty, reliability
from leukospect.quantification.probability import EXPECTED

TRUTH = (
    "Digital truth: the same measurement on expected counts, so that partial volume is no part of the error. Planar: "
    "regions of known mean counts in two opposed views. SPECT: a warm body with lesions, its counts in the photopeak "
    "and two scatter windows from an analytic model that shares no projector with the reconstruction, on a coarse "
    "grid, reconstructed and resampled as the program does. True changes are spread evenly over -30 to +60 %. Apart "
    "from the regions' place, where that is said, nothing but counting is uncertain. Nothing was tuned on these "
    "seeds (from 1000 up)."
)
CAPTIONS = {
    "uncertainty-coverage": "How often 95 % intervals hold the truth, with the 95 % interval that the number of "
    "replicates leaves of that.",
    "uncertainty-reliability": "P(change > 10 %), in tenths, against how often the true change was above 10 %.",
    "uncertainty-changes": "Measured against true change.",
}


def as_text(found: UncertaintyFound) -> str:
    """Say in lines what was found."""
    return "\n".join(f"{target.verdict:6s} {target.asked}: {target.found}" for target in judged_uncertainty(found))


def table_of(found: UncertaintyFound) -> list[tuple[str, ...]]:
    """Give coverage and calibration by modality and count level: a heading, then a row each."""
    rows: list[tuple[str, ...]] = [
        (
            "modality",
            "level",
            "pairs",
            "counts",
            "ratio covered",
            "change covered",
            "width of change",
            "P off by",
        )
    ]
    for modality, level in found.groups:
        group = found.of(modality, level)
        ratio, _ = covered(bounds for one in group for bounds in (one.earlier, one.later))
        change, _ = covered(one.change for one in group)
        width = float(np.median([one.change.high - one.change.low for one in group]))
        counts = np.median([one.counts for one in group])
        rows.append(
            (modality, level, str(len(group)), f"{counts:.0f}", f"{ratio:.1%}", f"{change:.1%}", f"{width:.2f}",
             f"{reliability(group).error:.3f}")
        )  # fmt: skip
    return rows


def write_files(
    folder: Path, found: UncertaintyFound, targets: Sequence[Target], figures: Mapping[str, Figure]
) -> None:
    """Write uncertainty.json, uncertainty.csv, uncertainty.html and the figures into a folder."""
    heading, *rows = table_of(found)
    document = {
        "schema_version": "1.0",
        "software": {"name": "leukospect", "version": __version__},
        "truth": TRUTH,
        "settings": asdict(found.settings),
        "resamples": found.resamples,
        "changes_expected": asdict(EXPECTED),
        "targets": [asdict(target) for target in targets],
        "groups": [dict(zip(heading, row, strict=True)) for row in rows],
        "reliability": [
            {"modality": modality, "level": level}
            | {name: values.tolist() for name, values in asdict(reliability(found.of(modality, level))).items()}
            for modality, level in found.groups
        ],
    }
    (folder / "uncertainty.json").write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    _write_replicates(folder / "uncertainty.csv", found)
    shown = drawn_figures(folder, figures, CAPTIONS, dpi=130)
    write_page(
        folder / "uncertainty.html", truth=TRUTH, settings=found.settings, resamples=found.resamples, targets=targets,
        figures=shown, table=table_of(found), expected=EXPECTED,
    )  # fmt: skip


def _write_replicates(path: Path, found: UncertaintyFound) -> None:
    """Write a row a replicate; what is not known is left empty."""
    rows = [one.row() for one in found.replicates]
    columns = list(dict.fromkeys(name for row in rows for name in row))
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows({name: _cell(value) for name, value in row.items()} for row in rows)


def _cell(value: object) -> object:
    return "" if isinstance(value, float) and math.isnan(value) else value
