"""What is made of planar measurements: the geometric mean of two opposed views, and uptake above a background."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from leukospect.errors import InputError
from leukospect.quantification.intervals import difference, geometric_mean
from leukospect.quantification.measurements import Measurement

RING = "ring"
_GAP_MM, _WIDTH_MM = 10.0, 15.0
_OPPOSED = ("planar anterior", "planar posterior")


def geometric_means(measurements: Sequence[Measurement]) -> tuple[Measurement, ...]:
    """Give the geometric mean of each region's anterior and posterior uptake, where both were measured at a time.

    How deep the uptake lies hardly changes it, unlike either view. The views' counts are independent: the intervals are
    put together in the logarithm (`intervals.geometric_mean`).

    Parameters
    ----------
    measurements : sequence of Measurement
        Others than the two planar views are passed over.

    Returns
    -------
    tuple of Measurement
        In ``planar geometric mean``; without a place of the maximum, which each view has of its own, nor a size.
    """
    by_key = {(m.region, m.time_point, m.modality): m for m in measurements}
    pairs = [(m, by_key.get((m.region, m.time_point, _OPPOSED[1]))) for m in measurements if m.modality == _OPPOSED[0]]
    return tuple(
        replace(
            anterior,
            modality="planar geometric mean",
            mean=geometric_mean(anterior.mean, posterior.mean),
            maximum=math.sqrt(anterior.maximum * posterior.maximum),
            hottest_mm=None,
            raw_mean=math.sqrt(anterior.raw_mean * posterior.raw_mean),
            size=math.nan,
            selection_bias=(anterior.selection_bias + posterior.selection_bias) / 2,
        )
        for anterior, posterior in pairs
        if posterior is not None
    )


def rings(masks: Mapping[str, NDArray[np.bool_]], pixel_mm: tuple[float, float]) -> dict[str, NDArray[np.bool_]]:
    """Lay a ring around each region, 10 to 25 mm from it, that leaves out all regions: its background.

    Parameters
    ----------
    masks : mapping
        Region's name to its (rows, columns) mask.
    pixel_mm : (between rows, between columns)

    Returns
    -------
    dict
        A region whose ring has no pixel is left out.
    """
    regions = np.logical_or.reduce(list(masks.values())) if masks else np.zeros((0, 0), np.bool_)
    found = {}
    for name, mask in masks.items():
        away = ndimage.distance_transform_edt(~mask, sampling=pixel_mm)
        ring = (away > _GAP_MM) & (away <= _GAP_MM + _WIDTH_MM) & ~regions
        if ring.any():
            found[name] = ring
    return found


def above_background(
    measurements: Sequence[Measurement], backgrounds: Mapping[str, Measurement], background: str
) -> tuple[Measurement, ...]:
    """Subtract a background's rate per pixel, scaled to each region's size, with the counting error of both.

    Parameters
    ----------
    measurements : sequence of Measurement
        Of one view at one time.
    backgrounds : mapping
        Region's name to its background in the same view.
    background : str
        What it was, for the modality's name: ``ring`` or the name of a drawn region.

    Returns
    -------
    tuple of Measurement
        In a modality of its own, such as ``planar anterior above ring``, so that no published rule takes it for the
        uptake it was published for; of regions that have a background.
    """
    return tuple(
        replace(
            m,
            modality=f"{m.modality} above {background}",
            mean=difference(m.mean, backgrounds[m.region].mean),
            maximum=m.maximum - backgrounds[m.region].mean.value,
            selection_bias=_of_net(m, backgrounds[m.region]),
            raw_mean=m.raw_mean - backgrounds[m.region].raw_mean,
        )
        for m in measurements
        if m.region in backgrounds
    )


def _of_net(gross: Measurement, background: Measurement) -> float:
    """Give the same excess as a part of what is left above the background."""
    net = gross.mean.value - background.mean.value
    excess = gross.mean.value * -math.expm1(-gross.selection_bias)
    return -math.log1p(-excess / net) if net > excess else 0.0


def drawn_background(measurements: Sequence[Measurement], name: str) -> dict[str, Measurement]:
    """Take a measured region as the background of all others of its view.

    Raises
    ------
    InputError
        No region has that name.
    """
    found = next((m for m in measurements if m.region == name), None)
    if found is None:
        raise InputError(
            f"The planar background '{name}' (planar.background) is no region that was measured in the view; draw it, "
            "or take ring or none."
        )
    return {m.region: found for m in measurements if m.region != name}
