"""The smooth error of the rays through one slice's metal, and what of the rest may be believed; see `trace_model`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from leukospect.ct.metal_trace import Floats, Mask, MetalTrace
from leukospect.ct.tissue_prior import PriorSettings, denoised_prior
from leukospect.kernels.ct_beam import bridge, forward
from leukospect.kernels.least_squares import add_normal_equations

Doubles = NDArray[np.float64]

_HU_M = 1e-3
_EDGE_PIXELS = (0.7, 1.4)
_MOST_PIECES = 6
_RIDGE = 1e-4
_ROBUST_PASSES = 4
_RAYS_TO_FIT = 10000
# Angle by bins: the remainder's noise is averaged over less than a pixel at the metal, its size over a few.
_NOISE_SMOOTHING, _SIZE_SMOOTHING = (0.35, 0.5), (1.4, 3.0)
_SMOOTHING_WIDTHS = 2.5


class RayModel:
    """The smooth error of the rays through one slice's metal.

    Parameters
    ----------
    trace : MetalTrace
    """

    def __init__(self, trace: MetalTrace) -> None:
        self._trace = trace
        self._path_cm = self._path_through(trace.metal.astype(np.float32))
        self._shape = [np.ones_like(self._path_cm), self._path_cm, self._path_cm**2, *self._edges(), *self._pieces()]
        self._bins = _with_margin(trace.trace, max(_NOISE_SMOOTHING[1], _SIZE_SMOOTHING[1]))
        share = trace.trace.astype(np.float32)
        self._noise_share = np.maximum(self._smoothed(share, _NOISE_SMOOTHING), np.float32(0.2))
        self._size_share = np.maximum(self._smoothed(share, _SIZE_SMOOTHING), np.float32(0.05))

    def improved(self, hu: Floats, expected_hu_m: float, prior: PriorSettings) -> Floats:
        """Make a prior of an image of the slice and reduce the scanned slice with it; see `trace_model.Passes`."""
        remainder, lacking = self._remainder(hu, prior)
        return self._trace.changed(self._trace.above_air, remainder - self._believed(lacking, expected_hu_m))

    def unexplained_hu_m(self, hu: Floats, prior: PriorSettings) -> float:
        """Tell how much of the trace's rays an image of the slice and the model leave unexplained (median), HU m."""
        _, lacking = self._remainder(hu, prior)
        return float(np.median(np.abs(lacking[self._trace.trace]))) * _HU_M

    def _path_through(self, share: Floats) -> Doubles:
        """Integrate how much of each pixel is metal along the trace's rays, cm."""
        trace = self._trace
        return np.asarray(forward(trace.beam, share, trace.needed)[trace.trace].astype(np.float64) / 10.0)

    def _edges(self) -> list[Doubles]:
        """Give the paths through what blur carries out of the metal, and farther out."""
        metal = self._trace.metal.astype(np.float32)
        near, far = (ndimage.gaussian_filter(metal, pixels) for pixels in _EDGE_PIXELS)
        return [self._path_through(near - metal), self._path_through(far - near)]

    def _pieces(self) -> list[Doubles]:
        """Give paths and their squares through the largest pieces but one."""
        labels, count = ndimage.label(self._trace.metal, structure=np.ones((3, 3)))
        sizes = np.bincount(labels.ravel(), minlength=count + 1)[1:]
        largest = np.argsort(-sizes, kind="stable")[:_MOST_PIECES]
        pieces: list[Mask] = [labels == number + 1 for number in largest[: largest.size - 1]]
        paths = [self._path_through(piece.astype(np.float32)) for piece in pieces]
        return [term for path in paths for term in (path, path**2)]

    def _remainder(self, hu: Floats, prior: PriorSettings) -> tuple[Floats, Floats]:
        """Give the remainder of the trace's rays beyond a prior and the bridge, and what the model leaves of it."""
        trace = self._trace
        explained = trace.integrals_of(denoised_prior(trace, hu, prior))
        rest = np.where(trace.needed, trace.integrals - explained, np.float32(0.0))
        remainder = rest - bridge(rest, trace.trace)
        smooth = self._fitted(remainder[trace.trace].astype(np.float64), explained[trace.trace].astype(np.float64))
        lacking = np.zeros_like(remainder)
        lacking[trace.trace] = remainder[trace.trace] - smooth.astype(np.float32)
        return remainder, lacking

    def _fitted(self, remainder: Doubles, explained: Doubles) -> Doubles:
        """Fit the remainder of the trace's rays by the model, robustly."""
        tissue = explained * _HU_M
        tissue -= tissue.mean()
        columns = np.stack([*self._shape, self._path_cm * tissue], axis=1)
        columns /= np.sqrt(np.mean(columns**2, axis=0)) + 1e-9
        some = slice(None, None, max(1, remainder.size // _RAYS_TO_FIT))
        few, values = np.ascontiguousarray(columns[some]), np.ascontiguousarray(remainder[some])
        weights = np.ones(values.size)
        coefficients = np.zeros(columns.shape[1])
        for _ in range(_ROBUST_PASSES):
            coefficients = _weighted_fit(few, values, weights)
            left = values - np.einsum("ij,j->i", few, coefficients)
            spread = 1.5 * float(np.median(np.abs(left))) + 1e-6
            weights = 1.0 / (1.0 + (left / (3.0 * spread)) ** 2)
        return np.asarray(np.einsum("ij,j->i", columns, coefficients), dtype=np.float64)

    def _believed(self, lacking: Floats, expected_hu_m: float) -> Floats:
        """Keep of the rays' unexplained part what is anatomy rather than noise."""
        size = self._smoothed((lacking * np.float32(_HU_M)) ** 2, _SIZE_SMOOTHING) / self._size_share
        weight = np.float32(expected_hu_m**2) / (np.float32(expected_hu_m**2) + size)
        believed = weight * self._smoothed(lacking, _NOISE_SMOOTHING) / self._noise_share
        return np.asarray(believed, dtype=np.float32)

    def _smoothed(self, sinogram: Floats, width: tuple[float, float]) -> Floats:
        """Smooth over views, by degrees, and over bins; the sinogram holds nothing but the trace."""
        sigma = (width[0] / self._trace.beam.degrees_per_view, width[1])
        smooth = np.zeros_like(sinogram)
        smooth[:, self._bins] = ndimage.gaussian_filter(sinogram[:, self._bins], sigma, truncate=_SMOOTHING_WIDTHS)
        return smooth


def _with_margin(trace: Mask, smoothing_bins: float) -> slice:
    """Give the bins that the trace of all views lies in, and as many beyond as smoothing carries it."""
    bins = np.flatnonzero(trace.any(axis=0))
    if not bins.size:
        return slice(0, trace.shape[1])
    reach = int(np.ceil(_SMOOTHING_WIDTHS * smoothing_bins)) + 1
    return slice(max(0, int(bins[0]) - reach), int(bins[-1]) + reach + 1)


def _weighted_fit(columns: Doubles, values: Doubles, weights: Doubles) -> Doubles:
    size = columns.shape[1]
    matrix, right_side = np.zeros((size, size)), np.zeros(size)
    add_normal_equations(columns, values, weights, matrix, right_side)
    matrix += np.tril(matrix, -1).T + _RIDGE * max(values.size, 1) * np.eye(size)
    return np.asarray(np.linalg.solve(matrix, right_side), dtype=np.float64)
