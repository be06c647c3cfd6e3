"""Radionuclides: half-life and the photons a camera keeps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from leukospect.errors import InputError
from leukospect.tables.reading import read_csv_table, read_toml_table


@dataclass(frozen=True, slots=True)
class Nuclide:
    """A radionuclide: name as ``Tc-99m``, half-life, and photons as (energy keV, photons per 100 decays)."""

    name: str
    half_life_s: float
    photons: tuple[tuple[float, float], ...]


_NUCLIDES = {
    name: Nuclide(name, float(row["half_life_s"]), tuple((float(e), float(y)) for e, y in row["photons"]))
    for name, row in read_toml_table("nuclides.toml").items()
}

KNOWN_NUCLIDES = tuple(_NUCLIDES)


def nuclide(name: str) -> Nuclide:
    """Look a nuclide up by its name, ``Tc-99m`` or ``In-111``.

    Raises
    ------
    InputError
        The nuclide is not in the table.
    """
    if name not in _NUCLIDES:
        raise InputError(f"The nuclide '{name}' is not known here; known are {', '.join(_NUCLIDES)}.")
    return _NUCLIDES[name]


def photopeak_efficiency(energy_kev: float) -> float:
    """Tell what part of the photons of an energy leave all of it in a 9.5 mm NaI(Tl) crystal, 140 to 245 keV.

    Raises
    ------
    InputError
        The energy is outside the table.
    """
    rows = read_csv_table("crystal_efficiency.csv")
    energies = np.array([float(row["energy_kev"]) for row in rows])
    efficiencies = np.array([float(row["photopeak_efficiency"]) for row in rows])
    if not energies[0] * 0.98 <= energy_kev <= energies[-1] * 1.02:
        raise InputError(f"A crystal's efficiency at {energy_kev:g} keV is not in the table (140 to 245 keV).")
    return float(np.exp(np.interp(np.log(energy_kev), np.log(energies), np.log(efficiencies))))
