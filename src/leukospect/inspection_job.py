"""Looking at an input, apart from the jobs that compute: it loads none of what they need, and so begins at once."""

from __future__ import annotations

from pathlib import Path

from leukospect.data import Study
from leukospect.errors import InputError
from leukospect.files.interfile import read_interfile
from leukospect.study_input import read_any_study


def inspect_path(path: Path) -> Study:
    """Read what is in a file, a folder, a zip archive or a DICOMDIR, for `leukospect inspect`.

    Raises
    ------
    InputError
        Nothing is there, or nothing that can be read.
    """
    if not path.exists():
        raise InputError("There is nothing at the path given; check it.")
    if path.is_file() and path.suffix.lower() in (".hs", ".h00"):
        return Study((read_interfile(path),))
    return read_any_study(path, to_measure=False)
