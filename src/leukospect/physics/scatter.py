"""Scatter in the photopeak window, estimated from scatter windows: triple and dual energy window."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from leukospect.data import EnergyWindow, PlanarImages, Projections
from leukospect.errors import InputError
from leukospect.physics.windows import Photopeak


def triple_energy_window(
    lower: NDArray[np.float32],
    upper: NDArray[np.float32] | None,
    windows: tuple[EnergyWindow, EnergyWindow | None],
    peak_width_kev: float,
) -> NDArray[np.float32]:
    """Estimate scatter as the trapezoid below the photopeak: (l / w_l + u / w_u) w_p / 2.

    Parameters
    ----------
    lower, upper : arrays of one shape
        Counts in the windows below and above the photopeak; an absent upper window counts as empty.
    windows : (lower, upper)
    peak_width_kev : float

    Notes
    -----
    Ogawa et al., IEEE Trans Med Imaging 1991; 10:408.
    """
    below, above = windows
    rate = lower / np.float32(below.width_kev)
    if upper is not None and above is not None:
        rate = rate + upper / np.float32(above.width_kev)
    return np.asarray(rate * np.float32(peak_width_kev / 2.0), dtype=np.float32)


def dual_energy_window(lower: NDArray[np.float32], k: float) -> NDArray[np.float32]:
    """Estimate scatter as k times the counts below the photopeak (Jaszczak et al., J Nucl Med 1984; 25:893)."""
    return np.asarray(np.float32(k) * lower, dtype=np.float32)


def estimate_scatter(
    projections: Projections | PlanarImages,
    photopeak: Photopeak,
    method: str = "auto",
    *,
    k: float = 0.47,
    smoothing_fwhm_mm: float = 45.0,
) -> tuple[NDArray[np.float32] | None, str]:
    """Estimate the scatter counts of a photopeak window in every view.

    Parameters
    ----------
    projections : Projections or PlanarImages
    photopeak : Photopeak
    method : ``auto``, ``tew``, ``dew`` or ``none``
        ``auto`` takes TEW where both scatter windows are there, else DEW, else none.
    k : float
        Factor of the dual energy window.
    smoothing_fwhm_mm : float
        As in `smoothed`; scatter varies slowly and its windows hold few counts.

    Returns
    -------
    counts : (views, rows, columns) float32 array, or None
    method : str
        The method taken: ``tew``, ``dew`` or ``none``.

    Raises
    ------
    InputError
        The method asked for needs a window that was not recorded.
    """
    has_lower, has_upper = photopeak.lower_scatter is not None, photopeak.upper_scatter is not None
    if method == "auto":
        method = "tew" if has_lower and has_upper else "dew" if has_lower else "none"
    if method == "none":
        return None, method
    if method not in ("tew", "dew"):
        raise InputError(f"The scatter method '{method}' is not known; take auto, tew, dew or none.")
    if photopeak.lower_scatter is None or (method == "tew" and photopeak.upper_scatter is None):
        needed = "scatter windows below and above" if method == "tew" else "a scatter window below"
        raise InputError(f"Scatter method '{method}' needs {needed} the photopeak; take --scatter auto or none.")
    lower = projections.counts[photopeak.lower_scatter]
    if method == "dew":
        estimate = dual_energy_window(lower, k)
    else:
        upper_index = photopeak.upper_scatter
        windows = projections.energy_windows
        upper = None if upper_index is None else projections.counts[upper_index]
        above = None if upper_index is None else windows[upper_index]
        below = windows[photopeak.lower_scatter]
        estimate = triple_energy_window(lower, upper, (below, above), photopeak.width_kev(windows))
    return smoothed(estimate, projections.pixel_mm, smoothing_fwhm_mm), method


def smoothed(estimate: NDArray[np.float32], pixel_mm: tuple[float, float], fwhm_mm: float) -> NDArray[np.float32]:
    """Smooth each view by a Gaussian twice: the second time what the first left over, which is added back.

    A Gaussian alone carries scatter out of the body, 1 to 2 % of it at 25 mm; this keeps slopes and bends, so that it
    can be wider and takes away more noise (twicing: Tukey, Exploratory Data Analysis, 1977).

    Parameters
    ----------
    estimate : (views, rows, columns) array
    pixel_mm : (axial, transverse)
    fwhm_mm : float
        Of the Gaussian; 0 leaves the estimate as it is.

    Returns
    -------
    float32 array of the same shape, not negative, each view with the counts it had
    """
    if fwhm_mm <= 0:
        return np.asarray(estimate, dtype=np.float32)
    sigma_mm = fwhm_mm / 2.3548
    sigma = (0.0, sigma_mm / pixel_mm[0], sigma_mm / pixel_mm[1])
    once = gaussian_filter(estimate, sigma, mode="nearest")
    twice = np.maximum(once + gaussian_filter(estimate - once, sigma, mode="nearest"), 0.0)
    # What is cut off below zero is taken from the rest of the view.
    counts, kept = (each.sum(axis=(1, 2), dtype=np.float64, keepdims=True) for each in (estimate, twice))
    scale = np.divide(counts, kept, out=np.zeros_like(kept), where=kept > 0)
    return np.asarray(twice * scale, dtype=np.float32)


def scatter_variance(
    projections: Projections | PlanarImages, photopeak: Photopeak, method: str, *, k: float = 0.47
) -> NDArray[np.float32]:
    """Give the variance that counting leaves in an unsmoothed estimate of scatter, (views, rows, columns).

    Parameters
    ----------
    projections : Projections or PlanarImages
    photopeak : Photopeak
    method : ``tew``, ``dew`` or ``none``
        What `estimate_scatter` took.
    k : float
    """
    windows, peak_kev = projections.energy_windows, photopeak.width_kev(projections.energy_windows)
    variance = np.zeros(projections.counts.shape[1:], np.float32)
    sides = (photopeak.lower_scatter, photopeak.upper_scatter if method == "tew" else None)
    for index in sides:
        if method != "none" and index is not None:
            factor = k if method == "dew" else peak_kev / (2.0 * windows[index].width_kev)
            variance += np.float32(factor**2) * projections.counts[index]
    return variance
