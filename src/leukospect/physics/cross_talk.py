"""What a second nuclide, counted at once, leaves in the windows of the first: scatter from above, an edge from below.

The counts of one nuclide in a window that is not its own are taken from those in its own windows,

    c_w = k_w (sum over its photopeaks p of c_p)

with factors k for a source spread evenly over 0 to 200 mm of water: photons arrive unscattered with exp(-tau),
scattered once with tau exp(-tau), twice with tau^2 / 2 exp(-tau) (tau: the path, coherent scattering left out), their
energies are those of Klein and Nishina, and the camera blurs them by 9.5 % at 140 keV, less by the root of the energy.
So a place's scatter is estimated from the same place's peaks, broadened: a convolution method with one breadth and one
factor. Depth is what it does not know: of a source near the skin it takes too much, of one deep in a thick body too
little. Scatter in the collimator and lead's X-rays are left out.

J. Feng and B. C. Penney, IEEE Nucl Sci Symp 2002; 3:1562 (In-111 scatter under Tc-99m: convolution was accurate, the
triple energy window over-corrected slightly); S. C. Moore et al., IEEE Trans Nucl Sci 1995 (contaminants as a linear
combination of window images, each smoothed); O. Klein and Y. Nishina, Z Phys 1929; 52:853.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import erf

from leukospect.data import EnergyWindow, Projections
from leukospect.errors import InputError
from leukospect.physics.attenuation import water_mu_per_cm
from leukospect.physics.nuclides import Nuclide, photopeak_efficiency
from leukospect.physics.scatter import smoothed
from leukospect.physics.windows import Photopeak, find_photopeaks

RESOLUTION_AT_140_KEV = 0.095
"""FWHM of a camera's photopeak over its energy; DICOM does not record it, and NaI(Tl) cameras have 9 to 10 %."""
_ELECTRON_KEV, _TC_KEV = 510.99895, 140.511
_STEP_KEV = 0.5
_DEPTHS_CM = np.linspace(0.25, 19.75, 40)


def cross_talk_factors(
    windows: Sequence[EnergyWindow], peaks: Sequence[Photopeak], source: Nuclide
) -> NDArray[np.float64]:
    """Tell what a nuclide leaves in every window for each count in its own ones.

    Parameters
    ----------
    windows : sequence of EnergyWindow
    peaks : sequence of Photopeak
        The nuclide's, each in a window of its own.
    source : Nuclide

    Returns
    -------
    (windows, peaks) array
        For the nuclide's own windows 1 for the peak's own and 0 for the others.
    """
    counted = np.sum([_line_in_windows(windows, energy, share) for energy, share in source.photons], axis=0)
    own = [peak.peak for peak in peaks]
    over_depths = counted.sum(axis=0)
    factors = np.repeat(over_depths[:, None] / over_depths[own].sum(), len(own), axis=1)
    factors[own] = np.eye(len(own))
    return np.asarray(factors, dtype=np.float64)


def _line_in_windows(windows: Sequence[EnergyWindow], energy_kev: float, share: float) -> NDArray[np.float64]:
    """Give the counts of one photon energy of a source in each window, by depth: (depths, windows)."""
    once = _scattered_once(energy_kev)
    lost = [np.zeros(1), (np.arange(once.size) + 0.5) * _STEP_KEV, (np.arange(2 * once.size - 1) + 1.0) * _STEP_KEV]
    weights = [np.ones(1), once, np.convolve(once, once)]
    seen = np.array(
        [
            [float(np.dot(weight, _part_inside(window, np.asarray(energy_kev - loss)))) for window in windows]
            for weight, loss in zip(weights, lost, strict=True)
        ]
    )
    tau = water_mu_per_cm(energy_kev, coherent_counted=True) * _DEPTHS_CM
    arriving = np.exp(-tau)[:, None] * np.stack([np.ones_like(tau), tau, tau**2 / 2.0], axis=1)
    return np.asarray(share * photopeak_efficiency(energy_kev) * (arriving @ seen))


def _scattered_once(energy_kev: float) -> NDArray[np.float64]:
    """Part of the photons scattered once that lost so much, in steps of `_STEP_KEV`, together 1."""
    ratio = energy_kev / _ELECTRON_KEV
    steps = int((energy_kev - energy_kev / (1.0 + 2.0 * ratio)) / _STEP_KEV)
    left = 1.0 - (np.arange(steps) + 0.5) * _STEP_KEV / energy_kev
    cosine = 1.0 - (1.0 / left - 1.0) / ratio
    density = left + 1.0 / left - (1.0 - cosine**2)
    return np.asarray(density / density.sum())


