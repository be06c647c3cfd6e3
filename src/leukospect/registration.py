"""Resampling between grids and rigid registration: the only place that knows SimpleITK.

A transform is always a 4x4 matrix in LPS mm that takes points of the fixed (or output) space to points of the moving
image's space, as ITK's resampling wants it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray
from scipy import ndimage

from leukospect.data import Geometry, Image
from leukospect.errors import GeometryError, InputError

Interpolation = Literal["linear", "nearest", "bspline"]
Matrix = NDArray[np.float64]

_INTERPOLATORS = {"linear": sitk.sitkLinear, "nearest": sitk.sitkNearestNeighbor, "bspline": sitk.sitkBSpline}
_FWHM_PER_SIGMA = np.sqrt(8.0 * np.log(2.0))

# Registration works on grids no finer than this; the images' own resolution is coarser still.
_WORKING_MM = 4.0
_SIGMAS_MM, _SHRINKS = (8.0, 4.0), (2, 1)
_SAMPLES_A_LEVEL = 60_000
_BINS = 40
_CT_WINDOW_HU = (-200.0, 300.0)
# What a result must bring to be taken instead of the identity.
LEAST_RELATIVE_GAIN = 0.02
_LEAST_SHIFT_VOXELS = 0.25
_LEAST_OVERLAP = 0.25
# Where the second search starts: (rotations in rad, shift in mm) about the body's centre.
_SECOND_START = (0.03, -0.02, 0.025, 6.0, -5.0, 7.0)
_ONE_AT_A_TIME = threading.Lock()


@dataclass(frozen=True, slots=True, eq=False)
class Registration:
    """How a moving image lies to a fixed one.

    Parameters
    ----------
    matrix : (4, 4) array
        Takes fixed points to moving points, LPS mm; exactly the identity where the result was not accepted.
    accepted : bool
    reason : str
        Why the result was taken or the identity kept, one sentence.
    shift_mm, rotation_deg : float
        What the search found, accepted or not: how far the body's centre moves, and the angle it turns by.
    mutual_information_before, mutual_information_after : float
        At the identity and at what was found, nats, over the same voxels; NaN where there was nothing to compare.
    """

    matrix: Matrix
    accepted: bool
    reason: str
    shift_mm: float
    rotation_deg: float
    mutual_information_before: float
    mutual_information_after: float


def to_simpleitk(image: Image) -> Any:
    """Make a SimpleITK image of an Image: same voxels at the same LPS places, left-handed grids included."""
    array = image.array.astype(np.uint8) if image.array.dtype == np.bool_ else image.array
    made = sitk.GetImageFromArray(np.ascontiguousarray(array))
    _place(made, image.geometry)
    return made


def from_simpleitk(image: Any, unit: str = "", frame_of_reference_uid: str | None = None) -> Image:
    """Make an Image of a SimpleITK image.

    Raises
    ------
    InputError
        It is not a volume of one value a voxel.
    """
    if image.GetDimension() != 3 or image.GetNumberOfComponentsPerPixel() != 1:
        raise InputError(
            f"A volume of one value a voxel is needed; found {image.GetDimension()} dimensions and "
            f"{image.GetNumberOfComponentsPerPixel()} values."
        )
    steps = np.reshape(image.GetDirection(), (3, 3)) * np.array(image.GetSpacing())
    affine = np.eye(4)
    affine[:3, :3] = steps[:, ::-1]
    affine[:3, 3] = image.GetOrigin()
    array = sitk.GetArrayFromImage(image)
    return Image(array, Geometry(array.shape, affine, frame_of_reference_uid), unit)


def _place(image: Any, geometry: Geometry) -> None:
    spacing = geometry.spacing_mm[::-1]
    image.SetSpacing(spacing)
    image.SetOrigin(geometry.affine[:3, 3].tolist())
    image.SetDirection((geometry.affine[:3, 2::-1] / spacing).ravel().tolist())


def _transform(matrix: Matrix) -> Any:
    transform = sitk.AffineTransform(3)
    transform.SetMatrix(matrix[:3, :3].ravel().tolist())
    transform.SetTranslation(matrix[:3, 3].tolist())
    return transform


def resample(
    image: Image,
    onto: Geometry,
    *,
    fixed_to_moving: Matrix | None = None,
    interpolation: Interpolation = "linear",
    outside: float = 0.0,
    anti_alias: bool = True,
) -> Image:
    """Sample an image at the voxels of another grid.

    Parameters
    ----------
    image : Image
    onto : Geometry
        The grid of the result, and its frame of reference.
    fixed_to_moving : (4, 4) array, optional
        Takes points of `onto`'s space to points of the image's, LPS mm; the identity without it.
    interpolation : ``linear``, ``nearest`` or ``bspline``
        ``nearest`` for labels: it keeps the data type and is never smoothed. The others give float32.
    outside : float
        Value where the image has none.
    anti_alias : bool
        Smooth first, along each axis whose voxels are finer than the new grid's, to the new grid's voxel size
        (a Gaussian of FWHM sqrt(new^2 - old^2)); the image is taken to go on beyond its edge as it ends there.

    Returns
    -------
    Image

    Raises
    ------
    GeometryError
        The transform is not a finite, invertible 4x4 matrix.
    """
    matrix = np.eye(4) if fixed_to_moving is None else np.asarray(fixed_to_moving, dtype=np.float64)
    if matrix.shape != (4, 4) or not np.all(np.isfinite(matrix)) or abs(np.linalg.det(matrix)) < 1e-9:
        raise GeometryError("A transform must be a finite, invertible 4x4 matrix.")
    if interpolation != "nearest":
        array = np.asarray(image.array, dtype=np.float32)
        if anti_alias:
            array = _smoothed(array, image.geometry, _coarsening_sigmas(image.geometry, onto, matrix))
        image = replace(image, array=array)
    moved = sitk.Resample(
        to_simpleitk(image),
        list(onto.shape[::-1]),
        _transform(matrix),
        _INTERPOLATORS[interpolation],
        onto.affine[:3, 3].tolist(),
        onto.spacing_mm[::-1],
        (onto.affine[:3, 2::-1] / onto.spacing_mm[::-1]).ravel().tolist(),
        float(outside),
    )
    array = sitk.GetArrayFromImage(moved)
    return Image(array.astype(image.array.dtype, copy=False), onto, image.unit)


def _coarsening_sigmas(fine: Geometry, coarse: Geometry, matrix: Matrix) -> list[float]:
    """Standard deviations, mm along (k, j, i), that bring the finer grid's voxels to the coarser one's size."""
    directions = fine.affine[:3, :3] / fine.spacing_mm
    new_mm = np.abs(directions.T @ matrix[:3, :3] @ coarse.affine[:3, :3]).max(axis=1)
    widths = np.sqrt(np.maximum(new_mm**2 - np.square(fine.spacing_mm), 0.0))
    return [float(width / _FWHM_PER_SIGMA) for width in widths]


def _smoothed(array: NDArray[np.float32], geometry: Geometry, sigmas_mm: list[float]) -> NDArray[np.float32]:
    for axis, (sigma, spacing) in enumerate(zip(sigmas_mm, geometry.spacing_mm, strict=True)):
        if sigma > 0.05 * spacing and array.shape[axis] > 1:
            array = ndimage.gaussian_filter1d(array, sigma / spacing, axis=axis, mode="nearest")
    return array


def body_rendering(image: Image) -> Image:
    """Show the body so that registration sees its outline and organs rather than a few extremes.

    CT (unit ``HU``) is clipped to -200 to 300 HU; an emission image has its negatives and its brightest thousandth
    clipped and the square root taken, which lifts the body's faint outline against hot organs.
    """
    array = np.asarray(image.array, dtype=np.float32)
    if image.unit == "HU":
        return replace(image, array=np.clip(array, *_CT_WINDOW_HU))
    top = float(np.quantile(array, 0.999)) or float(array.max())
    return replace(image, array=np.sqrt(np.clip(array, 0.0, max(top, 0.0))))


def register_rigid(
    fixed: Image,
    moving: Image,
    *,
    maximum_shift_mm: float = 30.0,
    maximum_rotation_deg: float = 10.0,
    seed: int = 0,
    threads: int = 2,
    progress: Callable[[float], None] | None = None,
) -> Registration:
    """Find the shift and rotation between two images of one body by mutual information.

    Mattes mutual information over three rotations and three shifts about the body's centre, coarse to fine, from the
    identity. The identity is kept unless what is found (a) is within the limits, (b) moves the body by a quarter of a
    voxel or more, (c) raises the mutual information by at least 2 %, and (d) is found again from another start.

    Parameters
    ----------
    fixed, moving : Image
        Of any kind; see `body_rendering` for what is compared.
    maximum_shift_mm, maximum_rotation_deg : float
        A result beyond is not believed.
    seed : int
        Of the sampling.
    threads : int
        Searches run side by side (there are two). The result is the same to the bit for any number.
    progress : function of the fraction done, or None

    Returns
    -------
    Registration

    Raises
    ------
    InputError
        An image holds values that are not finite, or a limit is not positive.
    """
    if not (
        np.isfinite([maximum_shift_mm, maximum_rotation_deg]).all() and min(maximum_shift_mm, maximum_rotation_deg) > 0
    ):
        raise InputError("The limits of a registration, mm and degrees, must be positive.")
    for image, name in ((fixed, "fixed"), (moving, "moving")):
        if not np.all(np.isfinite(image.array)):
            raise InputError(f"The {name} image of the registration contains values that are not finite.")
    pair = _working(body_rendering(fixed)), _working(body_rendering(moving))
    for image, name in zip(pair, ("fixed", "moving"), strict=True):
        if np.ptp(image.array) <= 0 or min(image.array.shape) < 4:
            return _identity(f"The {name} image shows nothing to register, so the identity was kept.")
    if _overlap(*pair) < _LEAST_OVERLAP:
        return _identity("The images hardly overlap as they lie, so the identity was kept.")
    centre = _body_centre(pair[0])
    found = _searches(*pair, centre, seed, threads, progress)
    return _judged(*pair, centre, found, maximum_shift_mm, maximum_rotation_deg)


def _identity(reason: str) -> Registration:
    return Registration(np.eye(4), False, reason, 0.0, 0.0, float("nan"), float("nan"))


def _working(image: Image) -> Image:
    """Bring a fine grid to about 4 mm along each axis, the same box."""
    geometry = image.geometry
    steps = np.maximum(1.0, _WORKING_MM / np.array(geometry.spacing_mm))
    steps[steps < 1.5] = 1.0
    if np.all(steps == 1.0):
        return image
    shape = np.maximum(1, np.round(np.array(geometry.shape) / steps)).astype(int)
    steps = np.array(geometry.shape) / shape
    affine = geometry.affine.copy()
    affine[:3, :3] *= steps
    affine[:3, 3] = geometry.to_lps((steps - 1.0) / 2.0)
    coarse = Geometry((int(shape[0]), int(shape[1]), int(shape[2])), affine, geometry.frame_of_reference_uid)
    return resample(image, coarse, outside=float(image.array.min()))


def _overlap(fixed: Image, moving: Image) -> float:
    """Tell which part of the smaller of the two boxes the other covers, at the identity."""
    parts = []
    for one, other in ((fixed, moving), (moving, fixed)):
        indices = np.stack(
            np.meshgrid(*(np.linspace(0, n - 1, 12) for n in one.geometry.shape), indexing="ij"), axis=-1
        )
        places = other.geometry.to_index(one.geometry.to_lps(indices))
        parts.append(
            float(np.mean(np.all((places >= -0.5) & (places <= np.array(other.geometry.shape) - 0.5), axis=-1)))
        )
    return max(parts)


def _body_centre(image: Image) -> NDArray[np.float64]:
    """Centroid of what is brighter than the image's mean, LPS mm."""
    bright = np.asarray(image.array > image.array.mean(dtype=np.float64))
    return image.geometry.to_lps(ndimage.center_of_mass(bright))


