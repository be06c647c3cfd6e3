"""Fixed time or time corrected for decay."""

from __future__ import annotations

import math

import pytest

from leukospect.physics.acquisition_time import timing_of
from leukospect.physics.nuclides import nuclide

HALF_LIFE_S = nuclide("Tc-99m").half_life_s


def longer(first_s: float, hours: float) -> float:
    return first_s * math.exp(math.log(2) * hours * 3600 / HALF_LIFE_S)


@pytest.mark.parametrize(
    ("hours", "durations_s", "kind"),
    [
        ([4.0, 24.0], [100.0, longer(100.0, 20.0)], "decay-corrected time"),
        ([24.0, 4.0], [1000.0, 100.0], "decay-corrected time"),  # 10.05, rounded, and in any order
        ([1.0, 4.0, 24.0], [100.0, longer(100.0, 3.0), longer(100.0, 23.0)], "decay-corrected time"),
        ([1.0, 4.0, 24.0], [600.0, 600.0, 600.0], "fixed time"),
        ([4.0, 24.0], [600.0, 900.0], "neither"),
        ([3.0], [600.0], "not known"),
        ([3.0, 3.5], [600.0, 600.0], "not known"),
    ],
)
def test_kinds_of_protocol(hours: list[float], durations_s: list[float], kind: str) -> None:
    assert timing_of(hours, durations_s, HALF_LIFE_S) == kind


def test_the_published_factor_from_4_to_24_hours() -> None:
    assert longer(1.0, 20.0) == pytest.approx(10.05, abs=0.01)
