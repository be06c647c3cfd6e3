"""SPECT that a camera's own software reconstructed, brought to what the later stages expect: a rate, its decay, a unit.

Nothing is resampled and no voxel changes but by one factor for all of them, where counts become counts per second.
"""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np

from leukospect.data import Image, ReconstructedSeries
from leukospect.errors import AssumptionWarning, InputError
from leukospect.orientation import upright
from leukospect.physics.decay import decay_factor, frame_start_factor
from leukospect.physics.nuclides import Nuclide

ABSOLUTE_UNITS = ("Bq/mL", "g/mL", "counts/s/mL", "counts/s")
"""Units in which values at two times can be compared; others allow ratios within one image only."""

MAP_UNITS = ("1/cm", "HU")
"""Units of attenuation maps and CT that some cameras store as RECON TOMO beside the emission image."""


def taken_image(series: ReconstructedSeries, when: str) -> Image:
    """Take a vendor's volume as the image to measure: upright, in a rate where the counting time is known.

    Parameters
    ----------
    series : ReconstructedSeries
    when : str
        Names it in warnings, such as ``at 4.0 h``.

    Returns
    -------
    Image
        Its unit is one of `ABSOLUTE_UNITS`, or tells that values are known up to a factor only.

    Raises
    ------
    InputError
        It holds values that are not finite, or no uptake.
    """
    image = upright(series.image)
    values = np.asarray(image.array, dtype=np.float32)
    if not np.all(np.isfinite(values)) or not np.any(values > 0):
        raise InputError(f"The reconstructed SPECT {when} holds no uptake or values that are not finite.")
    unit = image.unit
    if unit == "counts" and series.counting_time_s:
        values, unit = values / np.float32(series.counting_time_s), "counts/s"
        _say(f"The SPECT {when} is in counts; divided by the {series.counting_time_s:g} s that it counted.")
    elif not unit:
        unit = "arbitrary"
        _say(f"The SPECT {when} does not record its unit; only ratios within it are known.")
    elif unit == "counts":
        _say(f"The SPECT {when} is in counts, for how long is not recorded; only ratios within it are known.")
    return replace(image, array=values, unit=unit)


def decay_to_injection(
    series: ReconstructedSeries, nuclide: Nuclide | None, hours: float | None, when: str
) -> float | None:
    """Give the factor that takes a vendor's values to the injection.

    Values that were corrected to the start of the acquisition are taken from there; to the injection, not again. Those
    that were not are the mean over the acquisition, which goes to its start by lambda T / (1 - exp(-lambda T)) where
    its length T is known. Standardised uptake (g/mL) is relative to the activity that is left, and has no decay.

    Parameters
    ----------
    series : ReconstructedSeries
    nuclide : Nuclide or None
    hours : float or None
        From the injection to the start of the acquisition.
    when : str
        Names it in warnings.

    Returns
    -------
    float or None
        None where the nuclide or the time is not known.
    """
    if series.image.unit == "g/mL" or series.decay_reference == "injection":
        return 1.0
    if nuclide is None or hours is None:
        return None
    factor = 1.0 / decay_factor(nuclide.half_life_s, hours * 3600.0)
    if series.decay_reference == "unknown":
        _say(
            f"The SPECT {when} does not record whether decay during the acquisition is corrected; its values are taken "
            "as those at its start."
        )
    elif series.decay_reference == "none" and series.counting_time_s:
        to_start = frame_start_factor(nuclide.half_life_s, series.counting_time_s)
        factor *= to_start
        _say(
            f"The SPECT {when} is not corrected for decay during its {series.counting_time_s:g} s: its rates are taken "
            f"to its start by a factor of {to_start:.4f}, its images are left as they are."
        )
    elif series.decay_reference == "none":
        _say(
            f"The SPECT {when} is not corrected for decay during the acquisition, and for how long it counted is not "
            "known: its mean values are taken as those at its start."
        )
    return factor


def values_refer_to(series: ReconstructedSeries) -> str:
    """Say in words to what moment the values of a vendor's volume belong."""
    return {
        "start": "the start of the acquisition",
        "injection": "the injection",
        "none": "the mean over the acquisition",
        "unknown": "a moment of the acquisition that is not recorded",
    }[series.decay_reference]


def _say(text: str) -> None:
    warnings.warn(text, AssumptionWarning, stacklevel=3)
