"""What a registration found, what was made of it, and why."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from leukospect.registration.conversion import Matrix


@dataclass(frozen=True, slots=True, eq=False)
class Registration:
    """How a moving image lies to a fixed one.

    Parameters
    ----------
    matrix : (4, 4) array
        Takes fixed points to moving points, LPS mm; exactly the identity where nothing was accepted.
    accepted : bool
    reason : str
        Why the result was taken or the identity kept, one sentence or two.
    shift_mm, rotation_deg : float
        What was accepted or, if nothing was, what the search had found: how far the body's centre moves and the angle
        it turns by.
    found : (4, 4) array
        What the search found, accepted or not; the identity where there was nothing to search.
    expected_error_mm : float
        Of what was found: its root mean square error over the body, as its residuals and a second opinion tell. NaN
        where it was not estimated.
    misalignment_mm : float
        The quality index: how far apart the images are expected to lie under `matrix`. That is the expected error of
        what was accepted, or what was found and not accepted together with its error. NaN as above.
    mirrored : str
        Along which direction one of the two images seems to be mirrored; empty where none does, or it was not looked
        for.
    mutual_information_before, mutual_information_after : float
        At the identity and at that transform, nats, over the same voxels; NaN where it was not compared.
    """

    matrix: Matrix
    accepted: bool
    reason: str
    shift_mm: float
    rotation_deg: float
    found: Matrix = field(default_factory=lambda: np.eye(4))
    expected_error_mm: float = float("nan")
    misalignment_mm: float = float("nan")
    mirrored: str = ""
    mutual_information_before: float = float("nan")
    mutual_information_after: float = float("nan")


def unsearched(reason: str) -> Registration:
    """Keep the identity where there is nothing to search, and say why."""
    return Registration(np.eye(4), False, reason, 0.0, 0.0)
