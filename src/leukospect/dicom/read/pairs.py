"""Planar views stored one a file: an anterior and a posterior view of one time become one acquisition."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from leukospect.data import Acquisition, PlanarImages

_SIMULTANEOUS_S = 60.0


def paired_views(acquisitions: Sequence[Acquisition]) -> list[Acquisition]:
    """Join single anterior and posterior views that were taken together.

    They are joined where kind, matrix, pixels, energy windows and series' study agree and their starts are within a
    minute; the joined acquisition starts with the earlier one.
    """
    result: list[Acquisition] = []
    for acquisition in acquisitions:
        partner = next((other for other in result if _together(other, acquisition)), None)
        if partner is None:
            result.append(acquisition)
        elif isinstance(partner, PlanarImages) and isinstance(acquisition, PlanarImages):
            result[result.index(partner)] = _joined(partner, acquisition)
    return result


def _together(one: Acquisition, other: Acquisition) -> bool:
    if not isinstance(one, PlanarImages) or not isinstance(other, PlanarImages):
        return False
    starts = (one.header.start, other.header.start)
    return (
        {*one.view_names, *other.view_names} == {"anterior", "posterior"}
        and len(one.view_names) == len(other.view_names) == 1
        and one.header.kind == other.header.kind
        and one.header.study_uid == other.header.study_uid
        and one.counts.shape == other.counts.shape
        and one.pixel_mm == other.pixel_mm
        and one.energy_windows == other.energy_windows
        and starts[0] is not None
        and starts[1] is not None
        and abs((starts[0] - starts[1]).total_seconds()) <= _SIMULTANEOUS_S
    )


def _joined(one: PlanarImages, other: PlanarImages) -> PlanarImages:
    views = sorted((one, other), key=lambda view: view.view_names)
    header = replace(
        one.header,
        start=min(view.header.start for view in views if view.header.start is not None),
        sources=one.header.sources + other.header.sources,
        assumptions=tuple(dict.fromkeys(one.header.assumptions + other.header.assumptions)),
    )
    places = [view.first_pixel_mm for view in views if view.first_pixel_mm is not None]
    return PlanarImages(
        counts=np.concatenate([view.counts for view in views], axis=1),
        energy_windows=one.energy_windows,
        view_names=tuple(view.view_names[0] for view in views),
        pixel_mm=one.pixel_mm,
        view_duration_s=np.concatenate([view.view_duration_s for view in views]),
        header=header,
        first_pixel_mm=np.concatenate(places) if len(places) == len(views) else None,
    )
