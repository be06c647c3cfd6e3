"""What is measured: plain values that flow from the images to the rule and the report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import nan
from typing import Literal

IN_LATE, IN_BOTH = "focus of the late image", "focus of both times"
"""Sources of regions: found, and grown, in the late image or in the mean of both times."""

Role = Literal["lesion", "reference", "physiological"]
TimePoint = Literal["early", "delayed", "late"]
Tissue = Literal["implant", "bone", "soft tissue", "skin"]
TISSUES: tuple[Tissue, ...] = ("implant", "bone", "soft tissue", "skin")


@dataclass(frozen=True, slots=True)
class Interval:
    """A value with its 95 % interval and standard deviation."""

    value: float
    low: float
    high: float
    standard_deviation: float


@dataclass(frozen=True, slots=True)
class Finding:
    """How a region stood out where it was found.

    Parameters
    ----------
    contrast : float
        Its uptake over that of the tissue round it, both seen through a Gaussian of `scale_mm`.
    contrast_to_noise : float
        log(contrast) in standard deviations of its noise.
    false_discovery_rate : float
        The least rate at which it is believed.
    scale_mm : float
        Standard deviation of the Gaussian at which it stood out most.
    growth, growth_error : float
        `contrast` over that of the earlier image, NaN where there is none, and its relative standard deviation.
    """

    contrast: float
    contrast_to_noise: float
    false_discovery_rate: float
    scale_mm: float
    growth: float = nan
    growth_error: float = 0.0


@dataclass(frozen=True, slots=True)
class Region:
    """A volume of interest on a label image, and where it lies.

    Parameters
    ----------
    label : int
        Its value in the label image, 1 or more.
    name : str
    role : ``lesion``, ``reference`` or ``physiological``
        What is physiological is measured and listed, but not judged.
    reference : str
        For a lesion: the name of the region it is compared with.
    volume_ml : float
    centroid_mm : (x, y, z), LPS
    side : ``left``, ``right`` or ``midline`` of the patient
    source : str
        ``drawn`` or how it was found.
    likely : str
        For what is physiological: what it is likely to be, as ``bladder``.
    remark : str
        Why it is taken for physiological, or what speaks for that where it was left a lesion; empty where nothing does.
    finding : Finding or None
        None where it was drawn, or is a mirror.
    """

    label: int
    name: str
    role: Role
    reference: str
    volume_ml: float
    centroid_mm: tuple[float, float, float]
    side: str
    source: str
    likely: str = ""
    remark: str = ""
    finding: Finding | None = None


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
        ``counts/s/mL``, ``Bq/mL``, ``counts/s/pixel``, or ``counts/view/pixel`` where no duration is
        recorded; rates are decay-corrected to the injection where its time is known, else to the start of that
        acquisition.
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


@dataclass(frozen=True, slots=True)
class Location:
    """Where a region's uptake lies on the CT.

    Parameters
    ----------
    region : str
    tissue : ``implant``, ``bone``, ``soft tissue`` or ``skin``
        Near which the largest part of the hot part's uptake lies.
    or_beside : tuple of str
        Other tissues that cannot be told from it: they are nearer to the hottest point than `uncertainty_mm`.
    shares : mapping
        Part of the hot part's uptake near each tissue; they add up to 1.
    side : ``left``, ``right`` or ``midline``
    hottest_mm : (x, y, z)
        LPS place in the SPECT.
    hottest_to_metal_mm, edge_to_metal_mm : float
        From the hottest point and from the region's nearest voxel; 0 inside, NaN where there is no metal.
    hottest_to_bone_mm, edge_to_bone_mm, hottest_to_skin_mm, edge_to_skin_mm : float
        Likewise.
    level : str
        Along the body, from the ends of metal or bone; empty where neither tells.
    elongated : bool
        A tract: at least 30 mm long and twice as long as wide.
    length_mm, width_mm : float
        As of a straight rod; `resolution_mm` is taken off the width.
    direction : (x, y, z)
        Of its long axis, LPS.
    reaches_skin : bool
        Elongated, and one of its ends is at the skin.
    registration_error_mm, resolution_mm, uncertainty_mm : float
        Expected error of the alignment (NaN where it is not known), the FWHM of the SPECT, and half of that together
        with the error.
    sentence : str
        The above in words.
    """

    region: str
    tissue: Tissue
    or_beside: tuple[Tissue, ...]
    shares: Mapping[Tissue, float]
    side: str
    hottest_mm: tuple[float, float, float]
    hottest_to_metal_mm: float
    edge_to_metal_mm: float
    hottest_to_bone_mm: float
    edge_to_bone_mm: float
    hottest_to_skin_mm: float
    edge_to_skin_mm: float
    level: str
    elongated: bool
    length_mm: float
    width_mm: float
    direction: tuple[float, float, float]
    reaches_skin: bool
    registration_error_mm: float
    resolution_mm: float
    uncertainty_mm: float
    sentence: str
