"""The rules that ship with the program: one TOML each in this folder."""

from __future__ import annotations

import tomllib
from importlib.resources import files

from leukospect.errors import ProtocolError
from leukospect.interpretation.decision import apply_rule
from leukospect.interpretation.rule import Rule

__all__ = ["Rule", "apply_rule", "load_rule", "rule_names"]


def rule_names() -> tuple[str, ...]:
    """List the rules that ship with the program, in alphabetical order."""
    names = (entry.name for entry in files(__name__).iterdir())
    return tuple(sorted(name.removesuffix(".toml") for name in names if name.endswith(".toml")))


def load_rule(name: str) -> Rule:
    """Load a rule by its name.

    Raises
    ------
    ProtocolError
        There is no such rule, or its file is not valid.
    """
    if name not in rule_names():
        raise ProtocolError(f"There is no rule '{name}'; known are {', '.join(rule_names())}.")
    text = (files(__name__) / f"{name}.toml").read_text(encoding="utf-8")
    try:
        return Rule.from_table(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise ProtocolError(f"The file of rule '{name}' is not valid TOML: {error}.") from error
