"""What a phantom's materials do to photons: linear attenuation coefficients."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from leukospect.errors import InputError
from leukospect.tables.reading import read_csv_table

_NOT_ENERGIES = ("material", "density_g_per_cm3")
_ROWS = {
    row["material"]: row
    for table in ("photon_attenuation.csv", "implant_attenuation.csv")
    for row in read_csv_table(table)
}
_ENERGIES_KEV = {
    material: np.array([float(name) for name in row if name not in _NOT_ENERGIES]) for material, row in _ROWS.items()
}
_CM2_PER_G = {
    material: np.array([float(value) for name, value in row.items() if name not in _NOT_ENERGIES])
    for material, row in _ROWS.items()
}

MATERIALS: tuple[str, ...] = ("air", *_ROWS)
METALS: frozenset[str] = frozenset(
    {
        "titanium",
        "titanium_alloy",
        "steel_316l",
        "cobalt_chrome",
        "tantalum",
        "gold_alloy",
        "amalgam",
        "aluminium",
    }
)


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
    known = _ENERGIES_KEV["water" if material == "air" else material]
    if np.any((energies < known[0]) | (energies > known[-1])):
        raise InputError(f"Attenuation is tabulated from {known[0]:g} to {known[-1]:g} keV only.")
    if material == "air":
        return np.zeros_like(energies)
    coefficient = np.exp(np.interp(np.log(energies), np.log(known), np.log(_CM2_PER_G[material])))
    return np.asarray(coefficient * float(_ROWS[material]["density_g_per_cm3"]))
