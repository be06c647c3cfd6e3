"""Files and folders that appear whole or not at all: written beside, flushed to disk, then renamed."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from leukospect.errors import InputError

_OF_THE_DESKTOP = (".DS_Store", "Thumbs.db", "desktop.ini")  # put into every folder that somebody opens
PROVENANCE = "provenance.json"


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
def whole_folder(path: Path, *, command: str = "", inputs: Iterable[Path | None] = ()) -> Iterator[Path]:
    """Give an empty folder beside `path` to fill; its contents become `path` when the block ends without an error.

    What the same command left in `path` before is replaced as a whole. A folder that holds anything else is refused:
    the provenance.json that the block writes gets the command and the list of all files. `path` itself may be a link, a
    mount or the current folder: it is filled, not replaced. Folders made on the way to it are taken away again when the
    block fails.

    Parameters
    ----------
    path : Path
    command : str
        Whose results these are.
    inputs : iterable of Path or None
        What is read to make them; must not lie in `path`, nor `path` in a folder among them.

    Raises
    ------
    InputError
        `path` is a file, a folder with other contents, holds an input or lies in one.
    """
    target = path.resolve()
    _refuse_among_inputs(target, [source.resolve() for source in inputs if source is not None])
    if any(one.exists() and not one.is_dir() for one in (target, *target.parents)):
        raise InputError("The output folder (-o) names a file, or lies below one; choose an empty or a new folder.")
    if target.exists() and not _is_ours(target, command):
        raise InputError("The output folder (-o) holds other files; choose an empty or a new folder with -o.")
    made = _make_parents(target)
    # A folder that is there may be a mount, which only takes renames from inside.
    partial = Path(tempfile.mkdtemp(prefix=".partial-", dir=target if target.is_dir() else target.parent))
    partial.chmod(0o755)
    try:
        yield partial
        _record_contents(partial, command)
        if target.is_dir():
            _replace_contents(target, partial)
        else:
            partial.rename(target)
        made = []
    finally:
        shutil.rmtree(partial, ignore_errors=True)
        for folder in made:
            folder.rmdir()


def _refuse_among_inputs(target: Path, sources: Iterable[Path]) -> None:
    for source in sources:
        if source.is_relative_to(target):
            raise InputError("The output folder (-o) holds the input, which would be replaced; choose another with -o.")
        if source.is_dir() and target.is_relative_to(source):
            raise InputError(
                "The output folder (-o) lies in the input folder, which is only read; choose one beside it with -o."
            )


def _is_ours(folder: Path, command: str) -> bool:
    """Tell whether a folder holds nothing but what the command wrote or an interrupted run left."""
    left = [entry for entry in folder.iterdir() if not entry.name.startswith((".partial-", ".replaced-"))]
    return not left or _files_below(folder, left) <= recorded_contents(folder, command)


def _files_below(folder: Path, entries: Iterable[Path]) -> set[str]:
    below = (path for entry in entries for path in (entry.rglob("*") if entry.is_dir() else [entry]))
    files = (path for path in below if not path.is_dir() and path.name not in _OF_THE_DESKTOP)
    return {path.relative_to(folder).as_posix() for path in files}


def _record_contents(folder: Path, command: str) -> None:
    """Write into provenance.json which files lie in the folder, and whose they are."""
    record = folder / PROVENANCE
    if record.is_file():
        document = json.loads(record.read_text(encoding="utf-8"))
        document["command"] = command
        document["outputs"] = sorted(_files_below(folder, folder.iterdir()))
        record.write_text(json.dumps(document, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def recorded_contents(folder: Path, command: str | None = None) -> frozenset[str]:
    """Give the files that a command (None: any) wrote into a folder, as relative paths; none if unrecorded."""
    try:
        document = json.loads((folder / PROVENANCE).read_text(encoding="utf-8"))
        if command is not None and document["command"] != command:
            return frozenset()
        return frozenset(str(name) for name in document["outputs"])
    except (OSError, ValueError, KeyError, TypeError):
        return frozenset()


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
