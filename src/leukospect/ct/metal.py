"""Metal in a CT: where it is, and the volume with the streaks around it reduced.

What this first method can do is known: linear interpolation removes the dark and bright bands that beam hardening and
starved rays leave, and blurs bone that lies in line with the metal. So each slice is judged by the unrest of the soft
tissue around its metal, and one that does not gain stays as it was.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from leukospect.ct.body import body_outline
from leukospect.ct.linear_interpolation import beam_of_slice, without_shadow
from leukospect.ct.metal_extent import DENSE_LEVEL_HU
from leukospect.ct.metal_segmentation import find_metal
from leukospect.data import CtSeries, Image
from leukospect.errors import GeometryError, InputError

METHODS = ("linear",)

# The ring in which a slice is judged: clear of the metal's mixed rim, near enough to be ruled by its streaks.
_RING_FROM_MM, _RING_TO_MM = 3.0, 40.0
_SOFT_TISSUE_HU = (-250.0, 250.0)
_FEWEST_RING_PIXELS = 50


@dataclass(frozen=True, slots=True)
class StreakMeasure:
    """How restless the soft tissue around the metal of one slice is.

    Parameters
    ----------
    slice_index : int
    before_hu, after_hu : float
        Standard deviation of the soft tissue 3 to 40 mm from the metal, HU, before and after the reduction.
    corrected : bool
        False where the reduction did not lower it: that slice was left as it was.
    """

    slice_index: int
    before_hu: float
    after_hu: float
    corrected: bool


@dataclass(frozen=True, slots=True, eq=False)
class MetalReduction:
    """A CT with reduced metal artefacts, and what was done.

    Parameters
    ----------
    image : Image
        HU, float32; slices not in `slices` are identical to the original.
    metal : Image
        1 in metal, uint8, on the same grid.
    slices : tuple of int
        Indices of the slices that were changed.
    measures : tuple of StreakMeasure
        One for each slice with metal, changed or not.
    method : str
    """

    image: Image
    metal: Image
    slices: tuple[int, ...]
    measures: tuple[StreakMeasure, ...]
    method: str


def reduce_metal(
    ct: CtSeries,
    *,
    method: str = "linear",
    threshold_hu: float | None = None,
    threads: int | None = None,
    progress: Callable[[float], None] | None = None,
) -> MetalReduction:
    """Reduce the streaks that metal leaves in the slices of a CT.

    Parameters
    ----------
    ct : CtSeries
        Axial slices in HU.
    method : str
        ``linear``: interpolation of the shadow, see `leukospect.ct.linear_interpolation`.
    threshold_hu : float or None
        See `find_metal`.
    threads : int or None
        Slices worked on at a time; None takes what the machine offers. The result does not depend on it.
    progress : function of the fraction done, or None

    Returns
    -------
    MetalReduction

    Raises
    ------
    InputError
        The method is not known, or values are not finite.
    GeometryError
        The slices are not axial, so that they are not the planes that the scanner's rays ran in.
    """
    if method not in METHODS:
        raise InputError(f"Metal reduction knows the methods {', '.join(METHODS)}; '{method}' is none of them.")
    _check_hu(ct.image)
    _check_axial(ct.image)
    reduced = np.array(ct.image.array, dtype=np.float32)
    may_be_metal = reduced.max() > (DENSE_LEVEL_HU if threshold_hu is None else threshold_hu)
    body = body_outline(ct.image) if may_be_metal else np.zeros(reduced.shape, dtype=np.bool_)
    metal = find_metal(ct.image, threshold_hu, body=body)
    with_metal = [int(k) for k in np.flatnonzero(metal.any(axis=(1, 2)))]
    beam = beam_of_slice(ct.image.geometry.shape[1:], ct.image.geometry.spacing_mm[1:])

    def work(k: int) -> StreakMeasure:
        tissue = _ring(metal[k], body[k], beam.pixel_mm)
        before = reduced[k]
        after = without_shadow(beam, before, metal[k], body[k], _typical(before, tissue))
        measure = _judged(k, before, after, tissue)
        if measure.corrected:
            reduced[k] = after
        return measure

    measures: list[StreakMeasure] = []
    with ThreadPoolExecutor(max_workers=threads or os.cpu_count() or 1) as pool:
        for measure in pool.map(work, with_metal):
            measures.append(measure)
            if progress:
                progress(len(measures) / len(with_metal))
    geometry = ct.image.geometry
    return MetalReduction(
        image=Image(reduced, geometry, ct.image.unit),
        metal=Image(metal.astype(np.uint8), geometry, "1"),
        slices=tuple(m.slice_index for m in measures if m.corrected),
        measures=tuple(measures),
        method=method,
    )


def _check_hu(image: Image) -> None:
    if image.unit not in ("HU", ""):
        raise InputError(f"Metal is looked for in a CT in HU; this image is in {image.unit}.")
    if np.issubdtype(image.array.dtype, np.floating) and not np.all(np.isfinite(image.array)):
        raise InputError("The CT contains values that are not finite.")


def _check_axial(image: Image) -> None:
    normal = image.geometry.affine[:3, 0] / np.linalg.norm(image.geometry.affine[:3, 0])
    if abs(normal[2]) < np.cos(np.deg2rad(35.0)):
        raise GeometryError("Metal reduction needs axial CT slices; this volume's slices are sagittal or coronal.")


def _ring(metal: NDArray[np.bool_], body: NDArray[np.bool_], pixel_mm: tuple[float, float]) -> NDArray[np.bool_]:
    distance = np.asarray(ndimage.distance_transform_edt(~metal, sampling=pixel_mm))
    return body & (distance >= _RING_FROM_MM) & (distance <= _RING_TO_MM)


def _typical(slice_hu: NDArray[np.float32], ring: NDArray[np.bool_]) -> float:
    """Median of the soft tissue in the ring, HU; water's where there is none."""
    low, high = _SOFT_TISSUE_HU
    values = slice_hu[ring & (slice_hu > low) & (slice_hu < high)]
    return float(np.median(values)) if values.size else 0.0


def _judged(k: int, before: NDArray[np.float32], after: NDArray[np.float32], ring: NDArray[np.bool_]) -> StreakMeasure:
    """Compare the unrest of the same pixels: bone of the original left out, as is gas that is gas in both."""
    low, high = _SOFT_TISSUE_HU
    tissue = ring & (before < high) & ((before > low) | (after > low))
    if np.count_nonzero(tissue) < _FEWEST_RING_PIXELS:
        return StreakMeasure(k, float("nan"), float("nan"), corrected=False)
    unrest = [float(np.std(np.clip(values[tissue], low, high), dtype=np.float64)) for values in (before, after)]
    return StreakMeasure(k, unrest[0], unrest[1], corrected=unrest[1] < unrest[0])
