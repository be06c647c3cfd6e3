"""Bodies wider than the detector: found by their counts at its edge or by the CT, and reconstructed on a wider grid.

Rays that miss the detector are no data. On a grid as wide as the detector, what lies beyond it would pile up as a ring
at the border; on a wider one it has its place, and the image is cut to the recorded grid at the end.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation, uniform_filter1d

from leukospect.data import Geometry, Image, Projections
from leukospect.errors import AssumptionWarning
from leukospect.photopeaks import PhotopeakCounts
from leukospect.projector import support_of

Array = NDArray[np.float32]

_WIDEST = 1.75
_WIDEST_UNKNOWN = 1.5
"""How far the wider grid goes, in half fields: where the orbit's radii bound the body, and where they are not known."""

_BAND_MM = 40.0
_EDGE_COLUMNS = 2
_OF_MEAN, _OF_HIGHEST = 0.15, 0.02
_SIGNIFICANT = 5.0
_FEWEST_VIEWS, _LEAST_OF_VIEWS = 2, 0.03
_ABRUPT = 0.5
_TISSUE_PER_CM = 0.03
_MARGIN_PLACES = 2


@dataclass(frozen=True, slots=True)
class FieldOfView:
    """What part of its columns an acquisition measured, and how much wider the grid of its reconstruction is.

    Parameters
    ----------
    first, stop : int
        The recorded columns that were measured, from `first` to before `stop`.
    added : int
        Columns that the reconstruction's grid has more than the record, on either side.
    """

    first: int
    stop: int
    added: int = 0

    @classmethod
    def recorded(cls, projections: Projections) -> FieldOfView:
        """Take the columns as they are recorded."""
        return cls(0, projections.counts.shape[3])

    @property
    def measured(self) -> slice:
        """The measured columns among the recorded ones."""
        return slice(self.first, self.stop)

    def widened(self, projections: Projections) -> Projections:
        """Give the acquisition that a wider detector would have made, without counts: the grid's geometry."""
        if not self.added:
            return projections
        _, views, rows, columns = projections.counts.shape
        empty = np.zeros((1, views, rows, columns + 2 * self.added), np.float32)
        return replace(projections, counts=empty, energy_windows=projections.energy_windows[:1])

    def cropped(self, image: Image) -> Image:
        """Cut an image on the wider grid to the recorded one."""
        if not self.added:
            return image
        geometry, inside = image.geometry, slice(self.added, -self.added)
        affine = geometry.affine.copy()
        affine[:3, 3] = geometry.to_lps([0, self.added, self.added])
        array = np.ascontiguousarray(image.array[:, inside, inside])
        return Image(array, replace(geometry, shape=array.shape, affine=affine), image.unit)

    def embedded(self, image: Image, wider: Geometry) -> Image:
        """Put an image on the recorded grid into the wider one, zero around it."""
        if not self.added:
            return image
        margin = (self.added, self.added)
        return Image(np.pad(image.array, ((0, 0), margin, margin)), wider, image.unit)

    def support(self, projections: Projections, mu: Image | None = None) -> NDArray[np.bool_] | None:
        """Tell where on the wider grid activity can be: what some view sees and, beyond the field, where the body is.

        Parameters
        ----------
        projections : Projections
        mu : Image or None
            Attenuation map on the wider grid, 1/cm; None where it does not tell the body.

        Returns
        -------
        (rows, columns) bool array, or None where the detector measured all of the grid
        """
        if self == FieldOfView.recorded(projections):
            return None
        n = projections.counts.shape[3] + 2 * self.added
        seen = _seen_places(projections, self, np.ones((n, n), np.bool_)).reshape(n, n, -1)
        if mu is None:
            return np.asarray(seen.any(axis=2))
        tissue = np.asarray(np.asarray(mu.array, np.float32).max(axis=0) > _TISSUE_PER_CM)
        body = binary_dilation(tissue, iterations=_MARGIN_PLACES)
        return np.asarray(seen.all(axis=2) | (body & seen.any(axis=2)))


