"""Where a focus lies, in words that say no more than is known."""

from __future__ import annotations

import math

from leukospect.quantification.measurements import Location, Tissue

_WORDS: dict[Tissue, str] = {
    "implant": "at the implant",
    "bone": "in bone",
    "soft tissue": "in soft tissue",
    "skin": "at the skin",
}
_OR: dict[Tissue, str] = {
    "implant": "at the implant",
    "bone": "bone",
    "soft tissue": "soft tissue",
    "skin": "skin",
}
_AXES = ("from side to side", "from front to back", "along the body")
_ALONG = 0.85


def location_in_words(location: Location) -> str:
    """Say in a sentence where a focus lies.

    Parameters
    ----------
    location : Location
        Its `sentence` does not matter.
    """
    start = _WORDS[location.tissue]
    if location.elongated:
        start = f"elongated, {location.length_mm:.0f} mm {_runs(location.direction)}, {start}"
        start += ", reaching the skin" if location.reaches_skin else ", not seen to reach the skin"
    side = "on the midline" if location.side == "midline" else location.side
    words = [f"{start[:1].upper()}{start[1:]}, {side}"]
    if location.or_beside:
        others = " or ".join(_OR[one] for one in location.or_beside)
        words[0] += f" (or {others} beside it: SPECT tells places apart by about {location.uncertainty_mm:.0f} mm)"
    words += [text for text in (_distances(location), location.level) if text]
    return "; ".join(words) + "."


def _runs(direction: tuple[float, float, float]) -> str:
    largest = max(range(3), key=lambda axis: abs(direction[axis]))
    return _AXES[largest] if abs(direction[largest]) >= _ALONG else "obliquely"


def _distances(location: Location) -> str:
    named = (
        (location.hottest_to_metal_mm, "from metal"),
        (location.hottest_to_bone_mm, "from bone"),
        (location.hottest_to_skin_mm, "under the skin"),
    )
    known = [f"{distance:.0f} mm {words}" for distance, words in named if math.isfinite(distance)]
    return f"hottest {', '.join(known)}" if known else ""


def level_in_words(reach_mm: tuple[float, float], what: str) -> str:
    """Say how far along the body a place is from the nearer end of something.

    Parameters
    ----------
    reach_mm : (below, above)
        How far it reaches below and above the place; negative where it ends before, NaN for an end that is not seen.
    what : str
        ``metal`` or ``bone``.

    Returns
    -------
    str
        Empty where no end is seen.
    """
    named = (("lower", reach_mm[0], ("above", "below")), ("upper", reach_mm[1], ("below", "above")))
    seen = [(abs(reach), reach, end, words) for end, reach, words in named if math.isfinite(reach)]
    if not seen:
        return ""
    distance, reach, end, (within, beyond) = min(seen)
    if distance < 1.0:
        return f"at the {end} end of the {what}"
    return f"{distance:.0f} mm {within if reach > 0 else beyond} the {end} end of the {what}"
