"""A first guess of a rigid motion: many rotations, and of each the best shift by correlation, all at once."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage

from leukospect.data import Image
from leukospect.registration.conversion import Matrix
from leukospect.registration.refinement import Points, turned_about

# Angles about each axis that are tried, degrees.
_ANGLES_DEG = (-16.0, -8.0, 0.0, 8.0, 16.0)
# Part of the points that a shift must leave inside the moving image.
_LEAST_INSIDE = 0.5


@dataclass(frozen=True, slots=True, eq=False)
class _Field:
    """The moving image's transforms: of where it has voxels, of its brightness, and of its square."""

    shape: tuple[int, int, int]
    present: NDArray[np.complex64]
    values: NDArray[np.complex64]
    squares: NDArray[np.complex64]


def best_rotations(
    places_mm: Points, values: NDArray[np.float64], moving: Image, *, maximum_shift_mm: float, keep: int
) -> list[Matrix]:
    """Try rotations up to 16 degrees about each axis with every shift, and keep the best few.

    Parameters
    ----------
    places_mm : (n, 3) array
        Points of the fixed image, LPS.
    values : (n,) array
        Its brightness there.
    moving : Image
        On an axial grid of cubic voxels, brightness alike.
    maximum_shift_mm : float
        Along each axis, of the points' centre.
    keep : int

    Returns
    -------
    list of (4, 4) arrays
        Best first: least squared difference over the squared brightness of the points inside.
    """
    pitch = moving.geometry.spacing_mm[0]
    centre = places_mm.mean(axis=0)
    reach = int(np.ceil(maximum_shift_mm / pitch))
    field = _field_of(moving, reach)
    first = moving.geometry.to_lps((0, 0, 0))
    found: list[tuple[float, int, Matrix]] = []
    for number, angles in enumerate(product(np.deg2rad(_ANGLES_DEG), repeat=3)):
        turn = turned_about(centre, np.array(angles), np.zeros(3))
        turned = places_mm @ turn[:3, :3].T + turn[:3, 3]
        cells = np.rint((turned - first)[:, ::-1] / pitch).astype(np.int64)
        score, shift = _best_shift(cells, values, field, reach)
        matrix = turn.copy()
        matrix[:3, 3] += pitch * np.array(shift[::-1])
        found.append((score, number, matrix))
    return [matrix for _, _, matrix in sorted(found, key=lambda one: one[:2])[:keep]]


def _field_of(moving: Image, reach: int) -> _Field:
    array = np.asarray(moving.array, np.float32)
    # What wraps round must come out in the margin: the reach, and as much for points that lie outside already.
    shape = tuple(fft.next_fast_len(n + 2 * reach, real=True) for n in array.shape)
    assert len(shape) == 3
    present = np.ones(array.shape, np.float32)
    return _Field(shape, *(fft.rfftn(part, shape) for part in (present, array, array * array)))


def _best_shift(
    cells: NDArray[np.int64], values: NDArray[np.float64], field: _Field, reach: int
) -> tuple[float, tuple[int, int, int]]:
    wrapped = np.ravel_multi_index(tuple(np.mod(cells, field.shape).T), field.shape)
    size = int(np.prod(field.shape))
    counted, summed, squared = (
        fft.rfftn(np.bincount(wrapped, weights, size).astype(np.float32).reshape(field.shape))
        for weights in (np.ones(len(values)), values, values**2)
    )
    inside = fft.irfftn(np.conj(counted) * field.present, field.shape)
    power = fft.irfftn(np.conj(squared) * field.present, field.shape)
    apart = fft.irfftn(
        np.conj(squared) * field.present - 2.0 * np.conj(summed) * field.values + np.conj(counted) * field.squares,
        field.shape,
    )
    near = [np.arange(-reach, reach + 1)] * 3
    window = np.ix_(*(np.mod(steps, n) for steps, n in zip(near, field.shape, strict=True)))
    enough = inside[window] >= _LEAST_INSIDE * len(values)
    score = np.where(enough, apart[window] / np.maximum(power[window], 1e-6), np.inf)
    at = np.unravel_index(int(np.argmin(score)), score.shape)
    shift = tuple(int(steps[i]) for steps, i in zip(near, at, strict=True))
    return float(score[at]), (shift[0], shift[1], shift[2])


def blocks_averaged(image: Image, factor: int) -> Image:
    """Smooth by a block of voxels and keep every `factor`-th along each axis."""
    array = ndimage.uniform_filter(np.asarray(image.array, np.float32), factor, mode="nearest")
    affine = image.geometry.affine.copy()
    affine[:3, :3] *= factor
    kept = np.ascontiguousarray(array[::factor, ::factor, ::factor])
    geometry = type(image.geometry)(kept.shape, affine, image.geometry.frame_of_reference_uid)
    return Image(kept, geometry, image.unit)
