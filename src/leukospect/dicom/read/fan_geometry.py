"""How the rays of a CT ran: how far the source turned from the isocentre, and where in the patient that lies.

Distance Source to Patient is by the standard (PS3.3 C.8.2.1) that from the source to the isocentre, and Data Collection
Center (Patient) says where this lies in the patient's coordinates. That has to be read, since makers differ in where
they put the origin: in images of Siemens the table's height lies between it and the isocentre (table 188 mm, Data
Collection Center at y = -188 mm), in images of GE it is the isocentre (table 170 mm, an image of the whole 500 mm field
starts at -250 mm in x and y). Where the element is missing, GE's origin is taken, or the centre of an image of the
whole field in which data were collected, and that is said; else the isocentre is not known.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from leukospect.data import FanGeometry, Geometry
from leukospect.dicom.elements import named, number, numbers, text
from leukospect.errors import InputError

_PLAUSIBLE_MM = (300.0, 900.0)  # of the source from the isocentre
_CLEAR = 0.95  # of that distance: the slices' corners lie nearer to the isocentre
_SAME_MM = 1.0
_SAME_CENTRE_MM = 2.0
_SAME_DIAMETER = 0.01
_UPRIGHT = float(np.cos(np.deg2rad(1.0)))
_INSTEAD = "metal reduction takes the CT's rays as parallel"


class _NotToldError(Exception):
    """Why what is recorded of the rays is not used, as a clause."""


def fan_geometry(slices: Sequence[Dataset], geometry: Geometry, assumptions: list[str]) -> FanGeometry | None:
    """Read how the rays ran in the planes of the slices.

    Parameters
    ----------
    slices : sequence of Dataset
        Their headers; the gantry was not tilted.
    geometry : Geometry
        Of the volume.
    assumptions : list of str
        Why what is recorded is not used, and what had to be assumed, is added to it.

    Returns
    -------
    FanGeometry or None
        None where the source's distance or the isocentre is not recorded, where a distance cannot be, and for slices
        that are not axial.
    """
    normal = geometry.affine[:3, 0] / np.linalg.norm(geometry.affine[:3, 0])
    if abs(normal[2]) < _UPRIGHT:
        return None
    try:
        source, detector = _common(slices, "DistanceSourceToPatient", 1), _common(slices, "DistanceSourceToDetector", 1)
        if source is None:
            return None
        to_isocentre, to_detector = float(source[0]), None if detector is None else float(detector[0])
        _check_distances(to_isocentre, to_detector)
        isocentre = _isocentre_mm(slices, geometry, assumptions)
        if _farthest_corner_mm(geometry, isocentre) > _CLEAR * to_isocentre:
            raise _NotToldError("by the isocentre recorded the source would run through the slices")
    except _NotToldError as reason:
        assumptions.append(f"How the rays ran is not known: {reason}; {_INSTEAD}.")
        return None
    return FanGeometry(to_isocentre, isocentre, to_detector)


def _common(slices: Sequence[Dataset], keyword: str, length: int) -> NDArray[np.float64] | None:
    """Give an element that all slices share, None where one lacks it; a distance (length 1) must be positive."""
    found = []
    for one in slices:
        try:
            values = numbers(one, keyword)
        except InputError:  # what only tells of the rays is no reason to refuse a CT
            raise _NotToldError(f"{named(keyword)} is no number") from None
        if len(values) != length:
            return None
        if length == 1 and values[0] <= 0:
            raise _NotToldError(f"{named(keyword)} is {values[0]:g} mm, which no scanner has")
        found.append(values[:2])
    if np.ptp(np.array(found), axis=0).max() > _SAME_MM:
        raise _NotToldError(f"{named(keyword)} differs between slices")
    return np.array(found[0])


def _check_distances(to_isocentre_mm: float, to_detector_mm: float | None) -> None:
    low, high = _PLAUSIBLE_MM
    if not low <= to_isocentre_mm <= high:
        raise _NotToldError(f"{named('DistanceSourceToPatient')} is {to_isocentre_mm:g} mm, which no scanner has")
    if to_detector_mm is not None and to_detector_mm <= to_isocentre_mm:
        raise _NotToldError(
            f"by {named('DistanceSourceToDetector')}, {to_detector_mm:g} mm, the detector is nearer to the source than "
            f"the isocentre, {to_isocentre_mm:g} mm"
        )


def _isocentre_mm(slices: Sequence[Dataset], geometry: Geometry, assumptions: list[str]) -> tuple[float, float]:
    rows, columns = geometry.shape[1:]
    middle = geometry.to_lps((0.5 * (geometry.shape[0] - 1), 0.5 * (rows - 1), 0.5 * (columns - 1)))[:2]
    centre = _common(slices, "DataCollectionCenterPatient", 3)
    if centre is not None:
        target = _common(slices, "ReconstructionTargetCenterPatient", 3)
        if target is not None and np.hypot(*(target - middle)) > _SAME_CENTRE_MM + 2.0 * max(geometry.spacing_mm[1:]):
            raise _NotToldError(
                f"{named('ReconstructionTargetCenterPatient')} is not the centre of the slices, so "
                f"{named('DataCollectionCenterPatient')} may be in other coordinates, too"
            )
        return float(centre[0]), float(centre[1])
    if text(slices[0], "Manufacturer").upper().startswith("GE "):
        assumptions.append(
            f"{named('DataCollectionCenterPatient')} is not recorded; the isocentre is taken to be at x = 0 and y = 0, "
            "where GE's scanners put it."
        )
        return 0.0, 0.0
    if not _whole_field(slices[0], geometry):
        raise _NotToldError(f"{named('DataCollectionCenterPatient')} is not recorded")
    assumptions.append(
        f"{named('DataCollectionCenterPatient')} is not recorded; the slices show the whole field that was scanned, so "
        "their centre is taken as the isocentre."
    )
    return float(middle[0]), float(middle[1])


def _whole_field(first: Dataset, geometry: Geometry) -> bool:
    """Tell whether the slices show the whole circle in which data were collected, and nothing more."""
    try:
        shown, collected = number(first, "ReconstructionDiameter"), number(first, "DataCollectionDiameter")
    except InputError:
        return False
    if not shown or not collected:
        return False
    extents = np.array(geometry.shape[1:]) * np.array(geometry.spacing_mm[1:])
    return bool(np.abs(np.array([shown, *extents]) / collected - 1.0).max() <= _SAME_DIAMETER)


def _farthest_corner_mm(geometry: Geometry, isocentre_mm: tuple[float, float]) -> float:
    rows, columns = geometry.shape[1:]
    corners = geometry.to_lps([(0, j, i) for j in (0, rows - 1) for i in (0, columns - 1)])[:, :2]
    return float(np.linalg.norm(corners - np.array(isocentre_mm), axis=1).max())
