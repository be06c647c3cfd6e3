"""Planar views of two times between which the patient moved in the frontal plane: digital truth of a registration.

A motion in the frontal plane changes neither how much lies before anything nor how far the detector is, so with
parallel holes the mean views of the moved patient are the moved mean views. They are simulated once, four times as
fine as the detector's pixels in area, moved, binned over the pixels, and only then counted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from leukospect.data import AcquisitionHeader, EnergyWindow, PlanarImages
from leukospect.phantoms.acquisitions import PlanarAcquisition, TimePoint
from leukospect.phantoms.description import read_phantom
from leukospect.phantoms.simulate import simulate_study

Matrix = NDArray[np.float64]

VIEWS = ("anterior", "posterior")
_SIGN = {"anterior": 1.0, "posterior": -1.0}
_FINE_SHAPE, _FINE_MM = (640, 480), 1.2
_SECONDS: Mapping[TimePoint, float] = {"early": 143.0, "delayed": 200.0, "late": 1898.0}
_HOURS: Mapping[TimePoint, float] = {"early": 1.0, "delayed": 3.9, "late": 23.4}
_WINDOW = {"name": "photopeak", "lower_kev": 126.45, "upper_kev": 154.55}
_SAMPLES = 3


@dataclass(frozen=True, slots=True, eq=False)
class MeanViews:
    """Mean counts in fine pixels at each time, (views, rows, columns), spline coefficients of order 3."""

    coefficients: Mapping[TimePoint, NDArray[np.float32]]


@dataclass(frozen=True, slots=True, eq=False)
class MovedPlanar:
    """Two planar acquisitions and what is true of them.

    Parameters
    ----------
    late, earlier : PlanarImages
    late_to_earlier : (3, 3) array
        Takes (x, z, 1) of where a point lies in the late views to where in the earlier ones, LPS mm.
    points_mm : (n, 2) array
        Points (x, z) all over the body in the late views.
    """

    late: PlanarImages
    earlier: PlanarImages
    late_to_earlier: Matrix
    points_mm: NDArray[np.float64]


def mean_views(phantom_name: str = "femoral-nail", threads: int = 1) -> MeanViews:
    """Simulate a phantom's planar views without noise, in pixels of 1.2 mm."""
    phantom = read_phantom(phantom_name)
    scans = tuple(
        PlanarAcquisition.model_validate(
            {"kind": "PLANAR", "time_point": time, "hours": _HOURS[time], "matrix": _FINE_SHAPE,
             "pixel_mm": (_FINE_MM, _FINE_MM), "seconds": _SECONDS[time], "window": (_WINDOW,)}
        )
        for time in _SECONDS
    )  # fmt: skip
    made = simulate_study(phantom.model_copy(update={"acquisition": scans}), noise=False, threads=threads)
    views = {}
    for time, expected in zip(_SECONDS, made.expected, strict=True):
        assert expected is not None
        views[time] = np.stack([ndimage.spline_filter(view, order=3, output=np.float32) for view in expected[0]])
    return MeanViews(views)


def moved_planar_pair(
    views: MeanViews,
    seed: int,
    *,
    earlier: TimePoint = "early",
    maximum_shift_mm: float = 30.0,
    maximum_rotation_deg: float = 15.0,
    strip: bool = False,
) -> MovedPlanar:
    """Count the late views, the patient about in place, and earlier ones after a random motion in the frontal plane.

    Parameters
    ----------
    views : MeanViews
    seed : int
        Of the motions and the counts.
    earlier : ``early`` or ``delayed``
    maximum_shift_mm, maximum_rotation_deg : float
        Along each axis, and either way round.
    strip : bool
        Tall matrices of narrow pixels, as of a whole-body scan, instead of square ones.
    """
    rng = np.random.default_rng([31415, seed])
    late_pose = frontal_motion(rng.uniform(-4.0, 4.0, 2), float(rng.uniform(-1.0, 1.0)))
    motion = frontal_motion(
        rng.uniform(-maximum_shift_mm, maximum_shift_mm, 2),
        float(rng.uniform(-maximum_rotation_deg, maximum_rotation_deg)),
    )
    shape, pixel = ((320, 192), (2.8, 2.1)) if strip else ((256, 256), (2.4, 2.4))
    late = _counted(views, "late", late_pose, shape, pixel, rng)
    moved = _counted(views, earlier, motion @ late_pose, shape, pixel, rng)
    grid = np.stack(np.meshgrid([-130.0, -60.0, 0.0, 60.0, 130.0], np.linspace(-240.0, 240.0, 9)), axis=-1)
    points = grid.reshape(-1, 2) @ late_pose[:2, :2].T + late_pose[:2, 2]
    return MovedPlanar(late, moved, motion, points)


def frontal_motion(shift_mm: NDArray[np.float64], degrees: float) -> Matrix:
    """Make the matrix on (x, z, 1) of a rotation from x towards z about the middle, followed by a shift."""
    cosine, sine = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    return np.array([[cosine, -sine, shift_mm[0]], [sine, cosine, shift_mm[1]], [0.0, 0.0, 1.0]])


def _counted(
    views: MeanViews,
    time: TimePoint,
    pose: Matrix,
    shape: tuple[int, int],
    pixel_mm: tuple[float, float],
    rng: np.random.Generator,
) -> PlanarImages:
    """Move the mean views, bin them over a detector's pixels and draw counts."""
    counts, corners = [], []
    back = np.linalg.inv(pose)
    rows, columns = shape
    offsets = (np.arange(_SAMPLES) + 0.5) / _SAMPLES - 0.5
    for number, name in enumerate(VIEWS):
        sign = _SIGN[name]
        first_x, first_z = -sign * (columns - 1) / 2.0 * pixel_mm[1], (rows - 1) / 2.0 * pixel_mm[0]
        mean = np.zeros(shape)
        for down in offsets:
            for across in offsets:
                x = first_x + sign * (np.arange(columns) + across) * pixel_mm[1]
                z = first_z - (np.arange(rows) + down) * pixel_mm[0]
                there = np.stack(np.meshgrid(x, z), axis=-1) @ back[:2, :2].T + back[:2, 2]
                fine_row = (_FINE_SHAPE[0] - 1) / 2.0 - there[..., 1] / _FINE_MM
                fine_column = (_FINE_SHAPE[1] - 1) / 2.0 + sign * there[..., 0] / _FINE_MM
                mean += ndimage.map_coordinates(
                    views.coefficients[time][number], [fine_row, fine_column], order=3, mode="constant", prefilter=False
                )
        mean *= pixel_mm[0] * pixel_mm[1] / (_FINE_MM**2 * _SAMPLES**2)
        counts.append(rng.poisson(np.maximum(mean, 0.0)))
        corners.append((first_x, 0.0, first_z))
    return PlanarImages(
        np.array(counts, np.float32)[None],
        (EnergyWindow(((_WINDOW["lower_kev"], _WINDOW["upper_kev"]),), "photopeak"),),  # type: ignore[arg-type]
        VIEWS,
        pixel_mm,
        np.full(2, _SECONDS[time]),
        AcquisitionHeader("STATIC"),
        np.array(corners),
    )


def planar_target_errors_mm(found: Matrix, truth: Matrix, points_mm: NDArray[np.float64]) -> NDArray[np.float64]:
    """Tell how far from its true place a motion in the plane puts each point, (n,) mm."""
    apart = points_mm @ (found - truth)[:2, :2].T + (found - truth)[:2, 2]
    return np.asarray(np.linalg.norm(apart, axis=1))
