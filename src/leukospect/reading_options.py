"""What the user tells in place of what files record, or record wrongly: orbit, time of injection, dose."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, time
from pathlib import Path
from typing import TypeVar

from leukospect.data import CtSeries, PlanarImages, Projections, Radiopharmaceutical, ReconstructedSeries, Study
from leukospect.dicom.read.study import RECONSTRUCTED_ALREADY, in_time_order, read_projections
from leukospect.errors import AssumptionWarning, InputError
from leukospect.files.interfile import read_interfile
from leukospect.files.sidecar import is_nifti

_FARTHEST_AXIS_MM = 1000.0
_LARGEST_DOSE_MBQ = 1e5
_Injected = TypeVar("_Injected", bound=Projections | PlanarImages | ReconstructedSeries)


@dataclass(frozen=True, slots=True)
class InjectionOptions:
    """When and how much was injected, as the command line tells it."""

    injection_time: str | None = None
    dose_mbq: float | None = None

    def __post_init__(self) -> None:
        if self.dose_mbq is not None and not 0 < self.dose_mbq <= _LARGEST_DOSE_MBQ:
            raise InputError(
                f"The injected activity must be positive and at most {_LARGEST_DOSE_MBQ:g} MBq; --dose-mbq "
                f"{self.dose_mbq:g} is not."
            )

    @property
    def told(self) -> bool:
        """Whether anything is told."""
        return self.injection_time is not None or self.dose_mbq is not None


@dataclass(frozen=True, slots=True)
class ReadingOptions:
    """What the command line says of projections that their file does not, or says wrongly."""

    axis_mm: tuple[float, float] | None = None
    start_angle_deg: float | None = None
    direction: str | None = None
    injection: InjectionOptions = InjectionOptions()
    no_decay: bool = False
    """The counts hold no decay during the acquisition: simulated without it, or corrected and not recorded as such."""

    def __post_init__(self) -> None:
        for name, values in (("start-angle-deg", (self.start_angle_deg,)), ("axis-mm", self.axis_mm or ())):
            if not all(value is None or math.isfinite(value) for value in values):
                raise InputError(f"--{name} must be a finite number; give degrees or millimetres.")
        if abs(self.start_angle_deg or 0.0) > 360.0:
            raise InputError(f"--start-angle-deg must lie within -360 to 360; found {self.start_angle_deg:g}.")
        if max(abs(value) for value in self.axis_mm or (0.0,)) > _FARTHEST_AXIS_MM:
            raise InputError(f"--axis-mm must lie within {_FARTHEST_AXIS_MM:g} mm of the isocentre.")


def read_any_projections(path: Path, options: ReadingOptions) -> Projections:
    """Read projections from a DICOM file, a folder, a zip archive, a DICOMDIR, or an Interfile header (.hs, .h00)."""
    if not path.exists():
        raise InputError("There is nothing at the path given; check it.")
    if path.is_file() and is_nifti(path):
        raise InputError(RECONSTRUCTED_ALREADY)
    if path.is_file() and path.suffix.lower() in (".hs", ".h00"):
        found = read_interfile(path, start_angle_deg=options.start_angle_deg, direction=options.direction)
        if options.axis_mm is not None:
            found = replace(found, axis_mm=options.axis_mm)
    else:
        found = read_projections(
            path,
            axis_mm=options.axis_mm,
            start_angle_deg=options.start_angle_deg,
            direction=options.direction,
        )
    return with_injection(_without_decay(found) if options.no_decay else found, options.injection, found.header.start)


def _without_decay(projections: Projections) -> Projections:
    """Take the counts of every view as those of the acquisition's start, as Corrected Image DECY does."""
    warnings.warn(
        "Decay during the acquisition is not corrected (--no-decay).",
        AssumptionWarning,
        stacklevel=3,
    )
    header = projections.header
    return replace(projections, header=replace(header, corrections=(*header.corrections, "DECY")))


def study_with_injection(study: Study, options: InjectionOptions) -> Study:
    """Replace injection time and dose of all acquisitions but those of a colloid, and put them in their order again.

    Parameters
    ----------
    study : Study
    options : InjectionOptions
        A time without a date is of the day of the first acquisition.
    """
    if not options.told:
        return study
    starts = [one.header.start for one in study.acquisitions if not isinstance(one, CtSeries) and one.header.start]
    first = min(starts, default=None)
    told = [
        one
        if isinstance(one, CtSeries) or one.header.kind == "PET" or _tracer(one) == "colloid"
        else with_injection(one, options, first)
        for one in study.acquisitions
    ]
    return replace(study, acquisitions=tuple(in_time_order(told)))


def _tracer(acquisition: Projections | PlanarImages | ReconstructedSeries) -> str:
    injected = acquisition.header.radiopharmaceutical
    return "unknown" if injected is None else injected.tracer


def with_injection(acquisition: _Injected, options: InjectionOptions, first_start: datetime | None) -> _Injected:
    """Replace injection time and dose by what the command line gives.

    Parameters
    ----------
    acquisition : Projections, PlanarImages or ReconstructedSeries
    options : InjectionOptions
    first_start : datetime or None
        Of the first acquisition; a time without a date is of its day.
    """
    if not options.told:
        return acquisition
    header = acquisition.header
    injected = header.radiopharmaceutical or Radiopharmaceutical(None)
    if options.injection_time is not None:
        moment = _time_of(options.injection_time, first_start, header.start)
        injected = replace(injected, injection_time=moment, date_recorded=True)
    if options.dose_mbq is not None:
        injected = replace(injected, dose_mbq=options.dose_mbq)
    return replace(acquisition, header=replace(header, radiopharmaceutical=injected))


def _time_of(text: str, first_start: datetime | None, start: datetime | None) -> datetime:
    readings: Sequence[type[datetime] | type[time]] = (datetime, time)
    for reading in readings:
        try:
            found = reading.fromisoformat(text)
        except ValueError:
            continue
        if isinstance(found, time):
            if first_start is None:
                break
            found = datetime.combine(first_start.date(), found)
        if found.tzinfo is not None:
            raise InputError("The injection time must be in the acquisition's own local time, without a time zone.")
        if start is not None and found > start:
            raise InputError("The injection time lies after the start of the acquisition; check --injection-time.")
        return found
    raise InputError(
        f"The injection time '{text}' is not understood; give YYYY-MM-DDTHH:MM, or HH:MM of the acquisition's day."
    )
