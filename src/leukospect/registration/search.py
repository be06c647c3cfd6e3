"""Searching the shift and rotation of most mutual information, and measuring it."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
import SimpleITK
from numpy.typing import NDArray

from leukospect.data import Image
from leukospect.registration.conversion import Matrix, to_simpleitk
from leukospect.registration.resampling import resample, smoothed

_SIGMAS_MM, _SHRINKS = (8.0, 4.0), (2, 1)
_SAMPLES_A_LEVEL = 40_000
_BINS = 40
# Where the second search of each pair starts: rotations in rad and shift in mm away from the first.
_OTHER_ROTATION, _OTHER_SHIFT_MM = (0.03, -0.02, 0.025), (6.0, -5.0, 7.0)
# A radian weighs as much as a shift by this: scales taken from the field's corners let the rotations lag behind.
_LEVER_MM = 40.0
_ONE_AT_A_TIME = threading.Lock()


@dataclass(frozen=True, slots=True, eq=False)
class Pair:
    """What is searched: both images as they are compared, and the point they turn about, LPS mm."""

    fixed: Image
    moving: Image
    centre_mm: NDArray[np.float64]
    seed: int
    threads: int


@contextmanager
def one_thread_a_filter() -> Iterator[None]:
    """Hold ITK's global number of threads at one: its metric follows that number, and sums in order of arrival."""
    with _ONE_AT_A_TIME:
        before = SimpleITK.ProcessObject.GetGlobalDefaultNumberOfThreads()
        SimpleITK.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
        try:
            yield
        finally:
            SimpleITK.ProcessObject.SetGlobalDefaultNumberOfThreads(before)


def two_searches(pair: Pair, start_shift_mm: NDArray[np.float64], *, rotate: bool) -> list[Matrix]:
    """Search from a shift and from a place away from it, side by side; call within `one_thread_a_filter`.

    Parameters
    ----------
    pair : Pair
    start_shift_mm : (3,) array
    rotate : bool
        Search three rotations as well as three shifts.

    Returns
    -------
    list of two (4, 4) arrays
        Taking fixed points to moving points, LPS mm.
    """
    starts = [((0.0, 0.0, 0.0), start_shift_mm), (_OTHER_ROTATION, start_shift_mm + _OTHER_SHIFT_MM)]
    with ThreadPoolExecutor(max_workers=max(1, min(pair.threads, 2))) as pool:
        return list(pool.map(lambda start: _search(pair, *start, rotate=rotate), starts))


def _search(pair: Pair, rotation: tuple[float, float, float], shift_mm: NDArray[np.float64], *, rotate: bool) -> Matrix:
    method = SimpleITK.ImageRegistrationMethod()
    method.SetNumberOfThreads(1)
    method.SetMetricAsMattesMutualInformation(numberOfHistogramBins=_BINS)
    method.SetMetricSamplingStrategy(method.REGULAR)
    voxels = float(np.prod(pair.fixed.geometry.shape))
    parts = [min(1.0, _SAMPLES_A_LEVEL * shrink**3 / voxels) for shrink in _SHRINKS]
    method.SetMetricSamplingPercentagePerLevel(parts, pair.seed + 1)
    method.SetInterpolator(SimpleITK.sitkLinear)
    method.SetShrinkFactorsPerLevel(_SHRINKS)
    method.SetSmoothingSigmasPerLevel(_SIGMAS_MM)
    method.SmoothingSigmasAreSpecifiedInPhysicalUnitsOn()
    method.SetOptimizerAsRegularStepGradientDescent(
        learningRate=2.0, minStep=0.05, numberOfIterations=150, relaxationFactor=0.6, gradientMagnitudeTolerance=1e-7
    )
    transform = SimpleITK.Euler3DTransform() if rotate else SimpleITK.TranslationTransform(3)
    if rotate:
        transform.SetCenter(pair.centre_mm.tolist())
        transform.SetParameters((*rotation, *shift_mm.tolist()))
        method.SetOptimizerScales([_LEVER_MM**2] * 3 + [1.0] * 3)
    else:
        transform.SetOffset(shift_mm.tolist())
    method.SetInitialTransform(transform, inPlace=True)
    method.Execute(to_simpleitk(pair.fixed), to_simpleitk(pair.moving))
    matrix = np.eye(4)
    if not rotate:
        matrix[:3, 3] = transform.GetOffset()
        return matrix
    matrix[:3, :3] = np.reshape(transform.GetMatrix(), (3, 3))
    matrix[:3, 3] = pair.centre_mm + transform.GetTranslation() - matrix[:3, :3] @ pair.centre_mm
    return matrix


def mutual_information(fixed: Image, moving: Image, matrices: Sequence[Matrix]) -> list[float]:
    """Measure the mutual information under transforms, nats, over the voxels that all of them leave in both images.

    Both images are smoothed first: sampling a noisy one between its voxels would by itself raise the measure.
    """
    width = [_SIGMAS_MM[-1]] * 3
    smooth_fixed, smooth_moving = (
        replace(image, array=smoothed(np.asarray(image.array, dtype=np.float32), image.geometry, width))
        for image in (fixed, moving)
    )
    moved = [
        resample(smooth_moving, fixed.geometry, fixed_to_moving=m, outside=np.nan, anti_alias=False).array
        for m in matrices
    ]
    shared = np.all(np.isfinite(moved), axis=0)
    seen = np.asarray(smooth_fixed.array[shared], dtype=np.float32)
    return [_joint_information(seen, np.asarray(array[shared], dtype=np.float32)) for array in moved]


def _joint_information(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    if one.size == 0:
        return 0.0
    joint, _, _ = np.histogram2d(one, other, bins=_BINS)
    p = joint / joint.sum()
    independent = p.sum(axis=1, keepdims=True) * p.sum(axis=0, keepdims=True)
    seen = p > 0
    return float(np.sum(p[seen] * np.log(p[seen] / independent[seen])))
