"""What a slice would be without streaks, as far as classes of tissue tell: the prior of normalised interpolation.

Air, fat and soft tissue each get one value, bone keeps its own (E. Meyer, R. Raupach, M. Lell, B. Schmidt and
M. Kachelriess, Med. Phys. 37 (2010) 5482-5493, who leave fat with soft tissue).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from leukospect.ct.metal_trace import AIR_HU, Floats, Mask, MetalTrace
from leukospect.kernels.total_variation import denoised

_AIR_BELOW_HU, _FAT_BELOW_HU, _BONE_FROM_HU = -500.0, -40.0, 300.0
_FAT_HU, _SOFT_TISSUE_HU = -100.0, 50.0
_SMOOTHING_PIXELS = 1.2
_VARIATION_ITERATIONS = 30
_DENSEST_HU = 4000.0


def smoothed_prior(trace: MetalTrace, hu: Floats) -> Floats:
    """Classify a slice by its smoothed values; where the rim would be air it is tissue."""
    prior = _classified(ndimage.gaussian_filter(hu, _SMOOTHING_PIXELS), hu, _BONE_FROM_HU)
    prior[trace.rim & (prior < _AIR_BELOW_HU)] = trace.tissue_hu
    return prior


@dataclass(frozen=True, slots=True)
class PriorSettings:
    """How a denoised prior is made.

    Parameters
    ----------
    bone_from_hu : float
        From here it keeps the image's values; what is softer gets its tissue's.
    variation_hu : float
        Differences that it smooths away: fine streaks, and fine bone.
    """

    bone_from_hu: float
    variation_hu: float


def denoised_prior(trace: MetalTrace, hu: Floats, settings: PriorSettings) -> Floats:
    """Classify a slice after denoising it by total variation, bone included."""
    tissue = trace.within | (hu > _AIR_BELOW_HU)
    values = np.where(tissue, np.clip(hu, AIR_HU, _DENSEST_HU), np.float32(AIR_HU)).astype(np.float32)
    box = _box_around(trace.within)
    values[box] = denoised(values[box], settings.variation_hu, _VARIATION_ITERATIONS)
    prior = _classified(values, values, settings.bone_from_hu)
    prior[trace.rim & (prior < _AIR_BELOW_HU)] = trace.tissue_hu
    return prior


def _classified(guide: Floats, values: Floats, bone_from_hu: float) -> Floats:
    soft = np.where(guide < _FAT_BELOW_HU, np.float32(_FAT_HU), np.float32(_SOFT_TISSUE_HU))
    inside = np.where(guide < bone_from_hu, soft, values)
    return np.where(guide < _AIR_BELOW_HU, np.float32(AIR_HU), inside).astype(np.float32)


def _box_around(mask: Mask) -> tuple[slice, slice]:
    rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
    if rows.size == 0:
        return slice(0, 0), slice(0, 0)
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)
