"""Small motions of attenuation map and regions: what they are, and what they change."""

from __future__ import annotations

import numpy as np
import pytest

from leukospect.quantification.measurements import Region
from leukospect.quantification.misalignment import effects_of, largest, small_motions

ABOUT = np.array([12.0, -30.0, 105.0])
LESION = Region(1, "plate", "lesion", "mirror", 10.0, (0.0, 0.0, 0.0), "right", "drawn")
MIRROR = Region(2, "mirror", "reference", "", 10.0, (0.0, 0.0, 0.0), "left", "drawn")


def test_motions_are_rigid_and_go_both_ways() -> None:
    motions = small_motions(4.8, 2.0, ABOUT)
    assert len({motion.name for motion in motions}) == len(motions) == 12
    for motion in motions:
        turn = motion.matrix[:3, :3]
        np.testing.assert_allclose(turn @ turn.T, np.eye(3), atol=1e-12)
        assert np.linalg.det(turn) == pytest.approx(1.0)
    for one, other in zip(motions[::2], motions[1::2], strict=True):
        np.testing.assert_allclose(one.matrix @ other.matrix, np.eye(4), atol=1e-9)


def test_a_shift_moves_by_its_length_and_a_turn_leaves_its_middle() -> None:
    for motion in small_motions(4.8, 2.0, ABOUT):
        moved = (motion.matrix @ [*ABOUT, 1.0])[:3] - ABOUT
        assert np.linalg.norm(moved) == pytest.approx(4.8 if "along" in motion.name else 0.0, abs=1e-9)
    about_z = next(one for one in small_motions(4.8, 2.0, ABOUT) if one.name == "+2 degrees about z")
    # Counterclockwise seen from +z: from x towards y.
    end = (about_z.matrix @ [*(ABOUT + np.array([100.0, 0.0, 0.0])), 1.0])[:3] - ABOUT
    np.testing.assert_allclose(end, [100 * np.cos(np.radians(2)), 100 * np.sin(np.radians(2)), 0.0], atol=1e-9)


def test_a_ratio_changes_by_what_its_parts_do() -> None:
    effects = effects_of(
        (LESION, MIRROR), np.array([10.0, 4.0]), np.array([11.0, 3.8]), "late", "attenuation map", "+4.8 mm along x"
    )
    lesion, mirror = effects
    assert lesion.mean_change == pytest.approx(0.1)
    assert lesion.ratio_change == pytest.approx((11.0 / 3.8) / (10.0 / 4.0) - 1.0)
    assert mirror.mean_change == pytest.approx(-0.05)
    assert np.isnan(mirror.ratio_change)


def test_the_largest_keeps_its_sign_and_skips_what_is_not_known() -> None:
    changes = [(10.5, 4.0), (9.0, 4.0), (np.nan, 4.0)]
    effects = [
        one
        for n, moved in enumerate(changes)
        for one in effects_of((LESION, MIRROR), np.array([10.0, 4.0]), np.array(moved), "late", "regions", str(n))
    ]
    assert largest(effects, "mean_change") == pytest.approx(-0.1)
    assert np.isnan(largest([one for one in effects if one.region == "mirror"], "ratio_change"))
