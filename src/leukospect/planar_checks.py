"""What is told of planar views besides their measurements: saturation, infiltration, and whether times are alike."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from leukospect.acquired_alike import Acquired, different_corrections, different_sensitivity
from leukospect.consistency import find_injection_site, find_saturation
from leukospect.data import EnergyWindow, PlanarImages
from leukospect.errors import AssumptionWarning, LeukospectError
from leukospect.physics.decay import decay_factor
from leukospect.planar_measurement import photopeak_of_planar
from leukospect.protocol import Protocol
from leukospect.quantification.measurements import Region
from leukospect.quantification.planar import project_regions
from leukospect.study_measurement import PlacedRegions

PLANAR = ("planar anterior", "planar posterior", "planar geometric mean")
_MOST_RISE = 2.0
"""Beyond this a whole view's rate, decay-corrected, cannot rise: cells move within the body, and leave it."""
_SAME_PLACE_MM = 20.0
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
    recorded = [one.header.radiopharmaceutical for one in timed]
    nuclides = sorted({one.nuclide for one in recorded if one is not None and one.nuclide})
    if len(nuclides) > 1:
        used = f"; all are measured as {protocol.nuclide}" if protocol.nuclide else ""
        _say(f"The planar views of several times record different nuclides ({' and '.join(nuclides)}){used}.")
    acquired = [Acquired(_when(one), one.header, _peak(one, protocol)) for one in timed]
    reason = different_sensitivity(acquired)
    if not reason and len({one.header.kind == "WHOLE BODY" for one in timed}) > 1:
        reason = "some were scanned along the body and others taken standing still"
    if not reason and any(one.header.duration_assumed for one in timed):
        reason = "of some no duration is recorded, so that their rates are counts per view"
    if not reason:
        _check_rates(timed, protocol)
    else:
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
        if not counts[view].any():
            _say(f"Planar views {_when(planar)}: the {name} view holds no counts in its photopeak.")
        if name not in ("anterior", "posterior"):
            continue
        masks = _masks(planar, view, placed)
        drawn = [mask for region, mask in masks if region.source == "drawn"]
        left_out = None if not drawn else _widened(np.logical_or.reduce(drawn), planar.pixel_mm)
        site = find_injection_site(counts[view], planar.pixel_mm, left_out)
        if site is not None:
            lesions = [region.name for region, mask in masks if mask[site.row, site.column] and region.role == "lesion"]
            _say(f"Planar views {_when(planar)}: {site.sentence(name, lesions[0] if lesions else '')}")


def _check_rates(timed: Sequence[PlanarImages], protocol: Protocol) -> None:
    """Tell of whole views whose rate rose more than cells can make it: a duration or a nuclide is wrong."""
    for before, after in pairwise(timed):
        rates = {name: _rates(before, after, name, protocol) for name in ("anterior", "posterior")}
        rises = {name: late / early for name, (early, late) in rates.items() if early > 0}
        worst = max(rises, key=lambda name: rises[name], default="")
        if worst and rises[worst] > _MOST_RISE:
            _say(
                f"Planar views {_when(before)} and {_when(after)}: the whole {worst} view's rate, decay-corrected, "
                f"rose {rises[worst]:.1f} times, which labelled cells cannot do; check the recorded durations and the "
                "nuclide."
            )


def _rates(before: PlanarImages, after: PlanarImages, name: str, protocol: Protocol) -> tuple[float, float]:
    """Return the counts per second of a whole view at two times, as at the injection; zeros if not of one place."""
    one, other = before.first_pixel_mm, after.first_pixel_mm
    if name not in before.view_names or name not in after.view_names or one is None or other is None:
        return 0.0, 0.0
    places = one[before.view_names.index(name)], other[after.view_names.index(name)]
    sizes = [np.multiply(planar.counts.shape[2:], planar.pixel_mm) for planar in (before, after)]
    if max(np.abs(places[0] - places[1]).max(), np.abs(sizes[0] - sizes[1]).max()) > _SAME_PLACE_MM:
        return 0.0, 0.0
    return _rate(before, name, protocol), _rate(after, name, protocol)


def _rate(planar: PlanarImages, name: str, protocol: Protocol) -> float:
    view, hours = planar.view_names.index(name), planar.header.hours_after_injection
    if planar.header.duration_assumed or hours is None or _peak(planar, protocol) is None:
        return 0.0
    window, half_life_s = photopeak_of_planar(planar, protocol)
    total = float(planar.counts[window, view].sum(dtype=np.float64)) / float(planar.view_duration_s[view])
    return total / decay_factor(half_life_s, hours * 3600.0)


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
