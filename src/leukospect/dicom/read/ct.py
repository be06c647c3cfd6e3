"""CT series to a volume in HU with what the attenuation map must know."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path

from pydicom.dataset import Dataset

from leukospect.data import CtSeries, Image
from leukospect.dicom.elements import library_warnings_silenced, named, number, text
from leukospect.dicom.read.entries import Entry, find_entries, load, refuse_several_patients, series_of
from leukospect.dicom.read.header import acquisition_header
from leukospect.dicom.read.slices import stack_slices
from leukospect.errors import AssumptionWarning, InputError


def read_ct(folder: Path) -> CtSeries:
    """Read the CT series of a folder, or one file of a single slice.

    Of several series the one with the most slices is taken, with a warning.

    Parameters
    ----------
    folder : Path
        Searched with all that is below it; other files may lie in it.

    Returns
    -------
    CtSeries
        HU as float32; slices ascend along the normal, to the head for a patient lying head first.

    Raises
    ------
    InputError
        No CT is found, or its slices do not belong together.
    GeometryError
        A slice is missing or twice there, spacing varies, or the gantry was tilted.

    Warns
    -----
    AssumptionWarning
        What had to be assumed; the same sentences are in the header.
    """
    with library_warnings_silenced():
        found = find_entries(folder)
        series = series_of(entry for entry in found.entries if entry.kind == "CT")
        if not series:
            raise InputError(f"No CT images were found: {found.summary()}.")
        chosen = max(series, key=len)
        refuse_several_patients(chosen)
        assumptions: list[str] = []
        if len(series) > 1:
            sizes = ", ".join(_facts(one) for one in series)
            assumptions.append(f"{len(series)} CT series were found ({sizes}); the one with the most slices is taken.")
        ct = ct_series(chosen, assumptions)
    for sentence in ct.header.assumptions:
        warnings.warn(sentence, AssumptionWarning, stacklevel=2)
    return ct


def _facts(series: Sequence[Entry]) -> str:
    thickness = number(series[0].dataset, "SliceThickness")
    facts = [f"{len(series)} slices"]
    if thickness:
        facts.append(f"of {thickness:g} mm")
    if kernel := text(series[0].dataset, "ConvolutionKernel"):
        facts.append(f"kernel {kernel}")
    return " ".join(facts)


def ct_series(entries: Sequence[Entry], assumptions: list[str]) -> CtSeries:
    """Make a CT volume of the slices of one series; see `read_ct`."""
    slices = [load(entry) for entry in entries]
    array, geometry = stack_slices(slices, assumptions)
    first = slices[0]
    kvp = _common(slices, "KVP", assumptions)
    if kvp is None:
        assumptions.append(f"{named('KVP')} is not recorded; the tube voltage is unknown.")
    unit = text(first, "RescaleType").upper()
    if unit == "US":
        assumptions.append(f"{named('RescaleType')} leaves the unit open; the values are taken as HU.")
    elif unit not in ("", "HU"):
        raise InputError(f"{named('RescaleType')} of the CT is not HU; its values cannot be used.")
    if any(number(one, keyword) is None for one in slices for keyword in ("RescaleSlope", "RescaleIntercept")):
        raise InputError(
            f"{named('RescaleSlope')} or {named('RescaleIntercept')} is missing in the CT, so its values are not known "
            "in HU; restore them."
        )
    return CtSeries(
        image=Image(array, geometry, "HU"),
        header=acquisition_header(first, "CT", assumptions, [entry.path for entry in entries]),
        kvp=kvp,
        kernel=text(first, "ConvolutionKernel"),
        slice_thickness_mm=number(first, "SliceThickness"),
    )


def _common(slices: Sequence[Dataset], keyword: str, assumptions: list[str]) -> float | None:
    found = sorted({value for one in slices if (value := number(one, keyword))})
    if len(found) > 1:
        assumptions.append(
            f"{named(keyword)} differs between slices ({found[0]:g} to {found[-1]:g}); the first slice's is taken."
        )
        return number(slices[0], keyword)
    return found[0] if found else None
