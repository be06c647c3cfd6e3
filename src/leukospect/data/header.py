"""What every acquisition tells besides its pixels: windows, radiopharmaceutical, times, corrections."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from leukospect.errors import InputError

Kind = Literal[
    "TOMO", "GATED TOMO", "STATIC", "WHOLE BODY", "DYNAMIC", "GATED", "RECON TOMO", "RECON GATED TOMO", "CT", "PET"
]


DURATION_ASSUMED = "1 s is taken, so rates are counts per view and not per second."
"""How the assumption ends that is made where no duration of a view is recorded."""

Tracer = Literal["leukocytes", "colloid", "other", "unknown"]
DecayReference = Literal["start", "injection", "none", "unknown"]


LIMITS_NOT_RECORDED_KEV = ((1.0, 1000.0),)


@dataclass(frozen=True, slots=True)
class EnergyWindow:
    """An energy window: one or several (lower, upper) ranges in keV; the name is the camera's and proves nothing."""

    ranges_kev: tuple[tuple[float, float], ...]
    name: str = ""

    def __post_init__(self) -> None:
        if not self.ranges_kev:
            raise InputError("An energy window has no range.")
        for lower, upper in self.ranges_kev:
            if not 0 <= lower < upper:
                raise InputError(f"An energy window runs from {lower:g} to {upper:g} keV, which is impossible.")

    @property
    def is_recorded(self) -> bool:
        """False where `LIMITS_NOT_RECORDED_KEV` stands in for limits that are not recorded."""
        return self.ranges_kev != LIMITS_NOT_RECORDED_KEV

    @property
    def width_kev(self) -> float:
        """Total width of the ranges, keV."""
        return sum(upper - lower for lower, upper in self.ranges_kev)


@dataclass(frozen=True, slots=True)
class Radiopharmaceutical:
    """What was injected: nuclide as ``Tc-99m``, the compound's name, when, and how much (MBq at that time).

    `date_recorded` is False where only the time of day is recorded and the date of `injection_time` was assumed.
    `tracer` tells what the compound is by its name: labelled leukocytes, a colloid that marrow takes up, another one,
    or unknown.
    """

    nuclide: str | None
    name: str = ""
    injection_time: datetime | None = None
    dose_mbq: float | None = None
    date_recorded: bool = True
    tracer: Tracer = "unknown"


@dataclass(frozen=True, slots=True)
class AcquisitionHeader:
    """What is known of an acquisition besides its pixels. No patient name, id or date of birth is kept.

    Parameters
    ----------
    kind : Kind
    start : datetime or None
        When counting began.
    radiopharmaceutical : Radiopharmaceutical or None
        The only one, or the first of several.
    other_radiopharmaceuticals : tuple of Radiopharmaceutical
        The further ones of a dual-isotope acquisition.
    collimator : str
        Collimator/grid Name as recorded, empty where it is not.
    manufacturer, model, description : str
    frame_of_reference_uid : str or None
    patient_position : str
        ``HFS``, ``HFP``, ``FFS``, ``FFP`` or empty.
    corrections : tuple of str
        Corrected Image (0028,0051): what the camera already did, such as ``DECY``, ``UNIF``, ``COR``.
    study_uid, series_uid : str
    sources : tuple of Path
        The files it was read from; empty for a simulated one.
    assumptions : tuple of str
        What the reader had to assume, one sentence each.
    """

    kind: Kind
    start: datetime | None = None
    radiopharmaceutical: Radiopharmaceutical | None = None
    collimator: str = ""
    manufacturer: str = ""
    model: str = ""
    description: str = ""
    frame_of_reference_uid: str | None = None
    patient_position: str = ""
    corrections: tuple[str, ...] = ()
    study_uid: str = ""
    series_uid: str = ""
    sources: tuple[Path, ...] = ()
    assumptions: tuple[str, ...] = ()
    other_radiopharmaceuticals: tuple[Radiopharmaceutical, ...] = ()

    @property
    def duration_assumed(self) -> bool:
        """Whether no duration of a view is recorded, so that rates are counts per view."""
        return any(text.endswith(DURATION_ASSUMED) for text in self.assumptions)

    @property
    def hours_after_injection(self) -> float | None:
        """Time from injection to the start of counting, hours; None where either is unknown."""
        injected = self.radiopharmaceutical
        if self.start is None or injected is None or injected.injection_time is None:
            return None
        return (self.start - injected.injection_time).total_seconds() / 3600.0
