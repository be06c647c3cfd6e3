"""One injection for all acquisitions of a study, where they record its time of day without its date."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from leukospect.data import Acquisition
from leukospect.dicom.read.times import WITHOUT_A_DATE

_LONGEST = timedelta(days=3)  # labelled leukocytes are not imaged later
_SAME_TIME = timedelta(minutes=1)


def with_one_injection_date(acquisitions: Sequence[Acquisition]) -> list[Acquisition]:
    """Take one injection for all acquisitions that record the same time of day and no date.

    Read alone, an acquisition is taken to follow the injection by less than a day; one of the next day would then have
    an injection of its own. The earliest of them, up to three days before, holds for the later ones too. A colloid's
    injections are its own.

    Parameters
    ----------
    acquisitions : sequence of Acquisition
        Of one patient.

    Returns
    -------
    list of Acquisition
        In the same order; what was assumed is in their headers.
    """
    known: dict[bool, list[datetime]] = {True: [], False: []}
    for acquisition in acquisitions:
        moment = _injection(acquisition)
        if moment is not None:
            known[_of_colloid(acquisition)].append(moment)
    return [_placed(acquisition, sorted(known[_of_colloid(acquisition)])) for acquisition in acquisitions]


def _of_colloid(acquisition: Acquisition) -> bool:
    """Tell what was given for a marrow scan, at the same time of another day as like as not."""
    injected = acquisition.header.radiopharmaceutical
    return injected is not None and injected.tracer == "colloid"


def _injection(acquisition: Acquisition) -> datetime | None:
    injected = acquisition.header.radiopharmaceutical
    return None if injected is None else injected.injection_time


def _placed(acquisition: Acquisition, known: Sequence[datetime]) -> Acquisition:
    header, injected = acquisition.header, acquisition.header.radiopharmaceutical
    if injected is None or injected.injection_time is None or injected.date_recorded:
        return acquisition
    own = injected.injection_time
    earlier = [one for one in known if one <= own and own - one <= _LONGEST and _same_time_of_day(one, own)]
    if not earlier or earlier[0] == own:
        return acquisition
    said = f"{WITHOUT_A_DATE}; it is taken as the one before the study's first acquisition."
    assumptions = tuple(said if text.startswith(WITHOUT_A_DATE) else text for text in header.assumptions)
    moved = replace(header, radiopharmaceutical=replace(injected, injection_time=earlier[0]), assumptions=assumptions)
    return replace(acquisition, header=moved)


def _same_time_of_day(one: datetime, other: datetime) -> bool:
    apart = (other - one) % timedelta(days=1)
    return min(apart, timedelta(days=1) - apart) <= _SAME_TIME
