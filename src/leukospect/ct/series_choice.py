"""Which of several CT reconstructions corrects a SPECT, and the sentence that says so."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from leukospect.ct.reconstruction_kernel import KernelKind, kernel_kind
from leukospect.ct.reduced_before import by_whom
from leukospect.data import AcquisitionHeader, CtSeries, Geometry, Projections, ReconstructedSeries

ONE_SCAN_S = 600.0  # reconstructions of one scan
MOST_OBLIQUE_DEG = 35.0  # a gantry tilts less, a reformat more

_SOFTNESS: dict[KernelKind, int] = {"soft": 0, "medium": 1, "unknown": 1, "sharp": 2, "other": 3}
_ALIKE = 0.02  # of the SPECT's length
_LISTED = 6
_REFORMAT = re.compile(r"(?<![A-Za-z])(MIP|MinIP|MPR|VRT)(?![A-Za-z])", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Reconstruction:
    """What the choice of a CT rests on.

    Parameters
    ----------
    slices : int
    z_mm : (lower, upper) or None
        What the slices span along the patient, LPS.
    thickness_mm : float or None
    kernel, manufacturer : str
    metal_reduction : str
        Its name, empty where none shows.
    original_axial : bool
        False for what was derived from other slices, and for slices that are not axial.
    complete : bool
        No slice is missing.
    frame_of_reference_uid : str or None
    start : datetime or None
    """

    slices: int
    z_mm: tuple[float, float] | None
    thickness_mm: float | None
    kernel: str
    manufacturer: str
    metal_reduction: str
    original_axial: bool
    complete: bool
    frame_of_reference_uid: str | None
    start: datetime | None

    @property
    def kernel_kind(self) -> KernelKind:
        """What the kernel is for."""
        return kernel_kind(self.manufacturer, self.kernel)

    def words(self) -> str:
        """Name it by its facts."""
        facts = [f"{self.slices} slices" if self.slices > 1 else "1 slice"]
        if self.thickness_mm:
            facts.append(f"of {self.thickness_mm:g} mm")
        if self.kernel:
            facts.append(f"kernel {self.kernel}")
        if self.metal_reduction:
            facts.append(f"with metal reduced {by_whom(self.metal_reduction)}")
        if not self.original_axial:
            facts.append("not original axial")
        if not self.complete:
            facts.append("with gaps")
        return " ".join(facts)


@dataclass(frozen=True, slots=True)
class SpectPlace:
    """Where and when the SPECT was taken that the CT is for; `z_mm` is (lower, upper), LPS, None where not known."""

    frame_of_reference_uid: str | None
    start: datetime | None
    z_mm: tuple[float, float] | None = None


def place_of_spect(spect: Projections | ReconstructedSeries | AcquisitionHeader) -> SpectPlace:
    """Give the place and time of a SPECT; its extent where its images are given."""
    if isinstance(spect, AcquisitionHeader):
        return SpectPlace(spect.frame_of_reference_uid, spect.start)
    if isinstance(spect, ReconstructedSeries):
        return SpectPlace(spect.header.frame_of_reference_uid, spect.header.start, _extent_mm(spect.image.geometry))
    row_mm = spect.pixel_mm[0]
    top = spect.first_row_z_mm + row_mm / 2
    return SpectPlace(
        spect.header.frame_of_reference_uid, spect.header.start, (top - spect.counts.shape[2] * row_mm, top)
    )


def _extent_mm(geometry: Geometry) -> tuple[float, float]:
    """Give the lowest and the highest z of a volume, half a slice beyond its outermost centres."""
    corners = np.array([[k, j, i] for k in (0, 1) for j in (0, 1) for i in (0, 1)]) * (np.array(geometry.shape) - 1)
    z = geometry.to_lps(corners)[:, 2]
    half = geometry.spacing_mm[0] / 2
    return float(z.min()) - half, float(z.max()) + half


def reconstruction_of(ct: CtSeries) -> Reconstruction:
    """Give what the choice needs of a CT that was read; one that could be read is complete."""
    geometry = ct.image.geometry
    normal_z = abs(geometry.affine[2, 0]) / geometry.spacing_mm[0]
    return Reconstruction(
        slices=geometry.shape[0],
        z_mm=_extent_mm(geometry),
        thickness_mm=ct.slice_thickness_mm,
        kernel=ct.kernel,
        manufacturer=ct.header.manufacturer,
        metal_reduction=ct.metal_reduction,
        original_axial=is_axial(normal_z) and not _REFORMAT.search(ct.header.description),
        complete=True,
        frame_of_reference_uid=geometry.frame_of_reference_uid,
        start=ct.header.start,
    )


def is_axial(normal_z: float) -> bool:
    """Tell whether slices are axial, a tilted gantry included, by the z of their unit normal."""
    return abs(normal_z) >= math.cos(math.radians(MOST_OBLIQUE_DEG))


def choose_reconstruction(
    found: Sequence[Reconstruction], beside: SpectPlace | None = None, *, metal_reduced: bool = True
) -> tuple[int, str]:
    """Choose one of several reconstructions.

    In this order each criterion keeps the best of what is left: the SPECT's frame of reference; nearest in time, where
    ten minutes are one scan; no gaps; original axial slices; a soft-tissue kernel rather than an unknown or medium,
    and these rather than a sharp one; covering the SPECT, or as much of the scan as any where its place is not known;
    metal artefacts reduced; the thinnest slices; the most slices; the first.

    Parameters
    ----------
    found : sequence of Reconstruction
        At least one.
    beside : SpectPlace or None
    metal_reduced : bool
        False prefers those in which metal artefacts were not reduced.

    Returns
    -------
    index of the chosen, and a sentence on what was found, which was taken and why
    """
    left, reasons = list(range(len(found))), []
    for words, key in _criteria(found, beside, metal_reduced):
        ranks = key(left)
        best = [index for index, rank in zip(left, ranks, strict=True) if rank <= min(ranks)]
        if len(best) < len(left):
            left = best
            reasons.append(words(found[best[0]]))
    names = [one.words() for one in found[:_LISTED]] + [f"{len(found) - _LISTED} more"] * (len(found) > _LISTED)
    taken = f"the one {', '.join(reasons)}" if reasons else "they are alike, and the first"
    return left[0], f"{len(found)} CT series were found ({', '.join(names)}); {taken} is taken."


def _criteria(
    found: Sequence[Reconstruction], beside: SpectPlace | None, metal_reduced: bool
) -> list[tuple[Callable[[Reconstruction], str], Callable[[list[int]], list[float]]]]:
    """Give each criterion as the words for what it kept, and the ranks of what is left, the least the best."""

    def each(rank: Callable[[Reconstruction], float]) -> Callable[[list[int]], list[float]]:
        return lambda left: [float(rank(found[index])) for index in left]

    frame = beside.frame_of_reference_uid if beside else None
    return [
        (
            lambda _: "in the SPECT's frame of reference",
            each(lambda one: bool(frame) and one.frame_of_reference_uid != frame),
        ),
        (lambda _: "nearest to it in time", lambda left: _later_than_nearest([found[i] for i in left], beside)),
        (lambda _: "without gaps", each(lambda one: not one.complete)),
        (lambda _: "of original axial slices", each(lambda one: not one.original_axial)),
        (
            lambda one: "of a soft-tissue kernel" if one.kernel_kind == "soft" else "of the softer kernel",
            each(lambda one: _SOFTNESS[one.kernel_kind]),
        ),
        (
            lambda _: "covering more of the SPECT" if beside and beside.z_mm else "covering more of the patient",
            lambda left: _uncovered([found[i] for i in left], beside),
        ),
        (
            lambda one: (
                f"with metal reduced {by_whom(one.metal_reduction)}"
                if one.metal_reduction
                else "in which metal was not reduced before"
            ),
            each(lambda one: bool(one.metal_reduction) != metal_reduced),
        ),
        (lambda _: "with the thinnest slices", each(lambda one: round(one.thickness_mm or math.inf, 2))),
        (lambda _: "with the most slices", each(lambda one: -one.slices)),
    ]


def _later_than_nearest(left: Sequence[Reconstruction], beside: SpectPlace | None) -> list[float]:
    start = beside.start if beside else None
    if start is None:
        return [0.0] * len(left)
    apart = [math.inf if one.start is None else abs((one.start - start).total_seconds()) for one in left]
    return [float(seconds > min(apart) + ONE_SCAN_S) for seconds in apart]


def _uncovered(left: Sequence[Reconstruction], beside: SpectPlace | None) -> list[float]:
    """Rank 0 what covers as much as the best does, else 1; of the SPECT, or of all that the CTs span together."""
    spans = [one.z_mm for one in left if one.z_mm is not None]
    if not spans:
        return [0.0] * len(left)
    target = (min(low for low, _ in spans), max(high for _, high in spans))
    if beside and beside.z_mm:
        target = beside.z_mm
    length = max(target[1] - target[0], 1e-6)
    parts = [
        0.0 if one.z_mm is None else max(0.0, min(one.z_mm[1], target[1]) - max(one.z_mm[0], target[0])) / length
        for one in left
    ]
    return [float(part < max(parts) - _ALIKE) for part in parts]
