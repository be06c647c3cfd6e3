"""What is checked of an acquisition before it is reconstructed: its nuclide, its field, and what looks wrong in it."""

from __future__ import annotations

import warnings

import numpy as np

from leukospect.consistency import find_impossible_pixels, find_motion, find_non_uniformity, find_saturation
from leukospect.data import AcquisitionHeader, Projections
from leukospect.errors import AssumptionWarning, InputError
from leukospect.field_of_view import FieldOfView, find_field_of_view
from leukospect.photopeaks import PhotopeakCounts
from leukospect.protocol import Protocol

_FEWEST_ANGLES = 6


def check_nuclide(header: AcquisitionHeader, protocol: Protocol) -> None:
    """Refuse an acquisition of another nuclide than the protocol is for."""
    recorded = header.radiopharmaceutical
    if protocol.nuclide and recorded and recorded.nuclide and recorded.nuclide != protocol.nuclide:
        raise InputError(
            f"The acquisition records {recorded.nuclide}, but the protocol '{protocol.name}' is for "
            f"{protocol.nuclide}; choose another --protocol."
        )


def field_as_recorded(projections: Projections, peak: PhotopeakCounts) -> FieldOfView:
    """Take the columns as they are recorded, and say where the body reaches beyond them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AssumptionWarning)
        found = find_field_of_view(projections, peak)
    if found.added:
        warnings.warn(
            "The activity reaches the edge of the detector's field; filtered backprojection does not allow for it and "
            "reads too high near the border (osem and map reconstruct on a wider grid).",
            AssumptionWarning,
            stacklevel=2,
        )
    return FieldOfView.recorded(projections)


def warn_of_inconsistencies(projections: Projections) -> None:
    """Tell of motion, lost or saturated views and defects of a detector: they are reconstructed as they are."""
    hours = projections.header.hours_after_injection
    which = "" if hours is None else f"SPECT at {hours:.1f} h: "
    angles = np.unique(np.round(projections.orbit.angles_deg % 360.0, 1)).size
    if angles < _FEWEST_ANGLES:
        warnings.warn(
            f"{which}There are views from {angles} angle{'' if angles == 1 else 's'} only: what lies behind one "
            "another is hardly told apart, and activity is smeared along the lines of sight.",
            AssumptionWarning,
            stacklevel=3,
        )
    sentences = [finding.sentence() for finding in find_impossible_pixels(projections)[:3]]
    if projections.summed_frames == 1:
        sentences += [finding.sentence() for finding in find_saturation(projections.counts)]
    sentences += [finding.sentence() for finding in find_motion(projections)]
    sentences += [finding.sentence() for finding in find_non_uniformity(projections)]
    for sentence in sentences:
        warnings.warn(f"{which}{sentence} Nothing was corrected.", AssumptionWarning, stacklevel=3)
