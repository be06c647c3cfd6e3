"""The roles of energy windows, found from their limits and the nuclide, never from their names."""

from __future__ import annotations

from dataclasses import dataclass

from leukospect.data import EnergyWindow
from leukospect.errors import InputError, MissingInformationError
from leukospect.physics.nuclides import KNOWN_NUCLIDES, Nuclide, nuclide

_CUT = 0.025  # of the energy: an edge so near the line leaves a good part of the photopeak out
_MEETING_KEV = 1.0


@dataclass(frozen=True, slots=True)
class Photopeak:
    """Indices of the windows of one photopeak: the peak's own, and its scatter windows where there are any.

    `range_kev` is the range of the window that covers this peak where the window has ranges for several peaks, which
    are counted together; None where the window is this peak's alone.
    """

    energy_kev: float
    peak: int
    lower_scatter: int | None
    upper_scatter: int | None
    range_kev: tuple[float, float] | None = None

    def width_kev(self, windows: tuple[EnergyWindow, ...]) -> float:
        """Width of what of its window is this peak's, keV."""
        if self.range_kev is not None:
            return self.range_kev[1] - self.range_kev[0]
        return windows[self.peak].width_kev


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
            "The acquisition does not record its radionuclide, and the windows alone do not prove it; give --nuclide, "
            "or a protocol that names it."
        )
    found = nuclide(named)
    if not any(_covers(window, energy) for window in windows for energy, _ in found.photons):
        ranges = "; ".join(f"{lo:g}-{hi:g}" for window in windows for lo, hi in window.ranges_kev)
        raise InputError(f"No energy window ({ranges} keV) covers a photopeak of {found.name}; check the nuclide.")
    return found


def _covers(window: EnergyWindow, energy_kev: float) -> bool:
    return any(lower <= energy_kev <= upper for lower, upper in window.ranges_kev)


def _neighbour(
    windows: tuple[EnergyWindow, ...], ranges: tuple[tuple[float, float], ...], energies: list[float], below: bool
) -> int | None:
    """Find the scatter window whose edge is nearest the photopeak's edge: below or above, within 20 % of the energy."""
    edge = min(lo for lo, _ in ranges) if below else max(hi for _, hi in ranges)
    best, best_gap = None, 0.2 * edge
    for index, window in enumerate(windows):
        # Of a window with several ranges nothing tells how many counts fell into which.
        if len(window.ranges_kev) > 1 or any(_covers(window, energy) for energy in energies):
            continue
        near = max(hi for _, hi in window.ranges_kev) if below else min(lo for lo, _ in window.ranges_kev)
        gap = edge - near if below else near - edge
        if -0.03 * edge <= gap < best_gap:
            best, best_gap = index, gap
    return best


def find_photopeaks(
    windows: tuple[EnergyWindow, ...], source: Nuclide, others: tuple[str, ...] = ()
) -> tuple[Photopeak, ...]:
    """Tell photopeak and scatter windows by their limits.

    Parameters
    ----------
    windows : tuple of EnergyWindow
    source : Nuclide
    others : tuple of str
        Nuclides that were injected too: a window over a photopeak of theirs is no scatter window. Names that are not
        known here count for nothing.

    Returns
    -------
    tuple of Photopeak, one for each photopeak of the nuclide that a window covers, in order of energy
        Two of them name the same window where it has a range for each.

    Raises
    ------
    InputError
        No window covers a photopeak, one range covers several, or several windows cover the same one.
    """
    energies = [energy for energy, _ in source.photons]
    taken = energies + [energy for name in others if name in KNOWN_NUCLIDES for energy, _ in nuclide(name).photons]
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
        own = _own_range(windows[covering[0]], energy, energies, source)
        ranges = windows[covering[0]].ranges_kev if own is None else (own,)
        _refuse_cut_peak(windows, ranges, energy, source)
        lower = _neighbour(windows, ranges, taken, below=True)
        upper = _neighbour(windows, ranges, taken, below=False)
        peaks.append(Photopeak(energy, covering[0], lower, upper, own))
    if not peaks:
        raise InputError(f"No energy window covers a photopeak of {source.name}.")
    return tuple(peaks)


def _own_range(
    window: EnergyWindow, energy_kev: float, energies: list[float], source: Nuclide
) -> tuple[float, float] | None:
    """Give the range of one peak in a window of several; None where the window covers this peak alone."""
    if sum(_covers(window, other) for other in energies) == 1:
        return None
    lower, upper = next(limits for limits in window.ranges_kev if limits[0] <= energy_kev <= limits[1])
    if sum(lower <= other <= upper for other in energies) > 1:
        raise InputError(
            f"One range of an energy window, {lower:g} to {upper:g} keV, covers several photopeaks of {source.name}; "
            "only ranges of one photopeak each can be reconstructed."
        )
    return lower, upper


def _refuse_cut_peak(
    windows: tuple[EnergyWindow, ...], ranges: tuple[tuple[float, float], ...], energy_kev: float, source: Nuclide
) -> None:
    """Refuse two windows that meet within a photopeak: neither holds it, and neither is a scatter window."""
    for lower, upper in ranges:
        for edge in (lower, upper):
            if abs(edge - energy_kev) > _CUT * energy_kev:
                continue
            for window in windows:
                for low, high in window.ranges_kev:
                    if (low, high) != (lower, upper) and min(abs(low - edge), abs(high - edge)) <= _MEETING_KEV:
                        raise InputError(
                            f"The {energy_kev:g} keV photopeak of {source.name} is cut in two by energy windows that "
                            f"meet at {edge:g} keV; give projections in which one window holds it."
                        )


def window_roles(windows: tuple[EnergyWindow, ...], nuclides: tuple[str, ...]) -> tuple[str, ...]:
    """Say in a few words what each window holds, by its limits and the nuclides that were injected.

    Parameters
    ----------
    windows : tuple of EnergyWindow
    nuclides : tuple of str
        Those that are recorded; may be empty, or hold names that are not known here.

    Returns
    -------
    tuple of str
        Such as ``photopeak of Tc-99m, 140.5 keV`` or ``scatter below 140.5 keV``; empty where nothing tells.
    """
    roles: list[list[str]] = [[] for _ in windows]
    for name in nuclides:
        try:
            peaks = find_photopeaks(windows, nuclide(name), nuclides)
        except InputError:
            continue
        for found in peaks:
            roles[found.peak].append(f"photopeak of {name}, {found.energy_kev:.1f} keV")
            for scatter, side in ((found.lower_scatter, "below"), (found.upper_scatter, "above")):
                if scatter is not None:
                    roles[scatter].append(f"scatter {side} {found.energy_kev:.1f} keV")
    return tuple("; ".join(dict.fromkeys(role)) for role in roles)
