"""The attenuation map on its way to the SPECT grid: brought to SPECT's resolution, and continued above and below."""

from __future__ import annotations

import os
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from leukospect.data import Image
from leukospect.errors import AssumptionWarning, InputError

_SIGMA_PER_FWHM = 1.0 / np.sqrt(8.0 * np.log(2.0))


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
    smooth = np.array(mu.array, dtype=np.float32)
    smooth_in_place(smooth, mu.geometry.spacing_mm, fwhm_mm, threads=threads)
    return Image(smooth, mu.geometry, mu.unit)


def smooth_in_place(
    mu: NDArray[np.float32], spacing_mm: tuple[float, float, float], fwhm_mm: float, *, threads: int | None = None
) -> None:
    """Do what `smooth_to_resolution` does to an array that is the caller's own, without a second one of its size."""
    if not np.isfinite(fwhm_mm) or fwhm_mm < 0:
        raise InputError(f"The attenuation map cannot be smoothed by {fwhm_mm} mm; give a width of 0 mm or more.")
    if fwhm_mm > 0:
        sigmas = [fwhm_mm * _SIGMA_PER_FWHM / spacing for spacing in spacing_mm]
        workers = threads or os.cpu_count() or 1
        with ThreadPoolExecutor(max_workers=workers) as pool:
            list(pool.map(lambda plane: _within_slice(plane, sigmas[1], sigmas[2]), mu))
            list(pool.map(lambda j: _along_slices(mu[:, j], sigmas[0]), range(mu.shape[1])))


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
