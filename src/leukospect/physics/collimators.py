"""Parallel-hole collimators: geometry by name, and the resolution it gives at a distance."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from leukospect.errors import InputError, MissingInformationError
from leukospect.tables.reading import read_csv_table

INTRINSIC_FWHM_MM = 3.8
"""Intrinsic resolution of a 3/8 inch NaI crystal at 140 keV, mm FWHM."""

FWHM_PER_SIGMA = 2.0 * np.sqrt(2.0 * np.log(2.0))


@dataclass(frozen=True, slots=True)
class Collimator:
    """A parallel-hole collimator; lengths in mm, `gap_mm` from its back to the mean interaction plane."""

    manufacturer: str
    name: str
    hole_mm: float
    septum_mm: float
    length_mm: float
    gap_mm: float


def _plain(text: str) -> str:
    return re.sub(r"[^A-Z0-9]", "", text.upper())


def _table() -> list[tuple[tuple[str, ...], Collimator]]:
    rows = []
    for row in read_csv_table("collimators.csv"):
        names = row["names"].split("|")
        sizes = (float(row[key]) for key in ("hole_mm", "septum_mm", "length_mm", "gap_mm"))
        rows.append((tuple(_plain(name) for name in names), Collimator(row["manufacturer"], names[0], *sizes)))
    return rows


_COLLIMATORS = _table()


def find_collimator(name: str, manufacturer: str) -> Collimator:
    """Find a collimator by Collimator/grid Name and Manufacturer; ``maker:name`` names both.

    Raises
    ------
    MissingInformationError
        No name was recorded, or it fits no row or several; the message lists what is known.
    """
    if ":" in name:
        manufacturer, name = name.split(":", 1)
    known = ", ".join(f"{c.manufacturer}:{c.name}" for _, c in _COLLIMATORS)
    if not name.strip():
        raise MissingInformationError(
            f"The acquisition does not name its collimator; give --collimator (one of {known}) or --no-resolution."
        )
    fitting = [c for names, c in _COLLIMATORS if _plain(name) in names]
    words = set(re.findall(r"[A-Z0-9]+", manufacturer.upper().replace("GENERAL ELECTRIC", "GE").replace("GEMS", "GE")))
    same_maker = [c for c in fitting if c.manufacturer.upper() in words]
    if len(same_maker) != 1:
        raise MissingInformationError(
            f"The collimator '{name}' of the camera maker '{manufacturer or 'not recorded'}' is not in the table; "
            f"give --collimator (one of {known}) or --no-resolution."
        )
    return same_maker[0]


def effective_length_mm(collimator: Collimator, energy_kev: float) -> float:
    """Length of the holes less twice the mean free path in lead, mm (physics: septa are not black)."""
    rows = read_csv_table("lead_attenuation.csv")
    energies = np.log([float(row["energy_kev"]) for row in rows])
    coefficients = np.log([float(row["mu_per_cm"]) for row in rows])
    energy = np.log(energy_kev)
    if not energies[0] - 0.02 <= energy <= energies[-1] + 0.02:
        raise InputError(f"Lead's attenuation at {energy_kev:g} keV is not in the table (140 to 245 keV).")
    mu_per_mm = float(np.exp(np.interp(energy, energies, coefficients))) / 10.0
    return collimator.length_mm - 2.0 / mu_per_mm


def system_sigma_mm(
    collimator: Collimator,
    energy_kev: float,
    distance_mm: NDArray[np.float64],
    intrinsic_fwhm_mm: float = INTRINSIC_FWHM_MM,
) -> NDArray[np.float64]:
    """Give the standard deviation of the response at distances from the collimator's face.

    Parameters
    ----------
    collimator : Collimator
    energy_kev : float
    distance_mm : array
        From the collimator's face to the source; negative ones count as zero.
    intrinsic_fwhm_mm : float

    Returns
    -------
    array of the shape of `distance_mm`, mm

    Notes
    -----
    FWHM = sqrt(Rg^2 + Ri^2), Rg = d (Le + z + B) / Le: Anger 1964; Cherry, Sorenson and Phelps, Physics in Nuclear
    Medicine, ch. 14. Septal penetration is left out.
    """
    length = effective_length_mm(collimator, energy_kev)
    distance = np.maximum(np.asarray(distance_mm, dtype=np.float64), 0.0)
    geometric = collimator.hole_mm * (length + distance + collimator.gap_mm) / length
    return np.asarray(np.sqrt(geometric**2 + intrinsic_fwhm_mm**2) / FWHM_PER_SIGMA)
