"""Lesion against reference at one time, and the change between two times."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Collection, Mapping, Sequence
from math import nan

import numpy as np

from leukospect.errors import AssumptionWarning, InputError
from leukospect.quantification.intervals import (
    counts_ratio,
    quotient,
    resampled_interval,
    unknown,
    widened,
    without_bias,
)
from leukospect.quantification.measurements import Change, Interval, Measurement, Ratio, Region, TimePoint
from leukospect.quantification.probability import likely_changes
from leukospect.quantification.selection import CORRECTION_DEVIATION
from leukospect.quantification.spect import SpectSamples

_NOTHING = 1e-6
# No lesion takes up so many times what its reference does.
_MOST_UPTAKE = 50.0
_TIMES: tuple[TimePoint, ...] = ("early", "delayed", "late")
_SAMPLES = 10_000
_COUNTED = ("planar anterior", "planar posterior")

Deviations = Mapping[tuple[str, TimePoint, str], float]
"""By lesion, time and modality: deviation of the ratio's logarithm that misalignment is expected to leave."""


def ratio(
    lesion: Measurement,
    reference: Measurement,
    samples: SpectSamples | None = None,
    *,
    alignment_deviation: float = nan,
) -> Ratio:
    """Divide a lesion's mean uptake by its reference's.

    Planar: interval from counting statistics; what was made of several counts (geometric mean, background subtracted)
    by the intervals of both. SPECT: from the spread of the ratio's logarithm over the resampled reconstructions, both
    means of each from the same one, so that their common noise counts only once. What choosing a region in the image
    itself put on its mean is taken off.

    Parameters
    ----------
    lesion, reference : Measurement
        Of one time and modality.
    samples : SpectSamples or None
        For SPECT; without them the interval is not known (NaN).
    alignment_deviation : float
        Deviation of the ratio's logarithm that misalignment is expected to leave; NaN where not known.

    Raises
    ------
    InputError
        The two are not of one time and modality.
    """
    if (lesion.time_point, lesion.modality, lesion.unit) != (reference.time_point, reference.modality, reference.unit):
        raise InputError(f"'{lesion.region}' and '{reference.region}' were not measured at one time in one modality.")
    if lesion.modality != "spect" and reference.mean.value <= 0 < lesion.mean.low / _MOST_UPTAKE - reference.mean.high:
        # By chance there may be no count where few are expected; here the view is blank, or the body elsewhere.
        warnings.warn(
            f"No counts were seen in '{reference.region}' at the {reference.time_point} time ({reference.modality}), "
            f"so the ratio of '{lesion.region}' is not known: the view may be blank, or the region lies off the body.",
            AssumptionWarning,
            stacklevel=2,
        )
        value = unknown(nan)
    elif lesion.modality in _COUNTED:
        value = counts_ratio(lesion.mean, reference.mean)
    elif lesion.modality != "spect":
        value = quotient(lesion.mean, reference.mean)
    elif reference.mean.value <= _NOTHING * max(lesion.mean.value, 0.0):  # nothing took up where the reference lies
        value = unknown(nan)
    else:
        pairs = _ratios_of_replicates(lesion.region, reference.region, samples)
        value = resampled_interval(lesion.mean.value / reference.mean.value, pairs)
    bias = lesion.selection_bias - reference.selection_bias
    value = without_bias(value, bias, CORRECTION_DEVIATION * abs(bias))
    return Ratio(
        lesion.region, reference.region, lesion.time_point, lesion.hours, lesion.modality, value, alignment_deviation,
        None if np.isnan(alignment_deviation) else widened(value, alignment_deviation),
    )  # fmt: skip


def _ratios_of_replicates(lesion: str, reference: str, samples: SpectSamples | None) -> Sequence[float]:
    if samples is None:
        return ()
    numerators, denominators = samples.of(lesion), samples.of(reference)
    if np.any(denominators <= 0):
        return ()
    return [float(value) for value in numerators / denominators]


