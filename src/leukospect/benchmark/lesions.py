"""`leukospect bench lesions`: how many lesions are found and flagged as they are, and what is found that is none."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from itertools import chain
from pathlib import Path

from leukospect.benchmark.lesions_figures import drawn
from leukospect.benchmark.lesions_report import write_files
from leukospect.benchmark.lesions_results import LesionSettings, LesionsFound, judged_lesions
from leukospect.benchmark.lesions_study import studied
from leukospect.provenance import provenance_document, write_provenance
from leukospect.whole_files import whole_folder

Progress = Callable[[str, float], None]


def measure_lesions(
    settings: LesionSettings, *, threads: int | None = None, progress: Progress | None = None
) -> LesionsFound:
    """Draw bodies with and without lesions, scan them at two times, and take them to their flags.

    Parameters
    ----------
    settings : LesionSettings
    threads : int or None
        The result does not depend on it.
    progress : function of a stage's name and the fraction of it done
    """
    pictured = _pictured(settings)
    done = []
    for number in range(settings.studies):
        if progress:
            progress("reading studies", number / settings.studies)
        done.append(studied(number, settings, pictured=number in pictured, threads=threads))
    if progress:
        progress("reading studies", 1.0)
    return LesionsFound(
        settings,
        tuple(chain.from_iterable(one.lesions for one in done)),
        tuple(chain.from_iterable(one.foci for one in done)),
        tuple(one.study for one in done),
        tuple(one.picture for one in done if one.picture is not None),
        tuple(dict.fromkeys(chain.from_iterable(one.assumptions for one in done))),
    )


def _pictured(settings: LesionSettings) -> set[int]:
    """Choose the studies shown: the first ones, and for the last half the first without lesions, a body each."""
    kinds = len(settings.bodies)
    first_empty = kinds * (settings.without_every - 1)
    empty = range(first_empty, min(first_empty + settings.pictures // 2, settings.studies))
    return {*range(min(settings.pictures - len(empty), settings.studies)), *empty}


def run_lesions(
    output: Path,
    settings: LesionSettings | None = None,
    *,
    threads: int | None = None,
    progress: Progress | None = None,
) -> LesionsFound:
    """Measure, and write lesions.json, lesions.csv, lesions.html and the figures.

    Parameters
    ----------
    output : Path
        Folder that appears whole.
    settings : LesionSettings or None
        None takes the defaults.
    threads : int or None
    progress : function of a stage's name and the fraction of it done
    """
    chosen = settings or LesionSettings()
    with whole_folder(output, command="bench lesions") as folder:
        found = measure_lesions(chosen, threads=threads, progress=progress)
        write_files(folder, found, judged_lesions(found), drawn(found))
        write_provenance(provenance_document(asdict(chosen), (), found.assumptions, {}), folder / "provenance.json")
    return found
