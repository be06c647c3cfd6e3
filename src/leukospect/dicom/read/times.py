"""Dates and times as DICOM writes them."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from pydicom.dataset import Dataset

from leukospect.dicom.elements import named, text

_DATE = re.compile(r"^(\d{4})[.\-]?(\d{2})[.\-]?(\d{2})$")
_TIME = re.compile(r"^(\d{2}):?(?:(\d{2}):?(?:(\d{2})(?:\.(\d{1,6})\d*)?)?)?$")
WITHOUT_A_DATE = "The injection is recorded without a date"
_SAME_MOMENT_S = 60.0
_LONG_AFTER_S = 5 * 86400.0  # images of labelled leukocytes are taken within two days
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
    both = moment(text(dataset, "AcquisitionDateTime"))
    if start is not None and both is not None and abs((start - both).total_seconds()) > _SAME_MOMENT_S:
        assumptions.append(
            f"{named('AcquisitionDateTime')} differs from {named('AcquisitionTime')}; the latter is taken as the start "
            "of counting."
        )
    start = start or both
    if start is not None:
        return start
    for which in ("Series", "Content"):
        start = date_and_time(text(dataset, f"{which}Date"), text(dataset, f"{which}Time"))
        if start is not None:
            missing = "AcquisitionTime" if not text(dataset, "AcquisitionTime") else "AcquisitionDate"
            assumptions.append(
                f"{named(missing)} is missing; {named(f'{which}Time')} is taken as the start of counting."
            )
            return start
    assumptions.append("No date and time of the acquisition is recorded; its place in time is unknown.")
    return None


def injection_moment(
    item: Dataset, start: datetime | None, assumptions: list[str], scanner_zone: str = ""
) -> datetime | None:
    """Find when the radiopharmaceutical was given.

    Parameters
    ----------
    item : Dataset
        An item of the Radiopharmaceutical Information Sequence.
    start : datetime or None
        When counting began: a time without a date takes its day, or the day before where it would be later.
    assumptions : list of str
        What was assumed is added to it.
    scanner_zone : str
        Timezone Offset From UTC of the acquisition, such as ``+0100``; empty where it is not recorded.
    """
    written = text(item, "RadiopharmaceuticalStartDateTime")
    injected = _in_the_scanners_zone(written, scanner_zone, assumptions)
    if written and injected is None:
        assumptions.append(f"{named('RadiopharmaceuticalStartDateTime')} is no date and time; it is not used.")
    clock = text(item, "RadiopharmaceuticalStartTime")
    if injected is not None and clock:
        other = date_and_time(injected.strftime("%Y%m%d"), clock)
        if other is not None and abs((other - injected).total_seconds()) > _SAME_MOMENT_S:
            assumptions.append(
                f"{named('RadiopharmaceuticalStartTime')} differs from {named('RadiopharmaceuticalStartDateTime')}; "
                "the latter is taken as the time of injection."
            )
    if injected is None and clock and start is not None:
        injected = date_and_time(start.strftime("%Y%m%d"), clock)
        if injected is not None:
            day = "the day of the acquisition"
            if injected > start:
                injected -= timedelta(days=1)
                day = "the day before the acquisition, since it would otherwise follow it"
            assumptions.append(f"{WITHOUT_A_DATE}; it is placed on {day}.")
    if injected is not None and start is not None and injected > start:
        assumptions.append("The recorded injection follows the acquisition, so the time of injection is unknown.")
        return None
    if injected is not None and start is not None and (start - injected).total_seconds() > _LONG_AFTER_S:
        assumptions.append(
            f"The acquisition follows the injection by {(start - injected).total_seconds() / 86400:.0f} days; check "
            "the time of injection, or give it with --injection-time."
        )
    return injected


def _in_the_scanners_zone(written: str, scanner_zone: str, assumptions: list[str]) -> datetime | None:
    injected, zone = moment(written), _ZONE.search(written.strip())
    if injected is None or zone is None:
        return injected
    if _ZONE.fullmatch(scanner_zone):
        return injected + _offset(scanner_zone) - _offset(zone.group())
    assumptions.append("The injection is recorded with a time zone; it is taken as the scanner's own.")
    return injected


def _offset(zone: str) -> timedelta:
    size = timedelta(hours=int(zone[1:3]), minutes=int(zone[3:5]))
    return -size if zone[0] == "-" else size
