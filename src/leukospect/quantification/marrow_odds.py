"""How much more like a lesion than like marrow uptake in bone looks: a discriminant of the signs that part the two.

Marrow keeps to the bone, is nowhere much hotter than marrow elsewhere in the same patient, and keeps its contrast to
what is round it from one image to the next. The weights are a logistic regression (ridge 3 on standardised signs) over
regions in bone found in 157 simulated studies of hips, femora and spines with implants: 922 of marrow, and 126 of
lesions of 2 cm and more at a contrast of 3 and more. That is digital truth, and the only source they have.
"""

from __future__ import annotations

import math

from leukospect.quantification.physiological_signs import Signs

_AT_NOUGHT = 11.24
_OF_HOTTEST, _OF_CONTRAST, _OF_RISE = 5.24, 3.06, 6.50
"""Weights of natural logarithms."""
_OF_BONE, _OF_TRUNK = -16.28, -2.67
_ERROR_TAKEN_OFF, _LARGEST_ERROR = 0.5, 0.5


def lesion_log_odds(signs: Signs) -> float:
    """Return the logarithm of the odds that uptake in bone is a lesion rather than marrow.

    Parameters
    ----------
    signs : Signs
        Of a region at least half in bone.

    Returns
    -------
    float
        NaN where the level of marrow, or how much of the region lies in bone, is not known. In the studies that it
        rests on one region in eight was a lesion.
    """
    if not (signs.marrow_level > 0 and signs.hottest_level > 0 and signs.contrast > 0):
        return math.nan
    return (
        _AT_NOUGHT
        + _OF_HOTTEST * math.log(signs.hottest_level / signs.marrow_level)
        + _OF_CONTRAST * math.log(signs.contrast)
        + _OF_RISE * _rise(signs)
        + _OF_BONE * signs.in_bone
        + _OF_TRUNK * float(signs.in_trunk)
    )


def _rise(signs: Signs) -> float:
    """Return how much more it stands out than it did, half of what noise may make of that taken off; 0 if unknown."""
    factor, error = signs.standing_out.factor, min(signs.standing_out.relative_error, _LARGEST_ERROR)
    return max(math.log(factor) - _ERROR_TAKEN_OFF * error, 0.0) if factor > 0 else 0.0
