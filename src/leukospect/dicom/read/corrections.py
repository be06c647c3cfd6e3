"""What was corrected in a volume that somebody else reconstructed, and for how long it counted."""

from __future__ import annotations

import re

from pydicom.dataset import Dataset

from leukospect.data import DecayReference
from leukospect.dicom.elements import items, named, number, text, texts

# Words of a series' description, as cameras and readers write them. A slash or an underscore parts words as well.
_CORRECTED = {"ac", "attc", "attcorr", "ctac", "acsc", "acrr", "acscrr", "irac", "iracsc", "iracrr", "iracscrr"}
_UNCORRECTED = {"nac", "noac", "nonac", "woac", "irnc", "irnac", "uncorrected"}
_NEGATIONS = {"no", "non", "not", "without", "wo", "ohne", "sin", "sans"}
_MAPS = {"map", "mumap", "umap", "acmap"}  # what is corrected with, not what is corrected
_MOST_HEADS = 3


def attenuation_corrected(dataset: Dataset, assumptions: list[str]) -> bool | None:
    """Tell whether attenuation was corrected; None where that is not recorded or contradicts itself.

    Corrected Image names the corrections by the standard, and PET has an Attenuation Correction Method beside it; many
    cameras say it in the series' description or the image's ID only.
    """
    recorded = {value.upper() for value in texts(dataset, "CorrectedImage")}
    method = text(dataset, "AttenuationCorrectionMethod").upper()
    named_so = _said_in_words(f"{text(dataset, 'SeriesDescription')} {text(dataset, 'ImageID')}")
    if "ATTN" in recorded or method not in ("", "NONE"):
        if named_so is False:
            assumptions.append(
                f"{named('CorrectedImage')} has attenuation corrected, but the series is described as not; which holds "
                "is not known."
            )
            return None
        return True
    if named_so is not None:
        if recorded and named_so:
            assumptions.append(
                f"{named('CorrectedImage')} does not name attenuation, but the series is described as corrected for "
                "it, which is taken."
            )
        return named_so
    return False if recorded or method == "NONE" else None


def _said_in_words(description: str) -> bool | None:
    words = re.split(r"[^a-z0-9]+", description.lower().replace("w/o", "without"))
    if _MAPS & set(words):
        return None
    found = set()
    for before, word, after in zip(["", *words], words, [*words[1:], ""], strict=False):
        corrected = word in _CORRECTED or (word.startswith("atten") and (after.startswith("corr") or "corr" in word))
        if word in _UNCORRECTED or (corrected and before in _NEGATIONS):
            found.add(False)
        elif corrected:
            found.add(True)
    return found.pop() if len(found) == 1 else None


def decay_reference(dataset: Dataset, assumptions: list[str]) -> DecayReference:
    """Tell what the values are decay-corrected to: Decay Correction of PET, else DECY in Corrected Image."""
    recorded = {value.upper() for value in texts(dataset, "CorrectedImage")}
    method = text(dataset, "DecayCorrection").upper()
    if method == "NONE" and "DECY" in recorded:
        assumptions.append(
            f"{named('DecayCorrection')} and {named('CorrectedImage')} contradict each other; whether decay during the "
            "acquisition is corrected is not known."
        )
        return "unknown"
    if method in ("START", "ADMIN"):
        return "start" if method == "START" else "injection"
    if "DECY" in recorded:
        return "start"
    return "none" if recorded or method == "NONE" else "unknown"


def counting_time_s(dataset: Dataset, assumptions: list[str]) -> float | None:
    """Give for how long a reconstructed SPECT counted: views of a head times their duration, over all rotations."""
    total = 0.0
    for rotation in items(dataset, "RotationInformationSequence"):
        views, duration = number(rotation, "NumberOfFramesInRotation"), number(rotation, "ActualFrameDuration")
        if not views or not duration or views < 0 or duration < 0:
            return None
        if not _fills_the_arc(rotation, views):
            assumptions.append(
                f"{views:g} views do not fill the arc that the rotation records, so for how long the volume counted is "
                "not known."
            )
            return None
        total += views * duration / 1000.0
    return total or None


def _fills_the_arc(rotation: Dataset, views: float) -> bool:
    """Tell whether the views of one head, or of all heads together, go with the arc; true where it is not recorded."""
    arc, step = number(rotation, "ScanArc"), number(rotation, "AngularStep")
    if not arc or not step:
        return True
    turned = [views * heads * abs(step) for heads in range(1, _MOST_HEADS + 1)]
    return any(abs(one - abs(arc)) <= 1.5 * abs(step) for one in turned)
