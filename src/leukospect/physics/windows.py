"""The roles of energy windows, found from their limits and the nuclide, never from their names."""

from __future__ import annotations

from dataclasses import dataclass

from leukospect.data import EnergyWindow
from leukospect.errors import InputError, MissingInformationError
from leukospect.physics.nuclides import Nuclide, nuclide


@dataclass(frozen=True, slots=True)
class Photopeak:
    """Indices of the windows of one photopeak: the peak's own, and its scatter windows where there are any."""

    energy_kev: float
    peak: int
    lower_scatter: int | None
    upper_scatter: int | None


def nuclide_of_windows(windows: tuple[EnergyWindow, ...], named: str | None) -> Nuclide:
    """Take the recorded nuclide and check that a window covers one of its photopeaks.

    Raises
    ------
    MissingInformationError
        No nuclide is recorded.
    InputError
        The nuclide is not known here, or no window covers a photopeak of it.
    """
    if named is None:
        raise MissingInformationError(
            "The acquisition does not record its radionuclide, and the windows alone do not prove it; give --nuclide "
            "(recon) or a protocol that names it (run)."
        )
    found = nuclide(named)
    if not any(_covers(window, energy) for window in windows for energy, _ in found.photons):
        ranges = "; ".join(f"{lo:g}-{hi:g}" for window in windows for lo, hi in window.ranges_kev)
        raise InputError(f"No energy window ({ranges} keV) covers a photopeak of {found.name}; check the nuclide.")
    return found


def _covers(window: EnergyWindow, energy_kev: float) -> bool:
    return any(lower <= energy_kev <= upper for lower, upper in window.ranges_kev)


def _neighbour(windows: tuple[EnergyWindow, ...], peak: EnergyWindow, energies: list[float], below: bool) -> int | None:
    """Find the scatter window whose edge is nearest the photopeak's edge: below or above, within 20 % of the energy."""
    edge = min(lo for lo, _ in peak.ranges_kev) if below else max(hi for _, hi in peak.ranges_kev)
    best, best_gap = None, 0.2 * edge
    for index, window in enumerate(windows):
        if window is peak or any(_covers(window, energy) for energy in energies):
            continue
        near = max(hi for _, hi in window.ranges_kev) if below else min(lo for lo, _ in window.ranges_kev)
        gap = edge - near if below else near - edge
        if -0.03 * edge <= gap < best_gap:
            best, best_gap = index, gap
    return best


def find_photopeaks(windows: tuple[EnergyWindow, ...], source: Nuclide) -> tuple[Photopeak, ...]:
    """Tell photopeak and scatter windows by their limits.

    Parameters
    ----------
    windows : tuple of EnergyWindow
    source : Nuclide

    Returns
    -------
    tuple of Photopeak, one for each photopeak of the nuclide that has a window of its own, in order of energy

    Raises
    ------
    InputError
        No window covers a photopeak, one window covers several, or several windows cover the same one.
    """
    energies = [energy for energy, _ in source.photons]
    peaks = []
    for energy in energies:
        covering = [i for i, window in enumerate(windows) if _covers(window, energy)]
        if not covering:
            continue
        if len(covering) > 1 and not any(windows[i].is_recorded for i in covering):
            raise InputError(
                f"The limits of {len(covering)} energy windows are not recorded, so nothing tells which holds the "
                f"{energy:g} keV photopeak of {source.name}; keep the photopeak's frames only, or restore the limits."
            )
        if len(covering) > 1:
            raise InputError(
                f"{len(covering)} energy windows cover the {energy:g} keV photopeak of {source.name}, and nothing "
                "tells which to take; keep the frames of one."
            )
        peak = windows[covering[0]]
        if sum(_covers(peak, other) for other in energies) > 1:
            raise InputError(
                f"One energy window covers several photopeaks of {source.name}; only windows of one photopeak each "
                "can be reconstructed."
            )
        lower = _neighbour(windows, peak, energies, below=True)
        upper = _neighbour(windows, peak, energies, below=False)
        peaks.append(Photopeak(energy, covering[0], lower, upper))
    if not peaks:
        raise InputError(f"No energy window covers a photopeak of {source.name}.")
    return tuple(peaks)
