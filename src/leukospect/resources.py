"""Where the protocols and phantoms that ship with the program are, in an installed package and in a checkout."""

from __future__ import annotations

from pathlib import Path

from leukospect.errors import InputError

_PACKAGE = Path(__file__).resolve().parent


def _folder(installed: str, checkout: str) -> Path:
    inside = _PACKAGE / installed
    return inside if inside.is_dir() else _PACKAGE.parents[1] / checkout


def shipped(kind: str) -> dict[str, Path]:
    """List the TOML files that ship with the program.

    Parameters
    ----------
    kind : ``pipelines`` or ``phantoms``

    Returns
    -------
    dict
        Name without its suffix to path, in alphabetical order.

    Raises
    ------
    InputError
        The installation is incomplete.
    """
    folder = _folder("_pipelines", "pipelines") if kind == "pipelines" else _folder("_phantoms", "data/phantoms")
    files = {path.stem: path for path in sorted(folder.glob("*.toml"))}
    if not files:
        raise InputError(f"The {kind} that ship with leukospect are missing; reinstall the package.")
    return files
