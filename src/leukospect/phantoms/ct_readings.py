"""What the simulated CT's detector reads: a tungsten spectrum, noise, and the correction for water's beam hardening.

Spectrum: Kramers' continuum (Phil. Mag. 46 (1923) 836) with the K lines of tungsten, through aluminium; the detector
weights photons with their energy. Readings are Poisson counts with electronic noise, at least one count, so that rays
along a screw starve. They are corrected for the beam hardening of water only: bone and metal keep theirs, and their
streaks.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from leukospect.phantoms.acquisitions import CtAcquisition
from leukospect.phantoms.ct_scatter import scatter_signal
from leukospect.phantoms.kernels_ct import read_out
from leukospect.phantoms.materials import linear_attenuation_per_cm

_LINES_KEV = ((59.3, 0.07), (67.2, 0.02))
_WATER_MM = np.linspace(0.0, 800.0, 401)


def detected_spectrum(scan: CtAcquisition, bins: int = 10) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Energies (keV) of a few bins of equal width, and each one's share of the detected signal without an object.

    The K lines carry 7 and 2 % of the photons (above 70 kV).
    """
    edges = np.linspace(25.0, scan.kvp, bins + 1)
    fine = edges[0] + (np.arange(bins * 20) + 0.5) * (scan.kvp - edges[0]) / (bins * 20)
    filtration = np.exp(-linear_attenuation_per_cm("aluminium", fine) * scan.filtration_mm_al / 10.0)
    photons = (scan.kvp / fine - 1.0) * filtration
    photons /= photons.sum()
    if scan.kvp > 70.0:
        for energy, share in _LINES_KEV:
            photons[int(np.argmin(np.abs(fine - energy)))] += share
    signal = (photons * fine).reshape(bins, 20)
    energies = (signal * fine.reshape(bins, 20)).sum(axis=1) / signal.sum(axis=1)
    return energies, signal.sum(axis=1) / signal.sum()


def behind_water(scan: CtAcquisition, water_mm: NDArray[np.float64]) -> NDArray[np.float64]:
    """Fraction of the detected signal that comes through lengths of water."""
    energies, spectrum = detected_spectrum(scan)
    water = linear_attenuation_per_cm("water", energies) / 10.0
    return np.asarray(np.exp(-np.outer(water_mm, water)) @ spectrum)


def water_mm(
    scan: CtAcquisition, primary: NDArray[np.float32], bin_mm: float, rng: np.random.Generator | None
) -> NDArray[np.float32]:
    """Take readings, with noise where a generator is given, to the length of water that would give them.

    Parameters
    ----------
    scan : CtAcquisition
    primary : (views, bins, slices) array
        Fraction of the air signal that reaches each bin unscattered.
    bin_mm : float
        The bins' distance at the isocentre, mm.
    rng : numpy.random.Generator or None
    """
    known = -np.log(behind_water(scan, _WATER_MM))
    steps = np.linspace(0.0, known[-1], 4 * _WATER_MM.size)
    table = np.interp(steps, known, _WATER_MM)
    photons, electronic = scan.photons_per_ray, scan.electronic_noise_photons
    lengths, removed = primary.ravel().copy(), np.zeros(0, np.float32)
    if scan.scatter_to_primary > 0.0:
        chord = 2.0 * np.sqrt(np.maximum(150.0**2 - np.arange(-400.0, 401.0, 5.0) ** 2, 0.0))
        scatter = scatter_signal(primary, bin_mm, scan.scatter_to_primary, behind_water(scan, chord), 5.0).ravel()
        lengths += scatter
        removed = scatter * np.float32(scan.scatter_corrected)
    if rng is None:
        read_out(lengths, np.zeros(lengths.size, np.float32), photons, 0.0, removed, table, steps[1])
    else:
        normal = rng.standard_normal(lengths.size, dtype=np.float32)
        # Where photons are few their own distribution counts; its deviation takes the place of the normal one.
        scarce = np.flatnonzero(lengths < 50.0 / photons)
        mean = lengths[scarce].astype(np.float64) * photons
        spread = np.sqrt(mean + electronic**2)
        drawn = rng.poisson(mean) - mean + electronic * normal[scarce]
        normal[scarce] = np.divide(drawn, spread, out=np.zeros_like(drawn), where=spread > 0)
        read_out(lengths, normal, photons, electronic, removed, table, steps[1])
    return lengths.reshape(primary.shape)


def hounsfield(water: NDArray[np.float32], top_hu: float) -> NDArray[np.int16]:
    """Take attenuation in units of water's, (rows, columns, slices), to HU, (slices, rows, columns)."""
    values = np.clip(np.rint(1000.0 * (water - 1.0)), -1000, top_hu)
    return np.moveaxis(values.astype(np.int16), 2, 0)
