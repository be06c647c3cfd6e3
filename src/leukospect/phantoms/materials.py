"""What a phantom's materials do to photons: linear attenuation coefficients."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from leukospect.errors import InputError
from leukospect.tables.reading import read_csv_table

_ROWS = {row["material"]: row for row in read_csv_table("photon_attenuation.csv")}
_COLUMNS = [name for name in next(iter(_ROWS.values())) if name not in ("material", "density_g_per_cm3")]
_ENERGIES_KEV = np.array([float(name) for name in _COLUMNS])

MATERIALS: tuple[str, ...] = ("air", *_ROWS)
METALS: frozenset[str] = frozenset({"titanium_alloy", "steel_316l", "aluminium"})


_COHERENT = {row["material"]: row for row in read_csv_table("coherent_scattering.csv")}


def photopeak_attenuation_per_cm(material: str, energy_kev: float) -> float:
    """Give what attenuates a photopeak, 1/cm: every interaction but coherent scattering.

    A coherently scattered photon keeps its energy and nearly its direction, so the photopeak window counts it.

    Parameters
    ----------
    material : str
    energy_kev : float
        140.511, 171.28 or 245.35; between them the coherent part is interpolated in the logarithms.
    """
    total = float(linear_attenuation_per_cm(material, energy_kev))
    if material == "air":
        return total
    row = _COHERENT[material]
    energies = [float(name) for name in row if name != "material"]
    coherent = np.exp(np.interp(np.log(energy_kev), np.log(energies), np.log([float(row[str(e)]) for e in energies])))
    return total - float(coherent) * float(_ROWS[material]["density_g_per_cm3"])


def linear_attenuation_per_cm(material: str, energy_kev: ArrayLike) -> NDArray[np.float64]:
    """Linear attenuation coefficient for a narrow beam, 1/cm, interpolated in the logarithms; air's is taken as 0.

    Parameters
    ----------
    material : str
        One of `MATERIALS`.
    energy_kev : array

    Raises
    ------
    InputError
        The material or an energy is not in the table.
    """
    energies = np.asarray(energy_kev, dtype=np.float64)
    if material not in MATERIALS:
        raise InputError(f"The material '{material}' is not known; known are {', '.join(MATERIALS)}.")
    if np.any((energies < _ENERGIES_KEV[0]) | (energies > _ENERGIES_KEV[-1])):
        raise InputError(f"Attenuation is tabulated from {_ENERGIES_KEV[0]:g} to {_ENERGIES_KEV[-1]:g} keV only.")
    if material == "air":
        return np.zeros_like(energies)
    row = _ROWS[material]
    mass = np.array([float(row[name]) for name in _COLUMNS])
    coefficient = np.exp(np.interp(np.log(energies), np.log(_ENERGIES_KEV), np.log(mass)))
    return np.asarray(coefficient * float(row["density_g_per_cm3"]))
