"""What is no denser than the enamel around it is enamel, unless something nearby is surely metal."""

from __future__ import annotations

import numpy as np
import pytest

from leukospect.ct.enamel import without_enamel
from leukospect.ct.metal_pieces import Piece, Reason


def _piece(k: int, peak_hu: float, reason: Reason, *, cut_off: bool = False) -> Piece:
    return Piece(k, (slice(0, 2), slice(0, 2)), np.ones((2, 2), bool), peak_hu, 0.5 * peak_hu, cut_off, reason, True)


TOOTH = _piece(5, 3600.0, "bone or contrast medium")
TIP = _piece(6, 3700.0, "metal")


def test_the_tip_of_a_tooth_is_no_filling() -> None:
    tooth, tip = without_enamel([TOOTH, TIP], 1.5)
    assert (tooth.reason, tip.reason, tip.linkable) == ("bone or contrast medium", "bone or contrast medium", False)


@pytest.mark.parametrize(
    "others",
    [
        [],
        [_piece(5, 2000.0, "bone or contrast medium")],  # cortical bone says nothing of a screw
        [_piece(5, 3100.0, "bone or contrast medium")],  # the tip is denser than that
        [_piece(25, 3600.0, "bone or contrast medium")],  # far away
        [TOOTH, _piece(7, 9000.0, "metal")],
        [TOOTH, _piece(7, 3071.0, "metal", cut_off=True)],
    ],
)
def test_anything_else_stays_metal(others: list[Piece]) -> None:
    assert without_enamel([TIP, *others], 1.5)[0] is TIP
