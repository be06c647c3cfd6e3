"""STATIC, WHOLE BODY, DYNAMIC and GATED: planar frames of every window and head, dynamic ones of every phase."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.datadict import tag_for_keyword
from pydicom.dataset import Dataset, FileDataset
from pydicom.sequence import Sequence

from tests.dicom.generator.elements import Ranges, decimal, item, nm_dataset
from tests.dicom.generator.scene import V, n, u
from tests.dicom.generator.storing import Stored

Place = dict[str, int]
VIEWS = {"posterior": (0.0, "R-10214"), "left lateral": (90.0, "R-10236"),
         "anterior": (180.0, "R-10206"), "right lateral": (270.0, "R-10228")}  # fmt: skip
VECTORS = {
    "window": "EnergyWindowVector",
    "head": "DetectorVector",
    "phase": "PhaseVector",
    "rr": "RRIntervalVector",
    "slot": "TimeSlotVector",
    "slice": "TimeSliceVector",
}
AXES_OF = {
    "STATIC": ("window", "head"),
    "WHOLE BODY": ("window", "head"),
    "DYNAMIC": ("window", "head", "phase", "slice"),
    "GATED": ("window", "head", "rr", "slot"),
}


@dataclass
class Planar:
    """Planar images with given counts.

    Parameters
    ----------
    counts : (windows, heads, repeats, rows, columns) array
        Repeats are the time slices of all phases, or the slots of all R-R intervals; one where there are none.
    views : of each head, a name of `VIEWS`
    repeats : how many time slices each phase has, or slots each R-R interval
    frame_seconds : how long each frame counts, of each phase or R-R interval
    upside_down, mirrored : how the stored rows and columns run; the orientation says so
    """

    counts: NDArray[np.float64]
    kind: str = "STATIC"
    views: tuple[str, ...] = ("anterior", "posterior")
    pixel_mm: tuple[float, float] = (3.0, 2.0)
    repeats: tuple[int, ...] = (1,)
    frame_seconds: tuple[float, ...] = (300.0,)
    window_ranges_kev: tuple[Ranges, ...] | None = None
    shuffle_seed: int | None = None
    positions: bool = True
    middle_mm: tuple[float, float, float] = (12.0, -7.0, 40.0)
    distance_mm: float = 200.0
    upside_down: bool = False
    mirrored: bool = False
    scan_velocity_mm_s: float | None = None
    field_length_mm: float | None = None
    stored: Stored = field(default_factory=Stored)
    elements: dict[str, Any] = field(default_factory=dict)

    def frames(self) -> list[Place]:
        outer, inner = ("phase", "slice") if self.kind == "DYNAMIC" else ("rr", "slot")
        windows, heads = self.counts.shape[:2]
        places = [
            {"window": window, "head": head, outer: one, inner: index, "repeat": sum(self.repeats[:one]) + index}
            for window in range(windows)
            for head in range(heads)
            for one, number in enumerate(self.repeats)
            for index in range(number)
        ]
        if self.shuffle_seed is not None:
            mixed = np.random.default_rng(self.shuffle_seed).permutation(len(places))
            places = [places[index] for index in mixed]
        return places

    def first_pixel_mm(self, head: int) -> NDArray[np.float64]:
        """Give the LPS place of the pixel at the head end and the left edge, seen from behind the detector."""
        angle = VIEWS[self.views[head]][0]
        rows, columns = self.counts.shape[-2:]
        middle = np.array(self.middle_mm) + self.distance_mm * n(angle)
        across = (columns - 1) / 2 * self.pixel_mm[1] * u(angle)
        return np.asarray(middle - across - (rows - 1) / 2 * self.pixel_mm[0] * V, np.float64)

    def seconds(self) -> float:
        """Give how long all repeats counted together."""
        return sum(number * each for number, each in zip(self.repeats, self.frame_seconds, strict=True))

    def dataset(self) -> FileDataset:
        places = self.frames()
        stored = self.stored.stored_values(self.counts)
        if self.upside_down:
            stored = stored[..., ::-1, :]
        if self.mirrored:
            stored = stored[..., ::-1]
        pixels = np.stack([stored[p["window"], p["head"], p["repeat"]] for p in places])
        windows = self.counts.shape[0]
        made = nm_dataset(self.kind, pixels[:1], self.pixel_mm, windows, window_ranges_kev=self.window_ranges_kev)
        axes = AXES_OF[self.kind]
        made.FrameIncrementPointer = [tag_for_keyword(VECTORS[axis]) for axis in axes]
        for axis in axes:
            setattr(made, VECTORS[axis], [place[axis] + 1 for place in places])
        made.NumberOfDetectors = len(self.views)
        made.DetectorInformationSequence = Sequence(self._head(head) for head in range(len(self.views)))
        self._add_times(made)
        for keyword, value in self.elements.items():
            setattr(made, keyword, value)
        self.stored.put(made, np.ascontiguousarray(pixels))
        return made

    def _add_times(self, made: FileDataset) -> None:
        milliseconds = [round(1000 * seconds) for seconds in self.frame_seconds]
        if self.kind == "DYNAMIC":
            made.NumberOfPhases = len(self.repeats)
            made.PhaseInformationSequence = Sequence(
                item(PhaseDelay=0, ActualFrameDuration=ms, PauseBetweenFrames=0, NumberOfFramesInPhase=frames)
                for ms, frames in zip(milliseconds, self.repeats, strict=True)
            )
            return
        if self.kind == "GATED":
            made.NumberOfRRIntervals, made.NumberOfTimeSlots = len(self.repeats), self.repeats[0]
            intervals = [item(FrameTime=ms / 100, IntervalsAcquired=100) for ms in milliseconds]
            made.GatedInformationSequence = Sequence([item(DataInformationSequence=Sequence(intervals))])
            return
        made.ActualFrameDuration = milliseconds[0]
        if self.scan_velocity_mm_s is not None:
            made.ScanVelocity = self.scan_velocity_mm_s

    def _head(self, head: int) -> Dataset:
        angle, code = VIEWS[self.views[head]]
        coded = item(CodeValue=code, CodingSchemeDesignator="SRT", CodeMeaning=self.views[head])
        made = item(CollimatorGridName="LEHR", CollimatorType="PARA", ViewCodeSequence=Sequence([coded]))
        if self.field_length_mm is not None:
            made.FieldOfViewShape, made.FieldOfViewDimensions = "RECTANGLE", [540, round(self.field_length_mm)]
        if not self.positions:
            return made
        rows, columns = self.counts.shape[-2:]
        first, right, down = self.first_pixel_mm(head), u(angle), V
        if self.upside_down:
            first, down = first + (rows - 1) * self.pixel_mm[0] * down, -down
        if self.mirrored:
            first, right = first + (columns - 1) * self.pixel_mm[1] * right, -right
        made.ImagePositionPatient = [decimal(value) for value in first]
        made.ImageOrientationPatient = [decimal(value, 8) for value in (*right, *down)]
        return made
