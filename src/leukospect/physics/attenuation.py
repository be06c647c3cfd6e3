"""From CT numbers to linear attenuation coefficients at the photopeak."""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import NDArray

from leukospect.errors import AssumptionWarning, InputError, MissingInformationError
from leukospect.tables.reading import read_csv_table

_SAME_PEAK_KEV = 0.5


def water_mu_per_cm(energy_kev: float, *, coherent_counted: bool = False) -> float:
    """Give the attenuation coefficient of water, 1/cm; between the table's energies by log-log interpolation.

    Parameters
    ----------
    energy_kev : float
    coherent_counted : bool
        False: narrow beam, every interaction removes the photon. True: without coherent scattering, which takes no
        energy and turns a 140 keV photon by 7 degrees (median), so that the photopeak window still counts it and
        scatter windows do not see it.
    """
    return _photopeak_mu("water", energy_kev, coherent_counted=coherent_counted)


METALS = ("titanium_alloy", "titanium", "cobalt_chrome", "steel_316l")


def metal_mu_per_cm(material: str, energy_kev: float, *, coherent_counted: bool = False) -> float:
    """Give the attenuation coefficient of an implant's metal, 1/cm, as `water_mu_per_cm` does.

    Parameters
    ----------
    material : str
        One of `METALS`.
    energy_kev : float
    coherent_counted : bool

    Raises
    ------
    InputError
        The material is none of the table's.
    """
    if material not in METALS:
        raise InputError(f"There is no metal '{material}' in the table; known are {', '.join(METALS)}.")
    return _photopeak_mu(material, energy_kev, coherent_counted=coherent_counted)


def metal_ct_number_hu(material: str, kvp: float) -> float:
    """Give the CT number, HU, that an implant's metal has on a scale that does not cut it off, for a tube voltage.

    Outside the table's voltages the nearest row stands.
    """
    rows = [row for row in read_csv_table("metal_ct_numbers.csv") if row["material"] == material]
    if not rows:
        raise InputError(f"There is no metal '{material}' in the table; known are {', '.join(METALS)}.")
    return float(np.interp(kvp, [float(row["kvp"]) for row in rows], [float(row["hu"]) for row in rows]))


def has_effective_mu(energy_kev: float) -> bool:
    """Tell whether an effective coefficient is tabulated for a photopeak."""
    return any(abs(energy - energy_kev) < _SAME_PEAK_KEV for energy in _effective_water())


def effective_mu_ratio(energy_kev: float, *, coherent_counted: bool = False) -> float:
    """Give what takes an attenuation map to effective coefficients, which leave scatter in the counts: below 1.

    Parameters
    ----------
    energy_kev : float
        Of the photopeak.
    coherent_counted : bool
        How the map was made, as in `water_mu_per_cm`; the scaled map is the same.

    Raises
    ------
    InputError
        None is tabulated for that photopeak.
    """
    for energy, effective in _effective_water().items():
        if abs(energy - energy_kev) < _SAME_PEAK_KEV:
            return effective / water_mu_per_cm(energy_kev, coherent_counted=coherent_counted)
    raise InputError(
        f"No effective attenuation coefficient is tabulated for {energy_kev:.0f} keV; leave --effective-mu "
        "(attenuation.effective_mu) out and correct scatter with its windows."
    )


def _effective_water() -> dict[float, float]:
    rows = read_csv_table("effective_attenuation.csv")
    return {float(row["nuclide_photopeak_kev"]): float(row["water_per_cm"]) for row in rows}


def _photopeak_mu(material: str, energy_kev: float, *, coherent_counted: bool) -> float:
    rows = [row for row in read_csv_table("photopeak_attenuation.csv") if row["material"] == material]
    energies = np.array([float(row["energy_kev"]) for row in rows])
    if not energies[0] * 0.98 <= energy_kev <= energies[-1] * 1.02:
        raise InputError(f"Attenuation at {energy_kev:g} keV is not in the table (140 to 245 keV).")
    total = np.array([float(row["mu_per_cm"]) for row in rows])
    coherent = np.array([float(row["coherent_per_cm"]) for row in rows])
    coefficients = total - coherent if coherent_counted else total
    return float(np.exp(np.interp(np.log(energy_kev), np.log(energies), np.log(coefficients))))


def _slope_without_coherent(energy_kev: float) -> float:
    """Tell what part of bone's excess over water is left when coherent scattering is left out of both."""
    excess = [
        _photopeak_mu("cortical_bone", energy_kev, coherent_counted=counted)
        - _photopeak_mu("water", energy_kev, coherent_counted=counted)
        for counted in (True, False)
    ]
    return excess[0] / excess[1]


