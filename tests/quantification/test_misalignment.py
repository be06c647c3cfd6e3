"""Small motions of attenuation map and regions: what they are, and what they change."""

from __future__ import annotations

import numpy as np
import pytest

from leukospect.quantification.measurements import Region, TimePoint
from leukospect.quantification.misalignment import (
    MisalignmentEffect,
    MovedPart,
    effects_of,
    expected_deviations,
    largest,
    small_motions,
)

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


def effects_of_ratio(changes: dict[str, float], moved: MovedPart = "regions") -> list[MisalignmentEffect]:
    return [
        MisalignmentEffect("plate", "delayed", moved, motion, 0.0, change, "spect", 4.8)
        for motion, change in changes.items()
    ]


def test_an_expected_error_of_a_pixel_leaves_the_root_mean_square_of_what_the_motions_change() -> None:
    effects = effects_of_ratio({"+x": np.expm1(0.03), "-x": np.expm1(-0.05), "+z": 0.0, "-z": 0.0})
    rms = np.sqrt((0.03**2 + 0.05**2) / 4)
    key: tuple[str, TimePoint, str] = ("plate", "delayed", "spect")
    assert expected_deviations(effects, {})[key] == pytest.approx(rms)
    assert expected_deviations(effects, {("regions", "delayed", "spect"): np.nan})[key] == pytest.approx(rms)
    assert expected_deviations(effects, {("regions", "delayed", "spect"): 1.2})[key] == pytest.approx(rms / 4)


def test_errors_of_map_and_regions_add_as_independent_ones_do() -> None:
    effects = effects_of_ratio({"+x": np.expm1(0.03)}) + effects_of_ratio({"+x": np.expm1(-0.04)}, "attenuation map")
    assert expected_deviations(effects, {})["plate", "delayed", "spect"] == pytest.approx(0.05)


def test_a_smooth_ratio_in_misplaced_regions_is_off_as_expected() -> None:
    # log(ratio) falls linearly along x and z: what a random shift of known size does follows in closed form.
    gradient = np.array([0.02, 0.0, -0.01])
    motions = [m for m in small_motions(4.8, 2.0, ABOUT) if "along" in m.name]
    effects = effects_of_ratio({m.name: float(np.expm1(gradient @ m.matrix[:3, 3])) for m in motions})
    shifts = np.random.default_rng(3).normal(0.0, 3.0 / np.sqrt(3.0), (20_000, 3))
    found = expected_deviations(effects, {("regions", "delayed", "spect"): 3.0})["plate", "delayed", "spect"]
    assert found == pytest.approx(float((shifts @ gradient).std()), rel=0.02)
