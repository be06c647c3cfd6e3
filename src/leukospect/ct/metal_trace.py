"""The metal of one slice and its shadow: which rays it spoils, and what is left of the line integrals.

A slice in HU + 1000, so that air is zero, has line integrals p = A f. A method makes better ones q in the metal's
trace, and the reduced slice is  f - FBP(p - q): only what changes is reconstructed, so the rest keeps its sharpness.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from leukospect.kernels.ct_beam import Beam, ParallelBeam, filtered_backprojection, forward, shadow

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]

AIR_HU = -1000.0
# The scanner's blur carries metal a pixel and a half beyond its edge, or as far as a soft kernel's 1.4 mm.
_RIM_PIXELS, _RIM_MM = 1.5, 1.4
_AROUND_MM = 12.0
_TISSUE_HU = 250.0
# The body's outline is true to about 4 mm.
_OUTLINE_MM = 4.0
# A slice of n pixels across holds features that about pi n / 2 views resolve; the difference is smoother than that, and
# more views than these made no image of simulated scans better.
_VIEWS_PER_PIXEL = 1.0
_FEWEST_VIEWS = 90


def beam_of_slice(shape: tuple[int, int], pixel_mm: tuple[float, float]) -> ParallelBeam:
    """Choose parallel rays for a slice of (rows, columns)."""
    extent = max(n * mm for n, mm in zip(shape, pixel_mm, strict=True)) / min(pixel_mm)
    return ParallelBeam.covering(shape, pixel_mm, max(_FEWEST_VIEWS, round(_VIEWS_PER_PIXEL * extent)))


@dataclass(frozen=True, eq=False)
class MetalTrace:
    """One slice with metal, and the rays through it.

    Parameters
    ----------
    beam : Beam
    slice_hu : (rows, columns) float32 array
    metal, body : (rows, columns) bool arrays
        `body` holds the pixels that may change.
    """

    beam: Beam
    slice_hu: Floats
    metal: Mask
    body: Mask

    def with_half_the_views(self) -> MetalTrace:
        """Give the same slice with rays from half as many views."""
        return MetalTrace(self.beam.with_half_the_views(), self.slice_hu, self.metal, self.body)

    @cached_property
    def rim(self) -> Mask:
        """The metal and the rim of pixels that its blur reaches."""
        reach = max(_RIM_PIXELS * min(self.beam.pixel_mm), _RIM_MM)
        return dilated_mm(self.metal, reach, self.beam.pixel_mm)

    @cached_property
    def within(self) -> Mask:
        """Pixels that are reconstructed: the body and as far as its outline may be wrong."""
        return dilated_mm(self.body, _OUTLINE_MM, self.beam.pixel_mm)

    @cached_property
    def tissue_hu(self) -> float:
        """Median of the soft tissue around the metal; water's where there is none."""
        around = dilated_mm(self.rim, _AROUND_MM, self.beam.pixel_mm) & ~self.rim & self.body
        values = self.slice_hu[around & (np.abs(self.slice_hu) < _TISSUE_HU)]
        return float(np.median(values)) if values.size else 0.0

    @cached_property
    def above_air(self) -> Floats:
        """The slice in HU + 1000; nothing is below air."""
        return np.asarray(np.maximum(self.slice_hu - np.float32(AIR_HU), np.float32(0.0)), dtype=np.float32)

    @cached_property
    def without_metal(self) -> Floats:
        """The slice in HU + 1000 with tissue in the place of metal and rim."""
        filled = self.above_air.copy()
        filled[self.rim] = self.tissue_hu - AIR_HU
        return filled

    @cached_property
    def trace(self) -> Mask:
        """The rays that metal or its rim contribute to, (views, bins)."""
        return shadow(self.beam, self.rim)

    @cached_property
    def needed(self) -> Mask:
        """The trace and the rays next to it, between which it is bridged."""
        needed = self.trace.copy()
        needed[:, 1:] |= self.trace[:, :-1]
        needed[:, :-1] |= self.trace[:, 1:]
        return needed

    @cached_property
    def integrals(self) -> Floats:
        """Line integrals of the slice, HU mm, where needed."""
        return forward(self.beam, self.above_air, self.needed)

    @cached_property
    def integrals_without_metal(self) -> Floats:
        """Line integrals of `without_metal`, HU mm, where needed."""
        return forward(self.beam, self.without_metal, self.needed)

    def integrals_of(self, hu: Floats) -> Floats:
        """Line integrals of another image of the slice, HU mm, where needed."""
        return forward(self.beam, np.maximum(hu - np.float32(AIR_HU), np.float32(0.0)), self.needed)

    def changed(self, start: Floats, excess: Floats) -> Floats:
        """Take from a slice in HU + 1000 what line integrals in the trace have too much; give HU."""
        in_trace = np.where(self.trace, excess, np.float32(0.0)).astype(np.float32)
        reduced: Floats = start + np.float32(AIR_HU) - filtered_backprojection(self.beam, in_trace, self.within)
        return reduced


def dilated_mm(mask: Mask, reach_mm: float, pixel_mm: tuple[float, float]) -> Mask:
    """Widen a mask of a slice by a distance."""
    rows, columns = mask.shape
    margin = [int(np.ceil(reach_mm / mm)) for mm in pixel_mm]
    filled = [np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0)]
    if filled[0].size == 0:
        return mask.copy()
    box = tuple(
        slice(max(0, int(at[0]) - m), min(n, int(at[-1]) + m + 1))
        for at, m, n in zip(filled, margin, (rows, columns), strict=True)
    )
    widened = mask.copy()
    widened[box] = np.asarray(ndimage.distance_transform_edt(~mask[box], sampling=pixel_mm)) <= reach_mm
    return widened