@contextmanager
def _one_thread_a_filter() -> Iterator[None]:
    """Hold ITK's global number of threads at one: its metric follows that number, and sums in order of arrival."""
    with _ONE_AT_A_TIME:
        before = sitk.ProcessObject.GetGlobalDefaultNumberOfThreads()
        sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
        try:
            yield
        finally:
            sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(before)


def _searches(
    fixed: Image,
    moving: Image,
    centre: NDArray[np.float64],
    seed: int,
    threads: int,
    progress: Callable[[float], None] | None,
) -> list[Matrix]:
    """Search from the identity and from a second start; the same searches on any number of threads."""
    starts = ((0.0,) * 6, _SECOND_START)
    found: list[Matrix] = []
    with _one_thread_a_filter(), ThreadPoolExecutor(max_workers=max(1, min(threads, len(starts)))) as pool:
        for matrix in pool.map(lambda start: _search(fixed, moving, centre, start, seed), starts):
            found.append(matrix)
            if progress:
                progress(len(found) / len(starts))
    return found


def _search(fixed: Image, moving: Image, centre: NDArray[np.float64], start: tuple[float, ...], seed: int) -> Matrix:
    rigid = sitk.Euler3DTransform()
    rigid.SetCenter(centre.tolist())
    rigid.SetParameters(start)
    voxels = float(np.prod(fixed.geometry.shape))
    method = sitk.ImageRegistrationMethod()
    method.SetNumberOfThreads(1)
    method.SetMetricAsMattesMutualInformation(numberOfHistogramBins=_BINS)
    method.SetMetricSamplingStrategy(method.REGULAR)
    parts = [min(1.0, _SAMPLES_A_LEVEL * shrink**3 / voxels) for shrink in _SHRINKS]
    method.SetMetricSamplingPercentagePerLevel(parts, seed + 1)
    method.SetInterpolator(sitk.sitkLinear)
    method.SetShrinkFactorsPerLevel(_SHRINKS)
    method.SetSmoothingSigmasPerLevel(_SIGMAS_MM)
    method.SmoothingSigmasAreSpecifiedInPhysicalUnitsOn()
    method.SetOptimizerAsRegularStepGradientDescent(
        learningRate=2.0, minStep=0.01, numberOfIterations=100, relaxationFactor=0.6, gradientMagnitudeTolerance=1e-7
    )
    method.SetOptimizerScalesFromPhysicalShift()
    method.SetInitialTransform(rigid, inPlace=True)
    method.Execute(to_simpleitk(fixed), to_simpleitk(moving))
    matrix = np.eye(4)
    matrix[:3, :3] = np.reshape(rigid.GetMatrix(), (3, 3))
    matrix[:3, 3] = centre + rigid.GetTranslation() - matrix[:3, :3] @ centre
    return matrix


