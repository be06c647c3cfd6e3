"""The attenuation map before it goes to the SPECT grid: brought to SPECT's resolution, and checked for truncation."""

from __future__ import annotations

import os
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from leukospect.ct.body import BODY_THRESHOLD_HU, body_outline
from leukospect.data import Image
from leukospect.errors import AssumptionWarning, InputError

_SIGMA_PER_FWHM = 1.0 / np.sqrt(8.0 * np.log(2.0))
# A reconstruction circle's corners hold one constant padding value; skin within this many pixels of it is cut off.
_EDGE_PIXELS = 2
_LEAST_CUT_MM = 20.0


def smooth_to_resolution(mu: Image, fwhm_mm: float, *, threads: int | None = None) -> Image:
    """Convolve with a Gaussian of equal width in mm along every axis.

    Linear sampling of a 1 mm map at SPECT's 4 to 5 mm steps would alias; this is also the blur that makes the map fit
    the emission image. Within the slices the map's surroundings count as air; at its first and last slice the body is
    taken to go on as it ends there, as it does in a patient, so the end slices do not lose half their attenuation.

    Parameters
    ----------
    mu : Image
        Linear attenuation, 1/cm.
    fwhm_mm : float
        Full width at half maximum; 0 leaves the map as it is.
    threads : int or None
        Blocks worked on at a time; None takes what the machine offers. The result does not depend on it.

    Returns
    -------
    Image
        float32 on the same grid; the sum is kept away from the edges.

    Raises
    ------
    InputError
        The width is negative or not finite.
    """
    if not np.isfinite(fwhm_mm) or fwhm_mm < 0:
        raise InputError(f"The attenuation map cannot be smoothed by {fwhm_mm} mm; give a width of 0 mm or more.")
    smooth = np.array(mu.array, dtype=np.float32)
    if fwhm_mm > 0:
        sigmas = [fwhm_mm * _SIGMA_PER_FWHM / spacing for spacing in mu.geometry.spacing_mm]
        workers = threads or os.cpu_count() or 1
        with ThreadPoolExecutor(max_workers=workers) as pool:
            list(pool.map(lambda plane: _within_slice(plane, sigmas[1], sigmas[2]), smooth))
            list(pool.map(lambda j: _along_slices(smooth[:, j], sigmas[0]), range(smooth.shape[1])))
    return Image(smooth, mu.geometry, mu.unit)


def _within_slice(plane: NDArray[np.float32], sigma_rows: float, sigma_columns: float) -> None:
    ndimage.gaussian_filter(plane, (sigma_rows, sigma_columns), mode="constant", cval=0.0, output=plane)


def _along_slices(plane: NDArray[np.float32], sigma: float) -> None:
    ndimage.gaussian_filter1d(plane, sigma, axis=0, mode="nearest", output=plane)


def completed_along_axis(sampled: Image, ct_map: Image, spect_to_ct: NDArray[np.float64] | None = None) -> Image:
    """Let the CT's first and last slice go on above and below it.

    A CT is often shorter than the SPECT; without attenuation beyond its ends, the image would fall there by the whole
    attenuation of the body, several-fold, from one slice to the next.

    Parameters
    ----------
    sampled : Image
        The map on the SPECT grid, zero beyond the CT.
    ct_map : Image
        The map on the CT grid, at SPECT resolution.
    spect_to_ct : (4, 4) array or None
        Takes SPECT points to CT points, LPS mm.

    Returns
    -------
    Image
        On the SPECT grid; as it was where CT and SPECT share no slice.

    Warns
    -----
    AssumptionWarning
        More than one SPECT slice lies beyond the CT.
    """
    matrix = np.eye(4) if spect_to_ct is None else spect_to_ct
    to_index = np.linalg.inv(ct_map.geometry.affine) @ matrix @ sampled.geometry.affine
    indices = np.indices(sampled.geometry.shape, dtype=np.float64)
    along = np.tensordot(to_index[0, :3], indices, axes=1) + to_index[0, 3]
    last = ct_map.geometry.shape[0] - 1
    beyond = (along < 0) | (along > last)
    slices = int(np.count_nonzero(beyond.mean(axis=(1, 2)) > 0.5))
    if not np.any(beyond) or np.all(beyond):
        return sampled
    if slices > 1:
        warnings.warn(
            f"The CT does not reach {slices} of the SPECT's {sampled.geometry.shape[0]} slices; there the attenuation "
            "of the CT's nearest slice is taken.",
            AssumptionWarning,
            stacklevel=3,
        )
    places = to_index[:3, :3] @ indices[:, beyond] + to_index[:3, 3:]
    places[0] = np.clip(places[0], 0.0, last)
    array = sampled.array.copy()
    array[beyond] = ndimage.map_coordinates(ct_map.array, places, order=1, cval=0.0)
    return Image(array, sampled.geometry, sampled.unit)


def is_truncated(ct_image: Image) -> bool:
    """Tell whether the body is cut off by the edge of the CT's field of view.

    The field of view is the image's rectangle or, where its corners hold one constant padding value, the circle within.
    The couch does not count, nor do scattered bright pixels: some slice must show at least 20 mm of the body along the
    edge.

    Parameters
    ----------
    ct_image : Image
        CT in HU.
    """
    edge = _edge_of_view(ct_image.array)
    pixel_mm = float(np.mean(ct_image.geometry.spacing_mm[1:]))
    # The outline is true to a few millimetres only, so it decides whose tissue it is, and the HU whether it is tissue.
    near_body = ndimage.maximum_filter(body_outline(ct_image), size=(1, 7, 7))
    rim = near_body[:, edge] & (np.asarray(ct_image.array[:, edge], dtype=np.float32) > BODY_THRESHOLD_HU)
    return bool(rim.sum(axis=1).max(initial=0) * pixel_mm / _EDGE_PIXELS >= _LEAST_CUT_MM)


def _edge_of_view(array: NDArray[np.generic]) -> NDArray[np.bool_]:
    """Mark the outermost pixels of the field of view within a slice."""
    never_differs = np.all(array == array[:1, :1, :1], axis=0)
    corners = never_differs[[0, 0, -1, -1], [0, -1, 0, -1]]
    padding = np.zeros_like(never_differs)
    if corners.all():
        labels, _ = ndimage.label(never_differs)
        found = np.unique(labels[[0, 0, -1, -1], [0, -1, 0, -1]])
        padding = np.isin(labels, found)
    # Air all around the patient is constant, too, in a simulated CT: only a circle's corners are padding.
    rows, columns = padding.shape
    y, x = np.ogrid[-1 : 1 : rows * 1j, -1 : 1 : columns * 1j]
    outside_circle = np.hypot(y, x) > 1.0 - 2.0 * _EDGE_PIXELS / min(rows, columns)
    is_circle = bool(corners.all() and padding[np.hypot(y, x) > 1.02].mean() > 0.98)
    inside = ~(padding & outside_circle) if is_circle else np.ones_like(padding)
    framed = np.pad(inside, 1)
    eroded = ndimage.binary_erosion(framed, iterations=_EDGE_PIXELS)[1:-1, 1:-1]
    return np.asarray(inside & ~eroded, dtype=np.bool_)
