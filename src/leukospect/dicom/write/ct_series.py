"""A CT derived from another, such as one with its metal artefacts reduced, as a series of the same study."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from leukospect.data import CtSeries, Geometry, Image
from leukospect.dicom.elements import number
from leukospect.dicom.write.ct_slices import Scale, ct_slice_pixels, derived_scale, write_slices
from leukospect.dicom.write.derivation import begin_derived, read_source_headers, source_items
from leukospect.dicom.write.elements import decimal
from leukospect.dicom.write.instances import array_digest
from leukospect.errors import InputError
from leukospect.padded_pixels import PaddedPixels

_TAKEN_OVER = (
    *("KVP", "XRayTubeCurrent", "ExposureTime", "Exposure", "FilterType", "ConvolutionKernel", "AcquisitionNumber"),
    *("DataCollectionDiameter", "ContrastBolusAgent", "ScanOptions", "TableHeight"),
    *("WindowCenter", "WindowWidth", "WindowCenterWidthExplanation"),  # in HU, so they serve any rescale
)
_MAY_BE_EMPTY = ("KVP", "AcquisitionNumber")  # what a CT image must have, if empty
_RAYS = ("DistanceSourceToDetector", "DistanceSourceToPatient", "ReconstructionDiameter", "GantryDetectorTilt")
_RAYS_OF_SLICE = ("DataCollectionCenterPatient", "ReconstructionTargetCenterPatient")  # they tell a slice's z as well


def write_derived_ct(
    image: Image,
    folder: Path,
    *,
    source: CtSeries,
    description: str,
    derivation: str,
    settings_digest: str,
) -> None:
    """Write a CT derived from `source`, a file for each slice: ``0001.dcm`` and so on.

    Patient, study and equipment are those of the source's files; each slice names the source slices it lies on, and
    takes tube current, exposure, window and the like from the nearest. A source that is not DICOM gives an anonymous
    patient and a new study. On the source's own grid its padding keeps the value it had.

    Parameters
    ----------
    image : Image, HU
    folder : Path
        New or empty; it appears whole or not at all.
    source : CtSeries
    description : str
        Series Description.
    derivation : str
        What was done.
    settings_digest : str
        Digest of the settings it was done with; with the source it determines the Series Instance UID.

    Raises
    ------
    InputError
        The image is not in HU, a value is beyond what 16 bits hold, the folder holds files, or a source file is gone.
    """
    if image.unit != "HU":
        raise InputError(f"A CT is written in HU; this image is in '{image.unit}'.")
    sources = read_source_headers(source.header.sources)
    template = begin_derived(
        sources,
        source.header,
        content=array_digest(source.image.array),
        description=description,
        derivation=derivation,
        settings=(settings_digest,),
    )
    template.Modality = "CT"
    template.ImageType = ["DERIVED", "PRIMARY", "AXIAL"]
    if image.geometry.frame_of_reference_uid:
        template.FrameOfReferenceUID = image.geometry.frame_of_reference_uid
    _add_scan(template, sources[0] if sources else Dataset(), source)

    if "SourceImageSequence" in template:
        del template.SourceImageSequence  # each slice names its own
    places = _places_mm(sources)

    def name_sources(ds: Dataset, k: int) -> None:
        near = _sources_of_slice(sources, places, image.geometry, k)
        references = source_items(near)
        if references:
            ds.SourceImageSequence = references
        if places is None:
            return
        nearest = sources[int(_away_mm(places, image.geometry, k).argmin())]
        _take_over_own(nearest, ds)
        if source.fan is not None:
            _take_over(_RAYS_OF_SLICE, nearest, ds)
        if image.geometry.same_grid(source.image.geometry):
            _take_over(("SliceLocation",), nearest, ds)

    padding = source.padding if image.geometry.same_grid(source.image.geometry) else ()
    scale = derived_scale(image, [one.value_hu for one in padding], _common_scale(sources))
    stored = ct_slice_pixels(image, scale)
    thickness = source.slice_thickness_mm or image.geometry.spacing_mm[0]
    _put_padding_back(stored, padding, scale, template)
    write_slices(
        template,
        stored,
        image.geometry,
        folder,
        thickness_mm=thickness,
        scale=scale,
        complete=name_sources,
    )


def _add_scan(template: Dataset, first: Dataset, source: CtSeries) -> None:
    _take_over(_TAKEN_OVER, first, template)
    if source.fan is not None:  # else the rays did not run in these slices, as behind a tilted gantry, or nothing tells
        _take_over(_RAYS, first, template)
    template.KVP = None if source.kvp is None else decimal(source.kvp)
    if "AcquisitionNumber" not in template:
        template.AcquisitionNumber = None
    if "PatientPosition" not in template:
        template.PatientPosition = source.header.patient_position


def _put_padding_back(
    stored: NDArray[np.int16] | NDArray[np.uint16],
    padding: Sequence[PaddedPixels],
    scale: Scale,
    template: Dataset,
) -> None:
    """Fill the pixels outside the field of view as the source does, and record the value where it is one.

    A value below the scale becomes the lowest, which pixels of the patient may hold, too: it is not recorded.
    """
    values = set()
    lowest = np.iinfo(stored.dtype).min
    for one in padding:
        value = round((one.value_hu - scale.intercept_hu) / scale.slope)
        stored[one.slice_index][one.mask((stored.shape[1], stored.shape[2]))] = max(value, lowest)
        values.add(value)
    if len(values) == 1 and min(values) >= lowest:
        template.add_new("PixelPaddingValue", "US" if stored.dtype.kind == "u" else "SS", values.pop())


def _common_scale(sources: Sequence[Dataset]) -> Scale | None:
    """Give the rescale that all sources share; None where they differ in it or have none."""
    scales = {(number(one, "RescaleSlope"), number(one, "RescaleIntercept")) for one in sources}
    if len(scales) != 1:
        return None
    ((slope, intercept),) = scales
    if not slope or slope < 0 or intercept is None:
        return None
    return Scale(signed=True, intercept_hu=intercept, slope=slope)


def _take_over_own(nearest: Dataset, ds: Dataset) -> None:
    """Give a slice what was recorded of the source slice next to it: tube current, window and so on may vary."""
    for keyword in _TAKEN_OVER:
        if keyword in nearest and (keyword != "KVP" or nearest.KVP):
            ds[keyword] = copy.deepcopy(nearest[keyword])
        elif keyword in ds and keyword not in _MAY_BE_EMPTY:
            del ds[keyword]


def _take_over(keywords: tuple[str, ...], source: Dataset, derived: Dataset) -> None:
    for keyword in keywords:
        if keyword in source:
            derived[keyword] = copy.deepcopy(source[keyword])


def _places_mm(sources: tuple[Dataset, ...]) -> NDArray[np.float64] | None:
    """Give the LPS positions of the source slices, (slices, 3); None where one has none."""
    placed = [source.get("ImagePositionPatient") for source in sources]
    return np.array(placed, dtype=np.float64) if placed and all(placed) else None


def _sources_of_slice(
    sources: tuple[Dataset, ...], places: NDArray[np.float64] | None, geometry: Geometry, k: int
) -> list[Dataset]:
    """Find the source slices within half a slice of slice k; all of them where positions do not tell."""
    if places is None:
        return list(sources)
    reach = geometry.spacing_mm[0] / 2 + 1e-3
    away = _away_mm(places, geometry, k)
    near = [source for source, distance in zip(sources, away, strict=True) if distance <= reach]
    return near or list(sources)


def _away_mm(places: NDArray[np.float64], geometry: Geometry, k: int) -> NDArray[np.float64]:
    """Give how far source slices lie from slice k along its normal."""
    normal = geometry.affine[:3, 0] / geometry.spacing_mm[0]
    away: NDArray[np.float64] = np.abs((places - geometry.to_lps((k, 0, 0))) @ normal)
    return away
