"""Which counts of an acquisition are reconstructed: those of its photopeaks, window by window, and their scatter."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from leukospect.data import Projections
from leukospect.errors import AssumptionWarning, InputError, MissingInformationError
from leukospect.physics.attenuation import has_effective_mu
from leukospect.physics.cross_talk import CrossTalk, cross_talk_of
from leukospect.physics.nuclides import KNOWN_NUCLIDES, Nuclide, nuclide, photopeak_efficiency
from leukospect.physics.scatter import estimate_scatter
from leukospect.physics.windows import Photopeak, find_photopeaks, nuclide_of_windows
from leukospect.projector import views_of_counts

Array = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class PeakShare:
    """One photopeak among the counts.

    Parameters
    ----------
    energy_kev : float or None
        None where the nuclide is not recorded.
    share : float
        Of the counts of one head without attenuation, all peaks together 1: yield times the efficiency of the crystal.
    window : int
        Which of the windows, in the order of `PhotopeakCounts.counts`, counts it.
    """

    energy_kev: float | None
    share: float
    window: int


@dataclass(frozen=True, slots=True, eq=False)
class PhotopeakCounts:
    """The counts that are reconstructed, and what goes with them.

    Parameters
    ----------
    counts : (windows x views, columns, slices) array, the operators' order
        Measured counts of each photopeak window, all views of one window after those of another.
    scatter : array of the same shape, or None
        Expected scatter counts.
    scatter_method : str
    nuclide : Nuclide or None
        None where it is not recorded.
    peaks : tuple of PeakShare
        Several may be counted in one window.
    """

    counts: Array
    scatter: Array | None
    scatter_method: str
    nuclide: Nuclide | None
    peaks: tuple[PeakShare, ...]

    @property
    def windows(self) -> int:
        """Number of windows, stacked in `counts`."""
        return 1 + max(peak.window for peak in self.peaks)

    @property
    def half_life_s(self) -> float | None:
        """Half-life of the nuclide, s."""
        return None if self.nuclide is None else self.nuclide.half_life_s

    @property
    def main(self) -> int:
        """Index of the photopeak with the largest share, whose attenuation map is shown."""
        return int(np.argmax([peak.share for peak in self.peaks]))

    def energies_for(self, purpose: str) -> tuple[float, ...]:
        """Give the photopeaks' energies, keV; where they are unknown, say what they are needed for."""
        known = tuple(peak.energy_kev for peak in self.peaks if peak.energy_kev is not None)
        if len(known) < len(self.peaks):
            raise MissingInformationError(
                f"The acquisition does not record its radionuclide, which {purpose} needs; give --nuclide."
            )
        return known


def photopeak_counts(
    projections: Projections,
    *,
    scatter: str = "auto",
    scatter_k: float = 0.47,
    scatter_smoothing_fwhm_mm: float = 45.0,
    nuclide_name: str | None = None,
) -> PhotopeakCounts:
    """Find the photopeak windows by nuclide and limits, and estimate their scatter.

    Parameters
    ----------
    projections : Projections
    scatter, scatter_k, scatter_smoothing_fwhm_mm
        As in `physics.scatter.estimate_scatter`.
    nuclide_name : str or None
        Stands in for what the acquisition records.

    Raises
    ------
    InputError
        The windows do not fit the nuclide, or there are several and no nuclide is known.
    """
    recorded = projections.header.radiopharmaceutical
    named = nuclide_name or (recorded.nuclide if recorded else None)
    if named is None and len(projections.energy_windows) == 1:
        warnings.warn(
            "The radionuclide is not recorded: the only energy window is taken as its photopeak, and decay during the "
            "acquisition is not corrected.",
            AssumptionWarning,
            stacklevel=2,
        )
        counts = _stacked([projections.counts[0]])
        return PhotopeakCounts(counts, None, "none", None, (PeakShare(None, 1.0, 0),))
    source = nuclide_of_windows(projections.energy_windows, named)
    others = tuple(one.nuclide for one in projections.header.other_radiopharmaceuticals if one.nuclide)
    peaks = find_photopeaks(projections.energy_windows, source, others)
    crossed = _cross_talk(projections, source, peaks, others)
    if scatter == "auto" and "SCAT" in projections.header.corrections:
        warnings.warn(
            "The camera has corrected the projections for scatter already, so it is not corrected again.",
            AssumptionWarning,
            stacklevel=2,
        )
        scatter = "none"
    windows = list(dict.fromkeys(peak.peak for peak in peaks))
    shares = _shares(source, peaks, windows)
    counts = _stacked([projections.counts[index] for index in windows])
    estimates, method = _scatter_of_windows(
        projections, peaks, windows, scatter, scatter_k, scatter_smoothing_fwhm_mm, crossed
    )
    if crossed is not None:
        method += f", cross-talk of {crossed.nuclide.name} removed"
    _say_what_is_in_one_window(source, shares)
    return PhotopeakCounts(counts, estimates, method, source, shares)