def _mutual_information(fixed: Image, moving: Image, matrices: list[Matrix]) -> list[float]:
    """Mutual information, nats, under each transform, over the voxels that all of them leave inside the moving image."""
    width = [_SIGMAS_MM[-1]] * 3
    smooth = [
        replace(i, array=_smoothed(np.asarray(i.array, dtype=np.float32), i.geometry, width)) for i in (fixed, moving)
    ]
    moved = [
        resample(smooth[1], fixed.geometry, fixed_to_moving=m, outside=np.nan, anti_alias=False).array for m in matrices
    ]
    shared = np.all(np.isfinite(moved), axis=0)
    values = []
    for array in moved:
        joint, _, _ = np.histogram2d(smooth[0].array[shared], array[shared], bins=_BINS)
        p = joint / max(joint.sum(), 1.0)
        independent = p.sum(axis=1, keepdims=True) * p.sum(axis=0, keepdims=True)
        seen = p > 0
        values.append(float(np.sum(p[seen] * np.log(p[seen] / independent[seen]))))
    return values


def _displacement_mm(fixed: Image, centre: NDArray[np.float64], one: Matrix, other: Matrix) -> float:
    """Root mean square distance between where two transforms put the body's surroundings (a sphere of 100 mm)."""
    extent = 0.5 * np.array(fixed.geometry.shape) * fixed.geometry.spacing_mm
    radius = min(100.0, float(extent.max()))
    difference = (one - other)[:3, :3]
    at_centre = difference @ centre + (one - other)[:3, 3]
    return float(np.sqrt(at_centre @ at_centre + radius**2 / 3.0 * np.sum(difference**2)))


