"""Files of the registration benchmark: cases as JSON and CSV, figures, and a page that shows them."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from leukospect import __version__
from leukospect.benchmark.metal_results import Target
from leukospect.benchmark.page import drawn_figures, write_page
from leukospect.benchmark.registration_moved_results import moved_table
from leukospect.benchmark.registration_results import RegistrationFound, judged_registration

TRUTH = (
    "Digital truth: counts come from an analytic model of solids that shares no projector with the reconstruction, "
    "with attenuation, scatter and Poisson noise at leukocyte count levels; CTs from a simulated scanner, metal "
    "artefacts and all. Each draw changes the body's size, its uptakes, the time, the noise and what the CT covers. "
    "The misalignment is put on the CT's place, so that no interpolation favours the true pose. Limbs are "
    "moved before they are scanned anew, planar views before they are counted. Nothing was tuned on these seeds (from "
    "2000 up)."
)
CAPTIONS = {
    "registration-errors": "Mean error over the body after registration, and against the error as the images lay.",
    "registration-index": "The quality index against the true error, of what was returned and of wrong transforms.",
    "registration-moved": "Errors of femora, CT to CT, and of planar views of two times, by group; those asked for.",
    "registration-checkerboards": "SPECT without attenuation correction and CT in turn, with the CT's outline: "
    "coronal, the patient's left on the viewer's right.",
}


def as_text(found: RegistrationFound) -> str:
    """Say in lines what was found."""
    lines = [f"{target.verdict:6s} {target.asked}: {target.found}" for target in judged_registration(found)]
    rows = [*table_of(found), *moved_table(found.limbs, found.planar)]
    return "\n".join([*lines, *(" ".join(row) for row in rows)])


def table_of(found: RegistrationFound) -> list[tuple[str, ...]]:
    """Give the errors by group and body, mm: a heading, then a row each."""
    rows: list[tuple[str, ...]] = [
        ("group", "body", "cases", "before", "after", "95th", "largest", "expected", "accepted")
    ]
    for group in dict.fromkeys(case.group for case in found.cases):
        for body in found.settings.bodies:
            cases = [case for case in found.group(group) if case.body == body]
            if not cases:
                continue
            after = np.array([case.after_mm for case in cases])
            before, expected = (np.mean([getattr(c, n) for c in cases]) for n in ("before_mm", "expected_mm"))
            rows.append(
                (group, body, str(len(cases)), f"{before:.1f}", f"{after.mean():.2f}",
                 f"{np.percentile(after, 95):.2f}", f"{after.max():.2f}", f"{expected:.1f}",
                 f"{np.mean([case.accepted for case in cases]):.0%}")
            )  # fmt: skip
    return rows


def write_files(
    folder: Path, found: RegistrationFound, targets: Sequence[Target], figures: Mapping[str, Figure]
) -> None:
    """Write registration.json, registration.csv, registration.html and the figures into a folder."""
    cases, limbs, planar, mirrored = (
        [case.row() for case in each] for each in (found.cases, found.limbs, found.planar, found.mirrored)
    )
    document = {
        "schema_version": "1.0",
        "software": {"name": "leukospect", "version": __version__},
        "truth": TRUTH,
        "settings": asdict(found.settings),
        "targets": [asdict(target) for target in targets],
        "cases": cases,
        "limbs": limbs,
        "planar": planar,
        "mirrored": mirrored,
        "judged": [asdict(each) for each in found.judged],
    }
    (folder / "registration.json").write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    with (folder / "registration.csv").open("w", encoding="utf-8", newline="") as stream:
        rows = [*cases, *limbs, *planar, *mirrored]
        columns = list(dict.fromkeys(name for row in rows for name in row))
        writer = csv.DictWriter(stream, columns, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    shown = drawn_figures(folder, figures, CAPTIONS, dpi=130)
    write_page(
        folder / "registration.html", truth=TRUTH, settings=found.settings, targets=targets, figures=shown,
        table=table_of(found), moved=moved_table(found.limbs, found.planar), flag_mm=found.flag_mm,
    )  # fmt: skip
