"""What the values of a reconstructed volume stand for: its unit, and the mapping that takes stored values there."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from leukospect.dicom.elements import items, named, number, text
from leukospect.dicom.read.pixels import pixel_values

# Defined terms of Units (0054,1001), PS3.3 C.8.9.1.1.3; the vendor alone knows the factor of what is proportional.
_TERMS = {
    "BQML": "Bq/mL",
    "GML": "g/mL",
    "CNTS": "counts",
    "CPS": "counts/s",
    "PROPCNTS": "proportional to counts",
    "PROPCPS": "proportional to counts/s",
    "1CM": "1/cm",
    "PCNT": "%",
    "NONE": "",
}
# UCUM codes of a Real World Value Mapping, in lower case; of several mappings the first of these is taken.
_UCUM = {
    "bq/ml": "Bq/mL",
    "kbq/ml": "kBq/mL",
    "{counts}/s/ml": "counts/s/mL",
    "{counts}/s": "counts/s",
    "{counts}/ml": "counts/view/mL",
    "{counts}": "counts",
    "g/ml{suvbw}": "g/mL",
    "{suvbw}g/ml": "g/mL",
    "1/cm": "1/cm",
}
_AGREE = 1e-5


@dataclass(frozen=True, slots=True)
class Mapping:
    """A linear mapping of stored values: value = slope x stored + intercept, in `unit`."""

    slope: float
    intercept: float
    unit: str


def recorded_unit(dataset: Dataset) -> str:
    """Give the unit that Units names for rescaled values; empty where it is not recorded."""
    term = text(dataset, "Units").upper()
    return _TERMS.get(term, term)


def real_world_mapping(dataset: Dataset, assumptions: list[str]) -> Mapping | None:
    """Find the linear Real World Value Mapping in a unit that is known here; None without one.

    Of mappings to several units an activity concentration goes before rates, and rates before counts.
    """
    found: dict[str, Mapping] = {}
    for item in items(dataset, "RealWorldValueMappingSequence"):
        unit = _unit_of(item)
        slope, intercept = number(item, "RealWorldValueSlope"), number(item, "RealWorldValueIntercept")
        if unit is None:
            continue
        if slope is None or slope <= 0 or intercept is None:
            assumptions.append(f"A {named('RealWorldValueMappingSequence')} without a positive slope is not used.")
            continue
        factor = 1000.0 if unit == "kBq/mL" else 1.0
        mapping = Mapping(slope * factor, intercept * factor, "Bq/mL" if unit == "kBq/mL" else unit)
        found.setdefault(mapping.unit, mapping)
    chosen = next((found[unit] for unit in _UCUM.values() if unit in found), None)
    if chosen is not None and len(found) > 1:
        assumptions.append(f"Values are mapped to {' and '.join(found)}; {chosen.unit} is taken.")
    return chosen


def _unit_of(item: Dataset) -> str | None:
    codes = [text(code, "CodeValue").lower() for code in items(item, "MeasurementUnitsCodeSequence")]
    return next((_UCUM[code] for code in codes if code in _UCUM), None)


def values_and_unit(dataset: Dataset, assumptions: list[str]) -> tuple[NDArray[np.float32], str]:
    """Decode all frames and take them to the unit that the file maps them to.

    A Real World Value Mapping goes before Rescale Slope and Units where both are there.

    Returns
    -------
    (frames, rows, columns) float32 array, and its unit, empty where it is not recorded
    """
    rescaled = pixel_values(dataset)
    mapping = real_world_mapping(dataset, assumptions)
    if mapping is None:
        return rescaled, recorded_unit(dataset)
    slope, intercept = number(dataset, "RescaleSlope") or 1.0, number(dataset, "RescaleIntercept") or 0.0
    if _alike(mapping.slope, slope) and abs(mapping.intercept - intercept) <= _AGREE * abs(mapping.slope):
        return rescaled, mapping.unit
    assumptions.append(_instead_of_rescale(mapping))
    stored = (rescaled.astype(np.float64) - intercept) / slope
    return (stored * mapping.slope + mapping.intercept).astype(np.float32), mapping.unit


def map_slice(dataset: Dataset, assumptions: list[str]) -> str:
    """Let a slice's own rescaling be its Real World Value Mapping, if it has one, and give the unit of its values."""
    mapping = real_world_mapping(dataset, assumptions)
    if mapping is None:
        return recorded_unit(dataset)
    slope, intercept = number(dataset, "RescaleSlope") or 1.0, number(dataset, "RescaleIntercept") or 0.0
    if not (_alike(mapping.slope, slope) and abs(mapping.intercept - intercept) <= _AGREE * abs(mapping.slope)):
        assumptions.append(_instead_of_rescale(mapping))
        dataset.RescaleSlope, dataset.RescaleIntercept = f"{mapping.slope:.9e}", f"{mapping.intercept:.8e}"
    return mapping.unit


def _alike(one: float, other: float) -> bool:
    return abs(one - other) <= _AGREE * abs(other)


def _instead_of_rescale(mapping: Mapping) -> str:
    return f"{named('RealWorldValueMappingSequence')} is taken in place of the rescaling: values are in {mapping.unit}."
