"""What the simulated camera's energy windows see of primary and of scattered photons.

Scattered photons' energies: the Klein-Nishina cross section gives those scattered once; those scattered twice have lost
twice, each loss drawn from the same distribution. The camera blurs each with a Gaussian whose width grows with the
square root of the energy. So the spectra under the photopeak and beside it differ, as they do in a patient: a
triple-energy-window estimate is near the truth but does not meet it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import erf

from leukospect.phantoms.acquisitions import Window

_ELECTRON_KEV = 510.99895
_STEP_KEV = 0.25


def _scattered_once(energy_kev: float) -> NDArray[np.float64]:
    """Spectrum of photons scattered once, by energy lost in steps of `_STEP_KEV`, summing to 1."""
    ratio = energy_kev / _ELECTRON_KEV
    least = energy_kev / (1.0 + 2.0 * ratio)
    scattered = energy_kev - (np.arange(int((energy_kev - least) / _STEP_KEV)) + 0.5) * _STEP_KEV
    cosine = 1.0 - (energy_kev / scattered - 1.0) / ratio
    # d sigma / d E is proportional to d sigma / d Omega times d cos / d E, that is E0 / (ratio E^2).
    share = scattered / energy_kev
    density = share**2 * (share + 1.0 / share - (1.0 - cosine**2)) / scattered**2
    return np.asarray(density / density.sum())


def window_fractions(energy_kev: float, resolution_percent: float, windows: tuple[Window, ...]) -> NDArray[np.float64]:
    """Tell what fraction of primary, once and twice scattered photons each window counts.

    Parameters
    ----------
    energy_kev : float
        Of the emitted photons.
    resolution_percent : float
        FWHM of the photopeak over its energy.
    windows : tuple of Window

    Returns
    -------
    (windows, 3) array
        Columns: primary, scattered once, scattered twice.

    Notes
    -----
    O. Klein and Y. Nishina, Z. Phys. 52 (1929) 853.
    """
    once = _scattered_once(energy_kev)
    spectra = [(np.array([1.0]), 0.0), (once, 0.5), (np.convolve(once, once), 1.0)]
    fractions = np.empty((len(windows), 3))
    for column, (weights, offset) in enumerate(spectra):
        energies = energy_kev - (np.arange(weights.size) + offset) * _STEP_KEV if column else np.array([energy_kev])
        sigma = resolution_percent / 100.0 * np.sqrt(energies * energy_kev) / (2.0 * np.sqrt(2.0 * np.log(2.0)))
        for row, window in enumerate(windows):
            upper = erf((window.upper_kev - energies) / (sigma * np.sqrt(2.0)))
            lower = erf((window.lower_kev - energies) / (sigma * np.sqrt(2.0)))
            fractions[row, column] = np.sum(weights * (upper - lower)) / 2.0
    return fractions
