"""What is measured: plain values that flow from the images to the rule and the report."""

from __future__ import annotations

from dataclasses import dataclass
from math import nan
from typing import Literal

Role = Literal["lesion", "reference"]
TimePoint = Literal["early", "delayed", "late"]


@dataclass(frozen=True, slots=True)
class Interval:
    """A value with its 95 % interval and standard deviation."""

    value: float
    low: float
    high: float
    standard_deviation: float


@dataclass(frozen=True, slots=True)
class Region:
    """A volume of interest on a label image, and where it lies.

    Parameters
    ----------
    label : int
        Its value in the label image, 1 or more.
    name : str
    role : ``lesion`` or ``reference``
    reference : str
        For a lesion: the name of the region it is compared with.
    volume_ml : float
    centroid_mm : (x, y, z), LPS
    side : ``left``, ``right`` or ``midline`` of the patient
    source : str
        ``drawn`` or how it was found.
    """

    label: int
    name: str
    role: Role
    reference: str
    volume_ml: float
    centroid_mm: tuple[float, float, float]
    side: str
    source: str


@dataclass(frozen=True, slots=True)
class Measurement:
    """Uptake of one region at one time in one modality.

    Parameters
    ----------
    region : str
    time_point : ``early``, ``delayed`` or ``late``
    hours : float
        Hours from injection to the start of the acquisition; NaN where unknown.
    modality : ``spect``, ``planar anterior``, ``planar posterior`` or ``planar geometric mean``
    unit : str
        ``counts/s/mL``, ``Bq/mL`` or ``counts/s/pixel``; rates are decay-corrected to the injection where its time is
        known, else to the start of that acquisition.
    mean : Interval
    maximum : float
    hottest_mm : (x, y, z) or None
        LPS place of the maximum (None for planar images without a position).
    raw_mean : float
        The mean without decay correction to the injection.
    size, size_unit : float, str
        Volume (mL) or area (cm2) above the common threshold inside the region.
    selection_bias : float
        What choosing the region in this very image is expected to have put on the mean, as a logarithm (`selection`);
        taken off ratios and changes, not off the mean as it is measured. 0 for drawn regions.
    """

    region: str
    time_point: TimePoint
    hours: float
    modality: str
    unit: str
    mean: Interval
    maximum: float
    hottest_mm: tuple[float, float, float] | None
    raw_mean: float
    size: float
    size_unit: str
    selection_bias: float = 0.0


@dataclass(frozen=True, slots=True)
class Ratio:
    """Lesion to reference at one time in one modality.

    Parameters
    ----------
    lesion, reference, time_point, hours, modality
        As in `Measurement`.
    ratio : Interval
        Of counting statistics alone.
    alignment_deviation : float
        Standard deviation of the ratio's logarithm that misalignment is expected to leave; NaN where not known.
    ratio_total : Interval or None
        Both together: what rules rest on. None where the second is not known.
    """

    lesion: str
    reference: str
    time_point: TimePoint
    hours: float
    modality: str
    ratio: Interval
    alignment_deviation: float = nan
    ratio_total: Interval | None = None

    @property
    def total(self) -> Interval:
        """The ratio with counting and alignment in its interval, as far as known."""
        return self.ratio_total or self.ratio


@dataclass(frozen=True, slots=True)
class Change:
    """Relative change R_late / R_early - 1 of a ratio between two named times.

    Parameters
    ----------
    lesion, reference, modality : str
    from_time, to_time : str
    change : Interval
        0.25 means grown by a quarter; of counting statistics alone.
    own_change : Interval
        The lesion's own decay-corrected change, reference left out.
    size_change : float
        Relative change of the size on the common threshold; NaN where the earlier size is zero.
    disagreement : bool
        The ratio and the lesion's own uptake point in opposite directions beyond their intervals.
    samples : tuple of float
        Changes in proportion to their probability (`probability.likely_changes`), all errors included.
    change_total : Interval or None
        `change` with the errors of alignment in its interval: what rules rest on. None where they are not known.
    alignment_deviation : float
        Of the logarithm of 1 + change, that of both ratios together; NaN where not known.
    """

    lesion: str
    reference: str
    modality: str
    from_time: TimePoint
    to_time: TimePoint
    change: Interval
    own_change: Interval
    size_change: float
    disagreement: bool
    samples: tuple[float, ...]
    change_total: Interval | None = None
    alignment_deviation: float = nan

    @property
    def total(self) -> Interval:
        """The change with counting and alignment in its interval, as far as known."""
        return self.change_total or self.change
