"""What rays through metal still tell: their error modelled, the rest believed as far as its size allows.

With q a prior's line integrals and r = p - q, bridged across the trace as in normalised interpolation, the remainder
e = r - bridge(r) is the metal's own signal and its beam hardening, smooth functions of the path m through metal and of
the tissue passed, plus the anatomy that the prior lacks, plus noise. The smooth part is fitted by hat functions of m,
each with a term in the tissue's integral. What the fit leaves is anatomy and noise; a
Wiener weight S^2 / (S^2 + v), v its local mean square and S what anatomy is expected to leave, keeps so much of it.
So thin titanium, whose rays are only bent by beam hardening, keeps its surroundings, and rays that starved behind steel
are bridged. The prior is made anew from each image, and S falls as it improves.

Beam hardening as a function of metal path: J. M. Verburg and J. Seco, Phys. Med. Biol. 57 (2012) 2803, and the
references there; fitting it to the trace's own remainder and weighting by reliability are the project's own.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from leukospect.ct.metal_trace import Floats, MetalTrace
from leukospect.ct.tissue_prior import denoised_prior
from leukospect.kernels.ct_beam import bridge, forward
from leukospect.kernels.least_squares import add_normal_equations

Doubles = NDArray[np.float64]

# HU m, a metre of 1 HU or a millimetre of water: what a prior lacks of anatomy along a ray, at first and at last.
CAUTIOUS, TRUSTING = (12.0, 8.0, 6.0, 5.0, 4.0, 4.0, 4.0), (30.0, 10.0, 5.0)
_HU_M = 1e-3
_KNOT_QUANTILES = (0.15, 0.35, 0.55, 0.75, 0.92, 1.0)
_SHORTEST_PATH_CM = 0.02
_FEWEST_RAYS = 50
_RIDGE = 1e-4
_ROBUST_PASSES = 4
# Views by bins: the remainder's noise is averaged over less than a pixel at the metal, its size over a few.
_NOISE_SMOOTHING, _SIZE_SMOOTHING = (1.5, 0.7), (4.0, 3.0)


class TraceModel:
    """The smooth error of the rays through one slice's metal.

    Parameters
    ----------
    trace : MetalTrace
    """

    def __init__(self, trace: MetalTrace) -> None:
        self._trace = trace
        metal = trace.metal.astype(np.float32)
        in_trace = trace.trace
        path_cm = forward(trace.beam, metal, trace.needed)[in_trace].astype(np.float64) / 10.0
        self._hats = _hats(path_cm)
        share = in_trace.astype(np.float32)
        self._shares = [
            np.maximum(ndimage.gaussian_filter(share, width), least)
            for width, least in ((_NOISE_SMOOTHING, 0.2), (_SIZE_SMOOTHING, 0.05))
        ]

    def improved(self, hu: Floats, expected_hu_m: float) -> Floats:
        """Make a prior of an image of the slice and reduce the scanned slice with it.

        Parameters
        ----------
        hu : (rows, columns) float32 array
        expected_hu_m : float
            How large what the prior lacks is taken to be along a ray, HU m.

        Returns
        -------
        (rows, columns) float32 array, HU
            The metal's own pixels are without meaning.
        """
        remainder, lacking = self._remainder(hu)
        return self._trace.changed(self._trace.above_air, remainder - self._believed(lacking, expected_hu_m))

    def unexplained_hu_m(self, hu: Floats) -> float:
        """Tell how much of the trace's rays an image of the slice and the model leave unexplained (median), HU m."""
        _, lacking = self._remainder(hu)
        return float(np.median(np.abs(lacking[self._trace.trace]))) * _HU_M

    def _remainder(self, hu: Floats) -> tuple[Floats, Floats]:
        """Give the remainder of the trace's rays beyond a prior and the bridge, and what the model leaves of it."""
        trace = self._trace
        explained = trace.integrals_of(denoised_prior(trace, hu))
        rest = np.where(trace.needed, trace.integrals - explained, 0.0).astype(np.float32)
        remainder = rest - bridge(rest, trace.trace)
        smooth = self._fitted(remainder[trace.trace].astype(np.float64), explained[trace.trace].astype(np.float64))
        lacking = np.zeros_like(remainder)
        lacking[trace.trace] = remainder[trace.trace] - smooth.astype(np.float32)
        return remainder, lacking

    def _fitted(self, remainder: Doubles, explained: Doubles) -> Doubles:
        """Fit the remainder of the trace's rays by the model, robustly."""
        tissue = explained * _HU_M
        tissue -= tissue.mean()
        columns = np.stack([*self._hats, *(hat * tissue for hat in self._hats[1:])], axis=1)
        columns /= np.sqrt(np.mean(columns**2, axis=0)) + 1e-9
        weights = np.ones(remainder.size)
        fitted = np.zeros_like(remainder)
        for _ in range(_ROBUST_PASSES):
            fitted = _weighted_fit(columns, remainder, weights)
            left = remainder - fitted
            spread = 1.5 * float(np.median(np.abs(left))) + 1e-6
            weights = 1.0 / (1.0 + (left / (3.0 * spread)) ** 2)
        return fitted

    def _believed(self, lacking: Floats, expected_hu_m: float) -> Floats:
        """Keep of the rays' unexplained part what is anatomy rather than noise."""
        noise_share, size_share = self._shares
        size = ndimage.gaussian_filter((lacking * np.float32(_HU_M)) ** 2, _SIZE_SMOOTHING) / size_share
        weight = expected_hu_m**2 / (expected_hu_m**2 + size)
        believed = weight * ndimage.gaussian_filter(lacking, _NOISE_SMOOTHING) / noise_share
        return np.asarray(believed, dtype=np.float32)


def with_trace_model(model: TraceModel, start_hu: Floats, expected_hu_m: Sequence[float]) -> Floats:
    """Improve an image of a slice by one pass for each expectation."""
    image = start_hu
    for expected in expected_hu_m:
        image = model.improved(image, expected)
    return image


def _hats(path_cm: Doubles) -> list[Doubles]:
    """Hat functions of the path through metal, between quantiles of the paths that there are."""
    through = path_cm[path_cm > _SHORTEST_PATH_CM]
    knots = np.array([0.0, 1.0])
    if through.size >= _FEWEST_RAYS:
        knots = np.unique(np.concatenate([[0.0], np.quantile(through, _KNOT_QUANTILES)]))
    place = np.interp(path_cm, knots, np.arange(knots.size))
    return [np.maximum(0.0, 1.0 - np.abs(place - knot)) for knot in range(knots.size)]


def _weighted_fit(columns: Doubles, values: Doubles, weights: Doubles) -> Doubles:
    size = columns.shape[1]
    matrix, right_side = np.zeros((size, size)), np.zeros(size)
    add_normal_equations(columns, values, weights, matrix, right_side)
    matrix += np.tril(matrix, -1).T + _RIDGE * max(values.size, 1) * np.eye(size)
    coefficients = np.linalg.solve(matrix, right_side)
    return np.asarray(np.einsum("ij,j->i", columns, coefficients), dtype=np.float64)
