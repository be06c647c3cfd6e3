"""Robust least squares over a rigid motion: how points of one image are brought to another's brightness.

Everything runs in one thread and in one order, so a result is the same to the bit wherever it is computed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial.transform import Rotation

from leukospect.data import Geometry, Image
from leukospect.registration.conversion import Matrix
from leukospect.registration.resampling import smoothed

Points = NDArray[np.float64]

# Tukey's biweight: residuals beyond this many standard deviations count for nothing, streaks among them.
_TUKEY = 4.685
_MOST_ITERATIONS = 60
_LEAST_STEP_MM = 1e-3
_NORMAL_MAD = 1.4826


@dataclass(frozen=True, slots=True, eq=False)
class FixedPoints:
    """Points of the fixed image: places, brightness, and its slope there.

    Parameters
    ----------
    places_mm : (n, 3) array
        LPS.
    values : (n,) array
    slopes : (n, 3) array
        Along x, y and z, per mm.
    centre_mm : (3,) array
        What rotations are about.
    doubt : (n,) array or None
        By how much the brightness may be wrong besides noise, as where streaks of metal were reduced; None: nowhere.
    """

    places_mm: Points
    values: NDArray[np.float64]
    slopes: Points
    centre_mm: NDArray[np.float64]
    doubt: NDArray[np.float64] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class MovingVolume:
    """The moving image as it is sampled: smoothed, spline coefficients where the order asks for them.

    Parameters
    ----------
    coefficients : (slices, rows, columns) float32 array
    geometry : Geometry
    order : int
        Of the spline: 1 linear, 3 cubic.
    window : (low, high)
        Values are clipped to it after they are interpolated.
    doubt : (slices, rows, columns) float32 array or None
        As that of `FixedPoints`, at every voxel.
    """

    coefficients: NDArray[np.float32]
    geometry: Geometry
    order: Literal[1, 3]
    window: tuple[float, float]
    doubt: NDArray[np.float32] | None = None

    @classmethod
    def of(cls, image: Image, sigma_mm: float, window: tuple[float, float], order: Literal[1, 3] = 1) -> MovingVolume:
        """Smooth an image, and prepare it for a spline of that order."""
        array = smoothed(np.asarray(image.array, np.float32), image.geometry, [sigma_mm] * 3)
        if order > 1:
            array = ndimage.spline_filter(array, order=3, output=np.float32, mode="nearest").astype(np.float32)
        return cls(array, image.geometry, order, window)

    def at(self, places_mm: Points) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Give the brightness at places, and which of them lie inside."""
        index = self.geometry.to_index(places_mm)
        inside = np.all((index >= 0.0) & (index <= np.array(self.geometry.shape) - 1.0), axis=1)
        values = ndimage.map_coordinates(
            self.coefficients, index.T, output=np.float64, order=self.order, mode="nearest", prefilter=False
        )
        return np.clip(values, *self.window), inside

    def doubt_at(self, places_mm: Points) -> NDArray[np.float64] | None:
        """Give the doubt at places; None where there is none anywhere."""
        if self.doubt is None:
            return None
        index = self.geometry.to_index(places_mm)
        return np.asarray(ndimage.map_coordinates(self.doubt, index.T, output=np.float64, order=1, mode="nearest"))


@dataclass(frozen=True, slots=True, eq=False)
class Fit:
    """Where a refinement ended.

    Parameters
    ----------
    matrix : (4, 4) array
        Takes fixed points to moving points, LPS mm.
    correlation : float
        Of both images' brightness over the points inside both; 0 where there are too few.
    overlap : float
        Which part of the points lies inside the moving image.
    noise : float
        Robust standard deviation of what is left, in the image's unit.
    information : (6, 6) array
        Of the three rotations, rad, and shifts, mm, about the centre, in units of the noise.
    edge_mm : float
        Median distance along the slope by which edges still differ, mm.
    """

    matrix: Matrix
    correlation: float
    overlap: float
    noise: float
    information: NDArray[np.float64]
    edge_mm: float


def through(matrix: Matrix, places_mm: Points) -> Points:
    """Carry points through a 4x4 matrix."""
    return np.asarray(places_mm @ matrix[:3, :3].T + matrix[:3, 3])


def turned_about(
    centre_mm: NDArray[np.float64], rotation_rad: NDArray[np.float64], shift_mm: NDArray[np.float64]
) -> Matrix:
    """Make the matrix of a rotation vector through a point, followed by a shift."""
    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.from_rotvec(rotation_rad).as_matrix()
    matrix[:3, 3] = centre_mm + shift_mm - matrix[:3, :3] @ centre_mm
    return matrix


