"""results.json: every measurement with its uncertainty, the rule with its source, and the flag."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import get_args

import numpy as np

from leukospect.data import Radiopharmaceutical
from leukospect.errors import InputError
from leukospect.interpretation.decision import probability_above
from leukospect.interpretation.flag import FlagValue, StudyFlag
from leukospect.interpretation.map_effect import AttenuationEffect
from leukospect.interpretation.rule import Rule
from leukospect.quantification.measurements import Change, Location, Measurement, Ratio, Region
from leukospect.quantification.misalignment import AlignmentSensitivity
from leukospect.quantification.probability import EXPECTED
from leukospect.whole_files import whole_file

SCHEMA_VERSION = "1.3"
"""1.1: `metal_reduction`, `attenuation_effect`, and of each flag `with_other_maps` and `dependence`.

1.2: `alignment_sensitivity`, `time_alignment`, of the rule `cut_off` and `ratio_above`, of each flag `finding`.

1.3: `injection`; `marrow`, and of the rule `marrow`; `lesions` with their locations, `physiological`, and of each
region `likely`, `remark` and `finding`; of each ratio and change the interval `ratio_total` or `change_total` and
`alignment_deviation`; of each effect of misalignment `modality` and `displaced_mm`; of each alignment of times
`expected_error_mm`; of each measurement `selection_bias`; `changes_expected`; `ct_alignment`. Every key stands in
`leukospect/schemas/results.schema.json`."""
DISCLAIMER = "leukospect is a research tool. This result is not a diagnosis."


def results_document(
    *,
    regions: Sequence[Region],
    measurements: Sequence[Measurement],
    ratios: Sequence[Ratio],
    changes: Sequence[Change],
    rule: Rule,
    flag: StudyFlag,
    warnings: Sequence[str] = (),
    settings: Mapping[str, object] | None = None,
    software_version: str = "",
    effect: AttenuationEffect | None = None,
    sensitivity: AlignmentSensitivity | None = None,
    metal_reduction: Sequence[Mapping[str, object]] = (),
    ct_alignment: Sequence[Mapping[str, object]] = (),
    time_alignment: Sequence[Mapping[str, object]] = (),
    marrow: Mapping[str, object] | None = None,
    locations: Sequence[Location] = (),
    injected: Radiopharmaceutical | None = None,
) -> dict[str, object]:
    """Put a study's results together as plain values that JSON can hold.

    No number is left out of it because it is not known: such a one is null. `ratio` and `change` have the intervals of
    counting statistics, `ratio_total` and `change_total` those that the rule and the probability rest on: with what
    misalignment is expected to leave, the same where that is not known (`alignment_deviation` null). Changes carry
    P(change > threshold) instead of their samples, with the prior `changes_expected`.
    There is nothing in it that identifies the patient.

    Parameters
    ----------
    regions, measurements, ratios, changes
        As measured.
    rule : Rule
    flag : StudyFlag
    warnings : sequence of str
        Every assumption and warning of the run; the flag's own are added.
    settings : mapping or None
        What the run was set to: texts, numbers, truth values, lists and tables of them.
    software_version : str
    effect : AttenuationEffect or None
        What other attenuation maps give; None (null) where none was tried, as without metal in the CT.
    sensitivity : AlignmentSensitivity or None
        What a small misalignment changes; None (null) where nothing was moved.
    metal_reduction : sequence of mappings
        Of each CT that was looked through for metal: its time point, what was found and what was done.
    ct_alignment : sequence of mappings
        Of each SPECT with a CT: how the two lie to each other, see `SpectResult.ct_alignment`.
    time_alignment : sequence of mappings
        Of each two times: transforms (of each limb, where CT was registered to CT), their quality, and reasons.
    marrow : mapping or None
        What the scan of a marrow colloid gave; None (null) where there is none.
    locations : sequence of Location
        Where lesions lie on the CT.
    injected : Radiopharmaceutical or None

    Raises
    ------
    TypeError
        A setting is of a type that JSON does not hold.
    """
    document = {
        "schema_version": SCHEMA_VERSION,
        "software": {"name": "leukospect", "version": software_version},
        "disclaimer": DISCLAIMER,
        "flag": {
            "value": flag.flag,
            "rule": flag.rule,
            "with_other_maps": {one.attenuation_map: one.flag for one in flag.with_other_maps},
            "dependence": flag.dependence,
            "lesions": [asdict(lesion) for lesion in flag.lesions],
        },
        "injection": _injection(injected or Radiopharmaceutical(None)),
        "rule": _rule(rule, flag),
        "lesions": _lesions(regions, flag, locations),
        "physiological": [_physiological(region) for region in regions if region.role == "physiological"],
        "regions": [asdict(region) for region in regions],
        "measurements": [asdict(measurement) for measurement in measurements],
        "ratios": [asdict(replace(ratio, ratio_total=ratio.total)) for ratio in ratios],
        "changes": [_change(change, rule.threshold) for change in changes],
        "changes_expected": asdict(EXPECTED),
        "metal_reduction": [dict(one) for one in metal_reduction],
        "ct_alignment": [dict(one) for one in ct_alignment],
        "time_alignment": [dict(one) for one in time_alignment],
        "attenuation_effect": None if effect is None else _effect(effect, rule.threshold),
        "alignment_sensitivity": None if sensitivity is None else asdict(sensitivity),
        "marrow": None if marrow is None else dict(marrow),
        "warnings": list(dict.fromkeys((*flag.warnings, *warnings))),
        "settings": dict(settings or {}),
    }
    plain = _plain(document)
    assert isinstance(plain, dict)
    return plain


def write_results(document: Mapping[str, object], path: Path) -> None:
    """Write a results document as JSON, whole or not at all."""
    text = json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False)
    with whole_file(path) as partial:
        partial.write_text(text + "\n", encoding="utf-8")


def read_flag(path: Path) -> FlagValue:
    """Read the study's flag from a results.json.

    Raises
    ------
    InputError
        It is no results.json of this program, or of a later one.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        version, value = str(document["schema_version"]), document["flag"]["value"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise InputError("It is no results.json of leukospect.") from error
    known: dict[str, FlagValue] = {name: name for name in get_args(FlagValue)}
    if version.partition(".")[0] != SCHEMA_VERSION.partition(".")[0] or value not in known:
        raise InputError(f"Its schema {version[:10]} is not one that this version of leukospect reads.")
    return known[value]


def _lesions(regions: Sequence[Region], flag: StudyFlag, locations: Sequence[Location]) -> list[dict[str, object]]:
    """Tell each lesion's flag, remark and place; `location` is null without a CT."""
    flags = {lesion.lesion: lesion.flag for lesion in flag.lesions}
    places = {location.region: asdict(location) for location in locations}
    return [
        {
            "name": region.name,
            "flag": flags.get(region.name),
            "reference": region.reference,
            "volume_ml": region.volume_ml,
            "remark": region.remark,
            "location": places.get(region.name),
        }
        for region in regions
        if region.role == "lesion"
    ]


def _physiological(region: Region) -> dict[str, object]:
    """Tell what was found and is not judged."""
    return {
        "name": region.name,
        "likely": region.likely,
        "reason": region.remark,
        "volume_ml": region.volume_ml,
        "centroid_mm": region.centroid_mm,
        "side": region.side,
    }


def _rule(rule: Rule, flag: StudyFlag) -> dict[str, object]:
    """Describe the rule; its published figures stand only where every lesion was judged between its own times."""
    figures = {"sensitivity": rule.sensitivity, "specificity": rule.specificity, "accuracy": rule.accuracy}
    own_times = all(
        lesion.from_time in ("", rule.from_time) and lesion.to_time in ("", rule.to_time) for lesion in flag.lesions
    )
    known = own_times and any(value is not None for value in figures.values())
    return {
        "name": rule.name,
        "title": rule.title,
        "from_time": rule.from_time,
        "to_time": rule.to_time,
        "threshold": rule.threshold,
        "cut_off": rule.cut_off,
        "ratio_above": rule.ratio_above,
        "marrow": rule.marrow,
        "no_uptake_margin": rule.no_uptake_margin,
        "uses_size": rule.uses_size,
        "source": rule.source,
        "evidence": rule.evidence,
        "published_per_cent": figures if known else None,
    }


def _injection(injected: Radiopharmaceutical) -> dict[str, object]:
    return {"nuclide": injected.nuclide, "activity_mbq": injected.dose_mbq, "tracer": injected.tracer}


def _change(change: Change, threshold: float) -> dict[str, object]:
    table = asdict(replace(change, change_total=change.total))
    del table["samples"]
    table["threshold"] = threshold
    table["probability_above_threshold"] = probability_above(change, threshold)
    return table


def _effect(effect: AttenuationEffect, threshold: float) -> dict[str, object]:
    """Tell uptake and changes with other maps; `mean_change` and `ratio_change` are relative to the corrected map."""
    return {
        "relative_to": "the attenuation map of the metal-reduced CT",
        "uptake": [asdict(one) for one in effect.uptake],
        "changes": [
            {"attenuation_map": name, **_change(change, threshold)}
            for name, changes in effect.changes.items()
            for change in changes
        ],
    }


def _plain(value: object) -> object:
    """Turn tuples into lists, numpy's scalars into Python's, and what is not finite into null."""
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    raise TypeError(f"results.json cannot hold a value of type {type(value).__name__}.")
