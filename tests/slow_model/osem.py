"""Ordered subsets written out plainly, in float64, with the slow model on both sides."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tests.slow_model.model import SlowModel

Float64 = NDArray[np.float64]


def slow_osem(
    model: SlowModel, counts: Float64, factors: Float64, subsets: Sequence[NDArray[np.intp]], iterations: int
) -> Float64:
    """Reconstruct counts (views, rows, columns) from a uniform image; the model's mask is the support.

    Parameters
    ----------
    factors : (views,) array
        Counts of a view for a rate of 1 count/s.
    subsets : views of each subset, in the order of use
    """
    scale = factors[:, None, None]
    sensitivities = [model.adjoint(np.ones((len(s), *model.size)) * scale[s], s) for s in subsets]
    image: Float64 = np.where(np.sum(sensitivities, axis=0) > 0, 1.0, 0.0)
    image *= counts.sum() / sum(float((s * image).sum()) for s in sensitivities)
    for _ in range(iterations):
        for views, sensitivity in zip(subsets, sensitivities, strict=True):
            expected = model.forward(image, views) * scale[views]
            ratio = np.divide(counts[views], expected, out=np.zeros_like(expected), where=expected > 0)
            gained = model.adjoint(ratio * scale[views], views)
            image *= np.divide(gained, sensitivity, out=np.zeros_like(gained), where=sensitivity > 0)
    return image