def refined(fixed: FixedPoints, moving: MovingVolume, start: Matrix) -> Fit:
    """Find the rigid motion near a start that brings both images' brightness together, up to a gain and an offset.

    Gauss-Newton steps on Tukey's biweight, whose scale follows the median absolute residual; the slopes are those of
    the fixed image, so that noise of the moving one has no say in which way a step goes.
    """
    design = _motion_columns(fixed)
    matrix, gain, offset = start, 1.0, 0.0
    lever = float(np.sqrt(np.mean(np.sum((fixed.places_mm - fixed.centre_mm) ** 2, axis=1))))
    for _ in range(_MOST_ITERATIONS):
        values, inside = moving.at(through(matrix, fixed.places_mm))
        if inside.sum() < 50:
            break
        left = values - gain * fixed.values - offset
        weights = _weights(left, inside, _doubt(fixed, moving, matrix))
        columns = np.concatenate([gain * design, -fixed.values[:, None], -np.ones((len(values), 1))], axis=1)
        weighted = columns * weights[:, None]
        # einsum without BLAS sums in one order, whatever the number of threads.
        normal = np.einsum("ni,nj->ij", weighted, columns)
        towards = np.einsum("ni,n->i", weighted, left)
        step = -np.linalg.lstsq(normal, towards, rcond=1e-12)[0]
        gain, offset = float(np.clip(gain + step[6], 0.5, 2.0)), offset + float(step[7])
        matrix = matrix @ turned_about(fixed.centre_mm, *_bounded(step[:6], lever))
        if lever * np.linalg.norm(step[:3]) + np.linalg.norm(step[3:6]) < _LEAST_STEP_MM:
            break
    return _judged(fixed, moving, matrix, design)


def _bounded(step: NDArray[np.float64], lever: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Keep a step within 10 mm: farther the image is not linear."""
    size = float(np.hypot(lever * np.linalg.norm(step[:3]), np.linalg.norm(step[3:])))
    bounded = step * min(1.0, 10.0 / max(size, 1e-12))
    return bounded[:3], bounded[3:]


def _motion_columns(fixed: FixedPoints) -> NDArray[np.float64]:
    """How brightness changes with each rotation (rad) and shift (mm) of a point, (n, 6)."""
    arms = fixed.places_mm - fixed.centre_mm
    return np.concatenate([np.cross(arms, fixed.slopes), fixed.slopes], axis=1)


def _scale(left: NDArray[np.float64]) -> float:
    middle = np.median(left)
    return max(float(_NORMAL_MAD * np.median(np.abs(left - middle))), 1e-6)


def _doubt(fixed: FixedPoints, moving: MovingVolume, matrix: Matrix) -> NDArray[np.float64] | None:
    """Add up in squares what is doubted of both images."""
    there = moving.doubt_at(through(matrix, fixed.places_mm))
    if fixed.doubt is None or there is None:
        return there if fixed.doubt is None else fixed.doubt
    return np.asarray(np.hypot(fixed.doubt, there))


def _weights(
    left: NDArray[np.float64], inside: NDArray[np.bool_], doubt: NDArray[np.float64] | None
) -> NDArray[np.float64]:
    scale = _scale(left[inside])
    relative = left / (_TUKEY * scale)
    weights = np.where(inside & (np.abs(relative) < 1.0), (1.0 - relative**2) ** 2, 0.0)
    return weights if doubt is None else np.asarray(weights / (1.0 + (doubt / scale) ** 2))


def _judged(fixed: FixedPoints, moving: MovingVolume, matrix: Matrix, design: NDArray[np.float64]) -> Fit:
    values, inside = moving.at(through(matrix, fixed.places_mm))
    overlap = float(inside.mean())
    if inside.sum() < 50:
        return Fit(matrix, 0.0, overlap, float("nan"), np.zeros((6, 6)), float("nan"))
    here, there = fixed.values[inside], values[inside]
    gain, offset = _line(here, there)
    left = there - gain * here - offset
    noise = _scale(left)
    doubt = _doubt(fixed, moving, matrix)
    weights = _weights(left, np.ones(len(left), np.bool_), None if doubt is None else doubt[inside])
    columns = gain * design[inside]
    information = np.einsum("ni,nj->ij", columns * weights[:, None], columns) / noise**2
    steep = np.linalg.norm(fixed.slopes[inside], axis=1)
    edges = steep >= np.quantile(steep, 0.7)
    edge_mm = float(np.median(np.abs(left[edges]) / np.maximum(abs(gain) * steep[edges], 1e-9)))
    return Fit(matrix, _correlation(here, there), overlap, noise, information, edge_mm)


def _line(here: NDArray[np.float64], there: NDArray[np.float64]) -> tuple[float, float]:
    x, y = here - here.mean(), there - there.mean()
    gain = float(np.sum(x * y) / max(float(np.sum(x * x)), 1e-12))
    return gain, float(there.mean() - gain * here.mean())


def _correlation(here: NDArray[np.float64], there: NDArray[np.float64]) -> float:
    x, y = here - here.mean(), there - there.mean()
    spread = float(np.sqrt(np.sum(x * x) * np.sum(y * y)))
    return float(np.sum(x * y)) / spread if spread > 0 else 0.0


def correlation_at(fixed: FixedPoints, moving: MovingVolume, matrices: tuple[Matrix, ...]) -> list[float]:
    """Measure the correlation of brightness under each transform, over the points that all leave inside."""
    seen = [moving.at(through(matrix, fixed.places_mm)) for matrix in matrices]
    shared = np.logical_and.reduce([inside for _, inside in seen])
    if shared.sum() < 50:
        return [0.0] * len(matrices)
    return [_correlation(fixed.values[shared], values[shared]) for values, _ in seen]
