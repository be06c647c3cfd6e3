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


_FILLERS = frozenset({"PAR", "PARA", "PARALLEL", "HOLE", "HOLES", "COLL", "COLLIMATOR", "INFINIA", "SYMBIA", "ECAM"})


@dataclass(frozen=True, slots=True)
class _Row:
    """A row of the table: the names it goes by, and the camera models it is for where the name alone does not tell."""

    names: frozenset[str]
    models: frozenset[str]
    collimator: Collimator


def _words(text: str) -> list[str]:
    return re.findall(r"[A-Z0-9]+", text.upper())


def _table() -> list[_Row]:
    rows = []
    for row in read_csv_table("collimators.csv"):
        names = row["names"].split("|")
        sizes = (float(row[key]) for key in ("hole_mm", "septum_mm", "length_mm", "gap_mm"))
        rows.append(
            _Row(
                frozenset("".join(_words(name)) for name in names),
                frozenset(_words(row["models"])),
                Collimator(row["manufacturer"], names[0], *sizes),
            )
        )
    return rows


_COLLIMATORS = _table()
_MAKERS = frozenset(row.collimator.manufacturer.upper() for row in _COLLIMATORS)
KNOWN_COLLIMATORS = tuple(dict.fromkeys(f"{row.collimator.manufacturer}:{row.collimator.name}" for row in _COLLIMATORS))
"""Names of all collimators of the table, as ``maker:name``."""


def find_collimator(name: str, manufacturer: str, model: str = "") -> Collimator:
    """Find a collimator by Collimator/grid Name, Manufacturer and Manufacturer's Model Name.

    Parameters
    ----------
    name : str
        ``maker:name``, or ``maker:name:model``, names all of them.
    manufacturer, model : str
        As recorded; a maker in the name stands in for one that is not.

    Raises
    ------
    MissingInformationError
        No name was recorded, or it fits no row or several; the message lists what is known.
    """
    if ":" in name:
        manufacturer, name, model = (*name.split(":", 2), "")[:3]
    known = ", ".join(KNOWN_COLLIMATORS)
    if not name.strip():
        raise MissingInformationError(
            f"The acquisition does not name its collimator; give --collimator (one of {known}) or --no-resolution."
        )
    makers = set(_words(manufacturer.upper().replace("GENERAL ELECTRIC", "GE").replace("GEMS", "GE"))) & _MAKERS
    makers = makers or set(_words(name)) & _MAKERS
    # A code such as SY LEHR begins with letters of its own: only whole words are left out.
    bare = [word for word in _words(name) if word not in _FILLERS | _MAKERS]
    spelt = "".join(bare).removesuffix("PAR")
    fitting = [row for row in _COLLIMATORS if row.collimator.manufacturer.upper() in makers and spelt in row.names]
    models = set(_words(model))
    own = [row for row in fitting if row.models & models] or [row for row in fitting if not row.models]
    if len(own) != 1:
        raise MissingInformationError(
            f"The collimator '{name}' of the camera maker '{manufacturer or 'not recorded'}' is not in the table; "
            f"give --collimator (one of {known}) or --no-resolution."
        )
    return own[0].collimator


def septal_penetration(collimator: Collimator, energy_kev: float) -> float:
    """Tell what part of the photons passes one septum on the shortest way from hole to hole, exp(-mu w).

    Notes
    -----
    w = length x septum / (2 hole + septum): Anger 1964; Cherry, Sorenson and Phelps, Physics in Nuclear Medicine, ch.
    14, where up to 5 % is taken as acceptable. The response leaves it out.
    """
    path_mm = collimator.length_mm * collimator.septum_mm / (2.0 * collimator.hole_mm + collimator.septum_mm)
    return float(np.exp(-_lead_per_mm(energy_kev) * path_mm))


def effective_length_mm(collimator: Collimator, energy_kev: float) -> float:
    """Length of the holes less twice the mean free path in lead, mm (physics: septa are not black)."""
    return collimator.length_mm - 2.0 / _lead_per_mm(energy_kev)


def _lead_per_mm(energy_kev: float) -> float:
    rows = read_csv_table("lead_attenuation.csv")
    energies = np.log([float(row["energy_kev"]) for row in rows])
    coefficients = np.log([float(row["mu_per_cm"]) for row in rows])
    energy = np.log(energy_kev)
    if not energies[0] - 0.02 <= energy <= energies[-1] + 0.02:
        raise InputError(f"Lead's attenuation at {energy_kev:g} keV is not in the table (140 to 245 keV).")
    return float(np.exp(np.interp(energy, energies, coefficients))) / 10.0


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
