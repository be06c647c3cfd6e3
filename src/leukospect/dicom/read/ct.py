"""CT series to a volume in HU with what the attenuation map must know."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from pathlib import Path

from pydicom.dataset import Dataset

from leukospect.data import AcquisitionHeader, CtSeries, Image
from leukospect.dicom.elements import library_warnings_silenced, named, number, text
from leukospect.dicom.read.entries import Entry, find_entries, load, refuse_several_patients, series_of
from leukospect.dicom.read.header import acquisition_header
from leukospect.dicom.read.slices import stack_slices
from leukospect.dicom.read.times import acquisition_start
from leukospect.errors import AssumptionWarning, InputError

_ONE_SCAN_S = 600.0  # reconstructions of one scan


def read_ct(folder: Path, *, beside: AcquisitionHeader | None = None) -> CtSeries:
    """Read the CT series of a folder, or one file of a single slice.

    Of several series the one with the most slices is taken, with a warning.

    Parameters
    ----------
    folder : Path
        Searched with all that is below it; other files may lie in it.
    beside : AcquisitionHeader or None
        Of the SPECT that the CT is for: of several series only those in its frame of reference, if there are any, and
        of these only those nearest in time are considered.

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
        assumptions: list[str] = []
        chosen = _chosen(series, beside, assumptions)
        refuse_several_patients(chosen)
        ct = ct_series(chosen, assumptions)
    for sentence in ct.header.assumptions:
        warnings.warn(sentence, AssumptionWarning, stacklevel=2)
    return ct


def _chosen(series: list[list[Entry]], beside: AcquisitionHeader | None, assumptions: list[str]) -> list[Entry]:
    """Choose one of several series and say which and why."""
    if len(series) == 1:
        return series[0]
    left, reasons = series, []
    if beside is not None and beside.frame_of_reference_uid:
        frame = beside.frame_of_reference_uid
        same = [one for one in left if text(one[0].dataset, "FrameOfReferenceUID") == frame]
        if same:
            left, reasons = same, ["in the SPECT's frame of reference"]
    if beside is not None and beside.start is not None and len(left) > 1:
        starts = [acquisition_start(one[0].dataset, []) for one in left]
        apart = [math.inf if start is None else abs((start - beside.start).total_seconds()) for start in starts]
        if math.isfinite(min(apart)):
            left = [one for one, seconds in zip(left, apart, strict=True) if seconds <= min(apart) + _ONE_SCAN_S]
            reasons.append("nearest to it in time")
    if len(left) > 1 or not reasons:
        reasons.append("with the most slices")
    sizes = ", ".join(_facts(one) for one in series)
    assumptions.append(f"{len(series)} CT series were found ({sizes}); the one {', '.join(reasons)} is taken.")
    return max(left, key=len)


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
