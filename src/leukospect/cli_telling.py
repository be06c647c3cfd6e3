"""What a command prints when it is done."""

from __future__ import annotations

import argparse
import errno
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from leukospect.jobs import Outcome

DONE = 0
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_CUT_SHORT = re.compile(r"requested and \d+ written")  # numpy's, without a number of the error


def tell(outcome: Outcome, options: argparse.Namespace) -> None:
    """Print what came out: warnings to standard error, the flag and where the report is to standard output."""
    if options.quiet:
        return
    tell_notes(outcome.warnings, options)
    if outcome.flag is not None:
        print(f"Flag: {outcome.flag.flag} (rule {outcome.flag.rule}; a research tool, no diagnosis)")
        places = {place.region: place for place in outcome.locations}
        for lesion in outcome.flag.lesions:
            place = f" At: {places[lesion.lesion].tissue}." if lesion.lesion in places else ""
            print(f"  {lesion.lesion}: {lesion.flag}. {lesion.reason}{place}")
    print(f"Report: {outcome.output / 'report.html'}")


def tell_notes(notes: Sequence[str], options: argparse.Namespace) -> None:
    """Print warnings and assumptions to standard error."""
    if not options.quiet:
        for text in notes:
            print(f"note: {text}", file=sys.stderr)


def why_no_file(error: OSError, options: argparse.Namespace) -> str:
    """Say why a file could not be read or written; not its path, which may hold a patient's name."""
    while error.errno is None and isinstance(error.__cause__, OSError):  # the DICOM library says what it was writing
        error = error.__cause__
    if error.errno in _FULL or _CUT_SHORT.search(str(error)):
        return "There is no space left for the results, or a limit of sizes is reached; choose another place with -o."
    why = error.strerror or type(error).__name__
    output = getattr(options, "output", None)
    if error.filename and output is not None and _lies_in(Path(os.fsdecode(error.filename)), output):
        return f"The output folder (-o) could not be written ({why}); choose another with -o."
    return f"A file or folder could not be read or written ({why}); check the paths given and -o."


def _lies_in(path: Path, output: Path) -> bool:
    """Tell whether a path is the output folder, is in it, or is one beside it that is to become it."""
    place, target = path.absolute(), output.absolute()
    beside = any(part.startswith(".partial-") for part in place.parts)
    return beside or place.is_relative_to(target) or target.is_relative_to(place)
