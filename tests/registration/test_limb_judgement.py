"""What is told of a limb whose bone edges differ as streaks of metal leave them."""

from __future__ import annotations

import numpy as np
import pytest

from leukospect.registration.limb_judgement import DOUBT_MM, DOUBT_UNREDUCED_MM, Measured, judged
from leukospect.registration.refinement import Fit

SHIFTED = np.array([[1.0, 0, 0, 12.0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
BONE_MM = np.array([[x, y, z] for x in (-10.0, 10.0) for y in (-10.0, 10.0) for z in (-80.0, 80.0)])


@pytest.mark.parametrize(
    ("edge_mm", "reduced", "doubt_mm", "words"),
    [
        (0.1, True, 0.0, "two searches by"),
        (0.1, False, 0.0, "two searches by"),
        (0.4, True, DOUBT_MM, "about 1 mm"),
        (0.4, False, DOUBT_UNREDUCED_MM, "by centimetres along a nail"),
    ],
)
def test_streaks_that_were_not_reduced_are_trusted_least(
    edge_mm: float, reduced: bool, doubt_mm: float, words: str
) -> None:
    fit = Fit(SHIFTED, 0.97, 1.0, 20.0, np.eye(6), edge_mm)
    found = judged("right", Measured(0.5, 0.97, fit, 0.01, 0.05, reduced), BONE_MM, (120.0, 35.0))
    assert found.accepted
    assert found.doubtful == (doubt_mm > 0)
    assert found.doubt_mm == doubt_mm
    assert words in found.reason


def test_what_is_refused_is_not_doubtful_but_kept() -> None:
    fit = Fit(SHIFTED, 0.97, 1.0, 20.0, np.eye(6), 1.5)
    found = judged("right", Measured(0.5, 0.97, fit, 0.01, 0.05, reduced=False), BONE_MM, (120.0, 35.0))
    assert not found.accepted
    assert found.doubt_mm == 0.0
    np.testing.assert_array_equal(found.matrix, np.eye(4))
