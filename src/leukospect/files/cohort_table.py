"""cohort.csv: a row for each lesion of each study, from the results.json of each, for statistics and spreadsheets."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

from leukospect.errors import InputError
from leukospect.files.delimited import csv_text, read_delimited
from leukospect.interpretation.flag import FlagValue
from leukospect.quantification.measurements import TimePoint

TIMES: tuple[TimePoint, ...] = get_args(TimePoint)
_MODALITIES = ("spect", "planar anterior", "planar posterior")
_OF_TIME = ("hours", "ratio", "ratio_low", "ratio_high", "mean", "mean_low", "mean_high", "size")
COLUMNS = (
    "study", "status", "study_flag", "rule", "lesion", "flag", "finding", "probability", "side", "volume_ml",
    "modality", "reference", "unit", "size_unit",
    *(f"{name}_{time}" for time in TIMES for name in _OF_TIME),
    "from_time", "to_time", "change", "change_low", "change_high", "own_change", "own_change_low", "own_change_high",
    "size_change", "threshold", "nuclide", "activity_mbq", "warnings",
    "tissue", "level", "metal_distance_mm", "tract",
)  # fmt: skip
"""The columns in their order, which later versions keep: new ones are put after these."""

Row = dict[str, object]


def rows_of_study(study: str, status: str, document: Mapping[str, Any] | None) -> list[Row]:
    """Give a row for each lesion of a study, or one without a lesion where there is none or it failed.

    The ratios and the change are of the modality that the lesion's flag rests on; of a lesion that could not be
    assessed, of the first one it was measured in (SPECT, then anterior and posterior views). Their limits are the total
    ones, which the flag and its probability rest on; those of mean uptake and own change are of counting alone.

    Parameters
    ----------
    study : str
        As in batch.json.
    status : ``done`` or ``failed``
    document : mapping or None
        Its results.json.
    """
    common: Row = {"study": study, "status": status}
    if document is None:
        return [common]
    injection = document.get("injection") or {}
    common |= {
        "study_flag": document["flag"]["value"],
        "rule": document["flag"]["rule"],
        "nuclide": injection.get("nuclide"),
        "activity_mbq": injection.get("activity_mbq"),
        "warnings": len(document["warnings"]),
    }
    regions = {region["name"]: region for region in document["regions"]}
    lesions = document["flag"]["lesions"]
    return [common | _lesion(one, regions.get(one["lesion"], {}), document) for one in lesions] or [common]


def _lesion(flag: Mapping[str, Any], region: Mapping[str, Any], document: Mapping[str, Any]) -> Row:
    name = flag["lesion"]
    modality = flag["modality"] or _first_modality(name, document)
    row: Row = {
        "lesion": name,
        "flag": flag["flag"],
        "finding": flag.get("finding"),
        "probability": flag["probability"],
        "side": region.get("side"),
        "volume_ml": region.get("volume_ml"),
        "modality": modality,
        "reference": region.get("reference"),
        "from_time": flag["from_time"],
        "to_time": flag["to_time"],
    }
    for ratio in _of(document["ratios"], lesion=name, modality=modality):
        row |= {f"hours_{ratio['time_point']}": ratio["hours"]} | _limits(
            "ratio", _total(ratio, "ratio"), ratio["time_point"]
        )
    for measured in _of(document["measurements"], region=name, modality=modality):
        time = measured["time_point"]
        row |= {f"hours_{time}": measured["hours"], "unit": measured["unit"], "size_unit": measured["size_unit"]}
        row |= {f"size_{time}": measured["size"]} | _limits("mean", measured["mean"], time)
    times = {"from_time": flag["from_time"], "to_time": flag["to_time"]} if flag["from_time"] else {}
    for change in _of(document["changes"], lesion=name, modality=modality, **times)[:1]:
        row |= {"from_time": change["from_time"], "to_time": change["to_time"], "threshold": change["threshold"]}
        row |= _limits("change", _total(change, "change")) | _limits("own_change", change["own_change"])
        row |= {"size_change": change["size_change"]}
    return row | _place(name, document)


def _total(entry: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Give an interval with what misalignment adds; earlier versions knew that of counting only."""
    interval: Mapping[str, Any] = entry.get(f"{name}_total") or entry[name]
    return interval


def _place(lesion: str, document: Mapping[str, Any]) -> Row:
    """Tell where a lesion lies on the CT."""
    listed = _of(document.get("lesions", ()), name=lesion)
    found = listed[0]["location"] if listed else None
    if found is None:
        return {}
    return {
        "tissue": found["tissue"],
        "level": found["level"],
        "metal_distance_mm": found["edge_to_metal_mm"],
        "tract": "yes" if found["elongated"] else "no",
    }


def _first_modality(lesion: str, document: Mapping[str, Any]) -> str:
    measured = {one["modality"] for one in _of(document["measurements"], region=lesion)}
    return next((modality for modality in _MODALITIES if modality in measured), "")


def _of(entries: Sequence[Mapping[str, Any]], **wanted: str) -> list[Mapping[str, Any]]:
    return [one for one in entries if all(one[key] == value for key, value in wanted.items())]


def _limits(name: str, interval: Mapping[str, Any], time: str = "") -> Row:
    end = f"_{time}" if time else ""
    return {f"{name}{end}": interval["value"]} | {f"{name}_{limit}{end}": interval[limit] for limit in ("low", "high")}


def cohort_csv(rows: Iterable[Row]) -> str:
    """Write rows under `COLUMNS`; what is not known is empty."""
    return csv_text(COLUMNS, ([_known(row.get(column)) for column in COLUMNS] for row in rows))


def _known(value: object) -> object:
    return math.nan if value is None else value


def read_results(path: Path) -> dict[str, Any]:
    """Read a results.json as plain values.

    Raises
    ------
    InputError
        It cannot be read.
    """
    try:
        document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise InputError("A study's results.json is damaged; remove its folder to run it again.") from error
    return document


def read_study_flags(path: Path) -> dict[str, FlagValue | None]:
    """Read each study's flag from a cohort.csv; None where it failed.

    Raises
    ------
    InputError
        It is no cohort.csv, or tells two flags of one study.
    """
    table = read_delimited(path)
    header = [name.strip() for name in table.header]
    if not {"study", "study_flag"} <= set(header):
        raise InputError(f"'{path.name}' has no columns study and study_flag; give the cohort.csv of a batch.")
    known: dict[str, FlagValue | None] = {name: name for name in get_args(FlagValue)}
    flags: dict[str, FlagValue | None] = {}
    cells = zip(table.column(header.index("study")), table.column(header.index("study_flag")), strict=True)
    for row, (study, word) in enumerate(cells):
        if word.strip() and word.strip() not in known:
            raise InputError(f"{table.place(row)}: study_flag is none of {', '.join(known)}.")
        flag = known.get(word.strip())
        if flags.setdefault(study.strip(), flag) != flag:
            raise InputError(f"{table.place(row)}: the study has another flag in another row.")
    return flags
