"""Whether several times were acquired so that their counts are on one scale: camera, collimator, energy window."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from leukospect.data import AcquisitionHeader, EnergyWindow
from leukospect.errors import LeukospectError
from leukospect.physics.collimators import find_collimator

_SAME_LIMIT_KEV = 1.0


@dataclass(frozen=True, slots=True)
class Acquired:
    """One time's acquisition: how it is called, its header, and its photopeak window."""

    when: str
    header: AcquisitionHeader
    window: EnergyWindow | None = None


def different_sensitivity(acquired: Sequence[Acquired]) -> str:
    """Say why the counts of several times are on different scales, as in ``their collimators differ (...)``.

    What is not recorded is not taken to differ. Spellings of one collimator are one.

    Returns
    -------
    str
        Empty where they are on one scale as far as is known.
    """
    reasons = [
        _differing("collimators", [(one.when, _collimator(one.header), one.header.collimator) for one in acquired]),
        _differing("cameras", [(one.when, _camera(one.header), _camera_in_words(one.header)) for one in acquired]),
        _differing_windows(acquired),
    ]
    return " and ".join(reason for reason in reasons if reason)


def different_corrections(acquired: Sequence[Acquired]) -> str:
    """Say which corrections of the camera's some times have and others lack; decay, which is allowed for, left out.

    An acquisition that records none at all is not compared.
    """
    recorded = [set(one.header.corrections) - {"DECY"} for one in acquired if one.header.corrections]
    return ", ".join(sorted({name for one in recorded for other in recorded for name in one - other}))


def _differing(what: str, told: Sequence[tuple[str, str, str]]) -> str:
    known = {key: f"{words} {when}" for when, key, words in reversed(told) if key}
    if len(known) < 2:
        return ""
    return f"their {what} differ ({', '.join(reversed(known.values()))})"


def _collimator(header: AcquisitionHeader) -> str:
    if not header.collimator:
        return ""
    try:
        found = find_collimator(header.collimator, header.manufacturer, header.model)
    except LeukospectError:
        return re.sub(r"[^A-Z0-9]", "", header.collimator.upper())
    return f"{found.manufacturer}:{found.name}"


def _camera(header: AcquisitionHeader) -> str:
    return re.sub(r"[^A-Z0-9]", "", _camera_in_words(header).upper()) if header.model else ""


def _camera_in_words(header: AcquisitionHeader) -> str:
    return f"{header.manufacturer} {header.model}".strip()


def _differing_windows(acquired: Sequence[Acquired]) -> str:
    told = [(one.when, one.window) for one in acquired if one.window is not None and one.window.is_recorded]
    for _, window in told[1:]:
        first = told[0][1].ranges_kev
        pairs = zip(first, window.ranges_kev, strict=False)
        off = [abs(a - b) for one, other in pairs for a, b in zip(one, other, strict=True)]
        if len(first) != len(window.ranges_kev) or max(off) > _SAME_LIMIT_KEV:
            words = ", ".join(f"{_window(one)} {when}" for when, one in told)
            return f"their photopeak windows differ ({words})"
    return ""


def _window(window: EnergyWindow) -> str:
    return " and ".join(f"{low:.0f} to {high:.0f} keV" for low, high in window.ranges_kev)
