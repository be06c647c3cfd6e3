"""TOMO and GATED TOMO: what the heads of a camera did, and what they then saw of sources at known places."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import FileDataset
from pydicom.uid import generate_uid

from tests.dicom.generator.elements import TC_WINDOWS, nm_dataset
from tests.dicom.generator.scene import Source, Values, drawn, u
from tests.dicom.generator.storing import Stored
from tests.dicom.generator.tomo_items import add_frame_vectors, add_heads, add_rotations

Place = dict[str, int]
AXES = ("window", "head", "rotation", "view", "rr", "slot")
TC_SCALES = (1.0, 2.0, 3.0, 4.0, 5.0)


@dataclass(frozen=True)
class Rotation:
    """One rotation of all heads.

    `turned_deg` is how far its first view stands from the first rotation's, by the patient's angles; `radii_mm` are
    one for the rotation or one a view.
    """

    turned_deg: float = 0.0
    direction: str = "CC"
    views: int = 12
    step_deg: float = 30.0
    duration_s: float = 15.0
    radii_mm: tuple[float, ...] | None = (250.0,)

    def angles_deg(self, start_deg: float) -> Values:
        turn = 1 if self.direction == "CC" else -1
        return start_deg + self.turned_deg + turn * self.step_deg * np.arange(self.views, dtype=np.float64)


@dataclass
class Tomo:
    """A TOMO acquisition; `dataset()` writes it, `counts()` says what must be read, `pixel_of()` where a point lands.

    Parameters
    ----------
    points_mm : LPS places of points, seen with 10000 counts a view times their number
    sources : blobs instead of points
    axis_mm, first_row_z_mm : where the axis of rotation and the highest row lie
    start_angles_deg : the patient's angle of each head's first view
    direction, views, step_deg, radii_mm : of the only rotation
    rotations : several rotations instead
    head_radii_mm : each head's own radii (of all its rotations), in Detector Information
    windows : how many energy windows, of Tc-99m
    window_ranges_kev : the ranges of each window instead
    window_scales : what each window counts of the sources
    frame_order : axes from the outermost to the innermost; a rotation's frames are kept together unless it is named
    shuffle_seed : frames in no order at all
    angles_of : who carries start angle and radii, each ``head`` or the ``rotation``
    radii_of : who carries the radii, where that differs
    gantry : how the patient lay
    angles_are : the ``gantry's``, and its rows and columns, are those of a camera that takes all for head-first supine
    positions : whether the heads' places are recorded
    centre_offset_mm : centre-of-rotation offset; the images are off by it unless `offset_corrected`, recorded as COR
    rr_intervals, time_slots : of a GATED TOMO; each gets the same share of the counts
    stored : pixel type, rescale and transfer syntax
    given_counts : counts instead of sources, of the shape that `counts()` has
    elements : further elements, or other values
    """

    points_mm: tuple[tuple[float, float, float], ...] = ((31.0, -22.0, 17.0),)
    axis_mm: tuple[float, float] = (0.0, 0.0)
    first_row_z_mm: float = 63.0
    shape: tuple[int, int] = (24, 40)
    pixel_mm: tuple[float, float] = (5.0, 4.0)
    start_angles_deg: tuple[float, ...] = (180.0,)
    direction: str = "CC"
    views: int = 12
    step_deg: float = 30.0
    windows: int = 1
    frame_order: tuple[str, ...] = ("window", "head", "view")
    angles_of: str = "head"
    radii_mm: tuple[float, ...] | None = (250.0,)
    gantry: str = "HFS"
    positions: bool = True
    centre_offset_mm: float = 0.0
    elements: dict[str, Any] = field(default_factory=dict)
    sources: tuple[Source, ...] = ()
    rotations: tuple[Rotation, ...] = ()
    head_radii_mm: tuple[tuple[float, ...], ...] = ()
    window_ranges_kev: tuple[tuple[tuple[float, float], ...], ...] | None = None
    window_scales: tuple[float, ...] = TC_SCALES
    nuclide: str = "Tc-99m"
    shuffle_seed: int | None = None
    radii_of: str | None = None
    angles_are: str = "gantry's"
    offset_corrected: bool = False
    rr_intervals: int = 1
    time_slots: int = 1
    stored: Stored = field(default_factory=Stored)
    given_counts: NDArray[np.float64] | None = None

    @property
    def turns(self) -> tuple[Rotation, ...]:
        """Every rotation."""
        only = Rotation(0.0, self.direction, self.views, self.step_deg, 15.0, self.radii_mm)
        return self.rotations or (only,)

    @property
    def flipped(self) -> bool:
        """Whether rows run from foot to head, and columns to the left of somebody behind the detector."""
        return self.angles_are == "gantry's" and self.gantry in ("FFS", "FFP")

    @property
    def window_count(self) -> int:
        return self.windows if self.window_ranges_kev is None else len(self.window_ranges_kev)

    def angles_deg(self, head: int) -> Values:
        """Give the patient's angles of a head, rotation after rotation."""
        return np.concatenate([turn.angles_deg(self.start_angles_deg[head]) for turn in self.turns])

    def view_starts_s(self) -> Values:
        """Give when each view of a head begins; heads count at the same time, rotations one after another."""
        begins = np.cumsum([0.0, *(turn.views * turn.duration_s for turn in self.turns)])
        return np.concatenate([b + t.duration_s * np.arange(t.views) for b, t in zip(begins, self.turns, strict=False)])

    def view_durations_s(self) -> Values:
        return np.concatenate([np.full(turn.views, turn.duration_s) for turn in self.turns])

    def radii_of_head(self, head: int) -> Values | None:
        """Give the radius at each view of a head, rotation after rotation."""
        given = [self.head_radii_mm[head]] * len(self.turns) if self.head_radii_mm else [t.radii_mm for t in self.turns]
        if any(radii is None for radii in given):
            return None
        return np.concatenate(
            [np.broadcast_to(np.array(radii), (turn.views,)) for radii, turn in zip(given, self.turns, strict=True)]
        )

    def pixel_of(self, point: tuple[float, float, float], angle_deg: float) -> tuple[float, float]:
        """(row, column) where a point lands, by the data types' convention."""
        columns = self.shape[1]
        p = np.array(point) - np.array([*self.axis_mm, 0.0])
        row = (self.first_row_z_mm - point[2]) / self.pixel_mm[0]
        offset = 0.0 if self.offset_corrected else self.centre_offset_mm
        return row, (columns - 1) / 2 + (p @ u(angle_deg) + offset) / self.pixel_mm[1]

    def counts(self) -> Values:
        """(windows, heads, views, rows, columns), patient's way up, rotation after rotation; as the file holds them."""
        return self.stored.meant_values(self.stored.stored_values(self._exact_counts()))

    def _exact_counts(self) -> Values:
        if self.given_counts is not None:
            return self.given_counts
        numbered = enumerate(self.points_mm, start=1)
        sources = self.sources or tuple(Source(point, 10000 * strength / 15.0, 0.0) for strength, point in numbered)
        durations = self.view_durations_s()
        made = np.zeros((self.window_count, len(self.start_angles_deg), durations.size, *self.shape))
        scales = np.array(self.window_scales[: self.window_count]).reshape(-1, 1, 1)
        for head in range(made.shape[1]):
            for view, (angle, duration) in enumerate(zip(self.angles_deg(head), durations, strict=True)):
                places = [self.pixel_of(source.place_mm, float(angle)) for source in sources]
                made[:, head, view] = scales * duration * drawn(sources, places, self.shape, self.pixel_mm)
        return made

    def frames(self) -> list[Place]:
        """Give every frame's numbers along the axes, in the file's order."""
        order = list(self.frame_order)
        if "rotation" not in order:
            order.insert(order.index("view"), "rotation")
        order += [axis for axis in AXES if axis not in order]
        places = [
            dict(zip(AXES, (window, head, rotation, view, rr, slot), strict=True))
            for window in range(self.window_count)
            for head in range(len(self.start_angles_deg))
            for rotation, turn in enumerate(self.turns)
            for view in range(turn.views)
            for rr in range(self.rr_intervals)
            for slot in range(self.time_slots)
        ]
        places.sort(key=lambda place: [place[axis] for axis in order])
        if self.shuffle_seed is not None:
            mixed = np.random.default_rng(self.shuffle_seed).permutation(len(places))
            places = [places[index] for index in mixed]
        return places

    def dataset(self) -> FileDataset:
        """Write it."""
        places = self.frames()
        gates = self.rr_intervals * self.time_slots
        stored = self._in_gates(self.stored.stored_values(self._exact_counts()), gates)
        if self.flipped:
            stored = stored[..., ::-1, ::-1]
        begins = np.cumsum([0, *(turn.views for turn in self.turns)])
        pixels = np.stack(
            [
                stored[p["rr"] * self.time_slots + p["slot"], p["window"], p["head"], begins[p["rotation"]] + p["view"]]
                for p in places
            ]
        )
        kind = "GATED TOMO" if gates > 1 else "TOMO"
        made = nm_dataset(
            kind,
            pixels[:1],
            self.pixel_mm,
            self.windows,
            window_ranges_kev=self.window_ranges_kev,
            nuclide=self.nuclide,
        )
        made.PatientPosition = self.gantry
        if self.offset_corrected:
            made.CorrectedImage = ["COR"]
        add_frame_vectors(made, places, gated=gates > 1)
        add_heads(made, self)
        add_rotations(made, self)
        for keyword, value in self.elements.items():
            setattr(made, keyword, value)
        self.stored.put(made, np.ascontiguousarray(pixels))
        return made

    def _in_gates(self, stored: NDArray[Any], gates: int) -> NDArray[Any]:
        """Share counts out among gates, (gates, ...), so that they add up to what they were."""
        if gates > 1 and self.stored.intercept:
            raise ValueError("gates with an intercept do not add up")
        each, rest = np.divmod(stored, gates)
        return np.stack([each + (gate < rest) for gate in range(gates)]).astype(stored.dtype)

    def files(self, one_a: Literal["head", "window"]) -> list[FileDataset]:
        """Write the acquisition as one file a head or one file a window, of one series.

        Every other head's file numbers its windows the other way round.
        """
        counts = self._exact_counts()
        elements = {**self.elements, "SeriesInstanceUID": generate_uid()}
        ranges_kev = self.window_ranges_kev or TC_WINDOWS[: self.windows]
        if one_a == "window":
            return [
                replace(
                    self, window_ranges_kev=(ranges,), given_counts=counts[window : window + 1], elements=elements
                ).dataset()
                for window, ranges in enumerate(ranges_kev)
            ]
        return [
            replace(
                self,
                start_angles_deg=(start,),
                head_radii_mm=self.head_radii_mm[head : head + 1],
                window_ranges_kev=ranges_kev[:: 1 - 2 * (head % 2)],
                given_counts=counts[:: 1 - 2 * (head % 2), head : head + 1],
                elements=elements,
            ).dataset()
            for head, start in enumerate(self.start_angles_deg)
        ]
