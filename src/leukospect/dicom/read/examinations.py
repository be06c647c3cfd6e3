"""One patient's acquisitions to examinations: what followed one injection, with its CT."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from leukospect.data import Acquisition

_ONE_INJECTION = timedelta(hours=1)  # clocks differ by minutes
_ONE_EXAMINATION = timedelta(hours=36)  # late images follow within a day


def examination_numbers(acquisitions: Sequence[Acquisition]) -> list[int]:
    """Tell which examination each acquisition of one patient belongs to.

    Those after one injection are one examination. Those that record no injection, such as CT, belong to the one whose
    frame of reference they share, else to the one of their study, else to the nearest in time within a day and a half.

    Parameters
    ----------
    acquisitions : sequence of Acquisition

    Returns
    -------
    list of int
        Counted from 1, in order of time.
    """
    groups: list[list[Acquisition]] = []
    unplaced: list[Acquisition] = []
    for acquisition in acquisitions:
        if _injection(acquisition) is None:
            unplaced.append(acquisition)
            continue
        group = next((group for group in groups if _same_injection(group[0], acquisition)), None)
        if group is None:
            groups.append([acquisition])
        else:
            group.append(acquisition)
    for acquisition in sorted(unplaced, key=_start_or_last):
        group = _where_it_belongs(acquisition, groups)
        if group is None:
            groups.append([acquisition])
        else:
            group.append(acquisition)
    ordered = sorted(groups, key=lambda group: min(_start_or_last(one) for one in group))
    number = {id(one): index for index, group in enumerate(ordered, start=1) for one in group}
    return [number[id(acquisition)] for acquisition in acquisitions]


def _injection(acquisition: Acquisition) -> datetime | None:
    injected = acquisition.header.radiopharmaceutical
    return None if injected is None else injected.injection_time


def _same_injection(one: Acquisition, other: Acquisition) -> bool:
    first, second = _injection(one), _injection(other)
    return first is not None and second is not None and abs(first - second) <= _ONE_INJECTION


def _start_or_last(acquisition: Acquisition) -> datetime:
    return acquisition.header.start or datetime.max


def _where_it_belongs(acquisition: Acquisition, groups: list[list[Acquisition]]) -> list[Acquisition] | None:
    header = acquisition.header
    for keyword in ("frame_of_reference_uid", "study_uid"):
        uid = getattr(header, keyword)
        for group in groups:
            if uid and any(getattr(other.header, keyword) == uid for other in group):
                return group
    if header.start is None:
        return groups[0] if len(groups) == 1 else None
    near = [
        (abs(other.header.start - header.start), group) for group in groups for other in group if other.header.start
    ]
    within = [(apart, index) for index, (apart, _) in enumerate(near) if apart <= _ONE_EXAMINATION]
    return near[min(within)[1]][1] if within else None
