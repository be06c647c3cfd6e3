"""What the speed benchmark measured, and what follows from it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from leukospect.benchmark.speed_case import body_places
from leukospect.benchmark.speed_contest import OURS, Corrections, Within
from leukospect.benchmark.speed_process import Measurement

AIMS: dict[tuple[str, Corrections], float] = {
    ("PyTomography", "attenuation"): 80.0,
    ("PyTomography", "all"): 150.0,
    ("MIRTorch", "none"): 60.0,
    ("MIRTorch", "attenuation"): 60.0,
    ("MIRTorch", "all"): 60.0,
    ("sparse matrix", "none"): 1.0,
}
"""How many times as fast as a rival the project aims to be."""


@dataclass(frozen=True, slots=True)
class Ratio:
    """A rival's median time over ours on some threads, ours restricted to the body, and over the field of view."""

    rival: str
    corrections: Corrections
    within: Within
    rival_threads: int
    our_threads: int
    to_body: float
    to_field: float
    aim: float | None


@dataclass(frozen=True, slots=True, eq=False)
class SpeedResults:
    """All measurements of a run.

    Parameters
    ----------
    plan, machine : mapping
    compiling : (Measurement, Measurement)
        With nothing compiled, and with all kept on disk.
    ours, rivals : tuple of Measurement
    threads, sizes : tuple of Measurement
        Of ours, all corrections inside the body.
    differences : mapping
        `image_key` to the difference of an image from ours over the field with the same corrections.
    notes : tuple of str
    """

    plan: Mapping[str, Any]
    machine: Mapping[str, str | int | float]
    compiling: tuple[Measurement, Measurement]
    ours: tuple[Measurement, ...]
    threads: tuple[Measurement, ...]
    sizes: tuple[Measurement, ...]
    rivals: tuple[Measurement, ...]
    differences: Mapping[str, float]
    notes: tuple[str, ...]

    def median_s(self, corrections: Corrections, within: Within, threads: int) -> float:
        """Give our median time, s; infinite where there is none."""
        for one in self.ours:
            settings = one.task.settings
            if (settings.corrections, settings.within, settings.threads) == (corrections, within, threads):
                return one.median_s
        return float("inf")

    def ratios(self) -> Iterator[Ratio]:
        """Compare each rival that came to an end with ours; a rival's matrix that could be kept is not counted."""
        for one in self.rivals:
            settings = one.task.settings
            if one.failure:
                continue
            took = one.median_s - one.building_median_s
            same = {
                ours.task.settings.threads
                for ours in self.ours
                if ours.task.settings.corrections == settings.corrections
            }
            for threads in sorted(same if settings.threads == 1 else same & {settings.threads}):
                body, field = (self.median_s(settings.corrections, within, threads) for within in ("body", "field"))
                yield Ratio(
                    one.task.contestant,
                    settings.corrections,
                    settings.within,
                    settings.threads,
                    threads,
                    took / body,
                    took / field,
                    AIMS.get((one.task.contestant, settings.corrections)),
                )

    @property
    def compile_s(self) -> float:
        """How much longer a start takes with nothing compiled, s."""
        return self.compiling[0].process_s - self.compiling[1].process_s

    @property
    def same_to_the_bit(self) -> bool:
        """Whether every run with every number of threads gave the same image."""
        done = [one for one in self.threads if not one.failure]
        return len(done) == len(self.threads) and len({digest for one in done for digest in one.sha256}) == 1

    def speed_up(self, threads: int) -> float | None:
        """Give how many times as fast as one thread some threads are; None where either was not measured."""
        seconds = {one.task.settings.threads: one.median_s for one in self.threads if not one.failure}
        if 1 not in seconds or threads not in seconds:
            return None
        return seconds[1] / seconds[threads]

    def ns_per_voxel_and_view(self, one: Measurement) -> float:
        """Give the time of a `sizes` measurement for each voxel of the body, view and iteration, ns."""
        size, iterations = int(one.task.case), one.task.settings.iterations
        return one.median_s / (body_places(size) * size * one.task.views * iterations) * 1e9

    def as_values(self) -> dict[str, Any]:
        """Give everything as plain values for a JSON file."""
        return {
            "schema_version": "1.0",
            "machine": dict(self.machine),
            "plan": dict(self.plan),
            "notes": list(self.notes),
            "compiling": {
                "first_start_s": self.compiling[0].process_s,
                "later_start_s": self.compiling[1].process_s,
                "compile_s": self.compile_s,
            },
            "contestants": [{**_values(one), **self._difference(one)} for one in (*self.ours, *self.rivals)],
            "ratios": [asdict(ratio) for ratio in self.ratios()],
            "threads": [{**_values(one), "speed_up": self.speed_up(one.task.settings.threads)} for one in self.threads],
            "same_to_the_bit": self.same_to_the_bit,
            "sizes": [{**_values(one), "ns_per_voxel_and_view": self._ns_or_none(one)} for one in self.sizes],
        }

    def _difference(self, one: Measurement) -> dict[str, float | None]:
        return {"difference_from_leukospect": self.differences.get(image_key(one))}

    def _ns_or_none(self, one: Measurement) -> float | None:
        return None if one.failure else self.ns_per_voxel_and_view(one)


def image_key(one: Measurement) -> str:
    """Name a contestant's image."""
    return Path(one.task.image).stem


def is_ours(one: Measurement) -> bool:
    """Tell whether the project's own reconstruction was measured."""
    return one.task.contestant == OURS.name


def _values(one: Measurement) -> dict[str, Any]:
    values = asdict(one)
    task = values.pop("task")
    # Paths of the run's own temporary folder mean nothing afterwards.
    return {
        "contestant": task["contestant"],
        **task["settings"],
        "size": int(task["case"]) if task["case"].isdigit() else None,
        "median_s": one.median_s if one.seconds else None,
        **values,
    }
