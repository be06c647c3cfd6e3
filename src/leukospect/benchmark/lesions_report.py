"""Files of the lesion benchmark: lesions and foci as JSON and CSV, figures, and a page that shows them."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from matplotlib.figure import Figure

from leukospect import __version__
from leukospect.benchmark.lesions_results import LesionCase, LesionsFound, judged_lesions, rows_of
from leukospect.benchmark.metal_results import Target
from leukospect.benchmark.page import drawn_figures, write_page

TRUTH = (
    "Digital truth: counts come from an analytic model of solids that shares no projector with the "
    "reconstruction, with attenuation, scatter and Poisson noise at leukocyte count levels (330 MBq of Tc-99m, "
    "two heads, LEHR). Bodies are phantoms without their infection, of drawn size, side, uptakes and field; "
    "lesions are spheres. Both times are scanned as the body lies, and the CT shows it without noise or artefact "
    "at one energy, so that neither registration nor metal artefacts are part of this. The rest is what the "
    "program runs on a study without drawn regions, but for the number of Poisson resamplings: with fewer than "
    "the protocol's, intervals are wider. Contrast is the lesion's late concentration over that of a 10 mm shell "
    "round it; its course is the true change of its ratio to the tissue at its mirror place, 4 to 24 h: growing "
    "by more than 25 %, stable within 8 %, falling by more than 25 %. Nothing was tuned on these seeds (from 2000 "
    "up)."
)
RULES = (
    "A focus is at a lesion where its hottest voxel lies in it (half a voxel added), or they share a fifth of "
    "their joint volume. A lesion is found where a focus called a lesion is at it; such a focus at none is a "
    "false one. What is called physiological counts as neither: a lesion called so is missed."
)
CAPTIONS = {
    "lesions-found": "Lesions found by size and contrast.",
    "lesions-roc": "Growing lesions against stable and falling ones, of those found, by the rule's probability.",
    "lesions-measured": "Late ratio, and its change, as measured against the truth. True is the lesion's own "
    "concentration over the mean of the reference region measured with: small lesions read too little (partial "
    "volume), which the interval does not cover.",
    "lesions-pictures": "Maximum of the late image from the front, the patient's left on the viewer's right; numbers "
    "are contrasts, dashed lesions were not found.",
}


def as_text(found: LesionsFound) -> str:
    """Say in lines what was found."""
    lines = [f"{target.verdict:6s} {target.asked}: {target.found}" for target in judged_lesions(found)]
    return "\n".join([*lines, *(", ".join(row) for row in table_of(found))])


def table_of(found: LesionsFound) -> list[tuple[str, ...]]:
    """Give what was found by body and by site: a heading, then a row each."""
    rows: list[tuple[str, ...]] = [
        ("of", "lesions", "found", "must be found", "of them found", "called something else", "false foci")
    ]
    groups: list[tuple[str, list[LesionCase], int]] = [
        (body, [one for one in found.lesions if one.body == body], sum(one.body == body for one in found.false_foci))
        for body in found.settings.bodies
    ]
    groups += [(f"at {site}", [one for one in found.lesions if one.site == site], -1)
               for site in ("bone", "soft tissue", "metal")]  # fmt: skip
    for name, cases, false in groups:
        asked = [one for one in cases if one.asked_for]
        rows.append(
            (name, str(len(cases)), str(sum(one.found for one in cases)), str(len(asked)),
             str(sum(one.found for one in asked)), str(sum(one.called not in ("", "lesion") for one in cases)),
             str(false) if false >= 0 else "")
        )  # fmt: skip
    return rows


def tissues_of(found: LesionsFound) -> list[tuple[str, str, str]]:
    """Tell where foci that are at no lesion lie: tissue, called lesions, called something else."""
    false = Counter(one.tissue for one in found.false_foci)
    other = Counter(one.tissue for one in found.foci if one.role != "lesion")
    order = sorted({*false, *other}, key=lambda tissue: (-false[tissue], -other[tissue], tissue))
    return [(tissue, str(false[tissue]), str(other[tissue])) for tissue in order]


def write_files(folder: Path, found: LesionsFound, targets: Sequence[Target], figures: Mapping[str, Figure]) -> None:
    """Write lesions.json, lesions.csv, foci.csv, lesions.html and the figures into a folder."""
    tables = {"lesions": rows_of(found.lesions), "foci": rows_of(found.foci), "studies": rows_of(found.studies)}
    document = {
        "schema_version": "1.0",
        "software": {"name": "leukospect", "version": __version__},
        "truth": TRUTH,
        "counted": RULES,
        "settings": asdict(found.settings),
        "targets": [asdict(target) for target in targets],
        **tables,
    }
    (folder / "lesions.json").write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    for name in ("lesions", "foci"):
        with (folder / f"{name}.csv").open("w", encoding="utf-8", newline="") as stream:
            writer = csv.DictWriter(stream, list(tables[name][0]) if tables[name] else [], lineterminator="\n")
            writer.writeheader()
            writer.writerows(tables[name])
    shown = drawn_figures(folder, figures, CAPTIONS, dpi=130)
    settings = found.settings
    stop_s = [seconds * 60.0 / settings.stops for seconds in (settings.delayed_seconds, settings.late_seconds)]
    write_page(
        folder / "lesions.html", truth=TRUTH, rules=RULES, settings=found.settings, targets=targets, figures=shown,
        table=table_of(found), tissues=tissues_of(found), studies=len(found.studies), stop_s=stop_s,
        lesions=len(found.lesions),
    )  # fmt: skip
