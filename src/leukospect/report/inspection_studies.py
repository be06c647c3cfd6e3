"""What acquisitions belong together, in words: whose examination, of what, which times, each SPECT's CT."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from leukospect.data import Tracer
from leukospect.physics.acquisition_time import TIMINGS, Timing
from leukospect.physics.tracers import TRACER_WORDS


@dataclass(frozen=True, slots=True)
class ExaminationFacts:
    """One examination of one patient.

    Parameters
    ----------
    patient, examination : int
        Counted from 1.
    tracers : tuple of Tracer
        What was injected, as far as it is told.
    nuclides : tuple of str
    acquisitions : tuple of int
        Numbers of its acquisitions, counted from 1 through the whole study.
    time_points : mapping of int to str
        ``early``, ``delayed`` or ``late``, of those whose time after injection is known.
    ct_of : mapping of int to int or None
        The CT of each SPECT acquisition; None where none belongs to it.
    timing : mapping of str to Timing
        For planar and SPECT images how their times were acquired; see `physics.acquisition_time`.
    """

    patient: int
    examination: int
    tracers: tuple[Tracer, ...]
    nuclides: tuple[str, ...]
    acquisitions: tuple[int, ...]
    time_points: Mapping[int, str]
    ct_of: Mapping[int, int | None]
    timing: Mapping[str, Timing]

    def as_values(self) -> dict[str, object]:
        """Give it as values that JSON can hold."""
        return {
            "patient": self.patient,
            "examination": self.examination,
            "tracers": list(self.tracers),
            "nuclides": list(self.nuclides),
            "acquisitions": list(self.acquisitions),
            "time_points": {str(number): name for number, name in self.time_points.items()},
            "ct_of_spect": {str(number): ct for number, ct in self.ct_of.items()},
            "timing": dict(self.timing),
        }

    def lines(self) -> list[str]:
        """Give the heading of its acquisitions: a title and a few facts."""
        title = f"Patient {self.patient}, examination {self.examination}"
        injected = ", ".join([*self.nuclides, *(TRACER_WORDS[tracer] for tracer in self.tracers)])
        lines = [f"{title}: {injected}" if injected else title]
        lines += [f"   {kind}: {TIMINGS[timing]}" for kind, timing in self.timing.items() if timing in TIMINGS]
        return lines
