"""Two fast system models in plain numpy, on a grid that already faces the detector (angle 0, nothing rotated).

`parallel_planes`: each plane is attenuated along parallel rays where it lies, then blurred whole.
`incremental_planes`: the running plane is blurred by the increment between two depths and attenuated by the plane it
then passes, so that photons are attenuated where they have come to.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.special import erf

Float64 = NDArray[np.float64]


def _matrix(size: int, sigma_px: float) -> Float64:
    """Integrate the Gaussian of each pixel's centre over each pixel."""
    edges = (np.arange(size + 1) - 0.5)[:, None] - np.arange(size)[None]
    return np.asarray(np.diff(0.5 * (1 + erf(edges / (sigma_px * np.sqrt(2)))), axis=0))


def _distances(planes: int, voxel_mm: float, radius_mm: float) -> Float64:
    return np.asarray(radius_mm - (np.arange(planes) - (planes - 1) / 2) * voxel_mm)


def _facing(plane: Float64) -> Float64:
    """Take (slices, columns of the image) to the detector's (rows from the head, columns along -x)."""
    return plane[::-1, ::-1]


def parallel_planes(
    activity: Float64, mu: Float64 | None, voxel_mm: tuple[float, float], radius_mm: float,
    sigma_mm: Callable[[Float64], Float64],
) -> Float64:  # fmt: skip
    """Project (slices, rows, columns) to one view at angle 0; attenuation of the parallel ray from each voxel."""
    slices, planes, columns = activity.shape
    view = np.zeros((slices, columns))
    passed = np.zeros((slices, columns))
    for d, distance in reversed(list(enumerate(_distances(planes, voxel_mm[1], radius_mm)))):
        plane = activity[:, d]
        if mu is not None:
            own = mu[:, d] * voxel_mm[1] / 10
            plane = plane * np.exp(-passed - own / 2)
            passed += own
        sigma = float(sigma_mm(np.array(distance)))
        view += _matrix(slices, sigma / voxel_mm[0]) @ plane @ _matrix(columns, sigma / voxel_mm[1]).T
    return _facing(view)


def _three_taps(plane: Float64, variance_px: float, axis: int) -> Float64:
    """Blur by a kernel of three taps and this variance, in as many passes as keep its taps below a quarter."""
    passes = max(1, int(np.ceil(2 * variance_px)))
    weight = variance_px / passes / 2
    moved = np.moveaxis(plane, axis, 0)
    for _ in range(passes):
        wide = np.pad(moved, ((1, 1), (0, 0)))
        moved = (1 - 2 * weight) * moved + weight * (wide[:-2] + wide[2:])
    return np.moveaxis(moved, 0, axis)


def incremental_planes(
    activity: Float64, mu: Float64 | None, voxel_mm: tuple[float, float], radius_mm: float,
    sigma_mm: Callable[[Float64], Float64], *, late: bool = True,
) -> Float64:  # fmt: skip
    """Project (slices, rows, columns) to one view at angle 0 by increments; `late` attenuates the running plane."""
    slices, planes, columns = activity.shape
    variance = np.asarray(sigma_mm(_distances(planes, voxel_mm[1], radius_mm))) ** 2
    running = np.zeros((slices, columns))
    own = np.zeros(activity.shape) if mu is None else mu * voxel_mm[1] / 10
    ahead = np.cumsum(own[:, ::-1], axis=1)[:, ::-1] - own / 2
    for d in range(planes):
        if d:
            lost = float(variance[d - 1] - variance[d])
            for axis in (0, 1):
                running = _three_taps(running, lost / voxel_mm[axis] ** 2, axis)
        if late:
            half = np.exp(-own[:, d] / 2)
            running = half * (half * running + activity[:, d])
        else:
            running = running + activity[:, d] * np.exp(-ahead[:, d])
    for axis in (0, 1):
        running = _three_taps(running, float(variance[-1]) / voxel_mm[axis] ** 2 + 1 / 12, axis)
    return _facing(running)
