"""The flag: what a rule says of each lesion and of the study."""

from __future__ import annotations

from dataclasses import dataclass
from math import nan
from typing import Literal

FlagValue = Literal["positive", "negative", "equivocal", "not assessable"]
OtherMap = Literal["as scanned", "none"]
"""What attenuation is corrected with instead: the CT as scanned, its metal artefacts not reduced, or nothing at all."""


@dataclass(frozen=True, slots=True)
class FlagWithMap:
    """What the same rule says where another attenuation map, or none, corrects the uptake."""

    attenuation_map: OtherMap
    flag: FlagValue
    probability: float = nan
    reason: str = ""


@dataclass(frozen=True, slots=True)
class LesionFlag:
    """What the rule says of one lesion.

    Parameters
    ----------
    lesion : str
    flag : FlagValue
    modality, from_time, to_time : str
        The measurement it rests on; empty where not assessable.
    probability : float
        P(change > threshold), or P(ratio > what the rule asks for) where it looks at the ratio first; NaN where not
        assessable.
    reason : str
        One sentence for the report.
    finding : str
        What the rule calls it, where it tells kinds of infection apart; else empty.
    with_other_maps : tuple of FlagWithMap
        The flag with other attenuation maps; empty where none was tried, as without metal in the CT.
    dependence : str
        A sentence that tells with which maps the flag is another; empty where it is with none.
    """

    lesion: str
    flag: FlagValue
    modality: str
    from_time: str
    to_time: str
    probability: float
    reason: str
    with_other_maps: tuple[FlagWithMap, ...] = ()
    dependence: str = ""
    finding: str = ""


@dataclass(frozen=True, slots=True)
class StudyFlag:
    """The study's flag (positive if any lesion is) with the lesions' own and the rule's name and source.

    `with_other_maps` and `dependence` are of the study's flag what they are of a lesion's.
    """

    flag: FlagValue
    lesions: tuple[LesionFlag, ...]
    rule: str
    warnings: tuple[str, ...] = ()
    with_other_maps: tuple[FlagWithMap, ...] = ()
    dependence: str = ""
