"""What a folder holds, examination by examination: times, pairs of SPECT and CT, the kind of protocol."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np

from leukospect.data import Acquisition, CtSeries, PlanarImages, Projections, ReconstructedSeries, Study
from leukospect.errors import AssumptionWarning
from leukospect.examination import pair_ct
from leukospect.physics.acquisition_time import Timing, timing_of
from leukospect.physics.nuclides import KNOWN_NUCLIDES, nuclide
from leukospect.protocol import Protocol
from leukospect.report.inspection_studies import ExaminationFacts


def overview(study: Study) -> tuple[ExaminationFacts, ...]:
    """Sum up each examination of a study that is looked at.

    Parameters
    ----------
    study : Study
        Its `places` tell patients and examinations apart.

    Returns
    -------
    tuple of ExaminationFacts
        In the study's order. Time points are those of a protocol without settings of its own.
    """
    places = study.places or ((1, 1),) * len(study.acquisitions)
    return tuple(_examination(study, places, place) for place in dict.fromkeys(places))


def _examination(study: Study, places: Sequence[tuple[int, int]], place: tuple[int, int]) -> ExaminationFacts:
    members = {
        number: acquisition
        for number, (acquisition, own) in enumerate(zip(study.acquisitions, places, strict=True), start=1)
        if own == place
    }
    protocol = Protocol(name="overview")
    injected = [
        one
        for acquisition in members.values()
        for one in (acquisition.header.radiopharmaceutical, *acquisition.header.other_radiopharmaceuticals)
        if one is not None
    ]
    hours = {number: acquisition.header.hours_after_injection for number, acquisition in members.items()}
    tracers = dict.fromkeys(one.tracer for one in injected)
    return ExaminationFacts(
        patient=place[0],
        examination=place[1],
        tracers=tuple(tracer for tracer in tracers if tracer != "unknown") or tuple(tracers),
        nuclides=tuple(dict.fromkeys(one.nuclide for one in injected if one.nuclide)),
        acquisitions=tuple(members),
        time_points={number: protocol.time_point(hour) for number, hour in hours.items() if hour is not None},
        ct_of=_ct_of_each(members),
        timing=timing_of_kinds(list(members.values())),
    )


def _ct_of_each(members: dict[int, Acquisition]) -> dict[int, int | None]:
    alone = Study(tuple(members.values()))
    numbers = {id(acquisition): number for number, acquisition in members.items()}
    found: dict[int, int | None] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AssumptionWarning)  # `run` says what it assumes of the CT it takes
        for number, acquisition in members.items():
            if isinstance(acquisition, Projections) or (
                isinstance(acquisition, ReconstructedSeries) and acquisition.header.kind == "RECON TOMO"
            ):
                ct: CtSeries | None = pair_ct(acquisition, alone)
                found[number] = None if ct is None else numbers[id(ct)]
    return found


def timing_of_kinds(acquisitions: Sequence[Acquisition]) -> dict[str, Timing]:
    """Tell for SPECT and for each kind of planar image that has several times how they were acquired.

    Parameters
    ----------
    acquisitions : sequence of Acquisition
        Of one examination.
    """
    kinds: dict[str, list[tuple[float, float, str]]] = {}
    for acquisition in acquisitions:
        hours, injected = acquisition.header.hours_after_injection, acquisition.header.radiopharmaceutical
        if hours is None or injected is None or injected.nuclide not in KNOWN_NUCLIDES:
            continue
        if isinstance(acquisition, (Projections, PlanarImages)):
            kind = "SPECT" if isinstance(acquisition, Projections) else f"planar {acquisition.header.kind}"
            duration = float(np.median(acquisition.view_duration_s))
            kinds.setdefault(kind, []).append((hours, duration, injected.nuclide))
    return {
        kind: timing_of([one[0] for one in known], [one[1] for one in known], nuclide(known[0][2]).half_life_s)
        for kind, known in kinds.items()
        if len(known) > 1
    }
