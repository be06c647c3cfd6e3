"""The CT slices of a folder as reconstructions: several may lie in one series, and some are derived from others."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from leukospect.ct.series_choice import Reconstruction, is_axial
from leukospect.dicom.elements import count, number, numbers, text, texts
from leukospect.dicom.read.ct_facts import metal_reduction
from leukospect.dicom.read.entries import Entry, series_of
from leukospect.dicom.read.orientation import orientation_cosines
from leukospect.dicom.read.pixels import pixel_spacing_mm
from leukospect.dicom.read.slices import SAME_PLACE_MM, UNEVEN, normal_of
from leukospect.dicom.read.times import acquisition_start
from leukospect.errors import LeukospectError

# What tells reconstructions of one series apart where their slices do not make one volume, the surest first.
_TELLING = (
    "ConvolutionKernel",
    "ImageType",
    "SliceThickness",
    "KVP",
    "SeriesNumber",
    "SeriesDescription",
    "ReconstructionDiameter",
    "AcquisitionNumber",
    "TemporalPositionIdentifier",
)
_FEW_PARTS = 3
_REFORMATTED = re.compile(
    r"(?<![A-Za-z])(MIP|MINIP|MNIP|MPR|CPR|VRT|SSD|AVERAGE|REFORMATTED|RESAMPLED|PROJECTION IMAGE)(?![A-Za-z])"
)


@dataclass(frozen=True, slots=True, eq=False)
class _Plane:
    """What all slices of a volume must share, and where one lies."""

    frame_of_reference_uid: str
    size: tuple[int, int]
    pixel_mm: tuple[float, float]
    orientation: NDArray[np.float64]
    position_mm: NDArray[np.float64]

    def fits(self, other: _Plane) -> bool:
        return (
            self.frame_of_reference_uid == other.frame_of_reference_uid
            and self.size == other.size
            and bool(np.allclose(self.pixel_mm, other.pixel_mm, rtol=1e-4))
            and bool(np.abs(self.orientation - other.orientation).max() <= 1e-3)
        )


def _plane(entry: Entry) -> _Plane | None:
    """Read where a slice lies; None where its header does not tell: the volume's own check says what is wrong."""
    dataset = entry.dataset
    try:
        orientation, position = orientation_cosines(dataset), numbers(dataset, "ImagePositionPatient")
        size = (count(dataset, "Rows"), count(dataset, "Columns"))
        spacing = pixel_spacing_mm(dataset)
    except LeukospectError:
        return None
    if orientation is None or len(position) != 3:
        return None
    return _Plane(text(dataset, "FrameOfReferenceUID"), size, spacing, orientation, np.array(position))


def reconstructions(series: Sequence[Entry]) -> list[list[Entry]]:
    """Split the slices of a series into the reconstructions that were stored under its one UID.

    Slices that differ in frame of reference, matrix, pixel spacing or orientation never make one volume. Where the rest
    collides in its places or is unevenly spaced, it is parted by kernel, Image Type, thickness and so on, if the parts
    are more even than the whole.

    Parameters
    ----------
    series : sequence of Entry
        CT slices of one series.

    Returns
    -------
    list of lists of Entry
        Every slice is in one of them; one list where the series is one reconstruction, or cannot be parted.
    """
    groups: list[tuple[_Plane | None, list[Entry]]] = []
    strays: list[Entry] = []
    for entry in series:
        plane = _plane(entry)
        if plane is None:
            strays.append(entry)
            continue
        for common, members in groups:
            if common is not None and common.fits(plane):
                members.append(entry)
                break
        else:
            groups.append((plane, [entry]))
    if not groups:
        return [list(series)]
    groups[0][1].extend(strays)
    return [part for _, members in groups for part in _parted(members)]


def _parted(entries: list[Entry]) -> list[list[Entry]]:
    faults, most_at_one_place = _faults(entries)
    if not faults:
        return [entries]
    for keyword in _TELLING:
        parts: dict[str, list[Entry]] = {}
        for entry in entries:
            parts.setdefault(text(entry.dataset, keyword), []).append(entry)
        several = 1 < len(parts) <= max(most_at_one_place, _FEW_PARTS)
        # Single slices are always even, so parts of one slice prove nothing.
        if several and min(map(len, parts.values())) > 1 and sum(_faults(p)[0] for p in parts.values()) < faults:
            return [smaller for part in parts.values() for smaller in _parted(part)]
    return [entries]


def _faults(entries: Sequence[Entry]) -> tuple[int, int]:
    """Count the steps between slices that are not the usual one, and the most slices that lie at one place."""
    places = _places(entries)
    if places is None:
        return 0, 1
    steps = np.diff(places)
    apart = steps >= SAME_PLACE_MM
    runs = np.diff(np.flatnonzero(np.concatenate([[True], apart, [True]])))
    if not apart.any():
        return len(steps), int(runs.max())
    spacing = float(np.median(steps[apart]))
    uneven = np.abs(steps - spacing) > max(SAME_PLACE_MM, UNEVEN * spacing)
    return int(np.count_nonzero(uneven)), int(runs.max())


