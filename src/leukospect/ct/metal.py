"""Metal artefact reduction of a CT, slice by slice, where it helps.

DICOM gives slices and no raw data, so the line integrals are those of the slices, along parallel rays or along the fan
that the header tells. The correction is added to the scan: slices without metal stay identical to the bit, and so do
the metal itself and everything outside the patient. Each slice is judged before and after; what does not help is not
used.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from leukospect.ct.body import body_outline
from leukospect.ct.metal_doubt import confirmed
from leukospect.ct.metal_left import with_metal_left
from leukospect.ct.metal_segmentation import MetalFinding, metal_finding
from leukospect.ct.metal_trace import MetalTrace, beam_of_slice
from leukospect.ct.slice_beam import fan_beam_of_slice
from leukospect.ct.slice_reduction import METHODS as _METHODS
from leukospect.ct.slice_reduction import SliceMeasure, reduced_slice
from leukospect.ct.streak_notches import with_notches_filled
from leukospect.data import CtSeries, Geometry, Image
from leukospect.errors import AssumptionWarning, GeometryError, InputError
from leukospect.kernels.ct_beam import Beam, FanBeam

METHODS: tuple[str, ...] = tuple(_METHODS)


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
    measures : tuple of SliceMeasure
        One for each slice with metal, changed or not.
    method : str
    rays : str
        ``fan`` or ``parallel``.
    finding : MetalFinding or None
        What metal is in `metal`, and what was not taken for it.
    """

    image: Image
    metal: Image
    slices: tuple[int, ...]
    measures: tuple[SliceMeasure, ...]
    method: str
    rays: str = "parallel"
    finding: MetalFinding | None = None


def reduce_metal(
    ct: CtSeries,
    *,
    method: str = "adaptive",
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
        ``linear``, ``normalised``, ``frequency-split``, ``trace-model``, see the modules of these names, or
        ``adaptive``: the mean of the normalised and two trace models, weighed for each slice by what they leave.
    threshold_hu : float or None
        See `find_metal`; None lets each piece of metal have its own.
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

    Warns
    -----
    AssumptionWarning
        The fan that the header tells cannot be placed in the slices, or these were resampled from a tilted gantry.
    """
    if method not in METHODS:
        raise InputError(f"Metal reduction knows the methods {', '.join(METHODS)}; '{method}' is none of them.")
    _check_axial(ct.image)
    finding = metal_finding(ct.image, threshold_hu)
    metal = finding.mask.copy()
    reduced = np.array(ct.image.array, dtype=np.float32)
    with_metal = [int(k) for k in np.flatnonzero(metal.any(axis=(1, 2)))]
    if not with_metal:
        return _reduction(ct.image, reduced, finding, method)
    if ct.gantry_tilt_deg:
        warnings.warn(
            f"The slices were resampled from a gantry tilted by {round(ct.gantry_tilt_deg, 1):g} degrees before metal "
            "was looked for; streaks run in the tilted planes and cross the upright slices, so most of them stay.",
            AssumptionWarning,
            stacklevel=2,
        )
    beam, body = _beam_of(ct), _body_of(ct.image, with_metal)

    def work(k: int) -> SliceMeasure:
        trace = MetalTrace(beam, reduced[k].copy(), metal[k], body[k] | metal[k])
        if threshold_hu is None:
            metal[k] = confirmed(trace)
            trace = MetalTrace(beam, trace.slice_hu, metal[k], trace.body)
        trace = with_notches_filled(trace)
        reduced[k], measure = reduced_slice(method, trace, k)
        return measure

    measures: list[SliceMeasure] = []
    with ThreadPoolExecutor(max_workers=threads or os.cpu_count() or 1) as pool:
        for measure in pool.map(work, with_metal):
            measures.append(measure)
            if progress:
                progress(len(measures) / len(with_metal))
    left = with_metal_left(finding, metal, "bone brightened by streaks of other metal", ct.image.geometry)
    rays = "fan" if isinstance(beam, FanBeam) else "parallel"
    return _reduction(ct.image, reduced, left, method, measures, rays)


def _reduction(
    scanned: Image,
    reduced: NDArray[np.float32],
    finding: MetalFinding,
    method: str,
    measures: Sequence[SliceMeasure] = (),
    rays: str = "parallel",
) -> MetalReduction:
    return MetalReduction(
        image=Image(reduced, scanned.geometry, scanned.unit),
        metal=Image(finding.mask.astype(np.uint8), scanned.geometry, "1"),
        slices=tuple(m.slice_index for m in measures if m.corrected),
        measures=tuple(measures),
        method=method,
        rays=rays,
        finding=finding,
    )


def _check_axial(image: Image) -> None:
    normal = image.geometry.affine[:3, 0] / np.linalg.norm(image.geometry.affine[:3, 0])
    if abs(normal[2]) < np.cos(np.deg2rad(35.0)):
        raise GeometryError("Metal reduction needs axial CT slices; this volume's slices are sagittal or coronal.")


def _beam_of(ct: CtSeries) -> Beam:
    """Take the fan that the header tells, else parallel rays; say so where the fan cannot be placed."""
    geometry = ct.image.geometry
    if ct.fan is not None:
        try:
            return fan_beam_of_slice(geometry, ct.fan)
        except GeometryError as error:  # parallel rays serve any slice
            why = str(error).rstrip(".")
            warnings.warn(
                f"The fan of rays that the CT's header tells cannot be placed in its slices, because "
                f"{why[:1].lower()}{why[1:]}; parallel rays are taken.",
                AssumptionWarning,
                stacklevel=3,
            )
    return beam_of_slice(geometry.shape[1:], geometry.spacing_mm[1:])


def _body_of(image: Image, with_metal: list[int]) -> dict[int, NDArray[np.bool_]]:
    """Outline the patient in the slices with metal, of which there are some."""
    first, last = with_metal[0], with_metal[-1]
    shape = (last + 1 - first, *image.geometry.shape[1:])
    # Only sizes of pixels are asked of the geometry, not where the slices lie.
    outline = body_outline(Image(image.array[first : last + 1], Geometry(shape, image.geometry.affine), image.unit))
    return {k: outline[k - first] for k in with_metal}
