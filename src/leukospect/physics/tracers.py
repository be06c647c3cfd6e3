"""What a radiopharmaceutical is, by its name: labelled leukocytes, a colloid that marrow takes up, or another one."""

from __future__ import annotations

import re

from leukospect.data import Tracer

_PATTERNS: dict[Tracer, re.Pattern[str]] = {
    "leukocytes": re.compile(
        r"leu[ck]o|\bwbc|white.{0,7}cell|granulocyt|neutrophil|hm.?pao|exametazime|oxine|oxyquinoline|tropolon",
        re.IGNORECASE,
    ),
    "colloid": re.compile(r"colloid|nanocol|phytate|\bmarrow", re.IGNORECASE),
    "other": re.compile(
        r"\b(mdp|hdp|dpd|hmdp)\b|oxidronate|medronate|sestamibi|tetrofosmin|\bmaa\b|macroaggregat|\bdtpa|mag.?3\b|dmsa"
        r"|mebrofenin|pertechnetate|\bfdg\b|besilesomab|sulesomab|antigranulocyte|octreo|\bred.{0,7}cell|\brbc",
        re.IGNORECASE,
    ),
}
TRACER_WORDS: dict[Tracer, str] = {
    "leukocytes": "labelled leukocytes",
    "colloid": "marrow colloid",
    "other": "another compound than labelled leukocytes",
    "unknown": "compound not recorded",
}


def tracer_called(name: str) -> Tracer:
    """Tell the sort of compound by its name.

    Parameters
    ----------
    name : str
        As a camera or a radiopharmacy writes it, in any case.

    Returns
    -------
    Tracer
        ``unknown`` where nothing in the name tells, or where it names several sorts.
    """
    found = [tracer for tracer, pattern in _PATTERNS.items() if pattern.search(name)]
    if "other" in found:
        return "other"  # an antibody against granulocytes is no leukocyte
    return found[0] if len(found) == 1 else "unknown"
