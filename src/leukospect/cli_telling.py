"""What a command prints when it is done."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from leukospect.jobs import Outcome

DONE = 0


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
