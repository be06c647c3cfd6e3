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
    path.parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=".partial-", dir=path.parent))
    try:
        partial = folder / path.name
        yield partial
        with partial.open("rb") as stream:
            os.fsync(stream.fileno())
        partial.replace(path)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """Give an empty folder beside `path` to fill; it becomes `path` when the block ends without an error.

    What an earlier run left in `path` is replaced as a whole; a folder that holds anything a run did not write is
    refused (a run's folder is known by its provenance.json).

    Raises
    ------
    InputError
        `path` is a file, or a folder with other contents.
    """
    if path.exists() and (not path.is_dir() or (any(path.iterdir()) and not (path / "provenance.json").is_file())):
        raise InputError(f"The output folder '{path}' holds other files; choose an empty or a new folder with -o.")
    parent = path.absolute().parent
    parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=".partial-", dir=parent))
    partial.chmod(0o755)
    try:
        yield partial
        if path.exists():
            shutil.rmtree(path)
        partial.rename(path)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
