"""What is measured of a slice with metal: error, structural similarity, and the edge of bone beside the metal."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.metrics import structural_similarity

SSIM_WINDOW_HU = (-160.0, 240.0)
EDGE_REACH_MM = 12.0
_STEP_MM = 0.25
_DIRECTIONS = 96
_FEWEST_DIRECTIONS = 6
_BONE_HU, _SOFT_HU = 500.0, 200.0
_FARTHEST_MM = 30.0


def outside_metal(body: NDArray[np.bool_], metal: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Tell which pixels are judged: the body's, without those that hold metal and the ones next to them.

    A pixel that is one part in ten metal shows little of anything else: `metal` holds it too.
    """
    return body & ~ndimage.binary_dilation(metal, structure=np.ones((3, 3), dtype=np.bool_))


def rmse_hu(values: NDArray[np.float32], truth: NDArray[np.float32], where: NDArray[np.bool_]) -> float:
    """Root mean square difference over some pixels, HU."""
    return float(np.sqrt(np.mean((values[where].astype(np.float64) - truth[where]) ** 2)))


def similarity(
    values: NDArray[np.float32], truth: NDArray[np.float32], body: NDArray[np.bool_], where: NDArray[np.bool_]
) -> float:
    """Structural similarity in a soft-tissue window, in the box round the body.

    Parameters
    ----------
    values, truth : (rows, columns) arrays
        HU.
    body : (rows, columns) bool array
    where : (rows, columns) bool array
        Elsewhere, which is metal and outside the body, the truth stands in for the values.

    Returns
    -------
    float
        1 for the truth itself; skimage's, with a uniform window of 7 pixels.
    """
    rows, columns = np.flatnonzero(body.any(axis=1)), np.flatnonzero(body.any(axis=0))
    box = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    low, high = SSIM_WINDOW_HU
    judged, true = (
        (np.clip(array[box], low, high) - low) / (high - low) for array in (np.where(where, values, truth), truth)
    )
    return float(structural_similarity(judged, true, data_range=1.0))


@dataclass(frozen=True, slots=True, eq=False)
class BoneEdge:
    """The mean profile across the outer edge of the bone beside metal.

    Parameters
    ----------
    distance_mm : (samples,) array
        From the true edge, outwards.
    truth, before, after : (samples,) arrays
        HU, averaged over the directions.
    directions : int
        How many were averaged.
    """

    distance_mm: NDArray[np.float64]
    truth: NDArray[np.float64]
    before: NDArray[np.float64]
    after: NDArray[np.float64]
    directions: int

    def place_and_width_mm(self, profile: NDArray[np.float64]) -> tuple[float, float]:
        """Give where a profile falls through the truth's half height, and from where it falls from 90 to 10 %."""
        return edge_of(self.distance_mm, profile, *levels_of(self.distance_mm, self.truth))


def levels_of(distance_mm: NDArray[np.float64], profile: NDArray[np.float64]) -> tuple[float, float]:
    """Give the height of bone inside an edge, and of soft tissue outside it, HU."""
    inside = (distance_mm >= -4.0) & (distance_mm <= 0.0)
    outside = (distance_mm >= 2.5) & (distance_mm <= 6.0)
    return float(profile[inside].max()), float(np.median(profile[outside]))


def edge_of(
    distance_mm: NDArray[np.float64], profile: NDArray[np.float64], high: float, low: float
) -> tuple[float, float]:
    """Find where a falling profile crosses half height, and its 10 to 90 % width, mm.

    Parameters
    ----------
    distance_mm, profile : (samples,) arrays
    high, low : float
        What 100 and 0 % are.

    Returns
    -------
    tuple of float
        The crossing nearest to 0, and the width between the crossings of 90 and 10 % next to it; NaN without one.
    """
    place = _crossing(distance_mm, profile, (high + low) / 2.0, 0.0)
    if not np.isfinite(place):
        return place, place
    upper = _crossing(distance_mm, profile, low + 0.9 * (high - low), place, before=True)
    lower = _crossing(distance_mm, profile, low + 0.1 * (high - low), place, before=False)
    return place, lower - upper


