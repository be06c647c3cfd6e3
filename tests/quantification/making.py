"""Small measurements for tests."""

from __future__ import annotations

import math

from leukospect.quantification.intervals import counts_interval, scaled
from leukospect.quantification.measurements import Measurement, Region, Role, TimePoint

HOURS = {"early": 1.0, "delayed": 4.0, "late": 24.0}


def region(name: str, role: Role = "lesion", reference: str = "", label: int = 1) -> Region:
    return Region(label, name, role, reference, 10.0, (-50.0, 0.0, 0.0), "right", "drawn")


def planar_measurement(
    name: str, time: TimePoint, counts: float, *, scale: float = 0.01, size: float = 4.0, hours: float | None = None
) -> Measurement:
    mean = scaled(counts_interval(counts), scale)
    at = HOURS[time] if hours is None else hours
    return Measurement(
        name, time, at, "planar anterior", "counts/s/pixel", mean, math.nan, None, mean.value, size, "cm2"
    )
