"""Where to cut: the hottest lesion's hottest voxel, and the way from SPECT to CT."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from leukospect.quantification.measurements import Measurement, Region
from leukospect.report.content import PlanarPictures, ReportContent, SpectPictures

Point = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Focus:
    """A place to cut through: the lesion it belongs to (empty where there is none) and LPS mm of the SPECT."""

    lesion: str
    point_mm: Point


Timed = TypeVar("Timed", SpectPictures, PlanarPictures)


def in_time_order(pictures: Sequence[Timed]) -> tuple[Timed, ...]:
    """Put time points in order of hours; where any is unknown the order given is kept."""
    if all(np.isfinite(p.hours) for p in pictures):
        return tuple(sorted(pictures, key=lambda p: p.hours))
    return tuple(pictures)


def focus_of(content: ReportContent, pictures: SpectPictures) -> Focus:
    """Find the hottest voxel of the hottest lesion at a time point; without lesions that of the whole volume."""
    lesions = {r.name for r in content.regions if r.role == "lesion"}
    measured = [m for m in content.measurements if _in_spect(m, pictures) and m.region in lesions]
    if measured:
        hottest = max(measured, key=lambda m: m.maximum)
        if hottest.hottest_mm is not None:
            return Focus(hottest.region, hottest.hottest_mm)
    array = pictures.recon.array
    labels = [r.label for r in content.regions if r.role == "lesion"]
    inside = np.isin(pictures.regions.array, labels) if pictures.regions is not None and labels else None
    if inside is not None and inside.any():
        index = np.unravel_index(np.argmax(np.where(inside, array, -np.inf)), array.shape)
        label = int(pictures.regions.array[index])  # type: ignore[union-attr]
        name = next(r.name for r in content.regions if r.label == label)
    else:
        index, name = np.unravel_index(np.argmax(array), array.shape), ""
    x, y, z = (float(v) for v in pictures.recon.geometry.to_lps(np.array(index)))
    return Focus(name, (x, y, z))


def focus_on(content: ReportContent, pictures: SpectPictures, lesion: str) -> Focus | None:
    """Find the hottest voxel of a named lesion at a time point; None where it was not measured in the SPECT."""
    for m in content.measurements:
        if m.region == lesion and _in_spect(m, pictures) and m.hottest_mm is not None:
            return Focus(lesion, m.hottest_mm)
    return None


def _in_spect(measurement: Measurement, pictures: SpectPictures) -> bool:
    same_time = measurement.time_point == pictures.time_point
    return same_time and measurement.modality == "spect" and measurement.hottest_mm is not None


def lesion_maximum(pictures: SpectPictures, regions: Sequence[Region]) -> float:
    """Hottest voxel of all lesions in the unit of `recon`; 0 without lesions or label image."""
    labels = [r.label for r in regions if r.role == "lesion"]
    if pictures.regions is None or not labels:
        return 0.0
    inside = np.isin(pictures.regions.array, labels)
    return float(pictures.recon.array[inside].max()) if inside.any() else 0.0


def spect_to_ct(pictures: SpectPictures) -> NDArray[np.float64]:
    """Take SPECT points to CT points: (4, 4), LPS mm."""
    return np.eye(4) if pictures.spect_to_ct is None else np.asarray(pictures.spect_to_ct, dtype=np.float64)


def moved(matrix: NDArray[np.float64], point_mm: Point) -> Point:
    """Apply a (4, 4) transform to a point."""
    x, y, z = (float(v) for v in matrix[:3, :3] @ np.array(point_mm) + matrix[:3, 3])
    return x, y, z
