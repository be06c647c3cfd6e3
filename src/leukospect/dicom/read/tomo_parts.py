"""A TOMO acquisition stored in several files, one a head or one an energy window: what belongs together is joined."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from leukospect.dicom.elements import number, text, vector
from leukospect.dicom.read.orbit import Sweep, same_angles
from leukospect.dicom.read.radiopharmaceutical import read_radiopharmaceuticals
from leukospect.dicom.read.times import acquisition_start
from leukospect.dicom.read.tomo_file import TomoFile

_SIMULTANEOUS_S = 60.0
_SAME_IN_ALL_PARTS = (
    "StudyInstanceUID",
    "PatientID",
    "PatientName",
    "PatientPosition",
    "FrameOfReferenceUID",
    "CorrectedImage",
)
_SAME_RADIUS_MM = 0.1
_SAME_SPACING = 1e-4


def grouped_parts(files: Sequence[TomoFile]) -> list[tuple[TomoFile, tuple[int, ...]]]:
    """Join the files that are parts of one acquisition.

    Parts share study, frame of reference, matrix, pixel spacing and start, and differ either in the energy windows,
    with the same views, or in the heads, with the same windows and other angles. Copies and acquisitions of other
    times join nothing.

    Parameters
    ----------
    files : sequence of TomoFile

    Returns
    -------
    list of (TomoFile, tuple of int)
        Each acquisition and the places of its parts in `files`.
    """
    groups: list[tuple[TomoFile, tuple[int, ...]]] = [(file, (number,)) for number, file in enumerate(files)]
    while (found := _first_pair(groups)) is not None:
        one, other, whole = found
        members = groups[one][1] + groups[other][1]
        groups = [group for number, group in enumerate(groups) if number not in (one, other)]
        groups.insert(one, (whole, members))
    return groups


def _first_pair(groups: list[tuple[TomoFile, tuple[int, ...]]]) -> tuple[int, int, TomoFile] | None:
    for one in range(len(groups)):
        for other in range(one + 1, len(groups)):
            whole = joined(groups[one][0], groups[other][0])
            if whole is not None:
                return one, other, whole
    return None


def joined(one: TomoFile, other: TomoFile) -> TomoFile | None:
    """Join two parts of one acquisition; None where they are not that."""
    if not _of_one_acquisition(one, other):
        return None
    ranges = [tuple(window.ranges_kev for window in part.windows) for part in (one, other)]
    if (
        _same_sweeps(one.sweeps, other.sweeps)
        and _offsets(one) == _offsets(other)
        and not set(ranges[0]) & set(ranges[1])
    ):
        return replace(
            one, windows=one.windows + other.windows, counts=np.concatenate([one.counts, other.counts], axis=0)
        )
    apart = not any(a.rotation == b.rotation and same_angles(a, b) for a in one.sweeps for b in other.sweeps)
    if sorted(ranges[0]) == sorted(ranges[1]) and apart:
        order = [ranges[1].index(one_range) for one_range in ranges[0]]
        moved = tuple(replace(sweep, head=sweep.head + len(one.heads)) for sweep in other.sweeps)
        return replace(
            one,
            heads=one.heads + other.heads,
            sweeps=one.sweeps + moved,
            counts=np.concatenate([one.counts, other.counts[order]], axis=1),
        )
    return None


def _of_one_acquisition(one: TomoFile, other: TomoFile) -> bool:
    same = all(text(one.dataset, keyword) == text(other.dataset, keyword) for keyword in _SAME_IN_ALL_PARTS)
    return (
        same
        and one.counts.shape[2:] == other.counts.shape[2:]
        and bool(np.allclose(one.pixel_mm, other.pixel_mm, rtol=_SAME_SPACING))
        and one.summed_frames == other.summed_frames
        and _injected(one) == _injected(other)
        and _same_start(one, other)
        and _same_height(one, other)
    )


def _injected(part: TomoFile) -> set[tuple[str | None, str]]:
    """Give nuclide and compound of what was injected."""
    return {(one.nuclide, one.tracer) for one in read_radiopharmaceuticals(part.dataset, None, [])}


def _offsets(part: TomoFile) -> list[float]:
    """Give the centre-of-rotation offset of each head."""
    return [number(head, "CenterOfRotationOffset") or 0.0 for head in part.heads]


def _same_start(one: TomoFile, other: TomoFile) -> bool:
    starts = [acquisition_start(part.dataset, []) for part in (one, other)]
    if starts[0] is None or starts[1] is None:
        series = [text(part.dataset, "SeriesInstanceUID") for part in (one, other)]
        return starts[0] is starts[1] and bool(series[0]) and series[0] == series[1]
    return abs((starts[0] - starts[1]).total_seconds()) <= _SIMULTANEOUS_S


def _same_height(one: TomoFile, other: TomoFile) -> bool:
    """Tell whether the heads stand at the same place along the patient, as far as that is recorded."""
    heights = [
        float(place[2])
        for head in one.heads + other.heads
        if (place := vector(head, "ImagePositionPatient", 3)) is not None
    ]
    return not heights or max(heights) - min(heights) <= one.pixel_mm[0] / 2


def _same_sweeps(ones: Sequence[Sweep], others: Sequence[Sweep]) -> bool:
    return len(ones) == len(others) and all(
        same_angles(a, b) and _same_radii(a, b) and np.allclose(a.view_start_s, b.view_start_s)
        for a, b in zip(ones, others, strict=True)
    )


def _same_radii(one: Sweep, other: Sweep) -> bool:
    if one.radii_mm is None or other.radii_mm is None:
        return one.radii_mm is other.radii_mm
    return bool(np.allclose(one.radii_mm, other.radii_mm, rtol=0.0, atol=_SAME_RADIUS_MM))
