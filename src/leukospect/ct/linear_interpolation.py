"""Metal artefact reduction of one slice: line integrals through metal replaced by interpolation.

With the slice in HU + 1000, so that air is zero, p = A f its line integrals and T p the same with the metal's shadow
bridged by straight lines along the detector, the reduced slice is  f - FBP(p - T p)  (W. A. Kalender, R. Hebel and
J. Ebersberger, Radiology 164 (1987) 576-577). The metal's own line integrals vanish outside its shadow, so they are
left out of p from the start: T p is the same, the difference is small and smooth, and the metal's sharp edge need not
cancel against a reconstruction of it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from leukospect.kernels.ct_beam import ParallelBeam, bridge, filtered_backprojection, forward, shadow

_AIR_HU = -1000.0
# A slice of n pixels across holds features that about pi n / 2 views resolve; the difference is smoother than that.
_VIEWS_PER_PIXEL = 1.4


def beam_of_slice(shape: tuple[int, int], pixel_mm: tuple[float, float]) -> ParallelBeam:
    """Choose views and bins for a slice of (rows, columns)."""
    extent = max(n * mm for n, mm in zip(shape, pixel_mm, strict=True)) / min(pixel_mm)
    return ParallelBeam.covering(shape, pixel_mm, max(90, round(_VIEWS_PER_PIXEL * extent)))


def without_shadow(
    beam: ParallelBeam,
    slice_hu: NDArray[np.float32],
    metal: NDArray[np.bool_],
    body: NDArray[np.bool_],
    tissue_hu: float,
) -> NDArray[np.float32]:
    """Reduce the streaks of one slice by linear interpolation.

    Parameters
    ----------
    beam : ParallelBeam
        Made by `beam_of_slice` for this shape.
    slice_hu : (rows, columns) float32 array
    metal : (rows, columns) bool array
    body : (rows, columns) bool array
        Pixels that may change.
    tissue_hu : float
        Stands in for the metal and its rim of mixed pixels before the shadow is bridged.

    Returns
    -------
    (rows, columns) float32 array
        HU; the metal's pixels keep their value, those outside the body are untouched.
    """
    rim = ndimage.binary_dilation(metal, structure=np.ones((3, 3), dtype=np.bool_))
    attenuation = np.maximum(slice_hu - np.float32(_AIR_HU), np.float32(0.0))
    attenuation[rim] = tissue_hu - _AIR_HU
    trace = shadow(beam, rim)
    needed = trace.copy()
    needed[:, 1:] |= trace[:, :-1]
    needed[:, :-1] |= trace[:, 1:]
    integrals = forward(beam, attenuation, needed)
    excess = filtered_backprojection(beam, integrals - bridge(integrals, trace), body & ~metal)
    reduced = np.where(rim & ~metal, np.float32(tissue_hu), slice_hu) - excess
    return np.where(body & ~metal, reduced, slice_hu)
