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
_ALIKE = 0.02  # of the SPECT's length, or of a field of view
_MOST = 0.5  # of what another covers: less is a piece of the scan, as the slice that monitors contrast agent
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
    matrix : (rows, columns) or None
    pixel_mm : (between rows, between columns) or None
    series_number : str
        As recorded, empty where it is not.
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
    matrix: tuple[int, int] | None = None
    pixel_mm: tuple[float, float] | None = None
    series_number: str = ""

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

    def more_words(self) -> tuple[str, ...]:
        """Name what tells it from one of the same words: size, place, frame of reference, number; empty if unknown."""
        size = "" if self.matrix is None else f"{self.matrix[1]} x {self.matrix[0]} pixels"
        if size and self.pixel_mm is not None:
            size += f" of {self.pixel_mm[1]:.3g} x {self.pixel_mm[0]:.3g} mm"
        place = "" if self.z_mm is None else f"z {self.z_mm[0]:.0f} to {self.z_mm[1]:.0f} mm"
        return size, place, self.series_number and f"series {self.series_number}"


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
        matrix=geometry.shape[1:],
        pixel_mm=geometry.spacing_mm[1:],
    )


def is_axial(normal_z: float) -> bool:
    """Tell whether slices are axial, a tilted gantry included, by the z of their unit normal."""
    return abs(normal_z) >= math.cos(math.radians(MOST_OBLIQUE_DEG))


def choose_reconstruction(
    found: Sequence[Reconstruction], beside: SpectPlace | None = None, *, metal_reduced: bool = True
) -> tuple[int, str]:
    """Choose one of several reconstructions.

    In this order each criterion keeps the best of what is left: the SPECT's frame of reference; nearest in time, where
    ten minutes are one scan; no gaps, where what has none covers at least half of what has some; original axial slices;
    covering at least half of what the best covers of the SPECT, or of the scan where its place is not known; a
    soft-tissue kernel rather than an unknown or medium, and these rather than a sharp one; covering as much as any;
    metal artefacts reduced; the thinnest slices; the most slices; the widest field of view; the finest pixels; the
    first.

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
    names = described(found)
    listed = names[:_LISTED] + [f"{len(found) - _LISTED} more"] * (len(found) > _LISTED)
    taken = _taken(list(dict.fromkeys(reasons)), [names[index] for index in left])
    if (beside is None or beside.z_mm is None) and _leaves_out(found, left[0]):
        taken += ", and what only others show is left out"
    if len(left) > 1:
        taken += "; give the folder of the one that is meant"
    return left[0], f"{len(found)} CT series were found ({', '.join(listed)}); {taken}."


def described(found: Sequence[Reconstruction]) -> list[str]:
    """Name each by its facts; those that share them also by what else they differ in."""
    named = [one.words() for one in found]
    made = []
    for one, words in zip(found, named, strict=True):
        alike = [other.more_words() for other, others in zip(found, named, strict=True) if others == words]
        telling = [
            more for more, *others in zip(one.more_words(), *alike, strict=True) if more and len(set(others)) > 1
        ]
        frames = {other.frame_of_reference_uid for other, others in zip(found, named, strict=True) if others == words}
        if len(frames) > 1 and not telling:
            telling.append("in a frame of reference of its own")
        made.append(" ".join([words, *telling]))
    return made


def _taken(reasons: Sequence[str], left: Sequence[str]) -> str:
    if len(left) == 1:
        return f"the one {', '.join(reasons)} is taken"
    alike = "they are alike" if len(set(left)) == 1 else "nothing else tells which is meant"
    return f"of those {', '.join(reasons)} the first is taken" if reasons else f"{alike}, and the first is taken"


def _leaves_out(found: Sequence[Reconstruction], taken: int) -> bool:
    """Tell whether other axial slices show what is not in those taken."""
    span = found[taken].z_mm
    return span is not None and any(
        one.original_axial and _part_of(span, one.z_mm) < 1.0 - _MOST for one in found if one.z_mm is not None
    )


def _part_of(span: tuple[float, float], whole: tuple[float, float]) -> float:
    """Give which part of a whole a span covers."""
    return max(0.0, min(span[1], whole[1]) - max(span[0], whole[0])) / max(whole[1] - whole[0], 1e-6)


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
        (lambda _: "without gaps", lambda left: _with_gaps([found[i] for i in left])),
        (lambda _: "of original axial slices", each(lambda one: not one.original_axial)),
        (
            lambda _: "covering more of the SPECT" if beside and beside.z_mm else "covering more of the patient",
            lambda left: _uncovered([found[i] for i in left], beside, _MOST),
        ),
        (
            lambda one: "of a soft-tissue kernel" if one.kernel_kind == "soft" else "of the softer kernel",
            each(lambda one: _SOFTNESS[one.kernel_kind]),
        ),
        (
            lambda _: "covering more of the SPECT" if beside and beside.z_mm else "covering more of the patient",
            lambda left: _uncovered([found[i] for i in left], beside, 1.0 - _ALIKE),
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
        (lambda _: "of the widest field of view", lambda left: _narrower([found[i] for i in left])),
        (lambda _: "of the finest pixels", each(lambda one: round(max(one.pixel_mm or (math.inf,)), 3))),
    ]


def _later_than_nearest(left: Sequence[Reconstruction], beside: SpectPlace | None) -> list[float]:
    start = beside.start if beside else None
    if start is None:
        return [0.0] * len(left)
    apart = [math.inf if one.start is None else abs((one.start - start).total_seconds()) for one in left]
    return [float(seconds > min(apart) + ONE_SCAN_S) for seconds in apart]


def _with_gaps(left: Sequence[Reconstruction]) -> list[float]:
    """Rank 1 what has gaps where another without covers most of it, else 0: a single slice is no scan without gaps."""
    whole = [one for one in left if one.complete]
    return [
        float(
            not one.complete
            and any(
                one.z_mm is None or other.z_mm is None or _part_of(other.z_mm, one.z_mm) >= _MOST for other in whole
            )
        )
        for one in left
    ]


def _narrower(left: Sequence[Reconstruction]) -> list[float]:
    """Rank 1 what shows less across than the widest does, else 0."""
    widths = [
        0.0 if one.matrix is None or one.pixel_mm is None else min(np.multiply(one.matrix, one.pixel_mm))
        for one in left
    ]
    return [float(width < max(widths) * (1.0 - _ALIKE)) for width in widths]


def _uncovered(left: Sequence[Reconstruction], beside: SpectPlace | None, enough: float) -> list[float]:
    """Rank 0 what covers enough of what the best does, else 1; of the SPECT, or of all that the CTs span together."""
    spans = [one.z_mm for one in left if one.z_mm is not None]
    if not spans:
        return [0.0] * len(left)
    target = (min(low for low, _ in spans), max(high for _, high in spans))
    if beside and beside.z_mm:
        target = beside.z_mm
    parts = [0.0 if one.z_mm is None else _part_of(one.z_mm, target) for one in left]
    return [float(part < max(parts) * enough) for part in parts]
