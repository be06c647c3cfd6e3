"""Files and folders that appear whole or not at all: written beside, flushed to disk, then renamed."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from leukospect.errors import InputError


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Give a path beside `path` to write to; it takes its place when the block ends without an error.

    Parameters
    ----------
    path : Path
        Where the file shall appear; its folder is made if missing. The path given keeps its suffixes.
    """
    made = _make_parents(path.absolute())
    folder = Path(tempfile.mkdtemp(prefix=".partial-", dir=path.parent))
    try:
        partial = folder / path.name
        yield partial
        with partial.open("rb") as stream:
            os.fsync(stream.fileno())
        partial.replace(path)
        made = []
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        for parent in made:
            parent.rmdir()


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """Give an empty folder beside `path` to fill; its contents become `path` when the block ends without an error.

    What an earlier run left in `path` is replaced as a whole; a folder that holds anything a run did not write is
    refused (a run's folder is known by its provenance.json). `path` itself may be a link, a mount or the current
    folder: it is filled, not replaced. Folders made on the way to it are taken away again when the block fails.

    Raises
    ------
    InputError
        `path` is a file, or a folder with other contents.
    """
    target = path.resolve()
    if target.exists() and not (target.is_dir() and _is_ours(target)):
        raise InputError(f"The output folder '{path}' holds other files; choose an empty or a new folder with -o.")
    made = _make_parents(target)
    # A folder that is there may be a mount, which only takes renames from inside.
    partial = Path(tempfile.mkdtemp(prefix=".partial-", dir=target if target.is_dir() else target.parent))
    partial.chmod(0o755)
    try:
        yield partial
        if target.is_dir():
            _replace_contents(target, partial)
        else:
            partial.rename(target)
        made = []
    finally:
        shutil.rmtree(partial, ignore_errors=True)
        for folder in made:
            folder.rmdir()


def _is_ours(folder: Path) -> bool:
    """Tell whether a folder is empty, a run's, or holds only what an interrupted run left."""
    names = [entry.name for entry in folder.iterdir()]
    return "provenance.json" in names or all(name.startswith((".partial-", ".replaced-")) for name in names)


def _make_parents(target: Path) -> list[Path]:
    """Make the folders above `target`; return the new ones, the deepest first."""
    missing = [folder for folder in target.parents if not folder.exists()]
    for folder in reversed(missing):
        folder.mkdir()
    return missing


def _replace_contents(target: Path, partial: Path) -> None:
    """Put what is in `partial` in the place of what else is in `target`; the old goes only when the new is there."""
    old = Path(tempfile.mkdtemp(prefix=".replaced-", dir=target))
    for entry in list(target.iterdir()):
        if entry not in (partial, old):
            entry.rename(old / entry.name)
    for entry in list(partial.iterdir()):
        entry.rename(target / entry.name)
    shutil.rmtree(old)
