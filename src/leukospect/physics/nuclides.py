"""Radionuclides: half-life and the photons a camera keeps."""

from __future__ import annotations

from dataclasses import dataclass

from leukospect.errors import InputError
from leukospect.tables.reading import read_toml_table


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
