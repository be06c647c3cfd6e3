"""Moved limbs (CT to CT) and moved patients (planar to planar): registered, and compared with the truth."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from leukospect.benchmark.registration_moved_results import LimbCase, PlanarCase
from leukospect.ct.metal import reduce_metal
from leukospect.data import AcquisitionHeader, CtSeries, Image
from leukospect.phantoms.acquisitions import TimePoint
from leukospect.phantoms.moved_limbs import MovedLimbs, angle_between_deg, scan_moved_limbs, target_errors_mm
from leukospect.phantoms.moved_planar import MeanViews, mean_views, moved_planar_pair, planar_target_errors_mm
from leukospect.registration import LimbAlignment, register_limbs, register_planar

_NAMES = {"none": "no metal", "titanium_alloy": "titanium", "steel_316l": "steel"}
_KVP = 120.0


@dataclass(frozen=True, slots=True, eq=False)
class _Pair:
    """Two CTs as they are registered, and their metal where it was reduced."""

    group: str
    late: Image
    early: Image
    late_metal: Image | None = None
    late_scanned: Image | None = None
    early_scanned: Image | None = None


def measure_limbs(
    implant: str, seed: int, *, moved: bool, reduced: bool, threads: int | None, progress: Callable[[float], None]
) -> Iterator[LimbCase]:
    """Scan a pair of legs twice, and register each femur: as scanned and, if asked for, after metal reduction.

    Parameters
    ----------
    implant : str
        ``none``, or the implants' metal.
    seed : int
    moved : bool
        Whether the patient and the limbs lie elsewhere the second time.
    reduced : bool
        Whether metal, where there is any, is reduced and each femur registered once more.
    threads : int or None
    progress : function of the fraction done
    """
    scans = scan_moved_limbs(seed, implant=implant, moved=moved, threads=threads or 2)
    progress(0.5)
    for pair in _pairs(scans, reduced, threads):
        began = time.perf_counter()
        found = register_limbs(
            pair.late,
            pair.early,
            late_metal=pair.late_metal,
            late_scanned=pair.late_scanned,
            early_scanned=pair.early_scanned,
            threads=threads or 2,
        )
        seconds = time.perf_counter() - began
        for side in scans.femur_points_mm:
            yield _limb_case(pair.group, scans, found, side, seed, seconds, moved=moved)
    progress(1.0)


def _pairs(scans: MovedLimbs, reduced: bool, threads: int | None) -> Iterator[_Pair]:
    name = _NAMES[scans.implant]
    if scans.implant == "none":
        yield _Pair(name, scans.late, scans.early)
        return
    yield _Pair(f"{name} as scanned", scans.late, scans.early)
    if not reduced:
        return
    late, early = (
        reduce_metal(CtSeries(ct, AcquisitionHeader("CT"), kvp=_KVP), threads=threads)
        for ct in (scans.late, scans.early)
    )
    yield _Pair(f"{name} after metal reduction", late.image, early.image, late.metal,
                scans.late, scans.early)  # fmt: skip


def _limb_case(
    group: str, scans: MovedLimbs, found: LimbAlignment, side: str, seed: int, seconds: float, *, moved: bool
) -> LimbCase:
    # Where the thighs were not told apart, one transform holds for both.
    part = next((each for each in found.parts if each.part == side), found.parts[0])
    truth, points = scans.late_to_early[side], scans.femur_points_mm[side]
    return LimbCase(
        group, moved, side, seed, float(target_errors_mm(np.eye(4), truth, points).mean()),
        float(np.percentile(target_errors_mm(part.matrix, truth, points), 95)), angle_between_deg(part.matrix, truth),
        bool(np.array_equal(part.matrix, np.eye(4))), part.doubtful, seconds, part.reason,
    )  # fmt: skip


def measure_planar(
    seed: int, pairs: int, unmoved: int, *, threads: int | None, progress: Callable[[float], None]
) -> Iterator[PlanarCase]:
    """Count planar views of two times, the patient elsewhere in the frontal plane, and register them.

    Parameters
    ----------
    seed : int
        Of the first pair; each next one has the next.
    pairs, unmoved : int
        Square matrices and whole-body strips in turn, the early and the delayed time in turn.
    threads : int or None
    progress : function of the fraction done
    """
    views = mean_views(threads=threads or 2)
    for number in range(pairs + unmoved):
        progress(number / (pairs + unmoved))
        yield _planar_case(views, seed + number, number, moved=number < pairs)


def _planar_case(views: MeanViews, seed: int, number: int, *, moved: bool) -> PlanarCase:
    strip = number % 2 == 1
    earlier: TimePoint = "early" if number % 4 < 2 else "delayed"
    size = {} if moved else {"maximum_shift_mm": 0.0, "maximum_rotation_deg": 0.0}
    pair = moved_planar_pair(views, seed, earlier=earlier, strip=strip, **size)
    began = time.perf_counter()
    found = register_planar(pair.late, pair.earlier)
    seconds = time.perf_counter() - began
    before, after = (
        planar_target_errors_mm(matrix, pair.late_to_earlier, pair.points_mm) for matrix in (np.eye(3), found.matrix)
    )
    return PlanarCase(
        "whole-body strip" if strip else "square", moved, seed, max(pair.late.pixel_mm), float(before.mean()),
        float(np.percentile(after, 95)), _angle_deg(found.matrix, pair.late_to_earlier),
        bool(np.array_equal(found.matrix, np.eye(3))), seconds, found.reason,
    )  # fmt: skip


def _angle_deg(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """Tell by which angle two motions in the plane turn differently, degrees."""
    between = one[:2, :2].T @ other[:2, :2]
    return float(abs(np.degrees(np.arctan2(between[1, 0], between[0, 0]))))
