"""Dates and times as DICOM writes them."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from pydicom.dataset import Dataset

from leukospect.dicom.elements import named, text

_DATE = re.compile(r"^(\d{4})[.\-]?(\d{2})[.\-]?(\d{2})$")
_TIME = re.compile(r"^(\d{2}):?(?:(\d{2}):?(?:(\d{2})(?:\.(\d{1,6})\d*)?)?)?$")
_ZONE = re.compile(r"[+-]\d{4}$")


def date_and_time(date: str, time: str) -> datetime | None:
    """Read a date (DA) and a time (TM); None where either is absent or is not one."""
    day, clock = _DATE.match(date.strip()), _TIME.match(time.strip())
    if day is None or clock is None:
        return None
    hour, minute, second = (int(part or 0) for part in clock.groups()[:3])
    microsecond = int((clock.group(4) or "").ljust(6, "0"))
    try:
        # A leap second is written as 60; timedelta carries it over.
        midnight = datetime(int(day.group(1)), int(day.group(2)), int(day.group(3)))
    except ValueError:
        return None
    if hour > 23 or minute > 59 or second > 60:
        return None
    return midnight + timedelta(hours=hour, minutes=minute, seconds=second, microseconds=microsecond)


def moment(value: str) -> datetime | None:
    """Read a date and time in one (DT), without its time zone; None where it is absent or has no time."""
    value = _ZONE.sub("", value.strip())
    return date_and_time(value[:8], value[8:]) if len(value) > 8 else None


def acquisition_start(dataset: Dataset, assumptions: list[str]) -> datetime | None:
    """Find when counting began; what is taken in place of the acquisition's own time is said in `assumptions`."""
    start = date_and_time(text(dataset, "AcquisitionDate"), text(dataset, "AcquisitionTime"))
    start = start or moment(text(dataset, "AcquisitionDateTime"))
    if start is not None:
        return start
    for which in ("Series", "Content"):
        start = date_and_time(text(dataset, f"{which}Date"), text(dataset, f"{which}Time"))
        if start is not None:
            assumptions.append(
                f"{named('AcquisitionTime')} is missing; {named(f'{which}Time')} is taken as the start of counting."
            )
            return start
    assumptions.append("No date and time of the acquisition is recorded; its place in time is unknown.")
    return None


def injection_moment(item: Dataset, start: datetime | None, assumptions: list[str]) -> datetime | None:
    """Find when the radiopharmaceutical was given.

    Parameters
    ----------
    item : Dataset
        An item of the Radiopharmaceutical Information Sequence.
    start : datetime or None
        When counting began: a time without a date takes its day, or the day before where it would be later.
    assumptions : list of str
        What was assumed is added to it.
    """
    written = text(item, "RadiopharmaceuticalStartDateTime")
    injected = moment(written)
    if injected is not None and _ZONE.search(written):
        assumptions.append("The injection is recorded with a time zone; it is taken as the scanner's own.")
    clock = text(item, "RadiopharmaceuticalStartTime")
    if injected is None and clock and start is not None:
        injected = date_and_time(start.strftime("%Y%m%d"), clock)
        if injected is not None:
            day = "the day of the acquisition"
            if injected > start:
                injected -= timedelta(days=1)
                day = "the day before the acquisition, since it would otherwise follow it"
            assumptions.append(f"The injection is recorded without a date; it is placed on {day}.")
    if injected is not None and start is not None and injected > start:
        assumptions.append("The recorded injection follows the acquisition, so the time of injection is unknown.")
        return None
    return injected
