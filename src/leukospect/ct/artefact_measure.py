"""How bad the artefacts of one slice are, without knowing the truth, and whether a reduction leaves anatomy as it was.

Streaks are unrest of soft tissue around the metal at widths of a few millimetres. All images of a slice are judged on
the same pixels, soft tissue by the median of the images, so that no image decides for itself where it is judged.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from leukospect.ct.metal_trace import Floats, Mask, MetalTrace

# Clear of the metal's mixed rim, and near enough to be ruled by its streaks.
_FROM_MM, _TO_MM = 2.5, 60.0
_TISSUE_HU, _CLIPPED_HU = 200.0, 300.0
_STREAK_MM = 6.0
_FEWEST_PIXELS = 50
_EDGE_HU_PER_MM = 100.0
_EDGES_FROM_MM = 10.0
_SKIN_MM = 8.0


@dataclass(frozen=True, slots=True)
class ArtefactMeasure:
    """What one image of a slice looks like.

    Parameters
    ----------
    streaks_hu : float
        Root mean square of soft tissue 2.5 to 60 mm from the metal about its own mean over 6 mm.
    tissue_hu : float
        Standard deviation of the same tissue.
    edge_agreement : float
        Correlation of the gradients away from the metal with those of the scan, at its edges within the body, more than
        10 mm from the metal and 8 mm from the skin; 1 where there are hardly any.
    """

    streaks_hu: float
    tissue_hu: float
    edge_agreement: float


class SliceJudge:
    """Judges images of one slice alike.

    Parameters
    ----------
    trace : MetalTrace
    images : sequence of (rows, columns) float32 arrays
        Of the slice, the scan included: together they tell where soft tissue is.
    from_mm : float
        Tissue nearer to the metal is not judged.
    """

    def __init__(self, trace: MetalTrace, images: Sequence[Floats], from_mm: float = _FROM_MM) -> None:
        pixel_mm = trace.beam.pixel_mm
        self._box = _surroundings(trace.metal, pixel_mm)
        typical = ndimage.gaussian_filter(np.median([image[self._box] for image in images], axis=0), 1.0)
        distance = np.asarray(ndimage.distance_transform_edt(~trace.metal[self._box], sampling=pixel_mm))
        near = (distance > from_mm) & (distance < _TO_MM) & trace.body[self._box]
        self.tissue: Mask = near & (np.abs(typical) < _TISSUE_HU)
        self._width = [_STREAK_MM / mm for mm in pixel_mm]
        self._share = np.maximum(ndimage.gaussian_filter(self.tissue.astype(np.float32), self._width), 1e-3)
        # Streaks run away from the metal and hardly change along their way: edges are looked for along it.
        self._away = _unit(_gradient(distance.astype(np.float32), pixel_mm))
        self._scan_gradient = self._along(trace.slice_hu[self._box], pixel_mm)
        # The skin would outweigh all edges within, and no reduction touches it.
        framed = np.pad(trace.body[self._box], 1)  # a box full of body has no skin to measure from
        depth = np.asarray(ndimage.distance_transform_edt(framed, sampling=pixel_mm))[1:-1, 1:-1]
        within = (distance > _EDGES_FROM_MM) & (depth > _SKIN_MM)
        self._edges: Mask = within & (np.abs(self._scan_gradient) > _EDGE_HU_PER_MM)
        self._pixel_mm = pixel_mm

    @property
    def can_judge(self) -> bool:
        """Whether there is enough soft tissue around the metal."""
        return int(np.count_nonzero(self.tissue)) >= _FEWEST_PIXELS

    def measure(self, image: Floats) -> ArtefactMeasure:
        """Judge one image."""
        values = np.clip(image[self._box], -_CLIPPED_HU, _CLIPPED_HU)
        mean = ndimage.gaussian_filter(np.where(self.tissue, values, np.float32(0)), self._width) / self._share
        streaks = float(np.std((values - mean)[self.tissue], dtype=np.float64))
        found = self._agreement(self._along(image[self._box], self._pixel_mm))
        return ArtefactMeasure(streaks, float(np.std(values[self.tissue], dtype=np.float64)), found)

    def _along(self, image: Floats, pixel_mm: tuple[float, float]) -> Floats:
        """Give how steeply an image rises away from the metal, HU per mm."""
        down, across = _gradient(image, pixel_mm)
        return np.asarray(down * self._away[0] + across * self._away[1], dtype=np.float32)

    def _agreement(self, gradient: Floats) -> float:
        if np.count_nonzero(self._edges) < _FEWEST_PIXELS:
            return 1.0
        ours, scans = (one[self._edges].astype(np.float64) for one in (gradient, self._scan_gradient))
        size = float(np.sqrt(np.sum(ours**2) * np.sum(scans**2)))
        return float(np.sum(ours * scans)) / size if size > 0 else 0.0


def _unit(gradient: tuple[Floats, Floats]) -> tuple[Floats, Floats]:
    length = np.maximum(np.hypot(*gradient), np.float32(1e-3))
    down, across = (np.asarray(one / length, dtype=np.float32) for one in gradient)
    return down, across


def _gradient(image: Floats, pixel_mm: tuple[float, float]) -> tuple[Floats, Floats]:
    smooth = ndimage.gaussian_filter(image, 1.0)
    down: Floats = np.gradient(smooth, pixel_mm[0], axis=0).astype(np.float32)
    across: Floats = np.gradient(smooth, pixel_mm[1], axis=1).astype(np.float32)
    return down, across


def _surroundings(metal: Mask, pixel_mm: tuple[float, float]) -> tuple[slice, slice]:
    """Give the box that holds all that is judged, with room for the filters."""
    box = []
    for axis, mm in zip((1, 0), pixel_mm, strict=True):
        filled = np.flatnonzero(metal.any(axis=axis))
        margin = int(np.ceil((_TO_MM + 4.0 * _STREAK_MM) / mm))
        box.append(slice(max(0, int(filled[0]) - margin), int(filled[-1]) + margin + 1))
    return box[0], box[1]
