"""OSEM with one sparse matrix that serves every transverse slice: possible only without any correction.

The matrix holds line integrals by Joseph's method: along the axis that a ray is nearer to, one sample each row or
column of pixels, interpolated linearly between the two pixels beside it. scipy multiplies it with all slices at once,
on one thread. Both the matrix and its transpose are kept by rows, as the products are fastest so.

Source: Joseph, IEEE Trans Med Imaging 1982; 1:192.
"""

from __future__ import annotations

import time

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from leukospect.benchmark.speed_case import SpeedCase
from leukospect.benchmark.speed_contest import Settings, Timed
from leukospect.reconstruction import subset_views

Array = NDArray[np.float32]


def reconstruct(case: SpeedCase, settings: Settings) -> Timed:
    """Reconstruct all slices together by OSEM with a sparse matrix for each subset."""
    began = time.perf_counter()
    inside = case.body if settings.within == "body" else _circle(case.size)
    groups = subset_views(case.angles_deg, settings.subsets)
    matrices = [line_integrals(case.angles_deg[views], case.size, inside) for views in groups]
    transposes = [csr_array(matrix.T) for matrix in matrices]
    built = time.perf_counter()
    size = case.size
    # (view and column, slice), slices from feet to head.
    counts = [
        np.ascontiguousarray(case.counts[views][:, ::-1].transpose(0, 2, 1).reshape(-1, size)) for views in groups
    ]
    inverse = [_inverse(back @ np.ones(back.shape[1], np.float32)) for back in transposes]
    places = int(np.count_nonzero(inside))
    level = case.counts.sum(dtype=np.float64) / sum(float(m.sum(dtype=np.float64)) for m in matrices) / size
    image = np.full((places, size), level, np.float32)
    for _ in range(settings.iterations):
        for matrix, back, measured, scale in zip(matrices, transposes, counts, inverse, strict=True):
            expected = matrix @ image
            np.divide(measured, expected, out=expected, where=expected > 1e-6)
            image *= back @ expected
            image *= scale[:, None]
    volume = np.zeros((size, size, size), np.float32)
    volume[inside] = image
    ordered = np.ascontiguousarray(volume.transpose(2, 0, 1))
    return Timed(ordered, time.perf_counter() - began, built - began)


def line_integrals(angles_deg: NDArray[np.float64], size: int, inside: NDArray[np.bool_]) -> csr_array:
    """Make the matrix from the pixels of a plane to its projections.

    Parameters
    ----------
    angles_deg : (views,) array, data.Orbit's convention
    size : int
        Rows and columns of the plane, and columns of the detector.
    inside : (rows, columns) bool array
        Which pixels are the matrix' columns, in the order of rows, then columns.

    Returns
    -------
    (views x columns, pixels) float32 matrix, lengths in pixels
    """
    number = np.full(inside.shape, -1)
    number[inside] = np.arange(np.count_nonzero(inside))
    middle = (size - 1) / 2
    rays, pixels, weights = [], [], []
    along = np.arange(size) - middle
    for view, t in enumerate(np.deg2rad(angles_deg)):
        # Points of a ray: s u + r n, u = (-cos t, sin t), n = (sin t, cos t) in (x, y).
        s = (np.arange(size) - middle)[:, None]
        by_rows = abs(np.cos(t)) >= abs(np.sin(t))
        if by_rows:
            r = (along[None, :] - s * np.sin(t)) / np.cos(t)
            across = -s * np.cos(t) + r * np.sin(t) + middle
        else:
            r = (along[None, :] + s * np.cos(t)) / np.sin(t)
            across = s * np.sin(t) + r * np.cos(t) + middle
        length = 1.0 / max(abs(np.cos(t)), abs(np.sin(t)))
        low = np.floor(across).astype(np.int64)
        steps = np.broadcast_to(np.arange(size)[None, :], across.shape)
        ray = np.broadcast_to(view * size + np.arange(size)[:, None], across.shape)
        for side in (0, 1):
            beside = low + side
            weight = length * (1.0 - np.abs(across - beside))
            valid = (beside >= 0) & (beside < size) & (weight > 0)
            pixel = number[steps[valid], beside[valid]] if by_rows else number[beside[valid], steps[valid]]
            rays.append(ray[valid][pixel >= 0])
            pixels.append(pixel[pixel >= 0])
            weights.append(weight[valid][pixel >= 0])
    shape = (angles_deg.size * size, int(np.count_nonzero(inside)))
    index = np.concatenate(rays).astype(np.int32), np.concatenate(pixels).astype(np.int32)
    return csr_array((np.concatenate(weights).astype(np.float32), index), shape=shape)


def _circle(size: int) -> NDArray[np.bool_]:
    """Tell which places every view sees."""
    places = np.arange(size) - (size - 1) / 2
    return np.asarray(np.hypot(places[:, None], places[None, :]) <= (size - 1) / 2 - 0.5)


def _inverse(sensitivity: Array) -> Array:
    return np.divide(1.0, sensitivity, out=np.zeros_like(sensitivity), where=sensitivity > 1e-4 * sensitivity.max())
