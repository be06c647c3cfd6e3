"""Planar views stored in parts: views of one time, or energy windows of one view, become one acquisition."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from leukospect.data import Acquisition, AcquisitionHeader, PlanarImages

_SIMULTANEOUS_S = 60.0


def paired_views(acquisitions: Sequence[Acquisition]) -> list[Acquisition]:
    """Join single anterior and posterior views that were taken together, and the energy windows of one view.

    They are joined where kind, matrix, pixels and study agree and their starts are within a minute; the joined
    acquisition starts with the earlier one.
    """
    return _in_pairs(_in_pairs(list(acquisitions), _with_other_windows), _with_other_view)


def _in_pairs(
    acquisitions: list[Acquisition], joined: Callable[[PlanarImages, PlanarImages], PlanarImages | None]
) -> list[Acquisition]:
    result: list[Acquisition] = []
    for acquisition in acquisitions:
        whole = None
        if isinstance(acquisition, PlanarImages):
            for place, other in enumerate(result):
                whole = joined(other, acquisition) if isinstance(other, PlanarImages) else None
                if whole is not None:
                    result[place] = whole
                    break
        if whole is None:
            result.append(acquisition)
    return result


def _at_one_time(one: PlanarImages, other: PlanarImages) -> bool:
    starts = (one.header.start, other.header.start)
    return (
        one.header.kind == other.header.kind
        and one.header.study_uid == other.header.study_uid
        and one.counts.shape[2:] == other.counts.shape[2:]
        and one.pixel_mm == other.pixel_mm
        and one.summed_frames == other.summed_frames
        and starts[0] is not None
        and starts[1] is not None
        and abs((starts[0] - starts[1]).total_seconds()) <= _SIMULTANEOUS_S
    )


def _joined_header(one: PlanarImages, other: PlanarImages) -> AcquisitionHeader:
    return replace(
        one.header,
        start=min(part.header.start for part in (one, other) if part.header.start is not None),
        sources=one.header.sources + other.header.sources,
        assumptions=tuple(dict.fromkeys(one.header.assumptions + other.header.assumptions)),
    )


def _with_other_windows(one: PlanarImages, other: PlanarImages) -> PlanarImages | None:
    ranges = [{window.ranges_kev for window in part.energy_windows} for part in (one, other)]
    same_places = (one.first_pixel_mm is None and other.first_pixel_mm is None) or (
        one.first_pixel_mm is not None
        and other.first_pixel_mm is not None
        and bool(np.allclose(one.first_pixel_mm, other.first_pixel_mm, atol=0.1))
    )
    if (
        not _at_one_time(one, other)
        or one.view_names != other.view_names
        or ranges[0] & ranges[1]
        or not same_places
        or not np.array_equal(one.view_duration_s, other.view_duration_s)
    ):
        return None
    return replace(
        one,
        counts=np.concatenate([one.counts, other.counts], axis=0),
        energy_windows=one.energy_windows + other.energy_windows,
        header=_joined_header(one, other),
    )


def _with_other_view(one: PlanarImages, other: PlanarImages) -> PlanarImages | None:
    if (
        not _at_one_time(one, other)
        or {*one.view_names, *other.view_names} != {"anterior", "posterior"}
        or not len(one.view_names) == len(other.view_names) == 1
        or {window.ranges_kev for window in one.energy_windows} != {w.ranges_kev for w in other.energy_windows}
    ):
        return None
    windows = [window.ranges_kev for window in other.energy_windows]
    order = [windows.index(window.ranges_kev) for window in one.energy_windows]
    other = replace(
        other, counts=other.counts[order], energy_windows=tuple(other.energy_windows[index] for index in order)
    )
    views = sorted((one, other), key=lambda view: view.view_names)
    places = [view.first_pixel_mm for view in views if view.first_pixel_mm is not None]
    return PlanarImages(
        counts=np.concatenate([view.counts for view in views], axis=1),
        energy_windows=one.energy_windows,
        view_names=tuple(view.view_names[0] for view in views),
        pixel_mm=one.pixel_mm,
        view_duration_s=np.concatenate([view.view_duration_s for view in views]),
        header=_joined_header(one, other),
        first_pixel_mm=np.concatenate(places) if len(places) == len(views) else None,
        summed_frames=one.summed_frames,
    )
