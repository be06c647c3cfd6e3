"""What a rule is: which measurement it looks at, its threshold, and where it was published."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from typing import get_args

from leukospect.errors import ProtocolError
from leukospect.quantification.measurements import TimePoint

_TIMES = get_args(TimePoint)
_MODALITIES = ("spect", "planar anterior", "planar posterior", "planar geometric mean")


@dataclass(frozen=True, slots=True)
class Rule:
    """A named rule that turns a lesion's change into a flag.

    Parameters
    ----------
    name, title : str
    from_time, to_time : ``early``, ``delayed`` or ``late``
        The two times the rule, and its published figures, stand on.
    fallback_from_time : time or None
        Taken where `from_time` was not measured: recorded, and without the published figures.
    modalities : tuple of str
        In order of preference.
    threshold : float
        Half-width of the equivocal band of the relative change; 0.1 is 10 %. With `cut_off`, what it must exceed.
    cut_off : bool
        Negative is all that does not exceed the threshold, falling or not, uptake or none, as the rule was published.
    ratio_above : float or None
        For a rule that looks at the ratio at the later time first, and at its change second: see `decision`.
    no_uptake_margin : float
        There is no uptake where the ratio's interval ends below 1 + margin at the later time.
    marrow : bool
        For a rule that compares leukocytes with a marrow colloid, not two times: see `marrow`. `threshold` is how much
        the one must exceed the other; `from_time` is taken where `to_time` was not measured, without the figures.
    uses_size : bool
        Growth in size counts as well, as far as its uncertainty is known.
    source : str
    sensitivity, specificity, accuracy : float or None
        Published figures, per cent.
    evidence : str
        What speaks for and against the rule, for the report.
    """

    name: str
    title: str
    from_time: TimePoint
    to_time: TimePoint
    modalities: tuple[str, ...]
    threshold: float
    source: str
    evidence: str
    cut_off: bool = False
    ratio_above: float | None = None
    marrow: bool = False
    uses_size: bool = False
    no_uptake_margin: float = 0.0
    fallback_from_time: TimePoint | None = None
    sensitivity: float | None = None
    specificity: float | None = None
    accuracy: float | None = None

    def __post_init__(self) -> None:
        times = [self.from_time, self.to_time, self.fallback_from_time or "early"]
        if any(time not in _TIMES for time in times) or self.from_time == self.to_time:
            raise ProtocolError(f"Rule '{self.name}' needs two different times out of {', '.join(_TIMES)}.")
        if not self.modalities or any(modality not in _MODALITIES for modality in self.modalities):
            raise ProtocolError(f"Rule '{self.name}' needs modalities out of {', '.join(_MODALITIES)}.")
        if not 0 <= self.threshold < 1 or not 0 <= self.no_uptake_margin < 1:
            raise ProtocolError(f"Rule '{self.name}' needs a threshold and a margin from 0 to below 1.")
        if self.ratio_above is not None and (self.cut_off or self.ratio_above <= 0):
            raise ProtocolError(f"Rule '{self.name}' needs a ratio above 0 that is no cut-off of the change as well.")
        if (self.cut_off or self.ratio_above is not None) and (self.uses_size or self.no_uptake_margin):
            raise ProtocolError(f"Rule '{self.name}' is a cut-off, which knows no size and no margin.")
        if self.marrow and (self.cut_off or self.ratio_above is not None or self.uses_size):
            raise ProtocolError(f"Rule '{self.name}' compares with marrow, so it is no rule of a change or a size.")
        if not self.source.strip():
            raise ProtocolError(f"Rule '{self.name}' names no source.")

    @classmethod
    def from_table(cls, table: Mapping[str, object]) -> Rule:
        """Make a rule of a TOML table; keys are the parameters' names.

        Raises
        ------
        ProtocolError
            A key is unknown, missing or of the wrong type.
        """
        name = str(table.get("name", "without a name"))
        known = {field.name: field for field in fields(cls)}
        for key in table:
            if key not in known:
                raise ProtocolError(f"Rule '{name}' has the unknown key '{key}'.")
        for key, field in known.items():
            if field.default is MISSING and key not in table:
                raise ProtocolError(f"Rule '{name}' lacks the key '{key}'.")
        return cls(**{key: _checked(name, key, value) for key, value in table.items()})  # type: ignore[arg-type]


def _checked(rule: str, key: str, value: object) -> str | float | bool | tuple[str, ...]:
    """Refuse a value of the wrong type."""
    if key == "modalities":
        if isinstance(value, list) and all(isinstance(item, str) for item in value):
            return tuple(value)
        raise ProtocolError(f"Rule '{rule}': modalities must be a list of texts.")
    if key in ("uses_size", "cut_off", "marrow"):
        if isinstance(value, bool):
            return value
        raise ProtocolError(f"Rule '{rule}': {key} must be true or false.")
    if key in ("threshold", "ratio_above", "no_uptake_margin", "sensitivity", "specificity", "accuracy"):
        if isinstance(value, int | float) and not isinstance(value, bool):
            return float(value)
        raise ProtocolError(f"Rule '{rule}': {key} must be a number.")
    if isinstance(value, str):
        return value
    raise ProtocolError(f"Rule '{rule}': {key} must be a text.")