def _crossing(
    x: NDArray[np.float64], y: NDArray[np.float64], level: float, near: float, *, before: bool | None = None
) -> float:
    falls = np.flatnonzero((y[:-1] >= level) & (y[1:] < level))
    places = x[falls] + (y[falls] - level) / (y[falls] - y[falls + 1]) * (x[falls + 1] - x[falls])
    if before is not None:
        places = places[places <= near] if before else places[places >= near]
    return float(places[np.argmin(np.abs(places - near))]) if places.size else float("nan")


def bone_edge(
    truth: NDArray[np.float32],
    before: NDArray[np.float32],
    after: NDArray[np.float32],
    metal: NDArray[np.bool_],
    pixel_mm: tuple[float, float],
) -> BoneEdge | None:
    """Average the profiles across the outer edge of bone round the largest piece of metal of a slice.

    Rays run outwards from its centre. One counts where the truth, beyond the metal, falls once from bone above 500 HU
    to soft tissue, with metal on neither side of the edge.

    Parameters
    ----------
    truth, before, after : (rows, columns) arrays
        HU.
    metal : (rows, columns) bool array
    pixel_mm : (between rows, between columns)

    Returns
    -------
    BoneEdge or None
        None where fewer than six rays count.
    """
    labels, count = ndimage.label(metal, structure=np.ones((3, 3)))
    if not count:
        return None
    largest = labels == 1 + int(np.argmax(np.bincount(labels.ravel())[1:]))
    centre = np.array(ndimage.center_of_mass(largest))
    distance = np.arange(0.0, _FARTHEST_MM + 2 * EDGE_REACH_MM, _STEP_MM)
    around = np.arange(-EDGE_REACH_MM, EDGE_REACH_MM + _STEP_MM / 2, _STEP_MM)
    found: list[list[NDArray[np.float64]]] = []
    for angle in np.arange(_DIRECTIONS) * 2 * np.pi / _DIRECTIONS:
        way = np.array([np.sin(angle) / pixel_mm[0], np.cos(angle) / pixel_mm[1]])
        place = _edge_along(truth, metal, centre, way, distance)
        if place is not None:
            at = centre[:, None] + way[:, None] * (place + around)
            found.append([_sampled(image, at) for image in (truth, before, after)])
    if len(found) < _FEWEST_DIRECTIONS:
        return None
    mean = np.mean(np.array(found), axis=0)
    return BoneEdge(around, mean[0], mean[1], mean[2], len(found))


def _edge_along(
    truth: NDArray[np.float32],
    metal: NDArray[np.bool_],
    centre: NDArray[np.float64],
    way: NDArray[np.float64],
    distance: NDArray[np.float64],
) -> float | None:
    at = centre[:, None] + way[:, None] * distance
    profile = _sampled(truth, at)
    in_metal = _sampled(metal.astype(np.float32), at) > 0.05
    leaves = float(distance[np.flatnonzero(in_metal)[-1]]) if in_metal.any() else 0.0
    for fall in np.flatnonzero((profile[:-1] >= _BONE_HU) & (profile[1:] < _BONE_HU)):
        place = float(distance[fall])
        beyond = (distance >= place + 2.5) & (distance <= place + 6.0)
        within = (distance >= place - 4.0) & (distance <= place)
        if place > _FARTHEST_MM:
            return None
        # Metal far beyond the edge does not matter, metal within the profile does.
        clear = not np.any(in_metal[(distance >= place - 2.0) & (distance <= place + 7.0)])
        soft = float(np.max(np.abs(profile[beyond]))) < _SOFT_HU
        if clear and soft and float(profile[within].max()) > 1.4 * _BONE_HU and place > 2.0 and place < leaves + 60.0:
            high, low = float(profile[within].max()), float(np.median(profile[beyond]))
            middle = _crossing(distance, profile, (high + low) / 2.0, place)
            return middle if abs(middle - place) < 3.0 else None
    return None


def _sampled(image: NDArray[np.float32], at: NDArray[np.float64]) -> NDArray[np.float64]:
    values: NDArray[np.float64] = ndimage.map_coordinates(image.astype(np.float64), at, order=1, mode="nearest")
    return values