def bone_slope_per_cm(kvp: float | None, energy_kev: float, material: str = "scanner") -> float:
    """Slope of mu over HU above 0 HU, 1/cm a HU, for a tube voltage.

    Between two tabulated voltages of one material the slope is interpolated, with a warning.

    Raises
    ------
    MissingInformationError
        The voltage is unknown, or outside the table.
    """
    rows = [row for row in read_csv_table("hu_to_mu.csv") if row["material"] == material]
    if not rows:
        raise InputError(f"There is no HU-to-mu table for '{material}'.")
    if kvp is None:
        raise MissingInformationError(
            "The CT does not record its tube voltage (KVP), which the attenuation map depends on; tell it with "
            "--assumed-kvp (attenuation.assumed_kvp), or give a mu map with --mu instead."
        )
    base = {float(r["kvp"]): float(r["slope"]) for r in rows if abs(float(r["energy_kev"]) - 140.511) < 0.1}
    voltages = sorted(base)
    if not voltages[0] <= kvp <= voltages[-1]:
        raise MissingInformationError(
            f"A CT of {kvp:g} kV is outside the HU-to-mu table ({voltages[0]:g} to {voltages[-1]:g} kV); "
            "give a mu map with --mu instead."
        )
    if kvp not in base:
        warnings.warn(
            f"The HU-to-mu slope at {kvp:g} kV is interpolated between the tabulated voltages.",
            AssumptionWarning,
            stacklevel=2,
        )
    slope = float(np.interp(kvp, voltages, [base[v] for v in voltages]))
    return slope * _energy_ratio(energy_kev)


def _energy_ratio(energy_kev: float) -> float:
    """Slope at an energy relative to 140 keV, from the one voltage for which all photopeaks are published."""
    rows = [r for r in read_csv_table("hu_to_mu.csv") if r["material"] == "scanner" and r["kvp"] == "110"]
    energies = [float(r["energy_kev"]) for r in rows]
    slopes = [float(r["slope"]) for r in rows]
    return float(np.interp(energy_kev, energies, slopes)) / slopes[0]


def hu_to_mu(
    hu: NDArray[np.floating],
    kvp: float | None,
    energy_kev: float,
    material: str = "scanner",
    *,
    coherent_counted: bool = False,
) -> NDArray[np.float32]:
    """Take CT numbers to linear attenuation coefficients at a photon energy.

    Parameters
    ----------
    hu : array, HU
    kvp : float or None
        Tube voltage of the CT.
    energy_kev : float
        Energy of the photopeak.
    material : str
        Row set of the table: ``scanner`` (published rows of scanners) or ``icru-bone`` (spectrum calculation).
    coherent_counted : bool
        As in `water_mu_per_cm`.

    Returns
    -------
    float32 array of the same shape, 1/cm, zero at and below -1000 HU

    Raises
    ------
    InputError
        The CT holds values that are not finite.
    MissingInformationError
        The tube voltage is unknown or outside the table.
    """
    return mu_on_lines(hu, *hu_to_mu_lines(kvp, energy_kev, material, coherent_counted=coherent_counted))


def hu_to_mu_lines(
    kvp: float | None, energy_kev: float, material: str = "scanner", *, coherent_counted: bool = False
) -> tuple[float, float]:
    """Give the two straight lines of `hu_to_mu`: the coefficient at 0 HU, 1/cm, and its slope above, 1/cm a HU."""
    water = water_mu_per_cm(energy_kev, coherent_counted=coherent_counted)
    slope = bone_slope_per_cm(kvp, energy_kev, material)
    if coherent_counted:
        slope *= _slope_without_coherent(energy_kev)
    return water, slope


def mu_on_lines(hu: NDArray[np.floating], water: float, slope: float) -> NDArray[np.float32]:
    """Take CT numbers to coefficients along the lines of `hu_to_mu_lines`."""
    if not np.all(np.isfinite(hu)):
        raise InputError("The CT holds values that are not finite; it cannot give an attenuation map.")
    values = np.asarray(hu, dtype=np.float32)
    below = np.maximum(values, np.float32(-1000.0)) * np.float32(water / 1000.0)
    mu = np.where(values <= 0, below, values * np.float32(slope)) + np.float32(water)
    return np.maximum(mu, np.float32(0.0)).astype(np.float32)
