"""What a misplacement by a pixel and two degrees would change of planar uptake and ratios."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from leukospect.data import Image, PlanarImages
from leukospect.errors import AssumptionWarning
from leukospect.quantification.measurements import Region, TimePoint
from leukospect.quantification.misalignment import MisalignmentEffect, Motion, effects_of
from leukospect.quantification.planar import project_regions

_TURN_DEG = 2.0


def frontal_motions(shift_mm: float, about_mm: tuple[float, float]) -> tuple[Motion, ...]:
    """Give both directions of a shift along x and z, and of a turn by 2 degrees in the frontal plane about (x, z).

    Their matrices are (3, 3) and take (x, z, 1), LPS mm.
    """
    motions = []
    for axis, name in enumerate("xz"):
        for sign in (1.0, -1.0):
            shift = np.eye(3)
            shift[axis, 2] = sign * shift_mm
            motions.append(Motion(f"{sign * shift_mm:+.1f} mm along {name}", shift))
    for sign in (1.0, -1.0):
        angle = np.deg2rad(sign * _TURN_DEG)
        turn = np.eye(3)
        turn[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
        turn[:2, 2] = np.array(about_mm) - np.einsum("ij,j->i", turn[:2, :2], np.array(about_mm))
        motions.append(Motion(f"{sign * _TURN_DEG:+g} degrees in the frontal plane", turn))
    return tuple(motions)


def effects_in_view(
    planar: PlanarImages,
    window: int,
    view: int,
    labels: Image,
    regions: Sequence[Region],
    time_point: TimePoint,
    view_to_labels: NDArray[np.float64] | None = None,
) -> list[MisalignmentEffect]:
    """Measure a view in its regions moved by a pixel and by two degrees.

    Parameters
    ----------
    planar : PlanarImages
        With the position of its first pixels.
    window, view : int
    labels : Image
    regions : sequence of Region
    time_point : TimePoint
    view_to_labels : (3, 3) array or None
        As in `planar.project_regions`.

    Returns
    -------
    list of MisalignmentEffect
        Of regions that the view shows in all places; their uptake decides, whatever its decay.
    """
    counts = np.asarray(planar.counts[window, view], np.float64)
    in_place = np.eye(3) if view_to_labels is None else view_to_labels
    motions = frontal_motions(max(planar.pixel_mm), _middle_mm(planar, view, counts))
    with warnings.catch_warnings():  # said of the regions in their place already
        warnings.simplefilter("ignore", AssumptionWarning)
        masks = [
            project_regions(labels, regions, planar, view, view_to_labels=np.einsum("ij,jk->ik", in_place, matrix))
            for matrix in (np.eye(3), *(motion.matrix for motion in motions))
        ]
    shown = [region for region in regions if all(region.name in each for each in masks)]
    means = [np.array([counts[each[region.name]].mean() for region in shown]) for each in masks]
    if not shown or not all(np.all(each > 0) for each in means):
        return []
    return [
        effect
        for motion, moved in zip(motions, means[1:], strict=True)
        for effect in effects_of(
            shown, means[0], moved, time_point, "regions", motion.name,
            modality=f"planar {planar.view_names[view]}", displaced_mm=max(planar.pixel_mm),
        )
    ]  # fmt: skip


def _middle_mm(planar: PlanarImages, view: int, counts: NDArray[np.float64]) -> tuple[float, float]:
    """Give the (x, z) about which counts lie."""
    assert planar.first_pixel_mm is not None
    rows, columns = np.indices(counts.shape)
    total = max(float(counts.sum()), 1.0)
    x, _, z = planar.first_pixel_mm[view]
    sign = 1.0 if planar.view_names[view] == "anterior" else -1.0
    row, column = float((rows * counts).sum()) / total, float((columns * counts).sum()) / total
    return float(x + sign * column * planar.pixel_mm[1]), float(z - row * planar.pixel_mm[0])


def effects_on_geometric_mean(effects: Sequence[MisalignmentEffect]) -> list[MisalignmentEffect]:
    """Put the effects of a motion on the two opposed views together, since it moves the patient and so both."""
    behind = {(one.region, one.time_point, one.motion): one for one in effects if one.modality == "planar posterior"}
    found = []
    for one in effects:
        other = behind.get((one.region, one.time_point, one.motion))
        if one.modality == "planar anterior" and other is not None:
            mean = _together(one.mean_change, other.mean_change)
            ratio = _together(one.ratio_change, other.ratio_change)
            found.append(replace(one, modality="planar geometric mean", mean_change=mean, ratio_change=ratio))
    return found


def _together(one: float, other: float) -> float:
    return float(np.sqrt((1.0 + one) * (1.0 + other)) - 1.0)
