"""Units of cell counts, as laboratories write them, and their factors to 10^9/L."""

from __future__ import annotations

import re

_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789")
_LITRES = {
    "l": 1.0,
    "dl": 1e-1,
    "ml": 1e-3,
    "ul": 1e-6,
    "mcl": 1e-6,
    "mm3": 1e-6,
    "mm^3": 1e-6,
    "cmm": 1e-6,
    "nl": 1e-9,
}
_MULTIPLES = {"": 1.0, "g": 1e9, "giga": 1e9, "k": 1e3, "thou": 1e3, "tsd": 1e3}
PER_CENT = "%"
KNOWN = "10^9/L, G/L, 10^3/uL, K/uL, /uL, cells/mm3"


def factor_to_10e9_per_litre(unit: str) -> float | None:
    """Give what a count in a unit is multiplied by to be in 10^9/L; None where the unit is not understood.

    ``10^9/L``, ``x10⁹/L``, ``10e9/L``, ``G/L``, ``10^3/µL``, ``K/uL``, ``cells/mm3``, ``/uL``, ``10^6/L`` and the like.
    """
    text = unit.strip().replace("µ", "u").replace("μ", "u").casefold().translate(_SUPERSCRIPTS)
    text = re.sub(r"\s|\bcells?\b|·|\.$", "", text).replace("per", "/").removeprefix("x").removeprefix("×")
    text = text.removeprefix("*")
    multiple, slash, volume = text.rpartition("/")
    multiple = re.sub(r"^1x10", "10", multiple)
    if not slash or volume not in _LITRES:
        return None
    cells = _MULTIPLES.get(multiple) if multiple != "1" else 1.0
    if cells is None:
        power = re.fullmatch(r"10(?:\^|\*\*|\*|e)?([0-9]{1,2})", multiple) or re.fullmatch(r"1e([0-9]{1,2})", multiple)
        if power is None:
            return None
        cells = 10.0 ** int(power.group(1))
    # a quotient of two powers of ten, so that 10^9/L is exactly 1
    return float(f"{cells / _LITRES[volume] / 1e9:.3g}")


def is_per_cent(unit: str) -> bool:
    """Tell whether a unit is a share of the leukocytes instead of a count."""
    return unit.strip().casefold() in (PER_CENT, "percent", "per cent", "pct")
