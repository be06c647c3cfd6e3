"""What belongs together in a study: the CT of each SPECT, acquisitions after one injection, and those of marrow."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from leukospect.ct.series_choice import ONE_SCAN_S, choose_reconstruction, place_of_spect, reconstruction_of
from leukospect.data import (
    Acquisition,
    AcquisitionHeader,
    CtSeries,
    PlanarImages,
    Projections,
    ReconstructedSeries,
    Study,
    Tracer,
)
from leukospect.errors import AssumptionWarning, InputError

_SAME_VISIT = timedelta(days=2)
_ONE_INJECTION = timedelta(hours=1)  # clocks differ by minutes, examinations by days


def pair_ct(spect: Projections | ReconstructedSeries, study: Study) -> CtSeries | None:
    """Find the CT of a SPECT acquisition: of the same Frame of Reference, the nearest in time.

    Of several reconstructions of that scan `choose_reconstruction` takes one, with a warning that says why. A CT of
    another frame is not used; a scan is only taken without a frame where it is the only one, with a warning.
    """
    frame = spect.header.frame_of_reference_uid
    same = [ct for ct in study.ct if frame and ct.header.frame_of_reference_uid == frame]
    if same:
        return _chosen(same, spect)
    unknown = [ct for ct in study.ct if not ct.header.frame_of_reference_uid or not frame]
    if unknown and len(unknown) == len(study.ct) and _of_one_scan(unknown):
        warnings.warn(
            "The SPECT or the CT records no frame of reference; they are taken as aligned.",
            AssumptionWarning,
            stacklevel=2,
        )
        return _chosen(unknown, spect)
    if study.ct:
        warnings.warn(
            "No CT of the study has the SPECT's frame of reference; it is taken without a CT.",
            AssumptionWarning,
            stacklevel=2,
        )
    return None


def _chosen(found: Sequence[CtSeries], spect: Projections | ReconstructedSeries) -> CtSeries:
    if len(found) == 1:
        _say_if_of_another_day(found[0], spect)
        return found[0]
    index, sentence = choose_reconstruction([reconstruction_of(ct) for ct in found], place_of_spect(spect))
    warnings.warn(sentence, AssumptionWarning, stacklevel=3)
    _say_if_of_another_day(found[index], spect)
    return found[index]


def _say_if_of_another_day(ct: CtSeries, spect: Projections | ReconstructedSeries) -> None:
    starts = ct.header.start, spect.header.start
    if starts[0] is not None and starts[1] is not None and abs(starts[0] - starts[1]) > _SAME_VISIT:
        warnings.warn(
            f"The CT and the SPECT share a frame of reference, though {abs(starts[0] - starts[1]).days} days lie "
            "between them; they are taken as aligned.",
            AssumptionWarning,
            stacklevel=4,
        )


def _of_one_scan(found: Sequence[CtSeries]) -> bool:
    """Tell whether series are reconstructions of one scan: one series is, several are by their times."""
    starts = [ct.header.start for ct in found if ct.header.start is not None]
    one_time = len(starts) == len(found) and (max(starts) - min(starts)).total_seconds() <= ONE_SCAN_S
    return len(found) == 1 or one_time


def refuse_unsummed(acquisition: Projections | PlanarImages, *, sum_frames: bool) -> None:
    """Refuse gates or time frames that nobody asked to add up.

    Raises
    ------
    InputError
        The acquisition is gated or dynamic, and `sum_frames` is False.
    """
    if acquisition.summed_frames > 1 and not sum_frames:
        raise InputError(
            f"The acquisition is {acquisition.header.kind}, of {acquisition.summed_frames} gates or time frames; add "
            "them up with --sum-frames, or give another acquisition."
        )


def comparable(study: Study, *, sum_frames: bool) -> Study:
    """Leave out what is not of labelled leukocytes at one moment: colloid, other tracers, unsummed gates and frames.

    Parameters
    ----------
    study : Study
    sum_frames : bool
        Gated and dynamic acquisitions count, as the sum of their frames.

    Raises
    ------
    InputError
        Nothing to measure is left, although there is something.

    Warns
    -----
    AssumptionWarning
        What was left out.
    """
    kept: list[Acquisition] = []
    reasons: list[str] = []
    tracers = {one.header.radiopharmaceutical.tracer for one in study.acquisitions if one.header.radiopharmaceutical}
    if tracers == {"other"}:
        warnings.warn(
            "The compound is not labelled leukocytes by its name; the rules stand on leukocytes.",
            AssumptionWarning,
            stacklevel=2,
        )
    for acquisition in study.acquisitions:
        reason = _not_comparable(acquisition, sum_frames, others_too=tracers == {"other"})
        if reason is None:
            kept.append(acquisition)
        else:
            reasons.append(reason)
            warnings.warn(reason, AssumptionWarning, stacklevel=2)
    left = Study(tuple(kept), study.problems)
    if reasons and not any(isinstance(one, (Projections, PlanarImages, ReconstructedSeries)) for one in kept):
        raise InputError(f"The study holds no leukocyte images that can be measured: {reasons[0]}")
    return left


def _not_comparable(acquisition: Acquisition, sum_frames: bool, *, others_too: bool) -> str | None:
    header, injected = acquisition.header, acquisition.header.radiopharmaceutical
    if isinstance(acquisition, (Projections, PlanarImages)) and acquisition.summed_frames > 1 and not sum_frames:
        return (
            f"A {header.kind} acquisition of {acquisition.summed_frames} gates or time frames is left out; "
            "--sum-frames adds them up."
        )
    if injected is not None and injected.tracer in (("colloid",) if others_too else ("colloid", "other")):
        if injected.tracer == "colloid":
            return f"A {header.kind} acquisition of a marrow colloid is measured apart, not compared with other times."
        return f"A {header.kind} acquisition of another compound than labelled leukocytes is left out."
    return None


def marrow_of(study: Study, *, sum_frames: bool) -> Study | None:
    """Take the acquisitions of a marrow colloid, with every CT; None where there are none.

    Gated and dynamic ones count only with `sum_frames`, as their sum.
    """
    colloid = [
        one
        for one in study.acquisitions
        if isinstance(one, (Projections, PlanarImages, ReconstructedSeries))
        and _tracer(one.header) == "colloid"
        and (isinstance(one, ReconstructedSeries) or one.summed_frames == 1 or sum_frames)
    ]
    return Study((*colloid, *study.ct)) if colloid else None


def with_tracers_apart(study: Study) -> Study:
    """Take what counted labelled leukocytes and a colloid at once as an acquisition of each.

    Both hold the same counts; which windows are whose, and what crosses over, is told by the nuclides.

    Raises
    ------
    InputError
        Both are of one nuclide, or of one that is not recorded: no window tells them apart.
    """
    found: list[Acquisition] = []
    for acquisition in study.acquisitions:
        found.append(acquisition)
        colloid = next((x for x in acquisition.header.other_radiopharmaceuticals if x.tracer == "colloid"), None)
        cells = acquisition.header.radiopharmaceutical
        if cells is None or cells.tracer != "leukocytes" or colloid is None:
            continue
        if cells.nuclide is None or colloid.nuclide is None or cells.nuclide == colloid.nuclide:
            raise InputError(
                "Leukocytes and colloid were counted at once, but not with two nuclides that are recorded and differ: "
                "no energy window tells them apart. Give acquisitions of each."
            )
        if isinstance(acquisition, PlanarImages):
            warnings.warn(
                "Planar views counted leukocytes and colloid at once; what one scatters into the other's window is "
                "removed in SPECT only, so the colloid is not measured in them.",
                AssumptionWarning,
                stacklevel=2,
            )
        elif isinstance(acquisition, Projections):
            header = replace(acquisition.header, radiopharmaceutical=colloid, other_radiopharmaceuticals=(cells,))
            found.append(replace(acquisition, header=header))
    return replace(study, acquisitions=tuple(found), places=())


def _tracer(header: AcquisitionHeader) -> Tracer:
    return "unknown" if header.radiopharmaceutical is None else header.radiopharmaceutical.tracer


def refuse_several_injections(headers: Sequence[AcquisitionHeader]) -> None:
    """Refuse acquisitions after different injections: they are of different examinations, and cannot be compared."""
    injections = [header.radiopharmaceutical for header in headers]
    moments = [one.injection_time for one in injections if one is not None and one.injection_time is not None]
    if not moments or max(moments) - min(moments) <= _ONE_INJECTION:
        return
    apart = (max(moments) - min(moments)).total_seconds() / 3600.0
    raise InputError(
        f"The acquisitions record injections {apart:.1f} hours apart, so they are of several examinations; give the "
        "folder of one, or correct the time of injection in the files."
    )
