"""What is told of planar views besides their measurements: saturation, infiltration, and whether times are alike."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from leukospect.acquired_alike import Acquired, different_corrections, different_sensitivity
from leukospect.consistency import find_injection_site, find_saturation
from leukospect.data import EnergyWindow, PlanarImages
from leukospect.errors import AssumptionWarning, LeukospectError
from leukospect.planar_measurement import photopeak_of_planar
from leukospect.protocol import Protocol
from leukospect.quantification.measurements import Region
from leukospect.quantification.planar import project_regions
from leukospect.study_measurement import PlacedRegions

PLANAR = ("planar anterior", "planar posterior", "planar geometric mean")
_BESIDE_MM = 20.0  # regions are projected as they lay at the last time


def check_planar(views: Sequence[PlanarImages], placed: PlacedRegions, protocol: Protocol) -> str:
    """Tell what is wrong with planar views, and say why their times can be compared by ratios only.

    Parameters
    ----------
    views : sequence of PlanarImages
    placed : PlacedRegions
    protocol : Protocol

    Returns
    -------
    str
        As `acquired_alike.different_sensitivity`; empty where values of all times are on one scale.

    Warns
    -----
    AssumptionWarning
        Saturation; a spot that may be the injection site; times that were not acquired alike.
    """
    for planar in views:
        _check_each(planar, placed, protocol)
    timed = [one for one in views if one.header.hours_after_injection is not None]
    if len(timed) < 2:
        return ""
    acquired = [Acquired(_when(one), one.header, _peak(one, protocol)) for one in timed]
    reason = different_sensitivity(acquired)
    if not reason and len({one.header.kind == "WHOLE BODY" for one in timed}) > 1:
        reason = "some were scanned along the body and others taken standing still"
    if not reason and any(one.header.duration_assumed for one in timed):
        reason = "of some no duration is recorded, so that their rates are counts per view"
    if reason:
        _say(
            f"The planar views of several times are compared by ratios only: {reason}. A lesion's own change is not "
            "given; where resolution differs, the ratio's change holds no further than that."
        )
    corrections = different_corrections(acquired)
    if corrections:
        _say(f"The planar views of some times were corrected by the camera ({corrections}) and others not.")
    return reason


def _check_each(planar: PlanarImages, placed: PlacedRegions, protocol: Protocol) -> None:
    if planar.summed_frames == 1:
        for found in find_saturation(planar.counts):
            _say(f"Planar views {_when(planar)}: {found.sentence()}")
    window = _peak(planar, protocol)
    if window is None:
        return
    counts = planar.counts[planar.energy_windows.index(window)]
    for view, name in enumerate(planar.view_names):
        if name not in ("anterior", "posterior"):
            continue
        masks = _masks(planar, view, placed)
        drawn = [mask for region, mask in masks if region.source == "drawn"]
        left_out = None if not drawn else _widened(np.logical_or.reduce(drawn), planar.pixel_mm)
        site = find_injection_site(counts[view], planar.pixel_mm, left_out)
        if site is not None:
            lesions = [region.name for region, mask in masks if mask[site.row, site.column] and region.role == "lesion"]
            _say(f"Planar views {_when(planar)}: {site.sentence(name, lesions[0] if lesions else '')}")


def _peak(planar: PlanarImages, protocol: Protocol) -> EnergyWindow | None:
    """Find the photopeak window; None where it is not known, as of views that are not measured."""
    try:
        return planar.energy_windows[photopeak_of_planar(planar, protocol)[0]]
    except LeukospectError:
        return None


def _masks(planar: PlanarImages, view: int, placed: PlacedRegions) -> list[tuple[Region, NDArray[np.bool_]]]:
    if planar.first_pixel_mm is None or not placed.regions:
        return []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AssumptionWarning)  # the measurement tells the same
        masks = project_regions(placed.labels[-1], placed.regions, planar, view)
    return [(region, masks[region.name]) for region in placed.regions if region.name in masks]


def _widened(mask: NDArray[np.bool_], pixel_mm: tuple[float, float]) -> NDArray[np.bool_]:
    return np.asarray(ndimage.distance_transform_edt(~mask, sampling=pixel_mm) <= _BESIDE_MM)


def _when(planar: PlanarImages) -> str:
    hours = planar.header.hours_after_injection
    return "at an unknown time" if hours is None else f"at {hours:.1f} h"


def _say(text: str) -> None:
    warnings.warn(text, AssumptionWarning, stacklevel=4)
