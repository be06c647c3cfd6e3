"""By whom a CT's metal artefacts were reduced before it came here, in words."""

from __future__ import annotations

THIS_PROGRAM = "leukospect"
"""The name of a metal reduction that was done by this program; any other is a scanner's."""


def by_whom(reduction: str) -> str:
    """Name who did a metal reduction, such as ``iMAR``."""
    return "by this program before" if reduction == THIS_PROGRAM else f"by the scanner ({reduction})"


def done_already(reduction: str, ct: str) -> str:
    """Say, as a clause, that the metal artefacts of a CT, such as ``this CT``, were reduced already.

    Parameters
    ----------
    reduction : str
        Its name, such as ``iMAR``, or `THIS_PROGRAM`.
    ct : str
    """
    if reduction == THIS_PROGRAM:
        return f"This program, {THIS_PROGRAM}, has reduced metal artefacts in {ct} already"
    return f"The scanner has reduced metal artefacts in {ct} already ({reduction})"