def _places(entries: Sequence[Entry]) -> NDArray[np.float64] | None:
    """Give where slices lie along their normal, sorted; None where a header does not tell."""
    planes = [_plane(entry) for entry in entries]
    known = [plane for plane in planes if plane is not None]
    if len(known) < len(planes):
        return None
    normal = normal_of(known[0].orientation)
    return np.sort(np.array([plane.position_mm @ normal for plane in known]))


def derived_as(entry: Entry) -> str:
    """Tell from Image Type what a slice was derived as; empty for an original, and for one with metal reduced."""
    values = [value.upper() for value in texts(entry.dataset, "ImageType")]
    for value in values[2:]:
        found = _REFORMATTED.search(value)
        if found:
            return found.group(1)
    derived = values[:1] == ["DERIVED"] or values[1:2] == ["SECONDARY"]
    return "derived" if derived and not metal_reduction(entry.dataset) else ""


def reconstruction_of_slices(entries: Sequence[Entry]) -> Reconstruction:
    """Give what the choice needs of a reconstruction from its headers alone."""
    first = entries[0].dataset
    plane, places = _plane(entries[0]), _places(entries)
    thickness = _number(entries[0], "SliceThickness")
    z_mm, axial = None, True
    if plane is not None:
        axial = is_axial(float(normal_of(plane.orientation)[2]))
        z_mm = _span_z_mm(entries, thickness or 0.0)
    spaces = np.unique(places) if places is not None else np.zeros(0)
    gaps = np.diff(spaces)[np.diff(spaces) >= SAME_PLACE_MM]
    return Reconstruction(
        slices=len(entries),
        z_mm=z_mm,
        thickness_mm=thickness,
        kernel=text(first, "ConvolutionKernel"),
        manufacturer=text(first, "Manufacturer"),
        metal_reduction=metal_reduction(first),
        original_axial=axial and not derived_as(entries[0]),
        complete=places is not None and (gaps.size == 0 or bool(gaps.max() <= 1.5 * np.median(gaps))),
        frame_of_reference_uid=text(first, "FrameOfReferenceUID") or None,
        start=acquisition_start(first, []),
        matrix=None if plane is None else plane.size,
        pixel_mm=None if plane is None else plane.pixel_mm,
        series_number=text(first, "SeriesNumber"),
    )


def _span_z_mm(entries: Sequence[Entry], thickness_mm: float) -> tuple[float, float]:
    """Give what the slices span along the patient; their corners count where they are not axial."""
    low, high = np.inf, -np.inf
    for plane in filter(None, map(_plane, entries)):
        down = plane.orientation[5] * plane.pixel_mm[0] * (plane.size[0] - 1)
        right = plane.orientation[2] * plane.pixel_mm[1] * (plane.size[1] - 1)
        z = plane.position_mm[2] + np.array([0.0, down, right, down + right])
        low, high = min(low, float(z.min())), max(high, float(z.max()))
    return low - thickness_mm / 2, high + thickness_mm / 2


def _number(entry: Entry, keyword: str) -> float | None:
    try:
        return number(entry.dataset, keyword)
    except LeukospectError:
        return None


def ct_of_study(entries: Iterable[Entry]) -> tuple[list[list[Entry]], list[str]]:
    """Give the CT reconstructions of a study, and a sentence for each series that was parted or left out.

    Parameters
    ----------
    entries : iterable of Entry
        CT slices of any series.
    """
    found: list[list[Entry]] = []
    sentences: list[str] = []
    for series in series_of(entries):
        parts = reconstructions(series)
        found += parts
        if len(parts) > 1:
            names = ", ".join(reconstruction_of_slices(part).words() for part in parts)
            sentences.append(
                f"CT series of {len(series)} slices (from file {series[0].position}) holds {len(parts)} "
                f"reconstructions ({names}); each is taken by itself."
            )
    kept, left_out = _without_derived(found)
    return kept, sentences + left_out


def _without_derived(found: Sequence[list[Entry]]) -> tuple[list[list[Entry]], list[str]]:
    """Leave out reformats and projections of slices whose original is there, in the same frame of reference."""
    facts = [reconstruction_of_slices(one) for one in found]
    originals = {one.frame_of_reference_uid for one in facts if one.original_axial and one.complete}
    kept, sentences = [], []
    for entries, one in zip(found, facts, strict=True):
        derived = derived_as(entries[0])
        frame = one.frame_of_reference_uid
        if derived and frame is not None and frame in originals:
            name = "derived from others" if derived == "derived" else f"derived from others ({derived})"
            sentences.append(
                f"CT series of {len(entries)} slices (from file {entries[0].position}) not used: its slices are {name},"
                " and the original ones are there."
            )
        else:
            kept.append(entries)
    return kept, sentences
