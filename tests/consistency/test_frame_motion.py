"""A step between time frames is told with its size; what the tracer does on its way is not taken for one."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from leukospect.consistency import find_frame_motion

PIXEL_MM = (4.0, 2.5)


def frames(shifts_mm: list[tuple[float, float]], seed: int = 2, growing: float = 0.0) -> NDArray[np.float32]:
    """Count a lopsided body that lies elsewhere in each frame, with uptake that grows in one corner."""
    z = (np.arange(50) * PIXEL_MM[0])[:, None]
    x = (np.arange(90) * PIXEL_MM[1])[None, :]
    made = []
    for number, (dz, dx) in enumerate(shifts_mm):
        body = np.exp(-(((z - dz - 90) / 40) ** 2) - ((x - dx - 105) / 30) ** 2)
        spot = np.exp(-(((z - dz - 60) / 8) ** 2) - ((x - dx - 140) / 8) ** 2)
        made.append(3.0 * body + (2.0 + growing * number) * spot)
    return np.random.default_rng(seed).poisson(np.stack(made)).astype(np.float32)


@pytest.mark.parametrize("step_mm", [(12.0, 0.0), (0.0, -9.0), (-8.0, 6.0)])
@pytest.mark.parametrize("seed", range(3))
def test_a_step_is_told_with_its_frame_and_size(step_mm: tuple[float, float], seed: int) -> None:
    found = find_frame_motion(frames([(0.0, 0.0)] * 5 + [step_mm] * 7, seed), PIXEL_MM)
    assert found is not None
    assert (found.frame, found.frames) == (6, 12)
    assert found.shift_mm == pytest.approx(float(np.hypot(*step_mm)), abs=5 * found.uncertainty_mm)
    assert "From frame 6 of 12 on" in found.sentence()


@pytest.mark.parametrize("seed", range(6))
def test_who_lies_still_is_not_said_to_have_moved(seed: int) -> None:
    assert find_frame_motion(frames([(0.0, 0.0)] * 12, seed), PIXEL_MM) is None
    assert find_frame_motion(frames([(0.0, 0.0)] * 12, seed, growing=0.3), PIXEL_MM) is None


def test_few_frames_and_few_counts_tell_nothing() -> None:
    assert find_frame_motion(frames([(0.0, 0.0), (0.0, 0.0), (20.0, 0.0)]), PIXEL_MM) is None
    assert find_frame_motion(np.zeros((8, 50, 90), np.float32), PIXEL_MM) is None


def test_the_tracer_arriving_is_no_motion() -> None:
    arriving = frames([(0.0, 0.0)] * 3 + [(15.0, 0.0)] * 5)
    arriving[3:] *= 3
    assert find_frame_motion(arriving, PIXEL_MM) is None
