"""What a rotation records, checked: step against arc and heads, and for how long a view counted."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from leukospect.dicom.elements import named, number
from leukospect.errors import GeometryError, InputError

_LONGEST_VIEW_S = 86400.0
_LONGEST_ROTATION_S = 3 * 3600.0
_SHORTEST_VIEW_S = 0.5


def angular_step_deg(rotation: Dataset, views: int, heads: int, assumptions: list[str]) -> float:
    """Give the angle between two views, checked against the arc.

    The arc may span the views or the intervals between them, and may be what all heads cover together.

    Raises
    ------
    GeometryError
        Neither step nor arc is recorded, or views, step and arc contradict each other.
    """
    step, arc = number(rotation, "AngularStep"), number(rotation, "ScanArc")
    if step is not None and step < 0:
        assumptions.append(
            f"{named('AngularStep')} is negative; its size is taken, and the direction from "
            f"{named('RotationDirection')}."
        )
    step, arc = (abs(value) if value else None for value in (step, arc))
    if step is None:
        if arc is None:
            raise GeometryError(
                f"{named('AngularStep')} and {named('ScanArc')} are both missing or zero; angles cannot be "
                "known, so restore one of them."
            )
        doubt = ", as each head's own; if all heads cover it together, the angles are wrong" if heads > 1 else ""
        assumptions.append(
            f"{named('AngularStep')} is missing; the arc of {arc:g} degrees is divided by {views} views{doubt}."
        )
        return arc / views
    if arc is not None and min(
        abs(step * views - arc), abs(step * (views - 1) - arc), abs(step * views - arc / heads)
    ) > (0.25 * step):
        raise GeometryError(
            f"{views} views {step:g} degrees apart do not make the arc of {arc:g} degrees in {named('ScanArc')}."
        )
    return step


def duration_of_a_view_s(recorded_s: float, views: int, assumptions: list[str]) -> float:
    """Give for how long a view counted, from Actual Frame Duration, which some cameras write for the whole rotation.

    A rotation of more than three hours is no examination of a patient.
    """
    if recorded_s > _LONGEST_VIEW_S:
        raise InputError(
            f"{named('ActualFrameDuration')} of {recorded_s:g} s a view cannot be; correct it in the file."
        )
    if recorded_s * views > _LONGEST_ROTATION_S and recorded_s / views >= _SHORTEST_VIEW_S:
        assumptions.append(
            f"{named('ActualFrameDuration')} of {recorded_s:g} s for each of {views} views would make "
            f"{recorded_s * views / 3600.0:.1f} hours; it is taken as that of the whole rotation, "
            f"{recorded_s / views:.3g} s a view."
        )
        return recorded_s / views
    if recorded_s < _SHORTEST_VIEW_S:
        assumptions.append(
            f"{named('ActualFrameDuration')} of {recorded_s * 1000.0:g} ms a view is implausibly short, as if it were "
            "in s; it is taken as recorded, in ms."
        )
    return recorded_s


def refuse_gaps(heads_deg: Sequence[NDArray[np.float64]], rotation: Dataset) -> None:
    """Refuse heads that are said to share an arc but leave a part of it out: step and arc contradict each other."""
    arc, step = abs(number(rotation, "ScanArc") or 0.0), abs(number(rotation, "AngularStep") or 0.0)
    own = step * heads_deg[0].size
    if len(heads_deg) == 1 or not arc or not step or abs(own - arc) <= 1.25 * step:
        return
    angles = np.sort(np.concatenate(heads_deg) % 360.0)
    widest = float(np.diff(angles, append=angles[0] + 360.0).max())
    if abs(min(360.0 - widest + step, 360.0) - arc) > 2.0 * step:
        raise GeometryError(
            f"{len(heads_deg)} heads with {heads_deg[0].size} views each, {step:g} degrees apart, do not cover the arc "
            f"of {arc:g} degrees in {named('ScanArc')} between them; correct {named('AngularStep')} in the file."
        )
