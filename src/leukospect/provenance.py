"""What a result came from: versions, settings, hashes of the input, every assumption."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Iterable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from leukospect import __version__
from leukospect.whole_files import whole_file

_PACKAGES = ("numpy", "scipy", "numba", "pydicom", "SimpleITK", "nibabel", "scikit-image")


def digest_of(settings: Mapping[str, Any]) -> str:
    """Give the SHA-256 of settings, independent of their order."""
    return hashlib.sha256(json.dumps(settings, sort_keys=True, default=str).encode()).hexdigest()


def hash_files(files: Iterable[Path]) -> dict[str, str]:
    """Give the SHA-256 of each file's content; files are numbered, since their names can hold a patient's."""
    hashes = sorted(_hash(path) for path in set(files))
    return {f"input {number + 1}": value for number, value in enumerate(hashes)}


def _hash(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def provenance_document(
    settings: Mapping[str, Any], inputs: Iterable[Path], warnings: Iterable[str], notes: Mapping[str, Any]
) -> dict[str, Any]:
    """Gather what provenance.json holds.

    Parameters
    ----------
    settings : mapping
        The whole protocol, or the options of the command.
    inputs : paths of the files that were read
    warnings : every assumption and warning
    notes : what else the stages recorded, such as the registration's reason
    """
    return {
        "schema_version": "1.0",
        "software": {"name": "leukospect", "version": __version__},
        "python": platform.python_version(),
        "packages": {name: version(name) for name in _PACKAGES},
        "settings": dict(settings),
        "settings_digest": digest_of(settings),
        "inputs_sha256": hash_files(inputs),
        "warnings": list(warnings),
        "notes": dict(notes),
    }


def write_provenance(document: Mapping[str, Any], path: Path) -> None:
    """Write provenance.json."""
    with whole_file(path) as partial:
        partial.write_text(json.dumps(document, indent=2, sort_keys=True, default=str) + "\n", encoding="utf-8")
