"""Indices of systemic inflammation from a blood count."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Float64 = NDArray[np.float64]
INDEX_UNITS = {"NLR": "", "PLR": "", "SII": "10^9/L"}


def blood_indices(neutrophils: Float64, lymphocytes: Float64, platelets: Float64) -> dict[str, Float64]:
    """Give the indices of every patient.

    Parameters
    ----------
    neutrophils, lymphocytes, platelets : (patients,) arrays, 10^9/L
        Lymphocytes above 0.

    Returns
    -------
    dict
        NLR = N/L, PLR = P/L, and SII = P N/L in 10^9/L.
    """
    return {
        "NLR": neutrophils / lymphocytes,
        "PLR": platelets / lymphocytes,
        "SII": platelets * neutrophils / lymphocytes,
    }
