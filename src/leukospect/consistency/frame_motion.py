"""Whether the patient moved between the time frames of a dynamic planar acquisition, before they are added up."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_LEAST_MM = 4.0
_TIMES_SIGMA = 6.0
_FEWEST_FRAMES = 4
_FEWEST_COUNTS = 500.0
_SAME_COUNTS = 0.2  # frames whose totals differ by more show the tracer arriving, not a patient who moved


@dataclass(frozen=True, slots=True)
class FrameMotion:
    """A step of the middle of all counts from one frame to the next.

    Parameters
    ----------
    frame : int
        The first one after it, from 1.
    frames : int
    shift_mm, uncertainty_mm : float
        How far the middle went; one standard deviation.
    """

    frame: int
    frames: int
    shift_mm: float
    uncertainty_mm: float

    def sentence(self) -> str:
        """Tell it in one sentence."""
        return (
            f"From frame {self.frame} of {self.frames} on, the middle of the counts lies {self.shift_mm:.0f} +- "
            f"{self.uncertainty_mm:.1f} mm from where it was: the patient seems to have moved, and the frames are "
            "added up as they are."
        )


def find_frame_motion(frames: NDArray[np.floating], pixel_mm: tuple[float, float]) -> FrameMotion | None:
    """Look for a sudden step of the middle of the counts; what the tracer does on its way is slow and no step.

    Parameters
    ----------
    frames : (frames, rows, columns) array
        Counts of one detector.
    pixel_mm : (between rows, between columns)

    Returns
    -------
    FrameMotion or None
        The largest step.
    """
    totals = frames.sum(axis=(1, 2), dtype=np.float64)
    if len(frames) < _FEWEST_FRAMES or totals.min() < _FEWEST_COUNTS:
        return None
    steps, variances = np.zeros((len(frames) - 1, 2)), np.zeros((len(frames) - 1, 2))
    for axis in (0, 1):
        profiles = frames.sum(axis=2 - axis, dtype=np.float64)
        places = np.arange(profiles.shape[1]) * pixel_mm[axis]
        middles = profiles @ places / totals
        spread = (profiles * (places - middles[:, None]) ** 2).sum(axis=1) / totals**2
        steps[:, axis] = np.diff(middles)
        variances[:, axis] = spread[1:] + spread[:-1]
    steps -= np.median(steps, axis=0)
    sizes, sigmas = np.linalg.norm(steps, axis=1), np.sqrt(variances.max(axis=1))
    alike = np.abs(np.diff(totals)) <= _SAME_COUNTS * np.maximum(totals[1:], totals[:-1])
    sizes = np.where(alike & (sizes > _TIMES_SIGMA * sigmas), sizes, 0.0)
    largest = int(sizes.argmax())
    if sizes[largest] < _LEAST_MM:
        return None
    return FrameMotion(largest + 2, len(frames), float(sizes[largest]), float(sigmas[largest]))