def _seen_places(projections: Projections, field: FieldOfView, support: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Tell which views measure which places of a support on the wider grid: (places, views)."""
    n = support.shape[0]
    transverse = projections.pixel_mm[1]
    rows, columns = np.nonzero(support)
    x, y = (columns - (n - 1) / 2), (rows - (n - 1) / 2)
    radians = np.deg2rad(projections.orbit.angles_deg)
    offsets = projections.orbit.centre_offset_mm
    shift = np.zeros(radians.size) if offsets is None else offsets / transverse
    place = np.outer(y, np.sin(radians)) - np.outer(x, np.cos(radians)) + shift + (n - 1) / 2 - field.added
    return np.asarray((place >= field.first - 0.5) & (place <= field.stop - 0.5))


def find_field_of_view(projections: Projections, peak: PhotopeakCounts) -> FieldOfView:
    """Tell by the counts whether the body reaches beyond the detector, and how wide the grid must be.

    Parameters
    ----------
    projections : Projections
    peak : PhotopeakCounts

    Returns
    -------
    FieldOfView
        The recorded one where no view's outer columns hold counts far above the background, or the orbit leaves no
        room for a body beyond the field.

    Warns
    -----
    AssumptionWarning
        Some views do.
    """
    recorded = FieldOfView.recorded(projections)
    gross = together(peak.counts, peak.windows)
    net = gross if peak.scatter is None else gross - together(peak.scatter, peak.windows)
    field = _without_border(gross, recorded)
    cut = _cut_views(net[:, field.measured], projections.pixel_mm[0])
    views = projections.orbit.views
    if cut < max(_FEWEST_VIEWS, _LEAST_OF_VIEWS * views):
        return recorded
    found = _reaching(projections, field, np.inf)
    if found == field:
        return recorded
    width = (field.stop - field.first) * projections.pixel_mm[1]
    warnings.warn(
        f"In {cut} of {views} views the activity reaches the edge of the detector's field ({width:.0f} mm wide): the "
        "image is reconstructed on a wider grid and cut to the field; near the field's edge it is less certain.",
        AssumptionWarning,
        stacklevel=2,
    )
    return found


def together(stacked: Array, windows: int) -> Array:
    """Add up the counts of stacked windows: (views, columns, slices)."""
    return np.asarray(np.sum(np.split(stacked, windows), axis=0), dtype=np.float32)


def widened_for_body(projections: Projections, field: FieldOfView, reach_mm: float) -> FieldOfView:
    """Widen a field so that it holds a body that the CT, or an attenuation map, shows.

    Parameters
    ----------
    projections : Projections
    field : FieldOfView
        What the counts asked for.
    reach_mm : float
        How far the body reaches from the axis of rotation.

    Warns
    -----
    AssumptionWarning
        The body reaches beyond the field.
    """
    half = _half_field_mm(projections, FieldOfView.recorded(projections))
    if reach_mm <= half + projections.pixel_mm[1]:
        return field
    found = _reaching(projections, field, reach_mm)
    if found.added > field.added:
        warnings.warn(
            f"The body reaches {reach_mm - half:.0f} mm beyond the detector's field: it is reconstructed on a wider "
            "grid, with its attenuation there, and cut to the field; near the field's edge it is less certain.",
            AssumptionWarning,
            stacklevel=2,
        )
        return found
    return field


def _half_field_mm(projections: Projections, field: FieldOfView) -> float:
    """Give how far from the axis every view measures, the smaller of both sides."""
    middle = (projections.counts.shape[3] - 1) / 2
    offsets = projections.orbit.centre_offset_mm
    shift = 0.0 if offsets is None else float(np.abs(offsets).max())
    return float(min(middle - field.first + 0.5, field.stop - 0.5 - middle) * projections.pixel_mm[1] - shift)


def _reaching(projections: Projections, field: FieldOfView, reach_mm: float) -> FieldOfView:
    """Widen the grid as far as a body can reach: up to `reach_mm`, and before the detector in every view."""
    half, pixel = _half_field_mm(projections, field), projections.pixel_mm[1]
    orbit, columns = projections.orbit, projections.counts.shape[3]
    widest = half * (_WIDEST if orbit.radii_mm is not None else _WIDEST_UNKNOWN)
    n = 2 * int(np.ceil(widest / pixel)) + 1
    room = support_of(orbit.angles_deg, orbit.radii_mm, n, pixel)
    rows, cols = np.nonzero(room)
    reach = min(reach_mm, (float(np.hypot(rows - (n - 1) / 2, cols - (n - 1) / 2).max()) + 1) * pixel)
    if reach <= half + pixel:
        return field
    return replace(field, added=max(field.added, int(np.ceil(reach / pixel - columns / 2)) + 1, 0))


def _without_border(counts: Array, recorded: FieldOfView) -> FieldOfView:
    """Leave out columns at the sides that hold no count in any view, where the counts end in a step beside them.

    A matrix can be wider than the detector's own field; counts that fade out are the end of the object, not of the
    field.
    """
    sums = counts.sum(axis=(0, 2), dtype=np.float64)
    filled = np.flatnonzero(sums)
    if filled.size < 4 * _EDGE_COLUMNS:
        return recorded
    first, stop = int(filled[0]), int(filled[-1]) + 1
    if first > 0 and sums[first] < _ABRUPT * sums[first + 1 : first + 5].mean():
        first = 0
    if stop < sums.size and sums[stop - 1] < _ABRUPT * sums[stop - 5 : stop - 1].mean():
        stop = sums.size
    return FieldOfView(first, stop)


def _cut_views(counts: Array, axial_mm: float) -> int:
    """Count the views whose outer columns hold far more than background, in some band of slices."""
    band = min(counts.shape[2], max(1, round(_BAND_MM / axial_mm)))
    net = uniform_filter1d(np.asarray(counts, np.float64), band, axis=2, mode="nearest")
    mean = net.mean(axis=(0, 1))
    highest = float(np.quantile(net, 0.99))
    threshold = np.maximum(_OF_MEAN * mean, _OF_HIGHEST * highest)
    far = np.zeros(net.shape[0], np.bool_)
    for edge in (net[:, :_EDGE_COLUMNS], net[:, -_EDGE_COLUMNS:]):
        level = edge.mean(axis=1)
        counted = level * _EDGE_COLUMNS * band
        far |= ((level > threshold) & (counted > _SIGNIFICANT * np.sqrt(np.maximum(counted, 1.0)))).any(axis=1)
    return int(np.count_nonzero(far))


def reach_of_body(
    body: NDArray[np.bool_], image: Image, projections: Projections, to_image: NDArray[np.float64]
) -> float:
    """Tell how far a body reaches from the axis of rotation in the slices of an acquisition, mm; 0 without a body.

    Parameters
    ----------
    body : (slices, rows, columns) bool array
    image : Image
        On whose grid the body is.
    projections : Projections
    to_image : (4, 4) array
        Takes points of the acquisition to points of the image, LPS mm.
    """
    columns_of_body = np.argwhere(body)
    if not columns_of_body.size:
        return 0.0
    to_spect = np.linalg.inv(to_image)
    points = image.geometry.to_lps(columns_of_body) @ to_spect[:3, :3].T + to_spect[:3, 3]
    axial = projections.pixel_mm[0]
    top = projections.first_row_z_mm + axial / 2
    bottom = top - projections.counts.shape[2] * axial
    within = points[(points[:, 2] <= top) & (points[:, 2] >= bottom)]
    if not within.size:
        return 0.0
    return float(np.hypot(*(within[:, :2] - np.asarray(projections.axis_mm)).T).max())