def _judged(
    fixed: Image,
    moving: Image,
    centre: NDArray[np.float64],
    found: list[Matrix],
    maximum_shift_mm: float,
    maximum_rotation_deg: float,
) -> Registration:
    """Take what was found, or keep the identity and say why."""
    best, second = found
    identity = np.eye(4)
    shift = float(np.linalg.norm(best[:3, :3] @ centre + best[:3, 3] - centre))
    rotation = float(np.degrees(np.arccos(np.clip((np.trace(best[:3, :3]) - 1.0) / 2.0, -1.0, 1.0))))
    before, after = _mutual_information(fixed, moving, [identity, best])
    voxel = min(fixed.geometry.spacing_mm)
    moves = _displacement_mm(fixed, centre, best, identity)
    apart = _displacement_mm(fixed, centre, best, second)
    what = f"a shift of {shift:.1f} mm and a rotation of {rotation:.1f} degrees"
    if shift > maximum_shift_mm or rotation > maximum_rotation_deg:
        reason = f"The search ended at {what}, which is not plausible, so the identity was kept."
    elif moves < _LEAST_SHIFT_VOXELS * voxel:
        reason = f"The images are aligned to {moves:.1f} mm, so the identity was kept."
    elif not after >= (1.0 + LEAST_RELATIVE_GAIN) * before:
        gain = 100.0 * (after / before - 1.0)
        reason = f"The search ended at {what}, which is not clearly better ({gain:+.1f} %), so the identity was kept."
    elif apart > voxel:
        reason = f"A second search ended {apart:.1f} mm away from {what}, so the identity was kept."
    else:
        gain = 100.0 * (after / before - 1.0)
        reason = f"{what[0].upper()}{what[1:]} raises the mutual information by {gain:.1f} %, from two starts alike."
        return Registration(best, True, reason, shift, rotation, before, after)
    return Registration(identity, False, reason, shift, rotation, before, after)
