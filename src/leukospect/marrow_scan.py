"""The scan of a marrow colloid, in the regions of the leukocytes: carried to it, and measured apart."""

from __future__ import annotations

import warnings
from collections.abc import Callable

from leukospect.data import Study
from leukospect.errors import AssumptionWarning
from leukospect.planar_measurement import photopeak_of_planar
from leukospect.protocol import Protocol
from leukospect.study_measurement import PlacedRegions, PlanarMeasured, measure_planar_views
from leukospect.study_result import SpectResult
from leukospect.time_alignment import carry_to_earlier

Progress = Callable[[str, float], None]

CALLED = "marrow"


def carried_to_marrow(
    placed: PlacedRegions,
    spect: tuple[SpectResult, ...],
    marrow: tuple[SpectResult, ...],
    protocol: Protocol,
    progress: Progress,
) -> PlacedRegions:
    """Carry the regions of the last leukocyte SPECT to each SPECT of the colloid.

    Where both were counted at once nothing is to be moved. Where the leukocytes have planar views only, their regions
    have no depth, and cannot be carried.

    Parameters
    ----------
    placed : PlacedRegions
        Those of the leukocytes.
    spect, marrow : tuple of SpectResult
    protocol : Protocol
    progress : function of a stage's name and the fraction of it done
    """
    if not marrow or not placed.regions:
        return PlacedRegions((), (), {})
    if not spect:
        warnings.warn(
            "There is a SPECT of the marrow colloid, but none of the leukocytes whose regions it could be measured in.",
            AssumptionWarning,
            stacklevel=2,
        )
        return PlacedRegions((), (), {})
    if len({"ATTN" in result.corrections for result in (spect[-1], *marrow)}) > 1:
        warnings.warn(
            "Attenuation is corrected in the SPECT of one of leukocytes and colloid only: their ratios compare lesions "
            "and references at one depth, and no further.",
            AssumptionWarning,
            stacklevel=2,
        )
    last, labels = spect[-1], placed.labels[-1]
    carried, alignments = [], []
    for result in marrow:
        if _counted_at_once(result, last):
            carried.append(labels)
            continue
        progress("aligning the marrow scan", 0.0)
        moved, alignment = carry_to_earlier(labels, last, result, protocol, called=CALLED)
        carried.append(moved)
        alignments.append(alignment)
        progress("aligning the marrow scan", 1.0)
    notes = {one.name: one.note for one in alignments}
    return PlacedRegions(tuple(carried), placed.regions, notes, tuple(alignments))


def _counted_at_once(one: SpectResult, other: SpectResult) -> bool:
    alike = one.header.start is not None and one.header.start == other.header.start
    return alike and one.recon.geometry.same_grid(other.recon.geometry)


def measure_marrow_views(
    marrow: Study, study: Study, placed: PlacedRegions, protocols: tuple[Protocol, Protocol]
) -> PlanarMeasured:
    """Measure the leukocytes' regions in the planar views of the colloid.

    Parameters
    ----------
    marrow, study : Study
        The colloid's acquisitions, and the leukocytes': the regions lie as in their last planar views, if any.
    placed : PlacedRegions
        Those of the leukocytes.
    protocols : (Protocol, Protocol)
        The colloid's and the leukocytes'.
    """
    if not marrow.planar or not placed.regions:
        return PlanarMeasured()
    own, of_cells = protocols
    timed = [one for one in study.planar if one.header.hours_after_injection is not None]
    beside = None
    if timed:
        beside = (timed[-1], "leukocytes", photopeak_of_planar(timed[-1], of_cells)[0])
    return measure_planar_views(marrow, placed, own, beside=beside)


def colloid_protocol(protocol: Protocol) -> Protocol:
    """Give the protocol for the colloid: that of the leukocytes, of whatever nuclide is recorded, uncalibrated.

    The calibration is of the leukocytes' nuclide and windows.
    """
    reconstruction = protocol.reconstruction.model_copy(update={"calibration_cps_per_mbq": None})
    return protocol.model_copy(update={"nuclide": None, "reconstruction": reconstruction})
