"""What belongs together in a study: the CT of each SPECT, and acquisitions after one injection."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from datetime import timedelta

from leukospect.data import AcquisitionHeader, CtSeries, Study
from leukospect.errors import AssumptionWarning, InputError

_ONE_INJECTION = timedelta(hours=1)  # clocks differ by minutes, examinations by days


def pair_ct(spect: AcquisitionHeader, study: Study) -> CtSeries | None:
    """Find the CT of a SPECT acquisition: of the same Frame of Reference, the nearest in time.

    A CT of another frame is not used; a CT is only taken without a frame where it is the only one, with a warning.
    """
    frame = spect.frame_of_reference_uid
    same = [ct for ct in study.ct if frame and ct.header.frame_of_reference_uid == frame]
    if same:
        return min(same, key=lambda ct: _seconds_apart(ct, spect))
    unknown = [ct for ct in study.ct if not ct.header.frame_of_reference_uid or not frame]
    if len(unknown) == 1 and len(study.ct) == 1:
        warnings.warn(
            "The SPECT or the CT records no frame of reference; they are taken as aligned.",
            AssumptionWarning,
            stacklevel=2,
        )
        return unknown[0]
    if study.ct:
        warnings.warn(
            "No CT of the study has the SPECT's frame of reference; it is taken without a CT.",
            AssumptionWarning,
            stacklevel=2,
        )
    return None


def _seconds_apart(ct: CtSeries, spect: AcquisitionHeader) -> float:
    if ct.header.start is None or spect.start is None:
        return float("inf")
    return abs((ct.header.start - spect.start).total_seconds())


def refuse_several_injections(headers: Sequence[AcquisitionHeader]) -> None:
    """Refuse acquisitions after different injections: they are of different examinations, and cannot be compared."""
    injections = [header.radiopharmaceutical for header in headers]
    moments = [one.injection_time for one in injections if one is not None and one.injection_time is not None]
    if not moments or max(moments) - min(moments) <= _ONE_INJECTION:
        return
    apart = (max(moments) - min(moments)).total_seconds() / 3600.0
    raise InputError(
        f"The acquisitions record injections {apart:.1f} hours apart, so they are of several examinations; give the "
        "folder of one, or correct the time of injection in the files."
    )
