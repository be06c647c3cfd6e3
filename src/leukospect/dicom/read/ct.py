"""CT series to a volume in HU with what the attenuation map must know."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from leukospect.ct.reduced_before import done_already
from leukospect.ct.series_choice import choose_reconstruction, described, place_of_spect
from leukospect.data import AcquisitionHeader, CtSeries, Geometry, Image, Projections
from leukospect.dicom.elements import library_warnings_silenced, named, number, text
from leukospect.dicom.read.ct_choice import derived_as, reconstruction_of_slices, reconstructions
from leukospect.dicom.read.ct_facts import (
    AIR_HU,
    LOWEST_HU,
    at_the_top,
    common_kernel,
    common_number,
    metal_reduction,
    names_contrast_agent,
    spectral_kind,
    without_padding,
)
from leukospect.dicom.read.entries import Entry, find_entries, load, series_of
from leukospect.dicom.read.fan_geometry import fan_geometry
from leukospect.dicom.read.header import acquisition_header
from leukospect.dicom.read.patients import refuse_several_patients
from leukospect.dicom.read.pixels import pixel_values
from leukospect.dicom.read.slices import Stack, fill_stack, place_slices
from leukospect.dicom.read.tilt import gantry_tilt_deg, upright
from leukospect.dicom.read.unused import unread_slices
from leukospect.errors import AssumptionWarning, GeometryError, InputError
from leukospect.padded_pixels import PaddedPixels

_LISTED = 6
_MOST_HU = 1e6  # scales reach 64511 HU, some a little more
_HANDFUL = 10  # of voxels at the scale's top, which dense bone may reach by chance


def read_ct(
    folder: Path, *, beside: Projections | AcquisitionHeader | None = None, metal_reduced: bool = True
) -> CtSeries:
    """Read the CT of a folder, or one file of a single slice.

    Of several reconstructions, in several series or in one, `leukospect.ct.series_choice.choose_reconstruction` takes
    one, with a warning that says why.

    Parameters
    ----------
    folder : Path
        Searched with all that is below it; other files may lie in it.
    beside : Projections, AcquisitionHeader or None
        The SPECT that the CT is for.
    metal_reduced : bool
        Of reconstructions otherwise alike, take the one in which metal artefacts were reduced, or the other.

    Returns
    -------
    CtSeries
        HU as float32; slices ascend along the normal, to the head for a patient lying head first. The slices of a
        tilted gantry are resampled to a grid at right angles.

    Raises
    ------
    InputError
        No CT is found, images of several patients are, or the slices do not belong together.
    GeometryError
        A slice is missing or twice there with other pixels, spacing varies, or what is recorded of the gantry's tilt
        contradicts the slices' places.

    Warns
    -----
    AssumptionWarning
        What had to be assumed; the same sentences are in the header.
    """
    if folder.is_file() and folder.name.lower().endswith((".nii", ".nii.gz")):
        raise InputError("A CT is read from its DICOM slices, and a NIfTI image was given; give their folder.")
    with library_warnings_silenced():
        found = find_entries(folder)
        parts = [
            part
            for one in series_of(entry for entry in found.entries if entry.kind == "CT")
            for part in reconstructions(one)
        ]
        if not parts:
            raise InputError(f"No CT images were found: {found.summary()}.")
        refuse_several_patients(entry for part in parts for entry in part)
        assumptions = unread_slices(found)
        ct = ct_series(parts[0], assumptions) if len(parts) == 1 else _chosen(parts, beside, metal_reduced, assumptions)
    for sentence in ct.header.assumptions:
        warnings.warn(sentence, AssumptionWarning, stacklevel=2)
    return ct


def _chosen(
    parts: Sequence[Sequence[Entry]],
    beside: Projections | AcquisitionHeader | None,
    metal_reduced: bool,
    assumptions: list[str],
) -> CtSeries:
    """Read one of several reconstructions; where it cannot be used no other is taken in its place."""
    place = None if beside is None else place_of_spect(beside)
    facts = [reconstruction_of_slices(part) for part in parts]
    index, sentence = choose_reconstruction(facts, place, metal_reduced=metal_reduced)
    assumptions.append(sentence)
    try:
        return ct_series(parts[index], assumptions)
    except GeometryError as error:
        names = described(facts)
        others = ", ".join(name for k, name in enumerate(names[:_LISTED]) if k != index)
        raise GeometryError(
            f"Of {len(parts)} CT series the one to take ({names[index]}) cannot be used: {str(error).rstrip('.')}, or "
            f"the folder of another that is meant ({others})."
        ) from error


def ct_series(entries: Sequence[Entry], assumptions: list[str]) -> CtSeries:
    """Make a CT volume of the slices of one reconstruction; see `read_ct`.

    Parameters
    ----------
    entries : sequence of Entry
        Their headers were read; each file is opened once more for its pixels, one at a time.
    assumptions : list of str
        What had to be assumed is added to it.
    """
    slices = [entry.dataset for entry in entries]
    _check_unit(slices, assumptions)
    array, geometry, saturated, tilt_deg, padding = _volume(entries, slices, assumptions)
    first = slices[0]
    kvp = common_number(slices, "KVP", assumptions)
    if kvp is None:
        assumptions.append(f"{named('KVP')} is not recorded; the tube voltage is unknown.")
    kernel = common_kernel(slices, assumptions)
    reduction = metal_reduction(first)
    if reduction:
        assumptions.append(f"{done_already(reduction, 'this CT')}.")
    fan = None if tilt_deg else fan_geometry(slices, geometry, assumptions)
    derived = derived_as(entries[0])
    if derived:
        name = "others" if derived == "derived" else f"others ({derived})"
        assumptions.append(f"{named('ImageType')} says that the slices are derived from {name}; they are taken as HU.")
    return CtSeries(
        image=Image(array, geometry, "HU"),
        header=acquisition_header(first, "CT", assumptions, [entry.path for entry in entries]),
        kvp=kvp,
        kernel=kernel,
        slice_thickness_mm=number(first, "SliceThickness"),
        saturated_voxels=saturated,
        metal_reduction=reduction,
        fan=fan,
        contrast_recorded=any(names_contrast_agent(one) for one in slices),
        spectral=spectral_kind(first),
        padding=() if tilt_deg else tuple(padding),
        gantry_tilt_deg=tilt_deg,
    )


def _check_unit(slices: Sequence[Dataset], assumptions: list[str]) -> None:
    unit = text(slices[0], "RescaleType").upper()
    if unit == "US":
        assumptions.append(f"{named('RescaleType')} leaves the unit open; the values are taken as HU.")
    elif unit not in ("", "HU"):
        raise InputError(f"{named('RescaleType')} of the CT is not HU; its values cannot be used.")
    if any(number(one, keyword) is None for one in slices for keyword in ("RescaleSlope", "RescaleIntercept")):
        raise InputError(
            f"{named('RescaleSlope')} or {named('RescaleIntercept')} is missing in the CT, so its values are not known "
            "in HU; restore them."
        )


def _volume(
    entries: Sequence[Entry], slices: Sequence[Dataset], assumptions: list[str]
) -> tuple[NDArray[np.float32], Geometry, int, float, list[PaddedPixels]]:
    """Give the voxels in HU, where they lie, how many lie at the top of a 12-bit scale, the gantry's tilt, padding.

    The padding is that of the slices as scanned.
    """
    tops: list[tuple[int, bool]] = []
    paddings: list[PaddedPixels] = []

    def values(index: int) -> NDArray[np.float32]:
        try:
            return pixel_values(load(entries[index]))
        except InputError as error:
            raise InputError(f"CT slice in file {entries[index].position}: {error}") from error

    def in_hu(index: int) -> NDArray[np.float32]:
        found = values(index)
        k = len(tops)  # slices are asked for in the order of the volume
        paddings.extend(PaddedPixels.of(k, value, mask) for value, mask in without_padding(found, slices[index]))
        tops.append(at_the_top(found, slices[index]))
        return found

    stack = place_slices(slices, assumptions, values)
    tilt = gantry_tilt_deg(stack, slices)
    array = fill_stack(stack, in_hu)
    _refuse_impossible_hu(array, slices)
    if paddings:
        lowest = min(one.value_hu for one in paddings)
        assumptions.append(
            f"What lies outside the field of view is filled with {lowest:g} HU; it is taken as {LOWEST_HU:g} HU."
        )
    # Values beyond the top show an extended scale, on which 3071 HU is a value like others.
    saturated = 0 if any(beyond for _, beyond in tops) else sum(number_of for number_of, _ in tops)
    if saturated > _HANDFUL:
        assumptions.append(
            f"{saturated} voxels lie at the top of a 12-bit scale: what is denser, as metal is, is cut off at "
            f"{array.max():.0f} HU; a reconstruction on the extended scale shows it."
        )
    if not tilt:
        return array, stack.geometry(), saturated, 0.0, paddings
    return *_resampled(array, stack, tilt, assumptions), saturated, tilt, paddings


def _refuse_impossible_hu(array: NDArray[np.float32], slices: Sequence[Dataset]) -> None:
    low, high = float(array.min()), float(array.max())
    if max(-low, high) > _MOST_HU:
        slope = max((number(one, "RescaleSlope") or 0.0 for one in slices), key=abs)
        raise InputError(
            f"{named('RescaleSlope')} of {slope:g} makes the CT run from {low:.4g} to {high:.4g} HU, which no "
            "scanner's scale does; correct it in the files."
        )


def _resampled(
    array: NDArray[np.float32], stack: Stack, tilt_deg: float, assumptions: list[str]
) -> tuple[NDArray[np.float32], Geometry]:
    corners = array[:, [0, 0, -1, -1], [0, -1, 0, -1]]
    filled = corners.max() <= AIR_HU and corners.min() == corners.max()  # the field of view is a circle in the image
    outside = float(corners[0, 0]) if filled else AIR_HU
    made, geometry = upright(array, stack, outside)
    assumptions.append(
        f"The gantry was tilted by {round(tilt_deg, 1):g} degrees; the slices are resampled to upright ones at right "
        f"angles by linear interpolation, and what was not scanned is taken as {outside:g} HU."
    )
    return made, geometry