def _part_inside(window: EnergyWindow, energies_kev: NDArray[np.float64]) -> NDArray[np.float64]:
    """Part of the photons of each energy that a window counts, blurred by the camera."""
    fwhm = RESOLUTION_AT_140_KEV * np.sqrt(_TC_KEV * energies_kev)
    width = fwhm / (2.0 * np.sqrt(np.log(2.0)))  # of exp(-(x / width)^2)
    parts = [erf((high - energies_kev) / width) - erf((low - energies_kev) / width) for low, high in window.ranges_kev]
    return np.asarray(sum(parts) / 2.0)


def counts_of_each(
    counts: NDArray[np.float32], factors: Sequence[tuple[NDArray[np.float64], Sequence[int]]]
) -> list[NDArray[np.float32]]:
    """Tell the counts of each nuclide apart in every window, as the factors have it, pixel by pixel.

    Parameters
    ----------
    counts : (windows, ...) array
        Of all nuclides together.
    factors : sequence of ((windows, peaks) array, indices of the peaks' windows)
        From `cross_talk_factors`, one a nuclide.

    Returns
    -------
    list of arrays of the shape of `counts`
        For each nuclide what it leaves in every window. Noise makes some negative.
    """
    own = [window for _, places in factors for window in places]
    mixing = np.concatenate([table[own] for table, _ in factors], axis=1)
    pure = np.tensordot(np.linalg.inv(mixing), counts[own], axes=1)
    found, first = [], 0
    for table, places in factors:
        last = first + len(places)
        found.append(np.tensordot(table, pure[first:last], axes=1).astype(np.float32))
        first = last
    return found


@dataclass(frozen=True, slots=True, eq=False)
class CrossTalk:
    """What another nuclide leaves in each window of an acquisition.

    Parameters
    ----------
    nuclide : Nuclide
        The other one.
    counts : (windows, views, rows, columns) float32 array
        Its estimate, pixel by pixel; noise makes some negative.
    """

    nuclide: Nuclide
    counts: NDArray[np.float32]

    def comes_from_above(self, peak: Photopeak) -> bool:
        """Tell whether it is scatter of a higher energy, which is broad, and not the edge of a lower peak."""
        return any(energy > peak.energy_kev for energy, _ in self.nuclide.photons)

    def without(self, projections: Projections, peak: Photopeak) -> Projections:
        """Take it off the scatter windows of a peak.

        Left as it is where there are two for scatter from above, whose triple energy window estimate holds it.
        """
        sides = [side for side in (peak.lower_scatter, peak.upper_scatter) if side is not None]
        if not sides or (len(sides) == 2 and self.comes_from_above(peak)):
            return projections
        counts = projections.counts.copy()
        counts[sides] = np.maximum(counts[sides] - self.counts[sides], 0.0)
        return replace(projections, counts=counts)

    def under(
        self, projections: Projections, peak: Photopeak, scatter_method: str, smoothing_fwhm_mm: float
    ) -> NDArray[np.float32]:
        """Give what it leaves under a peak, beside the scatter by that method: (views, rows, columns), not negative."""
        estimate = np.asarray(self.counts[peak.peak], np.float32)
        if not self.comes_from_above(peak):
            return np.asarray(np.maximum(estimate, 0.0), np.float32)
        if scatter_method == "tew":
            return np.zeros_like(estimate)
        return np.maximum(smoothed(estimate, projections.pixel_mm, smoothing_fwhm_mm), np.float32(0.0))

    def share(self, projections: Projections, peak: Photopeak) -> float:
        """Tell what part of the counts of a peak's window it is."""
        total = float(projections.counts[peak.peak].sum(dtype=np.float64))
        return float(self.counts[peak.peak].sum(dtype=np.float64)) / total if total > 0 else 0.0


def cross_talk_of(
    projections: Projections, own: tuple[Nuclide, Sequence[Photopeak]], other: Nuclide
) -> CrossTalk | None:
    """Estimate what another nuclide leaves in the windows; None where it has no window of its own.

    Parameters
    ----------
    projections : Projections
    own : (Nuclide, its photopeaks)
    other : Nuclide
    """
    source, peaks = own
    windows = projections.energy_windows
    try:
        others = find_photopeaks(windows, other, (source.name,))
    except InputError:
        return None
    places = [[peak.peak for peak in each] for each in (peaks, others)]
    together = [*places[0], *places[1]]
    if len(set(together)) < len(together):
        return None  # a window of several photopeaks: nothing tells them apart
    tables = [cross_talk_factors(windows, each, one) for each, one in ((peaks, source), (others, other))]
    parts = counts_of_each(projections.counts, list(zip(tables, places, strict=True)))
    return CrossTalk(other, parts[1])
