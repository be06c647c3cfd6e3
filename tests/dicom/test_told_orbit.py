"""What the user tells of an orbit: where it is true, the same is read as without it, or it is refused."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from leukospect.data import Projections
from leukospect.dicom.read.study import read_projections
from leukospect.errors import AssumptionWarning, GeometryError
from tests.dicom.acquisitions import Rotation, Tomo, save

START_DEG, AXIS_MM = 17.5, (7.0, -10.0)
HEADS = {"one head": (0.0,), "opposite heads": (0.0, 180.0), "heads at a right angle": (0.0, 90.0)}
TOLD: dict[str, dict[str, Any]] = {
    "start angle": {"start_angle_deg": START_DEG},
    "direction": {"direction": "cw"},
    "both": {"start_angle_deg": START_DEG, "direction": "cw"},
}


def acquisition(position: str, heads: str) -> Tomo:
    return Tomo(
        gantry=position,
        direction="CW",
        axis_mm=AXIS_MM,
        start_angles_deg=tuple(START_DEG + turned for turned in HEADS[heads]),
    )


def read(folder: Path, **told: Any) -> Projections:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AssumptionWarning)
        return read_projections(folder, **told)


def assert_same(one: Projections, other: Projections) -> None:
    apart = (one.orbit.angles_deg - other.orbit.angles_deg + 180.0) % 360.0 - 180.0
    np.testing.assert_allclose(apart, 0.0, atol=1e-6)
    np.testing.assert_allclose(one.axis_mm, other.axis_mm, atol=1e-4)
    assert one.first_row_z_mm == pytest.approx(other.first_row_z_mm)
    np.testing.assert_array_equal(one.counts, other.counts)


@pytest.mark.parametrize("told", TOLD)
@pytest.mark.parametrize("heads", HEADS)
@pytest.mark.parametrize("position", ["HFS", "HFP", "FFS", "FFP"])
def test_what_is_true_changes_nothing(position: str, heads: str, told: str, tmp_path: Path) -> None:
    """The file's angles are the gantry's; the user tells the patient's."""
    made = acquisition(position, heads)
    folder = save(tmp_path, made.dataset())
    untold = read(folder)
    angles = np.concatenate([made.angles_deg(head) for head in range(len(HEADS[heads]))])
    np.testing.assert_allclose(untold.orbit.angles_deg, angles % 360.0, atol=1e-6)
    assert_same(read(folder, **TOLD[told]), untold)


@pytest.mark.parametrize("heads", HEADS)
@pytest.mark.parametrize("position", ["HFS", "HFP", "FFS", "FFP"])
def test_one_start_angle_for_all_heads_and_their_orientations(position: str, heads: str, tmp_path: Path) -> None:
    made = acquisition(position, heads)
    made.angles_of = "rotation"
    angles = np.concatenate([made.angles_deg(head) for head in range(len(HEADS[heads]))])
    found = read(save(tmp_path, made.dataset()))
    np.testing.assert_allclose((found.orbit.angles_deg - angles + 180.0) % 360.0 - 180.0, 0.0, atol=1e-6)


@pytest.mark.parametrize("files", ["one", "one a head"])
def test_heads_that_follow_each_other_round_in_two_rotations(files: str, tmp_path: Path) -> None:
    """In its second rotation each head looks from where the other one did in the first."""
    half = (Rotation(0.0, "CC", 6, 30.0), Rotation(180.0, "CC", 6, 30.0))
    made = Tomo(start_angles_deg=(40.0, 220.0), rotations=half)
    written = [made.dataset()] if files == "one" else made.files("head")
    found = read(save(tmp_path, *written))
    assert found.counts.shape == (1, 24, 24, 40)
    starts = sorted(float(angle) for angle in found.orbit.angles_deg[::6])
    np.testing.assert_allclose(starts, [40.0, 40.0, 220.0, 220.0])


@pytest.mark.parametrize("missing", ["StartAngle", "RotationDirection"])
@pytest.mark.parametrize("position", ["HFS", "HFP", "FFS", "FFP"])
def test_what_is_missing_and_told_is_read_as_if_it_were_recorded(position: str, missing: str, tmp_path: Path) -> None:
    made = acquisition(position, "one head")
    whole = read(save(tmp_path / "whole", made.dataset()))
    dataset = made.dataset()
    for place in (*dataset.DetectorInformationSequence, *dataset.RotationInformationSequence):
        if missing in place:
            delattr(place, missing)
    told = TOLD["start angle"] if missing == "StartAngle" else TOLD["direction"]
    assert_same(read(save(tmp_path / "part", dataset), **told), whole)


def test_a_wrong_word_of_the_user_is_taken_and_said(tmp_path: Path) -> None:
    folder = save(tmp_path, acquisition("HFS", "one head").dataset())
    found = read(folder, start_angle_deg=100.0, direction="cc")
    np.testing.assert_allclose(found.orbit.angles_deg, (100.0 + 30.0 * np.arange(12)) % 360.0, atol=1e-6)
    assert any("taken as told" in sentence for sentence in found.header.assumptions)
    # 82.5 degrees off what the file's orientation shows, rounded to a whole degree
    assert any("82 degrees from" in sentence or "83 degrees from" in sentence for sentence in found.header.assumptions)


def test_a_direction_cannot_be_told_for_rotations_there_and_back(tmp_path: Path) -> None:
    both = (Rotation(0.0, "CC", 12, 30.0), Rotation(330.0, "CW", 12, 30.0))
    folder = save(tmp_path, Tomo(start_angles_deg=(40.0,), rotations=both).dataset())
    read(folder)
    with pytest.raises(GeometryError, match="there and back"):
        read(folder, direction="cc")
