"""What results.json tells of a marrow scan, apart from the leukocytes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from leukospect.ct.metal_summary import metal_summary
from leukospect.interpretation.marrow import discordances
from leukospect.quantification.measurements import Ratio
from leukospect.study_result import MarrowScan


def marrow_values(marrow: MarrowScan, ratios: Sequence[Ratio]) -> dict[str, object]:
    """Lay a marrow scan out as plain values.

    Parameters
    ----------
    marrow : MarrowScan
    ratios : sequence of Ratio
        Of the leukocytes, which each of the colloid's is compared with.
    """
    headers = [*(one.header for one in marrow.spect), *(one.header for one in marrow.planar)]
    nuclides = [one.radiopharmaceutical.nuclide for one in headers if one.radiopharmaceutical is not None]
    return {
        "nuclide": next((name for name in nuclides if name), None),
        "scatter_and_cross_talk": [
            None if one.counts is None else one.counts.peak.scatter_method for one in marrow.spect
        ],
        "measurements": [asdict(one) for one in marrow.measurements],
        "ratios": [asdict(one) for one in marrow.ratios],
        "discordance": [asdict(one) for one in discordances(ratios, marrow.ratios)],
        "ct_alignment": [one.ct_alignment() for one in marrow.spect if one.ct is not None],
        "alignment": [dict(one) for one in marrow.alignments],
        "metal_reduction": [
            {"time_point": one.time_point, **metal_summary(one.reduction).as_values()}
            for one in marrow.spect
            if one.reduction is not None
        ],
    }
