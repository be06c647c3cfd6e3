"""The flag: what a rule says of each lesion and of the study."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

FlagValue = Literal["positive", "negative", "equivocal", "not assessable"]


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
        P(change > threshold); NaN where not assessable.
    reason : str
        One sentence for the report.
    """

    lesion: str
    flag: FlagValue
    modality: str
    from_time: str
    to_time: str
    probability: float
    reason: str


@dataclass(frozen=True, slots=True)
class StudyFlag:
    """The study's flag (positive if any lesion is) with the lesions' own and the rule's name and source."""

    flag: FlagValue
    lesions: tuple[LesionFlag, ...]
    rule: str
    warnings: tuple[str, ...] = ()