def change(
    earlier: Ratio,
    later: Ratio,
    lesion_earlier: Measurement,
    lesion_later: Measurement,
    *,
    only_ratios: bool = False,
) -> Change:
    """Compare a ratio at two times, with the lesion's own change and the change of its size beside it.

    Parameters
    ----------
    earlier, later : Ratio
        Of one lesion, reference and modality.
    lesion_earlier, lesion_later : Measurement
        The lesion's own uptake at the two times.
    only_ratios : bool
        Values at the two times are on different scales: the own change is not known (NaN).

    Returns
    -------
    Change
        NaN where a ratio is not defined; infinite where none was seen at the earlier time. The own change is NaN where
        the time since injection is not known, since rates at two times then refer to different moments.

    Raises
    ------
    InputError
        The two ratios are not of one lesion, reference and modality.
    """
    if (earlier.lesion, earlier.reference, earlier.modality) != (later.lesion, later.reference, later.modality):
        raise InputError("A change needs two ratios of one lesion and reference in one modality.")
    of_ratio = _minus_one(quotient(later.ratio, earlier.ratio))
    own_means = (_unselected(lesion) for lesion in (lesion_later, lesion_earlier))
    grown = quotient(later.total, earlier.total)
    errors = [error for error in (earlier.alignment_deviation, later.alignment_deviation) if not np.isnan(error)]
    timed = not np.isnan(lesion_earlier.hours) and not np.isnan(lesion_later.hours)
    own = _minus_one(quotient(*own_means)) if timed and not only_ratios else unknown(nan)
    opposite = (of_ratio.low > 0 and own.high < 0) or (of_ratio.high < 0 and own.low > 0)
    sizes = lesion_earlier.size, lesion_later.size
    return Change(
        lesion=later.lesion,
        reference=later.reference,
        modality=later.modality,
        from_time=earlier.time_point,
        to_time=later.time_point,
        change=of_ratio,
        own_change=own,
        size_change=sizes[1] / sizes[0] - 1.0 if sizes[0] > 0 else nan,
        disagreement=opposite,
        samples=tuple(likely_changes(grown, _SAMPLES).tolist()),
        change_total=_minus_one(grown) if errors else None,
        alignment_deviation=float(np.linalg.norm(errors)) if errors else nan,
    )


def _unselected(lesion: Measurement) -> Interval:
    """Give a lesion's mean without what choosing its region put on it."""
    return without_bias(lesion.mean, lesion.selection_bias, CORRECTION_DEVIATION * abs(lesion.selection_bias))


def _minus_one(interval: Interval) -> Interval:
    return Interval(interval.value - 1.0, interval.low - 1.0, interval.high - 1.0, interval.standard_deviation)


def all_ratios(
    measurements: Sequence[Measurement],
    regions: Sequence[Region],
    samples: Mapping[TimePoint, SpectSamples] | None = None,
    deviations: Deviations | None = None,
) -> tuple[Ratio, ...]:
    """Divide every lesion's uptake by its reference's wherever both were measured.

    Parameters
    ----------
    measurements : sequence of Measurement
        One of a region, time and modality.
    regions : sequence of Region
    samples : mapping or None
        For SPECT, at each time.
    deviations : mapping or None
        What misalignment is expected to leave.
    """
    by_key = {(m.region, m.time_point, m.modality): m for m in measurements}
    if len(by_key) < len(measurements):
        twice = next(m for m in measurements if by_key[m.region, m.time_point, m.modality] is not m)
        raise InputError(
            f"The region '{twice.region}' was measured twice at the {twice.time_point} time ({twice.modality}); keep "
            "one of these acquisitions, or set time_points so that they count as two times."
        )
    result = []
    for lesion, measurement in itertools.product((r for r in regions if r.role == "lesion"), measurements):
        reference = by_key.get((lesion.reference, measurement.time_point, measurement.modality))
        if measurement.region == lesion.name and reference is not None:
            error = (deviations or {}).get((lesion.name, measurement.time_point, measurement.modality), nan)
            resampled = (samples or {}).get(measurement.time_point)
            result.append(ratio(measurement, reference, resampled, alignment_deviation=error))
    return tuple(result)


def all_changes(
    ratios: Sequence[Ratio], measurements: Sequence[Measurement], *, only_ratios: Collection[str] = ()
) -> tuple[Change, ...]:
    """Compare every ratio with every later one of the same lesion and modality: early, delayed, late.

    Parameters
    ----------
    ratios : sequence of Ratio
    measurements : sequence of Measurement
    only_ratios : collection of str
        Modalities whose values at several times are on different scales.
    """
    by_key = {(m.region, m.time_point, m.modality): m for m in measurements}
    return tuple(
        change(
            earlier,
            later,
            by_key[earlier.lesion, earlier.time_point, earlier.modality],
            by_key[later.lesion, later.time_point, later.modality],
            only_ratios=later.modality in only_ratios,
        )
        for earlier, later in itertools.product(ratios, ratios)
        if (earlier.lesion, earlier.modality) == (later.lesion, later.modality)
        and _TIMES.index(earlier.time_point) < _TIMES.index(later.time_point)
    )