def _cross_talk(
    projections: Projections, source: Nuclide, peaks: Sequence[Photopeak], others: Sequence[str]
) -> CrossTalk | None:
    """Estimate what another nuclide that was injected too leaves in the windows; None, and said, where it cannot be."""
    names = [name for name in dict.fromkeys(others) if name != source.name]
    if not names:
        return None
    if len(names) == 1 and names[0] in KNOWN_NUCLIDES:
        found = cross_talk_of(projections, (source, peaks), nuclide(names[0]))
        if found is not None:
            where = ", ".join(f"{found.share(projections, peak):.1%} at {peak.energy_kev:.0f} keV" for peak in peaks)
            warnings.warn(
                f"{names[0]} was counted together with {source.name}: what it leaves in the windows of {source.name} "
                f"is estimated from its own windows, by factors of a model and not of this camera ({where} of the "
                "counts), and removed.",
                AssumptionWarning,
                stacklevel=3,
            )
            return found
    warnings.warn(
        f"Another nuclide was injected too ({', '.join(names)}) and no window of its own was counted; what it scatters "
        f"into the windows of {source.name} is not corrected.",
        AssumptionWarning,
        stacklevel=3,
    )
    return None


def _shares(source: Nuclide, peaks: Sequence[Photopeak], windows: Sequence[int]) -> tuple[PeakShare, ...]:
    """Give each photopeak its share of the counts by yield and crystal."""
    yields = dict(source.photons)
    parts = [yields[p.energy_kev] * photopeak_efficiency(p.energy_kev) for p in peaks]
    return tuple(
        PeakShare(p.energy_kev, part / sum(parts), windows.index(p.peak)) for p, part in zip(peaks, parts, strict=True)
    )


def _say_what_is_in_one_window(source: Nuclide, shares: Sequence[PeakShare]) -> None:
    if len({peak.window for peak in shares}) == len(shares):
        return
    energies = " and ".join(f"{peak.energy_kev:.0f}" for peak in shares)
    parts = " and ".join(f"{100 * peak.share:.0f} %" for peak in shares)
    warnings.warn(
        f"The photopeaks of {source.name} at {energies} keV are counted in one window, so that nothing tells their "
        f"counts apart: {parts} of them are taken as theirs, by yield and the efficiency of a 9.5 mm crystal.",
        AssumptionWarning,
        stacklevel=3,
    )


def _scatter_of_windows(
    projections: Projections,
    peaks: Sequence[Photopeak],
    windows: Sequence[int],
    method: str,
    k: float,
    smoothing_fwhm_mm: float,
    crossed: CrossTalk | None,
) -> tuple[Array | None, str]:
    """Estimate the scatter of every window, zero where its scatter windows are missing; None where all are.

    What crosses over from another nuclide is added.
    """
    sums = [np.zeros(projections.counts.shape[1:], np.float32) for _ in windows]
    methods = []
    for peak in peaks:
        seen = projections if crossed is None else crossed.without(projections, peak)
        estimate, used = estimate_scatter(seen, peak, method, k=k, smoothing_fwhm_mm=smoothing_fwhm_mm)
        methods.append(used)
        if estimate is not None:
            sums[windows.index(peak.peak)] += estimate
        if crossed is not None:
            sums[windows.index(peak.peak)] += crossed.under(projections, peak, used, smoothing_fwhm_mm)
    found = sum(used != "none" for used in methods)
    if found < len(peaks) and method != "none":
        which = f"{found} of {len(peaks)} photopeaks only" if found else "no photopeak"
        warnings.warn(
            f"Scatter windows fit {which}: scatter is not corrected{' fully' if found else ''}, and uptake in "
            f"depth reads too high{'' if found else _stand_in(peaks)}.",
            AssumptionWarning,
            stacklevel=3,
        )
    known = found or crossed is not None
    scatter = np.concatenate([views_of_counts(one) for one in sums]) if known else None
    return scatter, "+".join(sorted(set(methods)))


def _stand_in(peaks: Sequence[Photopeak]) -> str:
    """Name what can be done without scatter windows, where there is something."""
    if not all(has_effective_mu(peak.energy_kev) for peak in peaks):
        return ""
    return "; with a CT, --effective-mu (attenuation.effective_mu=true) stands in for it, roughly"


def _stacked(windows: Sequence[Array]) -> Array:
    if not any(np.any(counts > 0) for counts in windows):
        raise InputError("The photopeak's window holds no counts in any view; there is nothing to reconstruct.")
    return np.concatenate([views_of_counts(counts) for counts in windows])


def resampled_projections(projections: Projections, seed: int) -> Projections:
    """Draw the counts of every window, scatter windows too, anew from a Poisson distribution around the measured ones.

    Parameters
    ----------
    projections : Projections
    seed : int
        The same seed draws the same counts.
    """
    drawn = np.random.default_rng(seed).poisson(projections.counts)
    return replace(projections, counts=drawn.astype(np.float32))
